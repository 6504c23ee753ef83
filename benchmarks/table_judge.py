"""How well made rows stand in for real ones, judged by what no generator is trained on.

python -m benchmarks.table_judge train.csv held_out.csv made.csv --target price

Fixed before anything was tuned. Boosted trees of scikit-learn tell as many training rows as made
ones apart, 40,000 of each at most, half of them to fit and half to score: with default settings,
with longer trees, and with relations of columns as further features. Trees that are grown on made
rows predict the target of held-out rows. Every column is held against what two parts of the real
rows differ by, and every row against its nearest training row. All of it is also asked of the
held-out rows themselves: that is the floor. Not here: generators, see `table_rivals`; small tables,
see `small_tables`.

Notation: AUC is ½ where nothing tells the rows apart; R² and shares are 1 at most.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

from sparring.draws import permutation
from sparring.kinds.tables.metrics import coded
from sparring.metrics.classifier import delong
from sparring.metrics.marginals import CodedTable
from sparring.metrics.normal import quantile

JUDGED = 40_000  # rows of each side at most
LONGER: dict[str, Any] = {"max_iter": 400, "max_leaf_nodes": 63, "learning_rate": 0.06}
HELD_OUT = 0.2
LEVEL = 0.95
RESAMPLED = 200  # of held-out rows, for the interval of what is predicted
MAX_RELATED = 20  # numbers that are held against each other
MARGINAL_ROWS = 20_000  # of each side at most
FREQUENT = 0.01  # the share of rows from which a value is a cell by itself
MIN_CELL = 20  # rows that it has at least
BINS = 10  # of equal mass, of the other values
SPLITS = 100  # of real rows in two
BEYOND = 0.99  # quantile of what splits differ by
PROBED = 4_000  # rows whose nearest training row is sought
NEAREST = 0.01  # the share of held-out rows that lies as near to training as a near-copy
CHUNK = 500

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """A real table in two parts: what generators see, and what nothing sees but the judge."""

    train: pd.DataFrame
    held_out: pd.DataFrame
    target: str


@dataclass(frozen=True)
class Score:
    """A value and its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ±{max(self.high - self.value, self.value - self.low):.3f}"


@dataclass(frozen=True)
class Marginals:
    """The column that lies farthest off, and what two parts of the real rows differ by."""

    total_variation: float  # over frequent values and bins of the rest, the worst column's
    column: str
    noise: float  # what the worst of two real parts exceeds once in a hundred times
    kolmogorov_smirnov: float  # of numbers, the worst
    beyond: tuple[str, ...] = field(default=())  # columns farther off than real parts ever are


@dataclass(frozen=True)
class Nearness:
    """How near made rows lie to training rows; of the same, held-out rows' own rate."""

    copies: float  # the share that equals a training row, cell for cell
    natural_copies: float
    near_copies: float  # the share that lies as near as the nearest hundredth of held-out rows
    natural_near_copies: float  # a hundredth, or more where distances are equal
    nearer: float  # the probability to lie nearer than a held-out row; ½ is none


