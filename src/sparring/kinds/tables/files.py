"""Tables as files: `.csv`, `.tsv` and `.parquet` to data frames and back.

Inside: `read_table`, `write`, and `escape`, which makes cells safe for a spreadsheet. Not: what a
column is (`types`).
"""

import csv
import re
from collections import Counter
from io import BytesIO, StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sparring.data.output import write_file
from sparring.errors import SparringError
from sparring.kinds.tables import frames
from sparring.kinds.tables.columns import Frame, Series, pandas

SNIFFED_RECORDS = 50  # records, to find the delimiter
DELIMITERS = ",;\t|"
FORMULA_START = re.compile(r"[=+\-@\t\r\n]")
PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def read_table(source: str | Path | Frame) -> tuple[Frame, tuple[str, ...]]:
    """Read a table from a `.csv`, `.tsv`, `.txt`, `.parquet` or `.feather` file or a data frame.

    Returns it with notes.

    Raises:
        SparringError: it is not a table with a header, rows of equal length and distinct names.
    """
    library = pandas()
    if isinstance(source, library.DataFrame):
        return check_table(source, "the data frame"), ()
    if not isinstance(source, str | Path):
        raise SparringError(f"a table is a file or a data frame; got {type(source).__name__}")
    path = Path(source)
    match path.suffix.lower():
        case ".csv" | ".tsv" | ".txt":
            return parse_csv(_bytes(path), f"'{path}'")
        case ".parquet" | ".pq":
            return _read_parquet(path), ()
        case ".feather" | ".arrow":
            return check_table(frames.read(path), f"'{path}'"), ()
        case other:
            raise SparringError(
                f"'{path}' ends in '{other}'; tables are read from .csv, .tsv, .txt, .parquet or "
                ".feather"
            )


def write(frame: Frame, path: Path) -> None:
    """Write rows as `.csv` or `.tsv`, with unsafe cells escaped, or as `.parquet`.

    Raises:
        SparringError: the suffix is none of these, or parquet's library is not installed.
    """
    file = BytesIO()
    match path.suffix.lower():
        case ".csv" | ".tsv":
            delimiter = "," if path.suffix.lower() == ".csv" else "\t"
            escape(frame).to_csv(file, index=False, sep=delimiter, lineterminator="\n")
        case ".parquet" | ".pq":
            try:
                frame.to_parquet(file, index=False)
            except ImportError as error:
                raise SparringError("parquet files need pyarrow; pip install pyarrow") from error
        case other:
            raise SparringError(f"cannot write rows as '{other}'; use .csv, .tsv or .parquet")
    write_file(path, file.getvalue())


def escape(frame: Frame) -> Frame:
    """Put an apostrophe before text cells and names that a spreadsheet would execute.

    Those start with =, +, -, @, a tab or a line break; numbers stay, as text too.
    """
    escaped = frame.rename(columns=_escaped)
    for name in escaped.columns:
        dtype = escaped[name].dtype
        if dtype.kind not in "biufcmM" and not pandas().api.types.is_numeric_dtype(dtype):
            column = escaped[name].astype(object)
            escaped[name] = column.map(_escaped)
    return escaped


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SparringError(f"'{path}' cannot be read: {error.strerror or error}") from error


def parse_csv(raw: bytes, origin: str) -> tuple[Frame, tuple[str, ...]]:
    """Read a table from what a CSV or TSV file holds, with notes; `origin` is named in errors."""
    text, notes = _text(raw, origin)
    delimiter = _delimiter(text)
    names = _header(origin, text, delimiter)
    frame = pandas().read_csv(
        StringIO(text, newline=""),
        sep=delimiter,
        names=names,
        header=0,
        dtype=str,
        index_col=False,
        skipinitialspace=True,
    )
    if frame.empty:
        raise SparringError(f"{origin} holds a header but no rows; expected at least 2 rows")
    typed = {name: _typed(frame[name]) for name in names}
    return check_table(pandas().DataFrame(typed), origin), notes


