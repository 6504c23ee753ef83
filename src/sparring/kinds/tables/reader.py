"""Tables as data: rows to encoded items with a split.

Items of a table are encoded already: the float32 array (n, d) of `columns.encode`, since networks
see nothing else and a data frame is not an array.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data import sources, split
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.pack import LoadedItems, Progress
from sparring.errors import SparringError
from sparring.kinds.tables import frames
from sparring.kinds.tables.columns import Frame, encode
from sparring.kinds.tables.files import parse_csv, read_table
from sparring.kinds.tables.given import GivenRows, match_rows
from sparring.kinds.tables.named import named_table
from sparring.kinds.tables.options import NAMED_SETS, SUFFIXES, TableOptions
from sparring.kinds.tables.spec import COLUMN_KINDS, Column, TableSpec
from sparring.kinds.tables.types import infer


def recognises(source: Any, others: frozenset[str] = frozenset()) -> bool:
    """Tell whether a source is a data frame, a named table or a file of one."""
    if not isinstance(source, str | Path):
        return frames.is_frame(source)
    return source in NAMED_SETS or Path(source).suffix.lower() in SUFFIXES


def keep(source: Any, options: TableOptions, folder: Path) -> str:
    """Return where a resume finds the source again; a data frame is written down."""
    if not frames.is_frame(source):
        return sources.keep(source, folder, NAMED_SETS)
    copy = folder / "data.feather"
    frame, _ = frames.plain(source, chosen_types(options.column))
    frames.keep(frame, copy)
    return str(copy.resolve())


def open_data(
    source: str | Path | Frame,
    options: TableOptions,
    *,
    spec: TableSpec | None = None,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
) -> Dataset:
    """Read rows from a CSV, TSV or parquet file, a named set or a data frame.

    With a spec, columns are found by their names, in any order, and encoded by its quantiles and
    categories; see `given`.

    Raises:
        SparringError: the source is not a table, or a column is not what it was said to be, or what
            a given spec says.
    """
    chosen = chosen_types(options.column)
    name, frame, notes = _load(source, chosen)
    progress("columns", 0, 1)
    if spec:
        origin = f"'{source}'" if isinstance(source, str | Path) else "the data frame"
        rows = match_rows(frame, spec, origin)
    else:
        spec = TableSpec(infer(frame, chosen))
        rows = GivenRows(frame, frame, (), tuple(map(_describe, spec.columns)))
    progress("columns", 1, 1)
    hashes = _digests(rows.frame, spec)
    divided = split.divide(hashes, options.held_out, None)
    if repeated := split.duplicates(hashes):
        notes = (*notes, f"{repeated:,} of {len(hashes):,} rows repeat an earlier one exactly")
    notes = (*notes, *divided.notes, *rows.notes)
    loaded = LoadedItems(encode(rows.coded, spec.columns), skipped=rows.skipped)
    return to_dataset(name, spec, loaded, divided, hashes, notes)


def decided(options: TableOptions, spec: TableSpec) -> TableOptions:
    """Return the options: columns of which no type is chosen are what their cells say."""
    return options


def chosen_types(texts: tuple[str, ...]) -> dict[str, str]:
    """Read `name=type`, one for each column whose type is chosen.

    Raises:
        SparringError: a text has no `=`.
    """
    chosen = {}
    for text in texts:
        name, equals, column_kind = text.rpartition("=")
        if not equals:
            raise SparringError(
                f"'{text}' chooses no type for a column; write --column name=type, where the type "
                f"is one of {', '.join(COLUMN_KINDS)}"
            )
        chosen[name] = column_kind
    return chosen


def _load(
    source: str | Path | Frame, chosen: Mapping[str, str]
) -> tuple[str, Frame, tuple[str, ...]]:
    """Return a short name for the source, its rows, and notes."""
    if isinstance(source, str) and source in NAMED_SETS:
        frame, notes = parse_csv(named_table(source), source)
        return source, frame.drop(columns="", errors="ignore"), notes  # "": R's names of rows
    frame, notes = read_table(source)
    if frames.is_frame(source):
        return "frame", *frames.plain(frame, chosen)
    return Path(source).stem, frame, notes


def _describe(column: Column) -> str:
    return f"column '{column.name}': {column.note or column.kind}"


def _digests(frame: Frame, spec: TableSpec) -> NDArray[np.uint8]:
    """Return one hash (n, 16) of each row's learned cells, as a CSV file would have them."""
    names = [column.name for column in spec.learned]
    file = BytesIO()
    frame.to_csv(file, columns=names, index=False, header=False, lineterminator="\x1e")
    lines = file.getvalue().split(b"\x1e")[: len(frame)]
    hashes = b"".join(blake2b(line, digest_size=split.DIGEST_BYTES).digest() for line in lines)
    return np.frombuffer(hashes, np.uint8).reshape(-1, split.DIGEST_BYTES)
