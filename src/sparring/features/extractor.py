"""What a metric looks at: an extractor turns items, as files hold them, into rows of features.

Inside: the value that every extractor is, the loop that feeds it, and the digest that names it.
Not inside: any network.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Items = NDArray[Any]  # uint8 images (n, height, width, channels) or float32 vectors (n, d)
Features = NDArray[np.float32]  # (n, width)

MICRO_BATCH = 64  # fixed and padded: kernels give other last bits for other batch sizes
MAX_FITTED = 2048  # training items, spread evenly, to which an extractor is fitted
HEX_DIGITS = 16


@dataclass(frozen=True, eq=False)
class Extractor:
    """A fixed map from items to features, and what a number made with it must be called by."""

    name: str
    digest: str  # first 16 hex digits of SHA-256 over what decides its output
    width: int  # features of one item
    run: Callable[[Items], Features]  # the same row for the same item, whatever the batch
    is_fid: bool = False  # the standard Inception weights: a Fréchet distance on it is the FID


@dataclass(frozen=True, eq=False)
class Extractors:
    """What the samples of one evaluation are looked at through."""

    quality: Extractor
    memorization: Extractor  # never one that has learned the training data
    class_probabilities: Callable[[Items], Features] | None  # (n, classes), rows summing to 1


def alone(extractor: Extractor, data: object, cache: object) -> Extractors:
    """Return an extractor for quality and memorization both; classes are not recognised."""
    return Extractors(extractor, extractor, None)


def in_batches(
    compute: Callable[[Tensor], Tensor], items: Items, width: int, batch: int = MICRO_BATCH
) -> Features:
    """Apply `compute` to batches of exactly `batch` items, the last one padded by zeros.

    Args:
        compute: (batch, *item) -> (batch, width).
        items: (n, *item), n at least 0; may be a memmap, of which one batch is read at a time.
        width: features of one item.
        batch: items at a time.
    """
    features = np.empty((len(items), width), np.float32)
    for start in range(0, len(items), batch):
        part = items[start : start + batch]
        padded = np.zeros((batch, *part.shape[1:]), part.dtype)
        padded[: len(part)] = part
        with torch.inference_mode():
            rows = compute(torch.from_numpy(padded))
        features[start : start + len(part)] = rows[: len(part)].numpy()
    return features


def spread(indices: NDArray[np.int64], limit: int = MAX_FITTED) -> NDArray[np.int64]:
    """Return at most `limit` of the indices, evenly spread, always the same ones."""
    count = min(len(indices), limit)
    return indices[np.arange(count) * len(indices) // max(count, 1)]


def digest_of_arrays(kind: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the digest of named arrays: of their names, types, shapes and bytes, in any order."""
    digest = hashlib.sha256(kind.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:HEX_DIGITS]
