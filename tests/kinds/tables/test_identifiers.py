"""What numbers rows is made up anew, and what tells something of them is learned."""

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from sparring.kinds.tables.columns import write_cells
from sparring.kinds.tables.identifiers import is_called_one
from sparring.kinds.tables.types import infer

pd = pytest.importorskip("pandas")
ROWS = 86


def kinds(**cells: Any) -> dict[str, str]:
    noise = np.random.default_rng(0).normal(size=len(next(iter(cells.values())))).round(2)
    return {c.name: c.kind for c in infer(pd.DataFrame({**cells, "noise": noise}))}


def test_years_ranks_and_heights_are_learned() -> None:
    """All three were numbered on beyond the data, as identifiers."""
    rng = np.random.default_rng(0)
    year = np.arange(1936, 1936 + ROWS)
    found = kinds(
        year=year,
        rank=rng.permutation(ROWS) + 1,
        height=rng.permutation(ROWS) + 120,
        t=np.arange(1, ROWS + 1),
        level=(year * 0.3 + rng.normal(size=ROWS)).round(1),
    )
    assert {found[name] for name in ("year", "rank", "height", "t")} == {"integer"}


def test_keys_with_gaps_or_in_any_order_are_identifiers_by_their_names() -> None:
    """A customer_id with one gap was learned as a number: 1,300 of 2,000 drawn ones differed."""
    ids = np.delete(np.arange(1, 2002), 76)
    found = kinds(customer_id=ids, orderNo=np.random.default_rng(0).permutation(ids))
    assert (found["customer_id"], found["orderNo"]) == ("identifier", "identifier")
    assert kinds(**{"": np.arange(1946, 2000)})[""] == "integer"  # R's names of rows, years
    assert kinds(**{"": np.arange(56, 110)})[""] == "identifier"
    assert kinds(customer_id=np.r_[ids[1:], ids[1]])["customer_id"] == "integer"  # not a key


def test_numbers_from_one_that_nothing_has_to_do_with_are_identifiers() -> None:
    assert kinds(x=np.arange(1, 301))["x"] == "identifier"
    assert kinds(x=np.arange(1936, 2236))["x"] == "integer"
    trend = np.arange(1, 301) + np.random.default_rng(0).normal(size=300) * 40
    assert kinds(x=np.arange(1, 301), trend=trend)["x"] == "integer"
    groups = np.where(np.arange(300) < 150, "a", "b")
    assert kinds(x=np.arange(1, 301), group=groups)["x"] == "integer"


@pytest.mark.parametrize(
    "name", ["id", "ID", "customer_id", "userId", "personid", "order no", "Unnamed: 0", "", "obs"]
)
def test_names_of_identifiers(name: str) -> None:
    assert is_called_one(name)


@pytest.mark.parametrize("name", ["year", "paid", "humid", "rank", "width", "TaxCode", "idea"])
def test_names_of_other_columns(name: str) -> None:
    assert not is_called_one(name)


def test_universally_unique_codes_are_made_anew() -> None:
    codes = [str(UUID(int=n * 2**90 + 2**77)) for n in range(40)]
    column = infer(pd.DataFrame({"code": codes, "x": range(40)}))[0]
    made = write_cells(np.zeros((40, 0)), [column])["code"]
    assert made.is_unique
    assert not made.isin(codes).any()
    assert all(str(UUID(code)) == code for code in made)
