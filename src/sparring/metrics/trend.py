"""What looks at one generator over time say: is it still improving, and which was best.

All looks draw the same latents and meet the same reals, so their errors go together. Each comes
with its influence values, how far each sample moves it; differences of these are the error of a
difference. What a look jumps beside a smooth course, as training swings, is an error as well.

Notation: k the number of a look, D its distance, t the samples seen then, C the covariance of the
distances over latents and reals, σ² the variance of the jumps.
"""

from collections.abc import Callable, Sequence
from math import hypot, inf, log2, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

Trend = Literal["too early to tell", "still improving", "flat", "getting worse", "cannot tell yet"]
Worse = Callable[[int, int], bool]  # is the first look surely worse than the second?
Influence = tuple[NDArray[np.floating], ...]  # of each side's samples: of latents, of reals
Floats = NDArray[np.float64]

MIN_LOOKS = 6
WINDOW = 4  # looks since this part of the samples: of the last two doublings
FLAT = 0.02  # of the present distance, for each doubling
ALPHA_IMPROVING, ALPHA_FLAT, ALPHA_WORSE = 0.05, 0.025, 0.025  # at all looks of a run together
EDGE = 1e-3  # of a doubling, by which looks may fall short, as they come in whole batches
MEDIAN = float(ndtri(0.75))  # of |x| for a standard normal x


class Verdict(NamedTuple):
    """How a run stands, and its improvement for each doubling, as shares of the present distance.

    The improvement is surely above `low`, and surely below `high`, at the levels of the verdict.
    """

    trend: Trend
    improvement: float = 0.0
    low: float = -inf
    high: float = inf


class Contrast(NamedTuple):
    """A linear combination of looks and its two errors, as standard deviations."""

    value: float
    error: float  # of finite samples, which C gives
    jumps: float = 0.0  # of training, estimated
    freedom: float = inf  # degrees of freedom of that estimate

    def low(self, level: float) -> float:
        """Return what it is above, but for an error of this probability."""
        return self.value - self._reach(level)

    def high(self, level: float) -> float:
        """Return what it is below, but for an error of this probability."""
        return self.value + self._reach(level)

    def _reach(self, level: float) -> float:
        """Return the root of the sum of both errors' squared reaches, normal and Student's t.

        To give their sum one number of degrees of freedom (Satterthwaite) would err where the
        jumps happen to look small.
        """
        student = -float(stdtrit(self.freedom, level)) * self.jumps if self.jumps else 0.0
        return hypot(float(ndtri(level)) * self.error, student)


