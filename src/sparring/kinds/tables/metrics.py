"""How far a synthetic table is from a real one: coded cells, pairs of columns, and copied rows.

Every distance stands beside its mean where both tables come from one population, found by
relabelling the rows, which also makes its p-value exact. Not here: classifiers and models that are
trained on tables, see `models`; single columns, see `metrics.marginals`.

Notation: n real and m fake rows; a missing cell is a value of its own.
"""

from dataclasses import replace
from hashlib import blake2b
from importlib import import_module
from itertools import combinations
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.marginals import (
    MIN_ROWS,
    PERMUTATIONS,
    CodedTable,
    Codes,
    ComparedDistance,
    Floats,
    permutation_distances,
)
from sparring.metrics.normal import quantile
from sparring.metrics.proportions import exact_share
from sparring.metrics.repeats import repeats_among

MAX_CATEGORIES = 200  # what is rarer shares one code; a boosted tree takes 255
BINS = 8  # of a number, for the association of a pair
GROUPS = 20  # left out in turn, for the interval of a mean association gap

Frame = Any  # a pandas DataFrame, which comes without types


class Copies(NamedTuple):
    """Shares of rows that equal a training row, cell for cell."""

    synthetic: Estimate  # its p-value: larger than the natural share
    natural: Estimate  # of training rows that equal another one


def coded(*frames: Frame) -> tuple[CodedTable, ...]:
    """Code the cells of tables with the same columns alike.

    Numbers and times stay numbers; all else is a category, and those beyond the 200 most frequent
    share a code.

    Raises:
        SparringError: the columns differ, or a table has fewer than 20 rows.
    """
    names = list(frames[0].columns)
    for frame in frames:
        if list(frame.columns) != names:
            raise SparringError(
                f"tables differ in columns: {', '.join(map(str, frame.columns))}; "
                f"expected {', '.join(map(str, names))}"
            )
        if len(frame) < MIN_ROWS:
            raise SparringError(f"a table has {len(frame)} rows; expected at least {MIN_ROWS}")
    is_number = tuple(all(_is_number(f[name]) for f in frames) for name in names)
    columns = [
        _numbers([f[name] for f in frames]) if number else _categories([f[name] for f in frames])
        for name, number in zip(names, is_number, strict=True)
    ]
    column_names = tuple(map(str, names))
    ends = np.cumsum([len(frame) for frame in frames])[:-1]
    return tuple(
        CodedTable(column_names, is_number, part) for part in np.split(np.stack(columns, 1), ends)
    )


def _is_number(column: Any) -> bool:
    types = import_module("pandas.api.types")
    numeric = types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype)
    return bool(numeric or types.is_datetime64_any_dtype(column.dtype))


