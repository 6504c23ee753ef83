"""Tables of several sources, encoded by the quantiles and categories of all their rows.

What a column is, the first table says; what its cells may be, all of them. Cells that cannot be
read as that count as missing. Equal rows are encoded alike, so that repeats are found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.dataset import Dataset, no_progress, whole
from sparring.data.pack import Progress
from sparring.data.split import stated
from sparring.errors import SparringError, listed
from sparring.kinds.tables.columns import (
    Frame,
    Series,
    exact,
    instants,
    pandas,
    plain_numbers,
    read_cells,
)
from sparring.kinds.tables.given import MAX_ODD_SHARE, labelled, unreadable
from sparring.kinds.tables.options import NAMED_SETS, TableOptions
from sparring.kinds.tables.reader import apart, digests, load
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.kinds.tables.types import infer
from sparring.kinds.tables.typing_file import is_there, typing_of

LEFT_OUT = ("identifier", "text")  # kinds of columns in which two tables cannot be compared


@dataclass(frozen=True, eq=False)
class _Table:
    """A table that is compared with others."""

    name: str
    frame: Frame
    groups: NDArray[np.int64] | None  # of rows that belong together
    notes: tuple[str, ...]


def open_together(
    sources: Sequence[Any],
    options: TableOptions,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
) -> list[Dataset]:
    """Read the columns of the first table that hold numbers, dates or categories from all.

    Raises:
        SparringError: a table lacks such a column, or more than one cell in twenty of it cannot be
            read as what the first table holds there.
    """
    if options.types and not is_there(options):
        raise SparringError(f"'{options.types}' is not there; `sparring data` writes it")
    chosen = typing_of(options).of("type")
    tables = [_table(source, options) for source in sources]
    columns = _compared(tables, chosen)
    progress("columns", 0, 1)
    read = [_as_first(table, columns) for table in tables]
    pool = pandas().concat([frame for frame, _ in read], ignore_index=True)
    spec = TableSpec(infer(pool, {name: _kind(pool[name], of) for name, of in columns.items()}))
    cells = read_cells(pool, spec.columns)
    items = np.hstack([cells, np.full((len(cells), len(spec.number_places)), 0.5)])
    hashes = digests(pool, spec.columns)
    progress("columns", 1, 1)
    ends = np.cumsum([len(table.frame) for table in tables])[:-1]
    places = np.split(np.arange(len(pool)), ends)
    originals = exact(pool, spec.columns)
    datasets = []
    for table, (_, notes), at in zip(tables, read, places, strict=True):
        told = [*notes, *_unused(table, columns)]
        data = whole(table.name, spec, items[at], hashes[at], told, table.groups)
        datasets.append(replace(data, originals=originals.iloc[at].reset_index(drop=True)))
    return datasets


def _table(source: Any, options: TableOptions) -> _Table:
    """Read a table; a column that says which rows belong together is taken off."""
    name, table = load(source, options)
    frame, owners, notes = apart(table.frame, options.groups, f"'{name}'", given=True)
    groups = None if owners is None else stated(owners)
    return _Table(name, frame, groups, (*table.notes, *notes))


def _compared(tables: Sequence[_Table], chosen: Mapping[str, str]) -> dict[str, Column]:
    """Return the columns of the first table in which all are compared; refuse a missing one."""
    first = tables[0].frame
    inferred = [_itself(first, column, tables) for column in infer(first, chosen)]
    columns = {c.name: c for c in inferred if c is not None and c.kind not in LEFT_OUT}
    for other in tables[1:]:
        if absent := [repr(name) for name in columns if name not in other.frame.columns]:
            raise SparringError(
                f"'{other.name}' has no column {listed(absent)}, which '{tables[0].name}' has"
            )
    return columns


def _itself(first: Frame, column: Column, tables: Sequence[_Table]) -> Column | None:
    """Return what a column is by itself; None where it repeats another one in all tables."""
    if column.kind != "duplicate-of":
        return column
    names = [column.source, column.name]
    frames = [table.frame[names] for table in tables if {*names} <= {*table.frame.columns}]
    if all(frame[column.source].equals(frame[column.name]) for frame in frames):
        return None
    return infer(first[[column.name]])[0]


def _as_first(table: _Table, columns: Mapping[str, Column]) -> tuple[Frame, list[str]]:
    """Return cells in the form of the first table's columns, and notes on those that are missing.

    Raises:
        SparringError: more than one in twenty of a column is unreadable.
    """
    cells, notes = {}, [*table.notes]
    for name, column in columns.items():
        series = table.frame[name]
        if column.kind not in ("integer", "real", "datetime"):
            cells[name] = labelled(series, column)
            continue
        odd = _odd(series, column)
        if odd.any():
            found = listed(series[odd].unique().astype(str).tolist())
            words = f"column '{name}' of '{table.name}' holds {found}"
            if odd.mean() > MAX_ODD_SHARE:
                raise SparringError(f"{words}, where the other table has {column.kind} cells")
            notes.append(f"{words}: {int(odd.sum()):,} such cells count as missing")
        cells[name] = _numbers(series, column, odd)
    return pandas().DataFrame(cells), notes


def _odd(series: Series, column: Column) -> Any:
    """Tell which cells are not missing and cannot be read; whole numbers may have fractions."""
    of = replace(column, kind="real") if column.kind == "integer" else column
    return unreadable(series, of) & series.notna().to_numpy()


def _numbers(series: Series, column: Column, odd: Any) -> Series:
    """Return numbers or dates, those that are odd missing."""
    if column.kind != "datetime":
        return pandas().Series(np.where(odd, np.nan, plain_numbers(series)))
    moments, absent = instants(series, column)
    dates = moments.astype("datetime64[us]")
    dates[absent | odd] = np.datetime64("NaT")
    return pandas().Series(dates)


def _kind(pooled: Series, column: Column) -> str:
    """Return the kind of a column of all rows."""
    present = pooled.dropna()
    if not len(present):
        return "empty"
    if column.kind in ("integer", "real"):
        return "integer" if (present == np.floor(present)).all() else "real"
    if column.kind == "datetime":
        return "datetime"
    return "category" if present.nunique() > 1 else "constant"


def _unused(table: _Table, columns: Mapping[str, Column]) -> Iterator[str]:
    """Say in which of its columns a table is not compared."""
    if unused := [repr(name) for name in table.frame.columns if name not in columns]:
        yield f"not compared: {listed(unused)}"
