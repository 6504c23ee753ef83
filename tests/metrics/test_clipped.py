"""Clipped density and coverage: against their definitions longhand, and linear in bad samples."""

from itertools import combinations
from statistics import fmean, median

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sparring.errors import SparringError
from sparring.metrics.clipped import clipped_density_coverage

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(61, 7)), 0.9 * RNG.normal(size=(48, 7)) + 0.7


def radii(x: np.ndarray, k: int) -> np.ndarray:
    others = cdist(x, x)
    np.fill_diagonal(others, np.inf)
    return np.sort(others, axis=1)[:, k - 1]


def density(x: np.ndarray, y: np.ndarray, k: int) -> float:
    """Return the clipped density before it is calibrated: Salvy 2025, fakes in clipped balls."""
    reach = np.minimum(radii(x, k), median(radii(x, k)))
    return np.minimum((cdist(x, y) <= reach[:, None]).sum(0) / k, 1).mean()


def coverage(n: int, fakes: int, k: int) -> float:
    """Return what a perfect generator covers, over all orders of its samples and the reals."""
    orders = list(combinations(range(n - 1 + fakes), fakes))
    inside = [sum(place < kth(order, n, k) for place in order) for order in orders]
    return fmean(min(count, k) / k for count in inside)


def kth(fakes: tuple[int, ...], n: int, k: int) -> int:
    return [place for place in range(n - 1 + len(fakes)) if place not in fakes][k - 1]


def test_clipped_density_is_that_of_the_full_matrices() -> None:
    within = cdist(X, X) <= np.minimum(radii(X, 3), median(radii(X, 3)))[:, None]
    of_reals = np.minimum((within.sum(0) - 1) / 3, 1).mean()
    found = clipped_density_coverage(X, Y, 3)["clipped_density"]
    assert found.value == pytest.approx(density(X, Y, 3) / of_reals, rel=1e-12)


def test_clipped_coverage_asks_how_many_good_samples_would_cover_as_much() -> None:
    covered = np.minimum((cdist(X, Y) < radii(X, 2)[:, None]).sum(1) / 2, 1).mean()
    share = clipped_density_coverage(X, Y, 2)["clipped_coverage"].value
    n = len(X) - 1  # P(0), P(1) fakes of g before the second real, in any order of all
    g = share * len(Y)
    none = n * (n - 1) / ((n + g) * (n + g - 1))
    one = none * 2 * g / (n + g - 2)
    assert share < 1
    assert covered == pytest.approx(1 - none - one / 2, rel=1e-3)


def test_the_calibration_is_the_mean_over_all_orders() -> None:
    from sparring.metrics.clipped import _expected

    assert _expected(6, 4, 2)[4] == pytest.approx(coverage(6, 4, 2), rel=1e-12)
    assert _expected(6, 4, 2)[0] == 0


def test_both_fall_in_proportion_to_the_bad_samples_and_ignore_outliers() -> None:
    """Density and coverage as such stay at 1.5 and .98 here: outliers' balls hold what is far."""
    x, y = RNG.normal(size=(900, 4)), RNG.normal(size=(900, 4))
    x[:9] = y[450:] = 50 + RNG.normal(size=(1, 4))
    y[450:] += RNG.normal(size=(450, 4))
    for name, one in clipped_density_coverage(x, y).items():
        assert one.value == pytest.approx(0.5, abs=0.05), name
        assert one.low < 0.5 < one.high


def test_repeated_rows_of_a_perfect_generator_are_perfect() -> None:
    """Strict inequalities would say 0 where every row is there more than k times."""
    x, y = RNG.integers(0, 3, size=(2, 400, 2))
    for name, one in clipped_density_coverage(x, y).items():
        assert one.value > 0.9, name
        assert one.high == 1


def test_nothing_near_is_nothing_but_not_certainty() -> None:
    for one in clipped_density_coverage(X, Y + 1000).values():
        assert one.value == one.low == 0 < one.high < 0.1


def test_what_cannot_be_measured_is_refused_in_one_line() -> None:
    with pytest.raises(SparringError, match=r"half of the 9 samples of fake need 5 others"):
        clipped_density_coverage(X, Y[:9])
