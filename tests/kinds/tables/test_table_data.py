"""Tables as data: splits by content, chosen types, named sets, and what training reveals."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from sparring.data import split
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.features.reference import ReferenceSet
from sparring.kinds import DataOptions, decode, describe, encode, kind_of, open_data
from sparring.kinds.tables import measures
from sparring.kinds.tables.codec import frame_of, reveal
from sparring.kinds.tables.condition_sampler import ConditionSampler, condition_vector
from sparring.kinds.tables.reader import open_data as open_tables
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.typing_file import chosen_types


def people(rows: int = 400) -> Any:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": range(rows),
            "age": rng.integers(18, 90, rows),
            "job": rng.choice(["smith", "baker"], rows),
            "pay": rng.gamma(2, 1000, rows).round(2),
        }
    )


def opened(source: Any, **options: Any) -> Any:
    return open_tables(source, DataOptions(**options))


def test_rows_come_back_as_they_were() -> None:
    frame = people()
    data = opened(frame, held_out=0.0)
    back = frame_of(data.items, data.spec)
    pd.testing.assert_frame_equal(back, frame)


def test_equal_rows_stay_on_one_side_of_the_split_whatever_their_number() -> None:
    frame = pd.concat([people(200)] * 3, ignore_index=True).assign(id=range(600))
    data = opened(frame, held_out=0.3)
    assert 0 < len(data.held_out) < 600
    rows = frame.drop(columns="id").astype(str).agg("|".join, axis=1)
    assert not set(rows.iloc[data.held_out]) & set(rows.iloc[data.train])
    assert "400 of 600 rows repeat an earlier one exactly" in data.notes


def test_a_frame_and_its_file_are_the_same_data(tmp_path: Path) -> None:
    frame = people()
    frame.to_csv(tmp_path / "people.csv", index=False)
    of_frame, of_file = opened(frame), opened(tmp_path / "people.csv")
    assert of_frame.fingerprint == of_file.fingerprint
    np.testing.assert_array_equal(of_frame.items, of_file.items)
    assert opened(frame.assign(age=frame["age"] + 1)).fingerprint != of_frame.fingerprint


def test_types_can_be_chosen_and_are_told() -> None:
    data = opened(people(), column=("age=category", "pay=text"), held_out=0.0)
    kinds = {column.name: column.kind for column in data.spec.columns}
    assert kinds == {"id": "identifier", "age": "category", "job": "category", "pay": "text"}
    assert any(note.startswith("column 'age': category of 7") for note in data.notes)
    assert describe(data.spec) == "4 columns: 2 category, 1 identifier, 1 text"


def test_a_choice_that_is_none_is_refused() -> None:
    assert chosen_types(("a=b=real",)) == {"a=b": "real"}
    with pytest.raises(SparringError, match="'age' chooses no type for a column; write --column"):
        chosen_types(("age",))
    with pytest.raises(SparringError, match="no column 'aeg' in the table; did you mean 'age'"):
        opened(people(), column=("aeg=category",))


def test_kinds_know_tables(tmp_path: Path) -> None:
    people(50).to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    for source in (people(50), tmp_path / "p.tsv", "penguins"):
        data = open_data(source, DataOptions(), cache=tmp_path)
        assert kind_of(data.spec).name == "table"
        x, k = torch.from_numpy(data.items), len(data.spec.learned)
        back = decode(encode(x, data.spec), data.spec)
        same = (back == x)[:, :k] | (back.isnan() & x.isnan())[:, :k]
        assert same.double().mean() > 0.8  # all but rare numbers


def test_penguins_and_diamonds_come_in_packages() -> None:
    penguins, diamonds = opened("penguins"), opened("diamonds")
    assert (len(penguins.items), len(penguins.spec.columns)) == (344, 8)
    assert [c.name for c in penguins.spec.columns if c.missing] == [
        *("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex")
    ]
    assert (len(diamonds.items), len(diamonds.spec.columns)) == (53_940, 10)
    assert frame_of(diamonds.items[:1], diamonds.spec)["price"].item() == 326


def test_three_of_ten_rows_reveal_nothing_and_three_a_category() -> None:
    data = opened(people())
    index = np.tile(data.train, 100)
    rows, mask = ConditionSampler(data)(index, Draw(0, 0))
    counts = torch.bincount(mask.sum(1), minlength=4) / len(mask)
    # one column: the categories' .3 and half of the other .4; two: a quarter; three: the rest
    torch.testing.assert_close(counts, torch.tensor([0.3, 0.5, 0.1, 0.1]), atol=0.01, rtol=0)
    alone = mask[mask.sum(1) == 1].double().mean(0)
    expected = torch.tensor([0.2, 0.2, 0.2]) / 3 + torch.tensor([0.0, 0.3, 0.0])
    torch.testing.assert_close(alone, expected.double() / 0.5, atol=0.01, rtol=0)
    anew = rows != index
    assert mask[anew][:, 1].all()
    assert (mask[anew].sum(1) == 1).all()


def test_what_only_held_out_rows_have_is_judged_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1 fitted quantiles and categories to held-out rows too."""
    halves = split.Split(np.arange(100), np.arange(100, 120), ())
    for rule in ("divide", "hold_out"):
        monkeypatch.setattr(split, rule, lambda *_, **__: halves, raising=False)
    frame = people(120).assign(sick=np.r_[[np.nan] * 100, np.arange(20) / 4])
    frame.loc[100:, "job"] = "cook"
    frame.loc[100:, "pay"] = 1e6
    data = opened(frame)
    assert open_tables(frame, DataOptions(), spec=data.spec).fingerprint == data.fingerprint
    columns = {column.name: column for column in data.spec.columns}
    assert "cook" not in columns["job"].labels
    assert columns["pay"].span[1] < 1e6
    assert columns["sick"].span == (0, 0)
    place = {block.column: slice(block.start, block.stop) for block in data.spec.blocks}
    encoded = encode(torch.from_numpy(data.items), data.spec)
    assert not encoded[100:, place["job"]].any()
    assert (encoded[:100, place["job"]].sum(1) == 1).all()
    assert any("20 of 120 rows hold cook" in note for note in data.notes)
    cells = measures._cells(ReferenceSet(data, "held_out"), data.spec)
    assert (set(cells["job"]), set(cells["pay"])) == ({"cook"}, {1e6})
    assert set(cells["sick"]) == {*np.arange(20) / 4}


