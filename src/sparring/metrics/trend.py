"""What a series of estimates of one generator says: is it still improving, and which was best.

All estimates are of the same metric, lower is better, the latest last.
"""

from collections.abc import Sequence
from typing import Literal

from sparring.metrics.estimate import Estimate

Trend = Literal["too early to tell", "still improving", "flat within the interval", "getting worse"]
BACK = 3  # observations between which an improvement is looked for


def trend(estimates: Sequence[Estimate]) -> Trend:
    """Say how the latest estimate stands to the best and to the one three before it.

    Intervals that overlap count as no difference, so noise is never called a trend.
    """
    if len(estimates) <= BACK:
        return "too early to tell"
    latest, before = estimates[-1], estimates[-1 - BACK]
    best = estimates[best_index(estimates)]
    if latest.low > best.high:
        return "getting worse"
    if latest == best and latest.high < before.low:
        return "still improving"
    return "flat within the interval"


def best_index(estimates: Sequence[Estimate]) -> int:
    """Return where the lowest value is."""
    return min(range(len(estimates)), key=lambda i: estimates[i].value)


def choice(estimates: Sequence[Estimate]) -> int:
    """Return the latest that the data cannot tell from the best.

    To prefer the lowest value itself would be to prefer luck: of many equal ones, one is lowest.
    """
    best = estimates[best_index(estimates)]
    return max(i for i, one in enumerate(estimates) if one.low <= best.high)
