"""Samples as files of the data's own kind: a folder, one array file, or one picture."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.image_codec import grid, png_bytes, write_images
from sparring.data.kinds import is_frame
from sparring.data.table_columns import Frame
from sparring.data.table_files import write as write_rows
from sparring.data.tables import frame_of
from sparring.data.vectors import write_points
from sparring.errors import SparringError
from sparring.runs import write_bytes
from sparring.spec import ImageSpec, Spec, TableSpec, VectorSpec

IN_GRID = 100


def save_samples(
    samples: Tensor | NDArray[Any] | Frame, spec: Spec, path: Path, labels: Tensor | None = None
) -> None:
    """Write samples where the suffix of the path says; without one, a folder with a picture.

    Images become a folder of PNG files, one `.npz` (the only one that keeps labels) or one `.png`
    grid; points a `.csv`, `.npy` or `.npz` file or a `.png` picture; rows a `.csv`, `.tsv` or
    `.parquet` file, or a picture.

    Raises:
        SparringError: the suffix is none of these.
    """
    items: Any = samples if is_frame(samples) else np.asarray(samples)
    match spec:
        case ImageSpec():
            _save_images(items, path, labels)
        case VectorSpec():
            _save_points(items, spec, path)
        case TableSpec():
            _save_rows(items if is_frame(items) else frame_of(items, spec), spec, path)


def picture_of(items: NDArray[Any], spec: Spec, path: Path, columns: int | None = None) -> None:
    """Write one picture of items: a grid of images, points in the plane, columns."""
    match spec:
        case ImageSpec():
            _write(path, png_bytes(grid(items, columns)))
        case VectorSpec():
            from sparring.landscapes import draw_points

            _write(path, draw_points(items, spec, "samples"))
        case TableSpec():
            from sparring.marginals import draw_columns

            _write(path, draw_columns(spec, None, frame_of(items, spec)))


def _save_images(pixels: NDArray[np.uint8], path: Path, labels: Tensor | None) -> None:
    match path.suffix.lower():
        case ".npz":
            _write(path, _npz(pixels, labels))
        case ".png":
            _write(path, png_bytes(grid(pixels)))
        case "":
            write_images(pixels, path)
            _write(path / "grid.png", png_bytes(grid(pixels[:IN_GRID])))
        case other:
            raise SparringError(f"cannot write '{other}' files; use .npz, .png or a folder")


def _save_points(points: NDArray[np.float32], spec: VectorSpec, path: Path) -> None:
    match path.suffix.lower():
        case ".png":
            picture_of(points, spec, path)
        case "":
            write_points(points, path / "samples.csv")
            picture_of(points, spec, path / "picture.png")
        case _:
            write_points(points, path)


def _save_rows(rows: Frame, spec: TableSpec, path: Path) -> None:
    from sparring.marginals import draw_columns

    match path.suffix.lower():
        case ".png":
            _write(path, draw_columns(spec, None, rows))
        case "":
            write_rows(rows, path / "samples.csv")
            _write(path / "picture.png", draw_columns(spec, None, rows))
        case _:
            write_rows(rows, path)


def _npz(pixels: NDArray[np.uint8], labels: Tensor | None) -> bytes:
    buffer = BytesIO()
    if labels is None:
        np.savez_compressed(buffer, images=pixels)
    else:
        np.savez_compressed(buffer, images=pixels, labels=labels.numpy())
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
