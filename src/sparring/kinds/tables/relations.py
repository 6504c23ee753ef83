"""Columns that follow from others: predictions, what is left of values, and values again.

Plain functions of float64 tensors that give each row the same in any batch, and can be exported.
Not inside: which columns follow from which (`dependence`), and what people demand (`rules`).

Notation: cells are values on a column's scale, or places of categories, NaN where missing. With a
grid, predictions and residuals are whole numbers of steps; without, numbers on the value's scale.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.kinds.tables.spec import Relation

Floats = NDArray[np.float64]

MARGIN = 1e-6  # of a step, within which a value counts as on the grid


def predicted(relation: Relation, sources: Tensor) -> Tensor:
    """Return f of cells of the sources (n, s), (n,) in steps.

    It is NaN where a source is missing and the relation has nothing to put in its place.
    """
    columns = [sources[:, place] for place in range(len(relation.sources))]
    if relation.form == "log":
        columns = [torch.where(values > 0, values, torch.nan) for values in columns]
    if relation.fill:
        columns = [
            torch.where(values.isnan(), fill, values)
            for values, fill in zip(columns, relation.fill, strict=True)
        ]
    if relation.form == "log":
        value = _sum([values.log() for values in columns], relation).exp()
    else:
        value = _sum(_terms(columns, relation), relation)
    if relation.side:
        return _to_side(value, relation)
    steps = _on_grid(value, relation)
    return _within_period(steps, relation.low or 0.0, relation.period) if relation.period else steps


def residual(relation: Relation, values: Tensor, predicted: Tensor) -> Tensor:
    """Return what is left of values (n,) beside their prediction, in steps; NaN where missing.

    On clocks it lies within half a day of 0. Where nothing is predicted it is the value itself, in
    steps; beside a bound always, as it is.
    """
    if relation.form == "bound":
        return values
    left = _on_grid(values, relation) - _known(predicted)
    if not relation.period:
        return left
    return _within_period(left, -(relation.period // 2), relation.period)


def restored(relation: Relation, residual: Tensor, predicted: Tensor) -> Tensor:
    """Return values (n,) from residuals and predictions; NaN where the residual is.

    Undoes `residual` bit for bit for values on the grid, within the column's bounds. Values on the
    wrong side of what is predicted become the nearest on the right one.
    """
    if relation.form == "bound":
        return _values(
            _beside(_bounded(_on_grid(residual, relation), relation), predicted, relation), relation
        )
    if relation.exact:
        steps = torch.where(predicted.isnan(), residual, predicted + 0 * residual)
    elif relation.period:
        steps = _within_period(_known(predicted) + residual, relation.low or 0.0, relation.period)
    else:
        steps = _bounded(_known(predicted) + residual, relation)
    return _values(_beside(steps, predicted, relation), relation)


def looked_up(relation: Relation, cells: Tensor) -> Tensor:
    """Return the column's cells (n,) for those of the sources (n, s), NaN where missing.

    A combination that the table does not have counts as the nearest in its order.
    """
    levels, codes, values = _table(relation)
    code = torch.zeros_like(cells[:, 0])
    for place, (fill, known) in enumerate(zip(relation.fill, levels, strict=True)):
        filled = torch.where(cells[:, place].isnan(), fill, cells[:, place])
        code = code * len(known) + _nearest(torch.from_numpy(known).to(cells), filled)
    at = _nearest(torch.from_numpy(codes).to(cells), code)
    return torch.from_numpy(values).to(cells)[at]


@lru_cache(maxsize=64)
def _table(relation: Relation) -> tuple[list[Floats], Floats, Floats]:
    """Return the levels of each source, and for each key of a table its code and its value."""
    codes, all_levels = np.zeros(len(relation.keys)), []
    for keys in np.array(relation.keys).T:
        levels, places = np.unique(keys, return_inverse=True)
        codes = codes * len(levels) + places
        all_levels.append(levels)
    return all_levels, codes, np.array(relation.values, np.float64)  # missing ones are NaN


def _beside(steps: Tensor, predicted: Tensor, relation: Relation) -> Tensor:
    """Return steps (n,) on the side of what is predicted: those on the wrong one are replaced."""
    if not relation.side:
        return steps
    above = relation.side in (">", ">=")
    wrong = steps < predicted if above else steps > predicted
    nearest = predicted
    if relation.values:
        known = _on_grid(torch.from_numpy(_ascending(relation)).to(steps), relation)
        place = torch.bucketize(_known(predicted).contiguous(), known, right=not above)
        place = place if above else place - 1
        inside = (place >= 0) & (place < len(known))
        nearest = torch.where(inside, known[place.clamp(0, len(known) - 1)], predicted)
    return torch.where(wrong, nearest, steps)


@lru_cache(maxsize=64)
def _ascending(relation: Relation) -> Floats:
    return np.array(relation.values, np.float64)


def _terms(columns: list[Tensor], relation: Relation) -> list[Tensor]:
    """Return the terms of a linear f, each a source or a product of sources."""
    if not relation.powers:
        return columns
    terms = []
    for powers in relation.powers:
        term = torch.ones_like(columns[0])
        for values, power in zip(columns, powers, strict=True):
            for _ in range(power):
                term = term * values
        terms.append(term)
    return terms


def _sum(terms: list[Tensor], relation: Relation) -> Tensor:
    """Add up weighted terms and the constant, in their order, so that any batch gives the same."""
    total = torch.zeros_like(terms[0])
    for weight, term in zip(relation.weights, terms, strict=False):
        total = total + weight * term
    return total + relation.weights[-1]


def _on_grid(values: Tensor, relation: Relation) -> Tensor:
    """Return values in steps, whole where there is a grid."""
    return values if relation.step == 0 else _in_steps(values, relation).round()


def _in_steps(values: Tensor, relation: Relation) -> Tensor:
    """Return values over the step, without the error of a step that is not a float."""
    return values * round(1 / relation.step) if relation.step < 1 else values / relation.step


def _to_side(value: Tensor, relation: Relation) -> Tensor:
    """Return the nearest steps on a side of values, themselves where they lie on the grid."""
    if relation.step == 0:
        return value
    steps = _in_steps(value, relation)
    whole = steps.round()
    steps = torch.where((steps - whole).abs() < MARGIN, whole, steps)
    match relation.side:
        case ">":
            return steps.floor() + 1
        case ">=":
            return steps.ceil()
        case "<":
            return steps.ceil() - 1
        case _:
            return steps.floor()


def _values(steps: Tensor, relation: Relation) -> Tensor:
    """Return values of steps: the floats nearest to them, since a division rounds correctly."""
    if relation.step == 0:
        return steps
    return steps / round(1 / relation.step) if relation.step < 1 else steps * relation.step


def _known(predicted: Tensor) -> Tensor:
    return torch.where(predicted.isnan(), 0.0, predicted)


def _within_period(steps: Tensor, low: float, period: float) -> Tensor:
    return steps - period * ((steps - low) / period).floor()


def _bounded(steps: Tensor, relation: Relation) -> Tensor:
    if relation.low is None and relation.high is None:
        return steps
    return steps.clamp(relation.low, relation.high)


def _nearest(levels: Tensor, values: Tensor) -> Tensor:
    """Return the places (n,) of the levels, ascending, that are nearest to values (n,)."""
    right = torch.bucketize(values.contiguous(), levels).clamp(max=len(levels) - 1)
    left = (right - 1).clamp(min=0)
    return torch.where(levels[right] - values <= values - levels[left], right, left)
