"""Conditions on rows, as people write them: `cut=Fair`, `price>5000`, `sex!=male`.

Inside: reading and refusing them, which rows satisfy them, and what can be revealed to a
generator of each. Not inside: drawing rows.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError, nearest
from sparring.kinds.tables import knots
from sparring.kinds.tables.columns import Frame, label_texts, numbers, pandas
from sparring.kinds.tables.numbers import number_code
from sparring.kinds.tables.spec import Column, TableSpec

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_OPERATOR = re.compile("|".join(OPERATORS))
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """A comparison of one column with one value."""

    column: Column
    sign: str
    value: float | str  # as a number of the column's scale, or a label; "" is a missing cell
    text: str  # as it was written

    def __str__(self) -> str:
        return self.text


def parse_condition(text: str, spec: TableSpec) -> Condition:
    """Read one condition on a learned column.

    Raises:
        SparringError: it is not a condition, names no learned column, or no row could satisfy it.
    """
    column, sign, value = _parts(text, spec)
    if column.is_number and value:
        return Condition(column, sign, _number(value, column, text), text)
    if value and sign not in ("=", "==", "!=") and not _numeric(column):
        raise SparringError(
            f"'{text}': the categories of '{column.name}' have no order; use = or !="
        )
    if not value and not (column.missing and sign in ("=", "==", "!=")):
        raise SparringError(
            f"'{text}' compares with nothing; column '{column.name}' is never empty"
        )
    if value and sign in ("=", "==", "!=") and value not in column.labels:
        raise SparringError(f"'{text}': {_unknown(value, column)}")
    return Condition(column, sign, value, text)


def satisfied(frame: Frame, conditions: Sequence[Condition]) -> Mask:
    """Tell which rows satisfy all conditions; a missing cell satisfies none but `column=`."""
    mask = np.ones(len(frame), bool)
    for condition in conditions:
        mask &= _holds(frame[condition.column.name], condition)
    return mask


def draw_satisfying(
    column: Column, conditions: Sequence[Condition], draw: Draw, rows: int
) -> NDArray[np.float64]:
    """Draw cells (rows,) of a column among those that satisfy its conditions.

    As often as the data have them, other columns aside.

    Raises:
        SparringError: no value of the data satisfies them together.
    """
    u = draw.uniform(f"table/where {column.name}", (rows,), torch.empty(0, dtype=torch.float64))
    if any(condition.value == "" for condition in conditions) and column.is_number:
        if all(condition.sign != "!=" for condition in conditions):
            return np.full(rows, np.nan)
        conditions = [condition for condition in conditions if condition.value != ""]
    if not column.is_number:
        return _categories(column, conditions, u.numpy())
    return _numbers_between(column, conditions, u)


def is_one_value(column: Column, conditions: Sequence[Condition]) -> bool:
    """Tell whether the conditions of a column leave one value only."""
    if any(condition.sign in ("=", "==") for condition in conditions):
        return True
    return not column.is_number and len(_allowed(column, conditions)) == 1


def _parts(text: str, spec: TableSpec) -> tuple[Column, str, str]:
    longest_first = sorted(
        (c for c in spec.columns if not c.hidden), key=lambda column: -len(column.name)
    )
    for column in longest_first:
        rest = text.strip()[len(column.name) :].lstrip()
        if text.strip().startswith(column.name) and (sign := _OPERATOR.match(rest)):
            if column not in spec.learned:
                raise SparringError(
                    f"'{text}': column '{column.name}' is {column.kind}, which is not learned; "
                    "rows cannot be asked for by it"
                )
            return column, sign[0], rest[sign.end() :].strip()
    if not (sign := _OPERATOR.search(text)):
        raise SparringError(f"'{text}' is not a condition; write column=value or column>5")
    name, names = (
        text[: sign.start()].strip(),
        [column.name for column in spec.columns if not column.hidden],
    )
    raise SparringError(f"'{text}': no column '{name}'{nearest(name, names)}")


def _number(value: str, column: Column, text: str) -> float:
    try:
        number = float(numbers(pandas().Series([value]), column)[0])
    except SparringError:
        raise SparringError(f"'{text}': '{value}' is not of type {column.kind}") from None
    return number


def _numeric(column: Column) -> bool:
    try:
        [float(label) for label in column.labels]
    except ValueError:
        return False
    return True


def _unknown(value: str, column: Column) -> str:
    if value in column.rest:
        return f"'{value}' is one of {len(column.rest):,} rare categories that are learned as one"
    listed = ", ".join(column.labels[:20])
    return f"no category '{value}' in the data; known: {listed}{nearest(value, column.labels)}"


def _holds(cells: Any, condition: Condition) -> Any:
    absent, equal = cells.isna().to_numpy(), condition.sign in ("=", "==")
    if condition.value == "":
        return absent if equal else ~absent
    if not condition.column.is_number:
        texts = label_texts(cells.astype(object).where(~absent, "nan"))
        if equal or condition.sign == "!=":
            return ~absent & OPERATORS[condition.sign](
                np.array(texts, dtype=object), condition.value
            )
        return OPERATORS[condition.sign](np.array(texts, np.float64), float(condition.value))
    values = numbers(cells, condition.column)
    if not equal and condition.sign != "!=":
        return OPERATORS[condition.sign](values, condition.value)
    close = np.abs(values - float(condition.value)) <= max(condition.column.resolution / 2, 1e-9)
    return ~absent & (close if equal else ~close)


def _allowed(column: Column, conditions: Sequence[Condition]) -> list[int]:
    """Return the places of a one-hot group that satisfy the conditions."""
    frame = pandas().DataFrame({column.name: pandas().Series([*column.labels, None], dtype=object)})
    last = len(column.labels) + bool(column.rest)
    mask = satisfied(frame, conditions)
    return [i if i < len(column.labels) else last for i in np.flatnonzero(mask).tolist()]


def _categories(
    column: Column, conditions: Sequence[Condition], u: NDArray[np.float64]
) -> NDArray[np.float64]:
    places = _allowed(column, conditions)
    if not places:
        together = " and ".join(map(str, conditions))
        raise SparringError(f"no category of column '{column.name}' satisfies {together}")
    counts = np.array([*column.counts, 1], np.float64)[[min(p, len(column.counts)) for p in places]]
    chosen = np.searchsorted(np.cumsum(counts) / counts.sum(), u).clip(max=len(places) - 1)
    cells = np.array(places, np.float64)[chosen]
    return np.where(cells == len(column.labels) + bool(column.rest), np.nan, cells)


def _numbers_between(
    column: Column, conditions: Sequence[Condition], u: Tensor
) -> NDArray[np.float64]:
    """Draw numbers in the interval that the conditions leave; unequal ones are left to others."""
    low, high = _interval(column, conditions)
    if column.cells is None:
        return _between_knots(column, low, high, u)
    drawn = number_code(column.cells).draw_between(low, high, u)
    if drawn is None:
        raise _refused(column, conditions)
    return drawn.numpy()


def _interval(column: Column, conditions: Sequence[Condition]) -> tuple[float, float]:
    """Return the lowest and the highest value that satisfy the conditions, at a column's grid."""
    low, high, step = -np.inf, np.inf, column.resolution / 2
    for condition in conditions:
        value = float(condition.value)
        if condition.sign in (">=", ">", "=", "=="):
            low = max(
                low, np.nextafter(value, np.inf) + step if condition.sign == ">" else value - step
            )
        if condition.sign in ("<=", "<", "=", "=="):
            high = min(
                high, np.nextafter(value, -np.inf) - step if condition.sign == "<" else value + step
            )
    return low, high


def _between_knots(column: Column, low: float, high: float, u: Tensor) -> NDArray[np.float64]:
    """Draw from a column of version 0.1."""
    first, last = _rank(column, low, "left"), _rank(column, high, "right")
    if first >= last:
        raise _refused(column, ())
    return knots.at(first + (last - first) * u, column).numpy()


def _refused(column: Column, conditions: Sequence[Condition]) -> SparringError:
    together = " and ".join(map(str, conditions)) or f"the conditions on '{column.name}'"
    first, last = column.span
    return SparringError(
        f"no row of the data satisfies {together}: column '{column.name}' goes from "
        f"{first:.10g} to {last:.10g}"
    )


def _rank(column: Column, value: float, side: str) -> float:
    """Return P(X < value) for `left`, P(X ≤ value) for `right`."""
    ranks, at_knots = np.array(column.ranks), np.array(column.knots)
    at = np.flatnonzero(at_knots == value)
    if len(at):
        return float(ranks[at[0 if side == "left" else -1]])
    return float(np.interp(value, at_knots, ranks, left=0.0, right=1.0))
