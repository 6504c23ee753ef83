"""Data frames to arrays of exact cells and back, column by column.

Not inside: reading files (`files`), deciding what a column is (`types`), what networks see of
cells (`codec`).
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from numpy.typing import NDArray

from sparring.errors import SparringError, nearest
from sparring.kinds.tables import dates
from sparring.kinds.tables.spec import Column

Floats = NDArray[np.float64]
Frame = Any  # a pandas DataFrame; pandas comes without types
Series = Any

NOWHERE = -1.0  # the cell of a category that a column does not know
MAX_FACTOR = 22  # the largest power of ten that is a float64
MICROSECOND = "datetime64[us]"
DAY = 86_400_000_000  # microseconds


def pandas() -> Any:
    """Return the module pandas.

    Raises:
        SparringError: it is not installed.
    """
    try:
        return import_module("pandas")
    except ImportError as error:
        raise SparringError("tables need pandas; install it with: pip install pandas") from error


def read_cells(frame: Frame, columns: Sequence[Column], *, unknown: bool = False) -> Floats:
    """Turn rows into items (n, k): one cell of each learned column that people see, see `codec`.

    Args:
        frame: the rows.
        columns: fitted to these rows, or to others.
        unknown: whether categories are let pass that a column does not know, as -1.

    Raises:
        SparringError: a column is not there, or holds what it did not when it was fitted.
    """
    learned = [column for column in columns if column.is_learned]
    if absent := [c.name for c in learned if c.name not in frame.columns and not c.hidden]:
        raise SparringError(f"the table has no column '{absent[0]}'{nearest(absent[0], frame)}")
    items = np.full((len(frame), len(learned)), np.nan)
    for place, column in enumerate(learned):
        if not column.hidden:
            items[:, place] = _read(frame[column.name], column, unknown=unknown)
    return items


def write_cells(items: Floats, columns: Sequence[Column], start: int = 0) -> Frame:
    """Turn items (n, k) into rows: the original columns, dtypes and formats, without free text.

    Raises:
        SparringError: the array has another width.
    """
    learned = {c.name: place for place, c in enumerate(c for c in columns if c.is_learned)}
    if items.ndim != 2 or items.shape[1] < len(learned):
        raise SparringError(f"array of shape {items.shape}; expected (rows, {len(learned)})")
    cells: dict[str, Series] = {}
    for column in columns:
        if column.kind == "text" or column.hidden:
            continue
        if column.kind == "duplicate-of":
            cells[column.name] = cells[column.source].copy()
        elif column.name in learned:
            cells[column.name] = _written(items[:, learned[column.name]], column)
        elif column.kind == "identifier":
            cells[column.name] = _identifiers(column, start, len(items))
        else:
            chosen = np.full(len(items), -1 if column.kind == "empty" else 0)
            cells[column.name] = _categories(chosen, column)
    return pandas().DataFrame(cells, index=range(len(items)))


def exact(frame: Frame, columns: Sequence[Column]) -> Frame:
    """Return the cells of learned columns as `decode` gives cells, but each as it is.

    No number is moved to a quantile or into the range of the knots, no category is another one.
    """
    cells = {c.name: _exact(frame[c.name], c) for c in columns if c.is_learned and not c.hidden}
    return pandas().DataFrame(cells, index=range(len(frame)))


def as_numbers(frame: Frame, columns: Sequence[Column]) -> Frame:
    """Return rows with dates of any form as moments, and numbers of any type as such."""
    changed = {}
    for column in columns:
        if column.kind == "datetime":
            moments, absent = instants(frame[column.name], column)
            cells = moments.astype(MICROSECOND)
            cells[absent] = np.datetime64("NaT")
            changed[column.name] = cells
        elif column.is_number and not is_number(frame[column.name]):
            changed[column.name] = plain_numbers(frame[column.name])
    return frame.assign(**changed)


def numbers(series: Series, column: Column) -> Floats:
    """Return a column of numbers, clocks or dates as numbers (n,), NaN where missing.

    Raises:
        SparringError: a cell is not a number, is infinite, or is missing where none were.
    """
    if column.kind == "datetime":
        moments, absent = instants(series, column)
        values = (in_units(moments, column) - column.origin) / column.step
        values = np.where(absent, np.nan, values)
    else:
        values = plain_numbers(series)
        values = minutes(values) if column.clock else values
    strange = np.isnan(values) & series.notna().to_numpy() | np.isinf(values)
    if column.missing and column.date_format and few_are_odd(series, strange):
        strange[:] = False  # they count as missing
    if strange.any():
        row = int(np.argmax(strange))
        raise SparringError(
            f"column '{column.name}', row {row}: '{series.iloc[row]}' cannot be read as "
            f"{column.kind}; fix it or choose another type, as --column {column.name}=category"
        )
    if not column.missing and np.isnan(values).any():
        raise SparringError(f"column '{column.name}' has missing cells; it had none when fitted")
    return values


def plain_numbers(series: Series) -> Floats:
    """Return numbers (n,), NaN where a cell is missing or no number."""
    coerced = pandas().to_numeric(series, errors="coerce")
    values: Floats = coerced.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def minutes(clock: Floats) -> Floats:
    """Return minutes since midnight of times of day (n,), which write a quarter to two as 1345."""
    hours: Floats = np.floor(clock / 100)
    return clock - 40 * hours


def few_are_odd(series: Series, odd: NDArray[np.bool_]) -> bool:
    """Tell whether few texts, of those that are no dates, are anything but zeros."""
    words = series[odd].astype(str)
    zeros = words.str.fullmatch(dates.NOTHING).sum() if len(words) else 0
    return bool(len(words) - zeros <= dates.MAX_ODD_SHARE * len(series))


def is_number(series: Series) -> bool:
    """Tell whether a column is of pandas' numbers."""
    return bool(pandas().api.types.is_numeric_dtype(series.dtype))


