"""Rows 18–21 and 35 hold on the metrics themselves, and their helpers are what they say."""

import numpy as np
import pytest
from scipy.stats import multinomial

from sparring.metrics.gaussians import frechet_plug_in
from sparring.theory.statements.evaluation import (
    STATEMENTS,
    diagonal_excess,
    leading_constant,
    mean_deviation,
    mutual_information,
    plug_in_mean,
    samples,
    squared_mmd,
)


def test_the_rows_are_those_of_the_table() -> None:
    assert [row.number for row in STATEMENTS] == [18, 19, 20, 21, 35]


def test_all_samples_have_the_probabilities_of_the_multinomial_law() -> None:
    law = np.array([0.2, 0.5, 0.3])
    points = np.arange(3.0)[:, None]
    found = list(samples(points, law, 4))
    assert sum(weight for _, weight in found) == pytest.approx(1)
    for drawn, weight in found:
        counts = [(drawn == point).sum() for point in points]
        assert weight == pytest.approx(multinomial.pmf(counts, 4, law))


def test_the_population_measures_are_their_definitions() -> None:
    points, p, q = np.array([[0.0], [2.0]]), np.array([0.5, 0.5]), np.array([1.0, 0.0])
    # k(0,·) = 1, k(2,2) = 125
    assert squared_mmd(points, p, q) == pytest.approx((1 + 1 + 1 + 125) / 4 + 1 - 2)
    assert diagonal_excess(points, p) == pytest.approx((1 + 125) / 2 - 128 / 4)
    assert diagonal_excess(points, q) == 0
    assert mutual_information(np.eye(2) / 2) == pytest.approx(np.log(2))
    assert mutual_information(np.outer([0.3, 0.7], [0.4, 0.6])) == pytest.approx(0)


def test_the_mean_deviation_is_that_of_the_tables() -> None:
    assert mean_deviation(2) == pytest.approx(0.7978845608)
    assert mean_deviation(10) == pytest.approx(0.9726592741)


def test_the_exact_mean_of_the_plug_in_approaches_its_leading_term() -> None:
    """(2d + d(d+1)/2)/n = 3/n at d = 1."""
    assert leading_constant(1) == pytest.approx(3, abs=1e-6)
    assert 60 * plug_in_mean(60, 60) == pytest.approx(3, rel=0.02)


def test_drawn_plug_ins_agree_with_the_leading_term() -> None:
    """Beside the exact checks: d = 8, where 52/n is about what 300 draws give on average."""
    draws = np.random.default_rng(0).normal(size=(300, 2, 200, 8))
    values = np.array([frechet_plug_in(x, y) for x, y in draws])
    error = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(52 / 200, abs=3 * error + 0.03 * 52 / 200)
