"""Memorisation: are fakes nearer to the training data than to real data held out of it?

`copying` and `preference` compare the *same* fakes with both sets, so that how good the fakes are
does not matter. C_T and authenticity compare fakes with held-out samples at the training set, and
answer also to fakes that are merely unlike real samples: their null is p = q.

Not here: whether fakes are good or varied; a generator that copies is perfect at both.

Notation: fake (m, d), train (n, d), held-out (h, d); d(a, S) the distance from a to its nearest
in S.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t
from sklearn.cluster import KMeans
from torch import Tensor

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_features
from sparring.metrics.classifier import delong
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.neighbours import Indices, Neighbours, nearest, nearest_others
from sparring.metrics.normal import normal_estimate, quantile
from sparring.metrics.proportions import exact_share

MIN_SAMPLES = 20
LATER_NEIGHBOUR = 5  # the neighbour that is too far to be a source
MAX_NEIGHBOURS = 32  # of a fake in the pool: five of either side, but for a chance of 1e-5
HALF_SAMPLES = 63
ROUNDING = 1e-12  # differences of equal means stay below it
DISTINCT_SEARCHED = 1_000  # training samples among which different ones are counted
MAX_CELLS = 10  # of C_T
MIN_IN_CELL = 20  # fakes and held-out samples that a cell needs
PERMUTATIONS = 999

Sides = NDArray[np.bool]  # which of a set are on one side


def memorization(
    fake: ArrayLike | Tensor,
    train: ArrayLike | Tensor,
    held_out: ArrayLike | Tensor,
    *,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Test whether a generator copies what it was trained on.

    All p-values are one-sided: fakes are nearer to the training data.

    - `preference`: mean over the fakes of (d(a, held-out) − d(a, train))/(sum of the two), from
      equally many of both: 1 for exact copies, 0 without memory. Its p-value is exact at every
      size: for a generator that knows nothing of the training set but what is true of its
      population, training and held-out samples are exchangeable given the fakes. Any fit to the
      training set makes it positive, if by a little: that of a Gaussian, too.
    - `copying`: preference less the same of the distances to the fifth nearest, with a test of the
      same kind. A fit to the training set as a whole moves all neighbours alike and leaves it at
      0; copies of single samples leave it near 1. Blind to a sample that is in the set five times.
    - `c_t`: C_T of Meehan 2020, the standard score of fakes' against held-out samples' d(·, train)
      by the ranks within cells of the training data, below 0 if fakes are nearer; here divided by
      the standard deviation of the weighted mean over cells, so that it is N(0, 1) at p = q.
    - `authenticity`: share of fakes that are farther from their nearest training sample than that
      is from another (Alaa 2022, section 3.3). It is not ½ without memory:
      `authenticity_held_out` is the same share of held-out samples, `authenticity_gap` the second
      less the first, with a test clustered by the nearest training sample.

    Args:
        fake, train, held_out: features, (m, d), (n, d) and (h, d).
        permutations: of the exact tests; the least p-value is 1/(permutations + 1).
        level: of the intervals.
        seed: of the permutations, of the subset that balances the sizes, and of the cells.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 20 samples on a
            side; no permutation; a level that is not between 0 and 1.
    """
    quantile(level)  # refuses other levels
    fakes, training, held_out = _checked(fake, train, held_out)
    if permutations < 1:
        raise SparringError(f"permutations is {permutations}; expected at least 1")
    fakes_near, held_near = _nearest_one(fakes, training), _nearest_one(held_out, training)
    between = nearest_others(training).distances[:, 0]
    cells = _cells(training, min(len(fakes), len(held_out)), seed)
    return {
        **_preferences(fakes, training, held_out, permutations, level, seed),
        "c_t": _c_t(held_near, fakes_near, cells, level),
        **_authenticity(held_near, fakes_near, between, level),
    }


def _checked(*arrays: ArrayLike | Tensor) -> list[Features]:
    names = ("fake", "train", "held_out")
    sides = [as_features(n, a, MIN_SAMPLES) for n, a in zip(names, arrays, strict=True)]
    widths = [side.shape[1] for side in sides]
    if len(set(widths)) > 1:
        by_name = ", ".join(f"{width} of {name}" for name, width in zip(names, widths, strict=True))
        raise SparringError(f"features differ in width: {by_name}; expected the same")
    return sides


