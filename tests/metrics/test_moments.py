"""Moments: equal to numpy's in two passes, whatever the cut into batches, in bounded memory."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sparring.errors import SparringError
from sparring.metrics.moments import (
    BLOCK,
    blocks,
    half_of_each,
    merge,
    moments,
    moments_of_batches,
    moments_of_block,
)

X = np.random.default_rng(0).normal(size=(5000, 7)) @ np.diag(np.arange(1, 8.0)) + 3


@pytest.mark.parametrize("n", [2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 5000])
def test_mean_and_covariance_are_those_of_numpy(n: int) -> None:
    found = moments(X[:n])
    np.testing.assert_allclose(found.mean, X[:n].mean(0), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(X[:n], rowvar=False), rtol=1e-11)
    assert (found.n, found.width) == (n, 7)


@pytest.mark.parametrize("size", [1, 10, 999, BLOCK, 4000])
def test_batches_of_any_size_give_the_same_to_the_last_bit(size: int) -> None:
    batches = [X[start : start + size] for start in range(0, len(X), size)]
    found, whole = moments_of_batches("features", batches), moments(X)
    assert np.array_equal(found.mean, whole.mean)
    assert np.array_equal(found.scatter, whole.scatter)


def test_merging_is_taking_both_samples_together() -> None:
    both = merge(moments(X[:1200]), moments(X[1200:]))
    np.testing.assert_allclose(both.covariance, np.cov(X, rowvar=False), rtol=1e-12)
    np.testing.assert_allclose(both.mean, X.mean(0), rtol=1e-13)
    one = merge(moments(X[:1200]), moments_of_block(X[1200:1201]))
    np.testing.assert_allclose(one.covariance, np.cov(X[:1201], rowvar=False), rtol=1e-12)


def test_a_large_common_offset_costs_hardly_a_digit() -> None:
    far = X + 1e7
    expected = np.cov(far - far[0], rowvar=False)
    np.testing.assert_allclose(moments(far).covariance, expected, atol=1e-8)


def test_float32_features_are_summed_in_float64() -> None:
    single = torch.from_numpy(X).float() + 1000
    expected = np.cov(single.double().numpy(), rowvar=False)
    np.testing.assert_allclose(moments(single).covariance, expected, rtol=1e-9)


def test_memory_does_not_grow_with_the_number_of_samples() -> None:
    def batches(count: int) -> Iterator[np.ndarray]:
        for seed in range(count):
            yield np.random.default_rng(seed).normal(size=(500, 20))

    def peak(count: int) -> int:
        tracemalloc.start()
        assert moments_of_batches("features", batches(count)).n == 500 * count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(5)
    assert peak(200) < 1.2 * peak(20)


def test_blocks_are_all_samples_in_order() -> None:
    batches = [X[:10], X[10:10], X[10:4990], X[4990:]]
    found = list(blocks("features", batches))
    assert [len(block) for block in found] == [BLOCK, BLOCK, 5000 - 2 * BLOCK]
    assert np.array_equal(np.concatenate(found), X)


def test_halves_are_of_equal_size_and_part_every_two_neighbours() -> None:
    half = half_of_each(101, np.random.default_rng(0))
    pairs = half[:100].reshape(50, 2)
    assert (pairs.sum(1) == 1).all()
    assert 10 < pairs[:, 0].sum() < 40  # and the coin falls either way


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "features has no samples"),
        ([X[:0]], "features has no samples"),
        ([X[:4], X[:4, :3]], "batches of width 7 and 3"),
        ([X[:4], np.full((2, 7), np.nan)], "2 of 2 samples of features hold NaN"),
        ([X[0]], r"shape \(7,\)"),
    ],
)
def test_what_cannot_be_summed_is_refused(batches: list[np.ndarray], message: str) -> None:
    with pytest.raises(SparringError, match=message):
        moments_of_batches("features", batches)


def test_one_sample_has_no_covariance_and_widths_do_not_mix() -> None:
    with pytest.raises(SparringError, match="at least 2"):
        _ = moments(X[:1]).covariance
    with pytest.raises(SparringError, match="width 7 and 3"):
        merge(moments(X), moments(X[:, :3]))
