"""Partly filled rows made whole: what is given stays, what is empty follows from it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exact import Rows

from sparring.data.dataset import Dataset
from sparring.errors import RequestWarning, SparringError
from sparring.kinds.tables.codec import frame_of
from sparring.kinds.tables.completion import completed, filled
from sparring.kinds.tables.conditional import Proposals
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import open_data
from sparring.kinds.tables.where import read_where

RNG = np.random.default_rng(0)
N = 300
TOWNS = pd.DataFrame(
    {
        "id": [f"t{i:03d}" for i in range(N)],
        "city": RNG.choice(["Bonn", "Köln", "Lyon", "Nice"], N, p=[0.5, 0.3, 0.1, 0.1]),
        "pay": RNG.gamma(3, 900, N).round(2),
        "tax": RNG.gamma(2, 90, N).round(2),
        "rooms": pd.Series(
            np.where(RNG.random(N) < 0.1, None, RNG.integers(1, 30, N)), dtype="Int64"
        ),
        "born": pd.Series(pd.date_range("2001-01-01", periods=N)).dt.strftime("%d.%m.%Y"),
        "paid": RNG.random(N) < 0.5,
    }
)
TOWNS["country"] = TOWNS["city"].map({"Bonn": "DE", "Köln": "DE", "Lyon": "FR", "Nice": "FR"})
TOWNS["total"] = (TOWNS["pay"] + TOWNS["tax"]).round(2)


@pytest.fixture(scope="module")
def towns() -> Dataset:
    options = TableOptions(rule=("city,country", "total=pay+tax"), held_out=0.0)
    data = open_data(TOWNS, options)
    return replace(data, spec=replace(data.spec, makes="cells"))


def whole(towns: Dataset, given: Any, where: Any = (), seed: int = 0) -> Any:
    proposals = Proposals(Rows(towns), towns.spec, seed)
    items = completed(given, proposals, read_where(where, towns.spec))
    return filled(given, frame_of(items.numpy(), towns.spec), towns.spec)


def test_given_cells_stay_and_empty_ones_are_drawn_given_these(towns: Dataset) -> None:
    row = TOWNS[TOWNS["rooms"].notna()].iloc[0]
    given = pd.DataFrame(
        {
            "note": ["a", None, "c", "d"],
            "city": ["Lyon", None, "Bonn", ""],
            "rooms": [np.nan, row["rooms"], 8, np.nan],
            "born": [None, row["born"], None, "06.02.2001"],
            "paid": [True, None, None, False],
        },
        index=[9, 8, 7, 6],
    )
    rows = whole(towns, given)
    assert list(rows.columns) == [*given.columns, "id", "pay", "tax", "country", "total"]
    assert rows["note"].tolist()[::2] == ["a", "c"]
    assert rows["city"].tolist()[::2] == ["Lyon", "Bonn"]
    assert rows["country"].tolist()[::2] == ["FR", "DE"]
    assert rows["rooms"].tolist()[1:3] == [row["rooms"], 8]
    assert str(rows["rooms"].dtype) == "Int64"
    assert rows["born"].tolist()[1::2] == [row["born"], "06.02.2001"]
    assert rows["paid"].tolist()[::3] == [True, False]
    assert rows.loc[1, "city"] == row["city"]
    assert rows[["city", "born", "paid", "pay"]].notna().all().all()
    np.testing.assert_allclose(rows["total"], rows["pay"] + rows["tax"])
    pd.testing.assert_frame_equal(rows, whole(towns, given))
    assert not rows.equals(whole(towns, given, seed=1))


def test_what_given_cells_follow_from_is_found(towns: Dataset) -> None:
    given = pd.DataFrame(
        {
            "country": ["FR", "DE", None],
            "city": [None, None, "Nice"],
            "total": [999.5, 1234.25, np.nan],
            "pay": [900.25, np.nan, np.nan],
        }
    )
    with pytest.warns(RequestWarning, match="1 rows, the first of them row 1, cannot be completed"):
        rows = whole(towns, given)  # no row has that total, and nothing more is given of it
    assert rows.loc[0, "tax"] == 99.25
    assert rows.loc[0, "city"] in ("Lyon", "Nice")
    assert rows.loc[1, "total"] == 1234.25
    assert rows.loc[2, "country"] == "FR"


def test_identifiers_go_on_beside_given_ones(towns: Dataset) -> None:
    given = pd.DataFrame({"id": ["t001", None, "x", None], "city": ["Bonn"] * 4})
    assert whole(towns, given)["id"].tolist() == ["t001", "t002", "x", "t004"]


def test_conditions_hold_of_what_is_drawn(towns: Dataset) -> None:
    given = pd.DataFrame({"city": ["Nice"] * 30})
    rows = whole(towns, given, "rooms!= and pay>2000")
    assert rows["rooms"].notna().all()
    assert rows["pay"].min() > 2000
    with pytest.raises(SparringError, match="row 0 cannot be completed so that city=Bonn holds"):
        whole(towns, given, "city=Bonn")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"city": ["Bonn", "Bon"]}, "'city=Bon, row 1': no category 'Bon' in the data; known: "),
        ({"pay": [1.0, "dear"]}, "column 'pay', row 1: 'dear' cannot be read as real"),
        ({"born": ["1 May"]}, "column 'born', row 0: '1 May' cannot be read as datetime"),
        ({"town": ["Bonn"]}, "the rows to complete have no column of the run's: city, pay, tax"),
    ],
)
def test_what_no_column_holds_is_refused(
    towns: Dataset, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SparringError) as refusal:
        whole(towns, pd.DataFrame(given))
    assert complaint in str(refusal.value)
