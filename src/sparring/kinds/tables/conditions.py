"""Conditions on rows: what people write, made into comparisons of cells, and drawn from.

Inside: which cells satisfy them, and what can be revealed to a generator of each. Not inside:
reading what people write (`where`), drawing rows (`conditional`).
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.tables import knots
from sparring.kinds.tables.columns import NOWHERE, Frame, read_cells, write_cells
from sparring.kinds.tables.numbers import number_code
from sparring.kinds.tables.spec import Column, TableSpec

Sign = Literal["<", "<=", ">", ">=", "in", "not in"]
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ROUNDING, GRID_ROUNDING = 1e-12, 1e-6  # of a number, and of the distance of neighbouring ones
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """A comparison of one column with one value, or with any of several."""

    column: Column
    sign: Sign
    values: tuple[float | str, ...]  # numbers, or labels; "" is a missing cell
    text: str  # as it was written

    def __str__(self) -> str:
        return self.text


def satisfied(frame: Frame, conditions: Sequence[Condition]) -> Mask:
    """Tell which rows satisfy all conditions; a missing cell satisfies none but `column=`."""
    mask = np.ones(len(frame), bool)
    for condition in conditions:
        cells = read_cells(frame, [condition.column], unknown=True)
        mask &= holds(cells[:, 0], condition)
    return mask


def satisfying(items: Tensor, spec: TableSpec, conditions: Sequence[Condition]) -> Tensor:
    """Tell which items (n, k) satisfy all conditions, (n,)."""
    mask = np.ones(len(items), bool)
    for condition in conditions:
        mask &= holds(items[:, spec.places[condition.column.name]].numpy(), condition)
    return torch.from_numpy(mask)


def holds(cells: Floats, condition: Condition) -> Mask:
    """Tell which cells (n,) of its column satisfy a condition."""
    absent, sign, column = np.isnan(cells), condition.sign, condition.column
    if sign in COMPARISONS and column.is_number:
        found: Mask = COMPARISONS[sign](cells, condition.values[0])
        return found
    if sign in COMPARISONS:
        order, bound = in_order(column) or {}, condition.values[0]
        places = [order.get(label, np.nan) for label in (*column.labels, *column.rest)]
        found = COMPARISONS[sign](
            np.array(places), order[bound] if isinstance(bound, str) else bound
        )
        return np.isin(cells, np.flatnonzero(found))
    among = absent & ("" in condition.values)
    for value in condition.values:
        if value != "":
            among |= _equals(cells, value, column)
    return among if sign == "in" else ~among & (~absent | (condition.values == ("",)))


def in_order(column: Column) -> Mapping[str, float] | None:
    """Return the place of each category among all, where they have an order; None without."""
    if column.ordered:
        return {level: place for place, level in enumerate(column.levels)}
    try:
        return {label: float(label) for label in (*column.labels, *column.rest)}
    except ValueError:
        return None


def draw_satisfying(
    column: Column, conditions: Sequence[Condition], draw: Draw, rows: int
) -> Floats:
    """Draw cells (rows,) of a column among those that satisfy its conditions.

    As often as the data have them, other columns aside.

    Raises:
        SparringError: no value of the data satisfies them together.
    """
    u = draw.uniform(f"table/where {column.name}", (rows,), torch.empty(0, dtype=torch.float64))
    if not column.is_number:
        return _categories(column, conditions, u.numpy())
    if any(condition.values == ("",) and condition.sign == "in" for condition in conditions):
        return np.full(rows, np.nan)
    return _numbers(column, conditions, u)


def is_one_value(column: Column, conditions: Sequence[Condition]) -> bool:
    """Tell whether the conditions of a column leave one value only."""
    if any(condition.sign == "in" and len(condition.values) == 1 for condition in conditions):
        return True
    return not column.is_number and len(allowed(column, conditions)) == 1


def allowed(column: Column, conditions: Sequence[Condition]) -> list[float]:
    """Return the cells of a category that satisfy all conditions; NaN is a missing one."""
    names = len(column.labels) + len(column.rest)
    cells = np.array([*range(names), *[np.nan] * column.missing])
    mask = np.ones(len(cells), bool)
    for condition in conditions:
        mask &= holds(cells, condition)
    return list(cells[mask].tolist())


def together(conditions: Iterable[Condition]) -> str:
    """Return conditions as they were written, each once."""
    return " and ".join(dict.fromkeys(condition.text for condition in conditions))


def _equals(cells: Floats, value: float | str, column: Column) -> Mask:
    """Tell which cells are a value."""
    if isinstance(value, str):
        labels = (*column.labels, *column.rest)
        return np.asarray(cells == (labels.index(value) if value in labels else NOWHERE - 1))
    return np.asarray(np.abs(cells - value) <= _reach(value, column))


def _reach(value: float, column: Column) -> float:
    """Return by how much a cell may differ that counts as equal."""
    if column.cells is None:  # of version 0.1
        return max(column.resolution / 2, 1e-9)
    return max(column.resolution * GRID_ROUNDING, abs(value) * ROUNDING)


def _categories(column: Column, conditions: Sequence[Condition], u: Floats) -> Floats:
    cells = allowed(column, conditions)
    if not cells:
        asked = together(conditions)
        raise SparringError(f"no category of column '{column.name}' satisfies {asked}")
    rows = (*column.counts, *column.rest_counts)
    counts = np.array([1.0 if np.isnan(cell) else rows[int(cell)] for cell in cells])
    if not counts.sum():
        counts += 1
    chosen = np.searchsorted(np.cumsum(counts) / counts.sum(), u).clip(max=len(cells) - 1)
    drawn: Floats = np.array(cells, np.float64)[chosen]
    return drawn


def _numbers(column: Column, conditions: Sequence[Condition], u: Tensor) -> Floats:
    """Draw numbers in the intervals that the conditions leave; unequal ones are left to others.

    One that is asked for by itself is taken as it is, if the column can hold it.
    """
    intervals = _intervals(column, conditions)
    masses = np.array([_mass(column, *interval) for interval in intervals])
    if not masses.sum():
        raise _refused(column, conditions)
    edges = np.cumsum(masses) / masses.sum()
    chosen = np.searchsorted(edges, u.numpy(), side="right").clip(max=len(edges) - 1)
    begins = np.concatenate([[0.0], edges[:-1]])
    drawn = np.empty(len(chosen))
    for place, (low, high) in enumerate(intervals):
        rows = chosen == place
        if rows.any():
            within = (u.numpy()[rows] - begins[place]) / (edges[place] - begins[place])
            drawn[rows] = _between(column, low, high, torch.from_numpy(within))
    return drawn


def _intervals(column: Column, conditions: Sequence[Condition]) -> list[tuple[float, float]]:
    """Return the ends of the intervals that satisfy the conditions, at a column's grid."""
    intervals = [(-np.inf, np.inf)]
    for condition in conditions:
        value = 0.0 if "" in condition.values else float(condition.values[0])
        step = _reach(value, column) * (column.resolution > 0)
        match condition.sign:
            case ">" | ">=":
                least = np.nextafter(value, np.inf) + step
                parts = [(least if condition.sign == ">" else value - step, np.inf)]
            case "<" | "<=":
                most = np.nextafter(value, -np.inf) - step
                parts = [(-np.inf, most if condition.sign == "<" else value + step)]
            case "in":
                present = sorted({float(v) for v in condition.values if v != ""})
                parts = [(v - step, v + step) for v in present]
            case _:
                continue
        both = [(max(a, c), min(b, d)) for a, b in intervals for c, d in parts]
        intervals = [(low, high) for low, high in both if low <= high]
    return intervals


