"""Lines of text from files, with what is wrong named by line: UTF-8, columns of CSV, keys of JSON.

Inside: which part of which file is meant, and reading it. Not inside: which lines are used, and
their symbols (`reader`).

A source is `FILE.txt`, one text a line; `FILE.csv:column` or `FILE.csv:column:label`;
`FILE.jsonl:key` or `FILE.jsonl:key:label`; or a folder of .txt files, each a class.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparring.data.pack import Skipped
from sparring.data.sources import HALF_CHARACTER
from sparring.errors import SparringError, nearest

PLAIN = (".txt", ".text", ".lst")
TABULAR = (".csv", ".tsv")
LINED = (".jsonl", ".ndjson")
LISTED_KEY = "text"  # of texts of a list, where it is kept
MAX_FILE_BYTES = 2**31  # bytes of a file


@dataclass(frozen=True)
class TextSource:
    """What is meant: a file, and of a structured one the names of text, label and group."""

    path: Path
    column: str = ""
    label: str = ""
    group: str = ""


@dataclass(frozen=True)
class TextRecords:
    """Texts in their order, their labels and groups if there are any, and what was left out."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    skipped: tuple[Skipped, ...]
    groups: tuple[str, ...] | None = None  # "" where one is not known


def parse_source(source: str | Path) -> TextSource | None:
    """Return which part of which text file a source names; None if it is not text."""
    text = str(source)
    path = Path(text)
    if path.suffix.lower() in PLAIN:
        return TextSource(path)
    pieces = text.split(":")
    for count in (1, 2):
        head = ":".join(pieces[:-count])
        if Path(head).suffix.lower() in (*TABULAR, *LINED):
            column, label, *_ = (*pieces[-count:], "")
            return TextSource(Path(head), column, label)
    if path.suffix.lower() in LINED:
        return TextSource(path)
    return TextSource(path) if path.is_dir() and _only_texts(path) else None


def read_texts(source: TextSource) -> TextRecords:
    """Read the texts of a file or of a folder of files.

    Raises:
        SparringError: there is no such file, column or key.
    """
    try:
        if source.path.is_dir():
            return _of_folder(source.path)
        if source.path.stat().st_size > MAX_FILE_BYTES:
            raise SparringError(
                f"'{source.path}' is larger than {MAX_FILE_BYTES >> 30} GB; give a part"
            )
        match source.path.suffix.lower():
            case suffix if suffix in TABULAR:
                return _of_table(source, "\t" if suffix == ".tsv" else ",")
            case suffix if suffix in LINED:
                return _of_objects(source)
        return TextRecords(*_plain(source.path))
    except OSError as error:
        raise SparringError(f"cannot read '{source.path}': {error.strerror or error}") from error


def listed_texts(texts: Sequence[Any]) -> TextRecords:
    """Return the texts of a list; what cannot be written or read is left out.

    Raises:
        SparringError: it holds other things than texts.
    """
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise SparringError(
                f"number {number} of the list is of type {type(text).__name__}; expected only texts"
            )
    reasons = {n: reason for n, text in enumerate(texts) if (reason := _why_unusable(text))}
    return TextRecords(
        tuple(text for n, text in enumerate(texts) if n not in reasons),
        None,
        tuple(Skipped(f"text {n + 1}", reason) for n, reason in reasons.items()),
    )


def write_listed(texts: Sequence[str], path: Path) -> None:
    """Write the texts of a list as JSON lines, which give back every character."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for text in texts:
            escaped = HALF_CHARACTER.search(text) is not None
            file.write(json.dumps({LISTED_KEY: text}, ensure_ascii=escaped) + "\n")


def _why_unusable(text: str) -> str:
    """Return why a text is left out; empty where it is not."""
    if "\0" in text:
        return "holds a NUL character"
    return "holds half a character" if HALF_CHARACTER.search(text) else ""


def _plain(path: Path) -> tuple[tuple[str, ...], None, tuple[Skipped, ...]]:
    texts, skipped = [], []
    for number, line in _decoded(path):
        if isinstance(line, Skipped):
            skipped.append(line)
        elif "\0" in line:
            skipped.append(Skipped(_line(path, number), "holds a NUL character"))
        else:
            texts.append(line)
    return tuple(texts), None, tuple(skipped)


def _decoded(path: Path) -> Iterator[tuple[int, str | Skipped]]:
    """Yield each line without its end, numbered from 1; a byte-order mark is left out."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            try:
                yield number, line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                why = f"not UTF-8: byte 0x{byte:02x} at {error.start + 1}"
                yield number, Skipped(_line(path, number), why)


