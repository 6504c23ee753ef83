"""Rows as people get them: those that satisfy conditions, files of tables, pictures of columns.

Conditions are revealed to the generator where that is exact: values that they fix, and the one
column of a single range, drawn from its own law; the generator then has the rest to fit. Further
ranges are left to the generator, and rows that miss them are thrown away; if hardly any row hits,
they are revealed too, each drawn by itself.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.output import (
    Media,
    draw_items,
    preview_samples,
    refuse_walk,
    training_items,
    write_file,
)
from sparring.data.pack import Progress
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.tables import files
from sparring.kinds.tables.codec import decode, frame_of
from sparring.kinds.tables.columns import Frame
from sparring.kinds.tables.condition_sampler import condition_vector
from sparring.kinds.tables.conditions import (
    Condition,
    draw_satisfying,
    is_one_value,
    satisfying,
    together,
)
from sparring.kinds.tables.frames import is_frame
from sparring.kinds.tables.options import TableRequests
from sparring.kinds.tables.rules import obeyed
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.kinds.tables.where import read_where
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest
from sparring.sampling import sample as draw_samples
from sparring.training.state import State

COLUMNS = "Each column: held-out rows, and generated ones."
ASSOCIATIONS = "How strongly each two columns hang together; blue is too little."
MEDIA = Media(
    figures={"evaluation-columns.png": COLUMNS, "evaluation-associations.png": ASSOCIATIONS}
)
PREVIEW_ROWS = 1
PREVIEWED = 2000  # rows
PROPOSED = 1024  # rows at once
MIN_HIT_SHARE = 1 / 50  # of proposed rows; if fewer satisfy all ranges, these are revealed too
MAX_FRUITLESS = 20  # proposals without a single row


def sample(
    generator: nn.Module,
    spec: TableSpec,
    request: SampleRequest,
    *,
    data: Callable[[], Dataset] | None,
    progress: Progress,
) -> Tensor:
    """Return n rows, float64 (n, k), that satisfy the conditions asked for."""
    own: TableRequests = request.own
    if not own.where:
        items = draw_items(generator, spec, request, decode, progress)
        return items if request.between else _obeying(generator, spec, items, request)
    refuse_walk(request, "where")
    return sample_where(
        generator,
        spec,
        own.where,
        request.n,
        seed=request.seed,
        truncation=request.truncation,
        progress=lambda done: progress("rows", done, request.n),
    )


def sample_where(
    generator: nn.Module,
    spec: TableSpec,
    where: Any,
    n: int,
    *,
    seed: int = 0,
    truncation: float = 1.0,
    progress: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Return n rows (n, k) that all satisfy the conditions, see `where.read_where`.

    Row i is a function of the seed, the conditions, i and the truncation.

    Raises:
        SparringError: a condition cannot be read, or no row satisfies them.
    """
    conditions = sorted(read_where(where, spec), key=_name)
    groups = [(of[0].column, of) for _, same in groupby(conditions, _name) if (of := [*same])]
    fixed = [column.name for column, of in groups if is_one_value(column, of)]
    free = [column.name for column, _ in groups if column.name not in fixed]
    revealed = fixed if len(free) > 1 or (fixed and free) else [*fixed, *free]
    rows: list[Tensor] = []
    done = proposals = 0
    while done < n:
        start = PROPOSED * proposals
        proposed = _proposed(generator, spec, groups, revealed, seed, start, truncation)
        hits = proposed[satisfying(proposed, spec, conditions)]
        hits = hits[_keep_rules(torch.cat([*rows, hits]), spec)[done:]]
        proposals += 1
        if len(hits) < MIN_HIT_SHARE * PROPOSED and len(revealed) < len(groups):
            revealed = [*fixed, *free]
            continue
        rows.append(hits)
        done += len(hits)
        progress(min(done, n))
        if not done and proposals >= MAX_FRUITLESS:
            raise SparringError(
                f"none of {PROPOSED * proposals:,} rows satisfied {together(conditions)}; "
                "relax the conditions"
            )
    return torch.cat(rows)[:n]


