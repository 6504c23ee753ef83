"""Rows 39–43: metrics of samples against their definitions, written out in the plainest way.

Notation: x real (n), y fake (m); Δ the difference of their means, s² their variances; k the number
of neighbours that make a radius.
"""

from collections.abc import Callable
from itertools import combinations
from math import prod, sqrt
from typing import NamedTuple

import numpy as np

from sparring.metrics.arrays import Features
from sparring.metrics.diversity import vendi
from sparring.metrics.exchangeable import least_p_value, p_value, pool_of
from sparring.metrics.gaussians import couple, frechet
from sparring.metrics.kernels import cubic, mmd_unbiased
from sparring.metrics.moments import Moments, half_of_each
from sparring.metrics.neighbours import prdc, prdc_baseline
from sparring.metrics.permutation import relabelled_mmd, two_sample_test
from sparring.theory.statements.evaluation import expectation, samples
from sparring.theory.statements.statement import Check, Statement

EXACT = 1e-12
LINE = np.array([-2.0, -1.1, -0.7, -0.2, 0.1, 0.3, 0.8, 1.4, 1.9, 2.2, 3.5, 4.0])
SKEWED = np.array([0.0, 0.1, 0.3, 0.6, 1.1, 1.2, 1.8, 2.5, 4.1, 5.0])
PLANE = np.stack([np.sqrt(np.arange(2.0, 18)), np.sin(np.arange(16.0))], 1)  # no two as near
LATTICE = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [3, 0], [3, 1], [4, 0], [9, 9]], float)
BESIDE = np.array([[0, 2], [2, 0], [2, 1], [5, 0], [6, 3], [7, 3], [7, 4], [8, 3]], float)
NEIGHBOURS = 2
DIRECTIONS = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, -2.0]])
SHARES = np.array([0.5, 0.2, 0.3])


def corrected_on_line(x: Features, y: Features) -> float:
    """Return the corrected Fréchet distance of samples on the line, by hand.

    F = Δ² + (s₁ − s₂)²; by Taylor's formula each side adds (s² + ¼ s₁s₂ (E z⁴ − 1))/n, z the
    standardised sample, and what is left after that is taken to fall as (1/n + 1/m)².
    """
    halves = [half_of_each(len(side), np.random.default_rng(0)) for side in (x, y)]
    parts = [(x[halves[0] == h], y[halves[1] == h]) for h in (0, 1)]
    whole, *rest = (_first_order(a, b) for a, b in ((x, y), *parts))
    size, *sizes = ((1 / len(a) + 1 / len(b)) ** 2 for a, b in ((x, y), *parts))
    ratio = sum(sizes) / 2 / size
    return (ratio * whole - sum(rest) / 2) / (ratio - 1)


def _first_order(x: Features, y: Features) -> float:
    first, second = x.std(ddof=1), y.std(ddof=1)
    value = (x.mean() - y.mean()) ** 2 + (first - second) ** 2
    for side, s in ((x, first), (y, second)):
        fourth = (((side - side.mean()) / s) ** 4).mean()
        value -= (s**2 + first * second * (fourth - 1) / 4) / len(side)
    return float(value)


class Four(NamedTuple):
    """What nearest neighbours say."""

    precision: float
    recall: float
    density: float
    coverage: float


def four(real: Features, fake: Features, k: int, ties: bool = False) -> Four:
    """Return precision, recall, density and coverage as Naeem 2020 defines them, or ties inside."""
    inside = np.less_equal if ties else np.less
    apart = _squared(real, fake)
    in_real, in_fake = inside(apart, _radii(real, k)[:, None]), inside(apart, _radii(fake, k))
    return Four(
        float(in_real.any(0).mean()),
        float(in_fake.any(1).mean()),
        float(in_real.sum() / (k * len(fake))),
        float(in_real.any(1).mean()),
    )


def _radii(x: Features, k: int) -> Features:
    """Return the squared distance of each to its k-th nearest other, itself the nearest."""
    radii: Features = np.sort(_squared(x, x), axis=1)[:, k]
    return radii


def _squared(x: Features, y: Features) -> Features:
    squared: Features = np.square(x[:, None] - y).sum(2)
    return squared


