"""Features of real data, extracted once: kept on disk by the data's fingerprint and the extractor.

A damaged or foreign file is extracted again, never used. They are written chunk by
chunk and read through a map, so that their number is bounded by the disk, not by memory.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparring.data.array_files import NpyWriter
from sparring.data.dataset import Dataset, no_progress
from sparring.data.pack import Progress
from sparring.draws import permutation
from sparring.features.extractor import Extractor
from sparring.metrics.groups import independent
from sparring.runs.folder import written_atomically

MAX_ITEMS = 10_000  # of each part
CHUNK = 512
SEED = 0  # of which items, when there are more
ORDER_SEED = 2
HALVES_SEED = 3
HALVED = "-halves"  # ends the fingerprint of data that are split once more

Part = Literal["train", "held_out", "all"]


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """Real items that samples are compared with: a part of some data."""

    data: Dataset
    part: Part
    limit: int = MAX_ITEMS
    notes: tuple[str, ...] = ()  # what people should know of the choice
    whole: bool = False  # all items of a group, of what judges too; otherwise one stands for it

    def index(self) -> NDArray[np.int64]:
        """Return which items of the data these are."""
        return part_indices(self.data, self.part, self.limit, whole=self.whole)

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """Which of these items belong together; None where each stands alone."""
        together = self.whole or self.part == "train"
        return self.data.groups[self.index()] if together and self.data.groups is not None else None

    def shuffled_items(self, limit: int | None = None) -> NDArray[Any]:
        """Return the items in random order, the first `limit` of them."""
        return np.asarray(self.data.items[shuffled(self.index())[:limit]])

    def features(
        self, extractor: Extractor, cache: Path, progress: Progress = no_progress
    ) -> NDArray[np.float32]:
        """Return their features (n, d), from the folder `cache` if it has them."""
        folder = cache / "features"
        return part_features(
            extractor, self.data, self.part, folder, progress, self.limit, whole=self.whole
        )


def shuffled(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same items in random order: files often come sorted."""
    return index[permutation(ORDER_SEED, "assessment/rows", len(index))]


def part_indices(
    data: Dataset, part: Part, limit: int = MAX_ITEMS, *, whole: bool = False
) -> NDArray[np.int64]:
    """Return which items stand for a part of the data; at most `limit`.

    Of items that belong together at most one judges (see `metrics.groups`), unless the part is to
    be whole; training items are, always.
    """
    index = {
        "train": data.train,
        "held_out": data.held_out,
        "all": np.arange(len(data.items), dtype=np.int64),
    }[part]
    if data.groups is not None and not whole and part != "train":
        index = index[independent(data.groups[index])]
    if len(index) <= limit:
        return index
    return np.sort(index[permutation(SEED, f"reference/{part}", len(index))[:limit]])


def halved(data: Dataset) -> Dataset:
    """Return data whose training items are split once more: half of their groups is held out.

    For judging where too few are held out: what is fitted sees one half, what judges is the other.
    """
    groups = data.train if data.groups is None else data.groups[data.train]
    if len(np.unique(groups)) == 1:
        groups = data.train
    _, owner = np.unique(groups, return_inverse=True)
    count = int(owner.max(initial=-1)) + 1
    judges = permutation(HALVES_SEED, "reference/halves", count)[: (count + 1) // 2]
    held_out = data.train[np.isin(owner.reshape(-1), judges)]
    train = np.setdiff1d(data.train, held_out)
    return replace(
        data,
        train=np.sort(train),
        held_out=np.sort(held_out),
        fingerprint=f"{data.fingerprint}{HALVED}",
    )


def part_features(
    extractor: Extractor,
    data: Dataset,
    part: Part,
    cache: Path,
    progress: Progress = no_progress,
    limit: int = MAX_ITEMS,
    *,
    whole: bool = False,
) -> NDArray[np.float32]:
    """Return features (n, d) of a part of the data, from the cache if it has them."""
    index = part_indices(data, part, limit, whole=whole)
    of = f"{part}-whole" if whole and data.groups is not None else part
    name = f"{_identity(data, part)}-{extractor.name}-{extractor.digest}-{of}-{len(index)}"
    path, shape = cache / f"{name}.npy", (len(index), extractor.width)
    if len(index) == 0:
        return np.empty(shape, np.float32)
    if (features := _read(path, shape)) is not None:
        return features
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with written_atomically(path) as beside:
            _write(beside, extractor.width, extract(extractor, data.items, index, progress))
        if (features := _read(path, shape)) is not None:
            return features
    except OSError:
        pass
    # A cache that cannot be written costs time, not the result.
    return np.concatenate(list(extract(extractor, data.items, index, progress)))


def _identity(data: Dataset, part: Part) -> str:
    """Return what tells items from others; of other data also the spec they were read by."""
    if part != "all":
        return data.fingerprint
    return f"{data.fingerprint}-{blake2b(repr(data.spec).encode(), digest_size=8).hexdigest()}"


def extract(
    extractor: Extractor,
    items: NDArray[Any],
    index: NDArray[np.int64],
    progress: Callable[[str, int, int], None] = no_progress,
) -> Iterator[NDArray[np.float32]]:
    """Yield the features of some items, chunk by chunk."""
    for start in range(0, len(index), CHUNK):
        yield extractor.run(np.asarray(items[index[start : start + CHUNK]]))
        progress("features of real data", min(start + CHUNK, len(index)), len(index))


def _write(path: Path, width: int, chunks: Iterable[NDArray[np.float32]]) -> None:
    with closing(NpyWriter(path, (width,), np.float32)) as writer:
        for chunk in chunks:
            writer.append(chunk.astype(np.float32))
        writer.finish()


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = features.shape == shape and features.dtype == np.float32
    chunks = (features[start : start + CHUNK] for start in range(0, len(features), CHUNK))
    return features if fits and all(np.isfinite(chunk).all() for chunk in chunks) else None
