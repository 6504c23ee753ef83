"""Memorisation: are fakes nearer to the training data than to real data held out of it?

`copying`, `preference` and `duplicates` compare the *same* fakes with both sets, so that how good
the fakes are does not matter. C_T and authenticity compare fakes with held-out samples at the
training set, and answer also to fakes that are merely unlike real samples: their null is p = q.

Not here: whether fakes are good or varied; a generator that copies is perfect at both.

Notation: fake (m, d), train (n, d), held-out (h, d), the pool of both (n + h, d), a share π of it
training samples; d(a, S) the distance from a to its nearest in S.
"""

from dataclasses import replace
from math import ceil, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, norm, t
from sklearn.cluster import KMeans
from torch import Tensor

from sparring.draws import permutation
from sparring.metrics.arrays import Features
from sparring.metrics.classifier import delong
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.exchangeable import (
    Indices,
    Pool,
    Sides,
    as_sides,
    least_p_value,
    p_value,
    pool_of,
)
from sparring.metrics.neighbours import Neighbours, nearest, nearest_others
from sparring.metrics.normal import normal_estimate, quantile
from sparring.metrics.proportions import exact_share
from sparring.metrics.repeats import Repeats, repeats_of

LATER_NEIGHBOUR = 5  # the neighbour that is too far to be a source
MAX_NEIGHBOURS = 48  # of a fake in the pool: with one in ten held out, some are, but for 0.6 %
# of the fifth-nearest's distance: what is no further repeats its nearest; tested together
STRICTNESS = (0.0, 1 / 30, 1 / 10, 1 / 3, 2 / 3, 5 / 6)
NEAR = STRICTNESS[:4]  # those by which repeats are counted
BY_NATURE = 0.05  # of held-out samples, who may repeat a training sample at that limit
HALF_SAMPLES = 63
DISTINCT_SEARCHED = 1_000  # training samples among which different ones are counted
MAX_CELLS = 10  # of C_T
MIN_IN_CELL = 20  # fakes and held-out samples that a cell needs
PERMUTATIONS = 999
TIMES_MORE = 5  # labelings for sums, which cost less
ALPHA, POWER = 0.005, 0.8  # of the least share of copies that would have been seen on a card


