"""Rows on conditions: all satisfy them, the rest follows, and the impossible ends quickly."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from exact import Rows
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.errors import RequestWarning, SparringError
from sparring.kinds.tables.codec import frame_of
from sparring.kinds.tables.conditional import PROPOSED, sample_where
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import open_data
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.types import infer

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "kind": np.repeat(["a", "b"], [900, 100]),
        "x": np.concatenate([RNG.normal(0, 1, 900), RNG.normal(5, 1, 100)]),
        "y": RNG.normal(size=1000),
    }
)
SPEC = TableSpec(infer(FRAME))


class Perfect(nn.Module):
    """Draws rows of the frame, of those that have the revealed kind; y is revealed as it is."""

    latent = 1

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        from coding import encode

        self.rows = torch.from_numpy(encode(FRAME, SPEC.columns))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        u = torch.special.ndtr(latent[:, 0].double())
        low, count = torch.zeros(len(u)), torch.full((len(u),), 1000.0)
        out = self.rows[(u * 1000).long().clamp(max=999)].clone()
        if label is None:
            return out
        values, mask = label[:, : SPEC.size], label[:, SPEC.size :]
        low = torch.where((mask[:, 0] > 0) & (values[:, 1] > 0), 900.0, low)
        count = torch.where(mask[:, 0] > 0, torch.where(values[:, 1] > 0, 100.0, 900.0), count)
        out = self.rows[(low + (u * count).floor().clamp(max=999)).long()].clone()
        return torch.where(mask[:, SPEC.owners] > 0, values, out)


def drawn(*texts: str, n: int = 500, seed: int = 0) -> Any:
    return frame_of(sample_where(Perfect(), SPEC, texts, n, seed=seed).numpy(), SPEC)


def test_a_rare_category_is_revealed_and_the_rest_follows() -> None:
    frame = drawn("kind=b")
    assert (frame["kind"] == "b").all()
    assert frame["x"].mean() == pytest.approx(FRAME["x"].tail(100).mean(), abs=0.2)


def test_one_range_is_revealed_by_its_own_law() -> None:
    frame = drawn("y>1", n=1000)
    assert (frame["y"] > 1).all()
    assert frame["y"].mean() == pytest.approx(FRAME["y"][FRAME["y"] > 1].mean(), abs=0.05)


def test_a_range_beside_a_category_is_left_to_the_generator() -> None:
    frame = drawn("kind=b", "x<5")
    assert (frame["kind"] == "b").all()
    assert (frame["x"] < 5).all()
    of_b = FRAME[(FRAME["kind"] == "b") & (FRAME["x"] < 5)]["x"]
    assert frame["x"].mean() == pytest.approx(of_b.mean(), abs=0.15)


def test_hardly_any_hit_makes_ranges_revealed_too() -> None:
    with pytest.warns(RequestWarning, match="none of 8,192 rows made freely has kind=a and x>6"):
        frame = drawn("kind=a", "x>6", n=50)  # no row of kind a
    assert (frame["kind"] == "a").all()
    assert (frame["x"] > 6).all()


def test_rows_depend_on_their_number_alone() -> None:
    few, many = drawn("x>0", "y>0", n=10), drawn("x>0", "y>0", n=PROPOSED)
    pd.testing.assert_frame_equal(few, many.head(10))
    assert not drawn("x>0", "y>0", n=10, seed=1).equals(few)


def test_an_impossible_condition_ends_at_once() -> None:
    with pytest.raises(SparringError, match="no row satisfies x>99"):
        drawn("x>99")
    with pytest.raises(SparringError, match="no category of column 'kind' satisfies"):
        drawn("kind=a", "kind=b")


def test_as_many_rows_of_each_category_are_drawn_in_turn() -> None:
    frame = frame_of(sample_where(Perfect(), SPEC, "x>1", 31, balance="kind").numpy(), SPEC)
    assert frame["kind"].tolist() == [*"ab" * 15, "a"]
    assert (frame["x"] > 1).all()
    with pytest.raises(SparringError, match="'x' is real; rows are balanced by a column of cat"):
        sample_where(Perfect(), SPEC, (), 10, balance="x")
    with pytest.raises(SparringError, match="no column 'kin'; did you mean 'kind'"):
        sample_where(Perfect(), SPEC, (), 10, balance="kin")


def test_rare_categories_are_asked_for_with_a_word() -> None:
    names = np.array([f"c{i:03d}" for i in range(130)])
    weights = np.where(np.arange(130) < 100, 20, 1)
    frame = pd.DataFrame({"c": np.repeat(names, weights), "x": RNG.normal(size=weights.sum())})
    data = open_data(frame, TableOptions(held_out=0.0))
    spec = replace(data.spec, makes="cells")
    told = "^c=c119: one of 30 rare categories that are learned as one; the rest of such rows is"
    with pytest.warns(RequestWarning, match=told):
        items = sample_where(Rows(data), spec, "c=c119", 20)
    assert set(frame_of(items.numpy(), spec)["c"]) == {"c119"}
    with pytest.warns(RequestWarning, match="^the 30 rare categories of 'c' are left out"):
        items = sample_where(Rows(data), spec, (), 200, balance="c")
    assert frame_of(items.numpy(), spec)["c"].value_counts().tolist() == [2] * 100


# ---- a generator of cells, which knows the law exactly

TOWNS = pd.DataFrame(
    {
        "city": RNG.choice(["Bonn", "Köln", "Lyon", "Nice"], 600, p=[0.4, 0.4, 0.19, 0.01]),
        "pay": RNG.gamma(3, 900, 600).round(),
        "tax": RNG.gamma(2, 90, 600).round(),
    }
)
TOWNS["country"] = TOWNS["city"].map({"Bonn": "DE", "Köln": "DE", "Lyon": "FR", "Nice": "FR"})
TOWNS["total"] = TOWNS["pay"] + TOWNS["tax"]


@pytest.fixture(scope="module")
def towns() -> Dataset:
    options = TableOptions(rule=("city,country", "total=pay+tax"), held_out=0.0)
    data = open_data(TOWNS, options)
    return replace(data, spec=replace(data.spec, makes="cells"))


def on_towns(towns: Dataset, *where: str, n: int = 40, **more: Any) -> tuple[Any, set[str]]:
    """Return rows, and the columns that were revealed for any of them."""
    generator = Rows(towns)
    items = sample_where(generator, towns.spec, where, n, data=lambda: towns, **more)
    masks = np.array([*generator.revealed]).any(0)
    names = [column.name for column in towns.spec.learned]
    return frame_of(items.numpy(), towns.spec), {n for n, m in zip(names, masks, strict=True) if m}


def test_what_is_common_is_chosen_among_free_rows(towns: Dataset) -> None:
    frame, revealed = on_towns(towns, "city=Lyon", "total>2000")
    assert set(frame["city"]) == {"Lyon"}
    assert frame["total"].min() > 2000
    assert not revealed


def test_what_is_rare_is_revealed_of_columns_that_are_modelled(towns: Dataset) -> None:
    frame, revealed = on_towns(towns, "city=Nice")
    assert set(frame["city"]) == {"Nice"}
    assert set(frame["country"]) == {"FR"}
    (joint,) = (column.name for column in towns.spec.learned if column.hidden)
    assert revealed == {joint}  # which city and country are looked up from
    assert on_towns(towns, "pay=4321", n=3)[1] == {"pay"}


def test_what_cannot_be_revealed_is_chosen_for_as_long_as_that_may_be(towns: Dataset) -> None:
    highest = TOWNS["total"].nlargest(4).min()
    frame, revealed = on_towns(towns, f"total>={highest:g}", n=5)
    assert frame["total"].min() >= highest
    assert not revealed


def test_a_pair_that_no_training_row_has_is_told(towns: Dataset) -> None:
    with pytest.raises(SparringError, match="no row of the data satisfies city=Lyon and country"):
        on_towns(towns, "city=Lyon", "country=DE")
    late = TOWNS["pay"][TOWNS["city"] == "Nice"].max()
    told = f"^no training row has city=Nice and pay>{late:g}: such rows are the generator's guess"
    with pytest.warns(RequestWarning, match=told):
        on_towns(towns, "city=Nice", f"pay>{late:g}", "tax>0", n=5)
