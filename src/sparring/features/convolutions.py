"""A random convolutional network whose weights are fixed for ever: features with no training.

Random filters tell blur, noise, colours and missing kinds of image apart, though not meanings:
the distances are fit to compare generators of the same data, and have a scale of their own.

Notation: S maps of C channels, each half as large as the one before, the last with a shorter
side of 4 to 8 pixels; C such that the features, C means of each map and 4 × 4 means of the last,
are about 256.
"""

from itertools import pairwise
from math import sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, pad, relu

from sparring.draws import Draw
from sparring.features.extractor import (
    Extractor,
    Features,
    Items,
    digest_of_arrays,
    in_batches,
)
from sparring.features.pixels import at_once, check_images, visible

NAME, FIXED_NAME = "random-convolutions", "random-convolutions, not standardised"
SEED = 0
TARGET_FEATURES = 256  # features
GRID = 4  # cells on a side
MIN_SIDE = 4  # pixels on the shorter side of the last map
MIN_SPREAD = 0.5  # of the median spread: a feature that hardly varies must not drown the others
QUANTUM = 2.0**-12  # weights are multiples of it, so that no library rounds them otherwise


def random_convolutions(train: Items) -> Extractor:
    """Return the network's features, of mean 0 and standard deviation 1 on the training images.

    Args:
        train: uint8 images (n, height, width, channels) of any size, to standardise by.

    Raises:
        SparringError: these are not images.
    """
    check_images(train)
    shape = train.shape[1:]
    kernels = random_kernels(shape)
    width = len(kernels[0]) * (len(kernels) + GRID**2)
    batch = at_once(train)

    def raw(items: Items) -> Features:
        return in_batches(lambda pixels: statistics(visible(pixels), kernels), items, width, batch)

    fitted = raw(train).astype(np.float64)
    mean, scale = fitted.mean(0), fitted.std(0)
    scale = np.maximum(scale, MIN_SPREAD * np.median(scale) + np.finfo(np.float32).tiny)

    def run(items: Items) -> Features:
        check_images(items, shape)
        standard: Features = ((raw(items) - mean) / scale).astype(np.float32)
        return standard

    arrays = {f"kernel {i}": kernel.numpy() for i, kernel in enumerate(kernels)}
    return Extractor(NAME, digest_of_arrays(NAME + " 1", {**arrays, "train": train}), width, run)


def fixed_convolutions(shape: tuple[int, ...]) -> Extractor:
    """Return the features of images (height, width, channels), standardised by no images."""
    kernels = random_kernels(shape)

    def run(items: Items) -> Features:
        check_images(items, shape)
        return in_batches(
            lambda pixels: statistics(visible(pixels), kernels), items, width, at_once(items)
        )

    width = len(kernels[0]) * (len(kernels) + GRID**2)
    arrays = {f"kernel {i}": kernel.numpy() for i, kernel in enumerate(kernels)}
    digest = digest_of_arrays(f"{FIXED_NAME} 1 {shape}", arrays)
    return Extractor(FIXED_NAME, digest, width, run, is_fixed=True)


def random_kernels(shape: tuple[int, ...]) -> list[Tensor]:
    """Return the kernels of S layers, (C, inputs, 3, 3), for images (height, width, channels).

    Every second kernel of the first layer sums to 0 on each colour: it sees edges, the others
    see shades too. Weights are uniform, of variance 2 / fan-in (He 2015, eq. 10).
    """
    maps = 1
    while min(shape[:2]) / 2**maps >= MIN_SIDE:
        maps += 1
    channels = TARGET_FEATURES // (maps + GRID**2)
    kernels = []
    for layer, (inputs, outputs) in enumerate(pairwise([shape[2], *[channels] * maps])):
        uniform = Draw(SEED).uniform(f"{NAME}/{layer}", (outputs, inputs, 3, 3)).double()
        kernel = (2 * uniform - 1) * sqrt(6 / (9 * inputs))
        if layer == 0:
            kernel[::2] -= kernel[::2].mean((2, 3), keepdim=True)
        kernels.append((kernel / QUANTUM).round().mul(QUANTUM).float())
    return kernels


def statistics(images: Tensor, kernels: list[Tensor]) -> Tensor:
    """Return the means of each map and those of the last one's cells, (n, C · (S + 16))."""
    first, *rest = kernels
    maps = _layer(2 * images - 1, first)
    means = [maps.mean((2, 3))]
    for kernel in rest:
        half = avg_pool2d(maps, 2, ceil_mode=True)
        maps = (half + _layer(half, kernel)) / sqrt(2)
        means.append(maps.mean((2, 3)))
    return torch.cat([*means, adaptive_avg_pool2d(maps, GRID).flatten(1)], 1)


def _layer(maps: Tensor, kernel: Tensor) -> Tensor:
    return relu(conv2d(pad(maps, (1, 1, 1, 1), mode="replicate"), kernel))
