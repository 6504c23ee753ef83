"""What a case left in its folder, as one flat mapping from a key to a value that can be compared.

A key is a file's path and the way into the file: `runs/0001-case/run.json:data.name`. Of an HTML
file only what can be read is taken, of a checkpoint every tensor.
"""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from safetensors.numpy import load_file

Value = Any  # a text, a number, None, `Lines`, `Bytes` or an array
Values = Mapping[str, Value]
NAMING = ("event", "key", "name", "column", "metric", "path")  # what an object in a list is told by
UNREAD = ("style", "script", "text")  # tags whose text is not taken; `text` is in charts
TOLD = ("alt", "title", "aria-label")  # attributes that are read
TEXTS = (".txt", ".md", ".csv", ".tsv", ".log")


class Lines(tuple[str, ...]):
    """Lines of text; new ones may stand between those that stay."""


@dataclass(frozen=True)
class Bytes:
    """A file that is only compared as a whole."""

    size: int
    digest: str


def read_folder(folder: Path, shared: Path) -> dict[str, Value]:
    """Return everything below a folder; its own place, and that of shared data, is left out."""
    places = {
        form(str(place.resolve())): word
        for place, word in ((folder, "<case>"), (shared, "<data>"))
        for form in (str, _in_markdown)
    }
    found: dict[str, Value] = {}
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        for way, value in _read(path):
            found[f"{name}:{way}" if way else name] = _placeless(value, places)
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, but neither hidden ones nor what a link leads to."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _read(path: Path) -> Iterator[tuple[str, Value]]:
    match path.suffix.lower():
        case ".safetensors":
            yield from load_file(path).items()
        case ".json":
            yield from _flat("", json.loads(path.read_text(encoding="utf-8")))
        case ".jsonl":
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from _flat("", [json.loads(line) for line in lines])
        case ".toml":
            yield from _flat("", tomllib.loads(path.read_text(encoding="utf-8")))
        case ".npy":
            yield "", np.load(path, allow_pickle=False)
        case ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                yield from arrays.items()
        case ".wav":  # of floats, it tells when it was written
            with soundfile.SoundFile(path) as sound:
                yield "form", f"{sound.subtype}, {sound.samplerate} Hz"
                yield "samples", sound.read(dtype="float64")
        case ".html":
            yield "", Lines(_visible(path.read_text(encoding="utf-8")))
        case suffix if suffix in TEXTS or not suffix:
            yield "", Lines(path.read_bytes().decode("utf-8", "replace").splitlines())
        case _:
            content = path.read_bytes()
            yield "", Bytes(len(content), hashlib.sha256(content).hexdigest()[:12])


def _flat(way: str, value: Any) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{way}.{key}" if way else str(key), inner)
    elif isinstance(value, list) and value:
        yield from _flat_list(way, value)
    else:
        yield way, value


def _flat_list(way: str, values: list[Any]) -> Iterator[tuple[str, Value]]:
    if all(isinstance(value, str) for value in values):
        yield way, Lines(values)
    elif all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        yield way, np.asarray(values, np.float64)
    elif all(
        isinstance(value, list) and all(isinstance(v, str) for v in value) for value in values
    ):
        yield way, Lines("  ".join(value) for value in values)
    else:
        for name, value in zip(_named(values), values, strict=True):
            yield from _flat(f"{way}[{name}]", value)


def _named(values: list[Any]) -> list[str]:
    """Name the entries of a list by what they are called, so that a new one moves no other."""
    seen: Counter[str] = Counter()
    names = []
    for i, value in enumerate(values):
        own = [str(value[key]) for key in NAMING if key in value] if isinstance(value, dict) else []
        name = own[0] if own else ""
        names.append(f"{name}#{seen[name]}" if own else str(i))
        seen[name] += 1
    return names


def _placeless(value: Value, places: Mapping[str, str]) -> Value:
    if isinstance(value, Lines):
        return Lines(_placeless(line, places) for line in value)
    if isinstance(value, str):
        for place, word in places.items():
            value = value.replace(place, word)
    return value


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]{}#|~!$])", r"\\\1", text)


class _Reader(HTMLParser):
    """Gathers what a reader of a page sees, pictures' descriptions included."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in UNREAD
        self.lines += [text for name, text in attrs if name in TOLD and text]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in UNREAD

    def handle_data(self, data: str) -> None:
        if not self.hidden and (text := " ".join(data.split())):
            self.lines.append(text)


def _visible(page: str) -> list[str]:
    reader = _Reader()
    reader.feed(page)
    return reader.lines
