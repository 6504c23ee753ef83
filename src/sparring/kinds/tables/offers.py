"""Rules that data always keep and not by chance, offered as people would write them.

Columns are offered as in order where the law of their difference ends at 0 as smooth laws do not,
and where independent columns would not keep the order. Not inside: what is kept unasked
(`dependence`).
"""

import re
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparring.kinds.tables.rules import scaled
from sparring.kinds.tables.spec import Column

Floats = NDArray[np.float64]

LEVEL = 1e-3  # of offering a rule that holds by chance, of all together
ROWS = 5_000  # on which orders are refuted, before they are checked on all
WIDTH = 0.25  # of the intervals beside 0, in deviations of the difference
FALL = 0.5  # of a smooth law from one interval to the next, at most, over the fall before
MIN_BROKEN = 0.01  # share of rows that would break an order, were its columns independent
MAX_OFFERS = 5
MAX_COLUMNS = 60  # that are compared with each other
NOISE = 1e-13  # of values: rounding of float64
ROWS_PER_KEY = 3  # at least, on average


class _Order(NamedTuple):
    """Two columns in order in all rows."""

    expected: float  # rows that a smooth law would have beyond 0
    low: str
    sign: str
    high: str


def offers(cells: Floats, columns: Sequence[Column]) -> list[str]:
    """Return rules to offer for rows of cells (n, k) of learned columns, each in a line."""
    rows = f"in all {len(cells):,} rows"
    products = [*_products(cells, columns)][:MAX_OFFERS]
    orders = [
        order._replace(low=_quoted(order.low), high=_quoted(order.high))
        for order in _unimplied(sorted(_orders(cells, columns), reverse=True))
        if not any({order.low, order.high} <= {*names} for names in products)
    ]
    pairs = [*_functions(cells, columns)][:MAX_OFFERS]
    written = [tuple(map(_quoted, names)) for names in products]
    return [
        *(
            f"{o.low} {o.sign} {o.high} {rows}: --rule '{o.low}{o.sign}{o.high}'"
            for o in orders[:MAX_OFFERS]
        ),
        *(f"{y} = {a}*{b} {rows}: --rule '{y}={a}*{b}'" for y, a, b in written),
        *(
            f"each {many} has one {one} {rows}: --rule '{_quoted(many)},{_quoted(one)}'"
            for many, one in pairs
        ),
    ]


def _quoted(name: str) -> str:
    """Return a name as rules have it: quoted where it could be read as more than a name."""
    return name if re.fullmatch(r"[^\W\d][\w.]*", name) else f'"{name}"'


def _orders(cells: Floats, columns: Sequence[Column]) -> Iterator[_Order]:
    """Yield columns of which one is never above the other, and not by chance."""
    places = [place for place, column in enumerate(columns) if column.is_number][:MAX_COLUMNS]
    pairs = len(places) * (len(places) - 1)
    for low, high in permutations(places, 2):
        a, b = columns[low], columns[high]
        if (a.kind == "datetime") != (b.kind == "datetime") or _is_kept(a, b) or _is_kept(b, a):
            continue
        for rows in (slice(ROWS), slice(None)):  # few first, which mostly are enough
            left, right = _comparable(cells[rows, low], a), _comparable(cells[rows, high], b)
            if (left > right).any():
                break
        else:
            both = ~np.isnan(left - right)
            left, right = left[both], right[both]
            expected = _expected(left, right, max(a.resolution, b.resolution))
            if expected > np.log(pairs / LEVEL) and _broken_alone(left, right):
                yield _Order(expected, a.name, "<" if (left < right).all() else "<=", b.name)


def _is_kept(column: Column, other: Column) -> bool:
    """Tell whether a column follows from another in all rows, or by a rule."""
    relation = column.relation
    follows = relation is not None and other.name in relation.sources
    return follows and relation is not None and (relation.exact or bool(relation.rule))


