"""Rules: read, checked on the data, and kept by whatever a generator makes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds.tables import codec
from sparring.kinds.tables.networks import TabularGenerator
from sparring.kinds.tables.options import TableOptions, TableRequests
from sparring.kinds.tables.output import sample
from sparring.kinds.tables.reader import open_data
from sparring.kinds.tables.rules import Comparison, Together, Unique, obeyed, parse_rules
from sparring.sampling import SampleRequest

NAMES = ("a", "b", "c", "start date", "end", "net", "net-sales", "city", "country", "unique")
ROWS = 1200


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    """Orders as people keep them, with dates in text, gaps, and totals that round."""
    random = np.random.default_rng(0)
    ordered = pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 700, ROWS), "D")
    shipped = ordered + pd.to_timedelta(random.integers(0, 30, ROWS), "D")
    net, weight = np.round(random.gamma(2, 30, (2, ROWS)), 2)
    city = random.integers(0, 20, ROWS)
    frame = pd.DataFrame(
        {
            "id": random.permutation(ROWS) * 3 + 7,
            "ordered": ordered.strftime("%d.%m.%Y"),
            "shipped": shipped.strftime("%Y-%m-%d"),
            "net": net,
            "tax": np.round(net * random.choice([0.07, 0.19], ROWS), 2),
            "pieces": random.integers(1, 6, ROWS),
            "weight": weight,
            "gross weight": np.round(weight + random.gamma(1, 3, ROWS) + 0.01, 2),
            "city": [f"city {c}" for c in city],
            "country": [f"country {c % 3}" for c in city],
            "share": np.round(random.random(ROWS), 3),
        }
    )
    frame["total"] = np.round(frame["net"] + frame["tax"], 2)
    frame["amount"] = np.round(frame["pieces"] * frame["net"], 2)
    frame.loc[:9, "shipped"] = None
    frame.loc[5:30, ["tax", "total"]] = np.nan
    return frame


ALL = (
    "ordered<=shipped",
    "weight<gross weight",
    "total=net+tax",
    "amount = pieces*net",
    "city,country",
    "0<=share<=1",
    "unique(id)",
)


def opened(frame: pd.DataFrame, *rules: str, **options: Any) -> Dataset:
    return open_data(frame, TableOptions(rule=rules, **options))


def shuffled(data: Dataset, seed: int = 0) -> torch.Tensor:
    """Return rows that a generator might make which has learned no column's part in another."""
    encoded = codec.encode(torch.from_numpy(np.asarray(data.items)), data.spec)
    random = torch.Generator().manual_seed(seed)
    for block in data.spec.blocks:
        order = torch.randperm(len(encoded), generator=random)
        encoded[:, block.start : block.stop] = encoded[order, block.start : block.stop]
    return codec.decode(encoded, data.spec)


# ---- as they are written


def test_rules_are_read_as_people_write_them() -> None:
    chain = parse_rules(["a<=b < c"], NAMES)
    assert [(r.left.column, r.sign, r.right.column) for r in chain] == [  # type: ignore[union-attr]
        ("a", "<=", "b"),
        ("b", "<", "c"),
    ]
    (turned,) = parse_rules(["end >= start date"], NAMES)
    assert isinstance(turned, Comparison)
    assert (turned.left.column, turned.right.column) == ("start date", "end")
    (total,) = parse_rules(["a = 2*b*c - net-sales/4 + 1"], NAMES)
    assert isinstance(total, Comparison)
    assert total.right.terms == ((2, ("b", "c")), (-0.25, ("net-sales",)))
    assert total.right.constant == 1
    assert parse_rules(["city, country"], NAMES) == (
        Together("city, country", ("city", "country")),
    )
    assert parse_rules(["unique(a,b)"], NAMES) == (Unique("unique(a,b)", ("a", "b")),)
    (since,) = parse_rules(["end>2020-01-31"], NAMES)
    assert isinstance(since, Comparison)
    assert (since.left.date, since.is_range) == ("2020-01-31", True)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["strat date<end"], "rule 'strat date<end': the table has no column 'strat'"),
        (["a<"], "rule 'a<' cannot be read; write it as a<b"),
        (["a"], "wants different columns"),
        (["a<a"], "compares 'a' with itself"),
        (["1<2"], "names no column"),
        (["a=b/c"], "divides by 'c'; write it as a product"),
        (["a<b", "b<a"], "'a<b' and 'b<a' contradict each other; leave one out"),
        (["a<=b", "b<=a"], "form a circle; write 'a=b'|form a circle; write 'b=a'"),
    ],
)
def test_what_is_not_a_rule_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(SparringError, match=message):
        parse_rules(texts, NAMES)


