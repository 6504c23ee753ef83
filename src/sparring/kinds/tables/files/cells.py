"""Cells of text to numbers and missing cells, column by column, and what is said of it.

Only empty cells are missing, and those that a person says so of; in columns that else hold numbers
also the words that people write there for nothing: `n.a.`, `-`, `NA`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sparring.errors import listed
from sparring.kinds.tables.columns import Frame, Series, label_texts, pandas
from sparring.kinds.tables.number_forms import (
    PARTS,
    Evidence,
    Written,
    decimal_marks,
    read,
    read_as,
    taken_apart,
)
from sparring.kinds.tables.options import AS_WRITTEN
from sparring.kinds.tables.spec import Column, NumberForm, TableSpec

WORDS = frozenset(  # for nothing
    (
        *("na", "n/a", "#n/a", "nan", "null", "none", "n.a.", "n.a", "n.d.", "nd", "n/d", "k.a."),
        *("k.a", "s/d", "s.d.", "(null)", "<na>", r"\n", "-", "--", "---", "–", "—", "?", "*"),
        *(".", "..", "...", "…", "#nv", "#div/0!", "#value!", "#wert!", "#ref!", "#bezug!"),
        *("－", "‐", "#valeur!", "无", "暂无", "不详", "不明", "なし", "無"),
    )
)
PREVIEWED = 50  # cells that tell text from numbers before all are looked at
MAX_WORD_SHARE = 0.5  # of the cells of a column of numbers, that may be such words
MAX_DISTINCT = 1_000  # texts of a column in which a word for nothing is looked for
MIXED = ("mixed", "mixed-integer")  # text among cells of other types
AS_TEXT = ("category", "text")  # types of columns whose cells may be anything
PLAIN = NumberForm()


@dataclass(frozen=True)
class CellOptions:
    """How cells are read, as a person tells it, and what is known of their columns."""

    missing: tuple[str, ...] = ()  # cells that are missing
    decimal: str = AS_WRITTEN
    thousands: str = AS_WRITTEN
    delimiter: str = ","
    chosen: Mapping[str, str] = field(default_factory=dict)  # types of columns
    known: Mapping[str, Column] = field(default_factory=dict)  # of a run
    missing_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of columns, besides

    def codes(self, name: str) -> tuple[str, ...]:
        """Return the cells of a column that are missing."""
        return (*self.missing, *self.missing_of.get(name, ()))


def as_of_run(spec: TableSpec) -> CellOptions:
    """Return how cells are read that are to be as a run's own."""
    words = {column.missing_word for column in spec.columns} - {""}
    return CellOptions(missing=tuple(sorted(words)), known=spec.by_name)


@dataclass(frozen=True, eq=False)
class CellsRead:
    """A frame of numbers and text, and how its columns write numbers and missing cells."""

    frame: Frame
    forms: Mapping[str, NumberForm] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)  # of missing cells
    notes: tuple[str, ...] = ()
    delimiter: str = ","


