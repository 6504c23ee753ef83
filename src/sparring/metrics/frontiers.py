"""MAUVE: two sample sets as histograms over clusters, compared along their mixtures.

Here: the score of Pillutla 2021 with a quantiser that has not seen the samples it counts, so that
counts are multinomial and an interval holds. Not here: features of texts; they come in.

Notation: p and q the probabilities of the K buckets, c the scale, R_w = w p + (1 − w) q a mixture;
the curve is (exp(−c KL(q‖R_w)), exp(−c KL(p‖R_w))) for w from 0 to 1, and the score is the area
below it: 1 just where p = q.
"""

from collections.abc import Callable
from dataclasses import replace
from math import atanh, sqrt, tanh
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_pair
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.normal import squared_distance_estimate

SCALE = 5.0
WEIGHTS = np.linspace(1e-6, 1 - 1e-6, 25)  # those of the paper's code
MEAN_IN_BUCKET = 40  # counted samples of the smaller side for each bucket, on average
MIN_BUCKETS = 5  # buckets: of two, the score is too coarse to be corrected
MIN_SAMPLES = 200
MAX_GAP = 1 - 1e-9  # below 1, whose artanh is infinite
FAR_END = 3.4  # deviations: of 0.5 %, and a power of 80 %
RETAINED_VARIANCE = 0.9
PERMUTATIONS = 999
ROUNDING = 1e-12  # differences of equal values stay below it

Counts = NDArray[np.int64]  # (K,)