def _expected(low: Floats, high: Floats, step: float) -> float:
    """Return how many rows smooth laws would have out of order, of differences and of ratios."""
    if not (low < high).any():
        return 0.0
    expected = _expected_beyond(high - low, step)
    if (low > 0).all():  # not only because one column is of larger numbers
        expected = min(expected, _expected_beyond(np.log(high / low), 0.0))
    return expected


def _products(cells: Floats, columns: Sequence[Column]) -> Iterator[tuple[str, str, str]]:
    """Yield numbers that are others times a category of few whole numbers, in all rows."""
    numbers = [p for p, c in enumerate(columns) if c.is_number and c.kind != "datetime"]
    times = {p: v for p, c in enumerate(columns) if (v := _whole_labels(c)) is not None}
    for place, labels in times.items():
        factor = np.append(labels, np.nan)[np.nan_to_num(cells[:, place], nan=-1).astype(int)]
        for one, product in permutations(numbers[:MAX_COLUMNS], 2):
            column = columns[product]
            margin = column.resolution / 2 * (1 + 1e-6)
            if column.relation is not None or not margin:
                continue
            for rows in (slice(ROWS_PER_KEY), slice(ROWS), slice(None)):
                apart = np.abs(cells[rows, one] * factor[rows] - cells[rows, product])
                if (apart > margin + NOISE * np.abs(cells[rows, product])).any():
                    break
            else:
                if (~np.isnan(apart)).sum() > len(cells) / 2:
                    yield column.name, columns[place].name, columns[one].name


def _whole_labels(column: Column) -> Floats | None:
    """Return the whole numbers that a category's labels are; None of other columns."""
    labels = (*column.labels, *column.rest)
    whole = bool(labels) and all(label.isdecimal() for label in labels)
    if column.kind != "category" or not whole:
        return None
    return np.array(labels, np.float64)


def _comparable(cells: Floats, column: Column) -> Floats:
    scale, offset = scaled(column, column.kind == "datetime")
    return cells * scale + offset


def _expected_beyond(apart: Floats, step: float) -> float:
    """Return how many differences (n,) a smooth law would have below 0: a part of those above."""
    low, high = np.quantile(apart, (0.25, 0.75))
    width = max(WIDTH * (high - low) / 1.35, step)
    near, next_to = (apart < width).sum(), ((apart >= width) & (apart < 2 * width)).sum()
    return float(FALL * near * min(near / max(next_to, 1), 1.0))


def _broken_alone(low: Floats, high: Floats) -> bool:
    """Tell whether rows would break the order, were columns drawn by themselves."""
    share = 1 - np.searchsorted(np.sort(low), high, side="right").mean() / len(low)
    return bool(share >= MIN_BROKEN)


def _unimplied(orders: Sequence[_Order]) -> list[_Order]:
    """Return the orders that do not follow from two others."""
    known = {(order.low, order.high) for order in orders}
    middle = {name for order in orders for name in (order.low, order.high)}
    return [o for o in orders if not any({(o.low, m), (m, o.high)} <= known for m in middle)]


def _functions(cells: Floats, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Yield categories of which one has many rare values, each with one value of the other."""
    few = [p for p, c in enumerate(columns) if c.kind == "category" and not c.hidden]
    for many, one in permutations(few[:MAX_COLUMNS], 2):
        if columns[many].rest and columns[one].relation is None:
            own, other = (np.nan_to_num(cells[:, place], nan=-2) for place in (many, one))
            _, first, key = np.unique(own, return_index=True, return_inverse=True)
            repeats = len(own) - len(first)
            if len(first) * ROWS_PER_KEY <= len(own) and (other[first][key] == other).all():
                frequent = np.unique(other, return_counts=True)[1].max() / len(other)
                if repeats * np.log(1 / frequent) > np.log(len(few) ** 2 / LEVEL):
                    yield columns[many].name, columns[one].name
