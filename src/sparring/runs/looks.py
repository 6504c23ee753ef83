"""What looks at a generator drew, kept in the run folder: a resume compares as the run would have.

A file for each of the last looks, named by the samples seen and the features' extractor.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparring.features.extractor import Features
from sparring.runs.folder import written_atomically

NAME = re.compile(r"(\d{9,})-([0-9a-f]+)\.npy")


class Look(NamedTuple):
    """The features of what one look drew."""

    digest: str  # of the extractor
    features: Features


Looks = Mapping[int, Look]  # by the samples seen


def write_looks(folder: Path, looks: Looks) -> None:
    """Write the newest look, and those that are not there yet; drop all others."""
    folder.mkdir(exist_ok=True)
    names = {seen: f"{seen:09d}-{look.digest}.npy" for seen, look in looks.items()}
    for path in folder.iterdir():
        if path.name not in names.values():
            path.unlink()
    for seen, name in names.items():
        if seen == max(looks) or not (folder / name).exists():
            with written_atomically(folder / name) as beside, beside.open("wb") as file:
                np.save(file, looks[seen].features.astype(np.float32), allow_pickle=False)


def read_looks(folder: Path, seen: Collection[int]) -> dict[int, Look]:
    """Return the looks at these numbers of samples, as far as they are kept and whole."""
    paths = folder.iterdir() if folder.is_dir() else ()
    named = {int(m[1]): (path, m[2]) for path in paths if (m := NAME.fullmatch(path.name))}
    looks = {}
    for count in sorted(named.keys() & set(seen)):
        path, digest = named[count]
        try:
            looks[count] = Look(digest, np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError):
            continue  # the interval of that look must do
    return looks
