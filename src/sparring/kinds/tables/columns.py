"""The codec between data frames and float32 arrays, column by column.

Inside: `encode`, `decode`, and the quantiles of numbers. Not: reading files (`files`) and deciding
what a column is (`types`).

Notation: u is a rank in (0, 1), z = Φ⁻¹(u) / 3 what the networks see of a number. The quantile
function goes through knots, straight between them: a value that many rows share has two, with the
ends of its rank interval, over which its rows are spread.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sparring.draws import Draw
from sparring.errors import SparringError, nearest
from sparring.kinds.tables.spec import Column, blocks, width

Floats = NDArray[np.float64]
Frame = Any  # a pandas DataFrame; pandas comes without types
Series = Any

MAX_KNOTS = 1_000  # of one column
MIN_ROWS_BETWEEN = 10  # rows between two knots, where values are mostly of one row each
MAX_ALL_STEPS = 500  # distinct values, up to which each may be a step of its own
MAX_STEPS = 100  # values of a column with more that may be steps
STEP_MARGIN = 0.02  # of a step's rank interval, kept free of float32's rounding
NOWHERE = -1  # the place of a category that a column does not know
MIN_RANK = 1e-7  # the smallest rank told from 0
MICROSECOND = "datetime64[us]"


def pandas() -> Any:
    """Return the module pandas.

    Raises:
        SparringError: it is not installed.
    """
    try:
        return import_module("pandas")
    except ImportError as error:
        raise SparringError("tables need pandas; install it with: pip install pandas") from error


def encode(
    frame: Frame,
    columns: Sequence[Column],
    seed: int = 0,
    start: int = 0,
    *,
    unknown: bool = False,
    spread: bool = True,
) -> NDArray[np.float32]:
    """Turn rows into an array (n, d): z of numbers, 0 where missing, and one-hot groups.

    Rows `start`, `start + 1`, … of a table get the same numbers whichever rows come with them.

    Args:
        frame: the rows.
        columns: fitted to these rows, or to others.
        seed: of where in its cell a value lies.
        start: number of the first row.
        unknown: whether categories are let pass that a column does not know. They count among the
            rest where it has one; else all places of the group are 0, as of no known category.
        spread: whether a value lies anywhere in its cell; else in the middle, so that equal rows
            are encoded alike.

    Raises:
        SparringError: a column is not there, or holds what it did not when it was fitted.
    """
    encoded = np.zeros((len(frame), width(columns)), np.float32)
    by_name = {column.name: column for column in columns}
    if absent := [name for name in by_name if name not in frame.columns]:
        raise SparringError(f"the table has no column '{absent[0]}'{nearest(absent[0], frame)}")
    for block in blocks(columns):
        column, series = by_name[block.column], frame[block.column]
        part = encoded[:, block.start : block.stop]
        match block.kind:
            case "number":
                within = _spread(column, len(frame), Draw(seed, start)) if spread else 0.5
                part[:, 0] = _scores(numbers(series, column), column, within)
            case "missing":
                _mark(part, series.isna().to_numpy().astype(np.intp))
            case "category":
                _mark(part, places(series, column, unknown=unknown))
    return encoded


def decode(
    array: NDArray[np.floating[Any]], columns: Sequence[Column], seed: int = 0, start: int = 0
) -> Frame:
    """Turn an array (n, d) into rows: the original columns, dtypes and formats, without free text.

    One-hot groups need not be exact: the largest entry counts.

    Raises:
        SparringError: the array has another width, or holds NaN.
    """
    if array.ndim != 2 or array.shape[1] != width(columns):
        raise SparringError(f"array of shape {array.shape}; expected (rows, {width(columns)})")
    if np.isnan(array).any():
        raise SparringError("the array to decode holds NaN; expected what a generator makes")
    parts: dict[str, list[NDArray[np.floating[Any]]]] = {column.name: [] for column in columns}
    for block in blocks(columns):
        parts[block.column].append(array[:, block.start : block.stop])
    cells: dict[str, Series] = {}
    for column in columns:
        if column.kind == "text":
            continue
        if column.kind == "duplicate-of":
            cells[column.name] = cells[column.source].copy()
        else:
            cells[column.name] = _decoded(parts[column.name], column, len(array), Draw(seed, start))
    return pandas().DataFrame(cells, index=range(len(array)))


def exact(frame: Frame, columns: Sequence[Column]) -> Frame:
    """Return the cells of learned columns as `decode` gives cells, but each as it is.

    No number is moved to a quantile or into the range of the knots, no category is another one.
    """
    cells = {c.name: _exact(frame[c.name], c) for c in columns if c.is_learned}
    return pandas().DataFrame(cells, index=range(len(frame)))


def quantiles(values: Floats, resolution: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return ranks and knots, at most about 1,000, of the quantile function of values (n,).

    The extremes and values that many rows share are steps; if there are few values, all are. Where
    hardly any rows share one, ten lie between two knots: what is drawn would repeat rows otherwise.
    """
    unique, counts = np.unique(values, return_counts=True)
    high = np.cumsum(counts) / len(values)
    low = np.concatenate([[0.0], high[:-1]])
    step = _steps(counts, resolution)
    middle = unique[:-1] / 2 + unique[1:] / 2  # where one value's cell ends and the next begins
    beside = np.flatnonzero(step[:-1] != step[1:])
    inside = np.flatnonzero(~(step[:-1] | step[1:]))
    spare = max(MAX_KNOTS - 2 * int(step.sum()) - len(beside), 0)
    between = counts[inside]
    if between.sum() < 2 * len(between):  # most values are of one row
        spare = min(spare, int(between.sum()) // MIN_ROWS_BETWEEN)
    edges = np.concatenate([beside, inside[_spaced(between, spare)]])
    ranks = np.concatenate([low[step], high[step], high[edges]])
    knots = np.concatenate([unique[step], unique[step], middle[edges]])
    order = np.lexsort((knots, ranks))
    return tuple(ranks[order].tolist()), tuple(knots[order].tolist())


def numbers(series: Series, column: Column) -> Floats:
    """Return a column of numbers or dates as numbers (n,), NaN where missing.

    Raises:
        SparringError: a cell is not a number, is infinite, or is missing where none were.
    """
    if column.kind == "datetime":
        moments, absent = instants(series, column.date_format)
        values = np.where(absent, np.nan, (moments - column.origin) / column.step)
    else:
        values = plain_numbers(series)
    strange = np.isnan(values) & series.notna().to_numpy() | np.isinf(values)
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


def instants(series: Series, date_format: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return microseconds since 1970 (n,), and where cells are missing or no dates."""
    if series.dtype.kind == "M":
        moments = series
    else:
        form = None if date_format in ("", "date") else date_format
        moments = pandas().to_datetime(series, format=form, errors="coerce")
    if moments.dt.tz is not None:
        moments = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return moments.astype(MICROSECOND).to_numpy().astype(np.int64), moments.isna().to_numpy()


def label_texts(values: Any) -> list[str]:
    """Return labels as text; `_label_values` undoes it."""
    return [str(value) for value in values]


def places(series: Series, column: Column, *, unknown: bool = False) -> NDArray[np.intp]:
    """Return the place (n,) of each cell in the column's one-hot group; `NOWHERE` of none.

    Raises:
        SparringError: a cell holds a category that the column does not know, has no place for the
            rest, and `unknown` ones are not let pass.
    """
    codes, unique = pandas().factorize(series)
    others = dict.fromkeys(column.rest, len(column.labels))
    place = others | {label: index for index, label in enumerate(column.labels)}
    texts = label_texts(unique)
    strange = [text for text in texts if text not in place]
    if strange and not (column.rest or unknown):
        hint = nearest(strange[0], place)
        raise SparringError(f"column '{column.name}' knows no category '{strange[0]}'{hint}")
    if not column.missing and (codes < 0).any():
        raise SparringError(f"column '{column.name}' has missing cells; it had none when fitted")
    last = len(column.labels) + bool(column.rest)
    place |= dict.fromkeys(strange, len(column.labels) if column.rest else NOWHERE)
    cells: NDArray[np.intp] = np.array([*(place[text] for text in texts), last], np.intp)[codes]
    return cells


def _mark(part: NDArray[np.float32], place: NDArray[np.intp]) -> None:
    marked = np.flatnonzero(place != NOWHERE)
    part[marked, place[marked]] = 1


def _uniform(draw: Draw, purpose: str, rows: int) -> Floats:
    return draw.uniform(f"table {purpose}", (rows,), torch.empty(0, dtype=torch.float64)).numpy()


def _spread(column: Column, rows: int, draw: Draw) -> Floats:
    return _uniform(draw, f"rank {column.name}", rows)


def _scores(values: Floats, column: Column, spread: Floats | float) -> Floats:
    """Return z, 0 where missing; a value is spread over its resolution, a step over its ranks.

    Args:
        values: (n,).
        column: of numbers.
        spread: where within these each value lies, from 0 to 1.
    """
    ranks, knots = np.array(column.ranks), np.array(column.knots)
    u = np.interp(values + column.resolution * (spread - 0.5), knots, ranks)
    level = np.flatnonzero((np.diff(knots) == 0) & (np.diff(ranks) > 0))
    at = level[np.searchsorted(knots[level], values).clip(max=len(level) - 1)]
    inner = ranks[at] + (ranks[at + 1] - ranks[at]) * (STEP_MARGIN + (1 - 2 * STEP_MARGIN) * spread)
    u = np.where(knots[at] == values, inner, u)
    return np.where(np.isnan(values), 0.0, ndtri(u.clip(MIN_RANK, 1 - MIN_RANK)) / 3)


def _steps(counts: NDArray[np.intp], resolution: float) -> NDArray[np.bool_]:
    """Tell which of the sorted values have a step of their own."""
    rows, distinct = counts.sum(), len(counts)
    whole = resolution >= 1 and distinct <= 20
    if distinct <= MAX_ALL_STEPS and (5 * distinct <= rows or whole):
        return np.ones(distinct, bool)
    # Where values lie on a grid, ties do not count as spikes unless they stand out.
    min_count = max(rows / 200, 5 * rows / distinct) if resolution else max(rows / 1000, 2)
    step: NDArray[np.bool_] = counts >= min_count
    if step.sum() > MAX_STEPS:
        step &= counts >= np.partition(counts, -MAX_STEPS)[-MAX_STEPS]
        step[np.flatnonzero(step)[MAX_STEPS:]] = False
    step[[0, -1]] = True
    return step


def _spaced(counts: NDArray[np.intp], max_count: int) -> NDArray[np.intp]:
    """Choose at most so many of the indices into counts, with equally many rows between them."""
    if len(counts) <= max_count:
        return np.arange(len(counts))
    rows = np.linspace(0, counts.sum(), max_count + 2)[1:-1]
    return np.unique(np.searchsorted(np.cumsum(counts), rows))


def _decoded(
    parts: Sequence[NDArray[np.floating[Any]]], column: Column, rows: int, draw: Draw
) -> Series:
    if column.is_number:
        absent = parts[1].argmax(1) == 1 if column.missing else np.zeros(rows, bool)
        return _values(parts[0][:, 0], absent, column)
    match column.kind:
        case "boolean" | "category":
            return _categories(_chosen(parts[0].argmax(1), column, draw), column)
        case "constant":
            absent = parts[0].argmax(1) == 1 if column.missing else np.zeros(rows, bool)
            return _categories(np.where(absent, -1, 0), column)
        case "identifier":
            return _identifiers(column, draw.start, rows)
        case _:
            return _categories(np.full(rows, -1), column)


def _values(scores: NDArray[Any], absent: NDArray[np.bool_], column: Column) -> Series:
    u = ndtr(3 * scores.astype(np.float64))
    values = np.interp(u, column.ranks, column.knots)
    if column.decimals is not None:
        values = np.round(values, column.decimals)
    if column.kind == "datetime":
        return _dates(values.astype(np.int64) * column.step + column.origin, absent, column)
    return _numbers(values, absent, column)


def _numbers(values: Floats, absent: NDArray[np.bool_], column: Column) -> Series:
    """Return numbers in the column's dtype, missing where `absent`."""
    series = pandas().Series(np.where(absent, np.nan, values))
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
    if column.date_format == "date":
        return series.dt.date.astype(object).where(~absent)
    if column.date_format:
        return series.dt.strftime(column.date_format).astype(column.dtype)
    if column.dtype == "object":
        return series.astype(object)
    dtype = pandas().api.types.pandas_dtype(column.dtype)
    if getattr(dtype, "tz", None) is not None:
        series = series.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
    return series.astype(dtype)


def _exact(series: Series, column: Column) -> Series:
    """Return a column's cells as they are, in its dtype where that can hold them."""
    series = series.reset_index(drop=True)
    if column.kind == "constant":
        return _categories(np.where(series.isna(), -1, 0), column)
    if column.kind == "datetime":
        return _dates(*instants(series, column.date_format), column)
    if column.is_number:
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


def _chosen(place: NDArray[np.intp], column: Column, draw: Draw) -> NDArray[np.intp]:
    """Return indices into labels and rest, -1 where missing; the rest is drawn by its counts."""
    chosen = place.copy()
    if column.missing:
        chosen[place == len(column.labels) + bool(column.rest)] = -1
    if column.rest:
        share = np.cumsum(column.rest_counts) / sum(column.rest_counts)
        indices = np.searchsorted(share, _uniform(draw, f"rest {column.name}", len(place)))
        other = chosen == len(column.labels)
        chosen[other] += indices[other].clip(max=len(column.rest) - 1)
    return chosen


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
    """Number the rows from `start` on, as the original did."""
    count = range(column.first + start, column.first + start + rows)
    if column.label_dtype != "text":
        return pandas().Series(count, dtype=column.dtype)
    return pandas().Series(
        [f"{column.prefix}{number:0{column.digits}d}" for number in count], dtype=column.dtype
    )
