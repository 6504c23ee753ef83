"""What looks over time say: exact cases, and that noise is no trend."""

import numpy as np

from sparring.metrics.estimate import Estimate
from sparring.metrics.trend import Trend, Worse, choice, trend


def by_intervals(*values: float, reach: float = 1.0) -> Worse:
    """Call one value worse than another where intervals of this reach do not overlap."""
    intervals = [Estimate(v, v - reach, v + reach, 100, "test") for v in values]
    return lambda a, b: intervals[a].low > intervals[b].high


def told(*values: float) -> Trend:
    return trend(values, by_intervals(*values))


def chosen(*values: float) -> int:
    return choice(values, by_intervals(*values))


def test_it_is_too_early_before_the_fourth_look() -> None:
    assert told(9, 5, 1) == told() == "too early to tell"


def test_falling_beyond_the_intervals_is_improving() -> None:
    assert told(9, 7, 6, 5) == "still improving"
    assert told(9, 9.5, 8.5, 8) == "flat within the interval"


def test_rising_beyond_the_best_s_interval_is_getting_worse() -> None:
    assert told(7, 5, 5, 6.9) == "flat within the interval"
    assert told(9, 5, 5, 7.1) == "getting worse"


def test_the_latest_that_cannot_be_told_from_the_best_is_chosen() -> None:
    assert chosen(9, 3, 4, 8) == 2
    assert chosen(9, 3, 4, 4.9) == 3
    assert chosen(5) == 0
    assert choice([1.0, 3.0, 1.0], lambda a, b: a > b) == 0


def test_noise_around_one_value_is_no_trend() -> None:
    random = np.random.default_rng(0)
    found = [told(*random.normal(0, 0.5, 12)) for _ in range(500)]
    assert found.count("flat within the interval") >= 480
