"""Relations between columns: what is predicted, what is left, and values again, bit for bit."""

import numpy as np
import pytest
import torch

from sparring.kinds.tables.relations import looked_up, predicted, residual, restored
from sparring.kinds.tables.spec import Relation, Side

NAN = torch.nan
DELAYED = Relation(("scheduled", "delay"), "linear", (1.0, 1.0, 0.0), fill=(600.0, 0.0))


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("decimals", range(-3, 7))
def test_values_on_a_grid_come_back_bit_for_bit(decimals: int) -> None:
    numbers = np.random.default_rng(0).normal(0, 1e4, (1000, 3))
    values, sources = torch.from_numpy(np.round(numbers, decimals)).split([1, 2], 1)
    relation = Relation(
        ("a", "b"), "linear", (1.0, -0.5, 3.0), step=10.0**-decimals, fill=(0.0, 0.0)
    )
    at = predicted(relation, sources)
    left = residual(relation, values[:, 0], at)
    assert torch.equal(left, left.round())
    assert torch.equal(restored(relation, left, at), values[:, 0])


def test_missing_sources_are_filled_and_missing_values_stay_missing() -> None:
    at = predicted(DELAYED, torch.stack([column(540, NAN, 540), column(7, 7, NAN)], 1))
    assert at.tolist() == [547, 607, 540]
    left = residual(DELAYED, column(547, 610, NAN), at)
    assert left[:2].tolist() == [0, 3]
    assert left.isnan().tolist() == restored(DELAYED, left, at).isnan().tolist() == [0, 0, 1]


def test_without_fill_nothing_is_predicted_from_a_missing_source() -> None:
    total = Relation(("a", "b"), "linear", (1.0, 1.0, 0.0), exact=True)
    at = predicted(total, torch.stack([column(1, 1), column(2, NAN)], 1))
    left = residual(total, column(3, 9), at)
    assert left.tolist() == [0, 9]
    assert restored(total, left, at).tolist() == [3, 9]
    assert restored(total, column(5, 9), at).tolist() == [3, 9]  # whatever a network draws


def test_clocks_go_round() -> None:
    clock = Relation(("departs", "takes"), "linear", (1.0, 1.0, 0.0), period=1440, fill=(0, 0))
    at = predicted(clock, torch.stack([column(1430, 1430), column(20, 20)], 1))
    left = residual(clock, column(12, 1439), at)
    assert left.tolist() == [2, -11]
    assert restored(clock, left, at).tolist() == [12, 1439]


def test_products_are_exact() -> None:
    area = Relation(("width", "height"), "linear", (2.0, -1.0, 5.0), powers=((1, 1), (0, 2)))
    assert predicted(area, torch.stack([column(3, -3), column(7, 0)], 1)).tolist() == [-2, 5]


def test_logarithms_are_linear_and_take_no_values_of_0() -> None:
    cube = Relation(("x", "y"), "log", (2.0, 1.0, 0.0), step=0.1, fill=(1.0, 10.0))
    at = predicted(cube, torch.stack([column(3, 0), column(0.5, -1)], 1))
    assert at.tolist() == [45, 100]


def test_values_keep_to_their_bounds() -> None:
    bounded = Relation(("start",), "linear", (1.0, 0.0), fill=(0.0,), low=0, high=10)
    at = predicted(bounded, column(3, 3, 10)[:, None])
    assert restored(bounded, column(-5, 20, 0), at).tolist() == [0, 10, 10]


@pytest.mark.parametrize(
    ("side", "at", "values"),
    [
        (">", [4, 3], [4, 6]),
        (">=", [3, 3], [3, 6]),
        ("<", [2, 2], [1, 2]),
        ("<=", [3, 2], [2, 2]),
    ],
)
def test_values_keep_to_their_side(side: Side, at: list[int], values: list[int]) -> None:
    relation = Relation(("a",), "linear", (1.0, 0.0), side=side)
    predictions = predicted(relation, column(3, 2.4, NAN)[:, None])
    assert predictions[:2].tolist() == at
    assert restored(relation, column(-1, 3, 7), predictions).tolist() == [*values, 7]


@pytest.mark.parametrize(
    ("side", "values"), [(">=", [7, 3, 7, 12]), (">", [7, 7, 7, 13]), ("<", [-1, 1, 3, 9])]
)
def test_beside_a_bound_values_are_their_own(side: Side, values: list[int]) -> None:
    relation = Relation(("a",), "bound", (1.0, 0.0), side=side, values=(1.0, 3.0, 7.0))
    predictions = predicted(relation, column(4, 3, 5, 12)[:, None])
    own = column(*(7, 3, 2, 9) if side != "<" else (-1, 3, 6, 9))
    assert torch.equal(residual(relation, own, predictions), own)
    assert restored(relation, own, predictions).tolist() == values


def test_a_side_is_told_on_the_grid() -> None:
    cents = Relation(("a",), "linear", (1.0, 0.0), step=0.01, side=">")
    at = predicted(cents, column(0.29, 0.07, 0.5)[:, None])
    assert restored(cents, column(0, 0, 0), at).tolist() == [0.3, 0.08, 0.51]


def test_a_table_is_looked_up_by_its_nearest_key() -> None:
    hour = Relation(
        ("time",), "lookup", fill=(-1.0,), keys=((-1,), (530,), (615,)), values=(None, 5, 6)
    )
    assert looked_up(hour, column(530, 615, 600, 9000)[:, None]).tolist() == [5, 6, 6, 6]
    assert looked_up(hour, column(NAN)[:, None]).isnan().all()


def test_a_table_of_two_columns_is_looked_up_by_both() -> None:
    keys = ((0.0, 0.0), (0.0, 2.0), (1.0, 0.0), (1.0, 1.0))
    distance = Relation(("from", "to"), "lookup", fill=(-2.0, -2.0), keys=keys, values=(7, 8, 9, 5))
    cells = torch.stack([column(1, 0, 0, 1), column(1, 2, 0, 0)], 1)
    assert looked_up(distance, cells).tolist() == [5, 8, 7, 9]