def over_labelings(measure: Callable[[Features, Features], float], pool: Features, n: int) -> float:
    """Return the mean of a measure over all ways of calling n of a pool real."""
    everyone = range(len(pool))
    values = [
        measure(pool[list(real)], pool[[i for i in everyone if i not in real]])
        for real in combinations(everyone, n)
    ]
    return float(np.mean(values))


def _corrected_frechet() -> tuple[Check, ...]:
    x, y = LINE[:, None], SKEWED[:, None]
    plain = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    nodes = sqrt(3) * np.array([-1.0, 0.0, 1.0])  # of N(0, 1), exact up to the fifth power
    grid = np.stack(np.meshgrid(nodes, nodes), 2).reshape(-1, 2)
    weights = np.outer([1 / 6, 2 / 3, 1 / 6], [1 / 6, 2 / 3, 1 / 6]).ravel()
    standard = Moments(2, np.zeros(2), np.eye(2))
    influence = couple(standard, standard).influence(0, grid)
    return (
        Check(
            "12 against 10 on the line: Δ² + (s₁ − s₂)²",
            float(plain),
            frechet(x, y, corrected=False).value,
            EXACT,
        ),
        Check(
            "the same, corrected",
            corrected_on_line(x[:, 0], y[:, 0]),
            frechet(x, y).value,
            1e-10,
        ),
        Check("10 against 12", frechet(x, y).value, frechet(y, x).value, 1e-10),
        Check("p = q = N(0, I), d = 2: curvature d(d+2)/2", 4, float(weights @ influence[:, 1])),
        Check("influence of any sample there", 0, float(np.abs(influence[:, 0]).max()), EXACT),
    )


def _balls() -> tuple[Check, ...]:
    real, fake = PLANE[::2], PLANE[1::2] * [1, 3]
    expected, computed = four(real, fake, NEIGHBOURS), prdc(real, fake, NEIGHBOURS)
    tied = prdc(LATTICE, BESIDE, NEIGHBOURS)
    low, high = (four(LATTICE, BESIDE, NEIGHBOURS, ties) for ties in (False, True))
    beyond = [
        max(least - tied[what].value, tied[what].value - most, 0.0)
        for what, least, most in zip(Four._fields, low, high, strict=True)
    ]
    same = prdc(np.ones((99, 1)), np.ones((99, 1)), 1)
    pool, n, m = PLANE[:12], 6, 6
    chance = 1 - prod((n - i) / (n + m - i) for i in (1, 2))
    coverage = over_labelings(lambda x, y: four(x, y, 2).coverage, pool, n)
    density = over_labelings(lambda x, y: four(x, y, 2).density, pool, n)
    baseline = prdc_baseline(pool[:8], 8, 2)["coverage"].value
    return (
        *(Check(what, e, computed[what].value, EXACT) for what, e in expected._asdict().items()),
        Check("how far ties lead beyond all outside or all inside", 0, max(beyond), EXACT),
        Check("coverage over all labelings of 12: 1 − ∏ (n − i)/(n + m − i)", chance, coverage),
        Check("density over them", 1, density),
        Check("`prdc_baseline` of 8 and 8", 1 - 7 / 15 * 6 / 14, baseline),
        Check(
            "coverage where all 99 and 99 are equal, k = 1", 99 / 197, same["coverage"].value, 0.2
        ),
        Check("their density", 1, same["density"].value, 0.4),
    )


def _vendi() -> tuple[Check, ...]:
    directions = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    alike = SHARES @ (directions @ directions.T) ** 2 @ SHARES
    drawn = [*samples(DIRECTIONS, SHARES, 16)]
    inverse = expectation(lambda x, _: 1 / vendi(x).value, drawn, [(DIRECTIONS, 1.0)])
    axes = np.eye(4).repeat(5, 0)
    return (
        Check("E 1/score over every sample of 16: E k(x, x′)²", float(alike), inverse, EXACT),
        Check("5 each along 4 axes: (n − 1)/(n/4 − 1)", 19 / 4, vendi(axes).value, EXACT),
        Check("all one way, order 2", 1, vendi(axes[:1].repeat(20, 0)).value, EXACT),
        Check("all one way, order 1", 1, vendi(axes[:1].repeat(20, 0), order=1).value, 1e-9),
        Check("200 each along 2 axes, order 1", 2, vendi(axes[[0, 5] * 200], order=1).value, 0.02),
    )


