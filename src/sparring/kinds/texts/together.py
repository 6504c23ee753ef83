"""Texts of several sources, spelled by all symbols that any of them holds, repeats and all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.dataset import Dataset, no_progress, whole
from sparring.data.folders import note_skipped
from sparring.data.pack import Progress
from sparring.data.split import digests, stated
from sparring.errors import SparringError
from sparring.kinds.texts.codec import normalise
from sparring.kinds.texts.options import NAMED_SETS, TextOptions
from sparring.kinds.texts.reader import MIN_TEXTS, read, units_of
from sparring.kinds.texts.spec import TextSpec

MAX_WORDS = 30_000  # different ones; where there are more, characters are the units
MAX_LENGTH = 1024  # units of a text


def open_together(
    sources: Sequence[Any],
    options: TextOptions,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
) -> list[Dataset]:
    """Read texts by all their characters or words; beyond 1,024 of them they are cut.

    Raises:
        SparringError: fewer than 20 texts of a source are not empty; pieces are asked for.
    """
    named = [read(source, options) for source in sources]
    every = [[normalise(text, options.normalise) for text in of.texts] for _, of in named]
    filled = [[text for text in texts if text] for texts in every]
    for (name, _), texts in zip(named, filled, strict=True):
        if len(texts) < MIN_TEXTS:
            raise SparringError(
                f"'{name}' holds {len(texts)} texts that are not empty; expected {MIN_TEXTS}"
            )
    spec, cut = _spelled(filled, options)
    datasets = []
    for (name, records), texts, all_texts in zip(named, filled, every, strict=True):
        items = _items(texts, spec)
        hashes = digests(items, progress)
        notes = _notes(len(all_texts) - len(texts), sum(map(cut, texts)), spec)
        notes += note_skipped(records.skipped)
        groups = None
        if records.groups is not None:
            owners = zip(records.groups, all_texts, strict=True)
            groups = stated([owner for owner, text in owners if text])
        datasets.append(whole(name, spec, items, hashes, notes, groups))
    return datasets


def _spelled(sides: Sequence[Sequence[str]], options: TextOptions) -> tuple[TextSpec, Any]:
    """Return the spec of all texts, and what tells whether one is longer than it allows."""
    pool = [text for texts in sides for text in texts]
    units = units_of(pool, options)
    if units == "pieces":
        raise SparringError("texts are compared by characters or words; leave out --units pieces")
    if units == "words" and len({word for text in pool for word in text.split()}) > MAX_WORDS:
        units = "characters"
    parts = [text.split() if units == "words" else text for text in pool]
    symbols = sorted({symbol for text in parts for symbol in text})
    limit = options.length or MAX_LENGTH
    length = min(max(map(len, parts)), limit)
    spec = TextSpec(("", *symbols), length + 1, units, options.normalise)
    return spec, lambda text: len(text.split() if units == "words" else text) > length


def _items(texts: Sequence[str], spec: TextSpec) -> NDArray[np.int16]:
    """Return numbers of symbols (n, length), each row with its end."""
    number = {symbol: i for i, symbol in enumerate(spec.symbols)}
    items = np.zeros((len(texts), spec.length), np.int16)
    for row, text in zip(items, texts, strict=True):
        symbols = (text.split() if spec.units == "words" else text)[: spec.length - 1]
        row[: len(symbols)] = [number[symbol] for symbol in symbols]
    return items


def _notes(empty: int, cut: int, spec: TextSpec) -> list[str]:
    notes = [f"{empty:,} empty texts are left out"] * bool(empty)
    return notes + [f"{cut:,} texts are cut after {spec.length - 1:,} {spec.units}"] * bool(cut)
