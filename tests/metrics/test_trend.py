"""What a series of estimates says: exact cases, and that noise is no trend."""

import numpy as np

from sparring.metrics.estimate import Estimate
from sparring.metrics.trend import best_index, choice, trend


def series(*values: float, reach: float = 1.0) -> list[Estimate]:
    return [Estimate(v, v - reach, v + reach, 100, "test") for v in values]


def test_it_is_too_early_before_the_fourth_look() -> None:
    assert trend(series(9, 5, 1)) == "too early to tell"
    assert trend([]) == "too early to tell"


def test_falling_beyond_the_intervals_is_improving() -> None:
    assert trend(series(9, 7, 6, 5)) == "still improving"
    assert trend(series(9, 9.5, 8.5, 8)) == "flat within the interval"


def test_rising_beyond_the_best_s_interval_is_getting_worse() -> None:
    assert trend(series(9, 5, 5, 6.9)) == "flat within the interval"
    assert trend(series(9, 5, 5, 7.1)) == "getting worse"


def test_the_latest_that_cannot_be_told_from_the_best_is_chosen() -> None:
    assert best_index(series(9, 3, 4, 8)) == 1
    assert choice(series(9, 3, 4, 8)) == 2
    assert choice(series(9, 3, 4, 4.9)) == 3
    assert choice(series(5)) == 0


def test_noise_around_one_value_is_no_trend_and_the_last_is_chosen() -> None:
    random = np.random.default_rng(0)
    told = [trend(series(*random.normal(0, 0.5, 12))) for _ in range(500)]
    assert told.count("flat within the interval") >= 480
