"""How far two tables lie apart, column by column, with a test that is exact at every size.

Each distance stands beside its mean where both tables come from one population, found by
relabelling the rows, which also gives its p-value. Not here: pairs of columns.

Notation: n real and m fake rows; a missing cell is a value of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparring.draws import permutation
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.normal import quantile

MIN_ROWS = 20  # of a table


PERMUTATIONS = 99


Floats = NDArray[np.float64]


Codes = NDArray[np.int64]


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
    distances = {}
    for column, name in enumerate(real.names):
        pool = np.concatenate([real.values[:, column], fake.values[:, column]])
        at_end, categories, method = _steps(pool, real.is_number[column])
        distance = _distance_of(at_end, categories)
        compared = permutation_distance(distance, len(real.values), len(pool), permutations, name)
        reach = sum(_reach(len(t.values), categories, (1 - level) / 2) for t in (real, fake))
        value = compared.estimate.value
        estimate = replace(
            compared.estimate,
            low=max(0.0, value - reach),
            high=min(1.0, value + reach),
            method=f"{method}; {compared.estimate.method}",
            level=level,
        )
        distances[name] = ComparedDistance(estimate, compared.mean_under_null)
    return distances


def _steps(pool: Floats, is_number: bool) -> tuple[Codes, int | None, str]:
    """Return each row's place among the distinct values, the categories' number, the method."""
    filled = np.where(np.isnan(pool), -np.inf, pool)
    distinct, places = np.unique(filled, return_inverse=True)
    if is_number:
        return places, None, "Kolmogorov–Smirnov"
    return places, len(distinct), "total variation"


def _distance_of(places: Codes, categories: int | None) -> Callable[[Codes, Codes], float]:
    size = int(places.max()) + 1

    def distance(real: Codes, fake: Codes) -> float:
        gap = np.bincount(places[real], minlength=size) / len(real)
        gap = gap - np.bincount(places[fake], minlength=size) / len(fake)
        return float(np.abs(np.cumsum(gap)).max() if categories is None else np.abs(gap).sum() / 2)

    return distance


def _reach(n: int, categories: int | None, chance: float) -> float:
    ways = log(2) if categories is None else max(log(2), categories * log(2))
    return sqrt((ways - log(chance)) / (2 * n))


def permutation_distance(
    distance: Callable[[Codes, Codes], float], n: int, pooled: int, permutations: int, name: str
) -> ComparedDistance:
    """Measure a distance of the first n rows to the others, and of as many drawn from all."""
    rows = np.arange(pooled)
    value = distance(rows[:n], rows[n:])
    orders = (permutation(turn, f"table test, {name}", pooled) for turn in range(permutations))
    null = np.array([distance(order[:n], order[n:]) for order in orders])
    p_value = (1 + int(np.sum(null >= value - 1e-12))) / (1 + permutations)
    method = f"{permutations} permutations"
    of_null = Null(float(null.mean()), float(null.std()), 1.0)
    n = min(n, pooled - n)
    estimate = Estimate(value, value, value, n, method, p_value=p_value, under_null=of_null)
    return ComparedDistance(estimate, of_null.mean)
