"""Images as people get them: PNG files, sheets and arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.output import (
    FEATURE,
    MAX_ON_SHEET,
    SHEET_ROWS,
    SHEETS,
    Media,
    draw_items,
    npz_bytes,
    preview_samples,
    sheet_columns,
    training_items,
    unsupported,
    write_file,
)
from sparring.data.pack import Progress
from sparring.kinds.images.codec import decode
from sparring.kinds.images.spec import ImageSpec
from sparring.plotting import Pixels, grid, png_bytes, write_images
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest
from sparring.training.state import State

MEDIA = Media(figures=SHEETS | FEATURE)
PREVIEW_ROWS = SHEET_ROWS


def sample(
    generator: nn.Module,
    spec: ImageSpec,
    request: SampleRequest,
    *,
    data: Callable[[], Dataset] | None,
    progress: Progress,
) -> Tensor:
    """Return n images, uint8 (n, height, width, channels)."""
    return draw_items(generator, spec, request, decode, progress)


def write_real(folder: Path, data: Dataset, spec: ImageSpec, seed: int) -> None:
    """Write a sheet of training images as `real.png`."""
    columns = sheet_columns(spec)
    pixels = training_items(data, seed, SHEET_ROWS * columns)
    write_bytes(folder / "real.png", _sheet(pixels, columns))


def write_fake(path: Path, state: State, data: Dataset, spec: ImageSpec, seed: int) -> Path:
    """Write a sheet of samples as `.png`; return its path."""
    columns = sheet_columns(spec)
    pixels = decode(preview_samples(state, spec, SHEET_ROWS * columns), spec)
    picture = path.with_suffix(".png")
    write_bytes(picture, _sheet(pixels, columns))
    return picture


def write_picture(
    items: NDArray[np.uint8], spec: ImageSpec, path: Path, columns: int | None = None
) -> None:
    """Write a sheet of images."""
    write_file(path, _sheet(items, columns))


def save(samples: Any, spec: ImageSpec, path: Path, labels: Tensor | None, own: Any) -> None:
    """Write images as `.npz` with their labels, one `.png` sheet, or a folder of PNG files.

    Raises:
        SparringError: the suffix is none of these.
    """
    pixels = np.asarray(samples)
    match path.suffix.lower():
        case ".npz":
            write_file(path, npz_bytes(labels, images=pixels))
        case ".png":
            write_file(path, _sheet(pixels))
        case "":
            write_images(pixels, path)
            write_file(path / "grid.png", _sheet(pixels[:MAX_ON_SHEET]))
        case other:
            raise unsupported(other, ".npz, .png or a folder")


def _sheet(pixels: Pixels, columns: int | None = None) -> bytes:
    return png_bytes(grid(pixels, columns))
