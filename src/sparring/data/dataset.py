"""Data ready to train on, whatever its kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.pack import LoadedItems, Skipped
from sparring.data.split import Split, fingerprint
from sparring.spec import Spec


@dataclass(frozen=True, eq=False)
class Dataset:
    """Items of one shape with their split; what was decided on the way is in `notes`.

    Items are what a file holds, not yet encoded for networks; each kind's reader says of which
    shape and type. They lie in memory or in a read-only memmap.
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
    groups: NDArray[np.int64] | None = None  # (n,): which items belong together; None: each alone
    originals: Any = None  # items as they came, where encoding loses something: a table's cells


def same_items(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Tell whether two arrays hold the same items; what is missing in both, is the same."""
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f"))


def to_dataset(
    name: str,
    spec: Spec,
    loaded: LoadedItems,
    split: Split,
    hashes: NDArray[np.uint8],
    notes: Sequence[str],
) -> Dataset:
    """Return loaded items with their split; `hashes` are one for each item, see `split.digests`."""
    return Dataset(
        name=name,
        spec=spec,
        items=loaded.items,
        labels=loaded.labels,
        train=split.train,
        held_out=split.held_out,
        skipped=loaded.skipped,
        notes=tuple(notes),
        fingerprint=fingerprint(hashes, loaded.items.shape, loaded.labels, split),
        groups=split.groups,
    )


def whole(
    name: str,
    spec: Spec,
    items: NDArray[Any],
    hashes: NDArray[np.uint8],
    notes: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> Dataset:
    """Return items without labels, of which nothing is held out."""
    every, none = np.arange(len(items)), np.arange(0)
    divided = Split(every, none, (), groups)
    return to_dataset(name, spec, LoadedItems(items), divided, hashes, notes)


def no_progress(what: str, done: int, total: int) -> None:
    """Report no progress."""
