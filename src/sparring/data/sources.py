"""Where data come from: keeping a source for a resume, its short name, and a missing one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparring.errors import SparringError, nearest


def keep(source: Any, folder: Path, named: Sequence[str]) -> str:
    """Return where a resume finds a path, a named set or an array, which is written down."""
    if isinstance(source, np.ndarray):
        copy = folder / "data.npy"
        np.save(copy, source)
        return str(copy.resolve())
    return str(source) if source in named else str(Path(source).resolve())


def short_name(path: Path, default: str) -> str:
    """Return what a source is called: its file or folder without suffixes."""
    return path.resolve().name.split(".")[0] or default


def note_shadowed_path(name: str | Path) -> tuple[str, ...]:
    """Return a note where a path has the name of the named set that is used."""
    return (f"the named set is used; './{name}' is the path of that name",) * Path(name).exists()


def missing(path: Path, sets: Sequence[str], expected: str) -> SparringError:
    """Return the error of a path that leads nowhere; `sets` are the names of all data sets."""
    listed, hint = ", ".join(sets), nearest(str(path).lower(), sets)
    return SparringError(
        f"'{path}' is neither a file nor a named data set ({listed}){hint}; {expected}"
    )
