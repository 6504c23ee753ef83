"""What every metric returns: a value with an interval, how it was made, and all of it as text."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
MIN_P = 1e-6
CARD_DIGITS = 3  # of numbers in tables; elsewhere there is room for one more


@dataclass(frozen=True)
class Null:
    """What a test's statistic is when there is nothing to find."""

    mean: float
    deviation: float
    limit: float | None = None  # the worst that it can be; None: any


@dataclass(frozen=True)
class Estimate:
    """A number that was measured, and how sure it is.

    `low` and `high` bound the estimand with probability `level` over the samples that were
    drawn; a different trained model is another question. `p_value` is there when the method
    is a test, and `under_null` where it is known what a perfect generator gets at these sizes.
    """

    value: float
    low: float
    high: float
    n: int  # samples of the smaller side
    method: str
    level: float = LEVEL
    p_value: float | None = None
    under_null: Null | None = None

    def __str__(self) -> str:
        return format_estimate(self)


@dataclass(frozen=True)
class PairedDifference:
    """One fake's distance less another's from the same reals, and whose error its variance is."""

    estimate: Estimate
    of_reals: float  # what the reals add to its variance; falls as 1/n
    of_fakes: float  # what both fakes add; falls as 1/m


@dataclass(frozen=True)
class InfluenceEstimate(Estimate):
    """An estimate with the influence values of its samples, by which two of them are paired.

    The values of each side, say fakes (m,) and reals (n,), say how far each sample moves the
    estimate: their var / m and var / n add up to its variance.
    """

    influence: tuple[NDArray[np.floating], ...] = field(default=(), repr=False, compare=False)


def format_estimate(estimate: Estimate, digits: int = 4) -> str:
    """Return value, interval and p-value as text: `0.52 [0.48, 0.56], p = 0.04`."""
    value, low, high = (
        f"{number:.{digits}g}" for number in (estimate.value, estimate.low, estimate.high)
    )
    test = "" if estimate.p_value is None else f", {format_p_value(estimate.p_value)}"
    return f"{value} [{low}, {high}]{test}"


def format_p_value(p: float) -> str:
    """Return a p-value as text; below `MIN_P` no approximation holds."""
    return f"p = {p:.2g}" if p >= MIN_P else f"p < {MIN_P:g}"
