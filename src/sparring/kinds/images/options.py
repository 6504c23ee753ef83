"""How images are read, and which files are images."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Gt

from sparring.data.options import CommonOptions, Short
from sparring.kinds.images.spec import ValueRange

NAMED_SETS = ("digits", "mnist", "fashion-mnist", "emoji")

# Some of these cannot be decoded; they are still skipped by name, not ignored.
SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2"}
    | {".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".svg", ".tga"}
    | {".tif", ".tiff", ".webp"}
)

Channels = Literal["auto", "1", "2", "3", "4"]
SINCE_0_1 = (0, 0.0, "peak")  # in the key of a pack, so that packs of 0.1 are found again


@dataclass(frozen=True)
class ImageOptions(CommonOptions):
    """What a user may ask of images."""

    resolution: Annotated[
        str, Short, "size of images: auto, a side (64) or height x width (48x64)"
    ] = "auto"
    crop: Annotated[
        Literal["centre", "pad", "stretch"],
        Short,
        "how an image of another aspect ratio is made to fit",
    ] = "centre"
    channels: Annotated[Channels, Short, "channels of images: 1 grey, 3 colour, +1 alpha"] = "auto"
    max_megapixels: Annotated[
        float, Gt(0), "largest image; larger files are skipped before decoding"
    ] = 50.0
    value_range: Annotated[ValueRange, "range of the pixels that the networks see"] = "-1..1"


def decisive(options: ImageOptions) -> tuple[Any, ...]:
    """Return the options that decide which pixels are read."""
    size = options.resolution, options.crop, options.channels
    return (*size, options.max_megapixels, *SINCE_0_1, options.labels)
