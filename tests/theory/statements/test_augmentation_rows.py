"""Row 33: that it holds, and that it would not for turns drawn in another way."""

import pytest

from sparring.theory import leak
from sparring.theory.statements import augmentations

(ROW,) = augmentations.STATEMENTS


def failed() -> list[str]:
    return [check.what for check in ROW.check() if not check.passed]


def test_the_row_holds_and_has_a_source() -> None:
    assert ROW.number == 33
    assert ROW.source
    assert failed() == []


def test_without_the_turn_by_nothing_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = leak.operator
    monkeypatch.setattr(leak, "operator", lambda x, moves, a: right(x, moves[1:], a))
    assert failed()


def test_with_the_probability_of_staying_swapped_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = leak.operator
    monkeypatch.setattr(leak, "operator", lambda x, moves, a: right(x, moves, 1 - a))
    assert len(failed()) == 3
