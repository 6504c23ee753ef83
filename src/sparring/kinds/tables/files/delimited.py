"""Delimited text to a frame of text cells: the delimiter, the header, and rows of equal length.

Of cells only empty ones are missing; what cells mean is read elsewhere (`cells`).
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from itertools import chain, islice
from statistics import mode
from typing import Any

from sparring.errors import SparringError
from sparring.kinds.tables.columns import Frame, pandas

SNIFFED_RECORDS = 50  # records, to find the delimiter and the header
DELIMITERS = ";,\t|"
MIN_WIDTH = 4  # columns of a table in which a line of one cell at the end is no row
SPACE = " "  # any number of spaces and tabs
EXCEL_LINE = re.compile(r'"?sep=(.)"?[;,\t]*\r?\n')  # the first, of files for Excel
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NUMBER_OR_NONE = re.compile(rf"{NUMBER.pattern}|NA|NaN|nan|\?|-|\.")


@dataclass(frozen=True, eq=False)
class Delimited:
    """A frame of text cells, and how its file lays them out."""

    frame: Frame
    delimiter: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Layout:
    names: tuple[str, ...]
    lines_above: int = 0  # of the names
    rows: int | None = None  # above the lines at the end that are none
    lines_below: int = 0


def parse(text: str, origin: str) -> Delimited:
    """Read delimited text with a header; `origin` is named in errors.

    Raises:
        SparringError: it is empty, is binary, or has rows of other lengths than the header.
    """
    if not text.strip():
        raise SparringError(f"{origin} is empty; expected a header and rows")
    if "\0" in text:
        raise SparringError(f"{origin} holds NUL bytes; it is not text, expected a CSV file")
    told = EXCEL_LINE.match(text)
    text = text[told.end() :] if told else text
    delimiter = told[1] if told else _delimiter(text)
    text = "\n".join(map(_single_spaced, text.splitlines())) if delimiter == SPACE else text
    layout = _layout(origin, text, delimiter)
    frame = pandas().read_csv(
        StringIO(text, newline=""),
        sep=delimiter,
        names=range(len(layout.names)),
        header=0,
        skiprows=layout.lines_above,
        nrows=layout.rows,
        dtype=str,
        index_col=False,
        skipinitialspace=True,
        keep_default_na=False,
        na_values=[""],
    )
    return Delimited(_named(frame, layout.names), delimiter, tuple(_notes(layout)))


def _notes(layout: _Layout) -> Iterator[str]:
    if count := layout.lines_above:
        yield f"{count:,} line{'s' * (count > 1)} above the names of the columns left out"
    if count := layout.lines_below:
        yield f"{count:,} line{'s' * (count > 1)} below the rows left out"
    numbers = (name for name in layout.names if NUMBER.fullmatch(name) and "." in name)
    if number := next(numbers, ""):
        yield (
            f"the first line is taken for the names of columns, and one is {number}; if it is a "
            "row, write a line of names above it"
        )


def _named(frame: Frame, names: tuple[str, ...]) -> Frame:
    """Return a frame with its names, without columns that have neither a name nor a cell."""
    kept = [n for n in frame.columns if names[n] or frame[n].notna().any()]
    return frame[kept].set_axis([names[n] for n in kept], axis=1)


def _records(text: str, delimiter: str) -> Any:
    """Return a CSV reader, which knows its line number."""
    return csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first records into the most cells, equally many each."""
    best, best_score = ",", (False, False, 1)
    for delimiter in DELIMITERS:
        try:
            lengths = [len(r) for r in islice(_records(text, delimiter), SNIFFED_RECORDS) if r]
        except csv.Error:
            continue
        cells = mode(lengths)
        score = (cells > 1 and len({*lengths}) == 1, cells > 1 and _is_even(lengths), cells)
        if score > best_score:
            best, best_score = delimiter, score
    return SPACE if not best_score[1] and _is_spaced(text) else best


def _is_even(lengths: list[int]) -> bool:
    """Tell whether records are of one length, but for shorter ones above the header."""
    first = lengths.index(mode(lengths))
    above, table = lengths[:first], lengths[first:]
    return len({*table}) == 1 and len(table) > 2 and all(n < table[0] for n in above)


def _is_spaced(text: str) -> bool:
    """Tell whether spaces divide the lines into columns, one of which at least is of numbers."""
    lines = [line for line in map(_single_spaced, text.splitlines()[:SNIFFED_RECORDS]) if line]
    head, *rows = csv.reader(lines, delimiter=SPACE)
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or len(rows[0]) < 2 or len(rows[0]) - len(head) not in (0, 1):
        return False
    columns = zip(*rows, strict=True)
    return any(all(NUMBER_OR_NONE.fullmatch(cell) for cell in cells) for cells in columns)


def _single_spaced(line: str) -> str:
    return re.sub(r"[ \t]+", SPACE, line).strip()


def _layout(origin: str, text: str, delimiter: str) -> _Layout:
    """Return where the names and the rows are, once every row is seen to be as long as they are.

    Shorter records above the names are left out: titles, which bank statements have; at the end,
    those of hardly a cell. A header that is shorter by one, above rows with numbers, has no name
    for those of the rows, as R writes it.
    """
    reader = _records(text, delimiter)
    try:
        first = [(r, reader.line_num) for r in islice(reader, SNIFFED_RECORDS)]
        layout = _of_first([(record, line) for record, line in first if record])
        below = [(r, line) for r, line in first if r and line > layout.lines_above][1:]
        rest = ((record, reader.line_num) for record in reader if record)
        return _with_end(layout, chain(below, rest), origin, delimiter)
    except csv.Error as error:
        raise SparringError(f"{origin} cannot be read as CSV: {error}") from error


def _names(record: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for name in record)


def _of_first(first: list[tuple[list[str], int]]) -> _Layout:
    """Return the layout that the first records show, which have line numbers."""
    lengths = [len(record) for record, _ in first]
    usual, place = mode(lengths), 0
    if lengths[0] == usual - 1 and {*lengths[1:]} == {usual} and _has_number(first[1][0]):
        return _Layout(("", *_names(first[0][0])))
    if lengths[0] < usual and _is_even(lengths):
        place = lengths.index(usual)
    return _Layout(_names(first[place][0]), first[place - 1][1] if place else 0)


def _with_end(
    layout: _Layout, records: Iterable[tuple[list[str], int]], origin: str, delimiter: str
) -> _Layout:
    """Return the layout with the lines at the end that are no rows; refuse uneven rows."""
    width, rows = len(layout.names), 0
    last: list[tuple[list[str], int]] = []
    for record, line in records:
        if width >= MIN_WIDTH and not any(record[1:]):
            last.append((record, line))
            continue
        if uneven := [(r, at) for r, at in [*last, (record, line)] if len(r) != width]:
            raise _uneven(origin, *uneven[0], width, delimiter)
        rows += 1 + len(last)
        last = []
    if not rows:
        raise SparringError(f"{origin} holds a header but no rows; expected at least 2 rows")
    return replace(layout, rows=rows if last else None, lines_below=len(last))


def _has_number(record: list[str]) -> bool:
    return any(map(NUMBER.fullmatch, record))


def _uneven(origin: str, record: list[str], line: int, width: int, delimiter: str) -> SparringError:
    return SparringError(
        f"{origin}, line {line}: {len(record)} cells, but the header has {width} (delimiter "
        f"{delimiter!r}); fix the line or quote the cell"
    )
