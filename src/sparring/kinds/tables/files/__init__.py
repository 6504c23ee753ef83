"""Tables as files: delimited text, parquet, Feather, workbooks and SQLite to frames and back.

Inside: `read_table`, `write`, and `escape`, which makes cells safe for a spreadsheet. Not: what a
column is (`types`).
"""

import bz2
import gzip
import lzma
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from sparring.data.output import write_file
from sparring.errors import SparringError
from sparring.kinds.tables import frames
from sparring.kinds.tables.columns import Frame, pandas
from sparring.kinds.tables.files import cells, database, workbook
from sparring.kinds.tables.files.cells import CellOptions, CellsRead
from sparring.kinds.tables.files.delimited import SPACE, parse
from sparring.kinds.tables.files.encodings import decoded
from sparring.kinds.tables.number_forms import in_form
from sparring.kinds.tables.options import AS_WRITTEN, DATABASES, DELIMITED, PACKED, WORKBOOKS
from sparring.kinds.tables.spec import Column

FORMULA_START = re.compile(r"[=+\-@\t\r\n]")
PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MIN_ROWS = 2  # of a table
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow")
UNPACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}


def suffix_of(path: str | Path) -> tuple[str, str]:
    """Return the suffix of a table's file, and that of how it is packed."""
    *_, before, last = ("", "", *Path(_file_and_part(path)[0]).suffixes)
    last = last.lower()
    return (before.lower(), last) if last in PACKED else (last, "")


def _file_and_part(source: str | Path) -> tuple[str, str]:
    """Return the file that a source names, and the sheet or table in it."""
    file, colon, part = str(source).rpartition(":")
    several = Path(file).suffix.lower() in (*WORKBOOKS, *DATABASES)
    return (file, part) if colon and several else (str(source), "")


def read_table(
    source: str | Path | Frame,
    options: CellOptions = CellOptions(),
    encoding: str = AS_WRITTEN,
    least: int = MIN_ROWS,
) -> CellsRead:
    """Read a table from a file, see `options.SUFFIXES`, or from a data frame.

    Raises:
        SparringError: it is not a table with a header, rows of equal length and distinct names.
    """
    if isinstance(source, pandas().DataFrame):
        plain, notes = frames.plain(check_table(source, "the data frame", least), options.chosen)
        return _noted(cells.of_frame(plain, options), notes)
    if not isinstance(source, str | Path):
        raise SparringError(f"a table is a file or a data frame; got {type(source).__name__}")
    origin = f"'{source}'"
    file, part = _file_and_part(source)
    suffix, packed = suffix_of(source)
    match suffix:
        case _ if suffix in (*DELIMITED, ".txt"):
            return read_delimited(_bytes(Path(file), packed), origin, options, encoding, least)
        case _ if packed:
            pass
        case _ if suffix in PARQUET:
            return cells.of_frame(_read_parquet(Path(file), least), options)
        case _ if suffix in FEATHER:
            return cells.of_frame(check_table(frames.read(Path(file)), origin, least), options)
        case _ if suffix in WORKBOOKS:
            frame, notes = workbook.read(Path(file), part, origin)
            return _noted(cells.of_objects(check_table(frame, origin, least), options), notes)
        case _ if suffix in DATABASES:
            frame = database.read(Path(file), part, origin)
            return cells.of_objects(check_table(frame, origin, least), options)
    raise SparringError(
        f"'{source}' ends in '{suffix}{packed}'; tables are read from .csv, .tsv, .txt, .dat (also "
        ".gz, .bz2, .xz), .parquet, .feather, .xlsx or .db"
    )


def read_delimited(
    raw: bytes,
    origin: str,
    options: CellOptions = CellOptions(),
    encoding: str = AS_WRITTEN,
    least: int = MIN_ROWS,
) -> CellsRead:
    """Read a table from what a delimited file holds; `origin` is named in errors."""
    text, notes = decoded(raw, encoding, origin)
    parsed = parse(text, origin)
    _check_names(list(parsed.frame.columns), origin)
    delimiter = "," if parsed.delimiter == SPACE else parsed.delimiter
    found = cells.of_text(parsed.frame, replace(options, delimiter=delimiter))
    check_table(found.frame, origin, least)
    return _noted(found, (*notes, *parsed.notes))


def as_written(source: str | Path | Frame) -> Frame | None:
    """Return the cells of a delimited file as it writes them, NaN where empty; None of others."""
    if not isinstance(source, str | Path) or suffix_of(source)[0] not in (*DELIMITED, ".txt"):
        return None
    text, _ = decoded(_bytes(Path(source), suffix_of(source)[1]), AS_WRITTEN, f"'{source}'")
    return parse(text, f"'{source}'").frame


