"""`sparring.kinds.tables.metrics`: exact values, known laws, and rows that are copied."""

from math import exp, log, sqrt

import numpy as np
import pandas as pd
import pytest

from sparring.errors import SparringError
from sparring.kinds.tables.metrics import association_gap, associations, coded, copies
from sparring.metrics.marginals import CodedTable, farthest, marginal_distances


def mixed(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Draw a number, a category that follows its sign nine times of ten, and a noise column."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=rows)
    sign = np.where(rng.random(rows) < 0.9, number > 0, number <= 0)
    noise = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(shift, 1, size=rows))
    return pd.DataFrame({"x": number, "sign": np.where(sign, "plus", "minus"), "noise": noise})


def test_distances_of_columns_are_exact() -> None:
    real = pd.DataFrame({"n": [-1.0] * 20, "c": ["a"] * 15 + ["b"] * 5})
    fake = pd.DataFrame({"n": [np.nan] * 5 + [2.0] * 15, "c": ["a"] * 5 + ["z"] * 15})
    found = marginal_distances(*coded(real, fake))
    assert found["n"].estimate.value == pytest.approx(0.75)  # 1 − ¼: the missing lie below −1
    assert found["c"].estimate.value == pytest.approx(0.75)


def test_a_shifted_column_is_named_and_the_others_are_not() -> None:
    found = marginal_distances(*coded(mixed(800, 0), mixed(800, 1, shift=0.5)))
    assert found["noise"].estimate.p_value == 0.01
    assert found["noise"].estimate.value > 3 * found["noise"].mean_under_null
    for name in ("x", "sign"):
        assert found[name].estimate.p_value > 0.05
        assert found[name].estimate.value < 2 * found[name].mean_under_null


def numbers(rows: int, columns: int, seed: int) -> CodedTable:
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    return CodedTable(tuple(map(str, range(columns))), (True,) * columns, values)


def test_the_worst_of_many_columns_can_pass_the_correction_of_a_whole_card() -> None:
    real, fake = numbers(60, 20, 0), numbers(60, 20, 1)
    fake.values[:, 7] += 2
    distances = marginal_distances(real, fake, permutations=199)
    name, worst = farthest(distances)
    assert name == "7"
    assert worst.estimate.p_value == 1 / 200  # corrected by their number it would be 0.1
    assert worst.mean_under_null > distances["7"].mean_under_null  # that of the worst of 20


def test_the_worst_column_of_one_law_is_as_likely_at_any_level() -> None:
    p_values = [
        farthest(
            marginal_distances(numbers(20, 5, 2 * i), numbers(20, 5, 2 * i + 1), permutations=9)
        )[1].estimate.p_value
        for i in range(120)
    ]
    assert 0.01 < np.mean(np.array(p_values) <= 0.1) < 0.19  # 0.1 and three deviations


def test_the_interval_of_a_distance_holds_the_truth() -> None:
    truth = 0.9 * 0.19741  # 2Φ(.25) − 1 among nine tenths that are present
    for seed in range(10):
        one = marginal_distances(
            *coded(mixed(400, seed), mixed(400, 90 + seed, 0.5)), permutations=9
        )
        assert one["noise"].estimate.low <= truth <= one["noise"].estimate.high


def test_associations_are_those_of_the_law() -> None:
    (table,) = coded(mixed(40_000, 0))
    found = associations(table)
    information = log(2) + 0.9 * log(0.9) + 0.1 * log(0.1)
    assert found[0, 1] == pytest.approx(sqrt(1 - exp(-2 * information)), abs=0.01)
    assert found[0, 2] < 0.05
    assert found[1, 2] < 0.05
    assert np.array_equal(found, found.T)


