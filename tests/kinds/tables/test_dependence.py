"""Which columns follow from others: found where it is so, and nowhere by chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.kinds.tables.dependence import describe, find_relations
from sparring.kinds.tables.spec import Column, Relation

ROWS = 2000
Floats = NDArray[np.float64]


def number(name: str, decimals: int = 0, *, clock: bool = False) -> Column:
    return Column(name, "real" if decimals else "integer", "", decimals=decimals, clock=clock)


def category(name: str) -> Column:
    return Column(name, "category", "")


def found(*named: tuple[Column, Floats]) -> dict[str, Relation]:
    columns, cells = zip(*named, strict=True)
    return find_relations(np.stack(cells, 1), columns)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_clock_is_another_one_and_a_delay(random: np.random.Generator) -> None:
    scheduled = random.integers(1000, 1440, ROWS).astype(float)
    delay = np.where(random.random(ROWS) < 0.1, np.nan, np.round(random.gamma(1, 60, ROWS)) - 20)
    arrived = np.mod(scheduled + delay, 1440)  # some after midnight
    wrong = random.random(ROWS) < 0.03
    arrived[wrong] = random.integers(0, 1440, wrong.sum())
    columns = (number("sched", clock=True), number("delay"), number("arr", clock=True))
    cells = np.stack([scheduled, delay, arrived], 1)
    relations = find_relations(cells, columns)
    assert [*relations] == ["arr"]
    assert relations["arr"].weights == (1, 1, 0)
    assert relations["arr"].period == 1440
    assert describe("arr", relations["arr"], cells, columns) == (
        "arr ~ delay + sched in 97% of rows"
    )


def test_extremes_that_hang_together_are_a_difference(random: np.random.Generator) -> None:
    left = np.round(random.gamma(0.4, 60, ROWS)) - 5  # most leave on time, some hours late
    landed = left + np.round(random.normal(-4, 14, ROWS))
    relations = found((number("left"), left), (number("landed"), landed))
    assert [(r.sources, r.weights) for r in relations.values()] == [(("left",), (1, 0))]
    other = landed + np.round(random.normal(0, 60, ROWS))  # too far apart to be worth it
    assert not found((number("left"), left), (number("other"), other))


def test_an_exact_sum_leaves_no_residual(random: np.random.Generator) -> None:
    parts = np.round(random.gamma(2, 20, (ROWS, 2)), 2)
    parts[:9, 0] = np.nan
    total = np.round(parts.sum(1), 2)
    columns = (number("net", 2), number("tax", 2), number("total", 2))
    relation = found(*zip(columns, [*parts.T, total], strict=True))["total"]
    assert relation.exact
    assert relation.fill == ()
    assert dict(zip(relation.sources, relation.weights, strict=False)) == {"net": 1, "tax": 1}


def test_a_product_is_linear_in_logarithms(random: np.random.Generator) -> None:
    width, height = np.round(random.uniform(1, 30, (2, ROWS)), 1)
    area = np.round(width * height + random.normal(0, 0.2, ROWS), 1).clip(0.1)
    relations = found(
        (number("width", 1), width), (number("height", 1), height), (number("area", 1), area)
    )
    assert relations["area"].form == "log"
    assert relations["area"].weights == pytest.approx((1, 1, 0), abs=1e-3)


def test_many_columns_are_searched_by_the_likeliest_sources(random: np.random.Generator) -> None:
    cells = np.round(random.normal(0, 300, (ROWS, 60)))
    cells[:, 50] = cells[:, 7] - 2 * cells[:, 31] + 0.5 * np.round(cells[:, 12] / 2) * 4
    cells[:, 50] = np.round(cells[:, 50] + random.normal(0, 1, ROWS))
    relations = found(*((number(f"c{i}"), cells[:, i]) for i in range(60)))
    assert [*relations] == ["c50"]
    assert {*relations["c50"].sources} == {"c7", "c31", "c12"}


def test_functions_of_a_column_and_of_two_categories_are_tables(
    random: np.random.Generator,
) -> None:
    time = random.integers(0, 95, ROWS) * 15.0
    start, end = random.integers(0, 5, (2, ROWS)).astype(float)
    distance = random.integers(100, 999, 25).astype(float)[(5 * start + end).astype(int)]
    time[:50] = np.nan
    relations = found(
        (number("time"), time),
        (number("hour"), time // 60),
        (category("from"), start),
        (category("to"), end),
        (number("miles"), distance),
    )
    assert {name: r.sources for name, r in relations.items()} == {
        "hour": ("time",),
        "miles": ("from", "to"),
    }
    assert relations["hour"].values[0] is None  # of a missing time


def test_two_codes_of_one_thing_do_not_follow_from_each_other(
    random: np.random.Generator,
) -> None:
    code = random.integers(0, 8, ROWS).astype(float)
    relations = found((category("code"), code), (category("name"), 7 - code))
    assert len(relations) == 1


def test_nothing_is_found_by_chance(random: np.random.Generator) -> None:
    cells = random.integers(0, 1000, (ROWS, 12)).astype(float)
    flag = np.zeros(ROWS)
    flag[:2] = 1  # follows from any column of many values, if rows are few
    group = np.r_[0, 0, random.integers(1, 90, ROWS - 2)].astype(float)
    columns = [number(f"c{i}") for i in range(12)]
    assert not found(
        *zip(columns, cells.T, strict=True), (category("flag"), flag), (category("group"), group)
    )


def test_a_key_of_rows_is_no_source(random: np.random.Generator) -> None:
    key = random.permutation(ROWS) // 2.0
    assert not found((number("key"), key), (category("group"), key % 3))


def test_a_table_holds_no_number_that_hardly_any_row_has(random: np.random.Generator) -> None:
    grade = random.integers(0, 40, ROWS).astype(float)
    grade[:2] = 41
    relation = found((category("grade"), grade), (number("salary"), 1000 + 7 * grade))["salary"]
    assert 1000 + 7 * 41 not in relation.values


def test_a_column_that_no_row_fills_is_no_trouble(random: np.random.Generator) -> None:
    empty = np.full(ROWS, np.nan)
    values = random.integers(0, 999, ROWS).astype(float)
    assert not found((number("empty"), empty), (number("values"), values))
