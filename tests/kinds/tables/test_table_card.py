"""The card of a table on a known law: a perfect sampler passes, shuffling and copying do not."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from coding import items_of

from sparring.evaluation.verdict import judged
from sparring.kinds.tables import card as card_of_tables
from sparring.kinds.tables import models
from sparring.kinds.tables.card import (
    PRIVACY,
    Rows,
    first_columns,
    measure_nearness,
    measure_rows,
)
from sparring.kinds.tables.cells import cells
from sparring.kinds.tables.models import shuffled_columns
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.types import infer
from sparring.metrics.line import CardLine


def drawn(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c"], rows, p=[0.2, 0.3, 0.5])
    x = rng.normal(size=rows) + 2.0 * (kind == "a")
    return pd.DataFrame({"kind": kind, "x": x, "y": 3 * x + rng.normal(size=rows)})


TRAIN, HELD_OUT = drawn(1000, 0), drawn(400, 1)
SPEC = TableSpec(infer(TRAIN))


def card(fake: Any, held_out: Any = HELD_OUT) -> tuple[dict[str, CardLine], list[str]]:
    notes: list[str] = []
    found = measure_rows(Rows(TRAIN, held_out, fake), SPEC, lambda what: None, notes.append)
    return {line.key: line for line in judged(list(found))}, notes


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grow fewer and resample less, where what they say is not what is asked."""
    monkeypatch.setattr(models, "TREES", 5)
    monkeypatch.setattr(models, "RESAMPLED", 5)


