"""Tables: files and frames in, types decided, rows to arrays and back exactly."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coding import decode, encode
from pydantic import TypeAdapter
from scipy.special import ndtri
from scipy.stats import ks_2samp, kstest

from sparring.errors import SparringError
from sparring.kinds.tables import columns as table_columns
from sparring.kinds.tables.columns import read_cells, write_cells
from sparring.kinds.tables.files import escape, read_table
from sparring.kinds.tables.numbers import NumberCode
from sparring.kinds.tables.spec import Column, blocks, width
from sparring.kinds.tables.types import infer

pd = pytest.importorskip("pandas")
ROWS = 4000


def gems(rows: int) -> Any:
    """Ten columns of the sizes and shapes of `diamonds`, drawn."""
    rng = np.random.default_rng(0)
    carat = np.exp(rng.normal(-0.4, 0.6, rows))
    return pd.DataFrame(
        {
            "carat": carat.round(2),
            "cut": rng.choice(["Fair", "Good", "Ideal"], rows, p=[0.03, 0.37, 0.6]),
            "color": rng.choice(list("DEFGHIJ"), rows),
            "clarity": rng.choice(["IF", "VS1", "VS2", "I1"], rows),
            "depth": rng.normal(61, 1.4, rows).round(1),
            "table": rng.normal(57, 2, rows).round(0),
            "price": 300 + (3000 * carat**1.7 * np.exp(rng.normal(0, 0.2, rows))).astype(int),
            "x": rng.normal(5, 1, rows).round(2),
            "weight": rng.normal(5, 1, rows),
            "discount": np.where(rng.random(rows) < 0.6, 0, 100 + rng.gamma(2, 30, rows)),
        }
    )


def oddities(rows: int = 600) -> Any:
    """Every dtype and format that has to come back as it was; many cells missing."""
    rng = np.random.default_rng(1)
    gaps = rng.random(rows) < 0.2
    days = pd.to_datetime("2019-03-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D")
    minutes = pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 9999, rows), "min")
    sizes = pd.Categorical(
        rng.choice(["S", "L"], rows), categories=["S", "M", "L", "XL"], ordered=True
    )
    frame = pd.DataFrame(
        {
            "row": np.arange(7, rows + 7),
            "code": [f"AB-{i:05d}" for i in range(1, rows + 1)],
            "stars": rng.integers(1, 6, rows).astype(np.int8),
            "count": pd.array(rng.integers(0, 19, rows), dtype="Int64"),
            "old": rng.integers(0, 9, rows).astype(np.float64),
            "half": rng.integers(0, 7, rows).astype(np.float32) / 2,
            "flag": rng.random(rows) < 0.1,
            "sure": pd.array(rng.random(rows) < 0.5, dtype="boolean"),
            "bit": rng.integers(0, 2, rows),
            "answer": rng.choice(["Yes", "No"], rows),
            "size": sizes,
            "number": pd.Categorical(rng.integers(1, 4, rows)),
            "colour": rng.choice(["red", "green", "=blue"], rows),
            "day": days,
            "minute": minutes,
            "zone": days.tz_localize("UTC").tz_convert("Europe/Berlin"),
            "text_day": days.strftime("%d.%m.%Y"),
            "plain_day": pd.Series(days.date, dtype=object),
            "zip": rng.choice(["00123", "04567", "10115"], rows),
            "same": "always",
            "nothing": np.full(rows, np.nan),
        }
    )
    frame["again"] = frame["stars"]
    for name in ("count", "old", "sure", "answer", "size", "minute", "zone", "text_day", "zip"):
        frame.loc[gaps, name] = None
    frame.loc[gaps, "same"] = None
    return frame


def round_trip(frame: Any, **chosen: str) -> Any:
    columns = infer(frame, chosen)
    return decode(encode(frame, columns), columns)


def by_name(frame: Any, **chosen: str) -> dict[str, Column]:
    return {column.name: column for column in infer(frame, chosen)}


def csv_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# ---- there and back


def test_every_dtype_format_order_and_gap_comes_back_exactly() -> None:
    frame = oddities()
    columns = infer(frame)
    pd.testing.assert_frame_equal(write_cells(read_cells(frame, columns), columns), frame)


def test_every_type_is_recognised() -> None:
    kinds = {name: column.kind for name, column in by_name(oddities()).items()}
    assert kinds == {
        **dict.fromkeys(["row", "code"], "identifier"),
        "count": "integer",
        "half": "real",
        **dict.fromkeys(["flag", "sure", "bit", "answer"], "boolean"),
        **dict.fromkeys(["size", "number", "colour", "zip", "stars", "old"], "category"),
        **dict.fromkeys(["day", "minute", "zone", "text_day", "plain_day"], "datetime"),
        "same": "constant",
        "nothing": "empty",
        "again": "duplicate-of",
    }


def test_numbers_that_rows_share_come_back_and_rare_ones_from_their_cell() -> None:
    frame = gems(ROWS)
    columns = by_name(frame)
    back = round_trip(frame)
    for name in ("carat", "depth", "table", "x", "price", "discount"):
        rows = frame[name].map(frame[name].value_counts())
        np.testing.assert_array_equal(back[name][rows >= 3], frame[name][rows >= 3])
    for name in ("price", "weight", "discount"):
        cells = columns[name].cells
        assert cells is not None
        code = NumberCode(cells)
        a, b = (code.tokens(torch.tensor(f[name].to_numpy(float))) for f in (back, frame))
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])
    assert (back["discount"] == 0).sum() == (frame["discount"] == 0).sum()


def test_numbers_that_differ_in_each_row_are_not_handed_out() -> None:
    """0.1 had a knot beside each value of up to 1,000 rows: draws were nearer to these than p."""
    pay = np.random.default_rng(0).lognormal(0, 1, 400)
    cells = infer(pd.DataFrame({"pay": pay}))[0].cells
    assert cells is not None
    assert len(cells.starts) < 50
    drawn = NumberCode(cells).at(torch.linspace(0, 1, 5_000, dtype=torch.float64)).numpy()
    assert kstest(drawn, "lognorm", (1,)).statistic < 0.05
    assert np.isin(drawn, pay).mean() < 0.02  # ends of cells
    assert drawn.max() < pay.max()


@pytest.mark.parametrize("name", ["carat", "depth", "table", "price", "x", "weight", "discount"])
def test_marginals_come_back_and_are_normal_inside(name: str) -> None:
    frame = gems(ROWS)
    columns = infer(frame)
    encoded = encode(frame, columns)
    back = decode(encoded, columns)[name]
    assert ks_2samp(back, frame[name], method="asymp").statistic < 0.01
    (block,) = [block for block in blocks(columns) if block.column == name]
    inside = 3 * encoded[:, block.start].astype(np.float64)
    assert kstest(inside, "norm").statistic < 0.02


@pytest.mark.parametrize("name", ["carat", "table", "price", "weight", "discount"])
def test_what_a_perfect_generator_draws_has_the_marginals_of_the_data(name: str) -> None:
    frame = gems(ROWS)[[name]]
    columns = infer(frame)
    drawn = np.random.default_rng(0).normal(0, 1 / 3, (20_000, 1)).astype(np.float32)
    back = decode(drawn, columns)[name]
    assert ks_2samp(back, frame[name]).statistic < 0.02
    assert back.min() >= frame[name].min()
    assert back.max() <= frame[name].max()
    assert back.dtype == frame[name].dtype


def test_spikes_keep_their_share_and_leave_their_gap_empty() -> None:
    frame = gems(ROWS)[["discount"]]
    columns = infer(frame)
    drawn = decode(np.random.default_rng(0).normal(0, 1 / 3, (20_000, 1)), columns)["discount"]
    assert abs((drawn == 0).mean() - (frame["discount"] == 0).mean()) < 0.01
    assert ((drawn > 0) & (drawn < 50)).mean() < 1e-3


def test_the_neighbour_of_a_spike_keeps_its_share() -> None:
    frame = pd.DataFrame(
        {"n": np.concatenate([np.zeros(6000, int), np.arange(1, 4001) % 1000 + 1])}
    )
    every_rank = ndtri((np.arange(100_000) + 0.5) / 100_000)[:, None] / 3
    drawn = decode(every_rank, infer(frame))["n"]
    assert (drawn == 0).sum() == pytest.approx(60_000, abs=2)
    assert (drawn == 1).sum() == pytest.approx(40, abs=2)


def test_values_on_a_grid_are_spread_over_its_cells() -> None:
    frame = pd.DataFrame({"n": np.random.default_rng(0).permutation(np.arange(6000) % 3000)})
    assert len(np.unique(encode(frame, infer(frame))[:, 0])) > 5900


def test_ties_are_spread_over_their_rank_interval() -> None:
    frame = pd.DataFrame({"stars": np.repeat([1, 2, 3], [500, 300, 200])})
    encoded = encode(frame, infer(frame, {"stars": "integer"}))[:, 0]
    assert encoded[:500].max() < encoded[500:800].min() < encoded[500:800].max()
    assert encoded[500:800].max() < encoded[800:].min()
    assert len(np.unique(encoded)) > 990


def test_cells_are_few_whatever_the_column() -> None:
    for column in infer(gems(ROWS)):
        if column.cells:
            assert len(column.cells.starts) < 4_000
            assert sum(column.cells.rows) == pytest.approx(ROWS)


def test_many_spikes_among_many_values_fit_too() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random(20_000) < 0.7, rng.integers(0, 300, 20_000), rng.normal(150, 90))
    values = np.where(rng.random(20_000) < 0.3, rng.normal(150, 90, 20_000), values)
    frame = pd.DataFrame({"v": values})
    assert ks_2samp(round_trip(frame)["v"], values).statistic < 0.01


def test_specs_survive_json() -> None:
    frame = oddities()
    columns = infer(frame)
    text = json.dumps([asdict(column) for column in columns], allow_nan=False)
    again = TypeAdapter(tuple[Column, ...]).validate_json(text)
    assert again == columns
    pd.testing.assert_frame_equal(write_cells(read_cells(frame, again), again), frame)


def test_fifty_thousand_rows_are_encoded_sooner_than_they_are_looked_at_one_by_one() -> None:
    frame = gems(50_000)
    columns = infer(frame)
    started = time.process_time()
    encoded = encode(frame, columns)
    encoding = time.process_time() - started
    assert sum(len(row) for _, row in frame.iterrows()) == frame.size
    assert encoding < time.process_time() - started - encoding
    assert encoded.shape == (50_000, width(columns))
    assert encoded.dtype == np.float32


# ---- groups


def test_blocks_say_where_numbers_and_groups_lie() -> None:
    frame = pd.DataFrame(
        {
            "a": [1.5, 2.5, None, 4.25],
            "b": ["x", "y", "x", None],
            "c": [7, 9, 12, 7],
            "d": ["k", None, "k", "k"],
        }
    )
    columns = infer(frame, {"c": "integer"})
    found = [(block.column, block.kind, block.start, block.width) for block in blocks(columns)]
    assert found == [
        ("a", "number", 0, 1),
        ("a", "missing", 1, 2),
        ("b", "category", 3, 3),
        ("c", "number", 6, 1),
        ("d", "missing", 7, 2),
    ]
    encoded = encode(frame, columns)
    np.testing.assert_array_equal(encoded[:, 1:3], [[1, 0], [1, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(encoded[:, 3:6], [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    assert encoded[2, 0] == 0
    assert width(columns) == 9


def test_four_thousand_categories_share_a_place_and_keep_their_values() -> None:
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.arange(4000), (4000 * rng.random(46_000) ** 3).astype(int)])
    frame = pd.DataFrame({"city": [f"city {i}" for i in codes]})
    columns = infer(frame)
    encoded = encode(frame, columns)
    assert encoded.shape == (50_000, 101)
    assert encoded.nbytes < 30e6
    assert "100 of 4,000 kept" in columns[0].note
    back = decode(encoded, columns)["city"]
    kept = frame["city"].isin(columns[0].labels)
    assert (back[kept] == frame["city"][kept]).all()
    assert back[~kept].isin(frame["city"][~kept]).all()
    expected = (frame["city"] == columns[0].rest[0]).mean()
    assert abs((back == columns[0].rest[0]).mean() - expected) < 0.002


def test_soft_groups_decode_to_their_largest_entry() -> None:
    frame = pd.DataFrame({"b": ["x", "y", "x", None]})
    soft = np.array([[0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    assert decode(soft, infer(frame))["b"].isna().tolist() == [False, True]
    assert decode(soft, infer(frame))["b"][0] == "y"


# ---- what is decided


def test_identifiers_are_numbered_on_and_text_is_dropped() -> None:
    frame = gems(30)
    frame.insert(0, "id", [f"u{i:03d}" for i in range(5, 35)])
    frame["said"] = [f"a sentence of many words, number {i}" for i in range(30)]
    frame["again"] = [f"one of twenty sentences, number {i % 20}" for i in range(30)]
    columns = infer(frame)
    assert [column.kind for column in columns[-2:]] == ["text", "text"]
    assert "dropped" in columns[-1].note
    more = decode(np.zeros((2, width(columns))), columns, start=30)
    assert more["id"].tolist() == ["u035", "u036"]
    assert "said" not in more


def test_a_few_integers_are_categories_where_rows_share_them() -> None:
    """Ten counts in twelve rows, from 1 to 140, were categories."""
    counts = [1, 5, 11, 13, 14, 57, 75, 76, 80, 140, 1, 5]
    assert by_name(pd.DataFrame({"counts": counts}))["counts"].kind == "integer"
    assert by_name(pd.DataFrame({"counts": counts * 3}))["counts"].kind == "category"


def test_types_can_be_chosen() -> None:
    frame = gems(200)
    frame["year"] = np.arange(1800, 2000)
    assert by_name(frame, year="identifier")["year"].kind == "identifier"
    columns = by_name(frame, year="integer", table="category", price="text")
    assert columns["year"].kind == "integer"
    assert len(columns["table"].labels) == frame["table"].nunique()
    assert columns["price"].kind == "text"
    back = round_trip(frame, year="integer", table="category")
    pd.testing.assert_series_equal(back["table"], frame["table"])
    assert back["year"].between(1800, 1999).all()


def test_multiples_and_decimals_are_kept_by_what_is_drawn() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"pay": rng.integers(900, 9000, 3000) * 100, "cents": rng.random(3000).round(3)}
    )
    drawn = decode(rng.normal(0, 1 / 3, (5000, 2)), infer(frame))
    assert (drawn["pay"] % 100 == 0).all()
    assert not drawn["pay"].isin(frame["pay"]).all()
    assert (drawn["cents"].round(3) == drawn["cents"]).all()


def test_numbers_of_any_size_come_back() -> None:
    frame = pd.DataFrame({"v": [1e99, -1e99, 3e98, 2.5, 1e-99], "w": [1e17, 3e17, 5.0, 7, 7]})
    back = round_trip(frame)
    np.testing.assert_allclose(back["v"], frame["v"], rtol=0.05, atol=3e97)  # in their cells
    np.testing.assert_allclose(back["w"], frame["w"], rtol=1e-6)


def test_dates_as_categories_keep_their_zone() -> None:
    moments = pd.to_datetime(["2020-01-01", "2020-07-01", "2020-01-01"]).tz_localize(
        "Europe/Berlin"
    )
    frame = pd.DataFrame({"when": moments})
    pd.testing.assert_frame_equal(round_trip(frame, when="category"), frame)


def test_weekly_dates_stay_weekly() -> None:
    days = pd.to_datetime("2020-01-06") + pd.to_timedelta(7 * np.arange(100) % 371, "D")
    drawn = decode(
        np.random.default_rng(0).normal(0, 1 / 3, (500, 1)), infer(pd.DataFrame({"d": days}))
    )
    assert (drawn["d"].dt.day_of_week == 0).all()


def test_integers_beyond_float64_become_categories_or_identifiers() -> None:
    base = 2**60
    frame = pd.DataFrame({"key": [base + 1, base + 2, base + 1, base + 5], "n": [1, 5, 3, 7]})
    assert by_name(frame)["key"].kind == "category"
    pd.testing.assert_frame_equal(round_trip(frame), frame)


# ---- files


def test_a_csv_file_is_read_with_its_own_types(tmp_path: Path) -> None:
    text = "id,age,height,zip,when\n1,34,1.5,00123,2020-01-02\n2,,2.25,04567,2020-02-03\n"
    text += "3,36,1.75,00123,\n4,34,2.5,04567,2021-01-01\n"
    table = read_table(csv_file(tmp_path, text))
    frame, notes = table.frame, table.notes
    assert notes == ()
    assert [str(t) for t in frame.dtypes] == ["int64", "Int64", "float64", "str", "str"]
    columns = infer(frame)
    assert write_cells(read_cells(frame, columns), columns).to_csv(index=False) == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["a", "b", "c"], ["1", '"x, y; z"', "3"], ["2", "w", "4"]]
    frame = read_table(csv_file(tmp_path, "\n".join(map(delimiter.join, rows)))).frame
    assert list(frame.columns) == ["a", "b", "c"]
    assert frame["b"].tolist() == ["x, y; z", "w"]


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-8", ()), ("utf-8-sig", ()), ("utf-16", ("UTF-16",)), ("cp1252", ("cp1252",))],
)
def test_the_encoding_is_found_and_told(
    tmp_path: Path, encoding: str, note: tuple[str, ...]
) -> None:
    table = read_table(csv_file(tmp_path, "größe,n\nä,1\nö,2\n".encode(encoding)))
    frame, notes = table.frame, table.notes
    assert frame["größe"].tolist() == ["ä", "ö"]
    assert len(notes) == len(note)
    assert all(word in line for word, line in zip(note, notes, strict=True))


def test_a_data_frame_passes_unchanged() -> None:
    frame = gems(20)
    pd.testing.assert_frame_equal(read_table(frame).frame, frame)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b\n", "header but no rows"),
        ("a,b\n1,2\n", "holds 1 rows"),
        ("a,b,a\n1,2,3\n4,5,6\n", "2 columns named 'a'"),
        ("a,b\n1,2\n3,4,5\n", "line 3: 3 cells, but the header has 2"),
        ("a,b\n1,2\n3\n", "line 3: 1 cells"),
        (b"a,b\n1,\x00\n3,4\n", "NUL"),
    ],
)
def test_unusable_files_get_one_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(SparringError, match=told):
        read_table(csv_file(tmp_path, text))


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="cannot be read"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(SparringError, match=r"tables are read from \.csv"):
        read_table(tmp_path / "a.doc")
    with pytest.raises(SparringError, match="got ndarray"):
        read_table(np.zeros((3, 3)))
    with pytest.raises(SparringError, match="names are text"):
        read_table(pd.DataFrame(np.zeros((3, 3))))


def test_missing_libraries_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*anything: object) -> None:
        raise ImportError("absent")

    monkeypatch.setattr(pd, "read_parquet", refuse)
    with pytest.raises(SparringError, match="pip install pyarrow"):
        read_table(tmp_path / "a.parquet")
    monkeypatch.setattr(table_columns, "import_module", refuse)
    with pytest.raises(SparringError, match="pip install pandas"):
        read_table(tmp_path / "a.csv")


# ---- faults in columns

NUMBERS = [float(i) for i in range(40)]


@pytest.mark.parametrize(
    ("cells", "chosen", "told"),
    [
        ([1.0, np.inf, 2.5] * 5, {}, "infinite"),
        ([1e300, 2.5, -7.0] * 5, {}, "more than 1e"),
        ([1, "a", 2.5] * 5, {}, "cells of type mixed"),
        ([[1], [2], [1]] * 5, {}, "cells of type list"),
        ([*map(str, NUMBERS), "unknown"], {}, r"numbers and text \('unknown'\)"),
        ([f"{i},5" for i in range(40)] * 2, {}, "write plain numbers"),
        ([f"{i:02d}-{i * 7}/{i % 13}" for i in range(40)], {}, "all different: dates in a form"),
        (list(pd.to_timedelta([1, 2, 5], "D")), {"c": "category"}, "turn them into numbers"),
        (["a", "b", "a"], {"c": "integer"}, "cannot be read as integer"),
        ([1.5, 2.5, 2.5], {"c": "integer"}, "cannot be integer: it holds 1.5"),
        (["a", "b", "c", "a"], {"c": "boolean"}, "3 different values"),
        (["a", "b", "a"], {"c": "datetime"}, "'a' is not a date"),
        (["a", "b", "a"], {"c": "identifier"}, "values repeat"),
        (["a", "b", "a"], {"c": "constant"}, "2 different values"),
        (["a", "b", "a"], {"c": "empty"}, "2 different values"),
        (["a", "b", "a"], {"c": "duplicate-of"}, "no earlier column"),
        ([None, None, None], {"c": "category"}, "it is empty"),
        (["a", "b", "a"], {"c": "categorical"}, "did you mean 'category'"),
        (["a", "b", "a"], {"C": "category"}, "no column 'C'"),
        (["a", "a", "a"], {}, "anything to learn"),
    ],
)
def test_unusable_columns_get_one_line(
    cells: list[object], chosen: dict[str, str], told: str
) -> None:
    with pytest.raises(SparringError, match=told) as raised:
        infer(pd.DataFrame({"c": cells}), chosen)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: f.drop(columns="cut"), "no column 'cut'"),
        (lambda f: f.assign(cut="Fairly"), "did you mean 'Fair'"),
        (lambda f: f.assign(cut=None), "missing cells"),
        (lambda f: f.assign(price=np.nan), "missing cells"),
        (lambda f: f.assign(price="dear"), "cannot be read as integer"),
    ],
)
def test_rows_of_another_table_are_refused(spoil: Callable[[Any], Any], told: str) -> None:
    frame = gems(100)
    with pytest.raises(SparringError, match=told):
        read_cells(spoil(frame), infer(frame))


def test_arrays_of_another_shape_or_with_nan_are_refused() -> None:
    columns = infer(gems(100))
    with pytest.raises(SparringError, match="expected"):
        write_cells(np.zeros((3, 2)), columns)
    with pytest.raises(SparringError, match="NaN"):
        decode(np.full((3, width(columns)), np.nan), columns)


# ---- spreadsheets


def test_cells_that_a_spreadsheet_would_execute_are_escaped() -> None:
    frame = pd.DataFrame(
        {
            "=name": ["=1+1", "+a", "-b", "@c", "\td", "\re", "fine", None, "-5", "a=b"],
            "n": np.arange(-5, 5),
        }
    )
    safe = escape(frame)
    assert list(safe.columns) == ["'=name", "n"]
    expected = ["'=1+1", "'+a", "'-b", "'@c", "'\td", "'\re", "fine", None, "-5", "a=b"]
    found = safe["'=name"]
    assert [None if pd.isna(cell) else cell for cell in found] == expected
    pd.testing.assert_series_equal(safe["n"], frame["n"])
    assert frame["=name"][0] == "=1+1"


def test_categories_are_escaped_too() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["=x", "y", None])})
    assert escape(frame)["c"].tolist()[:2] == ["'=x", "y"]