def mauve(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    *,
    buckets: int | None = None,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Estimate the score of Pillutla 2021, eq. 3, given a quantiser, and test p = q.

    Half of the samples make the quantiser (unit norm, principal components with 90 % of the
    variance, k-means), blind to which are real; the others are counted in its buckets. The
    estimand of `mauve` is the score of the buckets' true probabilities: that of counts is biased
    low, and is corrected here. The p-value is exact: it permutes the labels of what is counted.
    `baseline` is what p = q gives at these sizes: the mean over these permutations, and between
    which ends the share `level` of them falls.

    Args:
        real, fake: features, (n, d) and (m, d).
        buckets: K; one for each 40 counted samples of the smaller side, at least 5,
            unless given.
        permutations: of the test.
        level: of the interval.
        seed: of the halves, the clusters and the permutations.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 200 samples on a
            side; fewer than two buckets, or more than there are different samples to make them of;
            no permutation; a level that is not between 0 and 1.
    """
    x, y = as_pair(real, fake, MIN_SAMPLES)
    if permutations < 1:
        raise SparringError(f"permutations is {permutations}; expected at least 1")
    smaller = min(len(x), len(y))
    count = max(MIN_BUCKETS, smaller // 2 // MEAN_IN_BUCKET) if buckets is None else buckets
    quantised = quantiser(x, y, count, seed)
    reals, fakes = quantised.histogram(quantised.x), quantised.histogram(quantised.y)
    settings = (smaller, f"MAUVE, {count} buckets, {reals.sum()} + {fakes.sum()} counted", level)
    gap, under_null = _gap_of_counts(reals, fakes, *settings), np.empty(permutations)
    for repeat in range(permutations):
        under_null[repeat] = jackknifed_gap(*_permuted(reals, fakes, seed, repeat))[0]
    at_least = 1 + int((under_null >= gap.value - ROUNDING).sum())
    p_value, null = at_least / (1 + permutations), _score_under_null(under_null)
    return {
        "mauve": replace(_as_score(gap), p_value=p_value, under_null=null),
        "baseline": _baseline(under_null, *settings),
    }


def _score_under_null(gaps: Features) -> Null:
    """Return the score at p = q, with the deviation at its far end, where the gap is normal."""
    mean = float((1 - gaps.clip(0, 1) ** 2).mean())
    end = min(1.0, max(0.0, float(gaps.mean() + FAR_END * gaps.std())))
    return Null(mean, max(0.0, mean - 1 + end**2) / FAR_END, 0.0)


def _gap_of_counts(reals: Counts, fakes: Counts, n: int, method: str, level: float) -> Estimate:
    """Estimate g = √(1 − score): a squared distance near 0, and at most 1, where its error ends.

    artanh stretches that end, and leaves the other as it is.
    """
    gap, variance = jackknifed_gap(reals, fakes)
    inner = min(gap, MAX_GAP)
    stretched = variance / (1 - inner**2) ** 2
    estimate = squared_distance_estimate(atanh(inner), stretched, n, f"{method}; jackknife", level)
    estimate = replace(estimate, value=gap, low=tanh(estimate.low), high=tanh(estimate.high))
    if variance:
        return estimate
    # no bucket is shared, whichever sample is left out; half a sample more in each would differ
    half_more = [(counts + 0.5) / (counts + 0.5).sum() for counts in (reals, fakes)]
    return replace(estimate, low=sqrt(1 - score(*half_more)), high=gap)


def _permuted(reals: Counts, fakes: Counts, seed: int, repeat: int) -> tuple[Counts, Counts]:
    """Call as many of all that were counted real as there are reals, at random."""
    pool = np.repeat(np.arange(len(reals)), reals + fakes)
    chosen = pool[permutation(seed, f"mauve, permutation {repeat}", len(pool))[: reals.sum()]]
    called_real = np.bincount(chosen, minlength=len(reals))
    return called_real, reals + fakes - called_real


def _baseline(gaps: Features, n: int, method: str, level: float) -> Estimate:
    """Return the mean score at p = q, and between which ends the share `level` of them falls."""
    low, high = np.quantile(gaps, [(1 - level) / 2, (1 + level) / 2])
    method = f"{method}; p = q, {len(gaps)} permutations"
    ends = _as_score(Estimate(float(gaps.mean()), float(low), float(high), n, method, level))
    return replace(ends, value=float((1 - gaps.clip(0, 1) ** 2).mean()))


def _as_score(gap: Estimate) -> Estimate:
    """Return 1 − g² for an estimate of g, whose negative values stand for 0."""
    value, high, low = (1 - min(max(g, 0.0), 1.0) ** 2 for g in (gap.value, gap.low, gap.high))
    return replace(gap, value=value, low=low, high=high)


class Quantiser(NamedTuple):
    """Buckets, and the samples that did not make them."""

    histogram: Callable[[Features], Counts]  # (any number, d) to (K,)
    x: Features
    y: Features


def quantiser(x: Features, y: Features, buckets: int, seed: int) -> Quantiser:
    """Make buckets of one half of each side.

    Raises:
        SparringError: a sample of zeros; fewer than 2 buckets or too many.
    """
    x = _directions("real", x)[permutation(seed, "mauve, real", len(x))]
    y = _directions("fake", y)[permutation(seed, "mauve, fake", len(y))]
    fitted = np.concatenate([x[: len(x) // 2], y[: len(y) // 2]])
    different = len(np.unique(fitted, axis=0))
    if not 2 <= buckets <= different:
        raise SparringError(
            f"buckets is {buckets}; expected 2 to {different}, as many as there are different "
            "samples to make them of"
        )
    components = PCA(RETAINED_VARIANCE, svd_solver="covariance_eigh").fit(fitted)
    clusters = KMeans(buckets, n_init=1, random_state=seed).fit(components.transform(fitted))

    def histogram(samples: Features) -> Counts:
        directions = samples / np.linalg.norm(samples, axis=1, keepdims=True)
        labels = clusters.predict(components.transform(directions))
        return np.bincount(labels, minlength=buckets).astype(np.int64)

    return Quantiser(histogram, x[len(x) // 2 :], y[len(y) // 2 :])


def _directions(name: str, side: Features) -> Features:
    lengths = np.linalg.norm(side, axis=1, keepdims=True)
    if not lengths.all():
        zeros = int((lengths == 0).sum())
        raise SparringError(f"{zeros} samples of {name} are zero; they have no direction")
    directions: Features = side / lengths
    return directions


def score(p: Features, q: Features) -> float:
    """Return the area under the curve of two histograms, of shape (K,) (Pillutla 2021, eq. 3)."""
    return 1 - float(_gap(_terms(p, q).sum(-1))) ** 2


def jackknifed_gap(reals: Counts, fakes: Counts) -> tuple[float, float]:
    """Return g = √(1 − score) freed of its first-order bias, and its variance.

    Near p = q the score is 1 less a square of squared differences, so its bias is of second order
    in 1/n and the jackknife would turn it over; that of g is of first order. Samples of one bucket
    are alike, so leaving each out in turn is leaving out one of each bucket, weighted. Quenouille
    1956; for two samples, the sums over both.
    """
    n, m = int(reals.sum()), int(fakes.sum())
    p, q = reals / n, fakes / m
    whole = float(_gap(_terms(p, q).sum(-1)))
    bias = variance = 0.0
    for counts, unchanged, fewer in (
        (reals, _terms(reals / (n - 1), q), _terms(_one_less(reals), q)),
        (fakes, _terms(p, fakes / (m - 1)), _terms(p, _one_less(fakes))),
    ):
        without = _gap(unchanged.sum(-1, keepdims=True) - unchanged + fewer)  # (K,)
        share = counts / counts.sum()
        mean = float(share @ without)
        others = int(counts.sum()) - 1
        bias += others * (mean - whole)
        variance += others * float(share @ (without - mean) ** 2)
    return whole - bias, variance


def _one_less(counts: Counts) -> Features:
    """Return each bucket's share after one of its own samples has left."""
    shares: Features = (counts - 1).clip(0) / (counts.sum() - 1)
    return shares


def _terms(p: Features, q: Features) -> Features:
    """Return each bucket's terms of KL(q‖R_w) and KL(p‖R_w), (2, weights, K)."""
    mixed = WEIGHTS[:, None] * p + (1 - WEIGHTS[:, None]) * q
    return np.stack([xlogy(q, q) - xlogy(q, mixed), xlogy(p, p) - xlogy(p, mixed)])


def _gap(divergences: Features) -> Features:
    """Return √(1 − area) from both divergences, (2, weights, …), the curve closed at its ends."""
    ends = np.zeros_like(divergences[:, :1])
    from_q, from_p = np.exp(-SCALE * divergences)
    x = np.concatenate([ends[0] + 1, from_q, ends[0]])
    y = np.concatenate([ends[0], from_p, ends[0] + 1])
    gap: Features = np.sqrt((1 + np.trapezoid(y, x, axis=0)).clip(0))  # x falls: minus the area
    return gap
