"""How far two tables lie apart, column by column, with a test that is exact at every size.

Each distance stands beside its mean where both tables come from one population, found by
relabelling the rows, which also gives its p-value. Not here: pairs of columns.

Notation: n real and m fake rows; a missing cell is a value of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparring.draws import permutation
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.normal import quantile

MIN_ROWS = 20  # of a table
PERMUTATIONS = 99
ROUNDING = 1e-12  # distances that differ by less are equal
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Distance = Callable[[Codes, Codes], float]  # of rows called real and rows called fake


class CodedTable(NamedTuple):
    """Cells as numbers: NaN where missing, categories as 0, 1, … from the most frequent."""

    names: tuple[str, ...]
    is_number: tuple[bool, ...]
    values: Floats  # (rows, columns)

    def at(self, rows: Codes) -> "CodedTable":
        """Return some of the rows."""
        return self._replace(values=self.values[rows])


class ComparedDistance(NamedTuple):
    """A distance, and its mean for two tables of these sizes from one population."""

    estimate: Estimate
    mean_under_null: float
    relabelled: Floats  # (B,), what it is under other labelings, for all columns the same ones


def marginal_distances(
    real: CodedTable, fake: CodedTable, *, permutations: int = PERMUTATIONS, level: float = LEVEL
) -> dict[str, ComparedDistance]:
    """Compare each column: Kolmogorov–Smirnov of numbers, total variation of categories.

    A missing number lies below all others. The interval holds at every size: it allows for
    √(ln(a/α)/2n) of either table at α = (1 − level)/2, where a is 2 for numbers (Dvoretzky, Kiefer
    & Wolfowitz; Massart 1990) and 2^k − 2 for k categories (Weissman 2003, theorem 2.1).

    Args:
        real, fake: coded together, (n, d) and (m, d).
        permutations: of the exact test; the least p-value is 1/(permutations + 1).
        level: of the intervals.
    """
    quantile(level)
    pool = np.concatenate([real.values, fake.values])
    steps = [_steps(*column) for column in zip(pool.T, real.is_number, strict=True)]
    measures = [_distance_of(at_end, categories) for at_end, categories, _ in steps]
    compared = permutation_distances(measures, len(real.values), len(pool), permutations, "columns")
    distances = {}
    for name, (_, categories, method), one in zip(real.names, steps, compared, strict=True):
        reach = sum(_reach(len(t.values), categories, (1 - level) / 2) for t in (real, fake))
        value = one.estimate.value
        estimate = replace(
            one.estimate,
            low=max(0.0, value - reach),
            high=min(1.0, value + reach),
            method=f"{method}; {one.estimate.method}",
            level=level,
        )
        distances[name] = one._replace(estimate=estimate)
    return distances


def farthest(distances: Mapping[str, ComparedDistance]) -> tuple[str, ComparedDistance]:
    """Return the column that is farthest beyond its mean under the null, tested as that.

    How far it is, is held against how far the farthest of all columns is under the same labelings:
    the p-value is exact however many columns there are, and however they hang together (Westfall &
    Young 1993).
    """
    each = np.array([[d.estimate.value, *d.relabelled] for d in distances.values()])
    means = each.mean(1)
    beyond = (each - means[:, None]).max(0)
    worst = int((each[:, 0] - means).argmax())
    name, others = list(distances)[worst], means[worst] + beyond[1:]
    p_value = float((beyond >= beyond[0] - ROUNDING).mean())
    null = Null(float(others.mean()), float(others.std()), 1.0)
    estimate = replace(distances[name].estimate, p_value=p_value, under_null=null)
    return name, ComparedDistance(estimate, null.mean, others)


def _steps(pool: Floats, is_number: bool) -> tuple[Codes, int | None, str]:
    """Return each row's place among the distinct values, the categories' number, the method."""
    filled = np.where(np.isnan(pool), -np.inf, pool)
    distinct, places = np.unique(filled, return_inverse=True)
    if is_number:
        return places, None, "Kolmogorov–Smirnov"
    return places, len(distinct), "total variation"


def _distance_of(places: Codes, categories: int | None) -> Distance:
    size = int(places.max()) + 1

    def distance(real: Codes, fake: Codes) -> float:
        gap = np.bincount(places[real], minlength=size) / len(real)
        gap = gap - np.bincount(places[fake], minlength=size) / len(fake)
        return float(np.abs(np.cumsum(gap)).max() if categories is None else np.abs(gap).sum() / 2)

    return distance


def _reach(n: int, categories: int | None, chance: float) -> float:
    ways = log(2) if categories is None else max(log(2), categories * log(2))
    return sqrt((ways - log(chance)) / (2 * n))


def permutation_distances(
    distances: Sequence[Distance], n: int, pooled: int, permutations: int, name: str
) -> list[ComparedDistance]:
    """Measure distances of the first n rows to the others, and of as many drawn from all."""
    orders = (permutation(turn, f"table test, {name}", pooled) for turn in range(permutations))
    values, *others = (
        [distance(order[:n], order[n:]) for distance in distances]
        for order in chain([np.arange(pooled)], orders)
    )
    smaller = min(n, pooled - n)
    return [_compared(*one, smaller) for one in zip(values, np.array(others).T, strict=True)]


def _compared(value: float, relabelled: Floats, n: int) -> ComparedDistance:
    p_value = (1 + int(np.sum(relabelled >= value - ROUNDING))) / (1 + len(relabelled))
    method = f"{len(relabelled)} permutations"
    null = Null(float(relabelled.mean()), float(relabelled.std()), 1.0)
    estimate = Estimate(value, value, value, n, method, p_value=p_value, under_null=null)
    return ComparedDistance(estimate, null.mean, relabelled)
