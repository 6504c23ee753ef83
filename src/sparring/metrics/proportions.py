"""A share of samples with its interval, by one of three methods.

Exact bounds hold at every size and are wide; Wilson's keep their level on average; Agresti and
Coull's add two successes and two failures, which suits shares near 0 or 1.

Notation: k of n samples; p̃ = (k + 2)/(n + 4).
"""

from scipy.stats import binomtest

from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.normal import normal_estimate


def exact_share(k: int, n: int, method: str, level: float = LEVEL) -> Estimate:
    """Return k/n with exact binomial bounds (Clopper & Pearson 1934)."""
    return _binomial(k, n, "exact", method, level)


def wilson_share(k: int, n: int, method: str = "Wilson", level: float = LEVEL) -> Estimate:
    """Return k/n with the interval of Wilson 1927."""
    return _binomial(k, n, "wilson", method, level)


def agresti_coull_share(k: int, n: int, level: float = LEVEL) -> Estimate:
    """Return k/n with p̃ ± z √(p̃ (1 − p̃)/(n + 4)), kept within 0 and 1 (Agresti & Coull 1998)."""
    p = (k + 2) / (n + 4)
    share = normal_estimate(k / n, p * (1 - p) / (n + 4), n, "Agresti & Coull", level)
    reach = share.high - share.value
    return Estimate(share.value, max(p - reach, 0), min(p + reach, 1), n, share.method, level)


def _binomial(k: int, n: int, interval: str, method: str, level: float) -> Estimate:
    bounds = binomtest(k, n).proportion_ci(level, interval)
    return Estimate(k / n, float(bounds.low), float(bounds.high), n, method, level)
