"""MAUVE: the curve longhand, the jackknife one sample at a time, and an exact expectation."""

from itertools import pairwise
from math import comb, log, sqrt

import numpy as np
import pytest
import torch

from sparring.errors import SparringError
from sparring.metrics import frontiers as module
from sparring.metrics.frontiers import jackknifed_gap, mauve, quantiser, score
from sparring.metrics.normal import squared_distance_estimate

RNG = np.random.default_rng(0)


def kl(p: np.ndarray, r: np.ndarray) -> float:
    return sum(a * log(a / b) for a, b in zip(p, r, strict=True) if a > 0)


def longhand(p: np.ndarray, q: np.ndarray, points: int = 25) -> float:
    """Return the area below Pillutla 2021's curve, from (1, 0) to (0, 1), by trapezoids."""
    curve = [(1.0, 0.0)]
    for w in np.linspace(1e-6, 1 - 1e-6, points):
        mixed = w * p + (1 - w) * q
        curve.append((np.exp(-5 * kl(q, mixed)), np.exp(-5 * kl(p, mixed))))
    curve.append((0.0, 1.0))
    return sum((a - c) * (b + d) / 2 for (a, b), (c, d) in pairwise(curve))


@pytest.mark.parametrize("empty", [0, 3])
def test_the_score_is_the_area_below_its_curve(empty: int) -> None:
    p, q = RNG.dirichlet(np.ones(9)), RNG.dirichlet(np.ones(9))
    p[:empty], q[-empty or 9 :] = 0, 0
    p, q = p / p.sum(), q / q.sum()
    assert score(p, q) == pytest.approx(longhand(p, q), rel=1e-12)
    assert score(p, q) == pytest.approx(score(q, p), rel=1e-12)
    assert score(p, p) == pytest.approx(1, abs=1e-12)


def test_the_score_of_disjoint_histograms_is_that_of_its_beta_integral() -> None:
    """The curve is ((1 − w)⁵, w⁵), the area below it 5 B(6, 5) = 1/252."""
    p, q = np.array([1.0, 0, 0]), np.array([0, 0.5, 0.5])
    assert longhand(p, q, 2000) == pytest.approx(1 / 252, rel=1e-5)
    assert score(p, q) == pytest.approx(1.026 / 252, rel=1e-3)  # the price of 25 trapezoids


def test_the_jackknife_is_leaving_out_one_sample_after_the_other() -> None:
    reals, fakes = np.array([7, 0, 4, 1, 9]), np.array([2, 3, 0, 1, 8])
    n, m = reals.sum(), fakes.sum()

    def gap(a: np.ndarray, b: np.ndarray) -> float:
        return sqrt(1 - longhand(a / a.sum(), b / b.sum()))

    each = np.eye(5, dtype=int)
    without_real = np.repeat(
        [gap(reals - e, fakes) if r else 0 for e, r in zip(each, reals, strict=True)], reals
    )
    without_fake = np.repeat(
        [gap(reals, fakes - e) if f else 0 for e, f in zip(each, fakes, strict=True)], fakes
    )
    whole = gap(reals, fakes)
    bias = (n - 1) * (without_real.mean() - whole) + (m - 1) * (without_fake.mean() - whole)
    variance = (n - 1) * without_real.var() + (m - 1) * without_fake.var()
    assert jackknifed_gap(reals, fakes) == pytest.approx((whole - bias, variance), rel=1e-9)


@pytest.mark.parametrize("q", [0.5, 0.7])
def test_the_corrected_gap_has_a_small_part_of_the_bias(q: float) -> None:
    """Exactly: over all counts of 40 real and 30 fake samples in two buckets."""
    truth = sqrt(max(0, 1 - score(np.array([0.5, 0.5]), np.array([q, 1 - q]))))
    plain = corrected = 0.0
    for a in range(41):
        for b in range(31):
            chance = comb(40, a) / 2**40 * comb(30, b) * q**b * (1 - q) ** (30 - b)
            reals, fakes = np.array([a, 40 - a]), np.array([b, 30 - b])
            plain += chance * sqrt(max(0, 1 - score(reals / 40, fakes / 30)))
            corrected += chance * jackknifed_gap(reals, fakes)[0]
    assert plain - truth > 0.02
    assert abs(corrected - truth) < 0.1 * (plain - truth)


def test_halves_make_the_buckets_and_the_others_are_counted() -> None:
    x, y = RNG.normal(size=(201, 5)), RNG.normal(size=(160, 5))
    made = quantiser(x, y, 6, 0)
    assert (len(made.x), len(made.y)) == (101, 80)
    assert made.histogram(made.x).sum() == 101
    assert len(made.histogram(made.y[:1])) == 6
    np.testing.assert_array_equal(made.histogram(x), made.histogram(7 * x))
    rows = {tuple(row) for row in (x / np.linalg.norm(x, axis=1, keepdims=True)).round(12)}
    assert {tuple(row) for row in made.x.round(12)} <= rows