@dataclass(frozen=True, eq=False)
class _ColumnRead:
    cells: Series
    form: NumberForm | None = None
    word: str = ""  # of missing cells
    nothing: str = ""  # the same, where nobody has said so
    example: str = ""  # a cell and what it is read as


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Text cells of a column that are all numbers, but for a word for missing ones."""

    written: Written
    word: str


def of_text(frame: Frame, options: CellOptions) -> CellsRead:
    """Read a frame of text cells, as delimited files have them."""
    return _read(frame, options, frozenset(frame.columns))


def of_frame(frame: Frame, options: CellOptions) -> CellsRead:
    """Read a frame of which text stays text, but for numbers that only text can write.

    Whole numbers without a mark, kept as text, are codes.
    """
    return _read(frame, options, frozenset())


def of_objects(frame: Frame, options: CellOptions) -> CellsRead:
    """Read a frame of cells of several types, as workbooks and databases have them."""
    mixed = frozenset(str(n) for n in frame.columns if _kind(frame[n]) in MIXED)
    cells = {str(n): _of_one_type(frame[n]) for n in frame.columns}
    return _read(pandas().DataFrame(cells), options, mixed)


def _read(frame: Frame, options: CellOptions, typed: frozenset[str]) -> CellsRead:
    """Read text columns; `typed` names those in which all that reads as a number is one."""
    columns = {str(n): _without_codes(frame[n], options.codes(str(n))) for n in frame.columns}
    told = [*_said_codes(columns)]
    texts = {n: c for n, c in columns.items() if _may_hold_numbers(n, c.cells, options)}
    found = {n: numbers for n, c in texts.items() if (numbers := _numbers(c.cells)) is not None}
    marks = decimal_marks(numbers.written for numbers in found.values())
    for name, column in texts.items():
        known, is_typed = options.known.get(name), name in typed
        read_column = None
        if name in found:
            evidence = _evidence(options, marks, known)
            read_column = _as_numbers(column, found[name], evidence, typed=is_typed)
            if options.chosen.get(name, "") in AS_TEXT and not _are_plain(read_column):
                read_column = None
        columns[name] = read_column or _left_as_text(column, known, typed=is_typed)
    told += [*_said_numbers(columns), *_said_words(columns), *_said_text(columns)]
    return CellsRead(
        pandas().DataFrame({name: column.cells for name, column in columns.items()}),
        {name: column.form for name, column in columns.items() if column.form is not None},
        {name: column.word for name, column in columns.items() if column.word},
        tuple(told),
        options.delimiter,
    )


def _may_hold_numbers(name: str, cells: Series, options: CellOptions) -> bool:
    """Tell whether cells are text that is not known of a run to be no numbers."""
    known = options.known.get(name)
    may_be = known is None or known.is_number or known.label_dtype != "text"
    return _is_text(cells) and may_be


def _are_plain(column: _ColumnRead | None) -> bool:
    """Tell whether cells are numbers as Python writes them, and none is a word for nothing."""
    if column is None or column.nothing:
        return False
    return column.form is None or _is_of_python(column.form)


def _evidence(options: CellOptions, marks: set[str], known: Column | None) -> Evidence:
    """Return what is known of a column's marks beside its own cells."""
    if options.decimal != AS_WRITTEN or options.thousands != AS_WRITTEN:
        return Evidence(options.decimal, options.thousands, told=True)
    if known and known.is_number:
        return Evidence((known.form or PLAIN).decimal)
    decimal = next(iter(marks)) if len(marks) == 1 else AS_WRITTEN
    return Evidence(decimal, delimiter=options.delimiter)


def _numbers(cells: Series) -> _Numbers | None:
    """Return text cells that are all numbers, but for words for nothing; None if they are not."""
    present = cells.dropna()
    if not len(present) or not all(map(_may_be_number, present.iloc[:PREVIEWED])):
        return None
    if (written := taken_apart(present)) is not None:
        return _Numbers(written, "")
    words = present.str.strip().str.lower().isin(WORDS)
    rest = present[~words]
    if not 0 < words.sum() <= MAX_WORD_SHARE * len(present) or rest.nunique() < 2:
        return None
    written = taken_apart(rest)
    if written is None:
        return None
    return _Numbers(written, str(present[words].str.strip().mode()[0]))


def _may_be_number(cell: str) -> bool:
    return cell.strip().lower() in WORDS or PARTS.fullmatch(cell.strip()) is not None


def _as_numbers(
    column: _ColumnRead, numbers: _Numbers, evidence: Evidence, *, typed: bool
) -> _ColumnRead | None:
    """Return a column of numbers; None where its cells are to stay text."""
    if (found := read(numbers.written, evidence)) is None:
        return None
    values, form = found
    is_plain = replace(form, places=0) == PLAIN
    is_whole = is_plain and values.dtype.kind in "iu"
    if is_whole and not typed:
        return None
    kept_as = "" if typed else str(column.cells.dtype)
    return replace(
        column,
        cells=_spread(values, column.cells),
        form=None if is_whole else replace(form, dtype=kept_as),
        word=numbers.word or column.word,
        nothing=numbers.word,
        example="" if _is_of_python(form) else _example(numbers.written.cells, values),
    )


def _is_of_python(form: NumberForm) -> bool:
    """Tell whether Python reads numbers of a form, but for a sign."""
    marks = (form.decimal, form.thousands, form.positive, form.negative)
    return marks == (".", "", "{}", "-{}")


def _spread(values: Series, cells: Series) -> Series:
    """Return numbers in their places among cells, of which the others are missing."""
    if len(values) < len(cells) and values.dtype.kind in "iu":
        values = values.astype("Int64" if values.dtype.kind == "i" else "UInt64")
    return values.reindex(cells.index) if len(values) < len(cells) else values


def _left_as_text(column: _ColumnRead, known: Column | None, *, typed: bool) -> _ColumnRead:
    """Return a column whose cells are not all numbers; those become so that a run has."""
    cells = column.cells
    if known and known.kind in ("integer", "real"):
        values = read_as(cells, known.form or PLAIN)
        cells = values.astype(object).where(values.notna(), cells)
        words = cells.map(lambda cell: isinstance(cell, str) and cell.strip().lower() in WORDS)
        return replace(column, cells=cells.mask(words.astype(bool)))
    empty = typed and not cells.notna().any()
    return replace(column, cells=cells.astype(np.float64) if empty else cells)


