"""The permutation test: its statistic at length, its exact level, its power, its refusals."""

from itertools import combinations

import numpy as np
import pytest

from sparring.errors import SparringError
from sparring.metrics import kernels
from sparring.metrics.kernels import cubic, mmd, mmd_unbiased, rbf
from sparring.metrics.permutation import relabelled_mmd, two_sample_test

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=(15, 3)) * 1.2


@pytest.mark.parametrize("kernel", [cubic, rbf(1.5)])
@pytest.mark.parametrize("block", [6, 1024])
def test_each_relabelling_gives_the_u_statistic_of_its_labels(monkeypatch, kernel, block) -> None:
    monkeypatch.setattr(kernels, "BLOCK", block)
    pool = np.concatenate([X, Y])
    called_real = np.zeros((35, 6))
    for column in range(6):
        called_real[np.random.default_rng(column).permutation(35)[:20], column] = 1
    expected = [mmd_unbiased(pool[real == 1], pool[real == 0], kernel) for real in called_real.T]
    np.testing.assert_allclose(relabelled_mmd(pool, called_real, kernel), expected, rtol=1e-10)


def test_the_p_value_is_the_share_of_relabellings_as_large_with_the_truth_among_them() -> None:
    """With all 70 ways of calling four of eight real, done by hand."""
    pool = np.random.default_rng(1).normal(size=(8, 2))
    pool[:4] += 1
    statistics = [
        mmd_unbiased(pool[list(real)], np.delete(pool, real, 0), rbf(1.0))
        for real in combinations(range(8), 4)
    ]
    exact = np.mean(np.array(statistics) >= statistics[0] - 1e-12)
    found = two_sample_test(pool[:4], pool[4:], kernel=rbf(1.0), permutations=20_000)
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_the_level_is_exact_over_all_labellings_of_a_pool() -> None:
    """Each labelling is as likely as any: P(p ≤ α) ≤ α, over the 70 of them."""
    pool = np.random.default_rng(2).normal(size=(8, 2))
    found = np.array(
        [
            two_sample_test(
                pool[list(real)], np.delete(pool, real, 0), kernel=rbf(1.0), permutations=999
            ).p_value
            for real in combinations(range(8), 4)
        ]
    )
    for alpha in (0.05, 0.1, 0.25, 0.5):
        within = alpha + 3 * np.sqrt(alpha * (1 - alpha) / 999)  # the permutations are drawn
        assert (found <= alpha).mean() <= within
    assert (found <= 0.5).mean() > 0.4


def test_ties_count_against_a_difference() -> None:
    same = np.tile(np.eye(3), (5, 1))
    assert two_sample_test(same, same, kernel=rbf(1.0)).p_value == 1
    constant = np.ones((9, 2))
    assert two_sample_test(constant, constant, kernel=cubic).p_value == 1


def test_a_difference_is_found_and_the_smallest_p_value_is_never_zero() -> None:
    found = two_sample_test(X, Y + 3, permutations=199)
    assert found.p_value == 1 / 200


def test_the_estimate_is_that_of_the_distance() -> None:
    found, distance = two_sample_test(X, Y, permutations=19), mmd(X, Y)
    assert (found.value, found.low, found.high) == (distance.value, distance.low, distance.high)
    assert found.method == "MMD², 19 permutations"
    assert found.n == 15


def test_the_seed_decides() -> None:
    first, again, other = (
        two_sample_test(X, Y, permutations=99, seed=seed).p_value for seed in (0, 0, 1)
    )
    assert first == again != other


def test_the_bandwidth_does_not_depend_on_the_labels() -> None:
    """Swapping who is called real must not matter at all."""
    assert two_sample_test(X, Y).value == pytest.approx(two_sample_test(Y, X).value)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (X[:3], Y, "real has 3 samples"),
        (X, Y[:, :2], "real has 3 features and fake has 2"),
        (X, np.where(Y > 0, np.nan, Y), "samples of fake hold NaN"),
    ],
)
def test_what_cannot_be_tested_is_refused(real, fake, message: str) -> None:
    with pytest.raises(SparringError, match=message):
        two_sample_test(real, fake)


def test_no_permutation_is_refused() -> None:
    with pytest.raises(SparringError, match="permutations is 0"):
        two_sample_test(X, Y, permutations=0)
