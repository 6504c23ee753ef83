"""Features of real data, extracted once: kept on disk by the data's fingerprint and the extractor.

A damaged or foreign file is extracted anew, never used.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from sparring.data.dataset import Dataset, silent
from sparring.data.pack import Progress
from sparring.draws import permutation
from sparring.features.extractor import Extractor
from sparring.runs import write_bytes

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
    path = cache / f"{name}.safetensors"
    if (kept := _read(path, (len(index), extractor.width))) is not None:
        return kept
    features = extract(extractor, data.items, index, progress)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_bytes(path, save({"features": features}))
    except OSError:  # a cache that cannot be written costs time, not the result
        pass
    return features


def extract(
    extractor: Extractor,
    items: NDArray[Any],
    index: NDArray[np.int64],
    progress: Callable[[str, int, int], None] = silent,
) -> NDArray[np.float32]:
    """Return the features of some items, chunk by chunk."""
    parts = []
    for start in range(0, len(index), CHUNK):
        parts.append(extractor.run(np.asarray(items[index[start : start + CHUNK]])))
        progress("features of real data", min(start + CHUNK, len(index)), len(index))
    return np.concatenate(parts)


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        features = load(path.read_bytes())["features"]
    except (OSError, SafetensorError, KeyError):
        return None
    fits = features.shape == shape and features.dtype == np.float32
    return features if fits and bool(np.isfinite(features).all()) else None
