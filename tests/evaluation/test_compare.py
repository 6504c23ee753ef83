"""Which of two generators is better: known differences, no difference, few seeds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.evaluation.compare import Comparison, compare_recipes, compare_samples, holm


def gaussian(seed: int, shift: float = 0.0, n: int = 1000) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(shift, 1, (n, 8))


def only(comparisons: list[Comparison]) -> Comparison:
    (one,) = comparisons
    return one


def test_the_nearer_generator_is_called_better_whichever_comes_first() -> None:
    real, near, far = gaussian(0), gaussian(1, 0.1), gaussian(2, 0.4)
    one = only(compare_samples(real, {"near": near, "far": far}))
    assert (one.verdict, one.enough) == ("near is better", None)
    assert one.difference.high < 0
    other = only(compare_samples(real, {"far": far, "near": near}))
    assert other.verdict == "near is better"
    assert other.difference.value == pytest.approx(-one.difference.value, rel=1e-9)


def test_equal_generators_cannot_be_told_apart_and_the_price_of_knowing_is_named() -> None:
    one = only(compare_samples(gaussian(0), {"a": gaussian(1, 0.2), "b": gaussian(2, 0.2)}))
    assert one.verdict == "the data cannot tell"
    assert one.enough is not None
    assert one.enough > 1000


def test_few_samples_for_the_width_fall_back_on_the_kernel_distance() -> None:
    few = {"a": gaussian(1, 0.1, 12), "b": gaussian(2, 3.0, 12)}
    one = only(compare_samples(gaussian(0, n=12), few))
    assert "KID" in one.difference.method or "kernel" in one.difference.method.lower()
    assert one.verdict == "a is better"


def test_three_runs_give_three_comparisons_corrected_for_their_number() -> None:
    fakes = {name: gaussian(i + 1, 0.2) for i, name in enumerate("abc")}
    found = compare_samples(gaussian(0), fakes)
    assert [(one.a, one.b) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    alone = [
        only(compare_samples(gaussian(0), {k: fakes[k] for k in pair})) for pair in ("ab", "ac")
    ]
    for one, uncorrected in zip(found, alone, strict=False):
        assert one.difference.p_value is not None
        assert uncorrected.difference.p_value is not None
        assert one.difference.p_value >= uncorrected.difference.p_value - 1e-12


def test_the_level_holds_for_equal_generators() -> None:
    wrong = 0
    for seed in range(100):
        fakes = {"a": gaussian(3 * seed + 1, 0.3, 400), "b": gaussian(3 * seed + 2, 0.3, 400)}
        wrong += only(compare_samples(gaussian(3 * seed, n=400), fakes)).verdict.endswith("better")
    assert wrong <= 11  # of 100; more have a chance of 0.4 % at a level of 5 %


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]


def test_recipes_are_compared_by_the_spread_of_their_seeds() -> None:
    clear = only(compare_recipes({"a": [1.0, 1.1, 0.9], "b": [2.0, 2.2, 1.9]}))
    assert clear.verdict == "a is better"
    assert clear.difference.n == 3
    vague = only(compare_recipes({"a": [1.0, 3.0], "b": [2.0, 2.5]}))
    assert vague.verdict == "the data cannot tell"
    assert vague.difference.low < 0 < vague.difference.high


def test_runs_that_are_equal_are_not_settled_by_any_number_of_samples() -> None:
    one = only(compare_samples(gaussian(0), {"a": gaussian(1), "b": gaussian(1)}))
    assert one.verdict == "the data cannot tell"
    assert "no number of samples" in str(one)
