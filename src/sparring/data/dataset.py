"""Data ready to train on, whatever its kind."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.pack import Skipped
from sparring.spec import Spec


@dataclass(frozen=True, eq=False)
class Dataset:
    """Items of one shape with their split; what was decided on the way is in `notes`.

    Items are what a file holds, not yet encoded for networks: uint8 pixels (n, height, width,
    channels) of images, float32 coordinates (n, d) of vectors; in memory or a read-only memmap.
    """

    name: str
    spec: Spec
    items: NDArray[Any]
    labels: NDArray[np.int64] | None  # (n,)
    train: NDArray[np.int64]  # indices that training may see
    held_out: NDArray[np.int64]  # indices that it never sees
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]  # one line each
    fingerprint: str  # hex digest of items, labels and split


def silent(what: str, done: int, total: int) -> None:
    """Report no progress."""
