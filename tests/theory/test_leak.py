"""Leak operators: built by really turning and flipping small pictures."""

import pytest
import torch
from torch import Tensor

from sparring.errors import SparringError
from sparring.theory import leak

PICTURE = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
TURNS = [lambda image, turns=turns: image.rot90(turns) for turns in range(4)]
ORBIT = torch.stack([turn(PICTURE) for turn in TURNS])
LAW = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)


def stay(image: Tensor) -> Tensor:
    return image


def flip(image: Tensor) -> Tensor:
    return image.flip(1)


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.7, 1.0])
def test_quarter_turns_have_the_eigenvalues_of_the_paper(probability: float) -> None:
    operator = leak.operator(ORBIT, TURNS, probability)
    expected = torch.tensor([1 - probability] * 3 + [1.0], dtype=torch.float64)
    torch.testing.assert_close(torch.linalg.eigvalsh(operator), expected, rtol=0, atol=1e-14)
    assert leak.singular(operator) == (probability == 1)


def test_the_operator_takes_a_law_to_that_of_the_augmented_samples() -> None:
    """By hand: of the first picture's mass, 1 − a + a/4 stays and a/4 goes to each other."""
    operator = leak.operator(ORBIT, TURNS, 0.4)
    torch.testing.assert_close(operator[:, 0], torch.tensor([0.7, 0.1, 0.1, 0.1]).double())
    torch.testing.assert_close(operator.sum(0), torch.ones(4).double())


def test_columns_are_where_mass_comes_from() -> None:
    """One turn to the left moves each picture to the next; its transpose would move it back."""
    operator = leak.operator(ORBIT, TURNS[1:2], 1.0)
    assert torch.equal(operator @ LAW, LAW.roll(1))


@pytest.mark.parametrize("probability", [0.0, 0.5, 0.9])
def test_below_one_the_true_law_is_recovered(probability: float) -> None:
    operator = leak.operator(ORBIT, TURNS, probability)
    torch.testing.assert_close(leak.recover(operator, operator @ LAW), LAW, rtol=0, atol=1e-13)


def test_at_one_different_laws_look_the_same_and_nothing_is_recovered() -> None:
    operator = leak.operator(ORBIT, TURNS, 1.0)
    torch.testing.assert_close(operator @ LAW, operator @ LAW.flip(0))
    with pytest.raises(SparringError, match="leaks"):
        leak.recover(operator, operator @ LAW)


def test_a_flip_that_is_always_drawn_leaks_if_it_is_a_fair_coin_only() -> None:
    pictures = torch.stack([PICTURE, flip(PICTURE)])
    fair = leak.operator(pictures, [stay, flip], 1.0)
    assert leak.singular(fair)
    assert not leak.singular(leak.operator(pictures, [flip], 1.0))  # a mere relabelling
    half = leak.operator(pictures, [flip], 0.5)
    torch.testing.assert_close(half, fair)


def test_turns_other_than_uniform_have_other_eigenvalues() -> None:
    """Without the turn by nothing, 1 − 4a/3: singular at a = ¾ already."""
    assert leak.singular(leak.operator(ORBIT, TURNS[1:], 0.75))
    assert not leak.singular(leak.operator(ORBIT, TURNS[1:], 1.0))


def test_symmetric_pictures_are_points_of_their_own() -> None:
    even = torch.ones(2, 2)
    operator = leak.operator(torch.cat([ORBIT, even[None]]), TURNS, 0.5)
    assert float(operator[4, 4]) == 1


def test_what_makes_no_operator_is_refused() -> None:
    with pytest.raises(SparringError, match="leads to 0 of the points"):
        leak.operator(ORBIT[:3], TURNS, 0.5)
    with pytest.raises(SparringError, match="within \\[0, 1\\]"):
        leak.operator(ORBIT, TURNS, 1.5)
    with pytest.raises(SparringError, match="0 moves"):
        leak.operator(ORBIT, [], 0.5)
    with pytest.raises(SparringError, match="observed sums to"):
        leak.recover(torch.eye(2).double(), torch.tensor([0.5, 0.6]))
