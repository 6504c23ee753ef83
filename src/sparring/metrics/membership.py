"""What samples give away of their training set: who was in it, and how near they come to it.

Distances to the closest record are what people of tables expect; they tell little of what can be
inferred of a person (Yao 2025: "The DCR Delusion: Measuring the Privacy Risk of Synthetic Data"),
so an attack stands beside them. Neither proves privacy: a stronger attack may see more.

Notation: fake (m, d), train (n, d), held-out (h, d); d(a, S) the distance from a to its nearest in
S, itself left out.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, rankdata
from torch import Tensor

from sparring.metrics.arrays import Features
from sparring.metrics.classifier import delong
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.exchangeable import as_sides, p_value, pool_of
from sparring.metrics.neighbours import nearest, nearest_others
from sparring.metrics.normal import normal_estimate, quantile

PERMUTATIONS = 999
LOW = 0.05  # the quantile of distances beside their median


def membership_attack(
    fake: ArrayLike | Tensor,
    train: ArrayLike | Tensor,
    held_out: ArrayLike | Tensor,
    *,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate how well an attacker who has the samples tells training from held-out items.

    The area under the curve, ½ by guessing: the probability that a training item scores above a
    held-out one. An item scores by how much denser samples are about it than real items are, the
    density ratio of DOMIAS (van Breugel 2023: "Membership Inference Attacks against Synthetic Data
    through Overfitting Detection") with the nearest neighbour as the estimate of either density;
    the real items are those of both sides, so that the scores know no sides. The interval is
    DeLong's (1988); the p-value is exact over who was trained on, see `exchangeable`.

    Args:
        fake, train, held_out: features, (m, d), (n, d) and (h, d).
        groups: of training and held-out items, (n,) and (h,), which change sides together.
        permutations: of the test.
        level: of the interval.
        seed: of the permutations.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 20 on a side;
            groups of other shape, or on both sides; no permutation; a level not in (0, 1).
    """
    quantile(level)
    fakes, trained, unseen = as_sides(fake, train, held_out, permutations=permutations)
    n, h = len(trained), len(unseen)
    scores = _scores(fakes, np.concatenate([trained, unseen]))
    area, variance = delong(scores[n:], scores[:n])
    pool, ranks = pool_of(n, h, groups), rankdata(scores)
    sums = pool.sums(ranks, permutations, seed)
    method = f"area, DeLong; nearest of {len(fakes)} samples and of {n + h} items"
    variance = max(variance, 1 / (4 * min(n, h) ** 2))
    estimate = normal_estimate(area, variance, min(n, h), method, level)
    return replace(
        estimate,
        low=max(0.0, estimate.low),
        high=min(1.0, estimate.high),
        p_value=p_value(sums),
        under_null=Null(0.5, pool.deviation(ranks) / (n * h), limit=1.0),
    )


def closest_record(
    fake: ArrayLike | Tensor, train: ArrayLike | Tensor, *, level: float = LEVEL
) -> dict[str, Estimate]:
    """Estimate median and 5 % quantile of d(·, train), with bounds by ranks given the training set.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 20 on a side; a
            level that is not between 0 and 1.
    """
    quantile(level)
    samples, trained = as_sides(fake, train)
    distances = np.sort(nearest(samples, trained).distances[:, 0])
    return {name: _quantile(distances, q, level) for name, q in (("median", 0.5), ("low", LOW))}


def _quantile(distances: Features, q: float, level: float) -> Estimate:
    """Return a quantile with the order statistics that bound it (David & Nagaraja 2003, 7.1)."""
    n, tail = len(distances), (1 - level) / 2
    low, high = int(binom.ppf(tail, n, q)) - 1, int(binom.isf(tail, n, q))
    return Estimate(
        float(np.quantile(distances, q)),
        float(distances[low]) if low >= 0 else 0.0,
        float(distances[min(high, n - 1)]),
        n,
        f"quantile {q:g} of distances to the closest record; by ranks, given these records",
        level,
    )


def _scores(fakes: Features, real: Features) -> Features:
    """Return how much nearer the nearest fake is than the nearest other real, (N,), 0 to 1."""
    to_real = nearest_others(real).distances[:, 0]
    total = to_real + nearest(real, fakes).distances[:, 0]
    return np.divide(to_real, total, out=np.full_like(total, 0.5), where=total > 0)