def _permutations() -> tuple[Check, ...]:
    pool = np.stack([LINE[:8], LINE[:8] ** 2], 1)
    ways = [list(real) for real in combinations(range(8), 4)]
    called = np.zeros((8, len(ways)))
    for way, real in enumerate(ways):
        called[real, way] = 1
    apart = relabelled_mmd(pool, called, cubic)
    by_hand = [mmd_unbiased(pool[c == 1], pool[c == 0], cubic) for c in called.T]
    scale = np.abs(by_hand).max()
    far, same = LINE[:, None] + [[0, 100]], np.ones((12, 1))
    return (
        Check(
            f"largest gap of MMD² over all {len(ways)} labelings, relative",
            0,
            float(np.abs(apart - by_hand).max() / scale),
            EXACT,
        ),
        Check(
            "p of two sets far apart, 19 permutations: 1/20",
            1 / 20,
            two_sample_test(far[:, :1], far[:, 1:], permutations=19).p_value or 0.0,
            EXACT,
        ),
        Check(
            "p where all samples are equal, so that all labelings tie",
            1,
            two_sample_test(same, same, kernel=cubic, permutations=19).p_value or 0.0,
            EXACT,
        ),
    )


def _who_was_trained_on() -> tuple[Check, ...]:
    pool, grouped = pool_of(4, 4), pool_of(4, 4, ([0, 0, 1, 1], [2, 2, 3, 3]))
    tied = np.stack([[3.0, 0, 0, 1, 0, 2, 0, 0], [1.0, 1, 0, 0, 2, 0, 0, 0]], 1)
    sums = np.array([tied[list(train)].sum(0) for train in combinations(range(8), 4)])
    pairs = [
        tied[[2 * a, 2 * a + 1, 2 * b, 2 * b + 1], 0].sum() for a, b in combinations(range(4), 2)
    ]
    apart = np.array([sum(2.0**i for i in train) for train in combinations(range(8), 4)])
    of_one = np.sort([p_value(np.roll(apart, -i)) for i in range(70)])
    of_both = np.array([least_p_value(np.roll(sums, -i, 0)) for i in range(70)])
    too_often = max((of_both <= p).mean() - p for p in of_both)
    return (
        Check(
            "70 labelings, no ties: largest |p − rank/70|",
            0,
            float(np.abs(of_one - np.arange(1, 71) / 70).max()),
            EXACT,
        ),
        Check("two counts with ties: largest P(p ≤ α) − α", 0, float(too_often), EXACT),
        Check("the given labeling comes first", 4, float(pool.sums(tied[:, 0], 1, 0)[0]), EXACT),
        Check("deviation over them", float(sums[:, 0].std()), pool.deviation(tied[:, 0]), EXACT),
        Check("groups of two: over 6", float(np.std(pairs)), grouped.deviation(tied[:, 0]), EXACT),
    )


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        39,
        "`frechet` takes off the plug-in's second-order Taylor term, on the line "
        "(s² + ¼ s₁s₂(E z⁴ − 1))/n a side, and extrapolates the rest from halves",
        "derived",
        _corrected_frechet,
    ),
    Statement(
        40,
        "Precision, recall, density and coverage count who is inside a ball; at p = q "
        "E coverage = 1 − ∏ (n − i)/(n + m − i), i = 1 … k, and E density = 1, with ties too",
        "Naeem 2020, eq. 1 to 4; the expectations by counting",
        _balls,
    ),
    Statement(
        41,
        "The Vendi score of order 2 is 1/E k(x, x′)², whose mean over pairs is unbiased",
        "Pasarkar & Dieng 2024; Hoeffding 1948",
        _vendi,
    ),
    Statement(
        42,
        "The permutation test's p-value is the share of labelings at least as far apart, the given "
        "one and ties included",
        "Phipson & Smyth 2010",
        _permutations,
    ),
    Statement(
        43,
        "Where training and held-out items may change places, P(p ≤ α) ≤ α of the copying test for "
        "every α, whatever ties and whichever of several counts says most",
        "Phipson & Smyth 2010; Westfall & Young 1993",
        _who_was_trained_on,
    ),
)
