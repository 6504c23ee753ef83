"""Squared maximum mean discrepancies, KID among them: unbiased, from all pairs, with an interval.

A kernel is a function of two blocks of samples that returns the block of its values. Sums run
over blocks, so memory is linear in the number of samples, and each pair is visited once.

Not here: the test of p = q (`permutation`) and the energy distance (`transport`).

Notation: k the kernel, x₁…xₙ ~ p real, y₁…yₘ ~ q fake, x′ and y′ independent copies;
MMD² = E k(x, x′) + E k(y, y′) − 2 E k(x, y), estimated by the same means over distinct pairs (a
U-statistic). The effect of a sample on it is 2 h(x), h(x) = mean k(x, ·) over the other reals
minus that over the fakes, and V = 4 var h / n + 4 var h / m its variance. As h is itself
estimated, V contains the second-order term as well, and twice: near p = q it errs on the safe
side, elsewhere that term does not matter.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_pair
from sparring.metrics.estimate import LEVEL, Estimate, InfluenceEstimate, PairedDifference
from sparring.metrics.normal import normal_estimate, squared_distance_estimate, two_sided_p

BLOCK = 1_024  # samples on a side of a block
MAX_MEDIAN_SAMPLES = 1_000  # of both sets together, from which the bandwidth is taken
MIN_SAMPLES = 4  # on a side; with fewer, their spread says nothing

Floats = NDArray[np.floating]
Kernel = Callable[[Floats, Floats], Floats]  # (a, d), (b, d) -> (a, b)


def cubic(x: Floats, y: Floats) -> Floats:
    """Return (x·y / d + 1)³, the kernel of KID (Bińkowski 2018, section 4)."""
    values = x @ y.T
    values /= x.shape[1]
    values += 1
    return values * values * values


def linear(x: Floats, y: Floats) -> Floats:
    """Return x·y: its MMD² is the squared distance of the means, and it sees nothing else."""
    return x @ y.T


def rbf(bandwidth: float) -> Kernel:
    """Return the kernel exp(−|x − y|² / (2 bandwidth²)).

    Raises:
        SparringError: the bandwidth is not positive.
    """
    if not bandwidth > 0:
        raise SparringError(f"bandwidth is {bandwidth}; expected a positive distance")

    def kernel(x: Floats, y: Floats) -> Floats:
        values = squared_distances(x, y)
        values /= -2 * bandwidth**2
        return np.exp(values, out=values)

    return kernel


def squared_distances(x: Floats, y: Floats) -> Floats:
    """Return |x − y|² of shape (a, b), about a common centre, so that few digits cancel."""
    centre = (x.mean(0) + y.mean(0)) / 2
    x, y = x - centre, y - centre
    values = x @ y.T
    values *= -2
    values += np.square(x).sum(1)[:, None]
    values += np.square(y).sum(1)
    return np.maximum(values, 0, out=values)


def median_distance(x: Features, y: Features, seed: int = 0) -> float:
    """Return the median distance in a random part of both sets together, blind to the labels."""
    pool = np.concatenate([x, y])
    if len(pool) > MAX_MEDIAN_SAMPLES:
        pool = pool[np.random.default_rng(seed).permutation(len(pool))[:MAX_MEDIAN_SAMPLES]]
    above = np.triu_indices(len(pool), 1)
    return float(np.sqrt(np.median(squared_distances(pool, pool)[above])))


def kid(real: ArrayLike | Tensor, fake: ArrayLike | Tensor, *, level: float = LEVEL) -> Estimate:
    """Estimate the kernel Inception distance between two samples of features, from all pairs.

    All in float64: the cubes of features whose mean is large beside their spread differ by less
    than float32 holds.

    Args:
        real: features of shape (n, d).
        fake: features of shape (m, d).
        level: of the interval.

    Raises:
        SparringError: other shapes, NaN, fewer than four samples on a side.
    """
    x, y = as_pair(real, fake, MIN_SAMPLES)
    return from_all_pairs(x, y, cubic, "KID, all pairs", level)


def kid_with_influence(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> InfluenceEstimate:
    """Estimate as `kid` does, with the influence values of the fakes (m,) and of the reals (n,).

    Raises:
        SparringError: as for `kid`.
    """
    x, y = as_pair(real, fake, MIN_SAMPLES)
    estimate, influence = _all_pairs(x, y, cubic, "KID, all pairs", LEVEL)
    return InfluenceEstimate(**vars(estimate), influence=influence)


def mmd(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    *,
    kernel: Kernel | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Estimate MMD² from all pairs, in float64.

    Args:
        real: features of shape (n, d).
        fake: features of shape (m, d).
        kernel: `rbf` at the median distance of all samples, unless another is given.
        level: of the interval.

    Raises:
        SparringError: other shapes, NaN, fewer than four samples on a side.
    """
    x, y = as_pair(real, fake, MIN_SAMPLES)
    return from_all_pairs(x, y, kernel or at_median(x, y), "MMD², all pairs", level)