@dataclass(frozen=True)
class Verdict:
    """All that is asked of a made table."""

    told_apart: Score
    longer: Score
    related: Score
    useful: Score  # R² of a number, AUC of a class
    marginals: Marginals
    nearness: Nearness

    def as_record(self) -> dict[str, Any]:
        """Return it as plain values, for a line of JSON."""
        return asdict(self)


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge a file of made rows beside the held-out rows themselves."""
    parser = argparse.ArgumentParser(description="How well made rows stand in for real ones.")
    for name in ("train", "held_out", "made"):
        parser.add_argument(name, help="a CSV file")
    parser.add_argument("--target", required=True, help="the column that is predicted")
    asked = parser.parse_args(arguments)
    train, held_out, made = (pd.read_csv(p) for p in (asked.train, asked.held_out, asked.made))
    split = Split(train, held_out, asked.target)
    print(heading())
    print(line("real test rows", floor(split)))
    print(line("made rows", judge(split, made)))


def split_rows(table: pd.DataFrame, target: str, seed: int = 0) -> Split:
    """Hold out a fifth of the rows, chosen by chance."""
    order = permutation(seed, "table judge", len(table))
    held = round(HELD_OUT * len(table))
    parts = (table.iloc[rows].reset_index(drop=True) for rows in (order[held:], order[:held]))
    train, held_out = parts
    return Split(train, held_out, target)


def judge(split: Split, made: pd.DataFrame, seed: int = 0) -> Verdict:
    """Ask everything of made rows, which must have the columns of the real ones.

    Raises:
        SparringError: the columns differ, or a table has fewer than 20 rows.
    """
    return _verdict(split, made, made, seed)


def floor(split: Split, seed: int = 0) -> Verdict:
    """Ask the same of held-out rows; what is predicted, of trees grown on training rows."""
    return _verdict(split, split.held_out, split.train, seed)


def _verdict(split: Split, made: pd.DataFrame, taught_by: pd.DataFrame, seed: int) -> Verdict:
    return Verdict(
        told_apart(split.train, made, seed=seed),
        told_apart(split.train, made, LONGER, seed=seed),
        told_apart(split.train, made, with_relations=True, seed=seed),
        useful(split, taught_by, seed),
        marginals(split.train, made, seed),
        nearness(split, made, seed),
    )


# Telling apart


def told_apart(
    real: pd.DataFrame,
    made: pd.DataFrame,
    settings: dict[str, Any] | None = None,
    *,
    with_relations: bool = False,
    seed: int = 0,
) -> Score:
    """Return the area under the curve of boosted trees, with DeLong's interval (1988).

    Args:
        real, made: of the longer table some rows are left out.
        settings: of the trees, scikit-learn's own where not given.
        with_relations: whether trees see `relations` beside the columns.
        seed: of rows, halves and trees.
    """
    tables = coded(real, made)
    n = min(JUDGED, *map(len, (real, made))) // 2 * 2
    rows = [
        permutation(seed, f"told apart {place}", len(t.values))[:n] for place, t in _two(tables)
    ]
    sides = [table.values[kept] for table, kept in zip(tables, rows, strict=True)]
    is_category = [not number for number in tables[0].is_number]
    if with_relations:
        clocks = clock_columns(tables[0])
        sides = [np.hstack([side, relations(tables[0], side, real, clocks)]) for side in sides]
        is_category += [False] * (sides[0].shape[1] - len(is_category))
    trees = HistGradientBoostingClassifier(
        categorical_features=is_category, random_state=seed, **settings or {}
    )
    half = n // 2
    trees.fit(np.concatenate([side[:half] for side in sides]), np.repeat([0, 1], half))
    area, variance = delong(*(trees.decision_function(side[half:]) for side in sides))
    reach = quantile(LEVEL) * sqrt(variance)
    return Score(area, max(0.0, area - reach), min(1.0, area + reach))


def _two(tables: Sequence[CodedTable]) -> Iterator[tuple[str, CodedTable]]:
    return zip(("real", "made"), tables, strict=True)


def relations(
    table: CodedTable, values: Floats, real: pd.DataFrame, clocks: Sequence[int]
) -> Floats:
    """Return differences and ratios of numbers, differences of clocks, and parts of times.

    Of more than 20 numbers those with the most values. Clocks are whole numbers like 1745; their
    difference is in minutes, half a day at most. Of a time the day of the week and the second of
    the day.

    Args:
        table: the real one, coded, which decides which columns are held against each other.
        values: cells of either side, (n, d).
        real: the table before it was coded, which knows which columns are times.
        clocks: places of the clocks.
    """
    distinct = [len(np.unique(column)) for column in table.values.T]
    numbers = [j for j, number in enumerate(table.is_number) if number and distinct[j] > 2]
    numbers = sorted(sorted(numbers, key=lambda j: -distinct[j])[:MAX_RELATED])
    found = []
    for i, j in combinations(numbers, 2):
        a, b = values[:, i], values[:, j]
        found += [a - b, np.divide(a, b, out=np.full(len(a), np.nan), where=b != 0)]
        if i in clocks and j in clocks:
            found.append((_minutes(a) - _minutes(b) + 720) % 1440 - 720)
    for j, name in enumerate(real.columns):
        if pd.api.types.is_datetime64_any_dtype(real[name].dtype):
            days, seconds = np.divmod(values[:, j], 86_400)
            found += [days % 7, seconds]
    return np.stack(found, 1) if found else np.empty((len(values), 0))


def clock_columns(table: CodedTable) -> list[int]:
    """Return the places of columns that hold times of day as whole numbers: 5, 1745, 2400."""
    places = []
    for j, (column, number) in enumerate(zip(table.values.T, table.is_number, strict=True)):
        known = np.unique(column[~np.isnan(column)]) if number else np.empty(0)
        whole = len(known) > 100 and bool((known == np.round(known)).all())
        if whole and known[0] >= 0 and 1300 <= known[-1] <= 2400 and (known % 100 < 60).all():
            places.append(j)
    return places


def _minutes(clock: Floats) -> Floats:
    return clock // 100 * 60 + clock % 100


# What rows teach


def useful(split: Split, rows: pd.DataFrame, seed: int = 0) -> Score:
    """Predict the target of held-out rows by trees grown on rows: R², or AUC of a class.

    Of more than two classes the mean of each against the rest. The interval is by resampling
    held-out rows. A class that the rows do not have counts as never predicted.
    """
    known = [frame[frame[split.target].notna()] for frame in (split.train, split.held_out, rows)]
    _, test, taught_by = coded(*known)
    column = test.names.index(split.target)
    x, y = (np.delete(taught_by.values[:JUDGED], column, 1), taught_by.values[:JUDGED, column])
    tested, truth = np.delete(test.values, column, 1), test.values[:, column]
    is_category = [not number for number in np.delete(np.array(test.is_number), column)]
    if test.is_number[column]:
        model = HistGradientBoostingRegressor(
            categorical_features=is_category, random_state=seed
        ).fit(x, y)
        return _resampled(r2_score, truth, model.predict(tested), seed)
    if len(np.unique(y)) < 2:
        return Score(0.5, 0.5, 0.5)
    classes = np.unique(truth)
    trees = HistGradientBoostingClassifier(categorical_features=is_category, random_state=seed)
    odds = trees.fit(x, y).predict_proba(tested)
    known_odds = dict(zip(trees.classes_, odds.T, strict=True))
    never = np.zeros(len(truth))
    columns = np.stack([known_odds.get(one, never) for one in classes], 1)
    return _resampled(_mean_area, truth, columns, seed)


def _mean_area(truth: Floats, odds: Floats) -> float:
    """Return the mean area of each class against the rest; of two classes both are the same."""
    classes = np.unique(truth)
    areas = [roc_auc_score(truth == one, odds[:, place]) for place, one in enumerate(classes)]
    return float(np.mean(areas[-1:] if len(classes) == 2 else areas))


def _resampled(score: Any, truth: Floats, predicted: Floats, seed: int) -> Score:
    rng = np.random.default_rng(seed)
    value, many = float(score(truth, predicted)), []
    while len(many) < RESAMPLED:
        rows = rng.integers(len(truth), size=len(truth))
        if len(np.unique(truth[rows])) == len(np.unique(truth)) or score is r2_score:
            many.append(score(truth[rows], predicted[rows]))
    low, high = np.quantile(many, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Score(value, min(value, float(low)), max(value, float(high)))


# Columns


def marginals(train: pd.DataFrame, made: pd.DataFrame, seed: int = 0) -> Marginals:
    """Compare every column with the training rows', beside two parts of these with each other.

    Total variation is over cells: each value that a hundredth of the rows hold is one, the other
    numbers fall into ten of equal mass, the other categories into one; missing is one.
    A column is beyond noise where it lies more standard deviations above its mean over 100 splits
    than the worst column of 99 in 100 of these.
    """
    real, fake = coded(train, made)
    n = min(MARGINAL_ROWS, len(made), len(train) // 2)
    rng = np.random.default_rng(seed)
    cells = [
        _cells(*both) for both in zip(real.values.T, fake.values.T, real.is_number, strict=True)
    ]
    some = rng.permutation(len(made))[:n]
    orders = [rng.permutation(len(train)) for _ in range(SPLITS)]
    of_splits = np.array(
        [[_variation(a[o[:n]], a[o[n : 2 * n]]) for a, _ in cells] for o in orders]
    )
    of_made = np.array([_variation(a[orders[0][:n]], b[some]) for a, b in cells])
    mean, deviation = of_splits.mean(0), np.maximum(of_splits.std(0), 1 / n)
    limit = np.quantile(((of_splits - mean) / deviation).max(1), BEYOND)
    beyond = np.flatnonzero((of_made - mean) / deviation > limit)
    worst = int(of_made.argmax())
    smirnov = [
        _smirnov(real.values[orders[0][:n], j], fake.values[some, j])
        for j in np.flatnonzero(real.is_number)
    ]
    return Marginals(
        float(of_made[worst]),
        real.names[worst],
        float(np.quantile(of_splits.max(1), BEYOND)),
        max(smirnov, default=0.0),
        tuple(real.names[j] for j in beyond),
    )


def _cells(real: Floats, made: Floats, number: bool) -> tuple[NDArray[np.int64], ...]:
    """Return the cell of each value of either side; 0 is missing."""
    values, counts = np.unique(real[~np.isnan(real)], return_counts=True)
    frequent = values[counts >= max(MIN_CELL, FREQUENT * len(real))]
    rest = real[~np.isnan(real) & ~np.isin(real, frequent)]
    inner = np.arange(1, BINS) / BINS
    edges = np.unique(np.quantile(rest, inner)) if number and len(rest) else np.empty(0)
    codes = []
    for column in (real, made):
        own = np.searchsorted(frequent, column)
        binned = 1 + len(frequent) + np.searchsorted(edges, np.nan_to_num(column), side="right")
        code = np.where(np.isin(column, frequent), 1 + own, binned)
        codes.append(np.where(np.isnan(column), 0, code))
    return tuple(codes)


def _variation(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    width = int(max(a.max(), b.max())) + 1
    return float(
        np.abs(np.bincount(a, minlength=width) - np.bincount(b, minlength=width)).sum()
    ) / (2 * len(a))


def _smirnov(a: Floats, b: Floats) -> float:
    """Return the largest difference of the distribution functions; missing lies below all."""
    a, b = (np.sort(np.nan_to_num(side, nan=-np.inf)) for side in (a, b))
    ends = np.concatenate([a, b])
    shares = [np.searchsorted(side, ends, side="right") / len(side) for side in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


# Rows


def nearness(split: Split, made: pd.DataFrame, seed: int = 0) -> Nearness:
    """Say how many made rows are copies of training rows or near-copies, and held-out rows so.

    The distance is Euclid's between ranks of numbers, from 0 to 1, and categories, √2 apart where
    they differ; whether a number is missing is a category.
    """
    train, held_out, fake = coded(split.train, split.held_out, made)
    places = [permutation(seed, "nearness", len(t.values))[:PROBED] for t in (held_out, fake)]
    codes = coordinates(train, [held_out.at(places[0]), fake.at(places[1])])
    of_held_out, of_made = (nearest(codes[0], side) for side in codes[1:])
    limit = np.quantile(of_held_out, NEAREST)
    both = np.sign(of_held_out[:, None] - of_made[None])
    return Nearness(
        copied(split.train, made),
        copied(split.train, split.held_out),
        *(float((distances <= limit).mean()) for distances in (of_made, of_held_out)),
        float((both.mean() + 1) / 2),
    )


def copied(train: pd.DataFrame, rows: pd.DataFrame) -> float:
    """Return the share of rows that equal a training row, cell for cell."""
    pool = pd.concat([frame.astype(object) for frame in (train, rows)], ignore_index=True)
    groups = pool.groupby(list(pool.columns), dropna=False, sort=False).ngroup().to_numpy()
    return float(np.isin(groups[len(train) :], groups[: len(train)]).mean())


def coordinates(train: CodedTable, others: Sequence[CodedTable]) -> list[NDArray[np.float32]]:
    """Return the places of all rows in a space whose distances mean the same for every column."""
    parts: list[list[Floats]] = [[] for _ in range(1 + len(others))]
    for j, number in enumerate(train.is_number):
        column = train.values[:, j]
        known = np.sort(column[~np.isnan(column)])
        for part, table in zip(parts, (train, *others), strict=True):
            cells = table.values[:, j]
            if number:
                sides = [np.searchsorted(known, cells, side=s) for s in ("left", "right")]
                rank = (sides[0] + sides[1]) / 2 / max(len(known), 1)
                missing = np.isnan(cells)
                part += [np.where(missing, 0.5, rank), missing.astype(float)]
            else:
                part += [(cells == one).astype(float) for one in np.unique(known)]
    return [np.stack(part, 1).astype(np.float32) for part in parts]


def nearest(train: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distance of each row to its nearest training row."""
    squares = (train**2).sum(1)
    found = []
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        nearest = (squares[None] - 2 * some @ train.T).min(1) + (some**2).sum(1)
        found.append(np.sqrt(np.maximum(nearest, 0)))
    return np.round(np.concatenate(found), 3)  # the product's rounding is no difference


# The table


def heading() -> str:
    """Return the names of the columns that `line` fills."""
    names = ("told apart", "longer trees", "with relations", "useful", "worst marginal (noise)")
    rows = ("copies (natural)", "near-copies (natural)", "nearer")
    return f"{'':26}" + "".join(f"{name:>24}" for name in (*names, *rows))


def line(name: str, verdict: Verdict) -> str:
    """Return one line of the table."""
    marginal, near = verdict.marginals, verdict.nearness
    scores = (verdict.told_apart, verdict.longer, verdict.related, verdict.useful)
    cells = [
        *map(str, scores),
        f"{marginal.total_variation:.3f} ({marginal.noise:.3f})",
        f"{near.copies:.2%} ({near.natural_copies:.2%})",
        f"{near.near_copies:.1%} ({near.natural_near_copies:.1%})",
        f"{near.nearer:.3f}",
    ]
    return f"{name:26}" + "".join(f"{cell:>24}" for cell in cells)


if __name__ == "__main__":
    main()
