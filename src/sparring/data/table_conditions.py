"""Conditions on rows, as people write them: `cut=Fair`, `price>5000`, `sex!=male`.

Inside: reading and refusing them, which rows satisfy them, and what can be revealed to a
generator of each. Not inside: drawing rows, see `conditional`.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sparring.data.table_columns import LEAST, Frame, label_texts, numbers, pandas
from sparring.draws import Draw
from sparring.errors import SparringError, nearest
from sparring.spec import Column, TableSpec

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
Truths = NDArray[np.bool_]


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
        SparringError: it is none, names no learned column, or no row could satisfy it.
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


def satisfied(frame: Frame, conditions: Sequence[Condition]) -> Truths:
    """Tell which rows satisfy all conditions; a missing cell satisfies none but `column=`."""
    truths = np.ones(len(frame), bool)
    for one in conditions:
        truths &= _holds(frame[one.column.name], one)
    return truths


def revealed(
    column: Column, conditions: Sequence[Condition], draw: Draw, rows: int
) -> NDArray[np.float32]:
    """Draw encoded values (rows, width) of a column among those that satisfy its conditions.

    As often as the data have them, other columns aside.

    Raises:
        SparringError: no value of the data satisfies them together.
    """
    u = draw.uniform(f"table/where {column.name}", (rows,)).double().numpy()
    places = _places(column)
    if not column.is_number or any(one.value == "" for one in conditions):
        return _one_hot(column, conditions, u)
    low, high = _ranks(column, conditions)
    encoded = np.zeros((rows, 1 + places), np.float32)
    encoded[:, 0] = ndtri((low + (high - low) * u).clip(LEAST, 1 - LEAST)) / 3
    if places:
        encoded[:, 1] = 1  # present
    return encoded


def is_one_value(column: Column, conditions: Sequence[Condition]) -> bool:
    """Tell whether the conditions of a column leave one value only."""
    if any(one.sign in ("=", "==") for one in conditions):
        return True
    return not column.is_number and len(_allowed(column, conditions)) == 1


def _parts(text: str, spec: TableSpec) -> tuple[Column, str, str]:
    known = sorted(spec.columns, key=lambda column: -len(column.name))
    for column in known:
        rest = text.strip()[len(column.name) :].lstrip()
        if text.strip().startswith(column.name) and (sign := _OPERATOR.match(rest)):
            if column not in spec.learned:
                raise SparringError(
                    f"'{text}': column '{column.name}' is {column.kind}, which is not learned; "
                    "rows cannot be asked for by it"
                )
            return column, sign[0], rest[sign.end() :].strip()
    if not (sign := _OPERATOR.search(text)):
        raise SparringError(f"'{text}' is no condition; write column=value or column>5")
    name, names = text[: sign.start()].strip(), [column.name for column in spec.columns]
    raise SparringError(f"'{text}': no column '{name}'{nearest(name, names)}")


def _number(value: str, column: Column, text: str) -> float:
    try:
        found = float(numbers(pandas().Series([value]), column)[0])
    except SparringError:
        raise SparringError(f"'{text}': '{value}' is no {column.kind}") from None
    return found


def _numeric(column: Column) -> bool:
    try:
        [float(label) for label in column.labels]
    except ValueError:
        return False
    return True


def _unknown(value: str, column: Column) -> str:
    if value in column.rest:
        return f"'{value}' is one of {len(column.rest):,} rare categories that are learned as one"
    few = ", ".join(column.labels[:20])
    return f"no category '{value}' in the data; known: {few}{nearest(value, column.labels)}"


def _holds(cells: Any, one: Condition) -> Any:
    absent, equal = cells.isna().to_numpy(), one.sign in ("=", "==")
    if one.value == "":
        return absent if equal else ~absent
    if not one.column.is_number:
        texts = label_texts(cells.astype(object).where(~absent, "nan"))
        if equal or one.sign == "!=":
            return ~absent & OPERATORS[one.sign](np.array(texts, dtype=object), one.value)
        return OPERATORS[one.sign](np.array(texts, np.float64), float(one.value))
    values = numbers(cells, one.column)
    if not equal and one.sign != "!=":
        return OPERATORS[one.sign](values, one.value)
    close = np.abs(values - float(one.value)) <= max(one.column.resolution / 2, 1e-9)
    return ~absent & (close if equal else ~close)


def _allowed(column: Column, conditions: Sequence[Condition]) -> list[int]:
    """Return the places of a one-hot group that satisfy the conditions."""
    frame = pandas().DataFrame({column.name: pandas().Series([*column.labels, None], dtype=object)})
    last = len(column.labels) + bool(column.rest)
    truths = satisfied(frame, conditions)
    return [i if i < len(column.labels) else last for i in np.flatnonzero(truths).tolist()]


def _one_hot(
    column: Column, conditions: Sequence[Condition], u: NDArray[np.float64]
) -> NDArray[np.float32]:
    if column.is_number:  # asked to be missing, or not
        absent = all(one.sign != "!=" for one in conditions)
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
    for one in conditions:
        value = float(one.value)
        if one.sign in (">=", "=", "=="):
            low = max(low, _rank(column, value - half, "left"))
        elif one.sign == ">":
            low = max(low, _rank(column, value + half, "right"))
        if one.sign in ("<=", "=", "=="):
            high = min(high, _rank(column, value + half, "right"))
        elif one.sign == "<":
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