def _text(raw: bytes, origin: str) -> tuple[str, tuple[str, ...]]:
    """Return a file's text, and a note if it is not UTF-8."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text, note = raw.decode("utf-16", errors="replace"), "read as UTF-16"
    else:
        try:
            text, note = raw.decode("utf-8-sig"), ""
        except UnicodeDecodeError:
            text, note = raw.decode("cp1252", errors="replace"), "not UTF-8: read as cp1252"
    if not text.strip():
        raise SparringError(f"{origin} is empty; expected a header and rows")
    if "\0" in text:
        raise SparringError(f"{origin} holds NUL bytes; it is not text, expected a CSV file")
    return text, (note,) if note else ()


def _records(text: str, delimiter: str) -> Any:
    """Return a CSV reader, which knows its line number."""
    return csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first records into the most cells, equally many each."""
    best, best_score = ",", (False, 1)
    for delimiter in DELIMITERS:
        try:
            lengths = [len(r) for r in islice(_records(text, delimiter), SNIFFED_RECORDS) if r]
        except csv.Error:
            continue
        score = (len(set(lengths)) == 1 and lengths[0] > 1, lengths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _header(origin: str, text: str, delimiter: str) -> list[str]:
    """Return the names of the columns, once every record is seen to be as long as they are."""
    records = _records(text, delimiter)
    try:
        names = [name.strip() for name in next(record for record in records if record)]
        for record in records:
            if record and len(record) != len(names):
                raise SparringError(
                    f"{origin}, line {records.line_num}: {len(record)} cells, but the header has "
                    f"{len(names)} (delimiter {delimiter!r}); fix the line or quote the cell"
                )
    except csv.Error as error:
        raise SparringError(f"{origin} cannot be read as CSV: {error}") from error
    _check_names(names, origin)
    return names


def _typed(series: Series) -> Series:
    """Return text cells as numbers if all are, and none has a form that numbers would lose."""
    present = series.dropna()
    if not len(present):
        return series.astype(np.float64)
    values = pandas().to_numeric(present, errors="coerce")
    if values.isna().any() or present.str.contains(r"^\s*[+-]?0\d", regex=True).any():
        return series
    if values.dtype.kind == "f":
        lost = present.str.fullmatch(r"[+-]?\d{16,}").any()
        return series if lost else pandas().to_numeric(series).astype(np.float64)
    if values.dtype.kind not in "iu":
        return series
    if len(present) == len(series):
        return values
    return values.astype("Int64" if values.dtype.kind == "i" else "UInt64").reindex(series.index)


def _read_parquet(path: Path) -> Frame:
    try:
        frame = pandas().read_parquet(path)
    except ImportError as error:
        raise SparringError("parquet files need pyarrow; pip install pyarrow") from error
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise SparringError(f"'{path}' cannot be read as parquet: {reason}") from error
    return check_table(frame, f"'{path}'")


def check_table(frame: Frame, origin: str) -> Frame:
    """Return a table, or refuse it: two rows or more, and names that are text and differ."""
    if strange := [name for name in frame.columns if not isinstance(name, str)]:
        raise SparringError(
            f"{origin} has a column named {strange[0]!r} ({type(strange[0]).__name__}); names are "
            "text: frame.columns = frame.columns.astype(str)"
        )
    _check_names(list(frame.columns), origin)
    if len(frame) < 2:
        raise SparringError(f"{origin} holds {len(frame)} rows; expected at least 2")
    return frame


def _check_names(names: list[str], origin: str) -> None:
    if not names:
        raise SparringError(f"{origin} has no columns; expected at least one")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise SparringError(f"{origin} has {count} columns named '{name}'; names must differ")


def _escaped(cell: Any) -> Any:
    dangerous = (
        isinstance(cell, str) and FORMULA_START.match(cell) and not PLAIN_NUMBER.fullmatch(cell)
    )
    return f"'{cell}" if dangerous else cell
