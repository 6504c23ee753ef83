"""Rows 1–9 and 30–32: that they hold, and that they would not hold of a spoilt game."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparring import objectives
from sparring.objectives import Objective
from sparring.theory import finite, optimal
from sparring.theory.optimal import OPTIMA, Optimum
from sparring.theory.statements import games
from sparring.theory.statements.statement import Statement

ROWS = {statement.number: statement for statement in games.STATEMENTS}
every_row = pytest.mark.parametrize("row", games.STATEMENTS, ids=lambda row: str(row.number))


def failed(row: Statement) -> list[str]:
    return [check.what for check in row.check() if not check.passed]


def test_the_rows_are_those_of_this_module() -> None:
    assert sorted(ROWS) == [*range(1, 10), 30, 31, 32]
    assert len(ROWS) == len(games.STATEMENTS)


@every_row
def test_a_row_holds_and_has_a_source(row: Statement) -> None:
    assert failed(row) == []
    assert len(row.check()) >= 3
    assert row.source


@every_row
def test_a_row_computes_the_same_each_time(row: Statement) -> None:
    assert row.check() == row.check()


def swapped(game: Objective) -> Objective:
    return replace(game, discriminator=lambda r, f: game.discriminator(f, r))


def halved(game: Objective) -> Objective:
    return replace(game, discriminator=lambda r, f: game.discriminator(r, f) / 2)


def doubled_generator(game: Objective) -> Objective:
    return replace(game, generator=lambda r, f: 2 * game.generator(r, f))


def saturating(game: Objective) -> Objective:
    return replace(game, generator=objectives.minimax.generator)


def of_probabilities(game: Objective) -> Objective:
    """A sigmoid too many: the loss takes probabilities for logits."""
    return replace(game, discriminator=lambda r, f: game.discriminator(r.sigmoid(), f.sigmoid()))


def unsided(game: Objective) -> Objective:
    """Hinge without its margin on the fakes."""
    return replace(game, discriminator=lambda r, f: (1 - r).relu() + f.relu())


def misread(game: Objective) -> Objective:
    return replace(game, log_ratio=torch.sigmoid)


@pytest.mark.parametrize(
    ("number", "name", "fault"),
    [
        (1, "minimax", swapped),
        (1, "minimax", of_probabilities),
        (2, "minimax", swapped),
        (2, "minimax", halved),
        (3, "minimax", halved),
        (4, "minimax", swapped),
        (4, "non_saturating", saturating),
        (5, "minimax", doubled_generator),
        (6, "non_saturating", saturating),
        (6, "non_saturating", doubled_generator),
        (7, "least_squares", swapped),
        (7, "least_squares", halved),
        (7, "least_squares", doubled_generator),
        (8, "hinge", swapped),
        (8, "hinge", unsided),
        (8, "hinge", halved),
        (30, "relativistic", swapped),
        (30, "relativistic", halved),
        (31, "kl", misread),
        (31, "least_squares", misread),
    ],
)
def test_a_spoilt_objective_fails_its_row(
    monkeypatch: pytest.MonkeyPatch, number: int, name: str, fault: Callable[[Objective], Objective]
) -> None:
    best = OPTIMA[name]
    monkeypatch.setitem(OPTIMA, name, replace(best, objective=fault(best.objective)))  # type: ignore[arg-type]
    assert failed(ROWS[number])


def test_another_target_for_the_generator_fails_row_7(monkeypatch: pytest.MonkeyPatch) -> None:
    """With c = b the value is no divergence of Pearson's."""
    right = optimal.least_squares
    monkeypatch.setattr(optimal, "least_squares", lambda a, b, c: right(a, b, b))
    assert "(−1,1,0): 2C(G), N(0,1) vs N(1,1)" in failed(ROWS[7])


def test_smoothing_both_labels_fails_row_32(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(target: float) -> Optimum:
        one = right(target)
        side = one.objective.discriminator
        spoilt = replace(one.objective, discriminator=lambda r, f: side(r, f) - 0.1 * f)
        return replace(one, objective=spoilt)

    right = optimal.smoothed
    monkeypatch.setattr(optimal, "smoothed", both)
    assert failed(ROWS[32])


def test_a_classifier_that_is_right_too_often_fails_row_9(monkeypatch: pytest.MonkeyPatch) -> None:
    right = finite.accuracy
    monkeypatch.setattr(finite, "accuracy", lambda v, p, q: 2 * right(v, p, q) - 0.5)
    assert len(failed(ROWS[9])) == 2


def test_half_a_divergence_fails_the_rows_that_lean_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    right = finite.jensen_shannon
    monkeypatch.setattr(finite, "jensen_shannon", lambda p, q: right(p, q) / 2)
    assert all(failed(ROWS[number]) for number in (2, 4, 5, 6, 30))


def test_the_law_of_hits_is_another_one_when_labels_can_be_guessed() -> None:
    """It is binomial with ½ whatever the classifier says, and its mass is one."""
    law = games.law_of_hits(torch.tensor([1.0, 1.0]), (0.5, 0.5), [games.COIN] * 2)
    assert law.tolist() == pytest.approx([0.25, 0.5, 0.25])