def _obeying(
    generator: nn.Module, spec: TableSpec, items: Tensor, request: SampleRequest
) -> Tensor:
    """Return n rows that keep all rules: those drawn, and others for the ones that do not.

    Raises:
        SparringError: hardly any row keeps them.
    """
    n, proposals = len(items), 0
    items = items[_keep_rules(items, spec)]
    while len(items) < n:
        start = PROPOSED * (-(-n // PROPOSED) + proposals)
        more = _proposed(generator, spec, (), (), request.seed, start, request.truncation)
        items = torch.cat([items, more])
        items = items[_keep_rules(items, spec)]
        proposals += 1
        if len(items) * MAX_FRUITLESS < PROPOSED * proposals:
            raise SparringError(
                f"only {len(items):,} of {n + PROPOSED * proposals:,} rows keep "
                f"{' and '.join(spec.rules)}; ask for fewer rows, or train without the rule"
            )
    return items[:n]


def _keep_rules(items: Tensor, spec: TableSpec) -> Tensor:
    return torch.from_numpy(obeyed(items.numpy(), spec))


def _proposed(
    generator: nn.Module,
    spec: TableSpec,
    groups: Sequence[tuple[Column, Sequence[Condition]]],
    revealed: Sequence[str],
    seed: int,
    start: int,
    truncation: float,
) -> Tensor:
    draw = Draw(seed, start)
    shown = [(column, of) for column, of in groups if column.name in revealed]
    values = {column.name: draw_satisfying(column, of, draw, PROPOSED) for column, of in shown}
    labels = condition_vector(spec, values, PROPOSED)
    parts = draw_samples(
        generator, PROPOSED, seed=seed, labels=labels, truncation=truncation, start=start
    )
    return decode(torch.cat([*parts]), spec)


_name = attrgetter("column.name")


def write_real(folder: Path, data: Dataset, spec: TableSpec, seed: int) -> None:
    """Write a picture of the columns of training rows as `real.png`."""
    write_bytes(folder / "real.png", _picture(spec, _training_rows(data, spec, seed), None))


def write_fake(path: Path, state: State, data: Dataset, spec: TableSpec, seed: int) -> Path:
    """Write a picture of the columns, real and generated, as `.png`, and samples as `.csv`."""
    fake = frame_of(decode(preview_samples(state, spec, PREVIEWED), spec).numpy(), spec)
    picture = path.with_suffix(".png")
    write_bytes(picture, _picture(spec, _training_rows(data, spec, seed), fake))
    files.write(fake, path.with_suffix(".csv"))
    return picture


def write_picture(
    items: NDArray[Any], spec: TableSpec, path: Path, columns: int | None = None
) -> None:
    """Write a picture of the columns of rows (n, k)."""
    write_file(path, _picture(spec, None, frame_of(items, spec)))


def save(samples: Any, spec: TableSpec, path: Path, labels: Tensor | None, own: Any) -> None:
    """Write rows as `.csv`, `.tsv` or `.parquet`, a `.png` picture, or a folder with both.

    Raises:
        SparringError: the suffix is none of these.
    """
    rows = samples if is_frame(samples) else frame_of(samples, spec)
    match path.suffix.lower():
        case ".png":
            write_file(path, _picture(spec, None, rows))
        case "":
            files.write(rows, path / "samples.csv")
            write_file(path / "picture.png", _picture(spec, None, rows))
        case _:
            files.write(rows, path)


def _training_rows(data: Dataset, spec: TableSpec, seed: int) -> Frame:
    return frame_of(training_items(data, seed, min(PREVIEWED, len(data.train))), spec)


def _picture(spec: TableSpec, real: Frame | None, fake: Frame | None) -> bytes:
    from sparring.kinds.tables.figures import draw_columns

    return draw_columns(spec, real, fake)