# ---- checked on the data


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("shipped<ordered", "1,190 rows .* of 1,200 break it; all rows keep 'ordered<=shipped'"),
        ("net<city", "column 'city' is category; numbers and dates are compared"),
        ("ordered<3", "3 is not a date"),
        ("ordered<blue", "the table has no column 'blue'"),
        ("total,city", r"[\d,]+ combinations in 1,080 rows, which would give rows back"),
        ("id,city", "column .id. is identifier, which is not learned"),
        ("unique(city)", "1,180 rows .* of 1,200 break it; is the rule right?"),
    ],
)
def test_a_rule_that_data_break_is_refused(orders: pd.DataFrame, rule: str, message: str) -> None:
    with pytest.raises(SparringError, match=message):
        opened(orders, rule)


def test_few_rows_that_break_a_rule_are_named_and_may_be_dropped(orders: pd.DataFrame) -> None:
    broken = orders.copy()
    broken.loc[[100, 700], "total"] += 5
    with pytest.raises(SparringError, match=r"2 rows \(100, 700\) of 1,200 break it; mend them"):
        opened(broken, "total=net+tax")
    data = opened(broken, "total=net+tax", breaking="drop")
    assert [skipped.path for skipped in data.skipped] == ["row 100", "row 700"]
    assert len(data.items) == ROWS - 2
    again = open_data(
        broken, TableOptions(rule=("total=net+tax",), breaking="drop"), spec=data.spec
    )
    assert again.fingerprint == data.fingerprint


def test_parts_that_add_up_but_for_rounding_are_told_and_taken() -> None:
    thirds = pd.DataFrame(np.random.default_rng(0).dirichlet([2, 2, 2], 300).round(2))
    thirds.columns = ["a", "b", "c"]
    data = opened(thirds, "a+b+c=1")
    assert any("rows keep it but for rounding" in note for note in data.notes)
    assert obeyed(shuffled(data).numpy(), data.spec).all()


# ---- kept


@pytest.fixture(scope="module")
def ruled(orders: pd.DataFrame) -> Dataset:
    return opened(orders, *ALL)


def test_all_rows_keep_rules_before_any_filter(ruled: Dataset, orders: pd.DataFrame) -> None:
    """Without rules 14.6 % of rows broke a < b, and 8.9 % kept a sum."""
    made = codec.frame_of(shuffled(ruled).numpy(), ruled.spec)
    assert list(made.columns) == list(orders.columns)
    ordered = pd.to_datetime(made["ordered"], format="%d.%m.%Y")
    shipped = pd.to_datetime(made["shipped"], format="%Y-%m-%d")
    assert ((ordered <= shipped) | shipped.isna()).all()
    assert (made["weight"] < made["gross weight"]).all()
    total = (made["net"] + made["tax"]).round(2)
    pd.testing.assert_series_equal(made["total"], total, check_names=False)
    pd.testing.assert_series_equal(
        made["amount"], (made["pieces"] * made["net"]).round(2), check_names=False
    )
    pairs = set(map(tuple, orders[["city", "country"]].to_numpy()))
    assert set(map(tuple, made[["city", "country"]].to_numpy())) <= pairs
    assert made["share"].between(0, 1).all()
    assert made["id"].is_unique


def test_what_is_not_rare_comes_back_from_residuals(ruled: Dataset) -> None:
    items = torch.from_numpy(np.asarray(ruled.items))
    back = codec.decode(codec.encode(items, ruled.spec), ruled.spec)
    for name in ("city", "country", "pieces"):
        place = ruled.spec.places[name]
        assert torch.equal(back[:, place], items[:, place])
    later, earlier = (ruled.spec.places[name] for name in ("shipped", "ordered"))
    apart = [rows[10:, later] - rows[10:, earlier] for rows in (items, back)]
    assert torch.equal(*apart)


def test_notes_say_how_rules_are_kept(ruled: Dataset) -> None:
    told = [note for note in ruled.notes if note.startswith("rule")]
    assert told == [
        "rule 'city,country': 20 combinations occur, and no others are made",
        "rule 'total=net+tax': 'total' is calculated from 'net' and 'tax'",
        "rule 'amount = pieces*net': 'amount' is calculated from 'net' and 'pieces'",
        "rule 'ordered<=shipped': 'shipped' is kept on its side of 'ordered'",
        "rule 'weight<gross weight': 'gross weight' is kept on its side of 'weight'",
        "rule '0<=share<=1': values are those of the data's range",
        "rule 'unique(id)': numbered anew",
    ]
    assert not any("×" in note for note in ruled.notes)


