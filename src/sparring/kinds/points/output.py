"""Points as people get them: tables of coordinates, arrays, pictures of the plane."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.output import (
    FEATURE,
    SHEETS,
    Media,
    draw_items,
    preview_samples,
    training_items,
    write_file,
)
from sparring.data.pack import Progress
from sparring.kinds.points.codec import decode, write_points
from sparring.kinds.points.spec import VectorSpec
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest
from sparring.training.state import State

MEDIA = Media(figures=SHEETS | FEATURE)
PREVIEW_ROWS = 1
PREVIEWED = 2000  # points


def sample(
    generator: nn.Module,
    spec: VectorSpec,
    request: SampleRequest,
    *,
    data: Callable[[], Dataset] | None,
    progress: Progress,
) -> Tensor:
    """Return n points, float32 (n, d)."""
    return draw_items(generator, spec, request, decode, progress)


def write_real(folder: Path, data: Dataset, spec: VectorSpec, seed: int) -> None:
    """Write a picture of training points as `real.png`."""
    from sparring.kinds.points.figures import draw_points

    points = training_items(data, seed, PREVIEWED)
    write_bytes(folder / "real.png", draw_points(points, spec, "data"))


def write_fake(path: Path, state: State, data: Dataset, spec: VectorSpec, seed: int) -> Path:
    """Write samples over the discriminator's scores as `.png`, and as `.csv`."""
    from sparring.kinds.points.figures import draw_game

    fake = decode(preview_samples(state, spec, PREVIEWED), spec).numpy()
    real = training_items(data, seed, PREVIEWED)
    picture = path.with_suffix(".png")
    write_bytes(picture, draw_game(real, fake, state.discriminator, spec))
    write_points(fake, path.with_suffix(".csv"))
    return picture


def write_picture(
    items: NDArray[np.float32], spec: VectorSpec, path: Path, columns: int | None = None
) -> None:
    """Write a picture of points in the plane."""
    from sparring.kinds.points.figures import draw_points

    write_file(path, draw_points(items, spec, "samples"))


def save(samples: Any, spec: VectorSpec, path: Path, labels: Tensor | None, own: Any) -> None:
    """Write points as `.csv`, `.npy` or `.npz`, a `.png` picture, or a folder with both.

    Raises:
        SparringError: the suffix is none of these.
    """
    points = np.asarray(samples)
    match path.suffix.lower():
        case ".png":
            write_picture(points, spec, path)
        case "":
            write_points(points, path / "samples.csv")
            write_picture(points, spec, path / "picture.png")
        case _:
            write_points(points, path)
