"""Measures against a known density: exact cases, and the cases in which they must be bad."""

import numpy as np
import pytest
from scipy.stats import norm

from sparring.kinds.points import known
from sparring.kinds.points.densities import density

RING, GRID, LINE = density("ring"), density("grid"), density("gaussian1d")


def test_the_truth_itself_covers_all_modes_with_high_quality() -> None:
    for truth in (RING, GRID):
        points = truth.sample(5000, 0)
        assert known.modes_covered(truth, points) == len(truth.centres)
        share = known.high_quality(truth, points)
        assert share.low < 1 - np.exp(-8) < share.high
        assert (share.n, share.value) == (5000, pytest.approx(0.9997, abs=2e-3))


def test_a_mode_that_gets_less_than_a_tenth_of_its_share_is_not_covered() -> None:
    points = GRID.sample(25_000, 0)
    centre, good = GRID.nearest(points)
    kept = np.concatenate(
        [points[centre != 7], points[(centre == 7) & good][:90], RING.sample(910, 0) + 50]
    )
    assert known.modes_covered(GRID, kept) == 24
    assert known.modes_covered(GRID, kept[:-910]) == 24
    more = np.concatenate([points[centre != 7], points[(centre == 7) & good][:110]])
    assert known.modes_covered(GRID, more) == 25


def test_a_collapsed_generator_covers_one_mode_and_is_far_from_the_truth() -> None:
    points = np.repeat(RING.centres[:1], 1000, axis=0)
    assert known.modes_covered(RING, points) == 1
    far = known.reverse_kl(RING, points)
    assert np.isfinite(far.value)
    assert far.low > 10


def test_reverse_kl_is_zero_at_the_truth_and_right_for_a_shift() -> None:
    """KL(N(4 + s, σ²) ‖ N(4, σ²)) = s²/2σ²; ln k for a generator that leaves modes out."""
    points = LINE.sample(10_000, 2)
    at_truth = known.reverse_kl(LINE, points)
    assert at_truth.low < 0 < at_truth.high
    shifted = known.reverse_kl(LINE, points + 1.25)
    assert shifted.low < 0.5 < shifted.high
    ring = RING.sample(20_000, 0)
    half = known.reverse_kl(RING, ring[RING.nearest(ring)[0] < 4])
    assert half.low < np.log(2) < half.high


def test_the_interval_of_reverse_kl_covers_the_truth() -> None:
    hits = 0
    for seed in range(60):
        estimate = known.reverse_kl(RING, RING.sample(1000, seed))
        hits += estimate.low < 0 < estimate.high
    assert hits >= 53  # of 60: fewer have a chance of 0.7 % at a coverage of 95 %


def test_the_density_near_points_is_estimated_at_any_width() -> None:
    for truth in (RING, LINE):
        at = truth.sample(500, 1)
        estimated = known.log_density_near(truth.sample(20_000, 2), at)
        difference = estimated - truth.log_density(at)
        assert abs(np.median(difference)) < 0.05
        assert np.abs(difference).mean() < 0.25


def test_the_change_of_variables_is_exact_for_straight_lines_and_sums_over_folds() -> None:
    z = np.linspace(-8, 8, 2001)
    at = np.linspace(0, 6, 25)[:, None]
    straight = known.log_density_through(z, 3 + 0.5 * z, at)
    np.testing.assert_allclose(straight, norm(3, 0.5).logpdf(at[:, 0]), rtol=1e-9, atol=1e-9)
    positive = np.linspace(0.05, 3, 20)[:, None]
    folded = known.log_density_through(z, np.abs(z), positive)
    np.testing.assert_allclose(folded, np.log(2 * norm.pdf(positive[:, 0])), atol=1e-9)


def test_the_error_of_the_log_ratio_is_zero_for_the_right_one() -> None:
    at = LINE.sample(100, 0)
    log_q = norm(5, 1.25).logpdf(at[:, 0])
    right = LINE.log_density(at) - log_q
    assert known.log_ratio_error(LINE, log_q, at, right) == 0
    assert known.log_ratio_error(LINE, log_q, at, right + 2) == pytest.approx(2)
    assert known.log_ratio_error(LINE, log_q, at, right + 2, up_to_constant=True) < 1e-12
    assert known.log_ratio_error(LINE, log_q, at, -right) > 0.1
