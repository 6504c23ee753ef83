"""Items that belong together, and those of them that may judge: at most one of each group.

Items of one group are not independent, and no count of them is worth more than their groups. What
judges is one of each at random, so that all tests and intervals hold as they are; with unequal
sizes, a large group has its chance in proportion, so that the law is still that of all items.

Notation: s the sizes of the groups, N = Σ s; Σ s²/N is the factor by which groups at most widen
the variance of a mean of all items (Kish 1965); a group stays with probability min(1, s/K).
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

MAX_WIDENED = 1.1  # factor of the variance, up to which all items judge
TOLERANCE = 0.25  # of 1/√k, by which the law of those that judge may differ
Indices = NDArray[np.int64]


def independent(groups: Indices, seed: int = 0) -> Indices:
    """Return which items (k,) stand for all: at most one of each group, each by its size.

    Where next to no items belong together, all of them stay. Otherwise a group stays with
    probability min(1, s/K), which is exact where K is the largest size. It is the least K for which
    what larger groups lack, Σ (s − K)⁺ / N, is at most a quarter of 1/√k: a large group among many
    small ones does not cost most of these.

    Args:
        groups: of each item, (n,).
        seed: of which item stands for its group, and of which groups stay.
    """
    _, owner, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if np.square(sizes).sum() <= MAX_WIDENED * len(groups):
        return np.arange(len(groups))
    random = np.random.default_rng(seed)
    order = random.permutation(len(groups))
    firsts = order[np.unique(owner.reshape(-1)[order], return_index=True)[1]]
    stays = random.random(len(sizes)) * _largest_that_counts(sizes) < sizes
    return np.sort(firsts[stays]).astype(np.int64)


def _largest_that_counts(sizes: NDArray[np.intp]) -> int:
    """Return the size K from which on a group surely stays."""
    for size in range(1, int(sizes.max()) + 1):
        lacking = np.maximum(sizes - size, 0).sum() / sizes.sum()
        if lacking <= TOLERANCE / sqrt(np.minimum(1, sizes / size).sum()):
            break
    return size