def instants(series: Series, column: Column) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return microseconds since 1970 (n,), and where cells are missing or no dates.

    They are those of the clocks of the column's zone, if it has one, else of UTC. Of durations they
    count from 0, of times of day from midnight.
    """
    series = plain_moments(series)
    if series.dtype.kind == "m":
        spans = series.astype("timedelta64[us]")
        return spans.to_numpy().astype(np.int64), spans.isna().to_numpy()
    moments = series if series.dtype.kind == "M" else _parsed(series, column)
    if moments.dt.tz is not None:
        moments = moments.dt.tz_convert(column.zone or "UTC").dt.tz_localize(None)
    elif column.zone and series.dtype.kind != "M":
        moments = moments.dt.tz_localize("UTC").dt.tz_convert(column.zone).dt.tz_localize(None)
    return moments.astype(MICROSECOND).to_numpy().astype(np.int64), moments.isna().to_numpy()


def plain_moments(series: Series) -> Series:
    """Return dates of Arrow's types or periods as pandas' own; all else as it is."""
    types = pandas()
    if isinstance(series.dtype, types.PeriodDtype):
        return series.dt.to_timestamp()
    if isinstance(series.dtype, types.ArrowDtype) and series.dtype.kind in "Mm":
        plain = types.Series(series.array.__arrow_array__().to_pandas(), index=series.index)
        return plain.astype(MICROSECOND) if plain.dtype.kind == "O" else plain
    return series


def _parsed(series: Series, column: Column) -> Series:
    """Return moments (n,) of texts, digits or objects, NaT where they are none."""
    form = column.date_format
    if "%" not in form:
        if form == "time":
            series = series.map(lambda cell: f"1970-01-01 {cell}", na_action="ignore")
        known = "ISO8601" if form == "time" else None
        return pandas().to_datetime(series, format=known, errors="coerce")
    return dates.instants(
        date_texts(series, form), (form, *column.other_formats), column.first_year
    )


def date_texts(series: Series, form: str) -> Series:
    """Return texts, and whole numbers in a form of digits; missing where cells are neither."""
    if not is_number(series):
        texts = series.astype(object)
        return texts.where(texts.map(lambda cell: isinstance(cell, str)).astype(bool), None)
    values = plain_numbers(series)
    whole = np.floor(values) == values
    texts = pandas().Series(np.where(whole, values, 0).astype(np.int64), index=series.index)
    padded = texts.astype(str).str.zfill(dates.length(form)) if dates.is_of_digits(form) else texts
    return padded.astype(str).astype(object).where(whole, None)


def in_units(microseconds: NDArray[np.int64], column: Column) -> Floats:
    """Return moments since 1970 (n,) in units of a column of dates; days are parts of a month."""
    if column.unit == "microsecond":
        return microseconds.astype(np.float64)
    moments = microseconds + (DAY if column.unit == "month end" else 0)
    days = moments.astype(MICROSECOND)
    months = days.astype("datetime64[M]")
    part = (days - months.astype(MICROSECOND)).astype(np.int64) / (31 * DAY)
    whole: Floats = months.astype(np.int64) + part
    return whole


def from_units(units: NDArray[np.int64], column: Column) -> NDArray[np.int64]:
    """Return microseconds since 1970 (n,) of units since then; undoes `in_units`."""
    if column.unit == "microsecond":
        return units
    months = units.astype("datetime64[M]").astype(MICROSECOND).astype(np.int64)
    return np.asarray(months - (DAY if column.unit == "month end" else 0), np.int64)


def label_texts(values: Any) -> list[str]:
    """Return labels as text; `_label_values` undoes it."""
    return [str(value) for value in values]


def _read(series: Series, column: Column, *, unknown: bool) -> Floats:
    """Return the cells (n,) of a learned column.

    Raises:
        SparringError: a cell holds what the column did not hold when it was fitted; `unknown`
            categories are let pass as -1.
    """
    if column.is_number:
        return numbers(series, column)
    if column.kind == "constant":
        return np.where(series.isna(), np.nan, 0.0)
    codes, unique = pandas().factorize(series)
    place = {label: index for index, label in enumerate((*column.labels, *column.rest))}
    texts = label_texts(unique)
    strange = [text for text in texts if text not in place]
    if strange and not (column.rest or unknown):
        hint = nearest(strange[0], place)
        raise SparringError(f"column '{column.name}' knows no category '{strange[0]}'{hint}")
    if not column.missing and (codes < 0).any():
        raise SparringError(f"column '{column.name}' has missing cells; it had none when fitted")
    cells: Floats = np.array([*(place.get(text, NOWHERE) for text in texts), np.nan])[codes]
    return cells


def _written(cells: Floats, column: Column) -> Series:
    """Return cells (n,) of a learned column in its dtype and format."""
    absent = np.isnan(cells)
    if column.kind == "datetime":
        steps = np.where(absent, 0, cells).astype(np.int64)
        return _dates(from_units(steps * column.step + column.origin, column), absent, column)
    if column.is_number:
        return _numbers(cells, absent, column)
    return _categories(np.where(absent, -1, cells).astype(np.intp), column)


def to_digits(values: Floats, digits: int) -> Floats:
    """Round values to so many significant digits."""
    size = np.floor(np.log10(np.abs(values), where=values != 0, out=np.zeros_like(values)))
    power = digits - 1 - size
    up, down = 10.0 ** power.clip(0, MAX_FACTOR), 10.0 ** (-power).clip(0, MAX_FACTOR)
    rounded: Floats = np.round(values * up / down) * down / up
    return np.where(np.abs(power) <= MAX_FACTOR, rounded, values)


def _numbers(values: Floats, absent: NDArray[np.bool_], column: Column) -> Series:
    """Return numbers in the column's dtype, missing where `absent`."""
    if column.clock:
        values = values + 40 * np.floor(values / 60)
    if column.significant:
        values = to_digits(values, column.significant)
    series = pandas().Series(np.where(absent, np.nan, values))
    if column.label_dtype == "decimal":
        places = max(column.decimals or 0, 0)
        texts = [
            None if gone else f"{v + 0.0:.{places}f}"
            for v, gone in zip(values, absent, strict=True)
        ]
        return pandas().Series(texts, dtype=object).map(Decimal, na_action="ignore")
    if column.dtype not in ("str", "string", "object"):
        return series.astype(column.dtype)
    if column.kind == "integer":
        series = series.astype("Int64")
    return series.astype(column.dtype).where(~absent)


