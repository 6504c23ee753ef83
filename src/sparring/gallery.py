"""The samples folder of a run: real images, fakes of fixed latents over time, a progress strip."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from sparring.data.image_codec import GUTTER, decode, grid, png_bytes
from sparring.runs import write_bytes
from sparring.sampling import sample
from sparring.spec import ImageSpec

ROWS = 8
MAX_COLUMNS = 10
STRIP_ROWS = 12


def write_real(folder: Path, pixels: NDArray[np.uint8], spec: ImageSpec) -> None:
    """Write a contact sheet of real images (n, height, width, channels) as `real.png`."""
    columns = _columns(spec)
    write_bytes(folder / "real.png", png_bytes(grid(pixels[: ROWS * columns], columns)))


def write_fake(folder: Path, generator: nn.Module, spec: ImageSpec, images: int) -> Path:
    """Write the same latents' samples as `<images>.png`, and the strip; one column a class."""
    columns = _columns(spec)
    labels = grid_labels(spec, ROWS * columns)
    fakes = torch.cat(list(sample(generator, ROWS * columns, labels=labels)))
    path = folder / f"{images:09d}.png"
    write_bytes(path, png_bytes(grid(decode(fakes, spec), columns)))
    write_strip(folder, images)
    return path


def grid_labels(spec: ImageSpec, n: int) -> Tensor | None:
    """Return labels that repeat across each row of a grid, None when unconditional."""
    return torch.arange(n) % _columns(spec) if spec.classes else None


def write_strip(folder: Path, images: int) -> None:
    """Stack the first rows of the grids up to `images`, evenly thinned, as `progress.png`."""
    grids = [p for p in sorted(folder.glob("[0-9]*.png")) if int(p.stem) <= images]
    rows = [_first_row(path) for path in _thinned(grids)]
    strip = Image.new(rows[0].mode, (rows[0].width, sum(row.height for row in rows)))
    top = 0
    for row in rows:
        strip.paste(row, (0, top))
        top += row.height
    write_bytes(folder / "progress.png", png_bytes(strip))


def _columns(spec: ImageSpec) -> int:
    return min(len(spec.classes), MAX_COLUMNS) or ROWS


def _thinned(paths: Sequence[Path]) -> list[Path]:
    if len(paths) <= STRIP_ROWS:
        return list(paths)
    last = len(paths) - 1
    return [paths[round(i * last / (STRIP_ROWS - 1))] for i in range(STRIP_ROWS)]


def _first_row(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        height = (picture.height - GUTTER) // ROWS
        return picture.crop((0, 0, picture.width, height))
