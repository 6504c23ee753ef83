"""Lines of text from files, with what is wrong named by line: UTF-8, columns of CSV, keys of JSON.

Inside: which part of which file is meant, and reading it. Not inside: which lines are used, and
their symbols (`texts`).

A source is `FILE.txt`, one text a line; `FILE.csv:column` or `FILE.csv:column:label`;
`FILE.jsonl:key` or `FILE.jsonl:key:label`; or a folder of .txt files, each a class.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparring.data.pack import Skipped
from sparring.errors import SparringError, nearest

PLAIN = (".txt", ".text", ".lst")
TABULAR = (".csv", ".tsv")
LINED = (".jsonl", ".ndjson")
LARGEST = 2**31  # bytes of a file


@dataclass(frozen=True)
class Part:
    """What is meant: a file, and of a structured one the names of the text and of its label."""

    path: Path
    column: str = ""
    label: str = ""


@dataclass(frozen=True)
class Lines:
    """Texts in their order, their labels if there are any, and what was left out."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    skipped: tuple[Skipped, ...]


def part_of(source: str | Path) -> Part | None:
    """Return which part of which text file a source names; None if it is no text."""
    text = str(source)
    path = Path(text)
    if path.suffix.lower() in PLAIN:
        return Part(path)
    pieces = text.split(":")
    for count in (1, 2):
        head = ":".join(pieces[:-count])
        if Path(head).suffix.lower() in (*TABULAR, *LINED):
            column, label, *_ = (*pieces[-count:], "")
            return Part(Path(head), column, label)
    if path.suffix.lower() in LINED:
        return Part(path)
    return Part(path) if path.is_dir() and _only_texts(path) else None


def read_lines(part: Part) -> Lines:
    """Read the texts of a file or of a folder of files.

    Raises:
        SparringError: there is no such file, column or key.
    """
    try:
        if part.path.is_dir():
            return _of_folder(part.path)
        if part.path.stat().st_size > LARGEST:
            raise SparringError(f"'{part.path}' is larger than {LARGEST >> 30} GB; give a part")
        match part.path.suffix.lower():
            case suffix if suffix in TABULAR:
                return _of_table(part, "\t" if suffix == ".tsv" else ",")
            case suffix if suffix in LINED:
                return _of_objects(part)
        return Lines(*_plain(part.path))
    except OSError as error:
        raise SparringError(f"cannot read '{part.path}': {error.strerror or error}") from error


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
    """Yield each line without its end, numbered from 1; a byte-order mark is no part of it."""
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
    shown = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return bool(shown) and all(p.suffix.lower() in PLAIN and p.is_file() for p in shown)


def _classes(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PLAIN)


def _of_folder(folder: Path) -> Lines:
    """Read each file of a folder as a class; one alone is none."""
    files = _classes(folder)
    read = [_plain(path) for path in files]
    texts = tuple(text for part in read for text in part[0])
    skipped = tuple(one for part in read for one in part[2])
    labels = tuple(p.stem for p, part in zip(files, read, strict=True) for _ in part[0])
    return Lines(texts, labels if len(files) > 1 else None, skipped)


def _of_table(part: Part, delimiter: str) -> Lines:
    rows, skipped = [], []
    try:
        with part.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            _need(part, reader.fieldnames or ())
            rows = list(reader)
    except UnicodeDecodeError as error:
        raise SparringError(
            f"'{part.path}' is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise SparringError(f"'{part.path}' is no proper CSV: {error}") from None
    texts, labels = [], []
    for number, row in enumerate(rows, 2):
        text, label = row.get(part.column), row.get(part.label) if part.label else ""
        if text is None or "\0" in text or label is None:
            skipped.append(Skipped(_line(part.path, number), f"no text in '{part.column}'"))
        else:
            texts.append(text)
            labels.append(label)
    return Lines(tuple(texts), tuple(labels) if part.label else None, tuple(skipped))


def _of_objects(part: Part) -> Lines:
    if not part.column:
        raise SparringError(f"which key of '{part.path}' is the text? write {part.path}:key")
    texts, labels, skipped = [], [], []
    seen: set[str] = set()
    for number, line in _decoded(part.path):
        entry = line if isinstance(line, Skipped) else _entry(line)
        if isinstance(entry, Skipped):
            skipped.append(entry)
            continue
        text = entry.get(part.column)
        seen |= set(entry)
        if isinstance(text, str) and "\0" not in text:
            texts.append(text)
            labels.append(str(entry.get(part.label, "")))
        else:
            why = f"no text under '{part.column}'" if entry else "no JSON object"
            skipped.append(Skipped(_line(part.path, number), why))
    if not texts:
        _need(part, sorted(seen))
    return Lines(tuple(texts), tuple(labels) if part.label else None, tuple(skipped))


def _entry(line: str) -> dict[str, Any]:
    """Return the object of a line; empty where it is none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _need(part: Part, names: Any) -> None:
    for name in (part.column, part.label):
        if name and name not in names:
            told = ", ".join(map(str, names)) or "nothing"
            raise SparringError(
                f"'{part.path}' has no '{name}'{nearest(name, names)}; it has {told[:200]}"
            )


def _line(path: Path, number: int) -> str:
    return f"{path.name}, line {number}"