def _dates(microseconds: NDArray[np.int64], absent: NDArray[np.bool_], column: Column) -> Series:
    """Return moments since 1970 in the column's dtype and format, missing where `absent`."""
    moments = microseconds.astype(MICROSECOND)
    moments[absent] = np.datetime64("NaT")
    series = pandas().Series(moments)
    match column.date_format:
        case "date" | "time":
            return getattr(series.dt, column.date_format).astype(object).where(~absent)
        case form if form:
            texts = dates.written(series, form, column.zone)
            return _typed(texts, column.dtype)
    if column.dtype == "object":
        return series.astype(object)
    dtype = pandas().api.types.pandas_dtype(column.dtype)
    if isinstance(dtype, pandas().PeriodDtype):
        return series.dt.to_period(dtype.freq)
    if dtype.kind == "m":
        return (series - pandas().Timestamp(0)).astype(dtype)
    if (zone := zone_of(dtype)) is not None:
        at = dates.localised(series, zone if column.zone else "UTC")
        series = at.dt.tz_convert(zone)
    return series.astype(dtype)


def zone_of(dtype: Any) -> Any:
    """Return the time zone of a type of dates, None without one."""
    arrow = getattr(dtype, "pyarrow_dtype", None)
    return getattr(dtype, "tz", None) if arrow is None else getattr(arrow, "tz", None)


