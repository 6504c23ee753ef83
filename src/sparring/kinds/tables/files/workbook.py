"""Workbooks of Excel, `.xlsx`, by openpyxl: a sheet to a frame of cells and back."""

from io import BytesIO
from pathlib import Path
from typing import Any

from sparring.errors import SparringError, listed
from sparring.kinds.tables.columns import Frame, pandas

NEEDED = 'workbooks of Excel need openpyxl; pip install "sparring[excel]"'


def read(path: Path, sheet: str, origin: str) -> tuple[Frame, tuple[str, ...]]:
    """Return the cells of a sheet, as they are stored, and a note if there are other sheets.

    Args:
        path: of the workbook.
        sheet: its name; "": the first one.
        origin: names it in errors.

    Raises:
        SparringError: it is not a workbook, or has no such sheet.
    """
    library = _openpyxl()
    try:
        book = library.load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise SparringError(f"{origin} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a file that is none raises errors of ZIP, XML and others
        reason = str(error).split("\n")[0]
        raise SparringError(f"{origin} cannot be read as a workbook: {reason}") from error
    names = [s.title for s in book.worksheets]
    if sheet and sheet not in names:
        raise SparringError(f"{origin} has no sheet '{sheet}'; it has {listed(names)}")
    rows = [[*row] for row in book[sheet or names[0]].iter_rows(values_only=True)]
    book.close()
    unread = [f"'{name}'" for name in names if name != (sheet or names[0])]
    note = f"read sheet '{sheet or names[0]}'; others are named as {path.name}:{names[-1]}"
    return _frame(rows, origin), (note,) * bool(unread)


def _frame(rows: list[list[Any]], origin: str) -> Frame:
    """Return rows below the first that names the columns, of which one may have no name."""
    rows = [row for row in rows if any(cell is not None for cell in row)]
    if len(rows) < 2:
        raise SparringError(f"{origin} holds {len(rows)} rows; expected a header and rows")
    width = max(map(len, rows))
    rows = [row + [None] * (width - len(row)) for row in rows]
    used = [n for n in range(width) if any(row[n] is not None for row in rows)]
    named = max(len(used) - 1, min(2, len(used)))
    filled = (sum(cell is not None for cell in row) for row in rows)
    start = next((n for n, count in enumerate(filled) if count >= named), 0)
    names = ["" if rows[start][n] is None else str(rows[start][n]).strip() for n in used]
    cells = [[row[n] for n in used] for row in rows[start + 1 :]]
    return pandas().DataFrame(cells, dtype=object).set_axis(names, axis=1)


def content(frame: Frame) -> bytes:
    """Return a workbook of one sheet with these rows."""
    _openpyxl()
    zoned = [n for n in frame.columns if getattr(frame[n].dtype, "tz", None) is not None]
    frame = frame.assign(**{name: frame[name].astype(str) for name in zoned})
    file = BytesIO()
    frame.to_excel(file, index=False, engine="openpyxl")
    return file.getvalue()


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise SparringError(NEEDED) from error
    return openpyxl
