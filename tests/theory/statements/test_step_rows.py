"""Rows 36–38: that a spoilt step, ratio or penalty fails them."""

from dataclasses import replace

import pytest

from sparring import objectives, penalties
from sparring.theory.statements import steps
from sparring.theory.statements.steps import Play, gap
from sparring.training import step

ROWS = {statement.number: statement for statement in steps.STATEMENTS}


def failed(number: int) -> list[str]:
    return [check.what for check in ROWS[number].check() if not check.passed]


def test_the_rows_are_those_of_this_module() -> None:
    assert sorted(ROWS) == [36, 37, 38]


def test_every_objective_is_played_by_hand() -> None:
    declared = {k for k, v in vars(objectives).items() if isinstance(v, objectives.Objective)}
    assert declared == steps.SLOPES.keys()


def test_a_wrong_ratio_fails_where_both_move_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = replace(objectives.minimax, ratio=lambda r, f: -2 * f.new_ones(f.shape))
    monkeypatch.setattr(objectives, "minimax", spoilt)
    assert gap(Play("minimax", "simultaneous")) > 1e-3
    assert gap(Play("minimax", "alternating")) < 1e-12


def test_r2_at_the_reals_fails_rows_36_and_37(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(penalties, "r2", lambda real, fake, draw: penalties.r1(real, real, draw))
    assert failed(37) == ["R2: ½‖y‖² at the fakes, largest gap"]
    assert gap(Play("hinge", "alternating", r2=0.1)) > 1e-3


def test_an_average_that_lags_fails_row_36_but_not_38(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 38 calls the average alone, row 36 as a step does."""
    right = step.update_ema
    monkeypatch.setattr(
        step, "update_ema", lambda state, n, halflife: right(state, n, 2 * halflife)
    )
    assert gap(Play("hinge", "alternating")) > 1e-3
    assert failed(38) == []
