"""What the card of a table says beside the features' metrics: rows, columns, pairs, usefulness.

Inside: which measurements, on how many rows, beside which trivial generators, and the words. Not
inside: the measurements (`metrics`, `models`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from sparring.errors import SparringError
from sparring.kinds.tables.metrics import association_gap, coded, copies
from sparring.kinds.tables.models import sequential_trees, shuffled_columns, table_c2st, usefulness
from sparring.kinds.tables.spec import TableSpec
from sparring.metrics.arrays import Features
from sparring.metrics.estimate import Estimate
from sparring.metrics.kernels import kid
from sparring.metrics.line import CardLine, Note
from sparring.metrics.marginals import ComparedDistance, farthest, marginal_distances
from sparring.metrics.membership import closest_record, membership_attack

MAX_ROWS = 5_000  # rows of each side that models are trained on or tested with
MAX_COLUMNS = 30  # that are compared one by one and in pairs
MAX_TRIED = 12  # columns as targets; of these the most predictable are told
MAX_TARGETS = 2  # numbers, and as many categories, that models predict
MAX_TARGET_CATEGORIES = 20  # categories of a target
PERMUTATIONS = 199
PERMUTATIONS_OF_COLUMNS = 999
SCORES = {"r2": "R²", "auc": "AUC", "accuracy": "accuracy"}  # the first that there is
PRIVACY = (
    "equal rows, nearness and one attack are tested; that proves no privacy: whoever needs "
    "a guarantee needs training with differential privacy, which this is not"
)
ATTACK = "membership attack, AUC"
Frame = Any
Lines = Callable[[], Iterator[CardLine]]


class Rows(NamedTuple):
    """Learned columns of rows that were trained on, of rows that were not, and of samples."""

    train: Frame | None  # where it is known
    held_out: Frame
    fake: Frame


def measure_rows(
    rows: Rows,
    spec: TableSpec,
    begin: Callable[[str], None],
    note: Note,
    discriminator: Lines | None = None,
) -> Iterator[CardLine]:
    """Yield the lines of the card; what these rows do not allow is left out, with a note why.

    Args:
        rows: in no particular order; of the held-out ones and samples 5,000 are used by models.
        spec: of the table.
        begin: called with the name of each measurement in turn.
        note: called with what people should know beside the lines.
        discriminator: what yields the lines of the run's own, if it is there.
    """
    first = first_columns(rows)
    if (count := len(rows.fake.columns)) > MAX_COLUMNS:
        note(f"columns and pairs are of the first {MAX_COLUMNS} of {count:,} columns")
    steps: tuple[tuple[str, Lines], ...] = (
        ("boosted trees", lambda: _told_apart(rows)),
        ("the discriminator", discriminator or (lambda: iter(()))),
        ("columns", lambda: _columns(first)),
        ("pairs of columns", lambda: _pairs(first)),
        ("usefulness", lambda: _useful(rows, spec, note)),
        ("copies", lambda: _copied(rows)),
    )
    for name, lines in steps if rows.train is not None else steps[:-1]:
        begin(name)
        try:
            with threadpool_limits(1):  # trees this small wait longer for threads than they grow
                measured = list(lines())
        except SparringError as error:
            note(f"lines on {name} are left out: {error}")
        else:
            yield from measured
    if rows.train is not None:
        note(PRIVACY)


def first_columns(rows: Rows) -> Rows:
    """Return no more columns than can be compared one by one and in pairs."""
    return Rows(*(frame if frame is None else frame.iloc[:, :MAX_COLUMNS] for frame in rows))


def _told_apart(rows: Rows) -> Iterator[CardLine]:
    held_out, fake = (frame.head(MAX_ROWS) for frame in (rows.held_out, rows.fake))
    truth = None if rows.train is None else _plain(table_c2st(held_out, rows.train.head(MAX_ROWS)))
    yield CardLine(
        "table_c2st", "told by boosted trees, AUC", table_c2st(held_out, fake), truth, "lower"
    )


def _columns(rows: Rows) -> Iterator[CardLine]:
    """Yield the column that is worst, tested as the worst of all."""
    tables = coded(rows.held_out.head(MAX_ROWS), rows.fake.head(MAX_ROWS))
    name, worst = farthest(marginal_distances(*tables, permutations=PERMUTATIONS_OF_COLUMNS))
    yield CardLine(
        "worst_column", f"worst column: {name}"[:26], worst.estimate, _under_null(worst), "lower"
    )


def _pairs(rows: Rows) -> Iterator[CardLine]:
    held_out, fake = (frame.head(MAX_ROWS) for frame in (rows.held_out, rows.fake))
    gap = association_gap(*coded(held_out, fake), permutations=PERMUTATIONS)
    yield CardLine("associations", "association gap", gap.estimate, _under_null(gap), "lower")


def _useful(rows: Rows, spec: TableSpec, note: Note) -> Iterator[CardLine]:
    """Yield how well trees trained on samples predict held-out rows, beside real training rows.

    The columns are those of the first twelve that the others tell most of. Where nobody says what
    was trained on, one half of the real rows stands in for it, and as many samples are used.
    """
    train, held_out, fake = _taught(rows)
    predicted = []
    for column in spec.shown[:MAX_TRIED]:
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


def _taught(rows: Rows) -> tuple[Frame, Frame, Frame]:
    """Return real rows and samples that models learn from, real rows between them to predict."""
    if rows.train is not None:
        return tuple(frame.head(MAX_ROWS) for frame in (rows.train, rows.held_out, rows.fake))
    half = min(len(rows.held_out) // 2, MAX_ROWS)
    return rows.held_out[:half], rows.held_out[half : 2 * half], rows.fake[:half]


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
    assert rows.train is not None
    copied = copies(rows.train, rows.fake)
    yield CardLine(
        "copies",
        "rows equal to training",
        _plain(copied.synthetic),
        copied.natural,
        "as real",
        reason="a count; its test is that of 'copies training data'",
    )


def measure_last_word(
    told: Estimate, truth: Estimate | None, columns: Sequence[str], note: Note
) -> Iterator[CardLine]:
    """Yield how well the run's own discriminator tells samples, and say by which columns."""
    yield CardLine(
        "discriminator",
        "told by discriminator, AUC",
        told,
        truth,
        "lower",
        reason="the trees' line tests the same; the discriminator says where to look",
    )
    if columns:
        note(f"what gives samples away to the run's own discriminator: {', '.join(columns)}")
    else:
        note("to the run's own discriminator nothing stands out in samples")


