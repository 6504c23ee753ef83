"""Rows 10–13: that they hold, and that a wrong conjugate, constant or side fails them."""

from dataclasses import replace

import pytest

from sparring.divergences import Divergence
from sparring.objectives import f_gan
from sparring.theory import gaussian
from sparring.theory.optimal import OPTIMA
from sparring.theory.statements import families
from sparring.theory.statements.families import DIVERGENCES, SMOOTH

ROWS = {statement.number: statement for statement in families.STATEMENTS}


def failed(number: int) -> list[str]:
    return [check.what for check in ROWS[number].check() if not check.passed]


def plant(monkeypatch: pytest.MonkeyPatch, name: str, fault: Divergence) -> None:
    """Put a faulty divergence, and the game made of it, where the rows look."""
    monkeypatch.setitem(DIVERGENCES, name, fault)  # type: ignore[arg-type]
    if name in SMOOTH:
        monkeypatch.setitem(SMOOTH, name, fault)
    monkeypatch.setitem(OPTIMA, name, replace(OPTIMA[name], objective=f_gan(fault)))  # type: ignore[arg-type]


def test_the_rows_are_those_of_this_module() -> None:
    assert sorted(ROWS) == [10, 11, 12, 13]


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("lender", DIVERGENCES)
def test_the_conjugate_of_another_divergence_fails_row_10(
    monkeypatch: pytest.MonkeyPatch, name: str, lender: str
) -> None:
    if name != lender:
        plant(
            monkeypatch, name, replace(DIVERGENCES[name], conjugate=DIVERGENCES[lender].conjugate)
        )
        assert failed(10)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_fused_form_that_is_off_by_a_constant_fails_rows_10_and_11(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    right = DIVERGENCES[name].conjugate_of_activation
    fault = replace(DIVERGENCES[name], conjugate_of_activation=lambda v: right(v) + 1e-6)
    plant(monkeypatch, name, fault)
    assert "fused f*(activation): largest gap" in failed(10)
    assert "largest |value of the game − D_f|" in failed(11)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_missing_half_fails_rows_10_and_11(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    right = DIVERGENCES[name]
    plant(monkeypatch, name, replace(right, f=lambda u: 2 * right.f(u)))
    assert failed(10)
    assert failed(11)


@pytest.mark.parametrize("name", [name for name in DIVERGENCES if name != "total_variation"])
def test_swapped_sides_fail_row_11(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    game = OPTIMA[name].objective
    spoilt = replace(game, discriminator=lambda r, f: game.discriminator(f, r))
    monkeypatch.setitem(OPTIMA, name, replace(OPTIMA[name], objective=spoilt))  # type: ignore[arg-type]
    assert "largest |value of the game − D_f|" in failed(11)


@pytest.mark.parametrize("name", ["kl", "pearson", "squared_hellinger"])
def test_twice_the_loss_fails_row_12(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    game = OPTIMA[name].objective
    spoilt = replace(game, discriminator=lambda r, f: 2 * game.discriminator(r, f))
    monkeypatch.setitem(OPTIMA, name, replace(OPTIMA[name], objective=spoilt))  # type: ignore[arg-type]
    assert failed(12) == [f"{name}: value of the game"]


@pytest.mark.parametrize("name", SMOOTH)
def test_a_derivative_that_is_not_that_of_f_fails_row_13(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    right = DIVERGENCES[name]
    plant(monkeypatch, name, replace(right, derivative=lambda u: right.derivative(u * u)))
    assert len(failed(13)) == 1


def test_total_variation_is_left_out_of_row_13_for_a_reason() -> None:
    """It shrinks as ε, not ε²: half the shift, half the distance."""
    near, nearer = (
        gaussian.total_variation(gaussian.normal(0.0, 1.0), gaussian.normal(e, 1.0))
        for e in (0.02, 0.01)
    )
    assert near / nearer == pytest.approx(2, abs=1e-4)
