"""Features of real data, extracted once: kept on disk by the data's fingerprint and the extractor.

A damaged or foreign file is extracted anew, never used. They are written chunk by
chunk and read through a map, so that their number is bounded by the disk, not by memory.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.dataset import Dataset, silent
from sparring.data.pack import Progress
from sparring.draws import permutation
from sparring.features.extractor import Extractor
from sparring.runs import written_atomically

MOST = 10_000  # items of each part
CHUNK = 512
SEED = 0  # of which items, when there are more


def part_of(data: Dataset, part: str, most: int = MOST) -> NDArray[np.int64]:
    """Return which items stand for `train`, `held_out` or `all` of the data; at most `most`."""
    index = {
        "train": data.train,
        "held_out": data.held_out,
        "all": np.arange(len(data.items), dtype=np.int64),
    }[part]
    if len(index) <= most:
        return index
    return np.sort(index[permutation(SEED, f"reference/{part}", len(index))[:most]])


def reference(
    extractor: Extractor,
    data: Dataset,
    part: str,
    cache: Path,
    progress: Progress = silent,
    most: int = MOST,
) -> NDArray[np.float32]:
    """Return features (n, d) of a part of the data, from the cache if it has them."""
    index = part_of(data, part, most)
    name = f"{data.fingerprint}-{extractor.name}-{extractor.digest}-{part}-{len(index)}"
    path, shape = cache / f"{name}.npy", (len(index), extractor.width)
    if (kept := _read(path, shape)) is not None:
        return kept
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with written_atomically(path) as beside:
            _write(beside, shape, extract(extractor, data.items, index, progress))
        if (kept := _read(path, shape)) is not None:
            return kept
    except OSError:
        pass
    # A cache that cannot be written costs time, not the result.
    return np.concatenate(list(extract(extractor, data.items, index, progress)))


def extract(
    extractor: Extractor,
    items: NDArray[Any],
    index: NDArray[np.int64],
    progress: Callable[[str, int, int], None] = silent,
) -> Iterator[NDArray[np.float32]]:
    """Yield the features of some items, chunk by chunk."""
    for start in range(0, len(index), CHUNK):
        yield extractor.run(np.asarray(items[index[start : start + CHUNK]]))
        progress("features of real data", min(start + CHUNK, len(index)), len(index))


def _write(path: Path, shape: tuple[int, int], chunks: Iterable[NDArray[np.float32]]) -> None:
    """Write an .npy file chunk by chunk; not through a map, which a full disk would crash."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in chunks:
            file.write(chunk.astype("<f4").tobytes())


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = features.shape == shape and features.dtype == np.float32
    chunks = (features[start : start + CHUNK] for start in range(0, len(features), CHUNK))
    return features if fits and all(np.isfinite(chunk).all() for chunk in chunks) else None