def test_what_is_counted_does_not_move_the_buckets() -> None:
    """Else counts would not be multinomial, and the interval would not hold."""
    x, y = RNG.normal(size=(100, 3)), RNG.normal(size=(100, 3))
    first = quantiser(x, y, 4, 0)
    counted = {tuple(row) for row in first.x.round(12)}
    is_counted = [
        tuple(row) in counted for row in (x / np.linalg.norm(x, axis=1)[:, None]).round(12)
    ]
    assert sum(is_counted) == 50
    changed = np.where(np.array(is_counted)[:, None], x + 3, x)
    second = quantiser(changed, y, 4, 0)
    grid = RNG.normal(size=(500, 3))
    np.testing.assert_array_equal(first.histogram(grid), second.histogram(grid))


def test_equal_distributions_score_one_and_shifted_ones_less() -> None:
    x, y = RNG.normal(size=(800, 6)) + 0.5, RNG.normal(size=(600, 6)) + 0.5
    same = mauve(x, y)
    assert same["mauve"].low <= 1 == same["mauve"].high
    assert same["mauve"].p_value > 0.05
    assert same["mauve"].low < same["baseline"].value
    apart = mauve(x, y + 1)
    assert apart["mauve"].high < 0.9
    assert apart["mauve"].high < apart["baseline"].low
    assert apart["mauve"].p_value == 0.001
    assert apart["mauve"].n == 600


def test_the_baseline_is_what_permuted_labels_give() -> None:
    x, y = RNG.normal(size=(240, 4)), RNG.normal(size=(200, 4)) + 1
    found = mauve(x, y, buckets=4, permutations=50, level=0.9)
    made = quantiser(x, y, 4, 0)
    reals, fakes = made.histogram(made.x), made.histogram(made.y)
    gaps = [jackknifed_gap(*module._permuted(reals, fakes, 0, turn))[0] for turn in range(50)]
    scores = 1 - np.clip(gaps, 0, 1) ** 2
    assert found["baseline"].value == pytest.approx(scores.mean())
    assert found["baseline"].low == pytest.approx(1 - np.quantile(gaps, 0.95) ** 2)
    expected = (1 + (np.array(gaps) >= jackknifed_gap(reals, fakes)[0]).sum()) / 51
    assert found["mauve"].p_value == pytest.approx(expected)
    for turn in range(3):
        called_real, called_fake = module._permuted(reals, fakes, 0, turn)
        assert called_real.sum() == reals.sum()
        assert ((called_real + called_fake) == reals + fakes).all()


def test_sets_that_share_no_bucket_are_not_certainly_apart() -> None:
    x, y = RNG.normal(size=(200, 3)), RNG.normal(size=(200, 3))
    found = mauve(x + 20, y - 20)["mauve"]
    assert found.value == pytest.approx(1 / 252, rel=0.03)
    assert found.low == pytest.approx(found.value)
    assert found.value < found.high < 0.1


def test_tensors_buckets_and_seeds() -> None:
    x, y = RNG.normal(size=(240, 3)), RNG.normal(size=(200, 3)) + 0.5
    found = mauve(x, y, permutations=20)
    assert mauve(torch.from_numpy(x), torch.from_numpy(y), permutations=20) == found
    assert "4 buckets, 120 + 100 counted" in mauve(x, y, buckets=4, permutations=1)["mauve"].method
    assert "5 buckets" in found["mauve"].method
    assert mauve(x, y, permutations=20, seed=1) != found
    for one in found.values():
        assert {type(v) for v in (one.value, one.low, one.high)} == {float}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: mauve(x[:199], x), "real has 199 samples; this metric needs at least 200"),
        (lambda x: mauve(x, x, buckets=1), "buckets is 1; expected 2 to "),
        (lambda x: mauve(np.ones((200, 2)), np.ones((200, 2))), "buckets is 5; expected 2 to 1"),
        (lambda x: mauve(x, x * (np.arange(200) > 4)[:, None]), "5 samples of fake are zero"),
        (lambda x: mauve(x, x[:, :1]), "expected the same width"),
        (lambda x: mauve(x, x, permutations=0), "permutations is 0; expected at least 1"),
        (lambda x: mauve(x, x, level=1), "level is 1"),
        (lambda x: mauve(x, np.full((200, 2), np.nan)), "NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, told: str) -> None:
    with pytest.raises(SparringError, match=told):
        call(RNG.normal(size=(200, 2)))


@pytest.mark.parametrize("shift", [0.0, 0.8, 3.0])
def test_the_interval_is_of_the_stretched_gap(shift: float) -> None:
    x, y = RNG.normal(size=(300, 3)), RNG.normal(size=(300, 3)) + shift
    found = mauve(x, y, permutations=1)["mauve"]
    made = quantiser(x, y, 5, 0)
    gap, variance = jackknifed_gap(made.histogram(made.x), made.histogram(made.y))
    stretched = np.arctanh(gap)
    around = squared_distance_estimate(stretched, variance / (1 - gap**2) ** 2, 300, "")
    ends = 1 - np.tanh(np.clip([around.high, around.low], 0, None)) ** 2
    assert (found.low, found.high) == pytest.approx(tuple(ends))
    assert found.value == pytest.approx(1 - max(gap, 0) ** 2)
    assert 0 <= found.low <= found.value <= found.high <= 1