def _typed(texts: Series, dtype: str) -> Series:
    """Return texts in a column's type, which may be one of numbers."""
    if pandas().api.types.is_numeric_dtype(dtype):
        texts = pandas().to_numeric(texts).astype("Float64" if texts.isna().any() else "int64")
    return texts.astype(dtype)


def _exact(series: Series, column: Column) -> Series:
    """Return a column's cells as they are, in its dtype where that can hold them."""
    series = series.reset_index(drop=True)
    if column.kind == "constant":
        return _categories(np.where(series.isna(), -1, 0), column)
    if column.kind == "datetime":
        return _dates(*instants(series, column), column)
    if column.is_number:
        column = replace(column, clock=False)  # whatever it holds
        values = numbers(series, column)
        whole = pandas().api.types.pandas_dtype(column.dtype).kind in "iu"
        if whole and str(series.dtype) != column.dtype:
            return pandas().Series(values)  # of another table, whose numbers may not fit
        return _numbers(values, np.isnan(values), column)
    codes, unique = pandas().factorize(series)
    labels = _exact_labels(label_texts(unique), column.label_dtype)
    return pandas().Series(labels.take(codes, allow_fill=bool((codes < 0).any())))


def _exact_labels(texts: list[str], dtype: str) -> Any:
    """Return labels as values of their dtype if all have one, else as text."""
    try:
        values = _label_values(texts, dtype)
    except (ValueError, TypeError):
        return pandas().array(texts, dtype=object)
    return values.array if label_texts(values) == texts else pandas().array(texts, dtype=object)


def _categories(chosen: NDArray[np.intp], column: Column) -> Series:
    """Return the labels at the chosen indices, in the column's dtype; missing where -1."""
    pool = (*column.labels, *column.rest)
    if column.dtype == "category":
        levels = _label_values(column.levels, column.label_dtype)
        level = {text: index for index, text in enumerate(column.levels)}
        codes = np.array([*(level[text] for text in pool), -1])[chosen]
        categories = pandas().Categorical.from_codes(codes, levels, ordered=column.ordered)
        return pandas().Series(categories)
    if not pool:
        return pandas().Series([None] * len(chosen), dtype=column.dtype)
    values = pandas().Series(_label_values(pool, column.label_dtype)).astype(column.dtype)
    cells = values.array.take(chosen, allow_fill=bool((chosen < 0).any()))
    return pandas().Series(cells, dtype=column.dtype)


def _label_values(texts: Sequence[str], dtype: str) -> Any:
    """Return labels as values of their own dtype."""
    types = pandas().api.types
    if dtype == "text":
        return pandas().Index(list(texts), dtype=object)
    if types.is_bool_dtype(dtype):
        return pandas().Index([text == "True" for text in texts], dtype=dtype)
    if types.is_numeric_dtype(dtype):
        return pandas().Index(pandas().to_numeric(list(texts))).astype(dtype)
    if types.is_datetime64_any_dtype(dtype):
        zone = getattr(types.pandas_dtype(dtype), "tz", None)
        moments = pandas().to_datetime(list(texts), format="ISO8601", utc=zone is not None)
        return (moments.tz_convert(zone) if zone else moments).astype(dtype)
    return pandas().Index(list(texts), dtype=dtype)


def _identifiers(column: Column, start: int, rows: int) -> Series:
    """Number the rows from `start` on, as the original did; universally unique ones are so."""
    count = range(column.first + start, column.first + start + rows)
    if column.label_dtype in ("uuid", "hex"):
        made = (uuid5(NAMESPACE_OID, f"{column.name} {number}") for number in count)
        texts = [one.hex if column.label_dtype == "hex" else str(one) for one in made]
        return pandas().Series(texts, dtype=column.dtype)
    if column.label_dtype != "text":
        return pandas().Series(count, dtype=column.dtype)
    return pandas().Series(
        [f"{column.prefix}{number:0{column.digits}d}" for number in count], dtype=column.dtype
    )
