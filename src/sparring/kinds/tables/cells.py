"""Rows as people see them, for copying: numbers in units of their spread, categories by place.

What networks see of a number goes through the ranks of training rows, which lie evenly there as
held-out ones do not.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

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
    digest = digest_of_arrays(f"{NAME} 2 {spec.learned}", arrays)
    return Extractor(NAME, digest, _width(spec), run)


def _joined(items: Items, standard: Floats, spec: TableSpec) -> Features:
    """Put standardised numbers and one-hot groups together; a missing cell is a place of both."""
    parts: list[Features] = []
    numbers = iter(standard.T)
    for column in _shown(spec):
        cells = items[:, spec.places[column.name]]
        if column.is_number:
            parts.append(np.where(np.isnan(cells), 0, next(numbers))[:, None])
            if column.missing:
                parts.append(np.stack([~np.isnan(cells), np.isnan(cells)], 1))
            continue
        known = _known(column)
        index = np.where(np.isnan(cells), known, cells.clip(max=known - 1)).astype(int)
        parts.append(np.arange(known + column.missing) == index[:, None])  # of an unknown one, none
    return np.concatenate(parts, 1, dtype=np.float32)


def _shown(spec: TableSpec) -> list[Column]:
    return [*spec.shown]


def _known(column: Column) -> int:
    """Return how many places there are for a category; those of the rest share one."""
    return 1 if column.kind == "constant" else len(column.labels) + bool(column.rest)


def _width(spec: TableSpec) -> int:
    """Return how many numbers a row becomes."""
    shown = _shown(spec)
    marks = sum(2 * c.missing + 1 if c.is_number else _known(c) + c.missing for c in shown)
    return min(marks, MAX_PLAIN)


def _numbers(items: Items, spec: TableSpec) -> Floats:
    """Return the numbers of rows, (n, count); in the place of missing ones those of the middle."""
    places = [spec.places[column.name] for column in _shown(spec) if column.is_number]
    values = items[:, places].astype(np.float64)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that are missing altogether
        middle = np.nan_to_num(np.nanmedian(values, axis=0)) if len(values) else 0.0
    return np.where(np.isnan(values), middle, values)
