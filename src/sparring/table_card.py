"""What the card of a table says beside the features' metrics: rows, columns, pairs, usefulness.

Inside: which measurements, on how many rows, beside which trivial generators, and the words. Not
inside: the measurements (`metrics.tables`, `metrics.table_models`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from sparring.errors import SparringError
from sparring.evaluation import Line, Tell
from sparring.metrics.estimate import Estimate
from sparring.metrics.table_models import (
    sequential_trees,
    shuffled_columns,
    table_c2st,
    usefulness,
)
from sparring.metrics.tables import (
    Compared,
    association_gap,
    coded,
    copies,
    marginal_distances,
)
from sparring.spec import TableSpec

MOST = 5_000  # rows of each side that models are trained on or tested with
MOST_COLUMNS = 30  # that are compared one by one and in pairs
TRIED = 12  # as targets; of these the most predictable are told
TARGETS = 2  # numbers, and as many categories, that models predict
LARGEST_TARGET = 20  # categories of a target
PERMUTATIONS = 199
MOST_PERMUTATIONS = 3_000
SCORES = {"r2": "R²", "auc": "AUC", "accuracy": "accuracy"}  # the first that there is
PRIVACY = (
    "equal rows and nearness to training rows are tested; that proves no privacy: whoever needs "
    "a guarantee needs training with differential privacy, which this is not"
)
Frame = Any


class Rows(NamedTuple):
    """Learned columns of rows that were trained on, of rows that were not, and of samples."""

    train: Frame
    held_out: Frame
    fake: Frame


def measure_rows(rows: Rows, spec: TableSpec, tell: Tell, skip: Tell) -> Iterator[Line]:
    """Yield the lines of the card; what these rows do not allow is left out, and `skip` told why.

    Args:
        rows: in no particular order; of the held-out ones and samples 5,000 are used by models.
        spec: of the table.
        tell: told the name of each measurement in turn.
        skip: told what people should know beside the lines.
    """
    some = first_columns(rows)
    if (count := len(rows.train.columns)) > MOST_COLUMNS:
        skip(f"columns and pairs are of the first {MOST_COLUMNS} of {count:,} columns")
    steps: tuple[tuple[str, Callable[[], Iterator[Line]]], ...] = (
        ("boosted trees", lambda: _told_apart(rows)),
        ("columns", lambda: _columns(some)),
        ("pairs of columns", lambda: _pairs(some)),
        ("usefulness", lambda: _useful(rows, spec, skip)),
        ("copies", lambda: _copied(rows)),
    )
    for name, lines in steps:
        tell(name)
        try:
            with threadpool_limits(1):  # trees this small wait longer for threads than they grow
                found = list(lines())
        except SparringError as error:
            skip(f"{name} are left out: {error}")
        else:
            yield from found
    skip(PRIVACY)


def first_columns(rows: Rows) -> Rows:
    """Return no more columns than can be compared one by one and in pairs."""
    return Rows(*(frame.iloc[:, :MOST_COLUMNS] for frame in rows))


def _told_apart(rows: Rows) -> Iterator[Line]:
    held_out, fake = (frame.head(MOST) for frame in (rows.held_out, rows.fake))
    truth = table_c2st(held_out, rows.train.head(MOST))
    yield Line(
        "table_c2st", "told from real, AUC", table_c2st(held_out, fake), _plain(truth), "lower"
    )


def _columns(rows: Rows) -> Iterator[Line]:
    """Yield the column that is worst, its p-value corrected for their number (Bonferroni)."""
    tables = coded(rows.held_out.head(MOST), rows.fake.head(MOST))
    enough = min(150 * len(tables[0].names), MOST_PERMUTATIONS)  # for p < 0.01 once corrected
    found = marginal_distances(*tables, permutations=enough)
    name = max(found, key=lambda one: found[one].found.value - found[one].at_best)
    worst = found[name].found
    p_value = min(1.0, len(found) * (worst.p_value or 0.0))
    yield Line(
        "worst_column",
        f"worst column: {name}"[:26],
        replace(worst, p_value=p_value),
        _at_best(found[name]),
        "lower",
    )


def _pairs(rows: Rows) -> Iterator[Line]:
    held_out, fake = (frame.head(MOST) for frame in (rows.held_out, rows.fake))
    found = association_gap(*coded(held_out, fake), permutations=PERMUTATIONS)
    yield Line("associations", "association gap", found.found, _at_best(found), "lower")


def _useful(rows: Rows, spec: TableSpec, skip: Tell) -> Iterator[Line]:
    """Yield how well trees trained on samples predict held-out rows, beside real training rows.

    The columns are those of the first twelve that the others tell most of.
    """
    train, held_out, fake = (frame.head(MOST) for frame in rows)
    told = []
    for column in spec.learned[:TRIED]:
        if column.is_number or 2 <= len(column.labels) <= LARGEST_TARGET:
            scores = usefulness(train, held_out, fake, column.name)
            score = next(name for name in SCORES if name in scores.real)
            told.append((column, score, scores.synthetic[score], scores.real[score]))
    for number in (True, False):
        best = sorted(
            (one for one in told if one[0].is_number is number), key=lambda one: -one[3].value
        )
        for column, score, synthetic, real in best[:TARGETS]:
            name = f"{SCORES[score]} of {column.name}"
            yield Line(f"useful_{column.name}", name[:26], synthetic, real, "as real")
            skip(_trivial(column.name, score, train, held_out))


def _trivial(target: str, score: str, train: Frame, held_out: Frame) -> str:
    """Say what a model is worth that was trained on rows of the two trivial generators."""
    worth = []
    for made in (shuffled_columns(train), sequential_trees(train, len(train))):
        found = usefulness(train, held_out, made, target).synthetic
        worth.append(found[score].value if score in found else 0.5)
    return (
        f"{target}: trained on independently shuffled columns {worth[0]:.3f}, on sequential "
        f"trees, which hand out the data's own cells, {worth[1]:.3f}"
    )


def _copied(rows: Rows) -> Iterator[Line]:
    found = copies(rows.train, rows.fake)
    yield Line("copies", "rows equal to training", found.synthetic, found.natural, "as real")


def _plain(estimate: Estimate) -> Estimate:
    return replace(estimate, p_value=None)


def _at_best(compared: Compared) -> Estimate:
    found, mean = compared.found, compared.at_best
    return Estimate(mean, mean, mean, found.n, "mean of the permutations")
