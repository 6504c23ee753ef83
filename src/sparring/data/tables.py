"""Tables as data: rows to encoded items with a split, conditions, and items back to rows.

Items of a table are encoded already: the float32 array (n, d) of `table_columns.encode`, since
networks see nothing else and a data frame is not an array.

A condition reveals some columns of each row, (n, d + c) for c learned columns: the encoded values,
0 where hidden, then 1 for each column that is revealed.
"""

from collections.abc import Mapping
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data import split, table_columns
from sparring.data.dataset import Dataset
from sparring.data.named import TABLES, named_table
from sparring.data.options import DataOptions
from sparring.data.pack import Progress
from sparring.data.table_columns import Frame
from sparring.data.table_files import parse_csv, read
from sparring.data.table_types import infer
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.spec import COLUMN_KINDS, Column, TableSpec

NOTHING, CATEGORY = 0.3, 0.3  # of the rows: what training reveals; of the others, some columns


def open_tables(source: str | Path | Frame, options: DataOptions, progress: Progress) -> Dataset:
    """Read rows from a CSV, TSV or parquet file, a named set or a data frame.

    Raises:
        SparringError: the source is no table, or a column is not what it was said to be.
    """
    name, frame, notes = _rows_of(source)
    progress("columns", 0, 1)
    spec = TableSpec(infer(frame, chosen_types(options.column)))
    progress("columns", 1, 1)
    hashes = _digests(frame, spec)
    divided = split.divide(hashes, options.held_out, None)
    if repeated := split.duplicates(hashes):
        notes = (*notes, f"{repeated:,} of {len(frame):,} rows repeat an earlier one exactly")
    items = table_columns.encode(frame, spec.columns)
    return Dataset(
        name=name,
        spec=spec,
        items=items,
        labels=None,
        train=divided.train,
        held_out=divided.held_out,
        skipped=(),
        notes=(*notes, *divided.notes, *map(_told, spec.columns)),
        fingerprint=split.fingerprint(hashes, items.shape, None, divided),
    )


def frame_of(items: NDArray[np.float32], spec: TableSpec, start: int = 0) -> Frame:
    """Turn items (n, d) into rows; `start` is the first one's number, for identifiers."""
    return table_columns.decode(items, spec.columns, start=start)


def chosen_types(texts: tuple[str, ...]) -> dict[str, str]:
    """Read `name=type`, one for each column whose type is chosen.

    Raises:
        SparringError: a text has no `=`.
    """
    chosen = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals:
            raise SparringError(
                f"'{text}' chooses no type for a column; write --column name=type, where the type "
                f"is one of {', '.join(COLUMN_KINDS)}"
            )
        chosen[name] = kind
    return chosen


class Questions:
    """What each row of a batch is asked by, so that conditions of every kind are learned.

    Of ten rows three reveal nothing. Three reveal one category, drawn evenly over the columns and
    by √count within one, and are themselves drawn anew among the rows that have it: a rare category
    is asked for often enough, and the law of the rest, given it, stays what it is. Four reveal one
    random column, two, three, … with probability ½, ¼, ⅛, …
    """

    def __init__(self, data: Dataset) -> None:
        assert isinstance(data.spec, TableSpec)
        self.spec = data.spec
        places = {column.name: place for place, column in enumerate(data.spec.learned)}
        self.groups = [
            (places[block.column], _Group(data.items[data.train, block.start : block.stop]))
            for block in data.spec.blocks
            if block.kind == "category"
        ]
        self.train = data.train

    def __call__(self, index: NDArray[np.int64], draw: Draw) -> tuple[NDArray[np.int64], Tensor]:
        """Return the rows that take the place of these, and which columns each reveals (n, c)."""
        n, count = len(index), len(self.spec.learned)
        u = draw.uniform("table/revealed", (n, 4)).double()
        order = draw.uniform("table/columns", (n, count)).argsort(1).argsort(1)
        several = (u[:, 0] - NOTHING - CATEGORY) / (1 - NOTHING - CATEGORY)
        wanted = torch.where(several > 0, -several.clamp(min=1e-9).log2().floor(), 0)
        mask = order < wanted[:, None]
        asked = ((u[:, 0] >= NOTHING) & (several <= 0)).numpy()
        chosen = (u[:, 1] * len(self.groups)).long().numpy()
        rows = index.copy()
        for number, (place, group) in enumerate(self.groups):
            these = np.flatnonzero(asked & (chosen == number))
            rows[these] = self.train[group.rows(u[these, 2].numpy(), u[these, 3].numpy())]
            mask[these, place] = True
        return rows, mask


class _Group:
    """Rows by their category, to be drawn from."""

    def __init__(self, one_hot: NDArray[np.float32]) -> None:
        category = one_hot.argmax(1)
        self.sorted = np.argsort(category, kind="stable")
        self.sizes = np.bincount(category, minlength=one_hot.shape[1])
        self.starts = np.cumsum(self.sizes) - self.sizes
        weights = np.sqrt(self.sizes)
        self.edges = np.cumsum(weights / weights.sum())

    def rows(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return for uniform numbers (n,) a category each, and for others a row of it."""
        category = np.searchsorted(self.edges, u).clip(max=len(self.edges) - 1)
        inside = (v * self.sizes[category]).astype(np.int64)
        found: NDArray[np.int64] = self.sorted[self.starts[category] + inside]
        return found


def reveal(items: Tensor, mask: Tensor, spec: TableSpec) -> Tensor:
    """Return the condition (n, d + c) that reveals these columns, (n, c), of rows (n, d)."""
    shown = mask.to(items)
    return torch.cat([items * shown[:, spec.owners], shown], 1)


def condition(spec: TableSpec, revealed: Mapping[str, NDArray[np.float32]], rows: int) -> Tensor:
    """Return the condition (rows, d + c) that reveals encoded values (rows, width) by column."""
    values, mask = torch.zeros(rows, spec.size), torch.zeros(rows, len(spec.learned))
    places = torch.tensor(spec.owners)
    for index, column in enumerate(spec.learned):
        if column.name in revealed:
            mask[:, index] = 1
            values[:, places == index] = torch.from_numpy(revealed[column.name])
    return torch.cat([values, mask], 1)


def describe(spec: TableSpec) -> str:
    """Say how many columns of which types a row has."""
    kinds = [column.kind for column in spec.columns]
    parts = [f"{kinds.count(kind)} {kind}" for kind in COLUMN_KINDS if kind in kinds]
    return f"{len(kinds)} columns: {', '.join(parts)}"


def _rows_of(source: str | Path | Frame) -> tuple[str, Frame, tuple[str, ...]]:
    if isinstance(source, str) and source in TABLES:
        frame, notes = parse_csv(named_table(source), source)
        return source, frame.drop(columns="", errors="ignore"), notes  # "": R's names of rows
    frame, notes = read(source)
    return (Path(source).stem if isinstance(source, str | Path) else "frame"), frame, notes


def _told(column: Column) -> str:
    return f"column '{column.name}': {column.note or column.kind}"


def _digests(frame: Frame, spec: TableSpec) -> NDArray[np.uint8]:
    """Return one hash (n, 16) of each row's learned cells, as a CSV file would have them."""
    names = [column.name for column in spec.learned]
    file = BytesIO()
    frame.to_csv(file, columns=names, index=False, header=False, lineterminator="\x1e")
    lines = file.getvalue().split(b"\x1e")[: len(frame)]
    hashes = b"".join(blake2b(line, digest_size=split.DIGEST_BYTES).digest() for line in lines)
    return np.frombuffer(hashes, np.uint8).reshape(-1, split.DIGEST_BYTES)
