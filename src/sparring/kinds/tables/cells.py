"""Rows as people see them, for copying: numbers rounded as in the table, categories by place.

The networks' code of a number goes through the quantiles of training rows, which lie at even ranks
there as held-out ones do not; and it spreads equal values. Here numbers are themselves again.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sparring.features.extractor import (
    MAX_PLAIN,
    Extractor,
    Features,
    Items,
    digest_of_arrays,
    folded,
    spread,
)
from sparring.kinds.tables.spec import Column, TableSpec

NAME = "cells"
Floats = NDArray[np.float64]


def cells(rows: Items, spec: TableSpec) -> Extractor:
    """Return the cells of rows: asinh of numbers in units of their spread, one-hot categories.

    Middle and spread of numbers are those of the rows (n, d), which should be training and held-out
    ones alike. A missing number is 0, beside its mark.
    """
    rows = rows[spread(np.arange(len(rows)))]
    numbers = _numbers(rows, spec)
    low, middle, high = np.quantile(numbers, (0.1, 0.5, 0.9), axis=0)
    scale = np.where(high > low, high - low, np.where(numbers.std(0) > 0, numbers.std(0), 1))

    def run(items: Items) -> Features:
        standard = np.arcsinh((_numbers(items, spec) - middle) / scale * 2)
        return folded(_joined(items, standard, spec))

    arrays = {"middle": middle, "scale": scale}
    digest = digest_of_arrays(f"{NAME} 1 {spec}", arrays)
    return Extractor(NAME, digest, min(spec.size, MAX_PLAIN), run)


def _joined(items: Items, standard: Floats, spec: TableSpec) -> Features:
    """Put standardised numbers and exact one-hot groups together, (n, d)."""
    joined, numbers = np.zeros(items.shape, np.float32), dict[str, int]()
    for block in spec.blocks:
        if block.kind == "number":
            joined[:, block.start] = standard[:, len(numbers)]
            numbers[block.column] = block.start
            continue
        group = items[:, block.start : block.stop]
        place, known = group.argmax(1), group.any(1)  # of an unknown category all are 0
        joined[np.arange(len(items)), block.start + place] = known
        if block.kind == "missing" and block.column in numbers:
            joined[place == 1, numbers[block.column]] = 0
    return joined


def _numbers(items: Items, spec: TableSpec) -> Floats:
    """Return the numbers of encoded rows, (n, k)."""
    by_name = {column.name: column for column in spec.columns}
    blocks = [block for block in spec.blocks if block.kind == "number"]
    values = [_values(items[:, block.start], by_name[block.column]) for block in blocks]
    return np.stack(values, 1) if values else np.empty((len(items), 0))


def _values(scores: NDArray[np.float32], column: Column) -> Floats:
    values: Floats = np.interp(ndtr(3 * scores.astype(np.float64)), column.ranks, column.knots)
    return values if column.decimals is None else np.round(values, column.decimals)
