"""Rows 18–21 and 35: what the measures of a generator are, and how far off their estimates.

Expectations over samples are exact: every sample of a small space is enumerated with its
probability, or a quadrature stands for a law whose moments it shares.

Notation: p real, q fake; n and m samples of them; d the width; F the Fréchet distance.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations_with_replacement
from math import exp, factorial, lgamma, log, prod, sqrt

import numpy as np
from scipy.special import roots_genlaguerre, roots_hermitenorm

from sparring.metrics.arrays import Features
from sparring.metrics.classes import class_score
from sparring.metrics.gaussians import expected_bias, frechet_distance
from sparring.metrics.kernels import cubic, kid, mmd_biased, mmd_unbiased
from sparring.metrics.moments import Moments
from sparring.theory.statements.statement import Check, Statement

POINTS = np.array([[0.0, 1.0], [1.0, -0.5], [-1.5, 0.5]])  # a space of three, in the plane
P, Q = np.array([0.5, 0.2, 0.3]), np.array([0.1, 0.6, 0.3])

WIDTH = 8
STEP = 0.02  # of second differences
NODES = 40

Measure = Callable[[Features, Features], float]


def gaussian(mean: Features, covariance: Features) -> Moments:
    """Return moments that stand for a Gaussian."""
    return Moments(2, mean, covariance)


def crossed_trace(s1: Features, s2: Features) -> float:
    """Return tr (S₁S₂)^½ of 2 × 2 matrices: (tr S₁S₂ + 2 √(det S₁ det S₂))^½."""
    return float(np.sqrt(np.trace(s1 @ s2) + 2 * np.sqrt(np.linalg.det(s1) * np.linalg.det(s2))))


def plug_in_mean(n: int, m: int) -> float:
    """Return E F of n and m samples of N(0, 1), d = 1, integrating our function over their laws.

    The means differ by N(0, 1/n + 1/m), and (n − 1) s² is chi-square.
    """
    steps, step_weights = roots_hermitenorm(3)  # exact: F is quadratic in the difference
    total = 0.0
    for v, v_weight in _variances(n):
        for w, w_weight in _variances(m):
            for step, step_weight in zip(steps, step_weights / step_weights.sum(), strict=True):
                shift = np.array([step * sqrt(1 / n + 1 / m)])
                pair = gaussian(shift, np.array([[v]])), gaussian(shift * 0, np.array([[w]]))
                total += v_weight * w_weight * step_weight * frechet_distance(*pair)
    return total


def _variances(n: int) -> Iterator[tuple[float, float]]:
    shape = (n - 1) / 2
    nodes, weights = roots_genlaguerre(NODES, shape - 1)
    return zip(nodes / shape, weights / weights.sum(), strict=True)


def mean_deviation(n: int) -> float:
    """Return E s of n samples of N(0, 1), "c₄"."""
    return sqrt(2 / (n - 1)) * exp(lgamma(n / 2) - lgamma((n - 1) / 2))


def leading_constant(width: int) -> float:
    """Return lim n E F for p = q = N(0, I), both of n: half the trace of F's second derivative.

    To first order n (S − I) has independent entries, of variance 2n on the diagonal and n beside.
    """
    curved = 0.0
    no_shift, no_change = np.zeros(width), np.zeros((width, width))
    for i in range(width):
        curved += _curvature(np.eye(width)[i], no_change)
        for j in range(i, width):
            direction = no_change.copy()
            direction[i, j] = direction[j, i] = 1
            curved += (2 if i == j else 1) * _curvature(no_shift, direction)
    return curved  # the ½ of Taylor and the two sides cancel


def _curvature(shift: Features, direction: Features) -> float:
    """Return the second derivative of F from N(0, I) along a path, extrapolated once."""
    identity = np.eye(len(shift))
    origin = gaussian(0 * shift, identity)

    def difference(t: float) -> float:
        ends = (gaussian(s * shift, identity + s * direction) for s in (t, -t))
        return sum(frechet_distance(end, origin) for end in ends) / t**2

    return (4 * difference(STEP / 2) - difference(STEP)) / 3


def samples(points: Features, law: Features, n: int) -> Iterator[tuple[Features, float]]:
    """Yield every multiset of n points and the probability of drawing it."""
    for drawn in combinations_with_replacement(range(len(law)), n):
        counts = [drawn.count(point) for point in range(len(law))]
        ways = factorial(n) / prod(map(factorial, counts))
        yield points[list(drawn)], ways * float(np.prod(law**counts))


def expectation(
    measure: Measure, real: Sequence[tuple[Features, float]], fake: Sequence[tuple[Features, float]]
) -> float:
    """Return the mean of a measure over every pair of samples."""
    return sum(a * b * measure(x, y) for x, a in real for y, b in fake)


def squared_mmd(points: Features, p: Features, q: Features) -> float:
    """Return MMD² of two laws on a finite space, with the kernel of KID."""
    return float((p - q) @ cubic(points, points) @ (p - q))


def diagonal_excess(points: Features, p: Features) -> float:
    """Return E k(x, x) − E k(x, x′) for the kernel of KID."""
    k = cubic(points, points)
    return float(p @ np.diag(k) - p @ k @ p)


def mutual_information(joint: Features) -> float:
    """Return Σ p(x, y) ln (p(x, y) / (p(x) p(y))) of a table."""
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    positive = joint > 0
    return float((joint[positive] * np.log(joint[positive] / independent[positive])).sum())


def _frechet() -> tuple[Check, ...]:
    first, second = np.diag([1.0, 4, 9, 16, 25]), np.diag([4.0, 1, 9, 25, 16])
    ones, turn = np.ones(5), np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    turned = [turn @ s @ turn.T for s in (first, second)]
    s1, s2 = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.7], [-0.7, 3.0]])
    zero = np.zeros(2)
    return (
        Check(
            "diagonal covariances: |Δm|² + ‖C₁^½ − C₂^½‖²",
            9,
            frechet_distance(gaussian(ones, first), gaussian(0 * ones, second)),
        ),
        Check(
            "the same, turned",
            9,
            frechet_distance(gaussian(ones, turned[0]), gaussian(0 * ones, turned[1])),
        ),
        Check(
            "covariances that do not commute, 2 × 2",
            7 - 2 * crossed_trace(s1, s2),
            frechet_distance(gaussian(zero, s1), gaussian(zero, s2)),
        ),
    )


def _biased_frechet() -> tuple[Check, ...]:
    sizes = ((20, 20), (20, 50))
    return (
        *(
            Check(
                f"E F at d = 1, n = {n}, m = {m}: 1/n + 1/m + 2 − 2 E s₁ E s₂",
                1 / n + 1 / m + 2 - 2 * mean_deviation(n) * mean_deviation(m),
                plug_in_mean(n, m),
            )
            for n, m in sizes
        ),
        Check("n E F at d = 8, large n: 2d + d(d+1)/2", 52, leading_constant(WIDTH), 1e-5),
        Check("the same by `expected_bias`", 52, 1000 * expected_bias(WIDTH, 1000, 1000)),
    )


def _unbiased_kid() -> tuple[Check, ...]:
    truth = squared_mmd(POINTS, P, Q)
    measures: tuple[tuple[str, Measure, int, int], ...] = (
        ("`mmd_unbiased`", partial(mmd_unbiased, kernel=cubic), 2, 3),
        ("`kid`", lambda x, y: kid(x, y).value, 4, 5),
    )
    return tuple(
        Check(
            f"E {name} over every sample of {n} and {m}",
            truth,
            expectation(measure, [*samples(POINTS, P, n)], [*samples(POINTS, Q, m)]),
            1e-12,
        )
        for name, measure, n, m in measures
    )


def _biased_v_statistic() -> tuple[Check, ...]:
    v = partial(mmd_biased, kernel=cubic)
    three = expectation(v, [*samples(POINTS, P, 3)], [*samples(POINTS, Q, 4)])
    nodes, weights = roots_hermitenorm(4)  # the moments of N(0, 1) up to the seventh
    points, law = nodes[:, None], weights / weights.sum()
    twenty = expectation(v, [*samples(points, law, 20)], [*samples(points, law, 1)])
    excess = diagonal_excess(POINTS, P) / 3 + diagonal_excess(POINTS, Q) / 4
    return (
        Check(
            "E V − MMD² over every sample of 3 and 4: Σ (E k(x,x) − E k(x,x′))/m",
            excess,
            three - squared_mmd(POINTS, P, Q),
            1e-12,
        ),
        Check("E k(x,x) − E k(x,x′) under N(0,1)", 24, diagonal_excess(points, law)),
        Check("E V under N(0,1), 20 reals and 1 fake: 24/20 + 24/1", 25.2, twenty),
        Check("so 20 of each: 2 · 24/20", 2.4, 2 * (twenty - 24)),
    )


def _score() -> tuple[Check, ...]:
    conditional = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.0, 0.0, 1.0]])
    joint = conditional / len(conditional)
    return (
        Check("ln score = mutual information", mutual_information(joint), log(_value(conditional))),
        Check("a classifier that knows nothing of the sample", 1, _value(conditional[[0, 0, 0]])),
        Check("one that knows the class, all classes alike", 3, _value(np.eye(3))),
    )


def _value(probabilities: Features) -> float:
    return class_score(probabilities).value


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        18,
        "The Fréchet distance of Gaussians, squared, is |Δm|² + tr(C₁ + C₂ − 2(C₁C₂)^½); where the "
        "covariances commute, |Δm|² + ‖C₁^½ − C₂^½‖²",
        "Dowson & Landau 1982; Heusel 2017, eq. 6",
        _frechet,
    ),
    Statement(
        19,
        "Its plug-in is biased upwards: for p = q = N(0, I), n samples each, by about "
        "(2d + d(d+1)/2)/n",
        "Bińkowski 2018",
        _biased_frechet,
    ),
    Statement(
        20,
        "KID's U-statistic is unbiased, exactly and at every size from two samples a side on",
        "Gretton 2012, lemma 6",
        _unbiased_kid,
    ),
    Statement(
        21,
        "Its V-statistic is too large by Σ (E k(x,x) − E k(x,x′))/m over the two samples",
        "derived",
        _biased_v_statistic,
    ),
    Statement(
        35,
        "An Inception-style score is the exponential of the mutual information of sample and "
        "class, between 1 and the number of classes",
        "Barratt & Sharma 2018",
        _score,
    ),
)
