"""What a metric looks at: an extractor turns items, as files hold them, into rows of features.

Inside: the value that every extractor is, the loop that feeds it, and the digest that names it.
Also plain items, which copying is judged by where an extractor is
fitted to the training data. Not inside: any network.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from sparring.data.dataset import Dataset
from sparring.draws import Draw
from sparring.errors import SparringError

Items = NDArray[Any]  # uint8 images (n, height, width, channels) or float32 vectors (n, d)
Features = NDArray[np.float32]  # (n, width)

MICRO_BATCH = 64  # fixed and padded: kernels give other last bits for other batch sizes
MAX_FITTED = 2048  # training items, spread evenly, to which an extractor is fitted
HEX_DIGITS = 16
PLAIN = "plain"
MAX_PLAIN = 512  # features


@dataclass(frozen=True, eq=False)
class Extractor:
    """A fixed map from items to features, and what a number made with it must be called by."""

    name: str
    digest: str  # first 16 hex digits of SHA-256 over what decides its output
    width: int  # features of one item
    run: Callable[[Items], Features]  # the same row for the same item, whatever the batch
    is_fid: bool = False  # the standard Inception weights: a Fréchet distance on it is the FID
    is_fixed: bool = False  # nothing in it comes from the data at hand


@dataclass(frozen=True, eq=False)
class Extractors:
    """What the samples of one evaluation are looked at through."""

    quality: Extractor
    memorization: Extractor  # knows training and held-out items alike
    class_probabilities: Callable[[Items], Features] | None  # (n, classes), rows summing to 1
    learned: bool = False  # whether that for quality was taught by labels of the training data


def alone(extractor: Extractor, data: Dataset, cache: object) -> Extractors:
    """Return an extractor for quality, and for copying too if it is fixed; else plain items.

    What is fitted to training items finds them nearer than others; classes are not recognised.
    """
    unlearned = extractor if extractor.is_fixed else plain(data.items.shape[1:])
    return Extractors(extractor, unlearned, None)


def plain(shape: tuple[int, ...]) -> Extractor:
    """Return the numbers of items of this shape as they are, folded where they are many."""

    def run(items: Items) -> Features:
        if items.shape[1:] != shape or items.dtype.kind not in "fiub":
            raise SparringError(
                f"items are {items.dtype} of shape {items.shape[1:]}; expected numbers of {shape}"
            )
        return folded(np.asarray(items, np.float32).reshape(len(items), prod(shape)))

    digest = hashlib.sha256(f"{PLAIN} 1 {shape}".encode()).hexdigest()[:HEX_DIGITS]
    return Extractor(PLAIN, digest, min(prod(shape), MAX_PLAIN), run, is_fixed=True)


def folded(rows: Features) -> Features:
    """Return rows (n, d) as at most 512 numbers each, (n, min(d, 512)).

    Each number is added to one of 512 places or taken from it, both by a fixed random choice, which
    keeps squared distances on average (Weinberger 2009). Equal rows stay equal.
    """
    numbers = rows.shape[1]
    if numbers <= MAX_PLAIN:
        return rows
    draw = Draw(0)
    places = draw.integers(f"{PLAIN}/places", numbers, MAX_PLAIN).numpy()
    signs = 1 - 2 * draw.integers(f"{PLAIN}/signs", numbers, 2).numpy().astype(np.float32)
    fold = csr_array((signs, (np.arange(numbers), places)), shape=(numbers, MAX_PLAIN))
    return np.asarray(rows @ fold, np.float32)


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
