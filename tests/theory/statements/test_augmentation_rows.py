"""Row 33: that it holds, and that it would not for turns drawn in another way."""

import pytest

from sparring.theory import leak
from sparring.theory.statements import augmentations

(ROW,) = augmentations.STATEMENTS


def failed() -> list[str]:
    return [check.what for check in ROW.check() if not check.passed]


def test_the_row_is_that_of_this_module() -> None:
    assert ROW.number == 33


def test_without_the_turn_by_nothing_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = leak.operator
    monkeypatch.setattr(leak, "operator", lambda x, moves, a: right(x, moves[1:], a))
    assert failed()


def test_with_the_probability_of_staying_swapped_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = leak.operator
    monkeypatch.setattr(leak, "operator", lambda x, moves, a: right(x, moves, 1 - a))
    assert len(failed()) == 5


def test_turns_that_training_draws_in_another_way_fail_it(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = augmentations.Grid.uniform
    monkeypatch.setattr(
        augmentations.Grid, "uniform", lambda *given, **like: grid(*given, **like) / 2
    )
    assert failed() == ["turns as training draws them: largest gap", "mirrorings, likewise"]
