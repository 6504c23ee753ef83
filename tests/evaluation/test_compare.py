"""Which of two generators is better: known differences, no difference, few seeds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.evaluation.compare import (
    Comparison,
    Needed,
    compare_recipes,
    compare_samples,
    needed,
)
from sparring.metrics.estimate import Estimate, PairedDifference
from sparring.metrics.families import holm


def gaussian(seed: int, shift: float = 0.0, n: int = 1000) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(shift, 1, (n, 8))


def only(comparisons: list[Comparison]) -> Comparison:
    (one,) = comparisons
    return one


def test_the_nearer_generator_is_called_better_whichever_comes_first() -> None:
    real, near, far = gaussian(0), gaussian(1, 0.1), gaussian(2, 0.4)
    one = only(compare_samples(real, {"near": near, "far": far}))
    assert (one.verdict, one.words, one.needed) == ("differs", "near is better", None)
    assert one.difference.high < 0
    other = only(compare_samples(real, {"far": far, "near": near}))
    assert other.words == "near is better"
    assert other.difference.value == pytest.approx(-one.difference.value, rel=1e-9)


def test_equal_generators_cannot_be_told_apart_and_the_price_of_knowing_is_named() -> None:
    one = only(compare_samples(gaussian(0), {"a": gaussian(1, 0.2), "b": gaussian(2, 0.2)}))
    assert one.verdict == "no difference seen"
    assert one.could_see
    assert abs(one.difference.value) < one.could_see
    assert f"; {one.could_see:.3g} would have shown; " in str(one)
    assert one.needed
    assert one.needed.words in str(one)


def difference(value: float, of_reals: float, of_fakes: float) -> PairedDifference:
    return PairedDifference(Estimate(value, 0, 0, 0, "", p_value=0.5), of_reals, of_fakes)


def test_the_advice_is_for_the_side_that_limits() -> None:
    """A difference of 2.8 standard errors shows in 80 % of cases at a two-sided level of 5 %."""
    shown = 2.8016
    by_fakes = needed(difference(shown, 0.5, 4.5), 1000, 10_000, 10**6, 0.05)
    assert by_fakes == Needed(samples=90_000)  # 0.5 + 45,000 / 90,000 = 1
    assert by_fakes.words == "about 90,000 samples of each would settle it (-n 90000)"
    by_reals = needed(difference(shown, 4.0, 0.2), 1000, 10_000, 10**6, 0.05)
    assert by_reals == Needed(reals=5_000)  # 4,000 / 5,000 + 0.2
    assert "more samples alone would not settle it; about 5,000 real items" in by_reals.words
    both = needed(difference(shown, 4.0, 2.0), 1000, 10_000, 10**6, 0.05)
    assert both == Needed(40_000, 8_000)  # 4,000 / 8,000 + 20,000 / 40,000
    assert needed(difference(shown, 0.5, 4.5), 1000, 10_000, 10_000, 0.05) is None
    for nothing in (0.0, 1e-300):
        assert needed(difference(nothing, 0.5, 4.5), 1000, 10_000, 10**6, 0.05) is None


def test_few_samples_for_the_width_fall_back_on_the_kernel_distance() -> None:
    few = {"a": gaussian(1, 0.1, 12), "b": gaussian(2, 3.0, 12)}
    one = only(compare_samples(gaussian(0, n=12), few))
    assert "KID" in one.difference.method or "kernel" in one.difference.method.lower()
    assert one.words == "a is better"


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
        wrong += only(compare_samples(gaussian(3 * seed, n=400), fakes)).verdict == "differs"
    assert wrong <= 11  # of 100; more have a chance of 0.4 % at a level of 5 %


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]


def test_recipes_are_compared_by_the_spread_of_their_seeds() -> None:
    clear = only(compare_recipes({"a": [1.0, 1.1, 0.9], "b": [2.0, 2.2, 1.9]}))
    assert clear.words == "a is better"
    assert clear.difference.n == 3
    vague = only(compare_recipes({"a": [1.0, 3.0], "b": [3.0, 3.5]}))
    assert vague.verdict == "no difference seen"
    assert vague.needed
    assert f"about {vague.needed.seeds} seeds of each recipe" in vague.words
    assert vague.difference.low < 0 < vague.difference.high


def test_runs_whose_samples_are_the_same_are_said_to_be() -> None:
    one = only(compare_samples(gaussian(0), {"a": gaussian(1), "b": gaussian(1)}))
    assert one.words == "no difference seen: their samples are the same"


def test_seeds_that_do_not_differ_test_nothing() -> None:
    """Their p-value is not a number, and the second recipe was called better."""
    for other in (1.0, 2.0):
        one = only(compare_recipes({"a": [1.0, 1.0], "b": [other, other]}))
        assert one.verdict == "not tested"
        assert "the values of the seeds do not differ" in one.words
