"""Measures against a density that is known: what other metrics can only estimate around.

Notation: p the known density, q the generator's, both on ℝᵈ; n samples of q.
"""

from functools import lru_cache
from math import lgamma, log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree
from scipy.special import digamma
from scipy.stats import norm, t

from sparring.kinds.points.densities import Density, density
from sparring.metrics.arrays import Features, as_features
from sparring.metrics.estimate import LEVEL, Estimate, InfluenceEstimate
from sparring.metrics.proportions import wilson_share

MIN_MODE_SHARE = 0.1  # of what a mode should get, for it to count as covered
ENTROPY_NEIGHBOURS, DENSITY_NEIGHBOURS = 4, 50
HALVINGS, CALIBRATIONS = 8, 20
MIN_DISTANCE = 1e-12  # distance between samples; a collapsed generator repeats itself exactly


def modes_covered(truth: Density, fake: ArrayLike) -> int:
    """Count the modes that get at least a tenth of their fair share of high-quality samples."""
    points = as_features("fake", fake)
    centre, good = truth.nearest(points)
    hits = np.bincount(centre[good], minlength=len(truth.centres))
    return int((hits >= MIN_MODE_SHARE * len(points) / len(truth.centres)).sum())


def high_quality(truth: Density, fake: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the share of samples within 4σ of a centre, with Wilson's interval."""
    points = as_features("fake", fake)
    good = int(truth.nearest(points)[1].sum())
    return wilson_share(good, len(points), "share within 4σ", level)


def reverse_kl(truth: Density, fake: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return KL(q‖p) = E_q ln q − E_q ln p in nats, the entropy by nearest neighbours.

    ln q is that of Kozachenko & Leonenko 1987, ψ(k) − ψ(n) − ln(volume of the k-th neighbour's
    ball), k = 4. What the same estimator finds for as many samples of p itself is subtracted. The
    interval comes from halves of the samples, ((A − B)/2)² being the variance of the whole, and is
    wider by half of what was subtracted.
    """
    points = as_features("fake", fake, 4 * ENTROPY_NEIGHBOURS)
    bias = _bias_at_truth(truth.name, len(points))
    value = _raw_reverse_kl(truth, points) - bias
    random = np.random.Generator(np.random.Philox(0))
    halves = [np.array_split(random.permutation(points), 2) for _ in range(HALVINGS)]
    differences = [_raw_reverse_kl(truth, a) - _raw_reverse_kl(truth, b) for a, b in halves]
    error = float(np.sqrt(np.mean(np.square(differences))) / 2)
    reach = float(t.ppf((1 + level) / 2, HALVINGS)) * error + abs(bias) / 2
    return Estimate(value, value - reach, value + reach, len(points), "4 neighbours, halves", level)


def reverse_kl_with_influence(truth: Density, fake: ArrayLike) -> InfluenceEstimate:
    """Estimate as `reverse_kl` does, with what each sample adds to the mean, ln q − ln p (n,)."""
    points = as_features("fake", fake, 4 * ENTROPY_NEIGHBOURS)
    estimate = reverse_kl(truth, points)
    return InfluenceEstimate(**vars(estimate), influence=(_log_ratios(truth, points),))


def _raw_reverse_kl(truth: Density, points: Features) -> float:
    return float(_log_ratios(truth, points).mean())


def _log_ratios(truth: Density, points: Features) -> NDArray[np.float64]:
    n, d = points.shape
    distance = KDTree(points).query(points, ENTROPY_NEIGHBOURS + 1)[0][:, -1]  # the first is itself
    log_q = digamma(ENTROPY_NEIGHBOURS) - digamma(n) - _log_ball(d, distance)
    return np.asarray(log_q - truth.log_density(points), np.float64)


@lru_cache(maxsize=64)
def _bias_at_truth(name: str, n: int) -> float:
    """Return what the estimator finds at p = q, where the truth is 0."""
    truth = density(name)
    drawn = (truth.sample(n, seed) for seed in range(1000, 1000 + CALIBRATIONS))
    return float(np.mean([_raw_reverse_kl(truth, points) for points in drawn]))


def log_density_near(samples: ArrayLike, at: ArrayLike) -> NDArray[np.float64]:
    """Estimate ln q at points from samples of q, by the distance of the 50th neighbour.

    It adapts to modes of any width, as a kernel of one bandwidth does not; its standard error is
    about 1/√50 = 0.14.
    """
    drawn, points = as_features("samples", samples, DENSITY_NEIGHBOURS), as_features("at", at, 1)
    distance = KDTree(drawn).query(points, DENSITY_NEIGHBOURS)[0][:, -1]
    near = digamma(DENSITY_NEIGHBOURS) - log(len(drawn)) - _log_ball(drawn.shape[1], distance)
    return np.asarray(near, np.float64)


def log_density_through(
    z: NDArray[np.float64], g: NDArray[np.float64], at: ArrayLike
) -> NDArray[np.float64]:
    """Return ln q on the line for x = G(z), z ~ N(0, 1), by the change of variables.

    Exact for G that is linear between neighbouring z: q(x) sums φ(z)/|G′(z)| over all z with
    G(z) = x.

    Args:
        z: where G is known, (m,), rising.
        g: G there, (m,).
        at: the points, (n, 1).
    """
    x = as_features("at", at, 1)[:, 0]
    densities = np.zeros(len(x))
    rise, run = np.diff(g), np.diff(z)
    for i in np.flatnonzero(np.abs(rise) > 0):
        share = (x - g[i]) / rise[i]
        inside = (share >= 0) & (share < 1)
        densities[inside] += norm.pdf(z[i] + share[inside] * run[i]) * run[i] / abs(rise[i])
    return np.log(np.maximum(densities, np.finfo(np.float64).tiny))


def log_ratio_error(
    truth: Density,
    log_q: NDArray[np.float64],
    at: Features,
    log_ratio: NDArray[np.float64],
    *,
    up_to_constant: bool = False,
) -> float:
    """Return the median distance of a discriminator's ln(p/q) from the true one, in nats.

    Args:
        truth: p.
        log_q: ln q at the points, (n,).
        at: the points, (n, d).
        log_ratio: ln(p/q) as the discriminator says, (n,).
        up_to_constant: the discriminator says nothing of the level: the medians are aligned.
    """
    difference = log_ratio - (truth.log_density(at) - log_q)
    if up_to_constant:
        difference = difference - np.median(difference)
    return float(np.median(np.abs(difference)))


def _log_ball(d: int, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the volume of balls in ℝᵈ."""
    unit = d / 2 * log(pi) - lgamma(d / 2 + 1)
    volume: NDArray[np.float64] = unit + d * np.log(np.maximum(radius, MIN_DISTANCE))
    return volume
