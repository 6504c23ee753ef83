"""What trained models say of a synthetic table, and the trivial generators it must be held against.

Inside: the two-sample test by boosted trees, models trained on synthetic and tested on real rows,
independently shuffled columns and sequential trees. Not: distances without a model, see `tables`.

Sequential trees come closer to the data than any adversarial network, within seconds, because they
hand out the data's own cells; they repeat whole training rows many times more often than chance
does. A network is worth its cost only for what they cannot do.
"""

from importlib import import_module
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import mannwhitneyu
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.tree import DecisionTreeRegressor

from sparring.draws import permutation
from sparring.errors import SparringError, nearest
from sparring.kinds.tables.metrics import Frame, coded
from sparring.metrics.classifier import delong
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.marginals import CodedTable, Codes, Floats
from sparring.metrics.normal import quantile

TREES = 100
MIN_LEAF = 5  # rows that a leaf of the sequential trees keeps at least (Reiter 2005)
RESAMPLED = 500
DOUBLED = 1.1  # times as far that an area must lie for twice its p-value to be as small


class Useful(NamedTuple):
    """How well real held-out rows are predicted after training on each table."""

    synthetic: dict[str, Estimate]
    real: dict[str, Estimate]


def table_c2st(real: Frame, fake: Frame, *, level: float = LEVEL, seed: int = 0) -> Estimate:
    """Test whether boosted trees tell fake rows from real ones that neither has seen.

    The area under the curve is ½ at p = q. Each half of the rows is judged by trees grown on the
    other. The two areas depend on each other in a way that is not known: the standard deviation of
    their mean is bounded by the mean of theirs (DeLong 1988), and the p-value is twice the mean of
    theirs (Rüschendorf 1982), so both are on the safe side.

    Args:
        real: rows that the generator was *not* trained on.
        fake: its rows; of the larger table some are left out, so that there are as many of both.
        level: of the interval.
        seed: of the halves and of the trees.

    Raises:
        SparringError: the columns differ, or a table has fewer than 20 rows; a level that
            is not between 0 and 1.
    """
    z = quantile(level)
    tables = coded(real, fake)
    n = min(len(real), len(fake)) // 2 * 2
    x, y = (
        t.values[permutation(seed, f"table classifier, {name}", len(t.values))[:n]]
        for name, t in zip(("real", "fake"), tables, strict=True)
    )
    areas, deviations, p_values = zip(*_crossed(x, y, tables[0], seed), strict=True)
    value, deviation = float(np.mean(areas)), float(np.mean(deviations))
    inside = min(max(value, 0.5 / n), 1 - 0.5 / n)
    deviation = max(deviation, 1 / n)  # where all pairs agree there is variance yet
    reach = z * deviation / (inside * (1 - inside))
    low, high = (float(expit(logit(inside) + sign * reach)) for sign in (-1, 1))
    method = f"boosted trees, two halves of {n} rows a side; DeLong"
    p_value = min(1.0, 2 * float(np.mean(p_values)))
    null = Null(0.5, DOUBLED * sqrt((n + 1) / (3 * n**2)), 1.0)  # of half the rows a side
    return Estimate(value, min(low, value), max(high, value), n, method, level, p_value, null)


def _crossed(
    x: Floats, y: Floats, table: CodedTable, seed: int
) -> list[tuple[float, float, float]]:
    """Return the area, its standard deviation and p-value of either half."""
    half, halves = len(x) // 2, []
    for fitted, scored in ((slice(half), slice(half, None)), (slice(half, None), slice(half))):
        trees = _classifier(table.is_number, seed)
        trees.fit(np.concatenate([x[fitted], y[fitted]]), np.repeat([0, 1], half))
        a, b = (trees.decision_function(side[scored]) for side in (x, y))
        area, variance = delong(a, b)
        p_value = float(mannwhitneyu(b, a, alternative="greater").pvalue)
        halves.append((area, sqrt(variance), p_value))
    return halves


def _classifier(is_number: tuple[bool, ...], seed: int) -> Any:
    return HistGradientBoostingClassifier(
        max_iter=TREES,
        early_stopping=False,
        categorical_features=[not number for number in is_number],
        random_state=seed,
    )


def usefulness(
    train: Frame, held_out: Frame, fake: Frame, target: str, *, level: float = LEVEL, seed: int = 0
) -> Useful:
    """Predict a column of held-out rows by trees grown on synthetic rows, and on real ones.

    `r2` for a number, `accuracy` and `macro_f1` for a category, of two categories `auc` too. Rows
    without the target are left out. Intervals are by resampling the held-out rows (of `auc` by
    DeLong 1988): they are of these trained models.

    Raises:
        SparringError: the column is missing, or the only one, or has nothing to learn; the columns
            differ, or a table has fewer than 20 rows; a level that is not between 0 and 1.
    """
    quantile(level)
    tables = coded(train, held_out, fake)
    names = tables[0].names
    if target not in names:
        raise SparringError(f"the table has no column '{target}'{nearest(target, names)}")
    if len(names) < 2:
        raise SparringError("a table of one column has no other to predict it from")
    column = names.index(target)
    complete = [t.at(np.flatnonzero(~np.isnan(t.values[:, column]))) for t in tables]
    for name, table in zip(("training", "held-out", "synthetic"), complete, strict=True):
        if len(np.unique(table.values[:, column])) < 2:
            raise SparringError(
                f"column '{target}' of the {name} rows has fewer than two values; "
                f"expected a column that varies"
            )
    real_train, test, synthetic = complete
    return Useful(
        *(_predicted(side, test, column, level, seed) for side in (synthetic, real_train))
    )


