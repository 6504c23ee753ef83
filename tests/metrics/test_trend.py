"""What looks over time say: exact cases, and how seldom noise and swings are taken for more."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.metrics.estimate import Estimate
from sparring.metrics.kernels import kid, kid_with_influence
from sparring.metrics.trend import (
    Claim,
    Trend,
    Verdict,
    Worse,
    choice,
    covariance,
    difference,
    verdicts,
)

Values = NDArray[np.float64]
SEEN = tuple(1000 * k for k in range(1, 13))
LEFT = np.log2(np.array(SEEN) / SEEN[-1])  # doublings, up to the last look


def by_intervals(*values: float, reach: float = 1.0) -> Worse:
    """Call one value worse than another where intervals of this reach do not overlap."""
    intervals = [Estimate(v, v - reach, v + reach, 100, "test") for v in values]
    return lambda a, b: intervals[a].low > intervals[b].high


def chosen(*values: float) -> int:
    return choice(values, by_intervals(*values))


def judged(values: Values, error: float = 1e-4) -> list[Verdict]:
    """Judge twelve looks whose errors are the same at all, but for a part of this size."""
    errors = 0.01 + error**2 * np.eye(len(values))
    return verdicts(SEEN[: len(values)], list(values), errors)


def told(values: Values, error: float = 1e-4) -> Trend:
    return judged(values, error)[-1].trend


def test_it_is_too_early_before_the_sixth_look_and_within_one_doubling() -> None:
    words = [verdict.trend for verdict in judged(0.7**LEFT)]
    assert words == ["too early to tell"] * 5 + ["still improving"] * 7
    assert verdicts([], [], np.zeros((0, 0))) == []
    late = verdicts(range(10_000, 18_000, 1000), [8, 7, 6, 5, 4, 3, 2, 1], np.eye(8))
    assert {verdict.trend for verdict in late} == {"too early to tell"}


def test_a_steady_fall_is_seen_through_an_error_that_all_looks_share() -> None:
    verdict = judged(1 - 0.1 * LEFT)[-1]  # the error of one look alone is a tenth of the distance
    assert verdict.trend == "still improving"
    assert verdict.improvement == pytest.approx(0.1)
    assert verdict.low < 0.1 < verdict.high
    assert told(1 - 0.1 * LEFT, error=0.2) == "cannot tell yet"


def test_flat_is_a_claim_that_the_looks_must_bear() -> None:
    assert told(np.ones(12)) == told(1 - 0.01 * LEFT) == "flat"
    assert told(1 - 0.03 * LEFT) == "still improving"
    assert told(np.ones(12), error=0.1) == "cannot tell yet"
    assert judged(np.ones(12))[-1].high < 0.02


def test_a_collapse_is_getting_worse_and_swings_are_not() -> None:
    values = 0.7**LEFT
    values[-2:] = 4
    assert told(values) == "getting worse"
    swings = 1 + 0.2 * np.array([0, 1, -1, 1, 0, -1, 1, 0, -1, 0, 1, 1])
    assert told(swings) == "cannot tell yet"


def test_a_distance_of_nothing_promises_nothing() -> None:
    assert judged(np.zeros(12), error=0.1)[-1] == Verdict("cannot tell yet")


@pytest.mark.parametrize(("fall", "jumps"), [(0.0, 0.0), (0.0, 0.1), (0.1, 0.1)])
def test_false_words_are_rare_however_often_one_looks(fall: float, jumps: float) -> None:
    random = np.random.default_rng(1)
    false: set[Trend] = {"getting worse", "flat" if fall else "still improving"}
    course = (1 - fall) ** LEFT
    rounds = 40
    wrong = 0
    for _ in range(rounds):
        sides = [random.normal(size=(12, n)) + random.normal(size=n) for n in (40, 100)]
        noise = [side.mean(1) for side in sides]
        values = course + jumps * random.normal(size=12) + noise[0] + noise[1]
        words = verdicts(SEEN, list(values), covariance(list(zip(*sides, strict=True))))
        wrong += any(word.trend in false for word in words)
    assert wrong <= 0.05 * rounds


def test_a_claim_spends_its_level_where_it_fails_and_takes_it_all_where_it_holds() -> None:
    claim = Claim(0.06)
    levels = []
    for k, made in ((6, True), (8, False), (10, True), (12, True)):
        levels.append(claim.level(k))
        claim.settle(k, made=made)
    assert levels == pytest.approx([0.06 / 6, 0.06 * 3 / 8, 0.06 / 8, 0.06 * (7 / 12 - 3 / 8)])


def test_the_latest_that_cannot_be_told_from_the_best_is_chosen() -> None:
    assert chosen(9, 3, 4, 8) == 2
    assert chosen(9, 3, 4, 4.9) == 3
    assert chosen(5) == 0
    assert choice([1.0, 3.0, 1.0], lambda a, b: a > b) == 0


def test_the_choice_does_not_drift_step_by_step() -> None:
    assert chosen(9, 3, 4.5, 6, 7.5) == 2
    assert chosen(9, 3, 4.5, 6, 7.5, 2.9) == 5


def test_influence_values_give_the_errors_and_pair_samples() -> None:
    random = np.random.default_rng(2)
    real, near, off = random.normal(size=(80, 4)), random.normal(size=(120, 4)), 0.1
    looks = [kid_with_influence(real, near + shift) for shift in (0.5, 0.5 + off)]
    assert looks[0].value == kid(real, near + 0.5).value
    assert (looks[0].low, looks[0].high) == (kid(real, near + 0.5).low, kid(real, near + 0.5).high)
    together = covariance([look.influence for look in looks])
    reach = (looks[0].high - looks[0].low) / 2
    assert 1.9 < reach / together[0, 0] ** 0.5 < 2.4
    first, second = (look.influence for look in looks)
    apart = difference(second, first, looks[1].value - looks[0].value)
    assert apart.error**2 == pytest.approx(together[0, 0] + together[1, 1] - 2 * together[0, 1])
    assert apart.error < 0.4 * together[0, 0] ** 0.5
