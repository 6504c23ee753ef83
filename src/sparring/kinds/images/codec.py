"""Pixels and what networks see of them.

Pixels are uint8 of shape (n, height, width, channels); 2 channels are grey and alpha, 4 are
colour and alpha.
"""

import torch
from torch import Tensor

from sparring.kinds.images.spec import ImageSpec

COLOURS = {1: "grey", 2: "grey + alpha", 3: "colour", 4: "colour + alpha"}  # by channels


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


def view(samples: Tensor, spec: ImageSpec) -> Tensor:
    """Return what a discriminator sees: the samples."""
    return samples


def to_user_type(pixels: Tensor, spec: ImageSpec) -> Tensor:
    """Return the pixels."""
    return pixels


def describe(spec: ImageSpec) -> str:
    """Say what the images are: size, colour, classes."""
    classes = f", {len(spec.classes)} classes" if spec.classes else ""
    return f"{spec.height}x{spec.width} {COLOURS[spec.channels]}{classes}"


def facts(spec: ImageSpec) -> list[tuple[str, str]]:
    """Return size and colour, named."""
    return [("Shape", f"{spec.height} × {spec.width} pixels, {COLOURS[spec.channels]}")]