@pytest.fixture(scope="module", autouse=True)
def resampled() -> Iterator[None]:
    """Grow fewer trees and resample less: intervals are rougher, no verdict is near."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "TREES", 40)
        patch.setattr(models, "RESAMPLED", 60)
        yield


@pytest.fixture(scope="module")
def perfect() -> tuple[dict[str, CardLine], list[str]]:
    return card(drawn(1000, 2))


def test_a_perfect_sampler_cannot_be_told_from_real(perfect: Any) -> None:
    lines, notes = perfect
    for key in ("table_c2st", "worst_column", "associations"):
        assert lines[key].verdict == "no difference seen"
    for target in ("kind", "x", "y"):
        useful = lines[f"useful_{target}"]
        assert useful.real_vs_real is not None
        assert useful.estimate.low < useful.real_vs_real.high
        assert useful.verdict == "not tested"
    assert lines["useful_y"].estimate.value > 0.85
    assert notes[-1] == PRIVACY


def test_usefulness_stands_beside_the_trivial_generators(perfect: Any) -> None:
    told = next(note for note in perfect[1] if note.startswith("y: trained on"))
    shuffled, trees = (float(number) for number in re.findall(r"-?\d\.\d{3}", told))
    assert shuffled < 0.3
    assert trees > 0.8


def test_shuffled_columns_are_told_apart_though_each_column_is_right() -> None:
    lines, _ = card(shuffled_columns(TRAIN))
    assert lines["table_c2st"].words == "can be told from real data"
    assert lines["associations"].words == "can be told from real data"
    assert lines["worst_column"].verdict == "no difference seen"
    useful = lines["useful_y"]
    assert useful.real_vs_real is not None
    assert useful.estimate.high < useful.real_vs_real.low


def test_copies_are_counted(few_trees: None) -> None:
    lines, _ = card(TRAIN.sample(800, random_state=0, ignore_index=True))
    assert lines["copies"].estimate.value == 1
    assert lines["copies"].real_vs_real.value == 0
    assert lines["copies"].reason == "a count; its test is that of 'copies training data'"


def nearness(fake: Any, judges: Any = HELD_OUT) -> dict[str, CardLine]:
    codes = [items_of(frame, SPEC.columns) for frame in (fake, TRAIN, judges)]
    look = cells(np.concatenate(codes[1:]), SPEC).run
    sides = [look(code).astype(float) for code in codes]
    return {
        line.key: line for line in judged(list(measure_nearness(*sides, None, lambda what: None)))
    }


def test_nearness_and_membership_of_rows_stand_beside_held_out_ones() -> None:
    honest, copier = nearness(drawn(1000, 2)), nearness(TRAIN.sample(800, random_state=0))
    for key in ("closest_median", "closest_low"):
        fakes, unseen = honest[key].estimate, honest[key].real_vs_real
        assert fakes.low < unseen.high
        assert unseen.low < fakes.high
        assert copier[key].estimate.value == 0 < copier[key].real_vs_real.low
    assert honest["membership"].verdict == "no difference seen"
    assert abs(honest["membership"].estimate.value - 0.5) < 0.05
    assert copier["membership"].words == "gives away which rows it was trained on"
    assert copier["membership"].estimate.low > 0.7


def test_rows_of_another_law_do_not_accuse_of_membership() -> None:
    line = nearness(drawn(1000, 2), drawn(400, 3).assign(x=lambda frame: frame["x"] + 1))
    assert line["membership"].verdict == "not tested"
    assert "differ from the training rows" in line["membership"].reason


def test_cells_are_those_of_the_table_whatever_code_they_had() -> None:
    """Held-out numbers lie between the ranks of training rows; here they do not."""
    frame = pd.DataFrame(
        {"n": [1, 1, 2, 50, 3] * 20, "c": list("aabac") * 20, "x": [0.5, None, 2.25, 1.0, 1.0] * 20}
    )
    spec = TableSpec(infer(frame, {"n": "integer"}))
    first = items_of(frame, spec.columns)
    second = np.hstack([first[:, :3], np.full((100, 2), 0.5)])
    assert not np.array_equal(first, second)
    look = cells(first, spec).run
    assert np.array_equal(look(first), look(second))
    assert len(np.unique(look(first), axis=0)) == 5
    assert np.ptp(look(first)[:, 0]) < 10  # a far number does not drown the others


def test_a_wrong_column_is_named(few_trees: None) -> None:
    fake = drawn(1000, 2).assign(x=lambda frame: frame["x"] + 0.5)
    lines, _ = card(fake)
    assert lines["worst_column"].name == "worst column: x"
    assert lines["worst_column"].words == "can be told from real data"


def test_a_category_that_only_samples_have_is_judged_by_accuracy(few_trees: None) -> None:
    train, held_out = (
        rows[rows["kind"] != "a"].reset_index(drop=True) for rows in (TRAIN, HELD_OUT)
    )
    lines = measure_rows(Rows(train, held_out, drawn(300, 2)), SPEC, lambda what: None, print)
    assert "accuracy of kind" in {line.name for line in lines}


def test_what_too_few_rows_do_not_allow_is_left_out_and_said() -> None:
    lines, notes = card(drawn(300, 2), HELD_OUT.head(10))
    assert set(lines) == {"copies"}
    assert sum("left out: a table has 10 rows" in note for note in notes) == 4


def test_of_many_columns_the_first_are_compared_and_that_is_said(
    few_trees: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_of_tables, "PERMUTATIONS", 20)
    monkeypatch.setattr(card_of_tables, "PERMUTATIONS_OF_COLUMNS", 20)

    def wide(rows: int, seed: int) -> Any:
        values = np.random.default_rng(seed).normal(size=(rows, 40))
        return pd.DataFrame(values, columns=[f"v{i}" for i in range(40)]).assign(v39=0.5)

    rows = Rows(wide(60, 0), wide(40, 1), wide(60, 2).assign(v39=0.0))
    assert [len(frame.columns) for frame in first_columns(rows)] == [30] * 3
    notes: list[str] = []
    spec = TableSpec(infer(wide(60, 0)))
    lines = {one.key: one for one in measure_rows(rows, spec, lambda what: None, notes.append)}
    assert notes[0] == "columns and pairs are of the first 30 of 40 columns"
    assert lines["worst_column"].name != "worst column: v39"
    assert sum(key.startswith("useful_") for key in lines) == 2
