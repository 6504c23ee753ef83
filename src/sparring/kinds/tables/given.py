"""Rows of another table in the columns of a run's: matched by name, each difference told.

A few rows that the columns have no code for are left out; many, or a missing column, are refused.
Categories that training has not seen are kept, and judged as what they are; so are numbers beyond
the range of training, though the code has the ends of that range for them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparring.data.pack import Skipped
from sparring.errors import SparringError, listed
from sparring.kinds.tables.columns import (
    Frame,
    Series,
    few_are_odd,
    instants,
    is_number,
    label_texts,
    numbers,
    pandas,
    plain_numbers,
)
from sparring.kinds.tables.dates import is_of_digits
from sparring.kinds.tables.spec import Column, TableSpec

MAX_ODD_SHARE = 0.05  # of the rows, that may be left out
MAX_UNKNOWN_SHARE = 0.5  # of a column's cells, of categories unknown to it; more are other labels
MIN_BEYOND_SHARE = 0.01  # of the rows, beyond the values that a run has seen, that is worth a note
MAX_NAMED_ROWS = 1_000  # that are named as left out

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class GivenRows:
    """The rows of a table that can be read in the columns of a run."""

    frame: Frame  # as they are
    coded: Frame  # the same, categories written as in the columns' labels
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Oddity:
    """Cells of a column that it has no code for, and why."""

    words: str
    rows: Mask


def match_rows(frame: Frame, spec: TableSpec, origin: str) -> GivenRows:
    """Return the rows of a table that can be read in the columns of a run; `origin` names it.

    Raises:
        SparringError: columns are missing, or more than one row in twenty has cells that its column
            has no code for; all differences are named.
    """
    absent = [column.name for column in spec.shown if column.name not in frame.columns]
    present = [column for column in spec.shown if column.name in frame.columns]
    coded = frame.assign(**{c.name: _as_labelled(frame[c.name], c) for c in present})
    oddities = [odd for column in present for odd in _oddities(coded[column.name], column)]
    odd = (
        np.any([oddity.rows for oddity in oddities], 0) if oddities else np.zeros(len(frame), bool)
    )
    words = [f"it has no column {listed([repr(n) for n in absent])}"] * bool(absent)
    words += [oddity.words for oddity in oddities]
    if absent or odd.sum() > MAX_ODD_SHARE * len(frame) or len(frame) - odd.sum() < 2:
        raise SparringError(f"{origin} does not fit the run: {'; '.join(words)}")
    rows = np.flatnonzero(~odd)
    frame, coded = frame.iloc[rows], coded.iloc[rows]
    left_out = f"left out {odd.sum():,} of {len(odd):,} rows: {'; '.join(words)}"
    notes = [left_out] * bool(oddities)
    notes += [*unknown_categories(coded, spec), *_beyond(coded, spec), *_unused(frame, spec)]
    return GivenRows(frame, coded, tuple(_skipped(oddities)), tuple(notes))


def unknown_categories(coded: Frame, spec: TableSpec) -> Iterator[str]:
    """Say which categories no training row has, and how many rows have them."""
    for column in spec.shown:
        if _is_category(column):
            cells = coded[column.name]
            unknown = ~_known(cells, column) & cells.notna().to_numpy()
            if count := int(unknown.sum()):
                found = listed(label_texts(cells[unknown].unique()))
                place = "rare categories" if column.rest else "no known category"
                yield (
                    f"column '{column.name}': {count:,} of {len(cells):,} rows hold {found}, which "
                    f"no training row has: encoded as {place}, judged as they are"
                )


def _skipped(oddities: Sequence[_Oddity]) -> Iterator[Skipped]:
    for oddity in oddities:
        for row in np.flatnonzero(oddity.rows)[:MAX_NAMED_ROWS]:
            yield Skipped(f"row {row}", oddity.words)


def _as_labelled(series: Series, column: Column) -> Series:
    """Return cells, of categories as the column's labels: 1 for 1.0 where it has that."""
    return labelled(series, column) if column.kind in ("boolean", "category") else series


