"""Scores from a classifier: bounds, closed forms, coverage of modes, refusals."""

from math import exp, log

import numpy as np
import pytest
import torch
from scipy.stats import binom, entropy, poisson

from sparring.errors import SparringError
from sparring.metrics.classes import class_score, grassberger_logarithm, mode_coverage

RNG = np.random.default_rng(0)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


P = softmax(2 * RNG.normal(size=(500, 7)))


def labels(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


# ---- the class score


def test_the_score_is_that_of_the_inception_score_in_one_split() -> None:
    """torch-fidelity's formula: the mean of p (ln p − ln p̄), summed, exponentiated."""
    expected = exp((P * (np.log(P) - np.log(P.mean(0)))).sum(1).mean())
    assert class_score(P).value == pytest.approx(expected, rel=1e-12)
    assert class_score(torch.from_numpy(P)).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sharpness", [0, 0.1, 1, 10, 300])
def test_it_lies_between_one_and_the_number_of_classes_with_its_interval(sharpness) -> None:
    found = class_score(softmax(sharpness * np.random.default_rng(1).normal(size=(300, 5))))
    assert 1 <= found.low <= found.high <= 5
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9


def test_certain_labels_score_the_exponential_of_their_entropy() -> None:
    certain = np.eye(3)[labels(50, 30, 20)]
    assert class_score(certain).value == pytest.approx(exp(entropy([0.5, 0.3, 0.2])))
    assert class_score(np.eye(4)).value == pytest.approx(4)
    assert class_score(np.full((9, 4), 0.25)).value == pytest.approx(1)


def test_the_interval_covers_the_score_of_the_whole_population() -> None:
    truth, rng = class_score(P).value, np.random.default_rng(2)
    found = [class_score(P[rng.integers(500, size=100)]) for _ in range(400)]
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.92
    lower = np.mean([one.value for one in found])
    assert lower < truth  # the plug-in of fewer samples is too small; the interval is moved
    middle = np.mean([(one.low + one.high) / 2 for one in found])
    assert abs(middle - truth) < abs(lower - truth)


def test_the_interval_is_moved_by_the_bias_of_the_plug_in() -> None:
    """Of certain labels that is the bias of their entropy: (K − 1) / (2n), with n − 1 for n."""
    found = class_score(np.eye(4)[labels(40, 30, 20, 10)])
    middle = (log(found.low) + log(found.high)) / 2
    assert middle - log(found.value) == pytest.approx(3 / (2 * 99), rel=1e-6)


@pytest.mark.parametrize(
    "wrong", [P * 1.1, P - 0.1, np.log(P)], ids=["sum above 1", "negative", "logarithms"]
)
def test_what_are_not_probabilities_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(SparringError, match="rows must be at least 0 and sum to 1"):
        class_score(wrong)


def test_too_few_samples_and_nan_are_refused() -> None:
    with pytest.raises(SparringError, match="at least 2"):
        class_score(P[:1])
    with pytest.raises(SparringError, match="NaN"):
        class_score(np.full((3, 2), np.nan))


# ---- modes


def test_classes_above_a_tenth_of_their_share_are_covered_and_the_bounds_are_binomial() -> None:
    """Of 1000 samples of 4 classes a tenth of a share is 25: 36 is above it, yet not for sure."""
    found = mode_coverage(labels(500, 464, 36, 0), 4).covered
    assert (found.low, found.value, found.high) == (2, 3, 3)
    assert found.method == "classes covered of 4"
    tail = 0.05 / 8  # of two sides and four classes
    assert tail < binom.sf(35, 1000, 0.025) < 0.025  # a share below the tenth may give 36 of them
    assert binom.cdf(0, 1000, 0.025) < tail  # and one at it will not give none


def test_every_class_is_covered_by_equal_shares() -> None:
    found = mode_coverage(labels(100, 100, 100), 3)
    assert (found.covered.low, found.covered.value, found.covered.high) == (3, 3, 3)
    assert found.divergence.value == pytest.approx(0, abs=0.01)
    assert found.divergence.low < 0 < found.divergence.high


def test_one_class_alone_is_at_the_logarithm_of_their_number() -> None:
    found = mode_coverage(labels(0, 4000, 0, 0, 0), 5)
    assert found.covered.value == found.covered.high == 1
    assert found.divergence.value == pytest.approx(log(5), rel=1e-3)


def test_the_divergence_is_nearly_unbiased_and_covered() -> None:
    rng = np.random.default_rng(3)
    q = np.array([0.4, 0.3, 0.2, 0.08, 0.02])
    truth = entropy(q, np.full(5, 0.2))
    found = [mode_coverage(rng.choice(5, 200, p=q), 5).divergence for _ in range(400)]
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(truth, abs=3 * values.std() / 20)
    plug_in = truth + 4 / (2 * 200)
    assert abs(values.mean() - truth) < abs(plug_in - truth) / 2
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.92


def test_the_logarithm_of_counts_follows_its_recurrence_and_is_nearly_unbiased() -> None:
    g = grassberger_logarithm(np.arange(1, 200))
    assert g[0] == pytest.approx(-np.euler_gamma - log(2))
    assert g[1] == pytest.approx(2 - np.euler_gamma - log(2))
    np.testing.assert_allclose(g[2::2], g[1:-1:2], rtol=1e-12)
    np.testing.assert_allclose(np.diff(g[1::2]), 2 / np.arange(3, 198, 2), rtol=1e-10)
    counts = np.arange(1, 200)
    for mean in (4, 8, 12):
        expected = poisson.pmf(counts, mean) @ (counts * g)
        assert expected == pytest.approx(mean * log(mean), abs=2 * exp(-mean))


def test_the_divergence_from_reals_takes_off_both_biases() -> None:
    rng = np.random.default_rng(4)
    q, p = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    truth = entropy(q, p)
    found = [
        mode_coverage(
            rng.choice(3, 150, p=q), 3, reference=torch.from_numpy(rng.choice(3, 100, p=p))
        ).divergence
        for _ in range(400)
    ]
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(truth, abs=3 * values.std() / 20)
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.92
    assert found[0].n == 100


def test_shares_are_those_of_the_reals_where_these_are_given() -> None:
    """A class of 4 % among the reals is covered by the fakes' 1 %; alone, 2.5 % were needed."""
    counts = labels(500, 300, 190, 10)
    assert mode_coverage(counts, 4).covered.value == 3
    found = mode_coverage(counts, 4, reference=labels(480, 300, 180, 40))
    assert found.covered.value == 4
    absent = mode_coverage(labels(500, 500, 0), 3, reference=labels(500, 500, 0))
    assert absent.covered.method == "classes covered of 2"


@pytest.mark.parametrize(
    ("given", "classes", "message"),
    [
        (labels(10, 10), 2, "20 samples of 2 classes; expected .* 20 samples for each"),
        (labels(30, 30, 30), 2, "runs from 0 to 2; expected 0 to 1"),
        (labels(30, 30) - 1, 2, "runs from -1 to 0"),
        (labels(30, 30) * 1.0, 2, "float64 of shape"),
        (np.eye(60, dtype=int), 2, r"shape \(60, 60\)"),
        (labels(60), 1, "at least two classes"),
    ],
)
def test_what_are_not_labels_is_refused(given, classes: int, message: str) -> None:
    with pytest.raises(SparringError, match=message):
        mode_coverage(given, classes)


def test_a_class_that_only_fakes_have_is_refused() -> None:
    with pytest.raises(SparringError, match="class 1 has 30 fakes and no real"):
        mode_coverage(labels(30, 30, 0), 3, reference=labels(30, 0, 30))
