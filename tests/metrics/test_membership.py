"""Membership and closest records by definition, and how often the attack accuses by mistake."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from sparring.errors import SparringError
from sparring.metrics.membership import closest_record, membership_attack

RNG = np.random.default_rng(0)
FAKE, TRAIN, HELD_OUT = (RNG.normal(size=(n, 3)) for n in (60, 50, 25))


def test_the_attack_is_the_area_of_a_ratio_of_distances() -> None:
    real = np.concatenate([TRAIN, HELD_OUT])
    between = cdist(real, real)
    np.fill_diagonal(between, np.inf)
    ratio = between.min(1) / cdist(real, FAKE).min(1)
    found = membership_attack(FAKE, TRAIN, HELD_OUT)
    assert found.value == pytest.approx(roc_auc_score(np.arange(75) < 50, ratio))
    assert found.under_null.mean == 0.5
    assert found.low < 0.5 < found.high
    assert found.p_value > 0.05


def test_its_p_value_is_as_likely_as_any_without_memory_and_small_with() -> None:
    """Among equal items too: a third of them repeat."""
    pool = RNG.normal(size=(75, 2)).round(1)
    pool[:25] = pool[25:50]
    p_values = []
    for turn in range(200):
        order = np.random.default_rng(turn).permutation(75)
        sides = pool[order[:55]], pool[order[55:]]
        p_values.append(membership_attack(FAKE[:, :2], *sides, permutations=19, seed=turn).p_value)
    for level in (0.05, 0.25):
        share = np.mean(np.array(p_values) <= level)
        assert abs(share - level) < 3.5 * np.sqrt(level * (1 - level) / 200)
    noisy = TRAIN.repeat(2, axis=0) + 0.05 * RNG.normal(size=(100, 3))
    found = membership_attack(noisy, TRAIN, HELD_OUT)
    assert found.p_value < 0.005
    assert found.low > 0.8


def test_closest_records_have_bounds_by_ranks() -> None:
    found = closest_record(FAKE, TRAIN)
    distances = np.sort(cdist(FAKE, TRAIN).min(1))
    assert found["median"].value == pytest.approx(np.median(distances))
    assert found["median"].low == pytest.approx(distances[21])  # P(B(60, ½) ≤ 21) = 0.014
    assert found["median"].high == pytest.approx(distances[38])
    assert found["low"].value == pytest.approx(np.quantile(distances, 0.05))
    assert found["low"].low == 0
    with pytest.raises(SparringError, match="train has 19 samples"):
        closest_record(FAKE, TRAIN[:19])


def test_sides_of_other_widths_are_refused_in_a_line() -> None:
    x = np.zeros((30, 3))
    with pytest.raises(SparringError, match="differ in width: 3 of fake, 3 of train, 2 of"):
        membership_attack(x, x, x[:, :2])
    with pytest.raises(SparringError, match="permutations is 0"):
        membership_attack(x, x, x, permutations=0)
