"""Rows 39–43: that the plain definitions are what they say, and that spoilt metrics fail them."""

import numpy as np
import pytest

from sparring.metrics import exchangeable, gaussians
from sparring.theory.statements import estimators

ROWS = {statement.number: statement for statement in estimators.STATEMENTS}


def failed(number: int) -> list[str]:
    return [check.what for check in ROWS[number].check() if not check.passed]


def test_the_rows_are_those_of_this_module() -> None:
    assert sorted(ROWS) == [39, 40, 41, 42, 43]


def test_the_four_by_hand() -> None:
    """On a line, k = 1: balls of the reals reach 1, 1, 2; of the fakes 4.5, 1, 1."""
    real, fake = np.array([[0.0], [1], [3]]), np.array([[0.5], [5], [6]])
    assert estimators.four(real, fake, 1) == pytest.approx((1 / 3, 1, 2 / 3, 2 / 3))
    assert estimators.four(real, fake, 1, ties=True) == pytest.approx((2 / 3, 1, 1, 1))


def test_a_correction_that_takes_all_for_gaussian_fails_row_39(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gaussians, "_bias", lambda coupling, side, curvature: 2 / side.n)
    assert "the same, corrected" in failed(39)


def test_a_p_value_that_forgets_the_given_labeling_fails_row_43(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = exchangeable._tails
    monkeypatch.setattr(exchangeable, "_tails", lambda sums: right(sums) - 1 / len(sums))
    assert "70 labelings, no ties: largest |p − rank/70|" in failed(43)
