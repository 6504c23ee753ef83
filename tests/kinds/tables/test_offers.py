"""Rules that are offered: what data always keep, and not by chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.kinds.tables.offers import offers
from sparring.kinds.tables.spec import Column

ROWS = 2000
Floats = NDArray[np.float64]


def number(name: str, decimals: int = 0) -> Column:
    return Column(name, "integer", "", decimals=decimals)


def offered(*named: tuple[Column, Floats]) -> list[str]:
    columns, cells = zip(*named, strict=True)
    return offers(np.stack(cells, 1), columns)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_what_is_never_later_is_offered_once(random: np.random.Generator) -> None:
    start = random.integers(0, 700, ROWS).astype(float)
    end = start + random.geometric(0.1, ROWS) - 1
    seen = end + random.geometric(0.1, ROWS)
    end[:9] = np.nan
    other = random.integers(0, 700, ROWS).astype(float)
    lines = offered(
        (number("start"), start),
        (number("end day"), end),
        (number("seen"), seen),
        (number("o"), other),
    )
    assert sorted(lines) == [
        """"end day" < seen in all 2,000 rows: --rule '"end day"<seen'""",
        """start <= "end day" in all 2,000 rows: --rule 'start<="end day"'""",
    ]


def test_what_is_only_larger_is_not_offered(random: np.random.Generator) -> None:
    minutes = np.round(random.gamma(3, 50, ROWS)) + 20
    height = np.round(random.normal(175, 7, ROWS))
    assert not offered(
        (number("minutes"), minutes),
        (number("miles"), np.round(minutes * random.normal(7, 0.5, ROWS))),
        (number("height"), height),
        (number("weight"), np.round(height * 0.4 + random.normal(0, 9, ROWS))),
        (number("year"), random.integers(1990, 2020, ROWS).astype(float)),
    )


def test_one_row_that_breaks_an_order_is_enough(random: np.random.Generator) -> None:
    start = random.integers(0, 700, ROWS).astype(float)
    end = start + random.geometric(0.1, ROWS)
    end[1234] = start[1234] - 1
    assert not offered((number("start"), start), (number("end"), end))


def test_many_rare_categories_with_one_value_of_another_are_offered(
    random: np.random.Generator,
) -> None:
    city = random.integers(0, 300, ROWS).astype(float)
    many = Column("city", "category", "", labels=("0",), rest=tuple(map(str, range(1, 300))))
    one = Column("country", "category", "")
    assert offered((many, city), (one, city % 7)) == [
        "each city has one country in all 2,000 rows: --rule 'city,country'"
    ]


def test_a_number_of_pieces_times_a_price_is_offered(random: np.random.Generator) -> None:
    pieces = Column("pieces", "category", "", labels=("1", "2", "3", "12"))
    count, price = random.integers(0, 4, ROWS), np.round(random.gamma(3, 9, ROWS), 2)
    amount = np.round(np.array([1, 2, 3, 12])[count] * price, 2)
    columns = (pieces, number("price", 2), number("amount", 2))
    assert offered(*zip(columns, (count.astype(float), price, amount), strict=True)) == [
        "amount = pieces*price in all 2,000 rows: --rule 'amount=pieces*price'"
    ]