def test_rare_categories_are_asked_for_by_the_root_of_their_number() -> None:
    frame = people(1000).assign(job=["king"] * 40 + ["baker"] * 960)
    data = opened(frame, held_out=0.0)
    index = np.tile(data.train, 20)
    rows = ConditionSampler(data)(index, Draw(0, 0))[0]
    anew = rows != index
    kings = (rows[anew] < 40).mean()
    assert kings == pytest.approx(40**0.5 / (40**0.5 + 960**0.5), abs=0.03)
    assert len(np.unique(rows[anew][rows[anew] < 40])) == 40  # any of them


def test_what_a_row_is_asked_by_is_a_function_of_its_position() -> None:
    data = opened(people())
    index = data.train[np.arange(256) % len(data.train)]
    asked = ConditionSampler(data)
    rows, mask = asked(index, Draw(5, 0))
    some, of_some = asked(index[64:80], Draw(5, 64))
    np.testing.assert_array_equal(some, rows[64:80])
    assert torch.equal(of_some, mask[64:80])


def test_a_table_without_categories_is_asked_by_numbers_alone() -> None:
    data = opened(people().drop(columns="job"))
    rows, mask = ConditionSampler(data)(data.train, Draw(0, 0))
    np.testing.assert_array_equal(rows, data.train)
    assert 0.3 < mask.any(1).double().mean() < 0.5


def test_what_is_revealed_goes_before_which_columns_they_are() -> None:
    data = opened(people())
    spec: TableSpec = data.spec
    x = encode(torch.from_numpy(data.items[:2]), spec)
    told = reveal(x, torch.tensor([[True, False, True], [False, False, False]]), spec)
    assert told[0].tolist() == [x[0, 0], 0, 0, x[0, 3], 1, 0, 1]
    assert told[1].tolist() == [0] * 7


def test_a_condition_reveals_what_it_is_given() -> None:
    spec = opened(people()).spec
    told = condition_vector(spec, {"job": np.ones(3)}, 3)
    assert told.tolist() == [[0, 0, 1, 0, 0, 1, 0]] * 3  # age, baker, smith, pay; then which
