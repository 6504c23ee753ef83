"""Pixels made ready for a network: what a person would see of them, at the size it expects.

Items are uint8 of shape (n, height, width, channels); 2 channels are grey and alpha, 4 are colour
and alpha. What is made of them is float32 of shape (n, channels, height, width) from 0 to 1.
"""

from math import sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sparring.errors import SparringError
from sparring.features.extractor import MICRO_BATCH, Items

THUMBNAIL = 32 * 32  # pixels
PIXELS_AT_ONCE = 2**20


def check_images(items: Items, shape: tuple[int, ...] | None = None) -> None:
    """Raise `SparringError` unless these are images, and of this (height, width, channels)."""
    fits = items.ndim == 4 and items.dtype == np.uint8 and items.shape[3] in (1, 2, 3, 4)
    if not fits or 0 in items.shape[1:3]:
        raise SparringError(
            f"items are {items.dtype} of shape {items.shape}; this extractor expects uint8 images, "
            "(n, height, width, 1 to 4 channels)"
        )
    if shape is not None and items.shape[1:] != shape:
        raise SparringError(
            f"images are {_size(items.shape[1:])}; this extractor was fitted to {_size(shape)}"
        )


def at_once(items: Items) -> int:
    """Return how many images of this size make a batch: a function of the size alone."""
    height, width = items.shape[1:3]
    return max(1, min(MICRO_BATCH, PIXELS_AT_ONCE // int(height * width)))


def visible(pixels: Tensor) -> Tensor:
    """Lay the colours on white where they are transparent; alpha stays the last channel."""
    images = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255
    if images.shape[1] in (1, 3):
        return images
    colours, alpha = images[:, :-1], images[:, -1:]
    return torch.cat([1 - alpha * (1 - colours), alpha], 1)


def coloured(pixels: Tensor) -> Tensor:
    """Return red, green and blue as seen on white; grey is repeated, alpha is gone."""
    return _three(visible(pixels))


def opaque(pixels: Tensor) -> Tensor:
    """Return red, green and blue with alpha ignored, as Pillow's `convert("RGB")` does."""
    return _three(pixels.permute(0, 3, 1, 2).to(torch.float32) / 255)


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """Resize bilinearly, and with averaging where the images shrink; the aspect may change."""
    if images.shape[2:] == (height, width):
        return images
    return interpolate(images, (height, width), mode="bilinear", antialias=True)


def thumbnails(pixels: Tensor) -> Tensor:
    """Return what is visible at no more than 1024 pixels, uint8 (n, channels, height, width)."""
    images = visible(pixels)
    height, width = images.shape[2:]
    scale = min(1.0, sqrt(THUMBNAIL / (height * width)))
    small = resized(images, max(int(height * scale), 1), max(int(width * scale), 1))
    return (small * 255).round().clamp(0, 255).to(torch.uint8)


def _three(images: Tensor) -> Tensor:
    return images[:, :1].expand(-1, 3, -1, -1) if images.shape[1] < 3 else images[:, :3]


def _size(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height}x{width} with {channels} channel{'s' * (channels > 1)}"