def measure_nearness(
    fake: Features,
    train: Features,
    unseen: Features,
    groups: tuple[ArrayLike, ArrayLike] | None,
    begin: Callable[[str], None],
) -> Iterator[CardLine]:
    """Yield how near samples come to training rows, and whether they give away who these are.

    Args:
        fake, train, unseen: cells of samples, of rows that were trained on, and of rows that were
            not, at least 20 of each.
        groups: of training rows and of the others, which belong together; None: each is alone.
        begin: called with the name of the measurement.
    """
    begin("closest records")
    of_fakes, of_unseen = closest_record(fake, train), closest_record(unseen, train)
    for key, name in (("median", "closest record, median"), ("low", "closest record, lowest 5 %")):
        reason = "nearness alone does not tell copies; 'copies training data' does"
        yield CardLine(
            f"closest_{key}", name, of_fakes[key], of_unseen[key], "as real", reason=reason
        )
    attack = membership_attack(fake, train, unseen, groups=groups)
    if kid(unseen, train).low > 0:
        reason = "the rows that judge differ from the training rows themselves"
        yield CardLine("membership", ATTACK, _plain(attack), None, "lower", reason=reason)
        return
    found = "gives away which rows it was trained on"
    yield CardLine("membership", ATTACK, attack, None, "lower", found=found)


def _plain(estimate: Estimate) -> Estimate:
    return replace(estimate, p_value=None)


def _under_null(compared: ComparedDistance) -> Estimate:
    mean, n = compared.mean_under_null, compared.estimate.n
    return Estimate(mean, mean, mean, n, "mean of the permutations")