def _only_texts(folder: Path) -> bool:
    """Tell whether a folder holds .txt files and nothing else that can be seen."""
    visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return bool(visible) and all(p.suffix.lower() in PLAIN and p.is_file() for p in visible)


def _classes(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in PLAIN)
    return sorted(found, key=lambda path: path.name)  # paths of Windows sort A and a alike


def _of_folder(folder: Path) -> TextRecords:
    """Read each file of a folder as a class; one file alone is not a class."""
    files = _classes(folder)
    contents = [_plain(path) for path in files]
    texts = tuple(text for content in contents for text in content[0])
    skipped = tuple(line for content in contents for line in content[2])
    labels = tuple(p.stem for p, content in zip(files, contents, strict=True) for _ in content[0])
    return TextRecords(texts, labels if len(files) > 1 else None, skipped)


def _of_table(source: TextSource, delimiter: str) -> TextRecords:
    rows, skipped = [], []
    try:
        with source.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            _need(source, reader.fieldnames or ())
            rows = list(reader)
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x}"
        raise SparringError(
            f"'{source.path}' is not UTF-8 (byte {byte}); save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise SparringError(f"'{source.path}' is not a proper CSV file: {error}") from None
    texts, labels, groups = [], [], []
    for number, row in enumerate(rows, 2):
        text, label = row.get(source.column), row.get(source.label) if source.label else ""
        if text is None or "\0" in text or label is None:
            skipped.append(Skipped(_line(source.path, number), f"no text in '{source.column}'"))
        else:
            texts.append(text)
            labels.append(label)
            groups.append(row.get(source.group) or "")
    return TextRecords(
        tuple(texts),
        tuple(labels) if source.label else None,
        tuple(skipped),
        tuple(groups) if any(groups) else None,
    )


def _of_objects(source: TextSource) -> TextRecords:
    if not source.column:
        raise SparringError(f"which key of '{source.path}' is the text? write {source.path}:key")
    texts, labels, groups, skipped = [], [], [], []
    keys: set[str] = set()
    for number, line in _decoded(source.path):
        entry = line if isinstance(line, Skipped) else _entry(line)
        if isinstance(entry, Skipped):
            skipped.append(entry)
            continue
        keys |= set(entry)
        if why := _why_no_text(entry, source.column):
            skipped.append(Skipped(_line(source.path, number), why))
        else:
            texts.append(entry[source.column])
            labels.append(str(entry.get(source.label, "")))
            groups.append(str(entry.get(source.group, "")))
    if not texts:
        _need(source, sorted(keys))
    return TextRecords(
        tuple(texts),
        tuple(labels) if source.label else None,
        tuple(skipped),
        tuple(groups) if any(groups) else None,
    )


def _why_no_text(entry: dict[str, Any], key: str) -> str:
    """Return why an object's text is left out; empty where it is not."""
    text = entry.get(key)
    if isinstance(text, str):
        return _why_unusable(text)
    return f"no text under '{key}'" if entry else "not a JSON object"


def _entry(line: str) -> dict[str, Any]:
    """Return the object of a line; empty where it is not an object."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _need(source: TextSource, names: Any) -> None:
    for name in (source.column, source.label):
        if name and name not in names:
            available = ", ".join(map(str, names)) or "nothing"
            raise SparringError(
                f"'{source.path}' has no '{name}'{nearest(name, names)}; it has {available[:200]}"
            )


def _line(path: Path, number: int) -> str:
    return f"{path.name}, line {number}"
