"""Pixels and what they become: tensors for networks, PNG files and contact sheets for people.

Inside: `encode` and `decode`, writing images, the grid. Not inside: reading files (`images`).
Pixels are uint8 of shape (n, height, width, channels); 2 channels are grey and alpha, 4 are
colour and alpha.
"""

from collections.abc import Sequence
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sparring import runs
from sparring.errors import SparringError
from sparring.spec import ImageSpec

Pixels = NDArray[np.uint8] | Tensor

VISIBLE = 32  # a side in screen pixels to which smaller images are enlarged in a grid
GUTTER = 2
BACKGROUND = 232
CHECKER_SIDE, CHECKER_SHADES = 8, (255, 224)


def encode(pixels: Tensor, spec: ImageSpec) -> Tensor:
    """Turn uint8 pixels (n, h, w, c) into float32 samples (n, c, h, w) in `spec.value_range`.

    The result is a permuted view, that is in PyTorch's channels_last memory format.
    """
    samples = pixels.to(torch.float32).permute(0, 3, 1, 2)
    return samples / 127.5 - 1 if spec.value_range == "-1..1" else samples / 255


def decode(samples: Tensor, spec: ImageSpec) -> Tensor:
    """Turn samples (n, c, h, w) into uint8 pixels (n, h, w, c), clamped and rounded."""
    samples = samples.to(torch.float32)
    scaled = (samples + 1) * 127.5 if spec.value_range == "-1..1" else samples * 255
    pixels = scaled.clamp(0, 255).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous()


def describe(spec: ImageSpec) -> str:
    """Say what the images are: size, colour, classes."""
    colours = {1: "grey", 2: "grey + alpha", 3: "colour", 4: "colour + alpha"}[spec.channels]
    classes = f", {len(spec.classes)} classes" if spec.classes else ""
    return f"{spec.height}x{spec.width} {colours}{classes}"


def write_images(samples: Pixels, out: Path, names: Sequence[str] | None = None) -> list[Path]:
    """Write pixels (n, h, w, c) as PNG files into the folder `out`, and return their paths.

    They are called 000000.png, 000001.png and so on, unless `names` are given.
    """
    pixels = _array(samples)
    names = [f"{i:06d}.png" for i in range(len(pixels))] if names is None else names
    if len(names) != len(pixels):
        raise SparringError(f"{len(names)} names for {len(pixels)} images; expected one for each")
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / name for name in names]
    for path, image in zip(paths, pixels, strict=True):
        runs.write_bytes(path, png_bytes(to_image(image)))
    return paths


def png_bytes(image: Image.Image) -> bytes:
    """Return the image as the content of a PNG file."""
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return pixels (h, w, c) as a Pillow image: L, LA, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def grid(samples: Pixels, columns: int | None = None, scale: int | None = None) -> Image.Image:
    """Lay pixels (n, h, w, c) out on one sheet, row by row; transparency shows a checkerboard.

    Images smaller than 32 pixels are enlarged by a whole factor, or by `scale` if given.
    """
    pixels = _array(samples)
    if not len(pixels):
        raise SparringError("there are no images to lay out; expected at least one")
    count, height, width, _ = pixels.shape
    scale = scale or ceil(VISIBLE / max(height, width))
    columns = columns or ceil(sqrt(count))
    tiles = _opaque(pixels.repeat(scale, axis=1).repeat(scale, axis=2))
    return to_image(_sheet(tiles, columns))


def _sheet(tiles: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Place tiles (n, h, w, c) on one sheet (height, width, c)."""
    count, height, width, channels = tiles.shape
    down, across = height + GUTTER, width + GUTTER
    rows, columns = ceil(count / columns), min(columns, count)
    shape = (rows * down + GUTTER, columns * across + GUTTER, channels)
    sheet = np.full(shape, BACKGROUND, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = GUTTER + i // columns * down, GUTTER + i % columns * across
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _opaque(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay tiles that have an alpha channel on a light checkerboard."""
    if tiles.shape[-1] in (1, 3):
        return tiles
    row, column = np.indices(tiles.shape[1:3]) // CHECKER_SIDE
    board = np.asarray(CHECKER_SHADES)[(row + column) % 2, None]
    alpha = tiles[..., -1:] / 255
    laid = tiles[..., :-1] * alpha + board * (1 - alpha)
    return np.rint(laid).astype(np.uint8)


def _array(samples: Pixels) -> NDArray[np.uint8]:
    return samples.cpu().numpy() if isinstance(samples, Tensor) else samples
