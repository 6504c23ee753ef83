"""The statements on convergence: each notices the fault that it is there for."""

from collections.abc import Callable
from dataclasses import replace
from math import e

import pytest
from torch import Tensor

from sparring import objectives, penalties
from sparring.draws import Draw
from sparring.penalties import Scored
from sparring.theory import dirac
from sparring.theory.dirac import Matrix, Order
from sparring.theory.statements import convergence

BY_NUMBER = {statement.number: statement for statement in convergence.STATEMENTS}
round_matrix, r1 = dirac.round_matrix, penalties.r1

Plant = Callable[[pytest.MonkeyPatch], None]


def failing(number: int) -> list[str]:
    return [check.what for check in BY_NUMBER[number].check() if not check.passed]


def generator_first(jacobian: Matrix, order: Order, h: float) -> Matrix:
    """Forget that there is an order: both move from the same point."""
    return round_matrix(jacobian, "simultaneous", h)


def without_its_half(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    return 2 * r1(real, fake, draw)


def detached(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    return r1(real, fake, draw).detach()


def test_the_module_has_the_rows_that_it_says() -> None:
    assert list(BY_NUMBER) == [25, 26, 27, 28, 29, 34]


def test_the_spectra_cover_every_objective_there_is() -> None:
    declared = [v for v in vars(objectives).values() if isinstance(v, objectives.Objective)]
    assert sorted(map(id, declared)) == sorted(id(row[1]) for row in convergence.SPECTRA)


@pytest.mark.parametrize(("name", "size"), [("minimax", 0.5), ("Wasserstein", 1.0), ("KL", 1 / e)])
def test_the_spectra_of_the_page(name: str, size: float) -> None:
    assert {row[0]: row[2] for row in convergence.SPECTRA}[name] == size


def test_swapped_sides_fail_in_the_spectra(monkeypatch: pytest.MonkeyPatch) -> None:
    right = objectives.minimax
    wrong = replace(right, discriminator=lambda r, f: right.discriminator(f, r))
    rows = (("minimax", wrong, 0.5), *convergence.SPECTRA[1:])
    monkeypatch.setattr(convergence, "SPECTRA", rows)
    assert failing(25) == ["minimax: Im λ", "largest |Re λ| of them all"]


def test_alternating_steps_taken_at_once_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convergence, "round_matrix", generator_first)
    assert {"radius at h = 0.1", "trace at h = 0.1"} <= set(failing(27))
    assert failing(26) == []


def test_simultaneous_steps_taken_in_turn_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        convergence, "round_matrix", lambda jacobian, _, h: round_matrix(jacobian, "alternating", h)
    )
    assert len(failing(26)) == 5
    assert failing(27) == []


@pytest.mark.parametrize("fault", [without_its_half, detached])
def test_a_wrong_r1_fails_where_it_is_used(
    fault: penalties.PenaltyFn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(penalties, "r1", fault)
    spectrum = failing(28)
    assert "R1, γ = 0.6: Re λ" in spectrum
    assert "R1: γ of critical damping" in spectrum
    assert "simultaneous, γ = 0.6: h below" in spectrum
    assert "R2, γ = 0.6: Re λ" not in spectrum
    if fault is without_its_half:
        assert failing(34) == ["R1 without its ½, ‖w‖ = 13"]
    else:
        assert "R1, γ = 1: distance from (0, 0) after 150 rounds" in failing(29)
