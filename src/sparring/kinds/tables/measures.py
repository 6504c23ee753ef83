"""What tables are measured by: encoded columns, and the rows themselves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.features.components import COORDINATES, OF_COORDINATES, coordinates
from sparring.features.extractor import Extractor, Extractors, Features, spread
from sparring.features.reference import ReferenceSet, shuffled
from sparring.kinds.kind import EvaluatedRun
from sparring.kinds.tables.card import (
    MAX_ROWS,
    Rows,
    first_columns,
    measure_last_word,
    measure_nearness,
    measure_rows,
)
from sparring.kinds.tables.cells import cells
from sparring.kinds.tables.codec import encode, frame_of
from sparring.kinds.tables.columns import Frame, as_numbers
from sparring.kinds.tables.last_word import given_away_by, told_apart
from sparring.kinds.tables.metrics import coded
from sparring.kinds.tables.spec import TableSpec
from sparring.metrics.exchangeable import MIN_SAMPLES
from sparring.metrics.line import CardLine

EXTRACTORS = {COORDINATES: OF_COORDINATES}
MAX_SAMPLES = 10_000


def default_extractor(data: Dataset) -> str:
    """Return the one that there is."""
    return COORDINATES


def build_extractor(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return the standardised encoded columns."""
    of_encoded = coordinates(_encoded(data.items[spread(data.train)], data.spec))
    return replace(of_encoded, run=lambda items: of_encoded.run(_encoded(items, data.spec)))


def _encoded(items: NDArray[Any], spec: Any) -> Features:
    return encode(torch.from_numpy(np.array(items)), spec).numpy()


def with_companions(extractor: Extractor, data: Dataset, cache: Path) -> Extractors:
    """Return the extractor, and the cells themselves, by which copying is judged."""
    spec = data.spec
    assert isinstance(spec, TableSpec)
    return Extractors(extractor, extractor if extractor.is_fixed else cells(data.items, spec), None)


def card_lines(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield what rows, columns and pairs of columns tell; draw the last two."""
    spec: TableSpec = run.spec
    rows = _rows(run, spec)
    _draw(run, rows, spec)
    yield from measure_rows(rows, spec, run.begin, run.note, lambda: _last_word(run, spec))
    yield from _nearness(run, spec)


def _last_word(run: EvaluatedRun, spec: TableSpec) -> Iterator[CardLine]:
    """Yield what the run's own discriminator says of samples, where real rows are new to it."""
    trained, reference = run.trained, run.reference
    if trained is None or trained.discriminator is None:
        return
    if reference.part != "all" and reference.data is not trained.data:
        run.note("the run's own discriminator says nothing of rows: it knows those that judge")
        return
    real, train, fake = (
        torch.from_numpy(np.array(items))
        for items in (
            reference.shuffled_items(MAX_ROWS),
            ReferenceSet(trained.data, "train").shuffled_items(MAX_ROWS),
            run.fake[:MAX_ROWS],
        )
    )
    discriminator = trained.discriminator()
    told, truth = (told_apart(discriminator, spec, real, side) for side in (fake, train))
    columns = given_away_by(discriminator, spec, real, fake)
    yield from measure_last_word(told, truth, columns, run.note)


def _nearness(run: EvaluatedRun, spec: TableSpec) -> Iterator[CardLine]:
    """Yield what samples give away of training rows, beside rows that were never trained on."""
    trained, unseen = run.train, run.reference
    if run.trained is not None and run.reference.part != "all":
        data = run.trained.data
        trained, unseen = ReferenceSet(data, "train"), ReferenceSet(data, "held_out")
    unseen = replace(unseen, whole=True)  # as what was trained on is: groups change sides whole
    if trained is None or min(map(len, (unseen.index(), run.fake))) < MIN_SAMPLES:
        return
    sides = [of.shuffled_items(MAX_ROWS) for of in (trained, unseen)]
    look = cells(np.concatenate(sides), spec).run
    train, judge = (look(side).astype(np.float64) for side in sides)
    fake = look(run.fake[:MAX_ROWS]).astype(np.float64)
    yield from measure_nearness(fake, train, judge, _owners(trained, unseen), run.begin)


def _owners(trained: ReferenceSet, unseen: ReferenceSet) -> tuple[ArrayLike, ArrayLike] | None:
    """Return which of the rows looked at belong together, numbered apart on either side."""
    if trained.data.groups is None and unseen.data.groups is None:
        return None
    first, second = (
        rows if of.data.groups is None else of.data.groups[rows]
        for of in (trained, unseen)
        for rows in [shuffled(of.index())[:MAX_ROWS]]
    )
    return first, -1 - second


def _rows(run: EvaluatedRun, spec: TableSpec) -> Rows:
    """Return the learned columns of rows of each sort, at most 10,000, as data frames."""
    names = [column.name for column in spec.shown]
    train = _cells(run.train, spec)[names] if run.train else None
    fake = _cells(run.given, spec) if run.given else frame_of(run.fake[:MAX_SAMPLES], spec)
    fake = fake[names]
    held_out = _cells(run.reference, spec)[names]
    sides = (
        side if side is None else as_numbers(side, spec.shown) for side in (train, held_out, fake)
    )
    return Rows(*sides)


def _cells(of: ReferenceSet, spec: TableSpec) -> Frame:
    """Return real rows in random order as they came, also what the code has no place for."""
    if of.data.originals is None:
        return frame_of(of.shuffled_items(MAX_SAMPLES), spec)
    chosen = shuffled(of.index())[:MAX_SAMPLES]
    return of.data.originals.iloc[chosen].reset_index(drop=True)


def _draw(run: EvaluatedRun, rows: Rows, spec: TableSpec) -> None:
    """Draw real rows and samples as `evaluation-columns.png` and `-associations.png`."""
    from sparring.kinds.tables.figures import draw_associations, draw_columns

    run.picture("evaluation-columns.png", lambda: draw_columns(spec, rows.held_out, rows.fake))
    compared = first_columns(rows)
    tables = coded(compared.held_out.head(MAX_ROWS), compared.fake.head(MAX_ROWS))
    run.picture("evaluation-associations.png", lambda: draw_associations(*tables))