class Claim:
    """One claim, tested at look after look: made falsely at any of them with probability α at most.

    Up to look k, α (1 − 5 / k) has been given out. A test takes what was given out since the claim
    last could not be made (the fallback procedure of Wiens 2003, which Tian 2021 extends to tests
    without an end): where the claim is false, it is first made falsely by a test that takes no more
    than what came since the last look where it was false, and these parts add up to α at most.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.gone = 0.0

    def level(self, k: int) -> float:
        """Return the level of the test at look k."""
        return self.alpha * (1 - (MIN_LOOKS - 1) / k) - self.gone

    def settle(self, k: int, *, made: bool) -> None:
        """Take down whether it could be made at look k."""
        if not made:
            self.gone += self.level(k)


def covariance(looks: Sequence[Influence]) -> Floats:
    """Return C, (k, k), from the influence values of k looks at the same samples."""
    sides = [np.stack(side) for side in zip(*looks, strict=True)]
    return sum((np.cov(side) / side.shape[1] for side in sides), np.zeros((len(looks), len(looks))))


def difference(first: Influence, second: Influence, value: float) -> Contrast:
    """Return the difference of two distances with its error, paired sample by sample."""
    sides = zip(first, second, strict=True)
    variance = sum(float(np.var(a - b, ddof=1, dtype=np.float64)) / len(a) for a, b in sides)
    return Contrast(value, sqrt(variance))


def choice(values: Sequence[float], worse: Worse) -> int:
    """Return the latest look that is not surely worse than the best up to it.

    To prefer the lowest value itself would be to prefer luck: of many equal ones, one is lowest.
    A look that was passed over is never chosen later, so its checkpoint may go.
    """
    for i in reversed(range(len(values))):
        best = int(np.argmin(values[: i + 1]))
        if i == best or not worse(i, best):
            return i
    raise ValueError("no looks to choose from")


def verdicts(seen: Sequence[int], values: Sequence[float], errors: Floats) -> list[Verdict]:
    """Say how a run stands at each of its looks.

    "getting worse": the last distance is surely above the lowest before it, by more than looks
    jump. "flat", a claim of equivalence: the improvement for each doubling is surely below 2 % of
    the last distance, and surely no loss beyond 2 %. "still improving": it is surely above 0.

    Args:
        seen: samples seen at each look, rising, (k,).
        values: the distance at each, (k,); lower is better.
        errors: C, (k, k).
    """
    course = Course(np.log2(np.asarray(seen, np.float64)), np.asarray(values, np.float64), errors)
    claims = Claims(Claim(ALPHA_WORSE), Claim(ALPHA_FLAT), Claim(ALPHA_IMPROVING))
    return [_verdict(course.up_to(k), claims) for k in range(1, len(course.distances) + 1)]


class Claims(NamedTuple):
    """What is claimed of a run, each at its own level."""

    worse: Claim
    flat: Claim
    improving: Claim


class Course(NamedTuple):
    """All looks up to one: log₂ t (k,), D (k,) and C (k, k)."""

    time: Floats
    distances: Floats
    errors: Floats

    def up_to(self, k: int) -> "Course":
        """Return the first k looks."""
        return Course(self.time[:k], self.distances[:k], self.errors[:k, :k])

    def contrast(self, weights: Floats, jumps: float, freedom: float) -> Contrast:
        """Return a combination; σ² was estimated with so many degrees of freedom."""
        variance = max(float(weights @ self.errors @ weights), 0.0)
        jumped = jumps * float(weights @ weights)
        return Contrast(float(weights @ self.distances), sqrt(variance), sqrt(jumped), freedom)


def _verdict(course: Course, claims: Claims) -> Verdict:
    """Test the three claims at the last look of a course."""
    k, present = len(course.distances), max(float(course.distances[-1]), 0.0)
    gain, excess = _improvement(course), _improvement(course, FLAT if present else 0.0)
    if gain is None or excess is None:
        return Verdict("too early to tell")
    rise = _rise(course)
    low = gain.low(claims.improving.level(k))
    over = excess.high(claims.flat.level(k))
    fall = gain.low(claims.flat.level(k))
    worse = rise.low(claims.worse.level(k) / (k - 1)) > 0
    made = worse, over < 0 and fall > -FLAT * present, low > 0
    for claim, one in zip(claims, made, strict=True):
        claim.settle(k, made=one)
    words: tuple[Trend, ...] = ("getting worse", "flat", "still improving", "cannot tell yet")
    trend = words[(*made, True).index(True)]
    if not present:
        return Verdict(trend)
    return Verdict(trend, gain.value / present, low / present, FLAT + over / present)


def _improvement(course: Course, less: float = 0.0) -> Contrast | None:
    """Return the fall of D for each doubling, less a share of the last D.

    It is the slope of a line through the looks of the last two doublings; what they have beside a
    parabola, beyond C, is jumps. None where they are too few, or do not reach back one doubling.
    """
    time, distances, errors = course
    inside = time >= time[-1] - log2(WINDOW) - EDGE
    freedom = int(inside.sum()) - 3
    if len(time) < MIN_LOOKS or freedom < 1 or time[0] > time[-1] - 1 + EDGE:
        return None
    x = time[inside] - time[inside].mean()
    parabola = np.linalg.qr(np.vander(x, 3))[0]
    residual = distances[inside] - parabola @ (parabola.T @ distances[inside])
    within = errors[np.ix_(inside, inside)]
    expected = np.trace(within) - np.trace(parabola.T @ within @ parabola)
    weights = np.zeros(len(time))
    weights[inside] = -x / (x @ x)
    weights[-1] -= less
    jumps = max(float(residual @ residual - expected), 0.0) / freedom
    return course.contrast(weights, jumps, freedom)


def _rise(course: Course) -> Contrast:
    """Return by how much the last D is above the lowest before it.

    Jumps are told by how far a look lies from the line through its neighbours, in the median: a
    collapse is not one of them. As neighbours go together, half of the looks count.
    """
    time, d, _ = course
    share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
    beside = d[1:-1] - (1 - share) * d[:-2] - share * d[2:]
    deviation = np.median(np.abs(beside) / np.sqrt(1 + (1 - share) ** 2 + share**2)) / MEDIAN
    weights = np.zeros(len(d))
    weights[np.argmin(d[:-1])] = -1
    weights[-1] = 1
    return course.contrast(weights, float(deviation) ** 2, len(share) / 2)
