"""Conditions on rows: what people write, what satisfies it, what is drawn to be revealed."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.tables.codec import decode, frame_of
from sparring.kinds.tables.columns import write_cells
from sparring.kinds.tables.condition_sampler import condition_vector
from sparring.kinds.tables.conditions import (
    draw_satisfying,
    is_one_value,
    satisfied,
    satisfying,
)
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import open_data
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.kinds.tables.where import parse_condition, read_where

ROWS = 2000
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "price": RNG.gamma(2, 500, ROWS).round().astype(int) + 300,
        "price in euro": RNG.normal(size=ROWS),
        "cut": RNG.choice(["Fair", "Good", "Very Good"], ROWS, p=[0.1, 0.3, 0.6]),
        "year": RNG.choice([2007, 2008, 2009], ROWS, p=[0.2, 0.3, 0.5]),
        "mass": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(70, 10, ROWS).round(1)),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 700, ROWS), "D"),
        "flag": RNG.random(ROWS) < 0.3,
        "paid": RNG.choice(["Yes", "No"], ROWS),
        "grade": pd.Categorical(
            RNG.choice(["lo", "mid", "hi"], ROWS), ["lo", "mid", "hi"], ordered=True
        ),
        "dept": RNG.choice(["Research and Development", "Sales, EU", "x>1"], ROWS),
        "born": [f"{d:02d}.0{m}.2001" for d, m in RNG.integers(1, 10, (ROWS, 2))],
        "paid in": [f"{price:,} EUR".replace(",", ".") for price in RNG.integers(1, 9999, ROWS)],
        "stay": pd.to_timedelta(RNG.integers(0, 9999, ROWS), "s"),
        "seen": pd.date_range("2020-01-01", periods=ROWS, freq="h", tz="Europe/Berlin"),
        "id": range(ROWS),
    }
)
DATA = open_data(FRAME, TableOptions(held_out=0.0))
SPEC = DATA.spec
assert isinstance(SPEC, TableSpec)


def rows(*texts: str) -> Any:
    return satisfied(FRAME, [parse_condition(text, SPEC) for text in texts])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price>1000", FRAME["price"] > 1000),
        ("price <= 1000", FRAME["price"] <= 1000),
        ("price=400", FRAME["price"] == 400),
        ("price!=400", FRAME["price"] != 400),
        ("price in euro<0", FRAME["price in euro"] < 0),
        ("cut=Very Good", FRAME["cut"] == "Very Good"),
        ("cut == Fair", FRAME["cut"] == "Fair"),
        ("cut!=Fair", FRAME["cut"] != "Fair"),
        ("year>=2008", FRAME["year"] >= 2008),
        ("mass>70", FRAME["mass"] > 70),
        ("mass=", FRAME["mass"].isna()),
        ("mass!=", FRAME["mass"].notna()),
        ("day<2020-06-01", FRAME["day"] < "2020-06-01"),
        ("flag=true", FRAME["flag"]),
        ("flag != 1", ~FRAME["flag"]),
        ("paid=TRUE", FRAME["paid"] == "Yes"),
        ("cut='very good'", FRAME["cut"] == "Very Good"),
        ('`cut` == "Fair"', FRAME["cut"] == "Fair"),
        ("year=2008.0", FRAME["year"] == 2008),
        ("grade>=mid", FRAME["grade"] >= "mid"),
        ("grade<HI", FRAME["grade"] < "hi"),
        ("cut in (Fair, Good)", FRAME["cut"].isin(["Fair", "Good"])),
        ("dept in ['Sales, EU', \"x>1\"]", FRAME["dept"].isin(["Sales, EU", "x>1"])),
        ('dept in ("Sales, EU", x>1)', FRAME["dept"].isin(["Sales, EU", "x>1"])),
        ("year not in (2007, 2009)", FRAME["year"] == 2008),
        ("price in (400, 500.0)", FRAME["price"].isin([400, 500])),
        ("born=01.02.2001", FRAME["born"] == "01.02.2001"),
        ("born<2001-02-01", FRAME["born"].str[3:5] == "01"),
        ("seen<2020-02-01", FRAME["seen"] < pd.Timestamp("2020-02-01", tz="Europe/Berlin")),
    ],
)
def test_conditions_hold_where_pandas_says_so(text: str, expected: Any) -> None:
    found = rows(text)
    np.testing.assert_array_equal(found, expected)
    assert 0 < found.sum() < ROWS


EARLY = pd.Timestamp("2020-06-01")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("600<=price<900", FRAME["price"].between(600, 899)),
        ("900>price", FRAME["price"] < 900),
        ("cut=Fair and price>900", (FRAME["cut"] == "Fair") & (FRAME["price"] > 900)),
        (
            "dept=Research and Development and price>900",
            (FRAME["dept"] == "Research and Development") & (FRAME["price"] > 900),
        ),
        (["cut=Fair", {"year": 2008}], (FRAME["cut"] == "Fair") & (FRAME["year"] == 2008)),
        ({"price": (600, 900)}, FRAME["price"].between(600, 900)),
        ({"price": (None, np.int64(900))}, FRAME["price"] <= 900),
        ({"price": ">900", "flag": np.True_}, (FRAME["price"] > 900) & FRAME["flag"]),
        ({"price": range(600, 900)}, FRAME["price"].between(600, 899)),
        ({"cut": ("Fair", "Good")}, FRAME["cut"].isin(["Fair", "Good"])),
        ({"grade": ("mid", None)}, FRAME["grade"] >= "mid"),
        ({"mass": float("nan")}, FRAME["mass"].isna()),
        ({"day": (EARLY, None)}, FRAME["day"] >= EARLY),
        ({}, np.ones(ROWS, bool)),
    ],
    ids=lambda value: str(value) if isinstance(value, str | dict | list) else "",
)
def test_conditions_are_texts_dictionaries_and_lists(where: Any, expected: Any) -> None:
    np.testing.assert_array_equal(satisfied(FRAME, read_where(where, SPEC)), expected)


def test_conditions_hold_together() -> None:
    np.testing.assert_array_equal(
        rows("price>600", "price<=900", "cut=Good"),
        FRAME["price"].between(601, 900) & (FRAME["cut"] == "Good"),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cut", "'cut' is not a condition; write column=value or column>5"),
        ("prize>3", "'prize>3': no column 'prize'; did you mean 'price'"),
        ("cut=Far", "no category 'Far' in the data; known: Fair, Good, Very Good; did you mean"),
        ("cut>Fair", "the categories of 'cut' have no order; use = or !="),
        ("price>dear", "'price>dear': 'dear' is not of type integer"),
        ("cut=", "compares with nothing; column 'cut' is never empty"),
        ("mass>", "compares with nothing"),
        ("id=3", "column 'id' is identifier, which is not learned"),
        ("CUT=Fair", "no column 'CUT'; did you mean 'cut'?"),
        ("grade>=best", "no category 'best' in the data; known: lo, mid, hi"),
        ("cut in ()", "compares with nothing; column 'cut' is never empty"),
        ("cut in (Fair, Far)", "no category 'Far'"),
        ("born=1st May", "'1st May' is not of type datetime; write it as 01.01.2001"),
    ],
)
def test_what_cannot_be_asked_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(SparringError) as error:
        parse_condition(text, SPEC)
    assert complaint in str(error.value)


def drawn(name: str, *texts: str, n: int = 4000) -> Any:
    """Return what is revealed of a column, as cells."""
    column = next(one for one in SPEC.columns if one.name == name)
    cells = draw_satisfying(column, [parse_condition(text, SPEC) for text in texts], Draw(0, 0), n)
    return write_cells(cells[:, None], [column])[name]


@pytest.mark.parametrize(
    "texts",
    [("price>1000",), ("price>=600", "price<700"), ("price<340",), ("mass>70",), ("mass!=",)],
)
def test_numbers_are_drawn_by_the_data_s_own_law_in_the_range(texts: tuple[str, ...]) -> None:
    name = "price" if "price" in texts[0] else "mass"
    if texts == ("mass!=",):
        assert drawn(name, *texts).notna().all()
        return
    inside = FRAME.loc[rows(*texts), name]
    found = drawn(name, *texts)
    assert ks_2samp(found, inside).statistic < 0.05 + 1.5 / np.sqrt(len(inside))
    asked = [parse_condition(text, SPEC) for text in texts]
    assert satisfied(pd.DataFrame({name: found}), asked).all()


def test_categories_are_drawn_by_their_counts() -> None:
    counted = Counter(drawn("year", "year>2007"))
    assert set(counted) == {2008, 2009}
    due = (FRAME["year"] == 2009).sum() / (FRAME["year"] > 2007).sum()
    assert counted[2009] / 4000 == pytest.approx(due, abs=0.03)
    assert set(drawn("cut", "cut=Fair")) == {"Fair"}
    assert drawn("mass", "mass=").isna().all()
    assert (drawn("price", "price=400") == 400).all()
    assert set(drawn("price", "price in (400, 500)", n=50)) == {400, 500}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("price", ("price>99999",)),
        ("price", ("price>700", "price<600")),
        ("price", ("price=700.5",)),
        ("price", ("price=700", "price in (701, 702)")),
        ("year", ("year>2009",)),
        ("cut", ("cut=Fair", "cut=Good")),
    ],
)
def test_what_no_row_satisfies_is_refused(name: str, texts: tuple[str, ...]) -> None:
    with pytest.raises(SparringError, match="satisfies"):
        drawn(name, *texts)


def test_one_value_is_told_from_several() -> None:
    def only(*texts: str) -> bool:
        conditions = [parse_condition(text, SPEC) for text in texts]
        column: Column = conditions[0].column
        return is_one_value(column, conditions)

    assert only("cut=Fair")
    assert only("price=400")
    assert only("year>2008")
    assert not only("year>2007")
    assert not only("cut!=Fair")
    assert not only("price>400")


def test_revealed_values_encode_as_the_data_do() -> None:
    given = drawn("price", "price>1000", n=50)
    cells = given.to_numpy(float)
    encoded = condition_vector(SPEC, {"price": cells}, 50)
    assert encoded[:, SPEC.size + SPEC.places["price"]].tolist() == [1] * 50
    (at,) = (block.start for block in SPEC.blocks if block.column == "price")
    sample = torch.zeros(50, SPEC.size)
    sample[:, at] = encoded[:, at]
    assert frame_of(decode(sample, SPEC).numpy(), SPEC)["price"].tolist() == given.tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("paid in>3.000 EUR", FRAME["paid in"].str[:-4].str.replace(".", "").astype(int) > 3000),
        ("paid in>3000", FRAME["paid in"].str[:-4].str.replace(".", "").astype(int) > 3000),
        ("stay>01:00:00", FRAME["stay"] > pd.Timedelta("1h")),
        ("stay<=1h", FRAME["stay"] <= pd.Timedelta("1h")),
    ],
)
def test_values_are_read_as_the_column_writes_them(text: str, expected: Any) -> None:
    items = torch.from_numpy(np.array(DATA.items))
    found = satisfying(items, SPEC, read_where(text, SPEC)).numpy()
    np.testing.assert_array_equal(found, expected)