def _numbers(columns: list[Any]) -> Floats:
    types, pandas = import_module("pandas.api.types"), import_module("pandas")
    parts = []
    for column in columns:
        if types.is_datetime64_any_dtype(column.dtype):
            column = (column - pandas.Timestamp(0, tz=column.dt.tz)).dt.total_seconds()
        parts.append(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.concatenate(parts)


def _categories(columns: list[Any]) -> Floats:
    """Return the rank of each text by its count in all tables together, whatever their order.

    Equally frequent ones come in the order of a hash: in that of the rows, ranks would tell which
    table a rare text is from.
    """
    pandas = import_module("pandas")
    pooled = pandas.concat([column.astype(object) for column in columns], ignore_index=True)
    texts = pooled.map(str, na_action="ignore")
    counts = texts.value_counts().to_dict()
    in_order = sorted(counts, key=lambda text: (-counts[text], _hash(text)))
    order = {text: rank for rank, text in enumerate(in_order)}
    ranks: Floats = texts.map(order).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.minimum(ranks, MAX_CATEGORIES)


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def associations(table: CodedTable, edges: tuple[Floats, ...] | None = None) -> Floats:
    """Return how strongly each pair of columns hangs together, (d, d), from 0 to 1.

    √(1 − e^−2I), the absolute correlation of a normal pair with as much mutual information I
    (Linfoot 1957). Numbers fall into eight bins of equal counts; the bias of I is removed to first
    order (Miller & Madow 1955).

    Args:
        table: coded, (n, d).
        edges: of the numbers' bins; of the table itself unless given.
    """
    return _associations(_binned(table, edges or bin_edges(table)))


def bin_edges(table: CodedTable) -> tuple[Floats, ...]:
    """Return the inner quantiles of each number, and nothing for a category."""
    ranks = np.arange(1, BINS) / BINS
    return tuple(
        np.unique(np.nanquantile(column, ranks))
        if number and not np.isnan(column).all()
        else np.empty(0)
        for column, number in zip(table.values.T, table.is_number, strict=True)
    )


def _binned(table: CodedTable, edges: tuple[Floats, ...]) -> Codes:
    """Return small codes, (n, d): 0 where missing, rare categories together."""
    columns = []
    for column, number, inner in zip(table.values.T, table.is_number, edges, strict=True):
        present = np.nan_to_num(column)
        code = np.searchsorted(inner, present) if number else np.minimum(present, 2 * BINS)
        columns.append(np.where(np.isnan(column), 0, 1 + code.astype(np.int64)))
    return np.stack(columns, 1)


def _associations(codes: Codes) -> Floats:
    strengths = np.eye(codes.shape[1])
    for i, j in combinations(range(codes.shape[1]), 2):
        information = max(0.0, _mutual_information(codes[:, i], codes[:, j]))
        strengths[i, j] = strengths[j, i] = sqrt(1 - np.exp(-2 * information))
    return strengths


def _mutual_information(first: Codes, second: Codes) -> float:
    width = int(second.max()) + 1
    counts = np.bincount(first * width + second, minlength=(int(first.max()) + 1) * width)
    joint = counts.reshape(-1, width)
    joint = joint[np.ix_(joint.any(1), joint.any(0))]
    n, (rows, columns) = joint.sum(), joint.shape
    product = np.outer(joint.sum(1), joint.sum(0))
    filled = joint > 0
    plain = float((joint[filled] / n * np.log(n * joint[filled] / product[filled])).sum())
    return plain - (rows - 1) * (columns - 1) / (2 * float(n))


def association_gap(
    real: CodedTable, fake: CodedTable, *, permutations: int = PERMUTATIONS, level: float = LEVEL
) -> ComparedDistance:
    """Return the mean absolute difference of `associations` over the pairs of columns.

    The estimand of the interval is its mean at these sizes, which is above 0 at p = q, see
    `mean_under_null`; its variance is by leaving out one of 20 groups of rows in turn.

    Raises:
        SparringError: fewer than two columns; a level that is not between 0 and 1.
    """
    z, width = quantile(level), len(real.names)
    if width < 2:
        raise SparringError("a table of one column has no pair; expected at least two columns")
    pool = real._replace(values=np.concatenate([real.values, fake.values]))
    codes = _binned(pool, bin_edges(pool))
    above = np.triu_indices(width, 1)

    def gap(a: Codes, b: Codes) -> float:
        return float(np.abs(_associations(codes[a]) - _associations(codes[b]))[above].mean())

    n = len(real.values)
    [compared] = permutation_distances([gap], n, len(codes), permutations, "pairs")
    left = [gap(*sides) for sides in _leaving_out(n, len(codes))]
    reach = z * sqrt((GROUPS - 1) * float(np.var(left)))
    value = compared.estimate.value
    method = f"{compared.estimate.method}; jackknife of {GROUPS} groups"
    low, high = max(0.0, value - reach), min(1.0, value + reach)
    estimate = replace(compared.estimate, low=low, high=high, method=method, level=level)
    return compared._replace(estimate=estimate)


def _leaving_out(n: int, pooled: int) -> list[tuple[Codes, Codes]]:
    group = permutation(0, "table jackknife", pooled) % GROUPS
    rows = np.arange(pooled)
    return [(rows[:n][group[:n] != g], rows[n:][group[n:] != g]) for g in range(GROUPS)]


def copies(train: Frame, fake: Frame, *, level: float = LEVEL) -> Copies:
    """Count the rows that equal a training row: fakes, and naturally, training rows another one.

    The p-value is one-sided, exact where fakes and training rows come from one population: fakes
    equal training rows more often than rows of either side equal each other, see `metrics.repeats`.

    Raises:
        SparringError: the columns differ, or a table has fewer than 20 rows; a level that
            is not between 0 and 1.
    """
    quantile(level)
    coded(train, fake)  # refuses what is not a pair of tables
    pandas = import_module("pandas")
    pool = pandas.concat([f.astype(object) for f in (train, fake)], ignore_index=True)
    groups = pool.groupby(list(pool.columns), dropna=False, sort=False).ngroup().to_numpy()
    train_groups, fake_groups = groups[: len(train)], groups[len(train) :]
    repeated = np.bincount(train_groups)[train_groups] > 1
    counts = [
        (int(np.isin(fake_groups, train_groups).sum()), len(fake_groups)),
        (int(repeated.sum()), len(train_groups)),
    ]
    p_value = repeats_among(fake_groups, train_groups).p_value(PERMUTATIONS, 0)
    of_fakes, natural = (
        exact_share(count, rows, "equal rows; exact binomial", level) for count, rows in counts
    )
    return Copies(replace(of_fakes, p_value=p_value), natural)