class _Near(NamedTuple):
    """The nearest training sample."""

    owner: Indices
    distance: Features


def _nearest_one(x: Features, training: Features) -> _Near:
    indices, distances = nearest(x, training)
    return _Near(indices[:, 0], distances[:, 0])


def _preferences(
    fakes: Features,
    training: Features,
    held_out: Features,
    permutations: int,
    level: float,
    seed: int,
) -> dict[str, Estimate]:
    """Estimate `copying` and `preference`, and test them by relabelling the pool."""
    size = min(len(training), len(held_out))
    pool = np.concatenate(
        [_subset(seed, "train", training, size), _subset(seed, "held", held_out, size)]
    )
    near = nearest(fakes, pool, min(MAX_NEIGHBOURS, 2 * size))
    is_train = np.arange(2 * size) < size
    values = _mean_preferences(near, is_train, ~is_train).tolist()
    p_values = _permuted(near, is_train, values, permutations, seed)
    times = float(t.ppf((1 + level) / 2, HALF_SAMPLES - 1))
    reach = [times * deviation for deviation in _deviations(near, is_train, seed)]
    method = (
        f"{size} training against {size} held-out samples; {permutations} permutations; "
        f"{HALF_SAMPLES} half-samples of fakes and held-out, given the training data"
    )
    return {
        name: Estimate(
            values[i],
            max(-bound, values[i] - reach[i]),
            min(bound, values[i] + reach[i]),
            min(len(fakes), size),
            method,
            level,
            p_values[i],
        )
        for i, (name, bound) in enumerate({"copying": 2.0, "preference": 1.0}.items())
    }


def _subset(seed: int, name: str, side: Features, size: int) -> Features:
    return side[permutation(seed, f"memorization, {name}", len(side))[:size]]


def _permuted(
    near: Neighbours, is_train: Sides, values: list[float], permutations: int, seed: int
) -> list[float]:
    """Return the share of labelings of the pool, the given one included, with values as large."""
    at_least = np.ones(len(values))
    for repeat in range(permutations):
        sides = is_train[permutation(seed, f"memorization, permutation {repeat}", len(is_train))]
        at_least += _mean_preferences(near, sides, ~sides) >= np.subtract(values, ROUNDING)
    return [float(count) / (1 + permutations) for count in at_least]


def _mean_preferences(near: Neighbours, train: Sides, held_out: Sides) -> Features:
    """Return copying and preference, (2,), from those of the pool on either side."""
    first, later = (
        float(_relative(a, b).mean())
        for a, b in zip(_distances_to(near, held_out), _distances_to(near, train), strict=True)
    )
    return np.array([first - later, first])


def _distances_to(near: Neighbours, side: Sides) -> Iterator[Features]:
    """Yield the distance of the first and of the fifth neighbour on a side.

    Where fewer are listed it is that of the last listed, whatever the labels: the test stays exact.
    """
    counts = side[near.indices].cumsum(1, dtype=np.int8)
    for k in (1, LATER_NEIGHBOUR):
        reached = counts >= k
        place = np.where(reached[:, -1], reached.argmax(1), reached.shape[1] - 1)
        yield np.take_along_axis(near.distances, place[:, None], 1)[:, 0]


def _relative(held_out: Features, train: Features) -> Features:
    """Return (held_out − train)/(held_out + train), and 0 where both are."""
    total = held_out + train
    return np.divide(held_out - train, total, out=np.zeros_like(total), where=total > 0)


def _deviations(near: Neighbours, is_train: Sides, seed: int) -> list[float]:
    """Return standard deviations over fakes and held-out samples, by halves as in `neighbours`."""
    halves = []
    for half in range(HALF_SAMPLES):
        held_out = _half(seed, f"held-out, half {half}", len(is_train) // 2)
        fakes = _half(seed, f"fakes, half {half}", len(near.indices))
        fewer = Neighbours(near.indices[fakes], near.distances[fakes])
        halves.append(
            _mean_preferences(fewer, is_train, np.append(np.zeros_like(held_out), held_out))
        )
    return [float(deviation) for deviation in np.std(halves, 0, ddof=1)]


def _half(seed: int, purpose: str, n: int) -> Sides:
    return permutation(seed, purpose, n) < n // 2


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