def _predicted(
    fitted: CodedTable, test: CodedTable, column: int, level: float, seed: int
) -> dict[str, Estimate]:
    trees = _model(fitted, column, seed)
    prediction = trees.predict(np.delete(test.values, column, 1))
    truth = test.values[:, column]
    score = _r2 if fitted.is_number[column] else _right
    rng = np.random.default_rng(seed)
    rows = [rng.integers(len(truth), size=len(truth)) for _ in range(RESAMPLED)]
    resampled = [score(truth[r], prediction[r]) for r in rows]
    method = f"boosted trees grown on {len(fitted.values)} rows; {RESAMPLED} resamplings"
    scores = {}
    for name, value in score(truth, prediction).items():
        ends = np.quantile(
            [scores_of_one[name] for scores_of_one in resampled], [(1 - level) / 2, (1 + level) / 2]
        )
        low, high = min(value, float(ends[0])), max(value, float(ends[1]))
        scores[name] = Estimate(value, low, high, len(truth), method, level)
    if not fitted.is_number[column] and len(trees.classes_) == 2 == len(np.unique(truth)):
        scores["auc"] = _auc(
            trees.decision_function(np.delete(test.values, column, 1)), truth, level
        )
    return scores


def _auc(margin: Floats, truth: Floats, level: float) -> Estimate:
    negative, positive = (margin[truth == side] for side in np.unique(truth))
    value, variance = delong(negative, positive)
    reach = quantile(level) * sqrt(variance)
    low, high = max(0.0, value - reach), min(1.0, value + reach)
    return Estimate(value, low, high, len(truth), "DeLong", level)


def _model(fitted: CodedTable, column: int, seed: int) -> Any:
    others = tuple(np.delete(np.array(fitted.is_number), column).tolist())
    if not fitted.is_number[column]:
        trees = _classifier(others, seed)
    else:
        trees = HistGradientBoostingRegressor(
            max_iter=TREES,
            early_stopping=False,
            categorical_features=[not number for number in others],
            random_state=seed,
        )
    features = np.delete(fitted.values, column, 1)
    features[:, np.isnan(features).all(0)] = 0  # trees refuse columns without a value
    return trees.fit(features, fitted.values[:, column])


def _r2(truth: Floats, prediction: Floats) -> dict[str, float]:
    spread = float(((truth - truth.mean()) ** 2).sum())
    return {"r2": 1 - float(((truth - prediction) ** 2).sum()) / spread if spread else 0.0}


def _right(truth: Floats, prediction: Floats) -> dict[str, float]:
    """Return the share that is right, and F1 = 2 tp / (2 tp + fp + fn), the mean over classes."""
    classes, places = np.unique(np.concatenate([truth, prediction]), return_inverse=True)
    right = places[: len(truth)][truth == prediction]
    true_positives = np.bincount(right, minlength=len(classes))
    f1 = 2 * true_positives / np.bincount(places)
    return {"accuracy": len(right) / len(truth), "macro_f1": float(f1.mean())}


def shuffled_columns(train: Frame, *, seed: int = 0) -> Frame:
    """Return the table with every column shuffled by itself: right columns, no relation."""
    order = {
        name: permutation(seed, f"shuffled column {place}", len(train))
        for place, name in enumerate(train.columns)
    }
    return _taken(train, order)


def sequential_trees(train: Frame, rows: int, *, seed: int = 0) -> Frame:
    """Draw a table column by column, each cell from the leaf of a tree on the columns before.

    The first column is drawn from the table's own; categories stand in a tree's questions by their
    frequency (Reiter 2005, section 2).

    Raises:
        SparringError: fewer than 20 rows of training.
    """
    (table,) = coded(train)
    rng = np.random.default_rng(seed)
    filled = np.where(np.isnan(table.values), -1e30, table.values)
    drawn = np.empty((rows, filled.shape[1]))
    donors: dict[Any, Codes] = {}
    for place, name in enumerate(train.columns):
        if place == 0:
            donor = rng.integers(len(filled), size=rows)
        else:
            donor = _from_leaves(filled[:, : place + 1], drawn[:, :place], rng)
        donors[name], drawn[:, place] = donor, filled[donor, place]
    return _taken(train, donors)


def _from_leaves(table: Floats, before: Floats, rng: np.random.Generator) -> Codes:
    """Return for each row a training row, at random from the leaf that the row falls into."""
    ranks = np.unique(table[:, -1], return_inverse=True)[1]  # no outlier rules the splits
    tree = DecisionTreeRegressor(min_samples_leaf=MIN_LEAF, random_state=0)
    tree.fit(table[:, :-1], ranks)
    owner, leaf = tree.apply(table[:, :-1]), tree.apply(before)
    order = np.argsort(owner, kind="stable")
    start = np.searchsorted(owner[order], leaf)
    size = np.searchsorted(owner[order], leaf, side="right") - start
    chosen: NDArray[np.int64] = order[start + (rng.random(len(leaf)) * size).astype(np.int64)]
    return chosen


def _taken(train: Frame, donors: dict[Any, Codes]) -> Frame:
    pandas = import_module("pandas")
    columns = {name: train[name].iloc[r].reset_index(drop=True) for name, r in donors.items()}
    return pandas.DataFrame(columns)
