"""What evaluations of one generator over time say: is it still improving, and which was best.

Not here: how two are compared; best by the difference of their distances from the same real data,
so that the error of the reals cancels.
"""

from collections.abc import Callable, Sequence
from typing import Literal

Trend = Literal["too early to tell", "still improving", "flat within the interval", "getting worse"]
Worse = Callable[[int, int], bool]  # is the first evaluation surely worse than the second?
LOOK_BACK = 3  # evaluations back, against which the latest must improve


def trend(values: Sequence[float], worse: Worse) -> Trend:
    """Say how the latest evaluation stands to the best and to the one three before it.

    Args:
        values: the distance at each evaluation, the latest last; lower is better.
        worse: tells of two places in `values`; noise must not make it say yes.
    """
    latest, before = len(values) - 1, len(values) - 1 - LOOK_BACK
    if before < 0:
        return "too early to tell"
    best = min(range(len(values)), key=values.__getitem__)
    if worse(latest, best):
        return "getting worse"
    return "still improving" if worse(before, latest) else "flat within the interval"


def choice(values: Sequence[float], worse: Worse) -> int:
    """Return the latest evaluation that the data cannot tell from the best.

    To prefer the lowest value itself would be to prefer luck: of many equal ones, one is lowest.
    """
    best = min(range(len(values)), key=values.__getitem__)
    return max(i for i in range(len(values)) if i == best or not worse(i, best))
