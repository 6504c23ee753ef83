"""Dates in all forms that people write: recognised, read, drawn among valid ones, written alike."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch

from sparring.errors import SparringError
from sparring.kinds.tables import dates, frames
from sparring.kinds.tables.columns import as_numbers, read_cells, write_cells
from sparring.kinds.tables.metrics import coded
from sparring.kinds.tables.numbers import NumberCode
from sparring.kinds.tables.spec import Column
from sparring.kinds.tables.types import fit, infer, told_types
from sparring.metrics.marginals import marginal_distances

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

MOMENTS = pd.Series(pd.date_range("2024-03-01", periods=120, freq="37min"))
DAYS = pd.Series(pd.date_range("2019-01-27", periods=120))
BERLIN = pd.date_range("2024-03-01", periods=120, freq="49h", tz="Europe/Berlin")
FIRSTS = pd.date_range("2000-01-01", periods=120, freq="MS")
X = np.arange(120) * 1.5


def only(cells: Any, **chosen: str) -> tuple[Any, Column]:
    """Return a frame of the cells, as it is read, and their column."""
    frame, _ = frames.plain(pd.DataFrame({"c": cells, "x": X[: len(cells)]}), chosen)
    return frame, infer(frame, chosen)[0]


def drawn(column: Column, rows: int = 500) -> Any:
    """Return cells of a column of numbers as its ranks give them."""
    assert column.cells is not None
    ranks = torch.linspace(0, 1, rows, dtype=torch.float64)
    return write_cells(NumberCode(column.cells).at(ranks).numpy()[:, None], [column])["c"]


def back(frame: Any, column: Column) -> Any:
    return write_cells(read_cells(frame[["c"]], [column]), [column])["c"]


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (MOMENTS.dt.strftime("%Y-%m-%dT%H:%M:%S+01:00"), "%Y-%m-%dT%H:%M:%S+01:00"),
        (MOMENTS.dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "%Y-%m-%dT%H:%M:%S.%3fZ"),
        (MOMENTS.dt.strftime("%m/%d/%Y %I:%M:%S %p"), "%m/%d/%Y %I:%M:%S %p"),
        (MOMENTS.dt.strftime("%H:%M"), "%H:%M"),
        (DAYS.dt.strftime("%d/%m/%y"), "%d/%m/%y"),
        (DAYS.dt.strftime("%B %d, %Y"), "%B %d, %Y"),
        (DAYS.dt.strftime("%d-%b-%Y").str.upper(), "%d-%^b-%Y"),
        (DAYS.dt.strftime("%d%b%Y"), "%d%b%Y"),
        (DAYS.dt.strftime("%d%m%Y").astype(int), "%d%m%Y"),
        (MOMENTS.dt.strftime("%d-%b-%y %I.%M.%S.000000000 %p"), "%d-%b-%y %I.%M.%S.%9f %p"),
        (FIRSTS.to_period("Q").to_series().astype(str).reset_index(drop=True), "%YQ%q"),
        (DAYS.map(lambda d: f"{d.month}/{d.day}/{d.year}"), "%-m/%-d/%Y"),
        (DAYS.map(lambda d: f"{d.year}年{d.month}月{d.day}日"), "%Y年%-m月%-d日"),
        (MOMENTS.dt.strftime("%a, %d %b %Y %H:%M:%S GMT"), "%a, %d %b %Y %H:%M:%S GMT"),
        (pd.Series([moment.isoformat() for moment in BERLIN]), "%Y-%m-%dT%H:%M:%S%:z"),
        (DAYS.dt.strftime("%Y%m%d").astype(int), "%Y%m%d"),
        (DAYS.dt.strftime("%Y%m%d").astype(float).mask(DAYS.index == 3), "%Y%m%d"),
        (pd.Series(FIRSTS.strftime("%Y%m").astype(int)), "%Y%m"),
    ],
)
def test_dates_are_known_in_many_forms_and_come_back_in_the_same(cells: Any, form: str) -> None:
    """0.1 numbered the first three and the fifth on as t-1, t-2, …; the last ones were numbers."""
    frame, column = only(cells)
    assert (column.kind, column.date_format) == ("datetime", form)
    pd.testing.assert_series_equal(back(frame, column), frame["c"])
    made = drawn(column).dropna()
    texts = made.astype("int64" if made.dtype.kind in "if" else made.dtype).astype(str)
    if dates.is_of_digits(form):
        texts = texts.str.zfill(dates.length(form))
    assert dates.read(texts, form).notna().all()


@pytest.mark.parametrize(
    "cells", [FIRSTS, FIRSTS.to_period("M"), FIRSTS.tz_localize("Europe/Berlin")]
)
def test_of_columns_of_firsts_of_months_all_dates_are_such(cells: Any) -> None:
    frame, column = only(cells)
    assert column.unit == "month"
    pd.testing.assert_series_equal(back(frame, column), frame["c"])
    months = drawn(column)
    assert not hasattr(months.dt, "is_month_start") or months.dt.is_month_start.all()
    assert months.dt.month.nunique() == 12


def test_ends_of_months_and_quarters_stay_such() -> None:
    _, column = only(pd.date_range("1990-01-31", periods=120, freq="ME"))
    assert column.unit == "month end"
    assert drawn(column).dt.is_month_end.all()
    _, column = only(pd.date_range("1990-01-01", periods=120, freq="QS"))
    assert (column.unit, column.step) == ("month", 3)
    assert drawn(column).dt.is_quarter_start.all()


def test_midnights_of_a_time_zone_stay_such_through_summer() -> None:
    _, column = only(pd.date_range("2023-09-01", periods=120, freq="3D", tz="Europe/Berlin"))
    made = drawn(column)
    assert (made == made.dt.normalize()).all()
    assert made.dt.strftime("%z").nunique() == 2


def test_odd_cells_do_not_undo_a_column_of_dates_and_are_named() -> None:
    """One cell with microseconds made a category of 816 dates."""
    cells = [*MOMENTS.dt.strftime("%Y-%m-%d %H:%M:%S")[:118], "2024-03-02 10:00:00.5", "unknown"]
    frame, column = only(cells)
    assert (column.kind, column.missing) == ("datetime", True)
    assert "1 cell written otherwise (2024-03-02 10:00:00.5)" in column.note
    assert "1 cell counted as missing (unknown)" in column.note
    assert back(frame, column)[[117, 118]].tolist() == [cells[117], "2024-03-02 10:00:00"]
    assert back(frame, column).isna().tolist() == [False] * 119 + [True]


def test_two_forms_are_both_read_and_written_as_the_one_of_most() -> None:
    """They were dropped as free text, as 0000-00-00 in one row of ten made categories of dates."""
    isos = DAYS.dt.strftime("%Y-%m-%d")
    texts = isos.where(DAYS.index % 3 > 0, DAYS.dt.strftime("%d/%m/%Y"))
    texts = texts.where(DAYS.index % 10 > 0, "0000-00-00")
    frame, column = only(texts)
    assert (column.date_format, column.other_formats) == ("%Y-%m-%d", ("%d/%m/%Y",))
    assert back(frame, column).tolist() == isos.where(DAYS.index % 10 > 0).tolist()


def test_years_of_two_digits_are_of_the_hundred_that_tears_no_run() -> None:
    born = pd.Series(pd.date_range("1944-01-15", "2014-01-15", freq="215D"))[:118]
    texts = born.dt.strftime("%d.%m.%y")
    frame, column = only(texts)
    assert column.first_year == born.dt.year.min()
    assert as_numbers(frame, [column])["c"].equals(born.astype("datetime64[us]"))


def test_a_form_may_be_chosen() -> None:
    cells = pd.Series(["03/04/2020", "05/06/2020", "07/08/2021"] * 9)
    frame = pd.DataFrame({"c": cells, "x": X[:27]})
    assert "cannot be told apart" in infer(frame)[0].note
    column = fit(frame, frame, told_types(frame, forms={"c": "%d/%m/%Y"}))[0]
    assert as_numbers(frame, [column])["c"].dt.month.unique().tolist() == [4, 6, 8]
    with pytest.raises(SparringError, match="'03/04/2020' is not a date as %Y"):
        told_types(frame, forms={"c": "%Y"})


@pytest.mark.parametrize(
    "cells",
    [
        [f"A-{i}" for i in range(120)],
        [f"10.0.{i % 60}.1" for i in range(120)],
        [f"{i % 3}.{i % 10}.{i % 20}" for i in range(120)],
        ["may", "jan", "hello"] * 40,
        DAYS.dt.strftime("%b%d"),
        np.arange(120) / 7 + 1e-9,
        np.arange(120) * 7919 + 10_000_000,
    ],
)
def test_what_only_looks_like_dates_is_none(cells: Any) -> None:
    assert only(cells)[1].kind != "datetime"
    assert dates.recognised(pd.Series([f"{n}.{10**9 + n}" for n in range(120)])) == ()


@pytest.mark.parametrize(
    ("cells", "kind", "dtype"),
    [
        (pd.cut(X, 5), "category", "category"),
        (
            pd.array(list(DAYS.dt.date), dtype=pd.ArrowDtype(pa.date32())),
            "datetime",
            "date32[day][pyarrow]",
        ),
        ([Decimal(f"{value:.2f}") for value in X], "real", "object"),
        (pd.to_timedelta(np.arange(120) * 60, unit="s"), "datetime", "timedelta64[us]"),
        (list(FIRSTS.to_period("Q")), "datetime", "period[Q-DEC]"),
        ([dt.time(i % 24, i % 60) for i in range(120)], "datetime", "object"),
    ],
)
def test_columns_of_any_type_are_read_and_come_back(
    cells: Any, kind: str, dtype: str, tmp_path: Any
) -> None:
    """All but times of day ended in a traceback or a refusal, also once kept in a file."""
    frame, column = only(cells)
    assert (column.kind, column.dtype) == (kind, dtype)
    pd.testing.assert_series_equal(back(frame, column), frame["c"])
    frames.keep(frame, tmp_path / "kept.feather")
    again = frames.read(tmp_path / "kept.feather")
    pd.testing.assert_frame_equal(again, frame)


def test_dates_in_text_are_judged_as_dates() -> None:
    """As categories, dates a year late had the distance .42, of .41 at best."""
    rng = np.random.default_rng(0)
    days = [np.datetime64("2015-01-01") + rng.integers(0, 3000, 500) + late for late in (0, 365)]
    texts = [pd.DataFrame({"c": pd.Series(day).dt.strftime("%d.%m.%Y")}) for day in days]
    column = infer(texts[0])[0]
    tables = coded(*(as_numbers(frame, [column]) for frame in texts))
    assert tables[0].is_number == (True,)
    found = marginal_distances(*tables, permutations=99)["c"].estimate
    assert found.p_value == pytest.approx(0.01)
