import numpy as np
from numpy.typing import NDArray

from sparring.metrics.groups import independent
from sparring.metrics.kernels import cubic
from sparring.metrics.permutation import two_sample_test

Array = NDArray[np.float64]


def test_of_groups_of_one_size_each_is_stood_for_by_one_at_random() -> None:
    groups = np.repeat(np.arange(50), 5)
    chosen = [independent(groups, seed) for seed in range(40)]
    for index in chosen:
        assert groups[index].tolist() == list(range(50))
    places = np.bincount(np.concatenate(chosen) % 5)
    assert places.min() > 340, "of 2,000 choices 400 on each place"


def test_of_groups_of_many_sizes_each_item_has_the_same_chance() -> None:
    groups = np.repeat(np.arange(60), np.arange(60) % 6 + 1)
    sizes = np.bincount(groups)
    counts = np.zeros(60)
    for seed in range(300):
        index = independent(groups, seed)
        assert len(np.unique(groups[index])) == len(index)
        counts[groups[index]] += 1
    rates = [counts[sizes == size].sum() / (300 * 10) for size in range(1, 7)]
    np.testing.assert_allclose(rates, np.arange(1, 7) / 6, atol=0.04)


def test_where_next_to_no_items_belong_together_all_judge() -> None:
    few_pairs = np.concatenate([np.arange(190), np.arange(4)])
    assert len(independent(few_pairs)) == len(few_pairs)
    one_cluster = np.concatenate([np.arange(480), np.full(20, 480)])
    assert len(independent(one_cluster)) > 50, "and a cluster does not cost most of the others"


def test_copies_of_held_out_items_accuse_no_perfect_generator() -> None:
    """With five copies of each, all items together are told from real data most of the time."""
    random = np.random.default_rng(0)
    told: dict[str, list[bool]] = {"all": [], "one of each": []}
    for seed in range(60):
        groups = np.repeat(np.arange(40), 5)
        real = random.normal(size=(40, 4))[groups] + random.normal(0, 0.1, (200, 4))
        fake = random.normal(size=(100, 4)) * np.sqrt(1.01)
        chosen = independent(groups, seed)
        for name, side in (("all", real), ("one of each", real[chosen])):
            p = two_sample_test(side, fake, kernel=cubic, permutations=39).p_value
            told[name].append(p is not None and p <= 0.05)
    assert sum(told["all"]) > 35
    assert sum(told["one of each"]) <= 7  # of 60 at a level of 0.05: fewer in 98.8 %
