"""Vectors as data: two-dimensional arrays, and points drawn from a known density.

Inside: `open_vectors`, which never reads images; `encode`, `decode` and writing points.
"""

from io import BytesIO
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring import densities, runs
from sparring.data import array_files, split
from sparring.data.dataset import Dataset
from sparring.data.options import DataOptions
from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.spec import VectorSpec

POINTS, SEED = 100_000, 0  # drawn from a known density, always the same ones
WIDEST = 100_000  # coordinates
COLUMNS = ("x", "y", "z")


def open_vectors(
    source: str | Path | NDArray[np.generic], options: DataOptions, progress: Progress
) -> Dataset:
    """Read points from a known density, a `.npy` file or an array of shape (n, d).

    Raises:
        SparringError: the source holds no such array, or values that are not finite.
    """
    name, points, density = _points(source)
    hashes = split.digests(points, progress)
    divided = split.divide(hashes, options.held_out, None)
    train = points[divided.train]
    mean, scale = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    constant = int((scale == 0).sum())
    spec = VectorSpec(
        tuple(mean.tolist()), tuple(np.where(scale > 0, scale, 1).tolist()), density=density
    )
    notes = [f"{constant} of {len(scale)} coordinates are constant"] if constant else []
    if repeated := split.duplicates(hashes):
        notes.append(f"{repeated} of {len(points)} points repeat an earlier one exactly")
    return Dataset(
        name=name,
        spec=spec,
        items=points,
        labels=None,
        train=divided.train,
        held_out=divided.held_out,
        skipped=(),
        notes=(*notes, *divided.notes),
        fingerprint=split.fingerprint(hashes, points.shape, None, divided),
    )


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
    path.parent.mkdir(parents=True, exist_ok=True)
    runs.write_bytes(path, file.getvalue())


def coordinate_names(width: int) -> tuple[str, ...]:
    """Return x, y, z, or x0, x1, … when there are more."""
    return COLUMNS[:width] if width <= len(COLUMNS) else tuple(f"x{i}" for i in range(width))


def describe(spec: VectorSpec) -> str:
    """Say what the points are."""
    width = f"{spec.size} coordinate{'s' * (spec.size > 1)}"
    return f"{width}, known density: {densities.density(spec.density)}" if spec.density else width


def _points(source: str | Path | NDArray[np.generic]) -> tuple[str, NDArray[np.float32], str]:
    """Return a short name, the points, and the name of their density if it is known."""
    if isinstance(source, str) and source in densities.NAMES:
        drawn = densities.density(str(source)).sample(POINTS, SEED)
        return str(source), drawn.astype(np.float32), str(source)
    if isinstance(source, np.ndarray):
        return "array", _checked("the array", source), ""
    path = Path(source)
    if path.suffix.lower() != ".npy":
        raise SparringError(
            f"vectors are read from a .npy file of shape (n, d), or one of "
            f"{', '.join(densities.NAMES)}; '{path}' is neither"
        )
    read = array_files.read_npy(path)
    return path.stem or "array", _checked(read.origin, read.images), ""


def _checked(origin: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if array.ndim != 2 or array.dtype.kind not in "buif" or not 0 < array.shape[1] <= WIDEST:
        raise SparringError(
            f"{origin} is {array.dtype} of shape {array.shape}; expected numbers of shape (n, d)"
        )
    if len(array) < 2:
        raise SparringError(f"{origin} holds {len(array)} points; expected at least 2")
    bad = int((~np.isfinite(array)).any(1).sum())
    if bad:
        raise SparringError(
            f"{bad} of {len(array)} rows of {origin} hold NaN or infinity; remove or fill them"
        )
    if (array == array[0]).all():
        raise SparringError(
            f"{origin} holds {len(array)} points that are all the same; there is nothing to learn"
        )
    largest = float(np.abs(array.astype(np.float64)).max())
    if largest > sqrt(float(np.finfo(np.float32).max)):
        raise SparringError(f"{origin} holds values up to {largest:g}; expected at most 1e19")
    return np.ascontiguousarray(array, np.float32)


def _like(values: tuple[float, ...], tensor: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, device=tensor.device)
