"""What looks at a generator found, kept in the run folder: a resume compares as the run would have.

A file for each look that is remembered, named by the samples seen and by what it was measured on.
It holds the influence of each sample on the distance, by which looks are paired: a few kilobytes.
"""

import re
from collections.abc import Collection, Mapping
from math import log
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from sparring.metrics.trend import Influence
from sparring.runs.folder import written_atomically

NAME = re.compile(r"(\d{9,})-([0-9a-f]+)\.npz")
MAX_REMEMBERED = 256


class Look(NamedTuple):
    """The distance that one look found, and the influence of each of its samples."""

    digest: str  # of the reals and the features that it was measured on
    value: float
    influence: Influence


Looks = Mapping[int, Look]  # by the samples seen


def thinned(looks: Looks) -> dict[int, Look]:
    """Return the looks to remember: first, last and lowest, and others evenly over log samples."""
    kept = dict(sorted(looks.items()))
    while len(kept) > MAX_REMEMBERED:
        seen = list(kept)
        lowest = min(seen, key=lambda count: kept[count].value)
        gaps = {
            count: log(after / max(before, 1))
            for before, count, after in zip(seen, seen[1:], seen[2:], strict=False)
            if count != lowest
        }
        del kept[min(gaps, key=gaps.__getitem__)]
    return kept


def write_looks(folder: Path, looks: Looks) -> None:
    """Write the newest look, and those that are not there yet; drop all others."""
    folder.mkdir(exist_ok=True)
    names = {seen: f"{seen:09d}-{look.digest}.npz" for seen, look in looks.items()}
    for path in folder.iterdir():
        if path.name not in names.values():
            path.unlink()
    for seen, name in names.items():
        if seen == max(looks) or not (folder / name).exists():
            sides = (np.asarray(side, np.float32) for side in looks[seen].influence)
            with written_atomically(folder / name) as beside, beside.open("wb") as file:
                np.savez(file, np.float64(looks[seen].value), *sides)


def read_looks(folder: Path, seen: Collection[int]) -> dict[int, Look]:
    """Return the looks at these numbers of samples, as far as they are kept and whole."""
    paths = folder.iterdir() if folder.is_dir() else ()
    named = {int(m[1]): (path, m[2]) for path in paths if (m := NAME.fullmatch(path.name))}
    looks = {}
    for count in sorted(named.keys() & set(seen)):
        path, digest = named[count]
        try:
            with np.load(path, allow_pickle=False) as stored:
                value, *sides = (stored[name] for name in stored.files)
            looks[count] = Look(digest, float(value), tuple(sides))
        except (OSError, ValueError, EOFError, BadZipFile):
            continue  # the interval of that look must do
    return looks