def memorization(
    fake: ArrayLike | Tensor,
    train: ArrayLike | Tensor,
    held_out: ArrayLike | Tensor,
    *,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Test whether a generator copies what it was trained on.

    All p-values are one-sided: fakes are nearer to the training data. Those of `preference` and
    `copying` are exact at every size, however many more were trained on than held out: without
    memory, training and held-out samples are exchangeable given the fakes.

    - `preference`: mean over the fakes of (d(a, held-out) − d(a, train))/(sum of the two), as a
      share of the way from its mean over other labelings to 1: 0 without memory, 1 for exact
      copies. Any fit to the training set makes it positive, if by a little: a Gaussian's, too.
    - `copying`: share of fakes that nearly repeat a training sample, less n/h times that of fakes
      that nearly repeat a held-out one: 0 without memory, else the share of copies. See `_copying`.
    - `duplicates`: share of fakes that repeat a training sample, exactly or nearly; beside
      `duplicates_held_out`.
    - `c_t`: C_T of Meehan 2020, the standard score of fakes' against held-out samples' d(·, train)
      by the ranks within cells of the training data, below 0 if fakes are nearer; here divided by
      the standard deviation of the weighted mean over cells, so that it is N(0, 1) at p = q.
    - `authenticity`: share of fakes that are farther from their nearest training sample than that
      is from another (Alaa 2022, section 3.3). It is not ½ without memory:
      `authenticity_held_out` is the same share of held-out samples, `authenticity_gap` the second
      less the first, with a test clustered by the nearest training sample.

    Args:
        fake, train, held_out: features, (m, d), (n, d) and (h, d).
        groups: of the last two, (n,) and (h,), which change sides together.
        permutations: of the test of `preference`; that of `copying` takes five times as many.
        level: of the intervals.
        seed: of the permutations, of the half-samples, and of the cells.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 20 samples on a
            side; groups of other shape, or on both sides; no permutation; a level not in (0, 1).
    """
    quantile(level)  # refuses other levels
    fakes, training, held_out = as_sides(fake, train, held_out, permutations=permutations)
    pool = pool_of(len(training), len(held_out), groups)
    settings = _Settings(permutations, level, seed)
    sources = _sources(fakes, np.concatenate([training, held_out]), pool, seed)
    fakes_near, held_near = (nearest(x, training, LATER_NEIGHBOUR) for x in (fakes, held_out))
    between = nearest_others(training).distances[:, 0]
    cells, limit = _cells(training, min(len(fakes), len(held_out)), seed), _limit(held_near)
    return {
        "copying": _copying(sources, repeats_of(fakes, training, held_out), limit, settings),
        "preference": _preference(sources, settings),
        "duplicates": _duplicates(fakes_near, limit, "fakes", level),
        "duplicates_held_out": _duplicates(held_near, limit, "held-out samples", level),
        "c_t": _c_t(_first(held_near), _first(fakes_near), cells, level),
        **_authenticity(_first(held_near), _first(fakes_near), between, level),
    }


def repeated_share(
    fake: ArrayLike | Tensor,
    train: ArrayLike | Tensor,
    *,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return the share of fakes that equal a training sample, where nothing is held out.

    The p-value is that of `repeats`: a perfect generator's fakes and training samples repeat each
    other as often as either repeats itself.

    Args:
        fake, train: features, (m, d) and (n, d).
        permutations: of the test.
        level: of the interval.
        seed: of the permutations.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 20 samples on a
            side; no permutation; a level not in (0, 1).
    """
    quantile(level)
    fakes, training = as_sides(fake, train, permutations=permutations)
    repeats = repeats_of(fakes, training, training[:0])
    equal = (nearest(fakes, training).distances[:, 0] == 0).sum()
    share = exact_share(int(equal), len(fakes), "equal to a training sample; exact binomial", level)
    return replace(share, p_value=repeats.p_value(permutations, seed))


class _Settings(NamedTuple):
    permutations: int
    level: float
    seed: int


class _Sources(NamedTuple):
    """The nearest of the pool to each fake, and the pool in the same order."""

    near: Neighbours
    pool: Pool


def _sources(fakes: Features, real: Features, pool: Pool, seed: int) -> _Sources:
    """Look through the pool in an order that knows no sides: it decides between equals."""
    order = permutation(seed, "memorization, pool", len(real))
    near = nearest(fakes, real[order], min(MAX_NEIGHBOURS, len(real)))
    return _Sources(near, Pool(pool.unit[order], pool.trained))


def _preference(sources: _Sources, settings: _Settings) -> Estimate:
    """Estimate the preference relative to its null, and test it by relabelling the pool."""
    near, pool = sources
    is_train = pool.is_train
    labelings = pool.labelings(settings.permutations, settings.seed)
    mean = _MeanPreference(near)
    found = mean(is_train)
    others = np.array([mean(sides) for sides in labelings])
    at_null, trained = float(others.mean()), int(is_train.sum())
    value = 1 - (1 - found) / (1 - at_null)
    reach = float(t.ppf((1 + settings.level) / 2, HALF_SAMPLES - 1)) / (1 - at_null)
    reach *= _deviation(near, is_train, settings.seed)
    method = (
        f"{trained} training against {len(is_train) - trained} held-out samples; {at_null:.3g} "
        f"without memory; {settings.permutations} permutations; {HALF_SAMPLES} half-samples of "
        "fakes and held-out, given the training data"
    )
    return Estimate(
        value,
        value - reach,
        min(1.0, value + reach),
        min(len(near.indices), trained, len(is_train) - trained),
        method,
        settings.level,
        p_value(np.append(found, others)),
        under_null=Null(0.0, float(others.std()) / (1 - at_null), limit=1.0),
    )


class _MeanPreference:
    """The mean of (d(a, held-out) − d(a, train))/(sum of the two) over fakes, by labeling.

    The nearest of all is one of the two, the first listed of the other side the other one; where
    none is listed, the last listed stands for it whatever the labels: the test stays exact.
    """

    def __init__(self, near: Neighbours) -> None:
        first, total = near.distances[:, :1], near.distances + near.distances[:, :1]
        gain = near.distances - first
        self._indices = near.indices
        self._relative = np.divide(gain, total, out=np.zeros_like(total), where=total > 0)
        self._rows = np.arange(len(first))

    def __call__(self, is_train: Sides) -> float:
        """Return it for these labels of the pool, (N,)."""
        listed = is_train[self._indices]
        nearest_is_train = listed[:, 0].copy()
        listed ^= nearest_is_train[:, None]
        place = listed.argmax(1)
        place[~listed[self._rows, place]] = listed.shape[1] - 1
        relative = self._relative[self._rows, place]
        return float(np.where(nearest_is_train, relative, -relative).mean())


def _deviation(near: Neighbours, is_train: Sides, seed: int) -> float:
    """Return the standard deviation over fakes and held-out samples, by halves.

    A held-out sample that is left out is out of reach, after all that are not.
    """
    held_out, means = np.flatnonzero(~is_train), []
    for half in range(HALF_SAMPLES):
        left = np.zeros_like(is_train)
        left[held_out[_half(seed, f"held-out, half {half}", len(held_out))]] = True
        fakes = _half(seed, f"fakes, half {half}", len(near.indices))
        indices, distances = near.indices[fakes], near.distances[fakes]
        order = left[indices].argsort(1, kind="stable")
        some = Neighbours(
            np.take_along_axis(indices, order, 1), np.take_along_axis(distances, order, 1)
        )
        means.append(_MeanPreference(some)(is_train))
    return float(np.std(means, ddof=1))


def _half(seed: int, purpose: str, n: int) -> Sides:
    return permutation(seed, purpose, n) < n // 2


def _limit(held_out: Neighbours) -> float:
    """Return the widest limit of nearness at which few held-out samples repeat a training one."""
    first, later = held_out.distances[:, 0], held_out.distances[:, LATER_NEIGHBOUR - 1]
    few = (limit for limit in NEAR[::-1] if (first <= limit * later).mean() <= BY_NATURE)
    return next(few, 0.0)


def _copying(sources: _Sources, repeats: Repeats, limit: float, settings: _Settings) -> Estimate:
    """Estimate the share of copies, and test it at all limits of nearness at once.

    Nearly is at most a third as far from a sample as from the fifth-nearest of the pool, or a
    tenth, a thirtieth or not at all, see `_limit`; so it is blind, but to exact copies, where a
    sample is in the set five times. The test counts with six such limits, from 0 to 5/6, and goes
    by the one that says most (Westfall & Young 1993). Where
    any samples are equal, it also asks whether fakes equal training samples more often than a
    second sample of one law could, see `repeats`, and takes twice the lower p-value.
    """
    near, pool = sources
    fakes, size = len(near.indices), len(pool.unit)
    repeated = np.stack([_repeated(near, limit, size) for limit in STRICTNESS], 1)
    count = TIMES_MORE * (1 + settings.permutations) - 1
    p = least_p_value(pool.sums(repeated, count, settings.seed))
    if repeats.any:
        p = min(1.0, 2 * min(p, repeats.p_value(settings.permutations, settings.seed)))
    method = f"{size} training and held-out samples, {_within(limit)}; {count} permutations"
    share = _excess(repeated[:, STRICTNESS.index(limit)], pool, fakes, method, settings.level)
    return replace(share, p_value=p, under_null=_unseen(repeated, pool, fakes))


def _repeated(near: Neighbours, limit: float, size: int) -> Features:
    """Return how many fakes nearly repeat each of the pool, (N,); equals share a fake."""
    first, later = near.distances[:, 0], near.distances[:, LATER_NEIGHBOUR - 1]
    equals = (near.distances == first[:, None]) & (first <= limit * later)[:, None]
    fake, place = np.nonzero(equals)
    parts = 1 / equals.sum(1)[fake]
    return np.bincount(near.indices[fake, place], parts, size).astype(np.float64)


def _excess(repeated: Features, pool: Pool, fakes: int, method: str, level: float) -> Estimate:
    """Estimate the share of fakes that repeat training samples beyond what held-out ones tell.

    Both shares have exact bounds; that of held-out samples, of which other ones might have been
    drawn, as if of fewer fakes by the factor that repeats of one sample add to its variance. They
    are put together as by Zou & Donner 2008.
    """
    is_train = pool.is_train
    train, held_out = repeated[is_train], repeated[~is_train]
    times, total = pool.share / (1 - pool.share), float(held_out.sum())
    fewer = max(1.0, float(np.square(held_out).sum()) / total) if total else 1.0
    (a, low, high), (b, lowest, highest) = (
        _bounds(float(train.sum()), fakes, level),
        _bounds(total / fewer, fakes / fewer, level),
    )
    value = a - times * b
    below, above = sqrt((a - low) ** 2 + (times * (highest - b)) ** 2), (high - a)
    above = sqrt(above**2 + (times * (b - lowest)) ** 2)
    n = min(fakes, len(train), len(held_out))
    return Estimate(value, value - below, min(1.0, value + above), n, method, level)


def _bounds(k: float, n: float, level: float) -> tuple[float, float, float]:
    """Return k/n with exact binomial bounds (Clopper & Pearson 1934)."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(beta.isf(tail, k + 1, n - k)) if k < n else 1.0
    return k / n, low, high


def _unseen(repeated: Features, pool: Pool, fakes: int) -> Null:
    """Return the null as that of a normal test which sees as large a share of copies.

    k copies of different samples, beside b fakes that are as near by nature, are found if no more
    than chance lies between k (1 − π) and the spread of k + b labels; and at the best no labeling
    of π^k of them is as good.
    """
    share, size = pool.share, len(pool.unit)
    high, power = norm.isf(ALPHA / 2), norm.isf(1 - POWER)
    least = log(ALPHA / 2) / log(share)
    found = [10 * (size + fakes)]  # far more than there are: none would be found
    for counts in repeated.T:
        by_nature = float(np.square(counts).sum())
        k = np.arange(ceil(least), max(ceil(least), size) + 1)
        needed = (high * np.sqrt(k + by_nature) + power * sqrt(by_nature)) * sqrt(
            share * (1 - share)
        )
        enough = k[k * (1 - share) >= needed]
        found += [int(enough[0])] if len(enough) else []
    return Null(0.0, min(found) / fakes / (norm.isf(ALPHA) + power), limit=1.0)


def _within(limit: float) -> str:
    return f"within {limit:.2g} of the fifth-nearest's distance"


def _duplicates(near: Neighbours, limit: float, whose: str, level: float) -> Estimate:
    """Count who repeats a training sample exactly or nearly."""
    first, later = near.distances[:, 0], near.distances[:, LATER_NEIGHBOUR - 1]
    count = int((first <= limit * later).sum())
    method = f"{whose} that repeat a training sample, {_within(limit)}; binomial, given that data"
    return exact_share(count, len(first), method, level)


class _Near(NamedTuple):
    """The nearest training sample."""

    owner: Indices
    distance: Features


def _first(near: Neighbours) -> _Near:
    return _Near(near.indices[:, 0], near.distances[:, 0])


def _cells(training: Features, compared: int, seed: int) -> Indices:
    """Divide the training data into cells, (n,), few enough to hold 50 compared samples each."""
    distinct = len(np.unique(training[:DISTINCT_SEARCHED], axis=0))
    count = max(1, min(MAX_CELLS, compared // 50, distinct))
    cells: Indices = KMeans(count, n_init=1, random_state=seed).fit(training).labels_
    return cells.astype(np.int64)


def _c_t(held_out: _Near, fakes: _Near, cells: Indices, level: float) -> Estimate:
    """Estimate C_T: Σ w_c z_c / √Σ w_c² with the share w_c of held-out samples in each cell c.

    z_c is the Mann–Whitney statistic of a cell over its standard deviation at p = q; DeLong's
    variance makes the interval.
    """
    scores, variances, weights = [], [], []
    for x, y in _compared(held_out, fakes, cells):
        area, variance = delong(x, y)
        at_null = (len(x) + len(y) + 1) / (12 * len(x) * len(y))
        minimum = 1 / (4 * min(len(x), len(y)) ** 2)  # where all agree, half a sample's worth
        scores.append((area - 0.5) / sqrt(at_null))
        variances.append(max(variance, minimum) / at_null)
        weights.append(len(x))
    w = np.asarray(weights) / np.linalg.norm(weights)
    value, n = float(w @ scores), min(len(held_out.owner), len(fakes.owner))
    method = f"C_T over {len(scores)} cells, N(0, 1) at p = q; Mann–Whitney, DeLong"
    score = normal_estimate(value, float(w**2 @ variances), n, method, level)
    return replace(score, p_value=float(norm.cdf(value)))


def _compared(held_out: _Near, fakes: _Near, cells: Indices) -> list[tuple[Features, Features]]:
    """Return the distances in each cell that has enough of both; else all in one."""
    cell_distances = [
        (
            held_out.distance[cells[held_out.owner] == cell],
            fakes.distance[cells[fakes.owner] == cell],
        )
        for cell in range(int(cells.max()) + 1)
    ]
    enough = [sides for sides in cell_distances if min(map(len, sides)) >= MIN_IN_CELL]
    return enough or [(held_out.distance, fakes.distance)]


def _authenticity(
    held_out: _Near, fakes: _Near, between: Features, level: float
) -> dict[str, Estimate]:
    """Estimate both shares and their difference; `between` is each training sample's distance."""
    authentic, expected = (near.distance > between[near.owner] for near in (fakes, held_out))
    gap = float(expected.mean() - authentic.mean())
    clustered = _clustered(
        ((fakes.owner, -_residuals(authentic)), (held_out.owner, _residuals(expected)))
    )
    variance = max(clustered, _adjusted(authentic, expected))
    estimate = normal_estimate(
        gap,
        variance,
        min(len(authentic), len(expected)),
        "authenticity of held-out samples less fakes', clustered by the nearest training sample",
        level,
    )
    return {
        "authenticity": _share(authentic, "fakes", level),
        "authenticity_held_out": _share(expected, "held-out samples", level),
        "authenticity_gap": replace(
            estimate,
            low=max(-1.0, estimate.low),
            high=min(1.0, estimate.high),
            p_value=float(norm.sf(gap / sqrt(variance))),
        ),
    }


def _share(authentic: Sides, whose: str, level: float) -> Estimate:
    method = f"{whose} farther from training data than that from itself; binomial, given that data"
    return exact_share(int(authentic.sum()), len(authentic), method, level)


def _residuals(authentic: Sides) -> Features:
    residuals: Features = (authentic - authentic.mean()) / len(authentic)
    return residuals


def _clustered(terms: tuple[tuple[Indices, Features], ...]) -> float:
    """Return the variance of a sum of terms that are dependent within a cluster.

    Liang & Zeger 1986, with the usual factor for the number of clusters.
    """
    labels, values = (np.concatenate(column) for column in zip(*terms, strict=True))
    _, cluster = np.unique(labels, return_inverse=True)
    sums = np.bincount(cluster, values).astype(np.float64)
    return float(np.square(sums).sum()) * len(sums) / max(len(sums) - 1, 1)


def _adjusted(*sides: Sides) -> float:
    """Return the gap's variance without clusters, kept from 0 (Agresti & Caffo 2000)."""
    shares = [((side.sum() + 1) / (len(side) + 2), len(side) + 2) for side in sides]
    return sum(float(share * (1 - share) / size) for share, size in shares)
