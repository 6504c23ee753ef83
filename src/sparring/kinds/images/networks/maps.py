"""Sizes of the maps between a latent and an image."""

from math import ceil

from torch import Tensor

from sparring.errors import SparringError
from sparring.kinds.images.spec import ImageSpec


def first_map(spec: ImageSpec, depth: int) -> tuple[int, int]:
    """Return the size of the map that `depth` doublings make an image of, and some overhang.

    Raises:
        SparringError: the first doublings alone would cover the image.
    """
    if 2 ** (depth - 1) >= max(spec.height, spec.width):
        raise SparringError(
            f"{depth} doublings overshoot an image of {spec.height}x{spec.width}; "
            "use a lower --generator.depth"
        )
    return ceil(spec.height / 2**depth), ceil(spec.width / 2**depth)


def cropped(maps: Tensor, height: int, width: int) -> Tensor:
    """Return the middle of maps, without what overhangs."""
    top, left = (maps.shape[2] - height) // 2, (maps.shape[3] - width) // 2
    return maps[:, :, top : top + height, left : left + width]


def last_map(spec: ImageSpec, depth: int) -> tuple[int, int]:
    """Return the size of what `depth` halvings leave of an image.

    Raises:
        SparringError: they leave nothing.
    """
    if min(spec.height, spec.width) < 2**depth:
        raise SparringError(
            f"an image of {spec.height}x{spec.width} cannot be halved {depth} times; "
            "use a lower --discriminator.depth, or --discriminator.network mlp"
        )
    return spec.height // 2**depth, spec.width // 2**depth
