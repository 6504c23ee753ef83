"""What one row is: its columns, and the numbers and one-hot groups that they become."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

ColumnKind = Literal[
    "integer",
    "real",
    "boolean",
    "category",
    "datetime",
    "identifier",
    "text",
    "constant",
    "empty",
    "duplicate-of",
]
COLUMN_KINDS: tuple[str, ...] = get_args(ColumnKind)
BlockKind = Literal["number", "category", "missing"]


Form = Literal["linear", "log", "bound", "lookup"]
Unit = Literal["microsecond", "month", "month end"]
Side = Literal["", "<", "<=", ">", ">="]


@dataclass(frozen=True)
class Cells:
    """How a number's values lie: arithmetic progressions inside cells of about equal mass.

    Progressions are in the order of their cells, and cells ascend. Coarse cells hold some cells
    each. A value that several rows share is a progression of one term.
    """

    starts: tuple[float, ...]  # the first value of each progression
    strides: tuple[float, ...]  # between its values
    terms: tuple[int, ...]  # how many these are; 0: all between `start` and `start + stride`
    rows: tuple[float, ...]  # of training, that it stands for
    leaves: tuple[int, ...]  # the cell of each progression, from 0
    coarse: tuple[int, ...]  # the coarse cell of each cell, from 0
    per_unit: float = 1.0  # starts and strides are whole numbers over it
    mean: float = 0.0  # of the training rows
    deviation: float = 1.0


@dataclass(frozen=True)
class Relation:
    """How a column follows from others: value = f(sources) + residual, or a table of f alone.

    A linear f is a sum of products of sources: Σ weight × Π source^power, and a constant. Without
    `powers` each source is a term of its own. The logarithm of a log f is linear in those of the
    sources, whose values of 0 and below count as missing. A bound is linear, and residuals are
    values themselves: where these lie on its wrong side, the nearest of `values` on the right one
    takes their place.
    """

    sources: tuple[str, ...]
    form: Form
    weights: tuple[float, ...] = ()  # of each term, then the constant
    powers: tuple[tuple[int, ...], ...] = ()  # of each source in each term, 0 and above
    step: float = 1.0  # of values and residuals, whole numbers of it; 0: of no grid
    period: float = 0.0  # in steps, of clocks; 0: none
    low: float | None = None  # the least value, in steps; of a clock, where the day begins
    high: float | None = None  # the largest value, in steps
    side: Side = ""  # of the prediction, on which values lie; residuals then have its sign
    exact: bool = False  # whether values are the prediction, wherever there is one
    fill: tuple[float, ...] = ()  # for missing sources; (): f is missing too, and residuals values
    keys: tuple[tuple[float, ...], ...] = ()  # of a table: cells of the sources, ascending
    values: tuple[float | None, ...] = ()  # the column's cell for each key; of a bound, ascending
    rule: str = ""  # that this keeps, as it was written


@dataclass(frozen=True)
class NumberForm:
    """How a column's cells write numbers: `1.234,50 EUR`, `(13,639)`, `1,39,040`, `3.10`."""

    decimal: str = "."
    thousands: str = ""  # between groups of three digits; "": none
    grouped_from: int = 4  # digits of the whole part, from which on there are groups
    indian: bool = False  # whether groups above the last are of two digits
    places: int = 0  # decimals that every number has at least
    bare: bool = False  # whether .5 has no 0
    exponent: str = ""  # "e", "E": of large and small numbers
    scientific: bool = False  # whether every number has an exponent
    shortest: bool = False  # whether those have one that are shorter with it, as R writes them
    positive: str = "{}"  # what stands around the digits: "{} EUR", "+{}%"
    negative: str = "-{}"  # the same of numbers below 0: "({})", "{}-"
    dtype: str = ""  # of cells that are text in a data frame too; "": numbers there


