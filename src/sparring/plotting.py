"""What all pictures share: one style, the colours, figures as files, sheets of tiles.

matplotlib is slow to import: whoever draws imports it, and this module needs it for types only.
"""

from collections.abc import Sequence
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sparring.errors import SparringError
from sparring.runs.folder import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pixels = NDArray[np.uint8] | Tensor

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"  # Okabe & Ito 2008: for every eye
SLATE, GREY, PALE = "#4a5560", "#8a939c", "#b8b8b0"
REAL, FAKE = GREY, BLUE  # of distributions
DPI = 100
STYLE: dict[Any, Any] = {
    "axes.edgecolor": PALE,
    "xtick.color": "#5a626b",
    "ytick.color": "#5a626b",
    "figure.facecolor": "#ffffff",
    "svg.hashsalt": "sparring",
    "svg.fonttype": "none",
}

MIN_SIDE = 32  # screen pixels to which smaller images are enlarged in a grid
GUTTER = 2
BACKGROUND = 232
CHECKER_SIDE, CHECKER_SHADES = 8, (255, 224)


def style(font_size: float) -> dict[Any, Any]:
    """Return matplotlib's parameters for text of this size in points; titles are 1 larger."""
    return STYLE | {"font.size": font_size, "axes.titlesize": font_size + 1}


def margins(panels: int) -> dict[str, float]:
    """Return fixed margins for panels in a row; matplotlib's own layouts draw everything twice."""
    side = 0.09 / panels
    return {"left": 1.2 * side, "right": 1 - side, "bottom": 0.08, "top": 0.92, "wspace": 0.3}


def figure_png(figure: "Figure") -> bytes:
    """Return a figure as the content of a PNG file, the same bytes each time."""
    return _figure_bytes(figure, "png", {"Software": None})


def figure_svg(figure: "Figure") -> bytes:
    """Return a figure as the content of an SVG file, the same bytes each time."""
    return _figure_bytes(figure, "svg", {"Date": None})


def _figure_bytes(figure: "Figure", image_format: str, metadata: dict[str, None]) -> bytes:
    file = BytesIO()
    figure.savefig(file, format=image_format, metadata=metadata)
    return file.getvalue()


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
        write_bytes(path, png_bytes(to_image(image)))
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
    scale = scale or ceil(MIN_SIDE / max(height, width))
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
