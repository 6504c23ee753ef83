"""What every image of a data set is turned into: one size, one number of channels.

Inside: reading the resolution a user wrote, choosing one, and saying what was decided.
Not inside: the resampling itself (`picture`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sparring.data.pack import Shape
from sparring.errors import SparringError
from sparring.kinds.images.options import ImageOptions

Size = tuple[int, int]  # height, width
MIN_SIDE, MAX_SIDE = 4, 1024  # sides a user may ask for
MAX_DEFAULT_SIDE = (
    64  # images up to this side are kept as they are; larger ones get this longer side
)
SMALLER_BY = "--data.resolution"  # the option that makes items smaller
RESIZED = "resized from"  # how the note on it begins
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Target:
    """Height, width and channels of every image, and how another aspect ratio is made to fit."""

    height: int
    width: int
    channels: int
    crop: Literal["centre", "pad", "stretch"]

    @property
    def shape(self) -> Shape:
        """Shape of one image's pixels: height, width, channels."""
        return self.height, self.width, self.channels

    @property
    def mode(self) -> str:
        """Pillow's name for these channels."""
        return MODES[self.channels]

    @property
    def alpha(self) -> bool:
        """Whether the last channel is opacity."""
        return self.channels in (2, 4)


def parse_resolution(text: str) -> Size | None:
    """Return the height and width that `64` or `48x64` names; None for `auto`."""
    if text == "auto":
        return None
    match = re.fullmatch(r"([0-9]{1,4})(?:x([0-9]{1,4}))?", text)
    height = int(match[1]) if match else 0
    width = int(match[2] or match[1]) if match else 0
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (height, width)):
        raise SparringError(
            f"resolution '{text}' is not a size; expected auto, a side such as 64, "
            f"or height x width such as 48x64, each from {MIN_SIDE} to {MAX_SIDE}"
        )
    return height, width


def choose_target(
    sizes: Sequence[Size], *, grey: bool, options: ImageOptions
) -> tuple[Target, list[str]]:
    """Return the target for images of these sizes, and notes on what happens to them."""
    height, width = parse_resolution(options.resolution) or _natural_size(sizes)
    channels = int(options.channels) if options.channels != "auto" else 1 if grey else 3
    target = Target(height, width, channels, options.crop)
    return target, _notes(sizes, target, options)


def _natural_size(sizes: Sequence[Size]) -> Size:
    """Keep small images of one size; else the median aspect ratio with the longer side 64."""
    if len(set(sizes)) == 1 and min(sizes[0]) >= MIN_SIDE and max(sizes[0]) <= MAX_DEFAULT_SIDE:
        return sizes[0]
    aspect = float(np.median([width / height for height, width in sizes]))
    return _eights(MAX_DEFAULT_SIDE / max(aspect, 1)), _eights(MAX_DEFAULT_SIDE * min(aspect, 1))


def _eights(side: float) -> int:
    return max(8, 8 * round(side / 8))


def _notes(sizes: Sequence[Size], target: Target, options: ImageOptions) -> list[str]:
    height, width = target.height, target.width
    if set(sizes) == {(height, width)}:
        return []
    middle = "x".join(f"{np.median(side):.0f}" for side in zip(*sizes, strict=True))
    median = " (median)" if len(set(sizes)) > 1 else ""
    notes = [
        f"{RESIZED} {middle}{median} to {height}x{width} (height x width); "
        "--data.resolution changes it"
    ]
    enlarged = sum(h < height or w < width for h, w in sizes)
    if enlarged:
        notes.append(f"{enlarged} of {len(sizes)} images are smaller than that and enlarged")
    reshaped = sum(h * width != w * height for h, w in sizes)
    if reshaped:
        notes.append(f"{reshaped} of {len(sizes)} have another shape: {_fate(target, options)}")
    return notes


def _fate(target: Target, options: ImageOptions) -> str:
    match options.crop:
        case "centre":
            return "their edges are cut off; --data.crop pad or stretch keeps them"
        case "pad":
            return f"padded with {'transparency' if target.alpha else 'black'}"
        case "stretch":
            return "stretched to fit"
