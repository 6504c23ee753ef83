"""The classifier two-sample test: its statistics longhand, what it must see and must not."""

from math import comb

import numpy as np
import pytest
import torch
from scipy.stats import beta, mannwhitneyu

from sparring.errors import SparringError
from sparring.metrics import classifier
from sparring.metrics.classifier import c2st, delong, train_classifier

RNG = np.random.default_rng(0)


def gaussians(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    return RNG.normal(size=(n, d)), RNG.normal(size=(n, d))


@pytest.mark.parametrize("n", [5, 13])
def test_delong_is_its_double_sum_ties_included(n: int) -> None:
    x, y = RNG.integers(0, 6, n).astype(float), RNG.integers(1, 8, 9).astype(float)
    above = (x[:, None] < y) + (x[:, None] == y) / 2
    value, variance = delong(x, y)
    assert value == pytest.approx(above.mean())
    expected = above.mean(0).var(ddof=1) / 9 + above.mean(1).var(ddof=1) / n
    assert variance == pytest.approx(expected)


def test_accuracy_and_area_are_those_of_samples_the_classifier_has_not_seen() -> None:
    x, y = gaussians(200, 6)
    y += 0.4
    found, judge = c2st(x, y), train_classifier(x, y, 0)
    real, fake = judge.score(judge.x), judge.score(judge.y)
    assert (len(real), len(fake), judge.trained) == (100, 100, 100)
    right = int((real <= 0).sum() + (fake > 0).sum())
    accuracy, auc = found["accuracy"], found["auc"]
    assert accuracy.value == right / 200
    assert accuracy.p_value == pytest.approx(
        sum(comb(200, k) for k in range(right, 201)) / 2**200, rel=1e-9
    )
    assert accuracy.low == pytest.approx(beta.ppf(0.025, right, 201 - right))
    assert accuracy.high == pytest.approx(beta.ppf(0.975, right + 1, 200 - right))
    value, variance = delong(real, fake)
    odds = np.log(value / (1 - value)) + np.array([-1, 1]) * 1.959964 * np.sqrt(variance) / (
        value * (1 - value)
    )
    np.testing.assert_allclose([auc.low, auc.high], 1 / (1 + np.exp(-odds)), rtol=1e-6)
    assert auc.p_value == mannwhitneyu(fake, real, alternative="greater").pvalue
    assert auc.value > 0.5  # larger scores look fake
    assert accuracy.n == auc.n == 200
    seen = {tuple(row) for row in np.concatenate([judge.x, judge.y])}
    assert len(seen & {tuple(row) for row in np.concatenate([x, y])}) == 200


def test_a_classifier_that_could_learn_anything_by_heart_says_nothing_at_p_equal_q() -> None:
    """In 300 dimensions it is right about all it was trained on."""
    x, y = gaussians(100, 300)
    judge = train_classifier(x, y, 0)
    assert (judge.score(x) <= 0).sum() + (judge.score(y) > 0).sum() > 140
    found = c2st(x, y)
    assert found["accuracy"].low < 0.5 < found["accuracy"].high
    assert found["accuracy"].p_value > 0.05
    assert found["auc"].low < 0.5 < found["auc"].high


@pytest.mark.parametrize("kind", ["shift", "scale", "correlation", "missing mode"])
def test_differences_of_many_kinds_are_found(kind: str) -> None:
    x, y = gaussians(500, 8)
    match kind:
        case "shift":
            y[:, 0] += 0.6
        case "scale":
            y *= 1.2
        case "correlation":
            y[:, 1] = 0.8 * y[:, 0] + 0.6 * y[:, 1]
        case "missing mode":
            x[::4] += 1.5
    found = c2st(x, y)
    assert found["accuracy"].p_value < 1e-3
    assert found["auc"].p_value < 1e-3


def test_unequal_numbers_are_judged_on_equal_ones() -> None:
    """Or calling all of the larger side's kind would be right three times in four."""
    x, y = RNG.normal(size=(600, 5)), RNG.normal(size=(200, 5))
    found = c2st(x, y)
    assert "trained on 100 and tested on 100 a side" in found["accuracy"].method
    assert found["accuracy"].low < 0.5 < found["accuracy"].high
    assert found["accuracy"].n == 200


def test_perfect_separation_is_not_certainty() -> None:
    x, y = gaussians(80, 3)
    found = c2st(x, y + 50)
    for one in found.values():
        assert (one.value, one.high) == (1, 1)
    assert found["accuracy"].low == pytest.approx(0.025 ** (1 / 80))
    assert found["auc"].low == pytest.approx(0.025 ** (1 / 40))


def test_more_samples_than_a_classifier_can_use_go_to_the_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, y = gaussians(100, 4)
    monkeypatch.setattr(classifier, "MAX_TRAINED", 30)
    whole = c2st(x, y)
    assert "trained on 30 and tested on 70 a side" in whole["auc"].method
    monkeypatch.setattr(classifier, "CHUNK", 17)
    in_parts = c2st(x, y)
    assert in_parts["auc"].value == pytest.approx(whole["auc"].value)


def test_features_that_never_change_or_are_huge_do_no_harm() -> None:
    x, y = gaussians(100, 3)
    y[:, 0] += 1
    wide = [np.column_stack([1e6 * side + 5e8, np.full(100, 7.0)]) for side in (x, y)]
    assert c2st(*wide)["accuracy"].p_value < 0.01


def test_tensors_levels_and_seeds() -> None:
    x, y = gaussians(60, 3)
    found = c2st(x, y)
    assert c2st(torch.from_numpy(x), torch.from_numpy(y)) == found
    assert c2st(x, y, seed=1) != found
    assert c2st(x, y, level=0.5)["auc"].high < found["auc"].high
    for one in found.values():
        assert {type(v) for v in (one.value, one.low, one.high, one.p_value)} == {float}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: c2st(x[:9], x), "real has 9 samples; this metric needs at least 10"),
        (lambda x: c2st(x, x[:, :2]), "expected the same width"),
        (lambda x: c2st(x, np.full_like(x, np.nan)), "NaN"),
        (lambda x: c2st(x, x, level=1), "level is 1"),
    ],
)
def test_what_cannot_be_tested_is_refused(call, told: str) -> None:
    with pytest.raises(SparringError, match=told):
        call(np.ones((20, 3)))
