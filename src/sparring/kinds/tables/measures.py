"""What tables are measured by: encoded columns, and the rows themselves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.features.components import COORDINATES, OF_COORDINATES, coordinates
from sparring.features.extractor import Extractor, alone, spread
from sparring.kinds.kind import EvaluatedRun
from sparring.kinds.tables.card import MAX_ROWS, Rows, first_columns, measure_rows
from sparring.kinds.tables.codec import frame_of
from sparring.kinds.tables.metrics import coded
from sparring.kinds.tables.spec import TableSpec
from sparring.metrics.line import CardLine
from sparring.metrics.marginals import MIN_ROWS
from sparring.runs.folder import write_bytes
from sparring.sampling import sample

EXTRACTORS = {COORDINATES: OF_COORDINATES}
MAX_SAMPLES = 10_000
SEED = 2  # other latents than those of pictures and of looks while training
with_companions = alone


def default_extractor(data: Dataset) -> str:
    """Return the one that there is."""
    return COORDINATES


def build_extractor(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return the standardised encoded columns."""
    return coordinates(data.items[spread(data.train)])


def card_lines(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield what rows, columns and pairs of columns tell; draw the last two."""
    spec = run.data.spec
    assert isinstance(spec, TableSpec)
    rows = _rows(run, spec)
    _draw(run.folder.samples, rows, spec)
    yield from measure_rows(rows, spec, run.begin, run.note)


def _rows(run: EvaluatedRun, spec: TableSpec) -> Rows:
    """Return the learned columns of rows of each sort, at most 10,000, as data frames.

    A few held-out rows judge better than the training rows themselves.
    """
    reference = run.reference
    if reference.part == "train" and len(reference.data.held_out) >= MIN_ROWS:
        reference = replace(reference, part="held_out")
    n = min(len(run.train.index()), MAX_SAMPLES)
    fake = torch.cat([*sample(run.generator, n, seed=SEED)]).numpy()
    sides = run.train.shuffled_items(), reference.shuffled_items(), fake
    names = [column.name for column in spec.learned]
    return Rows(*(frame_of(items, spec)[names] for items in sides))


def _draw(folder: Path, rows: Rows, spec: TableSpec) -> None:
    """Write `evaluation-columns.png` and `-associations.png`: held-out rows and samples."""
    from sparring.kinds.tables.figures import draw_associations, draw_columns

    picture = draw_columns(spec, rows.held_out, rows.fake)
    write_bytes(folder / "evaluation-columns.png", picture)
    compared = first_columns(rows)
    tables = coded(compared.held_out.head(MAX_ROWS), compared.fake.head(MAX_ROWS))
    write_bytes(folder / "evaluation-associations.png", draw_associations(*tables))
