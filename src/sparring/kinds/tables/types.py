"""What each column of a table is, decided from its cells unless the user says so, and its codec.

Types and formats are those of all rows; values, ranges and counts those of the rows that training
sees. Not inside: how columns become numbers and back (`columns`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sparring.errors import SparringError, listed, nearest
from sparring.kinds.tables import dates
from sparring.kinds.tables.columns import (
    DAY,
    MICROSECOND,
    Floats,
    Frame,
    Series,
    date_texts,
    in_units,
    instants,
    is_number,
    label_texts,
    numbers,
    pandas,
    plain_moments,
    plain_numbers,
    to_digits,
    write_cells,
    zone_of,
)
from sparring.kinds.tables.files import check_table
from sparring.kinds.tables.identifiers import is_called_one, is_key, is_mostly_digits
from sparring.kinds.tables.number_forms import look_like_numbers
from sparring.kinds.tables.numbers import (
    SHARED,
    cell_counts,
    clock_grid,
    date_grid,
    decimal_grid,
    fit_cells,
    month_grid,
)
from sparring.kinds.tables.spec import COLUMN_KINDS, Column, ColumnKind, Unit

MAX_CATEGORIES = 100  # with a place of their own
MAX_INTEGER_CATEGORIES = 10  # distinct integers, up to which each is a category
MIN_ROWS_PER_INTEGER = 3  # of a category, on average
FEWEST = 2  # distinct integers are categories in any number of rows
MAX_REST = 10_000  # kept of those that share a place
MAX_MAGNITUDE = 1e100  # of numbers: differences and slopes must stay finite
MAX_EXACT_INTEGER = 2**53  # larger integers are not all float64
DECIMALS = range(-3, 7)  # numbers may be multiples of 1,000 … 0.000001
UNSEEN = "held out wherever it is not missing"  # of a column of which training sees nothing
MAX_DIGITS = 15  # significant ones, that a float64 holds
MAX_LOOKED_AT = 2_000  # values, for their digits
AFTERNOON, MIDNIGHT, MINUTES = 1300, 2400, 60  # of times of day written as 1345
MIN_TIMES = 100  # different ones: by chance, two in five numbers have an ending above 59
MIN_MONTHS = 3  # different ones, of dates that are all first or last days
MAX_TWICE = 0.01  # of moments that a zone's clocks show twice
MAX_NOTE = 60  # characters of a note that lists categories
HEX = "[0-9a-f]{32}"
BOOLEAN_LABELS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})


def infer(
    frame: Frame,
    chosen: Mapping[str, str] | None = None,
    max_categories: int = MAX_CATEGORIES,
) -> tuple[Column, ...]:
    """Decide what each column is, unless `chosen` (name to type) says so, and fit its codec.

    Raises:
        SparringError: a column is of no one type, holds infinities, or is not what was chosen.
    """
    return fit(frame, frame, told_types(frame, chosen, max_categories), max_categories)


def told_types(
    frame: Frame,
    chosen: Mapping[str, str] | None = None,
    max_categories: int = MAX_CATEGORIES,
    forms: Mapping[str, str] | None = None,
) -> tuple[Column, ...]:
    """Decide what each column is, unless `chosen` (name to type) says so; not fitted yet.

    `forms` are those of columns of dates (name to form, see `dates`), else recognised.

    Raises:
        SparringError: a column is of no one type, holds infinities, or is not what was chosen.
    """
    check_table(frame, "the table")
    chosen, forms = chosen or {}, forms or {}
    _check_chosen(frame, {**dict.fromkeys(forms, "datetime"), **chosen})
    columns: list[Column] = []
    contents: dict[str, Column] = {}
    for name in frame.columns:
        series = frame[name]
        earlier = contents.setdefault(_contents(series), Column(name, "empty", ""))
        kind, form = chosen.get(name, ""), forms.get(name, "")
        columns.append(_column(series, kind, form, earlier.name, max_categories))
    columns = [_numbered(frame, column, chosen) for column in columns]
    return tuple(_without_copies_of_text(columns))


def as_private(columns: Sequence[Column], names: Sequence[str]) -> tuple[Column, ...]:
    """Return columns, those of these names such that no value comes back as it is.

    Raises:
        SparringError: one of these is learned, but not of numbers or dates.
    """
    for column in columns:
        if column.name in names and column.is_learned and not column.is_number:
            raise SparringError(
                f"column '{column.name}' is {column.kind}, whose labels come back as they are; "
                "private are numbers and dates: make it text, which is left out, or an identifier"
            )
    return tuple(replace(column, private=column.name in names) for column in columns)


def fit(
    frame: Frame,
    train: Frame,
    columns: Sequence[Column],
    max_categories: int = MAX_CATEGORIES,
) -> tuple[Column, ...]:
    """Fit the codec of each column.

    Args:
        frame: all rows, of which are the formats: of dates, of decimals, of labels.
        train: the rows that training sees, of which are values, ranges, counts and notes.
        columns: what they are, see `told_types`.
        max_categories: of a column, with a place of their own.

    Raises:
        SparringError: a column is not what it was said to be, or none is to be learned.
    """
    fitted = tuple(_fitted(frame[c.name], train[c.name], c, max_categories) for c in columns)
    if not any(column.is_learned for column in fitted):
        raise SparringError(
            "no column holds anything to learn: all are constant, identifiers or text; "
            "choose a type by --column name=category"
        )
    return fitted


def _check_chosen(frame: Frame, chosen: Mapping[str, str]) -> None:
    for name, column_kind in chosen.items():
        if name not in frame.columns:
            raise SparringError(f"no column '{name}' in the table{nearest(name, frame.columns)}")
        if column_kind not in COLUMN_KINDS:
            raise SparringError(
                f"column '{name}' cannot be '{column_kind}'{nearest(column_kind, COLUMN_KINDS)}; "
                f"types are {', '.join(COLUMN_KINDS)}"
            )


def _contents(series: Series) -> str:
    """Return text that is equal for columns of equal type and cells."""
    try:
        hashes = pandas().util.hash_pandas_object(series, index=False).to_numpy()
    except TypeError:
        return str(series.name)  # unhashable or mixed cells, told later
    weights = np.random.default_rng(0).integers(1, 2**63, len(hashes), dtype=np.uint64)
    return f"{series.dtype!r} {int((hashes * weights).sum())}"


def _column(series: Series, chosen: str, form: str, earlier: str, max_categories: int) -> Column:
    column_kind = chosen or ("datetime" if form else _guess(series, earlier, max_categories))
    name, missing = str(series.name), bool(series.isna().any())
    column = Column(name, column_kind, str(series.dtype), missing=missing)  # type: ignore[arg-type]
    if not series.notna().any() and column_kind not in ("empty", "text", "duplicate-of"):
        raise _refused(column, "it is empty")
    if column_kind == "duplicate-of" and earlier == name:
        raise _refused(column, "no earlier column has the same cells")
    if column_kind == "datetime":
        return _with_form(series, column, form)
    return replace(column, source=earlier if column_kind == "duplicate-of" else "")


def _fitted(series: Series, seen: Series, column: Column, max_categories: int) -> Column:
    """Fit the codec of a column; the note says what training sees of it."""
    column = _fit(series, seen, column, max_categories)
    share = f", {seen.isna().mean():.1%} missing" if column.missing else ""
    share += ", private: no value comes back as it is" * column.private
    return replace(column, note=column.note + share * (column.kind != "empty"))


def _guess(series: Series, earlier: str, max_categories: int) -> ColumnKind:
    present = series.dropna()
    types = pandas().api.types
    if not len(present):
        return "empty"
    try:
        distinct = present.nunique()
    except TypeError as error:
        raise _mixed(series, f"cells of type {type(present.iloc[0]).__name__}") from error
    if earlier != series.name:
        return "duplicate-of"
    if distinct == 1:
        return "constant"
    if isinstance(series.dtype, pandas().CategoricalDtype):
        return "category"
    if types.is_bool_dtype(series.dtype):
        return "boolean"
    if plain_moments(series).dtype.kind in "mM":
        return "datetime"
    if types.is_numeric_dtype(series.dtype) and series.dtype.kind in "iuf":
        return _guess_number(series, distinct)
    return _guess_object(series, distinct, max_categories)


def _guess_object(series: Series, distinct: int, max_categories: int) -> ColumnKind:
    match pandas().api.types.infer_dtype(series, skipna=True):
        case "string" | "empty":
            return _guess_text(series, distinct, max_categories)
        case "boolean":
            return "boolean"
        case "date" | "datetime" | "datetime64" | "time":
            return "datetime"
        case "integer" | "floating" | "mixed-integer-float" | "decimal":
            return _guess_number(series, distinct)
        case other:
            raise _mixed(series, f"cells of type {other}")


def _guess_number(series: Series, distinct: int) -> ColumnKind:
    values = plain_numbers(series.dropna())
    if (infinite := int(np.isinf(values).sum())) > 0:
        raise SparringError(
            f"column '{series.name}' holds {infinite} infinite cells; leave them empty, or drop "
            f"the column by --column {series.name}=text"
        )
    if set(np.unique(values[:1000])) <= {0.0, 1.0} and ((values == 0) | (values == 1)).all():
        return "boolean"
    if (values != np.floor(values)).any():
        return "real"
    if is_number(series) and dates.of_digits(values):
        return "datetime"
    unique = distinct == len(series) > 2
    if np.abs(values).max() >= MAX_EXACT_INTEGER:
        return "identifier" if unique else "category"
    few = distinct <= min(MAX_INTEGER_CATEGORIES, len(values) // MIN_ROWS_PER_INTEGER)
    return "category" if few or distinct == FEWEST else "integer"


def _guess_text(series: Series, distinct: int, max_categories: int) -> ColumnKind:
    present = series.dropna().astype(object).astype(str)
    if distinct == 2 and set(present.unique()[:2]) and _truths(present.unique()) in BOOLEAN_LABELS:
        return "boolean"
    if dates.recognised(present):
        return "datetime"
    if distinct > 20 or distinct == len(series):
        _check_numbers_in_text(series, present)
    wordy = present.str.count(r"\s+").mean() >= 3
    if distinct == len(series):
        if not wordy:
            _check_digits(series, present)
        return "text" if wordy else "identifier"
    if wordy and 2 * distinct > len(present):
        return "text"
    return "text" if distinct > max(0.9 * len(present), max_categories) else "category"


def _truths(labels: Any) -> set[str]:
    return {str(label).lower() for label in labels}


def _check_numbers_in_text(series: Series, present: Series) -> None:
    numeric = look_like_numbers(present)
    if 0.5 <= numeric.mean() < 1 and len(present) > 20:
        odd = present[~numeric].iloc[0]
        raise SparringError(
            f"column '{series.name}' holds numbers and text ('{odd}'); say --missing '{odd}' if "
            f"that means missing, make its cells of one kind, or choose "
            f"--column {series.name}=category (or text, which drops it)"
        )
    if numeric.all() and present.str.strip().str.contains(r"[^\d+-]").any():
        shortest, *_, longest = sorted(present.unique(), key=len)
        raise SparringError(
            f"column '{series.name}' writes numbers in no one form, as '{shortest}' and "
            f"'{longest}'; write plain numbers, say --decimal and --thousands, or choose "
            f"--column {series.name}=category"
        )


def _check_digits(series: Series, present: Series) -> None:
    if is_mostly_digits(present) and not is_called_one(str(series.name)):
        raise SparringError(
            f"column '{series.name}' holds '{present.iloc[0]}' and the like, all different: dates "
            f"in a form that is not known, or codes; choose --date-format {series.name}=FORMAT, or "
            f"--column {series.name}=identifier (or category, or text, which drops it)"
        )


def _numbered(frame: Frame, column: Column, chosen: Mapping[str, str]) -> Column:
    """Return the column, as an identifier if it numbers the rows."""
    series = frame[column.name]
    whole = column.kind in ("integer", "category") and is_number(series)
    free = whole and column.name not in chosen and not column.missing
    if free and series.is_unique and len(series) > 2 and is_key(frame, column.name):
        return replace(column, kind="identifier")
    return column


def _mixed(series: Series, what: str) -> SparringError:
    return SparringError(
        f"column '{series.name}' holds {what}; make its cells of one kind, or choose "
        f"--column {series.name}=category (or text, which drops it)"
    )


def _refused(column: Column, reason: str) -> SparringError:
    return SparringError(
        f"column '{column.name}' cannot be {column.kind}: {reason}; choose another type"
    )


def _fit(series: Series, seen: Series, column: Column, max_categories: int) -> Column:
    match column.kind:
        case "integer" | "real":
            return _fit_number(series, seen, column)
        case "datetime":
            return _fit_dates(seen, column)
        case "boolean" | "category":
            return _fit_categories(series, seen, column, max_categories)
        case "identifier":
            return _fit_identifier(series, column)
        case "text":
            return replace(column, note=column.note or "free text: dropped")
        case "duplicate-of":
            return replace(column, note=f"repeats '{column.source}': copied")
        case _:
            return _fit_alike(series, column)


def _fit_number(series: Series, seen: Series, column: Column) -> Column:
    values = _present(numbers(series, column))
    if column.kind == "integer" and (values != np.floor(values)).any():
        fractional = values[values != np.floor(values)][0]
        raise _refused(column, f"it holds {fractional:g}")
    if (largest := np.abs(values).max()) > MAX_MAGNITUDE:
        raise _refused(column, f"it holds {largest:g}, more than {MAX_MAGNITUDE:g}")
    clock = column.kind == "integer" and _is_clock(values)
    decimals = 0 if clock else _decimals(values, series.dtype)
    exact = pandas().api.types.infer_dtype(series, skipna=True) == "decimal"
    label_dtype = "decimal" if exact else column.label_dtype
    column = replace(column, decimals=decimals, clock=clock, label_dtype=label_dtype)
    seen_values = _present(numbers(seen, column))
    grid = clock_grid() if clock else decimal_grid(decimals)
    cells = fit_cells(seen_values, grid, cell_counts(len(seen)), private=column.private)
    column = replace(
        column, cells=cells, significant=0 if decimals is not None else _digits(values)
    )
    if not len(seen_values):
        return replace(column, note=UNSEEN)
    words = f", {decimals} decimal{'s' * (decimals > 1)}" if decimals and decimals > 0 else ""
    words += ", times of day: 1345 is 13:45" * clock
    low, high = (plain(_present(plain_numbers(seen))) for plain in (np.min, np.max))
    return replace(column, note=f"{column.kind} from {low:.10g} to {high:.10g}{words}")


def _is_clock(values: Floats) -> bool:
    """Tell whether whole numbers are times of day as 1345: never beyond 59 minutes or 24 hours."""
    afternoon = values.min() >= 0 and AFTERNOON <= values.max() <= MIDNIGHT
    in_hours = afternoon and (values % 100 < MINUTES).all()
    return bool(in_hours and len(np.unique(values)) >= MIN_TIMES)


def _present(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _decimals(values: Any, dtype: Any) -> int | None:
    """Return the fewest decimals that write all values exactly, if that is at most six."""
    if np.abs(values).max() >= 1e15:
        return 0 if (values == np.floor(values)).all() else None
    own = values.astype(np.float32) if str(dtype).lower() == "float32" else values
    for decimals in DECIMALS:
        if all((np.round(part, decimals) == part).all() for part in (own[:100], own)):
            return decimals
    return None


def _digits(values: Any) -> int:
    """Return the fewest significant digits that write all values; 0 where these are too many."""
    for digits in range(1, MAX_DIGITS + 1):
        if all(float(f"{value:.{digits}g}") == value for value in values[:MAX_LOOKED_AT]):
            return digits if (to_digits(values, digits) == values).all() else 0
    return 0


def _with_form(series: Series, column: Column, form: str) -> Column:
    """Return a column of dates with their form, zone and unit, and what is to be told of these.

    Raises:
        SparringError: the cells are not dates of a known form.
    """
    moments = plain_moments(series)
    if moments.dtype.kind in "mM":
        return _with_unit(moments, _with_zone(moments, column))
    form, *others = [form] if form else _date_forms(moments) or [""]
    if not form:
        raise _refused(column, f"'{series.dropna().iloc[0]}' is not a date of a known form")
    column = replace(column, date_format="" if form == "moment" else form)
    if "%" not in form:
        return _with_unit(moments, column)
    texts = date_texts(moments, form)
    if not dates.read(texts, form).notna().any():
        raise _refused(column, f"'{series.dropna().iloc[0]}' is not a date as {form}")
    others = others or [*dates.others(texts, form)]
    zone, year = dates.zone_of(texts, form), dates.first_year(texts, form)
    column = replace(column, other_formats=tuple(others), zone=zone, first_year=year)
    column = replace(column, missing=bool(instants(series, column)[1].any()))
    return _with_unit(moments, replace(column, note=_form_note(texts, column)))


def _date_forms(series: Series) -> Sequence[str]:
    """Return the forms of dates in text or digits, what objects are, or () where neither is."""
    match pandas().api.types.infer_dtype(series, skipna=True):
        case "date":
            return ("date",)
        case "time":
            return ("time",)
        case "datetime" | "datetime64" | "period":
            return ("moment",)
        case "string":
            return dates.recognised(series.dropna())
        case _ if is_number(series):
            form = dates.of_digits(plain_numbers(series.dropna()))
            return (form,) * bool(form)
        case _:
            return ()


def _with_zone(moments: Series, column: Column) -> Column:
    """Return the column with the zone whose clocks tell its moments apart, if they do."""
    if (zone := zone_of(moments.dtype)) is None:
        return column
    local = moments.dropna().dt.tz_localize(None)
    back = dates.localised(local, zone).dt.tz_convert("UTC")
    told_apart = (back == moments.dropna().dt.tz_convert("UTC")).mean()
    return replace(column, zone=str(zone) if told_apart > 1 - MAX_TWICE else "")


def _with_unit(series: Series, column: Column) -> Column:
    """Return the column in months, if all dates are first or last days of such, at midnight."""
    moments, absent = instants(series, column)
    days = np.unique(moments[~absent]).astype(MICROSECOND)
    if len(days) < MIN_MONTHS or series.dtype.kind == "m":
        return column
    units: tuple[tuple[Unit, int], ...] = (("month", 0), ("month end", DAY))
    for unit, later in units:
        moved = days + np.timedelta64(later, "us")
        if (moved == moved.astype("datetime64[M]")).all():
            return replace(column, unit=unit)
    return column


def _form_note(texts: Series, column: Column) -> str:
    """Say what is uncertain about a form of dates, and which cells are not of it."""
    form, year = column.date_format, column.first_year
    other = texts[dates.read(texts, form).isna() & texts.notna()]
    note = f", as {form}"
    if dates.is_ambiguous(texts, form):
        note = f", read as {form}: days and months cannot be told apart"
    if year:
        note += f", years {year} to {year + 99}"
    if len(other):
        gone = instants(other, column)[1]
        read, odd = other[~gone], other[gone]
        for cells, words in ((read, "written otherwise"), (odd, "counted as missing")):
            if len(cells):
                count = f"{len(cells):,} cell{'s' * (len(cells) > 1)}"
                note += f", {count} {words} ({listed(cells.unique())})"
    return note


def _fit_dates(seen: Series, column: Column) -> Column:
    moments, absent = instants(seen, column)
    units = np.floor(in_units(moments[~absent], column)).astype(np.int64)
    if not len(units):
        return replace(column, note=UNSEEN)
    origin, end = int(units.min()), int(units.max())
    step = max(int(np.gcd.reduce(units - origin)), 1)
    grid = date_grid(step) if column.unit == "microsecond" else month_grid(step)
    cells = fit_cells((units - origin) / step, grid, cell_counts(len(seen)), private=column.private)
    column = replace(column, decimals=0, origin=origin, step=step, cells=cells)
    first, last = (_shown(t, column) for t in (0.0, (end - origin) / step))
    months = f", {column.unit}s" * (column.unit != "microsecond")
    kind = "duration" if column.dtype.startswith("timedelta") else "datetime"
    return replace(column, note=f"{kind} from {first} to {last}{months}{column.note}")


def _shown(cell: float, column: Column) -> str:
    """Return a date as people read it."""
    moment = write_cells(np.array([[cell]]), [replace(column, missing=False)]).iloc[0, 0]
    return str(moment)


def _fit_categories(series: Series, seen: Series, column: Column, max_categories: int) -> Column:
    cells = _labels_of(series).dtype
    if cells.kind not in "biufMO" and not pandas().api.types.is_string_dtype(cells):
        raise _refused(column, f"cells are {cells}; turn them into numbers or text")
    if column.kind == "boolean" and (different := len(_counts(series))) > 2:
        raise _refused(column, f"it holds {different:,} different values")
    counts = _counts(seen)
    column = _with_labels(series, column, list(counts))
    by_count = sorted(counts, key=lambda label: -counts[label])
    frequent = set(by_count if len(counts) <= max_categories + 1 else by_count[:max_categories])
    rest = [label for label in by_count if label not in frequent][:MAX_REST]
    labels = tuple(label for label in column.labels if label in frequent)
    column = replace(
        column,
        labels=labels,
        counts=tuple(counts[label] for label in labels),
        rest=tuple(rest),
        rest_counts=tuple(counts[label] for label in rest),
    )
    turned = column.label_dtype == "text" and not _is_text(series)
    note = _note_categories(column, counts, frequent) + ", cells turned into text" * turned
    if few := sum(count < SHARED for count in counts.values()):
        note += f", {few:,} of fewer than {SHARED} rows and yet given back as they are"
    return replace(column, note=note if counts else UNSEEN)


def _note_categories(column: Column, counts: Mapping[str, int], frequent: set[str]) -> str:
    """Say which categories have a place of their own, out of all with their rows."""
    note = f"{column.kind} of {len(column.labels):,}: {', '.join(column.labels)}"
    if column.rest:
        share = 1 - sum(counts[label] for label in frequent) / sum(counts.values())
        places = f"{len(frequent):,} of {len(counts):,} kept"
        return f"category: {places}, the other {share:.1%} of rows as one"
    return note if len(note) <= MAX_NOTE else f"{column.kind} of {len(column.labels):,}"


def _is_text(series: Series) -> bool:
    return bool(pandas().api.types.infer_dtype(_labels_of(series), skipna=True) == "string")


def _labels_of(series: Series) -> Any:
    """Return the categories of a categorical column, else the column itself."""
    categorical = isinstance(series.dtype, pandas().CategoricalDtype)
    return series.dtype.categories if categorical else series


def _counts(series: Series) -> dict[str, int]:
    """Return the rows of each label, labels in ascending order where they have one."""
    codes, unique = pandas().factorize(series)
    counts = np.bincount(codes[codes >= 0], minlength=len(unique)).tolist()
    try:
        order = np.argsort(np.array(unique, dtype=object), kind="stable")
    except TypeError:
        order = np.argsort(np.array(label_texts(unique)))
    texts = label_texts(unique)
    counted: dict[str, int] = {}
    for index in order:
        counted[texts[index]] = counted.get(texts[index], 0) + counts[index]
    return counted


def _with_labels(series: Series, column: Column, labels: list[str]) -> Column:
    """Return the column with all labels, in the order of its levels if it has such."""
    if not isinstance(series.dtype, pandas().CategoricalDtype):
        return replace(column, labels=tuple(labels), label_dtype=_label_dtype(series))
    levels = tuple(label_texts(series.dtype.categories))
    return replace(
        column,
        levels=levels,
        ordered=bool(series.dtype.ordered),
        labels=tuple(level for level in levels if level in labels),
        label_dtype=_label_dtype(series.dtype.categories),
    )


def _label_dtype(values: Any) -> str:
    if str(values.dtype) != "object":
        return str(values.dtype)
    match pandas().api.types.infer_dtype(values, skipna=True):
        case "boolean":
            return "bool"
        case "integer":
            return "int64"
        case "floating":
            return "float64"
        case _:
            return "text"


def _fit_identifier(series: Series, column: Column) -> Column:
    if column.missing or not series.is_unique:
        raise _refused(column, "cells are missing" if column.missing else "values repeat")
    if series.dtype.kind in "iuf":
        first = int(series.min())
        return replace(
            column, first=first, label_dtype="int64", note=f"identifier: numbered from {first}"
        )
    texts = series.astype(object).map(str)
    for form, length in (("uuid", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), ("hex", HEX)):
        if texts.str.fullmatch(length).all():
            return replace(column, label_dtype=form, note="identifier: unique codes made anew")
    parts = texts.str.extract(r"^(.*?)(\d+)$", flags=re.DOTALL)
    prefixes = parts[0].unique()
    if len(prefixes) == 1 and isinstance(prefixes[0], str):
        digits = int(parts[1].str.len().min())
        column = replace(
            column, prefix=prefixes[0], digits=digits, first=int(min(map(int, parts[1])))
        )
    else:
        column = replace(column, prefix=f"{column.name or 'row'}-")
    example = f"{column.prefix}{column.first:0{column.digits}d}"
    return replace(column, note=f"identifier: numbered from {example}")


def _fit_alike(series: Series, column: Column) -> Column:
    """Fit a constant or an empty column."""
    counts = _counts(series)
    if len(counts) != (column.kind == "constant"):
        raise _refused(column, f"it holds {len(counts):,} different values")
    column = _with_labels(series, column, list(counts))
    note = f"constant: {next(iter(counts))}" if counts else "empty: stays so"
    return replace(column, note=note)


def _without_copies_of_text(columns: list[Column]) -> list[Column]:
    dropped = {column.name for column in columns if column.kind == "text"}
    return [
        replace(column, kind="text", note=f"repeats '{column.source}': dropped too")
        if column.source in dropped
        else column
        for column in columns
    ]
