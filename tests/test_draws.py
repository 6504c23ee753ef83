"""Draws: what a number depends on, how it is distributed, and that the bits never change."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from sparring import draws
from sparring.draws import Draw, permutation

SHAPES = [(), (1,), (3,), (4,), (5,), (8,), (2, 3), (1, 3, 3), (3, 8, 8)]


@pytest.mark.parametrize("rest", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_a_row_is_the_same_wherever_the_draw_starts(kind: str, rest: tuple[int, ...]) -> None:
    whole = getattr(Draw(3), kind)("purpose", (12, *rest))
    for start, rows in ((0, 5), (1, 4), (7, 5), (11, 1)):
        part = getattr(Draw(3, start), kind)("purpose", (rows, *rest))
        assert part.shape == (rows, *rest)
        assert torch.equal(part, whole[start : start + rows])


def test_integers_are_the_same_wherever_the_draw_starts() -> None:
    whole = Draw(3).integers("purpose", 20, 1000)
    assert torch.equal(Draw(3, 13).integers("purpose", 7, 1000), whole[13:])


def test_a_draw_far_along_the_stream_still_has_its_own_numbers() -> None:
    far = Draw(3, 2**40).uniform("purpose", (2, 784))
    assert torch.equal(far[1:], Draw(3, 2**40 + 1).uniform("purpose", (1, 784)))
    assert not torch.equal(far[0], far[1])


def test_another_seed_attempt_or_purpose_gives_unrelated_numbers() -> None:
    others = [
        Draw(0).normal("a", (20_000,)),
        Draw(0).normal("b", (20_000,)),
        Draw(1).normal("a", (20_000,)),
        Draw(0, attempt=1).normal("a", (20_000,)),
        Draw(0, start=20_000).normal("a", (20_000,)),
        Draw(1, attempt=1).normal("a", (20_000,)),
    ]
    for one, other in combinations(others, 2):
        correlation = float(np.corrcoef(one.numpy(), other.numpy())[0, 1])
        assert abs(correlation) < 4 / 20_000**0.5


def test_numbers_of_one_row_and_of_neighbouring_rows_are_unrelated() -> None:
    numbers = Draw(5).normal("purpose", (20_000, 6)).numpy()
    between = np.corrcoef(np.hstack([numbers[:-1], numbers[1:]]).T) - np.eye(12)
    assert np.abs(between).max() < 4.5 / 20_000**0.5


def test_uniform_numbers_are_uniform() -> None:
    numbers = Draw(11).uniform("purpose", (50_000,), like=torch.empty(0, dtype=torch.float64))
    assert stats.kstest(numbers.numpy(), "uniform").pvalue > 1e-3


def test_normal_numbers_are_normal() -> None:
    numbers = Draw(11).normal("purpose", (50_000,), like=torch.empty(0, dtype=torch.float64))
    assert stats.kstest(numbers.numpy(), "norm").pvalue > 1e-3
    moments = [float(numbers.pow(k).mean()) for k in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("word", [0, 2**64 - 1], ids=["least", "greatest"])
def test_uniform_numbers_never_reach_0_or_1_even_for_the_extreme_bits(
    monkeypatch: pytest.MonkeyPatch, word: int, dtype: torch.dtype
) -> None:
    class Extreme:
        def __init__(self, **_: Any) -> None: ...

        def random_raw(self, size: int) -> Any:
            return np.full(size, word, dtype=np.uint64)

    monkeypatch.setattr(draws, "Philox", Extreme)
    like = torch.empty(0, dtype=dtype)
    (number,) = Draw(0).uniform("purpose", (1,), like).tolist()
    assert 0 < number < 1
    assert bool(Draw(0).normal("purpose", (1,), like).isfinite())
    assert int(Draw(0).integers("purpose", 1, 10)) in range(10)


def test_numbers_take_the_type_of_what_they_are_like() -> None:
    assert Draw(0).uniform("purpose", (2,)).dtype == torch.float32
    assert Draw(0).normal("purpose", (2,), torch.empty(0, dtype=torch.float64)).dtype == (
        torch.float64
    )
    assert Draw(0).integers("purpose", 2, 9).dtype == torch.int64


@pytest.mark.parametrize("below", [1, 2, 10, 1000])
def test_integers_stay_below_their_bound_and_are_equally_frequent(below: int) -> None:
    integers = Draw(2).integers("purpose", 50 * below + 1000, below).numpy()
    counts = np.bincount(integers, minlength=below)
    assert len(counts) == below
    if below > 1:
        assert stats.chisquare(counts).pvalue > 1e-3


def test_no_rows_give_an_empty_draw() -> None:
    assert Draw(0).uniform("purpose", (0, 3)).shape == (0, 3)


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_a_permutation_holds_every_number_once(n: int) -> None:
    assert sorted(permutation(0, "epoch", n)) == list(range(n))


def test_permutations_repeat_for_the_same_purpose_and_differ_for_others() -> None:
    shuffles: list[Callable[[], Any]] = [
        lambda: permutation(0, "epoch-0", 100),
        lambda: permutation(0, "epoch-1", 100),
        lambda: permutation(1, "epoch-0", 100),
    ]
    for shuffle in shuffles:
        assert np.array_equal(shuffle(), shuffle())
    for one, other in combinations(shuffles, 2):
        assert np.mean(one() == other()) < 0.1


def test_every_place_of_a_permutation_is_equally_likely() -> None:
    counts = np.zeros((4, 4))
    for epoch in range(2000):
        counts[np.arange(4), permutation(0, f"epoch-{epoch}", 4)] += 1
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_the_bits_are_those_of_the_first_release() -> None:
    """A change here would break the resume of every run that exists."""
    assert Draw(7).uniform("pin", (2, 3)).tolist() == [
        [0.06911906599998474, 0.9826211333274841, 0.39986860752105713],
        [0.5555546879768372, 0.7703694105148315, 0.08518315106630325],
    ]
    assert Draw(7).integers("pin", 8, 10).tolist() == [0, 5, 2, 1, 0, 5, 1, 4]
    assert permutation(7, "pin", 8).tolist() == [4, 1, 0, 5, 2, 7, 3, 6]
    normal = [-0.4722018837928772, -0.9889268279075623, 0.05749756097793579]
    assert Draw(7, 5, 1).normal("pin", (1, 5))[0, :3].tolist() == pytest.approx(normal, rel=1e-6)