def labelled(series: Series, column: Column) -> Series:
    """Return cells as text, those of a number that is a label of the column as that label."""
    label_of = {_number(label): label for label in (*column.labels, *column.rest)}
    codes, unique = pandas().factorize(series)
    texts = [label_of.get(_number(text), text) for text in label_texts(unique)]
    cells = np.array([*texts, None], object)[codes]
    return pandas().Series(cells, index=series.index, dtype=object)


def _number(label: str) -> float | str:
    """Return the number that a label is, else the label."""
    try:
        return float(label)
    except ValueError:
        return label


def _oddities(series: Series, column: Column) -> Iterator[_Oddity]:
    missing = series.isna().to_numpy()
    if (count := int(missing.sum())) and not column.missing:
        many = f"{count:,} missing cell{'s' * (count > 1)}"
        yield _Oddity(f"column '{column.name}' has {many}, the run's has none", missing)
    odd = unreadable(series, column) & ~missing
    if odd.any():
        found = listed(label_texts(series[odd].unique()))
        expected = "" if _is_category(column) else f", expected {_expected(column)}"
        unknown = ", which the run does not know" * _is_category(column)
        yield _Oddity(f"column '{column.name}' holds {found}{unknown}{expected}", odd)


def _is_category(column: Column) -> bool:
    return column.kind in ("boolean", "category")


def _expected(column: Column) -> str:
    form = f" as {column.date_format}" if "%" in column.date_format else ""
    return {"integer": "whole numbers", "real": "numbers"}.get(column.kind, f"dates{form}")


def unreadable(series: Series, column: Column) -> Mask:
    """Tell which cells a column has no code for; of missing ones it says nothing."""
    if _is_category(column):
        unknown = ~_known(series, column) & series.notna().to_numpy()
        few = column.rest or unknown.sum() <= MAX_UNKNOWN_SHARE * series.notna().sum()
        return np.zeros(len(series), bool) if few else unknown
    if column.kind == "datetime":
        numeric = is_number(series) and not is_of_digits(column.date_format)
        return np.ones(len(series), bool) if numeric else _no_dates(series, column)
    values = plain_numbers(series)
    odd: Mask = ~np.isfinite(values)
    return odd | (values != np.floor(values)) if column.kind == "integer" else odd


def _no_dates(series: Series, column: Column) -> Mask:
    """Tell which cells are no dates; a few texts count as missing where cells may be so."""
    odd = instants(series, column)[1]
    few = few_are_odd(series, odd & series.notna().to_numpy())
    as_missing = column.missing and column.date_format and few
    return series.isna().to_numpy() if as_missing else odd


def _known(series: Series, column: Column) -> Mask:
    """Tell which cells are categories that training has seen."""
    codes, unique = pandas().factorize(series)
    labels = {*column.labels, *column.rest}
    known = np.array([*(text in labels for text in label_texts(unique)), False], bool)
    return np.asarray(known[codes], bool)


def _beyond(frame: Frame, spec: TableSpec) -> Iterator[str]:
    """Say where rows lie beyond what the run has seen: all such values have the same code."""
    for column in spec.shown:
        if column.is_number:
            values, margin = numbers(frame[column.name], column), column.resolution / 2
            low, high = column.span
            beyond = int(((values < low - margin) | (values > high + margin)).sum())
            if beyond > MIN_BEYOND_SHARE * len(values):
                yield (
                    f"column '{column.name}': {beyond:,} of {len(values):,} values lie beyond all "
                    "that the run was trained on and count as its extremes"
                )


def _unused(frame: Frame, spec: TableSpec) -> Iterator[str]:
    """Say which columns tell nothing of the run: it has none of the name, or makes one value."""
    names = {column.name for column in spec.columns}
    if extra := [name for name in frame.columns if name not in names]:
        yield f"the run has no column {listed([repr(name) for name in extra])}: not used"
    for column in spec.columns:
        if column.kind == "constant" and column.name in frame.columns:
            others = set(label_texts(frame[column.name].dropna().unique())) - {*column.labels}
            if others:
                yield (
                    f"column '{column.name}' holds {listed(sorted(others))}, the run makes only "
                    f"{column.labels[0]}: not used"
                )
