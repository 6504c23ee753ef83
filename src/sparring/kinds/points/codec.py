"""Points and what they become: tensors for networks, files for people."""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.output import write_file
from sparring.errors import SparringError
from sparring.kinds.points import densities
from sparring.kinds.points.spec import VectorSpec

COLUMNS = ("x", "y", "z")


def encode(points: Tensor, spec: VectorSpec) -> Tensor:
    """Turn points (n, d) into samples of mean 0 and standard deviation 1, float32."""
    return ((points.double() - _like(spec.mean, points)) / _like(spec.scale, points)).float()


def decode(samples: Tensor, spec: VectorSpec) -> Tensor:
    """Turn samples (n, d) into points, float32."""
    return (samples.double() * _like(spec.scale, samples) + _like(spec.mean, samples)).float()


def write_points(points: NDArray[np.float32], path: Path) -> None:
    """Write points (n, d) as `.csv` with a header, `.npy` or `.npz` (key `points`)."""
    file = BytesIO()
    match path.suffix.lower():
        case ".csv":
            header = ",".join(coordinate_names(points.shape[1]))
            np.savetxt(file, points, fmt="%.9g", delimiter=",", header=header, comments="")
        case ".npy":
            np.save(file, points)
        case ".npz":
            np.savez_compressed(file, points=points)
        case other:
            raise SparringError(f"cannot write points as '{other}'; use .csv, .npy, .npz or .png")
    write_file(path, file.getvalue())


def coordinate_names(width: int) -> tuple[str, ...]:
    """Return x, y, z, or x0, x1, … when there are more."""
    return COLUMNS[:width] if width <= len(COLUMNS) else tuple(f"x{i}" for i in range(width))


def view(samples: Tensor, spec: VectorSpec) -> Tensor:
    """Return what a discriminator sees: the samples."""
    return samples


def to_user_type(points: Tensor, spec: VectorSpec) -> Tensor:
    """Return the points."""
    return points


def describe(spec: VectorSpec) -> str:
    """Say what the points are."""
    width = f"{spec.size} coordinate{'s' * (spec.size > 1)}"
    return f"{width}, known density: {densities.density(spec.density)}" if spec.density else width


def facts(spec: VectorSpec) -> list[tuple[str, str]]:
    """Return the number of coordinates and the known density, named."""
    shape = ("Shape", f"{spec.size:,} coordinate{'s' * (spec.size != 1)}")
    return [shape, ("Known density", spec.density)] if spec.density else [shape]


def _like(values: tuple[float, ...], tensor: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, device=tensor.device)
