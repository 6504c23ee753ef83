"""Is there any difference at all? A test of p = q whose level is exact at every sample size.

Under p = q every way of telling n reals from m fakes in the pool is equally likely. All of them
that are tried go through the kernel matrix in one product, block by block, and the matrix is
never stored.

Notation: K the kernel matrix of the pool with an empty diagonal, N = n + m; A the N × (1 + B)
indicators of who is called real, the truth in column 0; r = K 1.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_pair
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.kernels import MIN_SAMPLES, Kernel, at_median, block_pairs, from_all_pairs

PERMUTATIONS = 999
ROUNDING = 1e-12  # relative; what differs less is a tie, and ties count against a difference


def two_sample_test(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    *,
    kernel: Kernel | None = None,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate MMD² and test p = q by permuting the labels of the pooled samples.

    The p-value is exact: P(p_value ≤ α) ≤ α under p = q for every α (Phipson & Smyth 2010).

    Args:
        real: features of shape (n, d).
        fake: features of shape (m, d).
        kernel: `rbf` at the pool's median distance, which knows no labels, unless another is
            given.
        permutations: B; the p-value is at least 1 / (1 + B).
        level: of the interval.
        seed: of the permutations.

    Raises:
        SparringError: other shapes, NaN, fewer than four samples on a side, no permutation.
    """
    x, y = as_pair(real, fake, MIN_SAMPLES)
    if permutations < 1:
        raise SparringError(f"permutations is {permutations}; expected at least 1")
    kernel = kernel or at_median(x, y)
    called_real = _relabelled(len(x), len(y), permutations, np.random.default_rng(seed))
    observed, *others = relabelled_mmd(np.concatenate([x, y]), called_real, kernel)
    at_least = np.sum(others >= observed - ROUNDING * np.abs(others).max())
    estimate = from_all_pairs(x, y, kernel, f"MMD², {permutations} permutations", level)
    null = Null(float(np.mean(others)), float(np.std(others)))
    p_value = (1 + int(at_least)) / (1 + permutations)
    return replace(estimate, p_value=p_value, under_null=null)


def relabelled_mmd(pool: Features, called_real: Features, kernel: Kernel) -> Features:
    """Return the U-statistic of MMD² for each column of indicators, (N, B), of equal sums."""
    within_real, sums = np.zeros(called_real.shape[1]), np.zeros(len(pool))
    for i, j in block_pairs(len(pool)):
        values = kernel(pool[i], pool[j])
        if i == j:
            np.fill_diagonal(values, 0)
        else:
            sums[j] += values.sum(0)
        sums[i] += values.sum(1)
        products = np.einsum("ib,ib->b", called_real[i], values @ called_real[j])
        within_real += products if i == j else 2 * products
    n = called_real[:, 0].sum()
    m = len(pool) - n
    across = sums @ called_real - within_real
    within_fake = sums.sum() - 2 * across - within_real
    mmd: Features = within_real / (n * (n - 1)) + within_fake / (m * (m - 1)) - 2 * across / (n * m)
    return mmd


def _relabelled(n: int, m: int, permutations: int, rng: np.random.Generator) -> Features:
    """Return indicators of n of n + m samples: the first n, then random ones."""
    called_real = np.zeros((n + m, 1 + permutations))
    called_real[:n] = 1
    called_real[:, 1:] = rng.permuted(called_real[:, 1:], axis=0)
    return called_real