def at_median(x: Features, y: Features) -> Kernel:
    """Return the radial kernel whose bandwidth is the median distance.

    Raises:
        SparringError: most samples are the same, so that there is no such distance.
    """
    bandwidth = median_distance(x, y)
    if bandwidth == 0:
        raise SparringError("most samples are equal: the median distance is 0; give a kernel")
    return rbf(bandwidth)


def kid_difference(
    real: ArrayLike | Tensor,
    fake_a: ArrayLike | Tensor,
    fake_b: ArrayLike | Tensor,
    *,
    level: float = LEVEL,
) -> Estimate:
    """Estimate the KID of `fake_a` minus that of `fake_b` from the same reals.

    What the reals have among themselves cancels. The p-value is that of equal distances.

    Raises:
        SparringError: as for `kid`.
    """
    return paired_kid(real, fake_a, fake_b, level=level).estimate


def paired_kid(
    real: ArrayLike | Tensor,
    fake_a: ArrayLike | Tensor,
    fake_b: ArrayLike | Tensor,
    *,
    level: float = LEVEL,
) -> PairedDifference:
    """Return `kid_difference`, and what each side adds to its variance; raises the same."""
    (x, a), (_, b) = as_pair(real, fake_a, MIN_SAMPLES), as_pair(real, fake_b, MIN_SAMPLES)
    to_a, to_b = between(x, a, cubic), between(x, b, cubic)
    within_a, within_b = within(a, cubic), within(b, cubic)
    value = within_a.mean - 2 * to_a.mean - (within_b.mean - 2 * to_b.mean)
    of_reals = _variance(to_a.first - to_b.first)
    of_fakes = _variance(within_a.first - to_a.second) + _variance(within_b.first - to_b.second)
    n, variance = min(len(x), len(a), len(b)), of_reals + of_fakes
    estimate = normal_estimate(value, variance, n, "difference of KIDs, paired, all pairs", level)
    estimate = replace(estimate, p_value=two_sided_p(value, variance))
    return PairedDifference(estimate, of_reals, of_fakes)


def mmd_unbiased(x: Floats, y: Floats, kernel: Kernel) -> float:
    """Return the U-statistic of MMD² (Gretton 2012, eq. 3); two samples a side are enough."""
    own_pairs = [kernel(s, s) for s in (x, y)]
    means = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in own_pairs]
    return float(sum(means) - 2 * kernel(x, y).mean())


def mmd_biased(x: Floats, y: Floats, kernel: Kernel) -> float:
    """Return the V-statistic of MMD² (Gretton 2012, eq. 5), too large by the kernel's diagonal."""
    return float(kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean())


class Effects(NamedTuple):
    """A kernel's mean over pairs, and each sample's own mean."""

    mean: float
    first: Features
    second: Features  # the same as `first` where the pairs are within one set


def within(x: Floats, kernel: Kernel) -> Effects:
    """Return the means over pairs of distinct samples of one set; visits half of them."""
    sums = np.zeros(len(x))
    for i, j in block_pairs(len(x)):
        values = kernel(x[i], x[j])
        if i == j:
            np.fill_diagonal(values, 0)
        else:
            sums[j] += values.sum(0, dtype=np.float64)
        sums[i] += values.sum(1, dtype=np.float64)
    means = sums / (len(x) - 1)
    return Effects(float(means.mean()), means, means)


def between(x: Floats, y: Floats, kernel: Kernel) -> Effects:
    """Return the means over all pairs of a sample of x and a sample of y."""
    rows, columns = np.zeros(len(x)), np.zeros(len(y))
    for i in _blocks(len(x)):
        for j in _blocks(len(y)):
            values = kernel(x[i], y[j])
            rows[i] += values.sum(1, dtype=np.float64)
            columns[j] += values.sum(0, dtype=np.float64)
    return Effects(float(rows.mean()) / len(y), rows / len(y), columns / len(x))


def from_all_pairs(x: Floats, y: Floats, kernel: Kernel, method: str, level: float) -> Estimate:
    """Return the U-statistic of MMD² with its interval."""
    return _all_pairs(x, y, kernel, method, level)[0]


def _all_pairs(
    x: Floats, y: Floats, kernel: Kernel, method: str, level: float
) -> tuple[Estimate, tuple[Features, Features]]:
    """Return MMD² with its interval, and by what each fake and each real moves it."""
    xx, yy, xy = within(x, kernel), within(y, kernel), between(x, y, kernel)
    value = xx.mean + yy.mean - 2 * xy.mean
    reals, fakes = xx.first - xy.first, yy.first - xy.second
    variance = _variance(reals) + _variance(fakes)
    n = min(len(x), len(y))
    return squared_distance_estimate(value, variance, n, method, level), (2 * fakes, 2 * reals)


def block_pairs(n: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the blocks on and above the diagonal of a symmetric matrix."""
    yield from ((i, j) for i in _blocks(n) for j in _blocks(n) if i.start <= j.start)


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def _variance(effects: Features) -> float:
    """Return what samples with effects of twice this size add to the variance of the statistic."""
    return float(4 * effects.var(ddof=1) / len(effects))
