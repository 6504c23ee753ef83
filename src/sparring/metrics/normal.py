"""Intervals from a standard error: the last line of every metric whose error is nearly normal.

Notation: F̂ the estimate of F, V the variance of F̂ as estimated at F̂, z the normal quantile.
"""

from math import sqrt
from statistics import NormalDist

from sparring.errors import SparringError
from sparring.metrics.estimate import LEVEL, Estimate


def normal_estimate(
    value: float, variance: float, n: int, method: str, level: float = LEVEL
) -> Estimate:
    """Return value ± quantile · √variance; a negative estimate of a variance counts as 0.

    Raises:
        SparringError: the level is not between 0 and 1.
    """
    reach = quantile(level) * sqrt(max(variance, 0.0))
    return Estimate(value, value - reach, value + reach, n, method, level)


def squared_distance_estimate(
    value: float, variance: float, n: int, method: str, level: float = LEVEL
) -> Estimate:
    """Return F̂ with the interval {F : (F̂ − F)² ≤ z² (V + b (F − F̂))}, b = V / (max(F̂, 0) + 2√V).

    The variance of an estimated squared distance grows in proportion to the distance. Taken at
    an estimate that is too small, it is too small as well, and the interval misses the truth on
    the side where it matters. As for a proportion (Wilson 1927), the variance therefore follows
    F to the ends; the 2√V keeps its slope b finite where F̂ is within its error of 0.

    Raises:
        SparringError: the level is not between 0 and 1.
    """
    z, error = quantile(level), sqrt(max(variance, 0.0))
    if error == 0:
        return Estimate(value, value, value, n, method, level)
    shift = z**2 * variance / (max(value, 0.0) + 2 * error) / 2
    reach = sqrt(shift**2 + z**2 * variance)
    return Estimate(value, value + shift - reach, value + shift + reach, n, method, level)


def quantile(level: float) -> float:
    """Return z with P(|N(0, 1)| ≤ z) = level.

    Raises:
        SparringError: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise SparringError(f"level is {level}; expected a probability between 0 and 1, as 0.95")
    return NormalDist().inv_cdf((1 + level) / 2)


def two_sided_p(value: float, variance: float) -> float:
    """Return the probability of a normal error at least this large when the truth is 0."""
    if variance <= 0:
        return float(value == 0)
    return 2 * NormalDist().cdf(-abs(value) / sqrt(variance))
