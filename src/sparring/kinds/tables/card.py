"""What the card of a table says beside the features' metrics: rows, columns, pairs, usefulness.

Inside: which measurements, on how many rows, beside which trivial generators, and the words. Not
inside: the measurements (`metrics`, `models`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from sparring.errors import SparringError
from sparring.kinds.tables.metrics import association_gap, coded, copies
from sparring.kinds.tables.models import sequential_trees, shuffled_columns, table_c2st, usefulness
from sparring.kinds.tables.spec import TableSpec
from sparring.metrics.estimate import Estimate
from sparring.metrics.line import CardLine, Note
from sparring.metrics.marginals import ComparedDistance, marginal_distances

MAX_ROWS = 5_000  # rows of each side that models are trained on or tested with
MAX_COLUMNS = 30  # that are compared one by one and in pairs
MAX_TRIED = 12  # columns as targets; of these the most predictable are told
MAX_TARGETS = 2  # numbers, and as many categories, that models predict
MAX_TARGET_CATEGORIES = 20  # categories of a target
PERMUTATIONS = 199
MAX_PERMUTATIONS = 3_000
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


def measure_rows(
    rows: Rows, spec: TableSpec, begin: Callable[[str], None], note: Note
) -> Iterator[CardLine]:
    """Yield the lines of the card; what these rows do not allow is left out, with a note why.

    Args:
        rows: in no particular order; of the held-out ones and samples 5,000 are used by models.
        spec: of the table.
        begin: called with the name of each measurement in turn.
        note: called with what people should know beside the lines.
    """
    first = first_columns(rows)
    if (count := len(rows.train.columns)) > MAX_COLUMNS:
        note(f"columns and pairs are of the first {MAX_COLUMNS} of {count:,} columns")
    steps: tuple[tuple[str, Callable[[], Iterator[CardLine]]], ...] = (
        ("boosted trees", lambda: _told_apart(rows)),
        ("columns", lambda: _columns(first)),
        ("pairs of columns", lambda: _pairs(first)),
        ("usefulness", lambda: _useful(rows, spec, note)),
        ("copies", lambda: _copied(rows)),
    )
    for name, lines in steps:
        begin(name)
        try:
            with threadpool_limits(1):  # trees this small wait longer for threads than they grow
                measured = list(lines())
        except SparringError as error:
            note(f"{name} are left out: {error}")
        else:
            yield from measured
    note(PRIVACY)


def first_columns(rows: Rows) -> Rows:
    """Return no more columns than can be compared one by one and in pairs."""
    return Rows(*(frame.iloc[:, :MAX_COLUMNS] for frame in rows))


def _told_apart(rows: Rows) -> Iterator[CardLine]:
    held_out, fake = (frame.head(MAX_ROWS) for frame in (rows.held_out, rows.fake))
    truth = table_c2st(held_out, rows.train.head(MAX_ROWS))
    yield CardLine(
        "table_c2st", "told from real, AUC", table_c2st(held_out, fake), _plain(truth), "lower"
    )


def _columns(rows: Rows) -> Iterator[CardLine]:
    """Yield the column that is worst, its p-value corrected for their number (Bonferroni)."""
    tables = coded(rows.held_out.head(MAX_ROWS), rows.fake.head(MAX_ROWS))
    enough = min(150 * len(tables[0].names), MAX_PERMUTATIONS)  # for p < 0.01 once corrected
    distances = marginal_distances(*tables, permutations=enough)
    excess = {name: d.estimate.value - d.mean_under_null for name, d in distances.items()}
    name = max(excess, key=lambda name: excess[name])
    worst = distances[name].estimate
    p_value = min(1.0, len(distances) * (worst.p_value or 0.0))
    yield CardLine(
        "worst_column",
        f"worst column: {name}"[:26],
        replace(worst, p_value=p_value),
        _under_null(distances[name]),
        "lower",
    )


def _pairs(rows: Rows) -> Iterator[CardLine]:
    held_out, fake = (frame.head(MAX_ROWS) for frame in (rows.held_out, rows.fake))
    gap = association_gap(*coded(held_out, fake), permutations=PERMUTATIONS)
    yield CardLine("associations", "association gap", gap.estimate, _under_null(gap), "lower")


def _useful(rows: Rows, spec: TableSpec, note: Note) -> Iterator[CardLine]:
    """Yield how well trees trained on samples predict held-out rows, beside real training rows.

    The columns are those of the first twelve that the others tell most of.
    """
    train, held_out, fake = (frame.head(MAX_ROWS) for frame in rows)
    predicted = []
    for column in spec.learned[:MAX_TRIED]:
        if column.is_number or 2 <= len(column.labels) <= MAX_TARGET_CATEGORIES:
            scores = usefulness(train, held_out, fake, column.name)
            score = next(name for name in SCORES if name in scores.real.keys() & scores.synthetic)
            predicted.append((column, score, scores.synthetic[score], scores.real[score]))
    for number in (True, False):
        ranked = sorted(
            (target for target in predicted if target[0].is_number is number),
            key=lambda target: -target[3].value,
        )
        for column, score, synthetic, real in ranked[:MAX_TARGETS]:
            name = f"{SCORES[score]} of {column.name}"
            yield CardLine(f"useful_{column.name}", name[:26], synthetic, real, "as real")
            note(_trivial(column.name, score, train, held_out))


def _trivial(target: str, score: str, train: Frame, held_out: Frame) -> str:
    """Say what a model is worth that was trained on rows of the two trivial generators."""
    worth = []
    for trivial in (shuffled_columns(train), sequential_trees(train, len(train))):
        scores = usefulness(train, held_out, trivial, target).synthetic
        worth.append(scores[score].value if score in scores else 0.5)
    return (
        f"{target}: trained on independently shuffled columns {worth[0]:.3f}, on sequential "
        f"trees, which hand out the data's own cells, {worth[1]:.3f}"
    )


def _copied(rows: Rows) -> Iterator[CardLine]:
    copied = copies(rows.train, rows.fake)
    yield CardLine("copies", "rows equal to training", copied.synthetic, copied.natural, "as real")


def _plain(estimate: Estimate) -> Estimate:
    return replace(estimate, p_value=None)


def _under_null(compared: ComparedDistance) -> Estimate:
    mean, n = compared.mean_under_null, compared.estimate.n
    return Estimate(mean, mean, mean, n, "mean of the permutations")
