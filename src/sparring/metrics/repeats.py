"""Do fakes equal training samples more often than a second sample of one law can?

With a split of nine to one, the labels of a few repeated samples tell little: π^k is the chance
that k of them are all training samples. Where repeats are rare by nature, they are proof all the
same, and that they are rare can be seen from the samples themselves.

Notation: m fakes and n training samples; f and t of them in each class of equal ones. By the kernel
1[x = y], T = 2 Σ f t/(mn) − Σ f (f − 1)/(m (m − 1)) − Σ t (t − 1)/(n (n − 1)) is −MMD² (Gretton
2012): its mean is at most 0 for any fakes that were drawn without the training samples, good or
bad. Large values are held against other labelings of fakes and training samples, which are all as
likely for a perfect generator.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparring.metrics.arrays import Features

ROUNDING = 1e-12
ROWS_AT_ONCE = 2**22  # numbers drawn at a time


@dataclass(frozen=True)
class Repeats:
    """Classes of equal samples that have more than one of them."""

    any: bool  # whether any two are equal, held-out samples included
    fakes: NDArray[np.int64]  # (classes,) of fakes and training samples
    sizes: NDArray[np.int64]  # fakes and training samples of each class
    totals: tuple[int, int]  # fakes, training samples

    def p_value(self, permutations: int, seed: int) -> float:
        """Return the share of labelings with a T as large; of so many, and the given one."""
        (m, n), found = self.totals, self._statistic(self.fakes)
        if not len(self.sizes) or found <= 0:
            return 1.0
        rng = np.random.default_rng(seed)
        others = np.append(self.sizes, m + n - self.sizes.sum())
        at_least, left = 1, permutations
        while left:
            count = min(left, max(1, ROWS_AT_ONCE // len(others)))
            drawn = rng.multivariate_hypergeometric(others, m, count, method="marginals")
            at_least += int((self._statistic(drawn[:, :-1]) >= found - ROUNDING).sum())
            left -= count
        return at_least / (1 + permutations)

    def _statistic(self, fakes: NDArray[np.int64]) -> NDArray[np.float64]:
        (m, n), trained = self.totals, self.sizes - fakes
        across = 2 * (fakes * trained).sum(-1) / (m * n)
        among_fakes = (fakes * (fakes - 1)).sum(-1) / (m * (m - 1))
        statistic: NDArray[np.float64] = (
            across - among_fakes - (trained * (trained - 1)).sum(-1) / (n * (n - 1))
        )
        return statistic


def repeats_of(fakes: Features, training: Features, held_out: Features) -> Repeats:
    """Find the samples that are equal, of features (m, d), (n, d) and (h, d)."""
    rows = np.ascontiguousarray(np.concatenate([fakes, training, held_out]) + 0.0)  # −0 is 0
    as_bytes = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    _, owner, counts = np.unique(as_bytes, return_inverse=True, return_counts=True)
    found = repeats_among(owner[: len(fakes)], owner[len(fakes) : len(fakes) + len(training)])
    return replace(found, any=bool((counts > 1).any()))


def repeats_among(fakes: NDArray[np.int64], training: NDArray[np.int64]) -> Repeats:
    """Find what is equal, of numbers that equal samples share, (m,) and (n,)."""
    classes = int(max(fakes.max(), training.max())) + 1
    of_fakes = np.bincount(fakes, minlength=classes)
    sizes = of_fakes + np.bincount(training, minlength=classes)
    several = sizes > 1
    totals = len(fakes), len(training)
    return Repeats(bool(several.any()), of_fakes[several], sizes[several], totals)
