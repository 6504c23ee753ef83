"""Intervals from a standard error: their equations, and where they are used at their ends."""

import pytest

from sparring.errors import SparringError
from sparring.metrics.normal import (
    normal_estimate,
    quantile,
    squared_distance_estimate,
    two_sided_p,
)


def test_quantiles_are_those_of_the_normal_distribution() -> None:
    assert quantile(0.95) == pytest.approx(1.959963984540054)
    assert quantile(0.5) == pytest.approx(0.6744897501960817)


@pytest.mark.parametrize("level", [0, 1, 95, float("nan")])
def test_a_level_is_a_probability(level: float) -> None:
    for make in (normal_estimate, squared_distance_estimate):
        with pytest.raises(SparringError, match="level is"):
            make(1, 1, 10, "", level)


def test_a_normal_interval_reaches_as_far_up_as_down() -> None:
    found = normal_estimate(3, 4, 10, "m", 0.9)
    assert (found.low, found.high) == pytest.approx((3 - 2 * 1.6448536, 3 + 2 * 1.6448536))
    assert (found.n, found.method, found.level, found.p_value) == (10, "m", 0.9, None)
    assert normal_estimate(3, -1, 10, "m").low == 3


@pytest.mark.parametrize(("value", "variance"), [(5.0, 0.1), (0.2, 0.1), (0.0, 0.1), (-1.0, 2.0)])
def test_the_ends_of_a_squared_distance_solve_their_equation(value: float, variance: float) -> None:
    found = squared_distance_estimate(value, variance, 10, "m")
    b = variance / (max(value, 0) + 2 * variance**0.5)
    for end in (found.low, found.high):
        growing = variance + b * (end - value)
        assert (value - end) ** 2 == pytest.approx(quantile(0.95) ** 2 * growing)
    assert found.low < value < found.high


def test_far_from_zero_the_interval_of_a_squared_distance_is_the_normal_one() -> None:
    found, plain = (make(1e6, 1, 10, "m") for make in (squared_distance_estimate, normal_estimate))
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=1e-5)


def test_a_shifted_mean_has_the_interval_of_its_square() -> None:
    """D² with D ~ N(δ, s²): the variance is 4 s² δ², and the ends should be (D ± z s)²."""
    d, s = 3.0, 0.1
    found = squared_distance_estimate(d**2, 4 * s**2 * d**2, 10, "m")
    z = quantile(0.95)
    assert found.low == pytest.approx((d - z * s) ** 2, abs=0.05)  # 7.86; the normal one 7.82
    assert found.high == pytest.approx((d + z * s) ** 2, abs=0.05)


def test_no_variance_is_an_interval_of_one_point() -> None:
    found = squared_distance_estimate(2, 0, 10, "m")
    assert (found.low, found.high) == (2, 2)


def test_a_p_value_is_the_probability_of_an_error_as_large() -> None:
    assert two_sided_p(1.959963984540054, 1) == pytest.approx(0.05)
    assert two_sided_p(-2 * 1.959963984540054, 4) == pytest.approx(0.05)
    assert two_sided_p(0, 1) == 1
    assert (two_sided_p(0, 0), two_sided_p(1, 0)) == (1, 0)
