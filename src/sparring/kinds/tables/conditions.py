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
from numpy.typing import NDArray
from scipy.special import ndtri

from sparring.draws import Draw
from sparring.errors import SparringError, nearest
from sparring.kinds.tables.columns import MIN_RANK, Frame, label_texts, numbers, pandas
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
) -> NDArray[np.float32]:
    """Draw encoded values (rows, width) of a column among those that satisfy its conditions.

    As often as the data have them, other columns aside.

    Raises:
        SparringError: no value of the data satisfies them together.
    """
    u = draw.uniform(f"table/where {column.name}", (rows,)).double().numpy()
    places = _places(column)
    if not column.is_number or any(condition.value == "" for condition in conditions):
        return _one_hot(column, conditions, u)
    low, high = _ranks(column, conditions)
    encoded = np.zeros((rows, 1 + places), np.float32)
    encoded[:, 0] = ndtri((low + (high - low) * u).clip(MIN_RANK, 1 - MIN_RANK)) / 3
    if places:
        encoded[:, 1] = 1  # present
    return encoded


def is_one_value(column: Column, conditions: Sequence[Condition]) -> bool:
    """Tell whether the conditions of a column leave one value only."""
    if any(condition.sign in ("=", "==") for condition in conditions):
        return True
    return not column.is_number and len(_allowed(column, conditions)) == 1


def _parts(text: str, spec: TableSpec) -> tuple[Column, str, str]:
    longest_first = sorted(spec.columns, key=lambda column: -len(column.name))
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
    name, names = text[: sign.start()].strip(), [column.name for column in spec.columns]
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


def _one_hot(
    column: Column, conditions: Sequence[Condition], u: NDArray[np.float64]
) -> NDArray[np.float32]:
    if column.is_number:  # asked to be missing, or not
        absent = all(condition.sign != "!=" for condition in conditions)
        encoded = np.zeros((len(u), 3), np.float32)
        encoded[:, 2 if absent else 1] = 1
        return encoded
    places = _allowed(column, conditions)
    if not places:
        together = " and ".join(map(str, conditions))
        raise SparringError(f"no category of column '{column.name}' satisfies {together}")
    counts = np.array([*column.counts, 1], np.float64)[[min(p, len(column.counts)) for p in places]]
    chosen = np.searchsorted(np.cumsum(counts) / counts.sum(), u).clip(max=len(places) - 1)
    encoded = np.zeros((len(u), _places(column)), np.float32)
    encoded[np.arange(len(u)), np.array(places)[chosen]] = 1
    return encoded


def _places(column: Column) -> int:
    """Return the width of the column's one-hot group, 0 without one."""
    if column.is_number:
        return 2 if column.missing else 0
    return len(column.labels) + bool(column.rest) + column.missing


def _ranks(column: Column, conditions: Sequence[Condition]) -> tuple[float, float]:
    """Return the interval of ranks whose values satisfy the conditions."""
    low, high, half = 0.0, 1.0, column.resolution / 2
    for condition in conditions:
        value = float(condition.value)
        if condition.sign in (">=", "=", "=="):
            low = max(low, _rank(column, value - half, "left"))
        elif condition.sign == ">":
            low = max(low, _rank(column, value + half, "right"))
        if condition.sign in ("<=", "=", "=="):
            high = min(high, _rank(column, value + half, "right"))
        elif condition.sign == "<":
            high = min(high, _rank(column, value - half, "left"))
    if low >= high:
        together = " and ".join(map(str, conditions))
        raise SparringError(
            f"no row of the data satisfies {together}: column '{column.name}' goes from "
            f"{column.knots[0]:.10g} to {column.knots[-1]:.10g}"
        )
    return low, high


def _rank(column: Column, value: float, side: str) -> float:
    """Return P(X < value) for `left`, P(X ≤ value) for `right`."""
    ranks, knots = np.array(column.ranks), np.array(column.knots)
    at = np.flatnonzero(knots == value)
    if len(at):
        return float(ranks[at[0 if side == "left" else -1]])
    return float(np.interp(value, knots, ranks, left=0.0, right=1.0))