def test_kept_associations_are_rarely_called_lost() -> None:
    """The p-value is exact, so that at the level .05 more than five of 20 have a chance of 3e-4."""
    tables = [(mixed(300, seed), mixed(300, 50 + seed)) for seed in range(20)]
    gaps = [association_gap(*coded(*pair)) for pair in tables]
    assert sum(gap.estimate.p_value <= 0.05 for gap in gaps) <= 5
    observed = np.mean([gap.estimate.value for gap in gaps])
    under_null = np.mean([gap.mean_under_null for gap in gaps])
    assert observed == pytest.approx(under_null, rel=0.25)


def test_lost_associations_are_found() -> None:
    real, lost = mixed(600, 0), mixed(600, 2)
    lost["sign"] = lost["sign"].sample(frac=1, random_state=0).to_numpy()
    gap = association_gap(*coded(real, lost))
    assert gap.estimate.p_value == 0.01
    assert gap.estimate.low > gap.mean_under_null


def test_copies_are_counted_beside_the_natural_rate() -> None:
    train = pd.concat([mixed(196, 0), mixed(2, 1), mixed(2, 1)], ignore_index=True)
    fake = pd.concat([mixed(80, 2), train.head(20)], ignore_index=True)
    found = copies(train, fake)
    assert (found.synthetic.value, found.natural.value) == (0.2, 0.02)
    assert found.synthetic.p_value <= 0.01  # the least that so many permutations can give
    assert copies(train, mixed(100, 3)).synthetic.p_value == 1


def test_a_perfect_table_of_few_distinct_rows_does_not_copy() -> None:
    """Its rows fall on the same cells: Fisher's test of them took p ≤ 0.01 in one of ten."""
    rng = np.random.default_rng(1)
    shares = 1 / np.arange(1, 201)
    p_values = []
    for _ in range(60):
        rows, fake = (
            pd.DataFrame({"cell": rng.choice(200, n, p=shares / shares.sum()).astype(str)})
            for n in (300, 1000)
        )
        p_values.append(copies(rows, fake).synthetic.p_value)
    assert np.mean(np.array(p_values) <= 0.05) < 0.15
    assert np.mean(p_values) > 0.35


def test_a_copy_with_missing_cells_and_another_dtype_is_a_copy() -> None:
    train = pd.DataFrame({"n": range(20), "c": ["a", None] * 10})
    fake = pd.DataFrame({"n": [1.0] * 20, "c": [None] * 20})
    found = copies(train, fake)
    assert (found.synthetic.value, found.natural.value) == (1.0, 0.0)


def test_times_are_numbers_and_truths_are_categories() -> None:
    days = pd.date_range("2024-01-01", periods=20).to_series(index=range(20))
    days.iloc[3] = pd.NaT
    table = pd.DataFrame({"day": days, "true": [True, False] * 10})
    (found,) = coded(table)
    assert found.is_number == (True, False)
    assert np.isnan(found.values[3, 0])
    assert found.values[1, 0] - found.values[0, 0] == 86_400


def test_codes_of_rare_categories_do_not_tell_which_table_comes_first() -> None:
    """In the order of the rows the first table had the low ranks, and any two differed."""
    rng = np.random.default_rng(0)
    a, b = (pd.DataFrame({"id": [f"k{i}" for i in rng.integers(100_000, size=600)]}) for _ in "ab")
    (one, other), (last, first) = coded(a, b), coded(b, a.iloc[::-1])
    assert np.array_equal(one.values, first.values[::-1])
    assert np.array_equal(other.values, last.values)
    gap = marginal_distances(one, other, permutations=199)["id"]
    assert gap.estimate.p_value > 0.05
    assert abs((one.values < 200).mean() - (other.values < 200).mean()) < 0.1


def test_what_is_no_pair_of_tables_is_refused() -> None:
    with pytest.raises(SparringError, match="tables differ in columns: x, sign"):
        coded(mixed(30, 0), mixed(30, 1).drop(columns="noise"))
    with pytest.raises(SparringError, match="a table has 19 rows; expected at least 20"):
        coded(mixed(19, 0))
    with pytest.raises(SparringError, match="expected at least two columns"):
        association_gap(*coded(mixed(30, 0)[["x"]], mixed(30, 1)[["x"]]))
