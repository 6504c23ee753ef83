"""Tables as data: splits by content, chosen types, named sets, and what training reveals."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from sparring.data.dataset import silent
from sparring.data.kinds import decode, describe, encode, kind, open_data
from sparring.data.options import DataOptions
from sparring.data.tables import chosen_types, condition, frame_of, open_tables, reveal
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.spec import TableSpec


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
    return open_tables(source, DataOptions(**options), silent)


def test_rows_come_back_as_they_were() -> None:
    frame = people()
    data = opened(frame)
    back = frame_of(data.items, data.spec)
    pd.testing.assert_frame_equal(back.drop(columns="pay"), frame.drop(columns="pay"))
    assert np.abs(back["pay"] - frame["pay"]).max() < 0.02 * frame["pay"].max()


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
    data = opened(people(), column=("age=category", "pay=text"))
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
        assert kind(data.spec) == "table"
        x = torch.from_numpy(data.items)
        assert decode(encode(x, data.spec), data.spec) is x


def test_penguins_and_diamonds_come_in_packages() -> None:
    penguins, diamonds = opened("penguins"), opened("diamonds")
    assert (len(penguins.items), len(penguins.spec.columns)) == (344, 8)
    assert [c.name for c in penguins.spec.columns if c.missing] == [
        *("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex")
    ]
    assert (len(diamonds.items), len(diamonds.spec.columns)) == (53_940, 10)
    assert frame_of(diamonds.items[:1], diamonds.spec)["price"].item() == 326


def test_training_reveals_nothing_of_a_fifth_and_one_column_of_half_of_the_others() -> None:
    data = opened(people())
    spec: TableSpec = data.spec
    x = torch.from_numpy(data.items).repeat(50, 1)
    told = reveal(x, spec, Draw(0, 0))
    values, mask = told[:, : spec.size], told[:, spec.size :]
    assert torch.equal(values, x * mask[:, spec.owners])
    shares = torch.bincount(mask.sum(1).long(), minlength=4) / len(mask)
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.4, 0.2, 0.2]), atol=0.015, rtol=0)
    torch.testing.assert_close(mask.mean(0), mask.mean().expand(3), atol=0.015, rtol=0)
    some = reveal(x[64:80], spec, Draw(0, 64))
    assert torch.equal(some, told[64:80])  # a function of the position alone


def test_a_condition_reveals_what_it_is_given() -> None:
    spec = opened(people()).spec
    told = condition(spec, {"job": np.array([[0.0, 1.0]] * 3, np.float32)}, 3)
    assert told.tolist() == [[0, 0, 1, 0, 0, 1, 0]] * 3  # age, baker, smith, pay; then which
