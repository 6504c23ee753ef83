"""Windows as people get them: tables, arrays, sheets of lines, and those that start as asked."""

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring import sampling
from sparring.data.dataset import Dataset
from sparring.data.output import (
    FEATURE,
    MAX_ON_SHEET,
    SHEET_ROWS,
    SHEETS,
    Media,
    draw_items,
    preview_samples,
    refuse_walk,
    sheet_columns,
    training_items,
    unsupported,
    write_file,
)
from sparring.data.pack import Progress
from sparring.errors import SparringError, nearest
from sparring.plotting import grid, png_bytes
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest
from sparring.training.state import State
from sparring_series.codec import decode, encode
from sparring_series.spec import SeriesSpec

MEDIA = Media(
    figures={
        "evaluation-dynamics.png": "Values and autocorrelations of each channel, and of samples.",
        **SHEETS,
        **FEATURE,
    }
)
PREVIEW_ROWS = SHEET_ROWS
TOLERANCE = 0.1  # standard deviations around a first value that is asked for
PROPOSED = 1024  # windows at a time, of which those that start as asked are kept
MAX_FRUITLESS = 100  # proposals without a single window


def sample(
    generator: nn.Module,
    spec: SeriesSpec,
    request: SampleRequest,
    *,
    data: Callable[[], Dataset] | None,
    progress: Progress,
) -> Tensor:
    """Return n windows, float32 (n, steps, channels), that start as the request asks.

    Raises:
        SparringError: a start cannot be read, or windows hardly ever start so.
    """
    starts = parse_starts(request.own.start, spec)
    if not starts:
        return draw_items(generator, spec, request, decode, progress)
    refuse_walk(request, "start")
    kept: list[Tensor] = []
    for windows in _proposed(generator, spec, request):
        kept.append(windows[_starting(windows, starts, spec)])
        done = sum(map(len, kept))
        progress("windows", min(done, request.n), request.n)
        if done >= request.n:
            return torch.cat(kept)[: request.n]
        if not done and len(kept) == MAX_FRUITLESS:
            break
    raise SparringError(
        f"none of {MAX_FRUITLESS * PROPOSED:,} windows starts with "
        f"{' and '.join(request.own.start)}; ask for other values, or for fewer channels"
    )


def _proposed(generator: nn.Module, spec: SeriesSpec, request: SampleRequest) -> Iterator[Tensor]:
    """Yield windows without end, `PROPOSED` at a time."""
    for start in count(0, PROPOSED):
        parts = sampling.sample(
            generator, PROPOSED, seed=request.seed, truncation=request.truncation, start=start
        )
        yield decode(torch.cat([*parts]), spec)


def parse_starts(texts: tuple[str, ...], spec: SeriesSpec) -> dict[int, float]:
    """Read `channel=value`, one for each channel whose first value is asked for, by its place.

    Raises:
        SparringError: the channel is unknown, or the value is not a number.
    """
    starts = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if name not in spec.channels:
            hint = nearest(name, spec.channels)
            raise SparringError(
                f"start '{text}' names no channel{hint}; write channel=value, with one of "
                f"{', '.join(spec.channels)}"
            )
        try:
            starts[spec.channels.index(name)] = float(value)
        except ValueError:
            raise SparringError(f"start '{text}' is not a number; write {name}=1.5") from None
    return starts


def _starting(windows: Tensor, starts: Mapping[int, float], spec: SeriesSpec) -> Tensor:
    """Tell which windows start within a tenth of a standard deviation of these values, (n,)."""
    places = list(starts)
    wanted = torch.tensor([starts[i] for i in places])
    near = torch.tensor([TOLERANCE * spec.scale[i] for i in places])
    return ((windows[:, 0, places] - wanted).abs() <= near).all(1)


def write_real(folder: Path, data: Dataset, spec: SeriesSpec, seed: int) -> None:
    """Write a sheet of training windows as `real.png`."""
    windows = training_items(data, seed, SHEET_ROWS * sheet_columns(spec))
    write_bytes(folder / "real.png", _sheet(windows, spec, sheet_columns(spec)))


def write_fake(path: Path, state: State, data: Dataset, spec: SeriesSpec, seed: int) -> Path:
    """Write a sheet of samples as `.png`."""
    columns = sheet_columns(spec)
    windows = decode(preview_samples(state, spec, SHEET_ROWS * columns), spec).numpy()
    picture = path.with_suffix(".png")
    write_bytes(picture, _sheet(windows, spec, columns))
    return picture


def write_picture(
    items: NDArray[np.float32], spec: SeriesSpec, path: Path, columns: int | None = None
) -> None:
    """Write a sheet of windows (n, steps, channels): a line for each channel."""
    write_file(path, _sheet(items, spec, columns))


def save(samples: Any, spec: SeriesSpec, path: Path, labels: Tensor | None, own: Any) -> None:
    """Write windows as `.csv` or `.npy`, a `.png` sheet, or a folder with table and sheet.

    Raises:
        SparringError: the suffix is none of these.
    """
    windows = np.asarray(samples, np.float32)
    match path.suffix.lower():
        case ".csv":
            write_file(path, _table(windows, spec))
        case ".npy":
            file = BytesIO()
            np.save(file, windows)
            write_file(path, file.getvalue())
        case ".png":
            write_picture(windows, spec, path)
        case "":
            write_file(path / "samples.csv", _table(windows, spec))
            write_picture(windows[:MAX_ON_SHEET], spec, path / "sheet.png")
        case other:
            raise unsupported(other, ".csv, .npy, .png or a folder")


def _table(windows: NDArray[np.float32], spec: SeriesSpec) -> bytes:
    """Return a row for each step: the window's number, the step's, and the channels' values."""
    import pandas as pd  # slow to load

    n, steps, channels = windows.shape
    frame = pd.DataFrame(windows.reshape(-1, channels), columns=list(spec.channels))
    frame.insert(0, "series", np.repeat(np.arange(n), steps))
    frame.insert(1, "step", np.tile(np.arange(steps), n))
    return bytes(frame.to_csv(index=False).encode())


def _sheet(windows: NDArray[np.float32], spec: SeriesSpec, columns: int | None) -> bytes:
    from sparring_series.figures import tiles

    samples = encode(torch.from_numpy(np.asarray(windows)), spec).numpy()
    return png_bytes(grid(tiles(samples), columns))
