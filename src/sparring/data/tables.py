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

HIDDEN = 0.2  # of the rows, in which training reveals nothing


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


def reveal(items: Tensor, spec: TableSpec, draw: Draw) -> Tensor:
    """Return a condition (n, d + c) for each row: nothing of some of them, else random columns.

    One column of half of the others, two of a quarter, and so on.
    """
    count = len(spec.learned)
    u = draw.uniform("table/revealed", (len(items),))
    shown = ((u - HIDDEN) / (1 - HIDDEN)).clamp(min=torch.finfo(u.dtype).tiny)
    wanted = torch.where(u < HIDDEN, 0, -shown.log2().floor())  # k or more of 2^(1 − k)
    order = draw.uniform("table/columns", (len(items), count)).argsort(1).argsort(1)
    mask = (order < wanted[:, None]).to(items)
    return torch.cat([items * mask[:, spec.owners], mask], 1)


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
