"""Rows as people get them: such as they ask for, files of tables, pictures of columns."""

from collections.abc import Callable
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
from sparring.errors import SparringError
from sparring.kinds.tables import files
from sparring.kinds.tables.codec import decode, frame_of
from sparring.kinds.tables.columns import Frame
from sparring.kinds.tables.completion import completed, filled
from sparring.kinds.tables.conditional import (
    MAX_FRUITLESS,
    PROPOSED,
    Proposals,
    sample_where,
)
from sparring.kinds.tables.files import as_written, read_table, to_text
from sparring.kinds.tables.files.cells import as_of_run
from sparring.kinds.tables.frames import is_frame
from sparring.kinds.tables.number_forms import in_form
from sparring.kinds.tables.options import TableRequests
from sparring.kinds.tables.rules import obeyed
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.where import read_where
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest, class_labels
from sparring.training.state import State

COLUMNS = "Each column: held-out rows, and generated ones."
ASSOCIATIONS = "How strongly each two columns hang together; blue is too little."
MEDIA = Media(
    figures={"evaluation-columns.png": COLUMNS, "evaluation-associations.png": ASSOCIATIONS}
)
PREVIEW_ROWS = 1
PREVIEWED = 2000  # rows


def sample(
    generator: nn.Module,
    spec: TableSpec,
    request: SampleRequest,
    *,
    data: Callable[[], Dataset] | None,
    progress: Progress,
) -> Any:
    """Return n rows, float64 (n, k), that are as asked for; completed ones as a data frame."""
    own: TableRequests = request.own
    class_labels(spec, request.n, request.label)  # refuses a label
    if _asks(own.complete):
        return _completed(generator, spec, request, progress)
    if not own.where and not own.balance:
        items = draw_items(generator, spec, request, decode, progress)
        return items if request.between else _obeying(generator, spec, items, request)
    refuse_walk(request, "where" if own.where else "balance")
    return sample_where(
        generator,
        spec,
        own.where,
        request.n,
        seed=request.seed,
        truncation=request.truncation,
        balance=own.balance,
        data=data,
        progress=lambda done: progress("rows", done, request.n),
    )


def _completed(
    generator: nn.Module, spec: TableSpec, request: SampleRequest, progress: Progress
) -> Frame:
    """Return given rows with their empty cells drawn."""
    own: TableRequests = request.own
    refuse_walk(request, "complete")
    if own.balance:
        raise SparringError("rows to complete are given; 'balance' does not go with them")
    given = read_table(own.complete, as_of_run(spec), least=1).frame
    if request.n_given and request.n != len(given):
        raise SparringError(
            f"{request.n:,} rows are asked for and {len(given):,} are given to be completed; ask "
            "for no number"
        )
    proposals = Proposals(generator, spec, request.seed, request.truncation)
    items = completed(given, proposals, read_where(own.where, spec))
    progress("rows", len(items), len(items))
    rows = filled(given, frame_of(items.numpy(), spec), spec)
    if (written := as_written(own.complete)) is None:
        return in_form(rows, spec.columns, files=False)
    texts = to_text(rows, spec.columns)
    stays = {name: written[name].where(given[name].notna(), texts[name]) for name in written}
    return texts.assign(**stays)


def _asks(complete: Any) -> bool:
    return is_frame(complete) or bool(complete)


def _obeying(
    generator: nn.Module, spec: TableSpec, items: Tensor, request: SampleRequest
) -> Tensor:
    """Return n rows that keep all rules: those drawn, and others for the ones that do not.

    Raises:
        SparringError: hardly any row keeps them.
    """
    n, count = len(items), 0
    proposals = Proposals(generator, spec, request.seed, request.truncation)
    items = items[_keep_rules(items, spec)]
    while len(items) < n:
        start = PROPOSED * (-(-n // PROPOSED) + count)
        items = torch.cat([items, proposals.rows(PROPOSED, start)])
        items = items[_keep_rules(items, spec)]
        count += 1
        if len(items) * MAX_FRUITLESS < PROPOSED * count:
            raise SparringError(
                f"only {len(items):,} of {n + PROPOSED * count:,} rows keep "
                f"{' and '.join(spec.rules)}; ask for fewer rows, or train without the rule"
            )
    return items[:n]


def _keep_rules(items: Tensor, spec: TableSpec) -> Tensor:
    return torch.from_numpy(obeyed(items.numpy(), spec))


def write_real(folder: Path, data: Dataset, spec: TableSpec, seed: int) -> None:
    """Write a picture of the columns of training rows as `real.png`."""
    write_bytes(folder / "real.png", _picture(spec, _training_rows(data, spec, seed), None))


def write_fake(path: Path, state: State, data: Dataset, spec: TableSpec, seed: int) -> Path:
    """Write a picture of the columns, real and generated, as `.png`, and samples as `.csv`."""
    fake = frame_of(decode(preview_samples(state, spec, PREVIEWED), spec).numpy(), spec)
    picture = path.with_suffix(".png")
    write_bytes(picture, _picture(spec, _training_rows(data, spec, seed), fake))
    files.write(fake, path.with_suffix(".csv"), spec.columns, spec.delimiter)
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
            files.write(rows, path / "samples.csv", spec.columns, spec.delimiter)
            if not _asks(own.complete):
                write_file(path / "picture.png", _picture(spec, None, rows))
        case _:
            files.write(rows, path, spec.columns, spec.delimiter)


def _training_rows(data: Dataset, spec: TableSpec, seed: int) -> Frame:
    return frame_of(training_items(data, seed, min(PREVIEWED, len(data.train))), spec)


def _picture(spec: TableSpec, real: Frame | None, fake: Frame | None) -> bytes:
    from sparring.kinds.tables.figures import draw_columns

    return draw_columns(spec, real, fake)