def to_text(frame: Frame, columns: Sequence[Column]) -> Frame:
    """Return rows as a delimited file writes their cells, NaN where empty."""
    written = in_form(frame, columns).to_csv(index=False)
    return pandas().read_csv(
        StringIO(written), dtype=str, keep_default_na=False, na_values=[""], header=0
    )


def write(frame: Frame, path: Path, columns: Sequence[Column] = (), delimiter: str = ",") -> None:
    """Write rows as `.csv`, `.tsv` or `.xlsx`, with unsafe cells escaped, or as `.parquet`.

    Args:
        frame: the rows.
        path: of the file; `.csv.gz` and `.tsv.gz` are packed.
        columns: which say how delimited files write numbers and missing cells.
        delimiter: of `.csv` files.

    Raises:
        SparringError: the suffix is none of these, or a library is not installed.
    """
    match suffix_of(path):
        case (".csv" | ".tsv") as suffix, ("" | ".gz") as packed:
            content = _delimited(frame, columns, "\t" if suffix == ".tsv" else delimiter)
            content = gzip.compress(content, mtime=0) if packed else content
        case ".xlsx", "":
            content = workbook.content(escape(frame, _of_form(columns)))
        case ((".parquet" | ".pq"), ""):
            content = _parquet(frame)
        case suffix, packed:
            raise SparringError(
                f"cannot write rows as '{suffix}{packed}'; use .csv, .csv.gz, .tsv, .xlsx or "
                ".parquet"
            )
    write_file(path, content)


def _delimited(frame: Frame, columns: Sequence[Column], delimiter: str) -> bytes:
    file = BytesIO()
    written = in_form(escape(frame, _of_form(columns)), columns)
    written.to_csv(file, index=False, sep=delimiter, lineterminator="\n")
    return file.getvalue()


def _parquet(frame: Frame) -> bytes:
    file = BytesIO()
    try:
        frame.to_parquet(file, index=False)
    except ImportError as error:
        raise SparringError("parquet files need pyarrow; pip install pyarrow") from error
    return file.getvalue()


def _of_form(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns if column.form]


def escape(frame: Frame, numbers: Collection[str] = ()) -> Frame:
    """Put an apostrophe before text cells and names that a spreadsheet would execute.

    Those start with =, +, -, @, a tab or a line break; numbers stay, as text too, and so do the
    columns named as such.
    """
    escaped = {}
    for name in frame.columns:
        column, dtype = frame[name], frame[name].dtype
        is_number = dtype.kind in "biufcmM" or pandas().api.types.is_numeric_dtype(dtype)
        if not is_number and name not in numbers:
            column = column.astype(object).map(_escaped)
        escaped[name] = column
    return pandas().DataFrame(escaped, index=frame.index).rename(columns=_escaped)


def check_table(frame: Frame, origin: str, least: int = MIN_ROWS) -> Frame:
    """Return a table, or refuse it: enough rows, and names that are text and differ."""
    if strange := [name for name in frame.columns if not isinstance(name, str)]:
        raise SparringError(
            f"{origin} has a column named {strange[0]!r} ({type(strange[0]).__name__}); names are "
            "text: frame.columns = frame.columns.astype(str)"
        )
    _check_names(list(frame.columns), origin)
    if len(frame) < least:
        raise SparringError(f"{origin} holds {len(frame)} rows; expected at least {least}")
    return frame


def _check_names(names: list[str], origin: str) -> None:
    if not names:
        raise SparringError(f"{origin} has no columns; expected at least one")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise SparringError(f"{origin} has {count} columns named '{name}'; names must differ")


def _noted(found: CellsRead, notes: Sequence[str]) -> CellsRead:
    return replace(found, notes=(*notes, *found.notes))


def _bytes(path: Path, packed: str) -> bytes:
    try:
        raw = path.read_bytes()
        return UNPACKED[packed](raw) if packed else raw
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SparringError(f"'{path}' cannot be read: {reason}") from error


def _read_parquet(path: Path, least: int) -> Frame:
    try:
        frame = pandas().read_parquet(path)
    except ImportError as error:
        raise SparringError("parquet files need pyarrow; pip install pyarrow") from error
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise SparringError(f"'{path}' cannot be read as parquet: {reason}") from error
    return check_table(frame, f"'{path}'", least)


def _escaped(cell: Any) -> Any:
    dangerous = (
        isinstance(cell, str) and FORMULA_START.match(cell) and not PLAIN_NUMBER.fullmatch(cell)
    )
    return f"'{cell}" if dangerous else cell