@dataclass(frozen=True)
class Column:
    """One column: what it is, and what it takes to encode and decode it; plain values only."""

    name: str
    kind: ColumnKind
    dtype: str  # pandas' name of it
    note: str = ""  # what was decided, in a line
    missing: bool = False  # whether cells may be missing
    private: bool = False  # whether no value comes back as it is, of numbers and dates
    cells: Cells | None = None  # how its own values lie; None: by knots, or of no number
    relation: Relation | None = None  # how it follows from other columns
    residual: Cells | None = None  # how its residuals lie, of a relation that is not a table
    hidden: bool = False  # whether networks see it and people do not: a joint category
    clock: bool = False  # whether 1345 is a quarter to two; its numbers are minutes then
    significant: int = 0  # digits of numbers that lie on no grid; 0: all
    ranks: tuple[float, ...] = ()  # of the knots, from 0 to 1: of runs of version 0.1
    knots: tuple[float, ...] = ()  # values at these ranks, ascending
    decimals: int | None = None  # numbers are multiples of 10^-decimals; None: of nothing
    unit: Unit = "microsecond"  # of dates; months where all are first or last days of such
    origin: int = 0  # units since 1970 of the first date
    step: int = 1  # units; dates are whole steps after the first
    date_format: str = ""  # of text or digits, see `dates`; "date", "time" of objects
    other_formats: tuple[str, ...] = ()  # of cells that are read but not written so
    first_year: int = 0  # of the hundred that years of two digits are among
    zone: str = ""  # whose clocks show the dates; "": dates with an offset are in UTC
    labels: tuple[str, ...] = ()  # the categories with a place of their own
    counts: tuple[int, ...] = ()  # rows of each of these
    rest: tuple[str, ...] = ()  # categories that share one place
    rest_counts: tuple[int, ...] = ()  # rows of each of these
    label_dtype: str = "text"  # of the labels' own values
    levels: tuple[str, ...] = ()  # of a pandas categorical, in its order
    ordered: bool = False
    prefix: str = ""  # of a regenerated identifier
    first: int = 1
    digits: int = 1
    source: str = ""  # the column that this one repeats
    form: NumberForm | None = None  # how files write its numbers; None: as Python does
    missing_word: str = ""  # how files write its missing cells

    @property
    def is_number(self) -> bool:
        """Tell whether the column is encoded through its quantiles."""
        return self.kind in ("integer", "real", "datetime")

    @property
    def is_learned(self) -> bool:
        """Tell whether networks see it."""
        varies = self.is_number or self.kind in ("boolean", "category")
        return varies or (self.kind == "constant" and self.missing)

    @property
    def is_modelled(self) -> bool:
        """Tell whether networks see it: its values, or what is left of them beside a relation."""
        return self.is_learned and (self.relation is None or self.residual is not None)

    @property
    def numbers(self) -> Cells | None:
        """How the numbers lie that networks make of it."""
        return self.cells if self.relation is None else self.residual

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest of its numbers that can be made."""
        if self.cells is None:
            return self.knots[0], self.knots[-1]
        cells = self.cells
        steps = [max(terms - 1, terms == 0) for terms in cells.terms]
        ends = map(lambda a, b, n: a + b * n, cells.starts, cells.strides, steps)
        return min(cells.starts) / cells.per_unit, max(ends) / cells.per_unit

    @property
    def resolution(self) -> float:
        """Distance of two neighbouring values; 0 where there is none."""
        return 0.0 if self.decimals is None else 10.0**-self.decimals


@dataclass(frozen=True)
class Block:
    """Columns `start` to `start + width - 1` of the array: one number, or one one-hot group.

    The group `missing` is (present, missing); in `category` the last place is missing cells', and
    the one before the remaining categories', where there are such.
    """

    column: str
    kind: BlockKind
    start: int
    width: int

    @property
    def stop(self) -> int:
        """The first column of the array after it."""
        return self.start + self.width


@dataclass(frozen=True)
class TableSpec:
    """A row of a table; encoded, numbers and one-hot groups beside each other."""

    columns: tuple[Column, ...]
    classes: tuple[str, ...] = ()
    makes: Literal["encoded", "cells"] = "encoded"  # what the generator's output is
    rules: tuple[str, ...] = ()  # that all rows keep, as they were written
    delimiter: str = ","  # of .csv files

    @property
    def shape(self) -> tuple[int]:
        """Shape of one encoded sample."""
        return (self.size,)

    @cached_property
    def size(self) -> int:
        """Numbers in one encoded sample."""
        return width(self.columns)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Numbers and one-hot groups in their order."""
        return blocks(self.columns)

    @cached_property
    def learned(self) -> tuple[Column, ...]:
        """The columns of which an item has a cell each."""
        return tuple(column for column in self.columns if column.is_learned)

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        """The learned columns that people see."""
        return tuple(column for column in self.learned if not column.hidden)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by their names."""
        return {column.name: column for column in self.columns}

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each learned column in an item."""
        return {column.name: place for place, column in enumerate(self.learned)}

    @cached_property
    def in_order(self) -> tuple[Column, ...]:
        """The learned columns, each after those that it follows from."""
        ordered: dict[str, Column] = {}
        waiting = list(self.learned)
        while waiting:
            sources = {c.name: c.relation.sources if c.relation else () for c in waiting}
            ready = [c for c in waiting if {*sources[c.name]} <= {*ordered}]
            ordered |= {column.name: column for column in ready}
            waiting = [column for column in waiting if column.name not in ordered]
        return tuple(ordered.values())

    @cached_property
    def owners(self) -> tuple[int, ...]:
        """For each number of an encoded sample, the place of its column in an item."""
        return tuple(self.places[b.column] for b in self.blocks for _ in range(b.width))

    @cached_property
    def number_places(self) -> dict[str, int]:
        """The place of each learned column of numbers among these."""
        numbers = [column.name for column in self.learned if column.is_number]
        return {name: place for place, name in enumerate(numbers)}


def blocks(columns: Sequence[Column]) -> tuple[Block, ...]:
    """Say which columns of the array are numbers and which are one-hot groups."""
    blocks_so_far: list[Block] = []
    start = 0
    for column in columns:
        for block_kind, size in _parts(column):
            blocks_so_far.append(Block(column.name, block_kind, start, size))
            start += size
    return tuple(blocks_so_far)


def width(columns: Sequence[Column]) -> int:
    """Return the number of columns of the array."""
    return sum(size for column in columns for _, size in _parts(column))


def _parts(column: Column) -> list[tuple[BlockKind, int]]:
    if not column.is_modelled:
        return []
    match column.kind:
        case "integer" | "real" | "datetime":
            return [("number", 1), ("missing", 2)] if column.missing else [("number", 1)]
        case "boolean" | "category":
            return [("category", len(column.labels) + bool(column.rest) + column.missing)]
        case "constant" if column.missing:
            return [("missing", 2)]
        case _:
            return []
