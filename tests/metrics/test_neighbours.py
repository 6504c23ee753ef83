"""Nearest neighbours and what is counted with them: against their definitions, written longhand."""

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import beta, t

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics import neighbours
from sparring.metrics.neighbours import nearest, nearest_others, prdc, prdc_baseline

NAMES = ("precision", "recall", "density", "coverage")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(61, 7)), 0.8 * RNG.normal(size=(48, 7)) + 0.2

Features = np.ndarray


def radii(x: Features, k: int) -> Features:
    others = cdist(x, x)
    np.fill_diagonal(others, np.inf)
    return np.sort(others, axis=1)[:, k - 1]


def longhand(x: Features, y: Features, k: int) -> Features:
    """Return Naeem 2020, eq. 1 to 4, over full matrices of distances."""
    between = cdist(x, y)
    in_real, in_fake = between < radii(x, k)[:, None], between < radii(y, k)
    return np.array(
        [
            in_real.any(0).mean(),
            in_fake.any(1).mean(),
            in_real.sum() / k / len(y),
            in_real.any(1).mean(),
        ]
    )


def values(estimates: dict) -> Features:
    assert tuple(estimates) == NAMES
    return np.array([one.value for one in estimates.values()])


def halves(name: str, n: int) -> list[Features]:
    return [permutation(0, f"{name}, half {half}", n)[: n // 2] for half in range(1, 64)]


# ---- nearest neighbours


@pytest.mark.parametrize("block", [7, 150, neighbours.BLOCK])
@pytest.mark.parametrize("k", [1, 5, 48])
def test_neighbours_are_those_of_the_full_matrix_in_blocks_of_any_size(
    monkeypatch: pytest.MonkeyPatch, block: int, k: int
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    found = nearest(X, Y, k)
    full = cdist(X, Y)
    assert np.array_equal(found.indices, full.argsort(axis=1)[:, :k])
    np.testing.assert_allclose(found.distances, np.sort(full, axis=1)[:, :k], rtol=1e-13)


def test_a_sample_is_not_its_own_neighbour_but_its_copy_is() -> None:
    found = nearest_others([[0.0], [3.0], [0.0], [1.0]], 3)
    assert found.indices.tolist() == [[2, 3, 1], [3, 0, 2], [0, 3, 1], [0, 2, 1]]
    assert found.distances.tolist() == [[0, 1, 3], [2, 3, 3], [0, 1, 3], [1, 1, 2]]


def test_near_copies_far_from_the_origin_keep_their_distance() -> None:
    """‖a‖² + ‖b‖² − 2ab would say 0.1 in float32, and 3e-6 in float64."""
    x = RNG.normal(size=(300, 64)) + 1000
    found = nearest(x + 1e-9, x, 2)
    assert np.array_equal(found.indices[:, 0], np.arange(300))
    np.testing.assert_allclose(found.distances[:, 0], np.linalg.norm((x + 1e-9) - x, axis=1))


def test_neighbours_within_the_rounding_of_a_block_are_looked_at_twice() -> None:
    """A cluster so tight that float32 cannot order it, and larger than the spare candidates."""
    tight = 1 + 1e-6 * RNG.normal(size=(80, 3))
    x = np.concatenate([tight, 5 * RNG.normal(size=(40, 3))])
    order = cdist(tight, x)
    found = nearest(tight, x, 4)
    assert np.array_equal(found.indices, order.argsort(axis=1)[:, :4])


def test_equal_distances_come_in_the_order_of_their_indices() -> None:
    copies = np.zeros((50, 2))
    assert np.array_equal(nearest(copies[:3], copies, 4).indices, np.tile(np.arange(4), (3, 1)))
    assert nearest_others(copies, 2).indices[:3].tolist() == [[1, 2], [0, 2], [0, 1]]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_distances_of_any_size_are_found(scale: float) -> None:
    np.testing.assert_allclose(
        nearest(scale * X, scale * Y, 3).distances, scale * nearest(X, Y, 3).distances, rtol=1e-12
    )


# ---- precision, recall, density, coverage


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block", [100, neighbours.BLOCK])
def test_the_values_are_those_of_the_full_matrices(
    monkeypatch: pytest.MonkeyPatch, k: int, block: int
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    np.testing.assert_allclose(values(prdc(X, Y, k)), longhand(X, Y, k), rtol=1e-14)


def test_the_intervals_are_those_of_the_halves_one_by_one() -> None:
    found = prdc(X, Y, 3)
    apart = [
        longhand(X[i], Y[j], 3) for i, j in zip(halves("real", 61), halves("fake", 48), strict=True)
    ]
    reach = t.ppf(0.975, 62) * np.std(apart, 0, ddof=1)
    for name, value, expected in zip(NAMES, longhand(X, Y, 3), reach, strict=True):
        low, high = value - expected, value + expected
        if name != "density":  # never narrower than a binomial's
            samples = 48 if name == "precision" else 61
            seen = value * samples
            low = min(low, beta.ppf(0.025, seen, samples - seen + 1))
            high = min(max(high, beta.ppf(0.975, seen + 1, samples - seen)), 1)
        assert (found[name].low, found[name].high) == pytest.approx((low, high))
        assert found[name].n == 48


def tied_longhand(x: Features, y: Features, k: int) -> Features:
    """Return the same with equal distances put in the order that is drawn for each owner."""
    in_real = came_first(x, 0, y, len(x)) < k
    in_fake = came_first(y, len(x), x, 0) < k
    return np.array(
        [
            in_real.any(0).mean(),
            in_fake.any(0).mean(),
            in_real.sum() / k / len(y),
            in_real.any(1).mean(),
        ]
    )


def came_first(owners: Features, first: int, visitors: Features, visitor: int) -> np.ndarray:
    """Return how many other owners come before each visitor, (owners, visitors)."""

    def keys(samples: Features, start: int) -> list[list[tuple[float, int]]]:
        numbers = first + np.arange(len(owners)), start + np.arange(len(samples))
        turns = neighbours._turns(numbers[0][:, None], numbers[1])
        squared = np.square(owners[:, None] - samples).sum(2)
        return [[*zip(*row, strict=True)] for row in zip(squared, turns.tolist(), strict=True)]

    own, guests = keys(owners, first), keys(visitors, visitor)
    return np.array(
        [
            [sum(one < guest for j, one in enumerate(row) if j != i) for guest in guests[i]]
            for i, row in enumerate(own)
        ]
    )


def test_ties_come_in_the_order_drawn_for_their_owner_wherever_they_lie() -> None:
    """Most distances on a lattice are ties; k-th neighbours and fakes share them."""
    x, y = RNG.integers(0, 4, (50, 3)).astype(float), RNG.integers(0, 4, (40, 3)).astype(float)
    expected = tied_longhand(x, y, 5)
    assert longhand(x, y, 5)[3] < expected[3]
    np.testing.assert_allclose(values(prdc(x, y, 5)), expected, rtol=1e-14)
    np.testing.assert_allclose(values(prdc(x + 2**30, y + 2**30, 5)), expected, rtol=1e-14)


def test_of_a_copy_of_the_kth_neighbour_rounding_decides_nothing() -> None:
    x = RNG.normal(size=(40, 30))
    np.testing.assert_allclose(values(prdc(x, x[:25], 3)), tied_longhand(x, x[:25], 3), rtol=1e-14)


def test_a_perfect_generator_of_categories_is_at_its_baseline() -> None:
    """Rows of 8 kinds, with ties everywhere: called outside, they gave coverage 0."""
    measured = []
    for _ in range(30):
        x, y = RNG.integers(0, 2, (2, 40, 4)).astype(float)
        x[:, 0], y[:, 0] = x[:, 1], y[:, 1]
        measured.append(values(prdc(x, y)))
    baseline = values(prdc_baseline(x, 40))
    error = np.std(measured, 0, ddof=1) / sqrt(30)
    assert np.all(np.abs(np.mean(measured, 0) - baseline)[2:] < 4 * error[2:])
    assert np.all(np.abs(np.mean(measured, 0) - baseline)[:2] < 0.03)


def test_precision_of_one_pair_is_recall_of_the_other() -> None:
    one, other = prdc(X, Y, 3), prdc(Y, X, 3)
    assert one["precision"].value == other["recall"].value
    assert one["recall"].value == other["precision"].value


def test_a_collapsed_generator_is_precise_and_dense_but_recalls_nothing() -> None:
    x = RNG.normal(size=(200, 30))
    y = 1e-3 * RNG.normal(size=(150, 30))
    found = prdc(x, y)
    np.testing.assert_allclose(values(found), longhand(x, y, 5))
    assert found["precision"].value == 1
    assert found["density"].value > 10
    assert found["recall"].value == 0


def test_nothing_seen_is_not_certainty() -> None:
    found = prdc(X, Y + 100)
    for name, samples in (("precision", 48), ("recall", 61), ("coverage", 61)):
        assert (found[name].value, found[name].low) == (0, 0)
        assert found[name].high == pytest.approx(1 - 0.025 ** (1 / samples))
    assert found["density"].high == found["precision"].high


def test_tensors_in_single_precision_and_the_same_seed_give_the_same() -> None:
    x, y = torch.from_numpy(X).float(), torch.from_numpy(Y).float()
    kept = x.clone()
    assert prdc(x, y, 3) == prdc(x.double().numpy(), y.double().numpy(), 3)
    assert torch.equal(x, kept)
    assert prdc(X, Y, 3, seed=1) != prdc(X, Y, 3)
    wide, narrow = prdc(X, Y, 3, level=0.99)["density"], prdc(X, Y, 3, level=0.9)["density"]
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (wide.level, narrow.level) == (0.99, 0.9)
    assert all(type(number) is float for number in (wide.value, wide.low, wide.high))


# ---- the baseline


@pytest.mark.parametrize("k", [1, 2])
def test_the_baseline_is_the_mean_over_all_ways_to_deal_one_pool(k: int) -> None:
    """Density and coverage, exactly, for any pool: here 252 deals of ten points."""
    pool = RNG.normal(size=(10, 3))
    dealt = [
        longhand(pool[list(chosen)], np.delete(pool, chosen, 0), k)
        for chosen in combinations(range(10), 5)
    ]
    coverage = 1 - np.prod([(5 - i) / (10 - i) for i in range(1, k + 1)])
    np.testing.assert_allclose(np.mean(dealt, 0)[2:], [1, coverage])
    many = prdc_baseline(RNG.normal(size=(50, 3)), 30, k)
    assert many["density"].value == pytest.approx(1, abs=1e-14)
    expected = 1 - np.prod([(50 - i) / (80 - i) for i in range(1, k + 1)])
    assert many["coverage"].value == pytest.approx(expected, rel=1e-14)
    assert many["coverage"].low == many["coverage"].high


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_baseline_is_the_mean_over_every_real_as_the_only_fake(k: int) -> None:
    precise = [radii_hold(np.delete(X, i, 0), X[i], k) for i in range(len(X))]
    found = prdc_baseline(X, len(X) - 1, k)
    assert found["precision"].value == pytest.approx(np.mean(np.any(precise, 1)), rel=1e-14)
    assert found["recall"].value == pytest.approx(found["precision"].value, rel=1e-14)
    assert np.sum(precise) / k / len(X) == pytest.approx(found["density"].value)


def radii_hold(x: Features, visitor: Features, k: int) -> Features:
    return np.linalg.norm(x - visitor, axis=1) < radii(x, k)


def test_the_baseline_counts_ties_as_the_measure_does() -> None:
    x = RNG.integers(0, 4, (60, 3)).astype(float)
    rank = came_first(x, 0, x, 0)
    np.fill_diagonal(rank, 60)
    found = prdc_baseline(x, 60, 3)
    assert found["precision"].value == pytest.approx((rank < 3).any(0).mean(), rel=1e-14)
    assert found["density"].value == 1


def test_the_baseline_of_recall_has_as_many_samples_as_there_are_fakes() -> None:
    x = RNG.normal(size=(400, 2))
    few = prdc_baseline(x, 40, 1)
    some = x[permutation(0, "as many reals as fakes", 400)[:41]]
    assert few["recall"].value == prdc_baseline(some, 40, 1)["precision"].value
    assert "41 reals" in few["recall"].method
    assert "400 reals" in few["precision"].method
    assert prdc_baseline(x, 10_000, 1)["recall"].method == few["precision"].method


def test_a_generator_as_good_as_the_data_is_at_its_baseline() -> None:
    """And in 64 dimensions that is far from 1."""
    held, gaps = [], []
    for seed in range(15):  # one pair may miss an interval of 95 %
        rng = np.random.default_rng(seed)
        x, y = (rng.normal(size=(400, 64)) for _ in range(2))
        found, baseline = prdc(x, y), prdc_baseline(x, 400)
        assert baseline["precision"].value < 0.85
        held += [found[n].low < baseline[n].value < found[n].high for n in NAMES]
        gaps.append([found[n].value - baseline[n].value for n in NAMES])
    assert np.mean(held) > 0.9
    error = np.std(gaps, 0, ddof=1) / np.sqrt(len(gaps))
    assert (np.abs(np.mean(gaps, 0)) < 3 * error).all()


# ---- refusals


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: prdc(X, Y, 24), "k is 24; expected 1 to 23, as half of the 48 samples of fake"),
        (lambda: prdc(X[:40], Y, 0), "k is 0; expected 1 to 19"),
        (lambda: prdc(X, Y[:, :3]), "real has 7 features and fake has 3"),
        (lambda: prdc(X, Y, level=95), "level is 95"),
        (lambda: prdc(X[0], Y), "shape (7,)"),
        (lambda: prdc(np.where(X > 2, np.nan, X), Y), "hold NaN or infinity"),
        (lambda: prdc_baseline(X, 8), "half of the 8 samples of fake need 6 others"),
        (lambda: prdc_baseline(X, 40, level=0), "level is 0"),
        (lambda: nearest(X, Y, 49), "k is 49; expected 1 to 48, as reference has 48 samples"),
        (lambda: nearest(X, Y[:, :3]), "queries has 7 features and reference has 3"),
        (lambda: nearest_others(X, 61), "k is 61; expected 1 to 60"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(call, told: str) -> None:
    with pytest.raises(SparringError) as caught:
        call()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_square_root_of_a_sum_is_the_distance() -> None:
    assert nearest([[1.0, 2.0]], [[4.0, 6.0]]).distances.item() == 5
    assert nearest(np.zeros((1, 3)), np.ones((1, 3))).distances.item() == pytest.approx(sqrt(3))
