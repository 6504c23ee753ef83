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
ROWS_PER_KEY = 3  # at least, on average


class _Order(NamedTuple):
    """Two columns in order in all rows."""

    expected: float  # rows that a smooth law would have beyond 0
    low: str
    sign: str
    high: str


def offers(cells: Floats, columns: Sequence[Column]) -> list[str]:
    """Return rules to offer for rows of cells (n, k) of learned columns, each in a line."""
    rows = f"{len(cells):,} rows"
    orders = _unimplied(sorted(_orders(cells, columns), reverse=True))[:MAX_OFFERS]
    pairs = [*_functions(cells, columns)][:MAX_OFFERS]
    return [
        *(
            f"{_quoted(o.low)} {o.sign} {_quoted(o.high)} in all {rows}: "
            f"--rule '{_quoted(o.low)}{o.sign}{_quoted(o.high)}'"
            for o in orders
        ),
        *(
            f"each {many} has one {one} in all {rows}: --rule '{_quoted(many)},{_quoted(one)}'"
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
        follows = [
            c.relation for c in (a, b) if c.relation and {*c.relation.sources} & {a.name, b.name}
        ]
        if (a.kind == "datetime") != (b.kind == "datetime") or any(
            r.exact or r.rule for r in follows
        ):
            continue
        left, right = _comparable(cells[:, low], a), _comparable(cells[:, high], b)
        apart = right - left
        if not (np.nan_to_num(apart[:ROWS]) >= 0).all() or not (np.nan_to_num(apart) >= 0).all():
            continue
        both = ~np.isnan(apart)
        if not (apart[both] > 0).any():
            continue
        expected = _expected_beyond(apart[both], max(a.resolution, b.resolution))
        if (left[both] > 0).all():  # not only because one column is of larger numbers
            expected = min(expected, _expected_beyond(np.log(right[both] / left[both]), 0.0))
        if expected > np.log(pairs / LEVEL) and _broken_alone(left[both], right[both]):
            yield _Order(expected, a.name, "<" if apart[both].min() > 0 else "<=", b.name)


def _comparable(cells: Floats, column: Column) -> Floats:
    scale, offset = scaled(column, column.kind == "datetime")
    return cells * scale + offset


def _expected_beyond(apart: Floats, step: float) -> float:
    """Return how many differences (n,) a smooth law would have below 0: a part of those above."""
    if len(apart) < 2:
        return 0.0
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