def _mass(column: Column, low: float, high: float) -> float:
    """Return the rows of training from `low` to `high`; a few where none is and could be."""
    if column.cells is None:
        return max(_rank(column, high, "right") - _rank(column, low, "left"), 0.0)
    rows = number_code(column.cells).rows_between(low, high)
    return rows or float(_is_point(column, low, high) and _can_hold(column, (low + high) / 2))


def _between(column: Column, low: float, high: float, u: Tensor) -> Floats:
    """Draw numbers from `low` to `high`."""
    if column.cells is None:
        first, last = _rank(column, low, "left"), _rank(column, high, "right")
        return knots.at(first + (last - first) * u, column).numpy()
    drawn = number_code(column.cells).draw_between(low, high, u)
    return np.full(len(u), (low + high) / 2) if drawn is None else drawn.numpy()


def _is_point(column: Column, low: float, high: float) -> bool:
    return high - low <= 2 * _reach(low, column)


def _can_hold(column: Column, value: float) -> bool:
    """Tell whether a number lies within the column's range, and on its grid."""
    first, last = column.span
    on_grid = column.decimals is None or abs(np.round(value, column.decimals) - value) < ROUNDING
    return bool(first <= value <= last and on_grid)


def _refused(column: Column, conditions: Sequence[Condition]) -> SparringError:
    first, last = write_cells(np.array(column.span)[:, None], [column])[column.name]
    step = " in whole numbers" * (column.kind == "integer")
    return SparringError(
        f"no row satisfies {together(conditions)}: column '{column.name}' goes from {first} to "
        f"{last}{step}"
    )


def _rank(column: Column, value: float, side: str) -> float:
    """Return P(X < value) for `left`, P(X ≤ value) for `right`, of a column of version 0.1."""
    ranks, at_knots = np.array(column.ranks), np.array(column.knots)
    at = np.flatnonzero(at_knots == value)
    if len(at):
        return float(ranks[at[0 if side == "left" else -1]])
    return float(np.interp(value, at_knots, ranks, left=0.0, right=1.0))
