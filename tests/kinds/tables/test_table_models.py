"""`sparring.kinds.tables.models`: perfect samplers pass, shuffled columns and copiers do not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from sparring.errors import SparringError
from sparring.kinds.tables.metrics import associations, coded, copies
from sparring.kinds.tables.models import (
    _right,
    sequential_trees,
    shuffled_columns,
    table_c2st,
    usefulness,
)


def related(rows: int, seed: int) -> pd.DataFrame:
    """Draw y = x + N(0, 1)/2, and a letter that says which third x lies in."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    letter = np.array(["a", "b", "c"])[np.digitize(x, [-0.43, 0.43])]
    return pd.DataFrame({"x": x, "y": x + rng.normal(size=rows) / 2, "letter": letter})


def test_a_perfect_sampler_is_not_told_from_the_data() -> None:
    missed = rejected = 0
    for seed in range(20):
        found = table_c2st(related(100, seed), related(100, 100 + seed), seed=seed)
        missed += not found.low <= 0.5 <= found.high
        rejected += found.p_value <= 0.05
    assert missed <= 3
    assert rejected <= 3


def test_shuffled_columns_are_told_from_the_data() -> None:
    real = related(400, 0)
    found = table_c2st(real, shuffled_columns(related(400, 1)))
    assert found.low > 0.8
    assert found.p_value < 1e-6


def test_shuffled_columns_keep_each_column_and_no_relation() -> None:
    real = related(2000, 0)
    shuffled = shuffled_columns(real)
    for name in real:
        assert sorted(shuffled[name]) == sorted(real[name])
    (table,) = coded(shuffled)
    assert associations(table)[0, 1] < 0.1


def test_trees_on_real_rows_reach_the_noise_and_shuffled_rows_teach_nothing() -> None:
    train, held_out = related(1500, 0), related(1500, 1)
    found = usefulness(train, held_out, shuffled_columns(train), "y")
    assert 0.7 < found.real["r2"].value <= 0.8 + 0.03  # x explains four fifths
    assert found.synthetic["r2"].value < 0.1
    letters = usefulness(train, held_out, related(1500, 2), "letter")
    assert letters.real["accuracy"].value > 0.97
    assert letters.synthetic["accuracy"].value > 0.97
    assert set(letters.real) == {"accuracy", "macro_f1"}


def test_the_share_that_is_right_and_f1_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 3, 11, 40):
        for n in (1, 7, 500):
            truth, prediction = rng.integers(classes, size=(2, n)).astype(float)
            prediction = np.where(rng.random(n) < 0.6, truth, prediction)
            found = _right(truth, prediction)
            assert found["accuracy"] == accuracy_score(truth, prediction)
            expected = f1_score(truth, prediction, average="macro", zero_division=0)
            assert found["macro_f1"] == expected


def test_two_categories_are_told_by_their_area() -> None:
    def signed(seed: int) -> pd.DataFrame:
        table = related(2000, seed).drop(columns="letter")
        return table.assign(side=np.where(table["y"] > 0, "up", "down")).drop(columns="y")

    found = usefulness(signed(0), signed(1), shuffled_columns(signed(0)), "side")
    assert found.real["auc"].value == pytest.approx(0.936, abs=0.02)  # of x itself, 4 M draws
    assert found.synthetic["auc"].low < 0.6


def test_sequential_trees_pass_for_data_and_repeat_cells() -> None:
    train, held_out = related(600, 0), related(600, 1)
    drawn = sequential_trees(train, 600)
    assert table_c2st(held_out, drawn).value < 0.65
    assert set(drawn["x"]) <= set(train["x"])
    assert list(drawn.dtypes) == list(train.dtypes)
    assert copies(train, drawn).synthetic.value > 0.02
    assert drawn.equals(sequential_trees(train, 600))
    assert not drawn.equals(sequential_trees(train, 600, seed=1))


def test_a_copier_passes_for_the_data_and_is_caught_by_its_copies() -> None:
    train, held_out = related(300, 0), related(300, 1)
    copier = train.sample(300, replace=True, random_state=0)
    assert table_c2st(held_out, copier).value < 0.75
    assert copies(train, copier).synthetic.p_value <= 0.01


def test_penguins_with_missing_values_go_through() -> None:
    folder = pytest.importorskip("palmerpenguins").__file__
    table = pd.read_csv(Path(folder).parent / "data" / "penguins.csv")
    table = table.sample(frac=1, random_state=0, ignore_index=True)
    train, held_out = table[:258], table[258:]
    found = usefulness(train, held_out, sequential_trees(train, 258), "species")
    assert found.real["accuracy"].value > 0.94
    assert found.synthetic["accuracy"].value > 0.9
    assert table_c2st(held_out, shuffled_columns(train)).p_value < 0.01


def test_a_target_that_is_none_is_refused() -> None:
    one, two, three = related(60, 0), related(60, 1), related(60, 2)
    with pytest.raises(SparringError, match="no column 'lettre'; did you mean 'letter'"):
        usefulness(one, two, three, "lettre")
    with pytest.raises(SparringError, match="'letter' of the synthetic rows has fewer than two"):
        usefulness(one, two, three.assign(letter="a"), "letter")
    with pytest.raises(SparringError, match="one column has no other to predict it from"):
        usefulness(*(table[["letter"]] for table in (one, two, three)), "letter")


def test_columns_of_which_each_row_has_one_predict_each_other() -> None:
    """Withdrawals and deposits; a column without a cell made the trees raise in 0.1."""
    tables = [related(80, seed) for seed in (0, 1, 2)]
    halves = [
        pd.DataFrame({"out": t["y"].where(t["x"] < 0), "in": t["y"].where(t["x"] >= 0)})
        for t in tables
    ]
    assert usefulness(*halves, "in").real["r2"].value < 0.1
