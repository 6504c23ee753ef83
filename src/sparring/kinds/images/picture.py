"""One picture: from the bytes of an image file to pixels of one size and number of channels.

Inside: reading headers, decoding every mode that Pillow knows, transparency, and resampling.
Not inside: where the bytes come from (`files`), and the choice of a size (`target`).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sparring.data import listing
from sparring.kinds.images.target import Size, Target

# Pillow's other readers are left out: some run programs (EPS), some accept almost any bytes.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI")
GREY = ("1", "L", "LA", "La", "I", "F")
ORIENTATION = 0x0112


@dataclass(frozen=True)
class Header:
    """What a file declares before it is decoded."""

    size: Size  # as seen, after the rotation that the camera noted
    grey: bool  # stored without colour


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (height, width, channels) of one file, and what had to be done to it."""

    pixels: NDArray[np.uint8]
    transparent: bool  # some pixel was not opaque
    deep: bool  # had more than 8 bits per channel
    animated: bool  # had more frames than the one that was read


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Replace Pillow's pixel limit and warnings by our own check, for as long as files are read.

    Both are set for the whole process, so this is entered once, around all reading threads.
    """
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        try:
            Image.MAX_IMAGE_PIXELS = None
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def read_header(file: IO[bytes], max_megapixels: float) -> Header:
    """Return size and greyness without decoding; ValueError when it is larger than allowed."""
    with Image.open(file, formats=FORMATS) as image:
        _check_size(image, max_megapixels)
        width, height = image.size
        turned = _orientation(image) >= 5
        size = (width, height) if turned else (height, width)
        return Header(size, grey=_is_grey(image))


def read_picture(file: IO[bytes], target: Target, max_megapixels: float) -> Picture:
    """Decode the first frame upright, at the target's size and channels."""
    with Image.open(file, formats=FORMATS) as image:
        _check_size(image, max_megapixels)
        deep = _is_deep(image)
        animated = image.format != "MPO" and getattr(image, "is_animated", False)
        # JPEG files shrink almost for free while they are decoded; the rest is resampled.
        longer = 2 * max(target.height, target.width)
        image.draft(None, (longer, longer))
        ImageOps.exif_transpose(image, in_place=True)
        plain = _plain(image)
    return Picture(adapt(plain, target), is_transparent(plain), deep, animated)


def adapt(image: Image.Image, target: Target) -> NDArray[np.uint8]:
    """Return pixels (height, width, channels) of an L, LA, RGB or RGBA image.

    Without an alpha channel in the target, transparent images are laid on white; with one, the
    colour hidden under full transparency becomes 0.
    """
    if "A" in image.mode and not target.alpha:
        image = _on_white(image)
    image = _fitted(image.convert(target.mode), target)
    pixels = np.asarray(image).reshape(target.shape)
    return pixels * (pixels[..., -1:] > 0) if target.alpha else pixels


def is_transparent(image: Image.Image) -> bool:
    """Tell whether any pixel of an L, LA, RGB or RGBA image is not opaque."""
    return "A" in image.mode and image.getchannel("A").getextrema()[0] != 255


def why_unreadable(error: Exception) -> str:
    """Say in one line why an image could not be read."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    return listing.why_unreadable(error)


def _check_size(image: Image.Image, max_megapixels: float) -> None:
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise ValueError(
            f"{width}x{height} is {width * height / 1e6:.1f} megapixels, more than "
            f"--data.max-megapixels {max_megapixels:g}"
        )


def _orientation(image: Image.Image) -> int:
    # A PNG without this block in its header would be decoded in search of it.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_grey(image: Image.Image) -> bool:
    return image.mode in GREY or image.mode.startswith("I;16")


def _is_deep(image: Image.Image) -> bool:
    """Tell whether the file stores 16 or 32 bits per channel; Pillow itself cuts colour to 8."""
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", ())]
    sixteen = any(f";16{order}" in mode for mode in raw_modes for order in "BLN")
    return sixteen or _is_deep_mode(image.mode)


def _is_deep_mode(mode: str) -> bool:
    return mode in ("I", "F") or mode.startswith("I;16")


def _plain(image: Image.Image) -> Image.Image:
    """Return the image as L, LA, RGB or RGBA."""
    if _is_deep_mode(image.mode):
        return Image.fromarray(_to_8_bits(image))
    base = "L" if _is_grey(image) else "RGB"
    return image.convert(base + "A" if image.has_transparency_data else base)


def _to_8_bits(image: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(image).astype(np.float64)
    low, high = values.min(), values.max()
    whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    white = next((white for white in whites if high <= white), None)
    if white is None or not low >= 0:
        raise ValueError(f"values from {low:g} to {high:g}; expected 0 to {whites[-1]:g}")
    return np.rint(values * (255 / white)).astype(np.uint8)


def _on_white(image: Image.Image) -> Image.Image:
    base = image.mode.removesuffix("A")
    canvas = Image.new(base, image.size, "white")
    canvas.paste(image.convert(base), mask=image.getchannel("A"))
    return canvas


def _fitted(image: Image.Image, target: Target) -> Image.Image:
    size = (target.width, target.height)
    if image.size == size:
        return image
    match target.crop:
        case "centre":
            return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        case "pad":
            return _padded(image, size)
        case "stretch":
            return image.resize(size, Image.Resampling.LANCZOS)


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    scale = min(size[0] / image.width, size[1] / image.height)
    inner = tuple(max(1, round(side * scale)) for side in image.size)
    canvas = Image.new(image.mode, size)  # black, or fully transparent
    corner = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    canvas.paste(image.resize((inner[0], inner[1]), Image.Resampling.LANCZOS), corner)
    return canvas
