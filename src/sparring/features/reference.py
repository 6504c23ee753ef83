"""Features of real data, extracted once: kept on disk by the data's fingerprint and the extractor.

A damaged or foreign file is extracted again, never used. They are written chunk by
chunk and read through a map, so that their number is bounded by the disk, not by memory.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
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
from sparring.runs.folder import written_atomically

MAX_ITEMS = 10_000  # of each part
CHUNK = 512
SEED = 0  # of which items, when there are more
ORDER_SEED = 2

Part = Literal["train", "held_out", "all"]


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """Real items that samples are compared with: a part of some data."""

    data: Dataset
    part: Part
    limit: int = MAX_ITEMS
    notes: tuple[str, ...] = ()  # what people should know of the choice

    def index(self) -> NDArray[np.int64]:
        """Return which items of the data these are."""
        return part_indices(self.data, self.part, self.limit)

    def shuffled_items(self, limit: int | None = None) -> NDArray[Any]:
        """Return the items in random order, the first `limit` of them."""
        return np.asarray(self.data.items[shuffled(self.index())[:limit]])

    def features(
        self, extractor: Extractor, cache: Path, progress: Progress = no_progress
    ) -> NDArray[np.float32]:
        """Return their features (n, d), from the folder `cache` if it has them."""
        folder = cache / "features"
        return part_features(extractor, self.data, self.part, folder, progress, self.limit)


def shuffled(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same items in random order: files often come sorted."""
    return index[permutation(ORDER_SEED, "assessment/rows", len(index))]


def part_indices(data: Dataset, part: Part, limit: int = MAX_ITEMS) -> NDArray[np.int64]:
    """Return which items stand for a part of the data; at most `limit`."""
    index = {
        "train": data.train,
        "held_out": data.held_out,
        "all": np.arange(len(data.items), dtype=np.int64),
    }[part]
    if len(index) <= limit:
        return index
    return np.sort(index[permutation(SEED, f"reference/{part}", len(index))[:limit]])


def part_features(
    extractor: Extractor,
    data: Dataset,
    part: Part,
    cache: Path,
    progress: Progress = no_progress,
    limit: int = MAX_ITEMS,
) -> NDArray[np.float32]:
    """Return features (n, d) of a part of the data, from the cache if it has them."""
    index = part_indices(data, part, limit)
    name = f"{_identity(data, part)}-{extractor.name}-{extractor.digest}-{part}-{len(index)}"
    path, shape = cache / f"{name}.npy", (len(index), extractor.width)
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
