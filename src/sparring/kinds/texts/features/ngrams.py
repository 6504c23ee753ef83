"""Features of texts without a network: principal components of their n-grams.

Notation: n texts; the single symbols, pairs and triples of each fall into 1,024 places by a fixed
arithmetic of their numbers, and the roots of the counts are centred and turned to their components.
"""

import numpy as np
import torch
from torch import Tensor

from sparring.errors import SparringError
from sparring.features.components import principal_axes
from sparring.features.extractor import Extractor, Features, Items, digest_of_arrays, in_batches

NAME = "n-grams"
PLACES = 1024
FACTORS = (2_654_435_761, 40_503, 2_246_822_519)  # odd, for numbers that differ little


def ngrams(train: Items) -> Extractor:
    """Return up to 64 principal components of texts' n-grams.

    Args:
        train: numbers of symbols (n, length), int16, at least 2 texts.

    Raises:
        SparringError: these are not texts, or all are the same.
    """
    if train.ndim != 2 or train.dtype != np.int16:
        raise SparringError(f"items are {train.dtype} of shape {train.shape}; expected texts")
    mean, axes = principal_axes(in_batches(places, train, PLACES).astype(np.float64))

    def run(items: Items) -> Features:
        if items.ndim != 2 or items.shape[1] != train.shape[1]:
            raise SparringError(
                f"items are of shape {items.shape}; this extractor was fitted to texts of "
                f"{train.shape[1]} places"
            )
        return in_batches(lambda texts: (places(texts) - mean) @ axes, items, axes.shape[1])

    digest = digest_of_arrays(f"{NAME} 1", {"train": train})
    return Extractor(NAME, digest, axes.shape[1], run)


def places(texts: Tensor) -> Tensor:
    """Return the roots of how many n-grams of each text fall into each place (n, 1024)."""
    symbols = texts.long()
    ended = (symbols == 0).cumsum(1) - (symbols == 0).long() > 0  # after the first end
    counts = torch.zeros(len(symbols), PLACES)
    for order in (1, 2, 3):
        if symbols.shape[1] < order:
            break
        wide = symbols.shape[1] - order + 1
        windows = [symbols[:, i : i + wide] for i in range(order)]
        code = symbols.new_zeros(())
        for window, factor in zip(windows, FACTORS, strict=False):
            code = code + (window + 1) * factor
        place = (code * FACTORS[0] % 4_294_967_291 + order * 7_919) % PLACES
        there = (~ended[:, order - 1 :]).float()
        counts.scatter_add_(1, place, there)
    return counts.sqrt()
