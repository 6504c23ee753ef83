"""Features without a network: principal components of pixels, standardised coordinates.

Their digest is that of the items they were fitted to, which decide everything else: components
differ in the last bits from machine to machine, and the name of an extractor must not.

Notation: n items of D numbers; k ≤ 64 components.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor

from sparring.errors import SparringError
from sparring.features.extractor import (
    Extractor,
    Features,
    Items,
    digest_of_arrays,
    in_batches,
)
from sparring.features.pixels import at_once, check_images, thumbnails

MAX_COMPONENTS = 64
MIN_VARIANCE = 1e-10  # of the largest component's
COORDINATES, PIXEL_PCA = "coordinates", "pixel-pca"
OF_COORDINATES = "standardised coordinates of vectors; of more than 64, their components"

Matrix = NDArray[np.float64]


def pixel_pca(train: Items) -> Extractor:
    """Return the coordinates of images along the principal components of training images.

    Images larger than 1024 pixels are shrunk first. The components are not whitened: a distance
    between features is one between (small) images, on the scale where white is 1.

    Args:
        train: uint8 images (n, height, width, channels), at least 2.

    Raises:
        SparringError: these are not images, or all are the same.
    """
    check_images(train)
    mean, axes = principal_axes(_flat(train).astype(np.float64))
    digest = digest_of_arrays("pixel-pca 1", {"train": train})

    def run(items: Items) -> Features:
        check_images(items, train.shape[1:])
        return in_batches(
            lambda pixels: (_rows(pixels) - mean) @ axes, items, axes.shape[1], at_once(items)
        )

    return Extractor(PIXEL_PCA, digest, axes.shape[1], run)


def coordinates(train: Items) -> Extractor:
    """Return the standardised coordinates of vectors; of more than 64, their first components.

    Args:
        train: vectors (n, d), at least 2.

    Raises:
        SparringError: these are not vectors, or all are the same.
    """
    if train.ndim != 2:
        raise SparringError(f"items are of shape {train.shape}; expected vectors, (n, d)")
    centre, scale = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    scale[scale == 0] = 1
    mean, axes = torch.zeros(train.shape[1]), torch.eye(train.shape[1])
    if train.shape[1] > MAX_COMPONENTS:
        mean, axes = principal_axes((train - centre) / scale)

    def compute(points: Tensor) -> Tensor:
        standard = (points.double() - torch.from_numpy(centre)) / torch.from_numpy(scale)
        return (standard.float() - mean) @ axes

    def run(items: Items) -> Features:
        if items.ndim != 2 or items.shape[1] != len(centre):
            raise SparringError(
                f"items are of shape {items.shape}; this extractor was fitted to vectors of "
                f"{len(centre)} coordinates"
            )
        return in_batches(compute, items, axes.shape[1])

    digest = digest_of_arrays("coordinates 1", {"train": train})
    return Extractor(COORDINATES, digest, axes.shape[1], run)


def principal_axes(rows: Matrix) -> tuple[Tensor, Tensor]:
    """Return the mean (D,) and the principal axes (D, k), largest variance first, as float32.

    An axis points to where its largest entry is positive. Axes without variance are left out.

    Raises:
        SparringError: there are fewer than 2 rows, or all are the same.
    """
    mean = rows.mean(0)
    centred = rows - mean
    wide = rows.shape[1] > len(rows)
    products = centred @ centred.T if wide else centred.T @ centred
    size = len(products)
    variances, vectors = eigh(products, subset_by_index=(max(size - MAX_COMPONENTS, 0), size - 1))
    if variances[-1] <= 0:
        raise SparringError(f"all {len(rows)} training items are the same; nothing to look at")
    varying = variances > MIN_VARIANCE * variances[-1]
    axes = (centred.T @ vectors if wide else vectors)[:, varying][:, ::-1]
    axes = axes / np.linalg.norm(axes, axis=0)
    largest = np.abs(axes).argmax(0)
    axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    return torch.from_numpy(mean).float(), torch.from_numpy(axes).float()


def _flat(train: Items) -> Features:
    width = _rows(torch.from_numpy(np.ascontiguousarray(train[:1]))).shape[1]
    return in_batches(_rows, train, width, at_once(train))


def _rows(pixels: Tensor) -> Tensor:
    return thumbnails(pixels).flatten(1).float() / 255
