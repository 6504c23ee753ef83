"""Clipped density and clipped coverage: 1 less the share of bad samples (Salvy 2025).

Density counts the real balls around each fake, coverage the fakes in each real ball. Here no
fake counts more than once, no ball is larger than the median one, and both are calibrated: 1 for a
perfect generator, and linear in the share of fakes that are not like real samples. Not here: the
balls, and the half-samples that make the intervals (`neighbours`).

Notation: x real (n, d), y fake (m, d); r_i the distance of x_i from its k-th nearest other real.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from torch import Tensor

from sparring.metrics.arrays import Features
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.neighbours import (
    RESAMPLING,
    WORD,
    Balls,
    Indices,
    Pairs,
    Settings,
    Words,
    balls_of,
    bits_of,
    distances_between,
    half_samples,
    halvable_pair,
    interval_of_halves,
    packed,
    pairs_below,
)
from sparring.metrics.normal import quantile
from sparring.metrics.proportions import exact_share

ROUNDING = 1e-12  # of a squared root
BEST = 2  # times as many good samples as there are fakes: as far as the calibration reaches


def clipped_density_coverage(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    k: int = 5,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Estimate clipped density and clipped coverage (Salvy 2025, sections 3 and 4).

    clipped_density: mean over fakes of min(1, balls around it / k), where the ball of x_i has the
    radius min(r_i, median r); divided by the same mean of the reals among themselves.
    clipped_coverage: c⁻¹(mean over reals of min(1, fakes nearer than r_i / k)), where c(s) is what
    that mean is expected to be if a share s of the fakes is real and the others are nowhere near.

    Both are 1 for a perfect generator, at any n, m, k and width, and are clipped there. Which of
    equally near samples is nearer is drawn, as in `prdc`.

    Args:
        real, fake: features, (n, d) and (m, d).
        k: which neighbour makes the radius.
        level: of the intervals.
        seed: of the half-samples.

    Raises:
        SparringError: arrays that are not features of the same width; k < 1; fewer than 2(k + 1)
            samples on a side; a level that is not between 0 and 1.
    """
    quantile(level)  # refuses other levels
    x, y = halvable_pair(real, fake, k)
    reals = balls_of(x, half_samples(seed, "real", len(x)), k)
    fakes = half_samples(seed, "fake", len(y))
    around, inside = _counts(x, y, reals, fakes)
    density = _score(around, fakes, k) / _score(_counts_of_reals(reals), reals.members, k)
    covered = _score(inside, reals.members, k)
    coverage = np.array(
        [_calibrated(covered[0], len(x), len(y), k)]
        + [_calibrated(half, len(x) // 2, len(y) // 2, k) for half in covered[1:]]
    )
    settings = Settings(min(len(x), len(y)), f"k = {k}, {RESAMPLING}", level)
    return {
        "clipped_density": _as_share(density, len(y), settings),
        "clipped_coverage": _as_share(coverage, len(x), settings),
    }


def _counts(x: Features, y: Features, reals: Balls, fakes: Words) -> tuple[Features, Features]:
    """Return clipped balls around each fake, (m, 64), and fakes in each ball, (n, 64)."""
    medians, distances = _Medians(reals), distances_between(x, y)
    around, inside = np.zeros((len(y), WORD)), np.zeros((len(x), WORD))
    for part, block in distances.blocks():
        pairs = pairs_below(distances, part, block, reals.reach[part, None])
        ranks = reals.rough_ranks(pairs.i, pairs, len(x) + pairs.j)
        found = reals.inside(pairs.i, fakes[pairs.j], ranks)
        inside[part] = _summed(pairs.i - part.start, found, part.stop - part.start)
        around += _summed(pairs.j, found & medians.above_pairs(pairs), len(y))
    return around, inside


def _counts_of_reals(reals: Balls) -> Features:
    """Return clipped balls of the others around each real, (n, 64)."""
    medians, n = _Medians(reals), len(reals.indices)
    around, owners = np.zeros((n, WORD)), np.arange(n)
    for rank, visitors in enumerate(reals.indices.T):
        found = reals.inside(owners, reals.members[visitors], np.full(n, rank))
        around += _summed(visitors, found & medians.above(reals.squared[:, rank]), n)
    return around


class _Medians:
    """The median squared radius of each half, and in which halves it is above a distance."""

    def __init__(self, balls: Balls) -> None:
        ranks = np.zeros((len(balls.indices), WORD), np.int64)
        for column in balls.open.T:
            ranks += bits_of(column)  # the k-th that is present has so many before it, and itself
        radii = np.sqrt(np.take_along_axis(balls.squared, ranks - 1, 1))
        present = bits_of(balls.members).astype(np.bool)
        medians = [np.median(r[has]) for r, has in zip(radii.T, present.T, strict=True)]
        squared = np.square(medians) * (1 + ROUNDING)
        self.rising = np.sort(squared)
        self.words = packed(squared >= np.append(self.rising, np.inf)[:, None])

    def above(self, squared: Features) -> Words:
        """Return in which halves the median is not below squared distances."""
        words: Words = self.words[np.searchsorted(self.rising, squared)]
        return words

    def above_pairs(self, pairs: Pairs) -> Words:
        """Return the same for pairs, whose distances are rough."""
        found = self.above(pairs.rough - pairs.slack)
        unsure = np.flatnonzero(found != self.above(pairs.rough + pairs.slack))
        found[unsure] = self.above(pairs.exact(unsure))
        return found


def _summed(index: Indices, words: Words, size: int) -> NDArray[np.int64]:
    """Return how many words of each index have each bit set, (size, 64)."""
    ones = np.ones(len(index), np.int64)
    which = csr_array((ones, (index, np.arange(len(index)))), shape=(size, len(index)))
    sums: NDArray[np.int64] = which @ bits_of(words)
    return sums


def _score(counts: Features, members: Words, k: int) -> Features:
    """Return the mean of min(1, count / k) over the members of each half, (64,)."""
    means: Features = np.minimum(counts / k, 1).sum(0) / bits_of(members).sum(0, dtype=np.float64)
    return means


def _calibrated(share: float, n: int, m: int, k: int) -> float:
    """Return for how many good samples, as a share of m, this much is expected to be covered."""
    return float(np.interp(share, _expected(n, m, k), np.arange(BEST * m + 1) / m))


@lru_cache(maxsize=8)
def _expected(n: int, m: int, k: int) -> Features:
    """Return what is covered on average by 0, 1, … 2m good samples and no other.

    C fakes of g are nearer than the k-th of n − 1 reals. All orders of these are equally likely,
    so C is negative hypergeometric; its mean, cut at k, is k − Σ (k − c) P(C = c), c = 0 … k − 1.
    """
    good, others = np.arange(BEST * m + 1.0), n - 1
    i = np.arange(k)[:, None]
    exactly = np.prod((others - i) / (others + good - i), axis=0)  # P(C = 0)
    missing = np.zeros_like(good)
    for c in range(k):
        missing += (k - c) * exactly
        left = np.maximum(good - c, 0)
        exactly *= (c + k) / (c + 1) * left / np.maximum(others - k + left, 1)
    expected: Features = 1 - missing / k
    return expected


def _as_share(values: Features, samples: int, settings: Settings) -> Estimate:
    """Estimate a share, at least as uncertain as the share of fixed samples, and at most 1."""
    estimate = interval_of_halves(values, settings)
    value = min(estimate.value, 1.0)
    fixed = exact_share(round(value * samples), samples, settings.method, settings.level)
    low, high = min(estimate.low, fixed.low), min(max(estimate.high, fixed.high), 1.0)
    return replace(estimate, value=value, low=min(low, value), high=high)
