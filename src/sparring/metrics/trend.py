"""What looks at one generator over time say: is it still improving, and which look was best.

Looks are compared by the difference of their distances from the same real data, so that the
error of the reals cancels; where it is not known, by whether their intervals overlap.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from sparring.metrics.estimate import Estimate

Trend = Literal["too early to tell", "still improving", "flat within the interval", "getting worse"]
Worse = Callable[[int, int], bool]  # is the first look surely worse than the second?
BACK = 3  # looks between which an improvement is looked for


def trend(values: Sequence[float], worse: Worse) -> Trend:
    """Say how the latest look stands to the best and to the one three before it.

    Args:
        values: the distance at each look, the latest last; lower is better.
        worse: tells of two places in `values`; noise must not make it say yes.
    """
    latest, before = len(values) - 1, len(values) - 1 - BACK
    if before < 0:
        return "too early to tell"
    best = min(range(len(values)), key=values.__getitem__)
    if worse(latest, best):
        return "getting worse"
    return "still improving" if worse(before, latest) else "flat within the interval"


def choice(values: Sequence[float], worse: Worse) -> int:
    """Return the latest look that the data cannot tell from the best.

    To prefer the lowest value itself would be to prefer luck: of many equal ones, one is lowest.
    """
    best = min(range(len(values)), key=values.__getitem__)
    return max(i for i in range(len(values)) if i == best or not worse(i, best))


def by_intervals(looks: Sequence[Estimate]) -> Worse:
    """Return a `Worse` by whether intervals overlap."""
    return lambda a, b: looks[a].low > looks[b].high