def _without_codes(cells: Series, codes: tuple[str, ...]) -> _ColumnRead:
    """Return cells without those that are said to be missing, and the commonest of these."""
    if not codes:
        return _ColumnRead(cells)
    numbers = {*map(_number, codes)} - {None}
    try:
        places, unique = pandas().factorize(cells)
    except TypeError:  # lists and the like, told of later
        return _ColumnRead(cells)
    labels = [text.strip() for text in label_texts(unique)]
    is_code = [label in codes or _number(label) in numbers for label in labels]
    hit = np.array([*is_code, False])[places]
    if not hit.any():
        return _ColumnRead(cells)
    word = labels[int(np.bincount(places[hit]).argmax())]
    if isinstance(cells.dtype, pandas().CategoricalDtype):
        coded = [u for u, is_hit in zip(unique, is_code, strict=True) if is_hit]
        return _ColumnRead(cells.cat.remove_categories(coded), word=word)
    whole = cells.dtype.kind in "iu" and isinstance(cells.dtype, np.dtype)
    return _ColumnRead((cells.astype("Int64") if whole else cells).mask(hit), word=word)


def _number(text: str) -> float | None:
    """Return the number that a text is; None if it is none, or NaN."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if np.isnan(number) else number


def _is_text(cells: Series) -> bool:
    categorical = isinstance(cells.dtype, pandas().CategoricalDtype)
    return not categorical and _kind(cells) in ("string", "empty") and cells.dtype.kind == "O"


def _kind(cells: Series) -> str:
    return str(pandas().api.types.infer_dtype(cells, skipna=True))


def _of_one_type(cells: Series) -> Series:
    """Return cells of objects in the type that they all have."""
    match _kind(cells):
        case "integer":
            return cells.astype("Int64" if cells.isna().any() else "int64")
        case "floating" | "mixed-integer-float" | "empty":
            return cells.astype(np.float64)
        case "boolean":
            return cells.astype("boolean" if cells.isna().any() else "bool")
        case "datetime" | "datetime64":
            return pandas().to_datetime(cells)
        case "string":
            return cells.astype("str")
        case kind if kind in MIXED:
            return cells.map(_as_text, na_action="ignore").astype("str")
        case _:
            return cells


def _as_text(cell: Any) -> str:
    """Return a cell as a delimited file would have it."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat(*[" "] * hasattr(cell, "hour") * hasattr(cell, "year")))
    return str(cell)


def _example(cells: Series, values: Series) -> str:
    longest = cells.str.len().idxmax()
    return f"'{cells[longest]}' is {values[longest]:.15g}"


def _said_numbers(columns: Mapping[str, _ColumnRead]) -> Iterator[str]:
    """Say how numbers that Python would write otherwise are read, columns of one form together."""
    names = defaultdict(list)
    examples: dict[NumberForm, str] = {}
    for name, column in columns.items():
        if column.example and column.form:
            form = replace(column.form, places=0, grouped_from=4, indian=False)
            names[form].append(name)
            examples.setdefault(form, column.example)
    for form, of_form in names.items():
        yield f"numbers of {_quoted(of_form)}: {examples[form]}"


def _said_words(columns: Mapping[str, _ColumnRead]) -> Iterator[str]:
    names = defaultdict(list)
    for name, column in columns.items():
        if column.nothing:
            names[column.nothing].append(name)
    for word, of_word in names.items():
        yield f"'{word}' counts as missing among the numbers of {_quoted(of_word)}"


def _said_codes(columns: Mapping[str, _ColumnRead]) -> Iterator[str]:
    if coded := [name for name, column in columns.items() if column.word]:
        yield f"cells that are missing as told: in {_quoted(coded)}"


def _said_text(columns: Mapping[str, _ColumnRead]) -> Iterator[str]:
    """Say which text may be meant for nothing, and how to say so."""
    names = defaultdict(list)
    for name, column in columns.items():
        if _is_text(column.cells):
            for word in column.cells.dropna().drop_duplicates().head(MAX_DISTINCT):
                if word.strip().lower() in WORDS and word.isascii():
                    names[word].append(name)
    for word, of_word in names.items():
        yield f"'{word}' stays text in {_quoted(of_word)}; if it means missing: --missing '{word}'"


def _quoted(names: list[str]) -> str:
    return listed([f"'{name}'" for name in names])