def test_a_run_of_rules_reads_the_same_data_again(ruled: Dataset, orders: pd.DataFrame) -> None:
    again = open_data(orders, TableOptions(rule=ALL), spec=ruled.spec)
    np.testing.assert_array_equal(again.items, ruled.items)
    assert again.fingerprint == ruled.fingerprint


@pytest.mark.parametrize(
    "rules",
    [
        ("low<=middle<high",),
        ("low<=high", "middle<=high", "low<=middle"),
        ("low<=middle", "other<=middle", "middle<high"),
        ("low<=middle", "low<=other", "middle<=high", "other<=high"),  # a circle of four
        ("low+middle<=high", "low<high"),
        ("spread=high-low", "low<=middle<high"),
        ("spread=high-low", "low<=high", "0<=spread<=300"),
        ("twice=2*low", "low<=twice"),
    ],
)
def test_rules_that_meet_in_columns_are_kept_together(
    measured: pd.DataFrame, rules: tuple[str, ...]
) -> None:
    data = opened(measured, *rules)
    made = shuffled(data)
    kept = obeyed(made.numpy(), data.spec)
    drawn_again = {"other<=high", "0<=spread<=300"} & {*rules}  # no column is left to follow
    assert kept.mean() > 0.5 if drawn_again else kept.all()


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    random = np.random.default_rng(1)
    parts = random.integers(0, 100, (600, 3))
    low, middle = parts[:, 0], parts[:, :2].sum(1)
    high = low + middle + parts[:, 2] + 1
    other = (low + random.integers(0, parts[:, 1] + 1)).astype(float)
    frame: Mapping[str, Any] = {
        "low": low,
        "middle": middle,
        "high": high,
        "other": other,
        "spread": high - low,
        "twice": 2 * low,
    }
    return pd.DataFrame(frame)


def test_equations_that_leave_no_column_free_are_refused(measured: pd.DataFrame) -> None:
    data = opened(measured, "spread=high-low", "twice=2*low", "high=twice/2+spread")
    assert "rule 'high=twice/2+spread': follows from the rules before it" in data.notes
    parts = measured[["low", "middle", "other"]].assign(sum=measured["low"] + measured["middle"])
    parts["rest"] = parts["sum"] - parts["other"]
    parts["next"] = parts["sum"] + 1
    with pytest.raises(SparringError, match=r"rule 'next=sum[+]1' forms a circle with 'sum=low"):
        opened(parts, "sum=low+middle", "next=other+rest+1", "next=sum+1")


def test_keys_of_several_columns_are_drawn_again(measured: pd.DataFrame) -> None:
    keyed = pd.DataFrame({"day": np.repeat(range(60), 10), "shop": np.tile(range(10), 60)})
    data = opened(keyed, "unique(day,shop)")
    made = shuffled(data)
    kept = obeyed(made.numpy(), data.spec)
    assert 0.3 < kept.mean() < 1
    rows = codec.frame_of(made[torch.from_numpy(kept)].numpy(), data.spec)
    assert not rows.duplicated().any()


def test_rows_that_are_asked_for_keep_rules_too(ruled: Dataset, measured: pd.DataFrame) -> None:
    torch.manual_seed(0)
    conditions = ["city=city 4", "shipped>2023-06-01"]
    rows = drawn(ruled, 200, where=conditions)
    assert obeyed(rows.numpy(), ruled.spec).all()
    made = codec.frame_of(rows.numpy(), ruled.spec)
    assert set(made["country"]) == {"country 1"}
    assert (pd.to_datetime(made["shipped"]) > "2023-06-01").all()
    circle = opened(measured, "low<=middle", "low<=other", "middle<=high", "other<=high")
    rows = drawn(circle, 1500)
    assert len(rows) == 1500
    assert obeyed(rows.numpy(), circle.spec).all()


def drawn(data: Dataset, n: int, **own: Any) -> torch.Tensor:
    """Return rows of a generator that has learned nothing."""
    generator = TabularGenerator(data.spec, 8, 16, 2).eval()
    request = SampleRequest(n, own=TableRequests(**own))
    return sample(
        generator, data.spec, request, data=lambda: data, progress=lambda what, done, of: None
    )
