"""Points as data: two-dimensional arrays, and draws from a known density.

Items are float32 coordinates (n, d). Not inside: what networks see of points (`codec`).
"""

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data import array_files, sources, split
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.folders import MIN_ITEMS
from sparring.data.options import CommonOptions
from sparring.data.pack import LoadedItems, Progress
from sparring.errors import SparringError
from sparring.kinds.points import densities
from sparring.kinds.points.spec import DENSITIES, VectorSpec
from sparring.runs.folder import RULES

DENSITY_POINTS, DENSITY_SEED = 100_000, 0  # drawn from a known density, always the same ones
MAX_COORDINATES = 100_000  # of a point


def recognises(source: Any, others: frozenset[str] = frozenset()) -> bool:
    """Tell whether a source is a known density, a two-dimensional array or a list of its rows."""
    if isinstance(source, np.ndarray):
        return source.ndim == 2
    if isinstance(source, list):
        return _are_rows(source)
    if not isinstance(source, str | Path):
        return False
    path = Path(source)
    return source in DENSITIES or (
        path.suffix.lower() == ".npy" and array_files.dimensions(path) == 2
    )


def keep(source: Any, options: CommonOptions, folder: Path) -> str:
    """Return where a resume finds the source again."""
    return sources.keep(_stacked(source), folder, DENSITIES)


def open_data(
    source: str | Path | NDArray[np.generic],
    options: CommonOptions,
    *,
    spec: VectorSpec | None = None,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = DENSITIES,
    rules: int = RULES,
) -> Dataset:
    """Read points from a known density, a `.npy` file or an array of shape (n, d).

    Raises:
        SparringError: the source holds no such array, or values that are not finite; its points
            have not as many coordinates as a given spec says.
    """
    name, points, density = _load(source)
    have = "points are grouped as rows of a table: give a .csv file with a column for it"
    notes = sources.without_groups(options.groups, f"'{name}'", have, given=spec is not None)
    hashes = split.digests(points, progress)
    divided = (
        split.divide(hashes, options.held_out, None)
        if rules == 1
        else split.hold_out(hashes, options.held_out)
    )
    if spec is None:
        spec, constant = _fit_spec(points[divided.train], density)
        notes += constant
    elif (width := points.shape[1]) != spec.size:
        raise SparringError(
            f"the points of '{name}' have {width} coordinates; those of the run have {spec.size}"
        )
    notes += [*split.note_duplicates(hashes, "points"), *divided.notes]
    notes += split.note_groups(divided, "points")
    return to_dataset(name, spec, LoadedItems(points), divided, hashes, notes)


def decided(options: CommonOptions, spec: VectorSpec) -> CommonOptions:
    """Return the options: how points are read leaves nothing to decide."""
    return options


def _fit_spec(train: NDArray[np.float32], density: str) -> tuple[VectorSpec, list[str]]:
    """Return the spec of points from mean and spread of the training part, and notes."""
    mean, scale = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    constant = int((scale == 0).sum())
    spec = VectorSpec(
        tuple(mean.tolist()), tuple(np.where(scale > 0, scale, 1).tolist()), density=density
    )
    return spec, [f"{constant} of {len(scale)} coordinates are constant"] if constant else []


def _load(source: str | Path | NDArray[np.generic]) -> tuple[str, NDArray[np.float32], str]:
    """Return a short name, the points, and the name of their density if it is known."""
    if isinstance(source, str) and source in DENSITIES:
        points = densities.density(source).sample(DENSITY_POINTS, DENSITY_SEED)
        return source, points.astype(np.float32), source
    source = _stacked(source)
    if isinstance(source, np.ndarray):
        return "array", _checked("the array", source), ""
    if not isinstance(source, str | Path):
        raise sources.unusable("points are", source, "an array of shape (n, d) or a .npy file")
    path = Path(source)
    if path.suffix.lower() == ".csv":  # as samples are written
        return path.stem, _checked(f"'{path}'", _read_csv(path)), ""
    if path.suffix.lower() != ".npy":
        raise SparringError(
            f"vectors are read from a .npy file of shape (n, d), or one of "
            f"{', '.join(DENSITIES)}; '{path}' is neither"
        )
    return path.stem or "array", _checked(f"'{path}'", array_files.read_npy(path)), ""


def _read_csv(path: Path) -> NDArray[np.generic]:
    """Read rows of numbers below a line of names."""
    try:
        return np.loadtxt(path, np.float32, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, ValueError) as error:
        raise SparringError(f"'{path}' does not hold points: {error}") from error


def _stacked(source: Any) -> Any:
    """Return the array of a list of rows of one length; anything else as it is."""
    return np.stack(source) if _are_rows(source) else source


def _are_rows(source: Any) -> bool:
    return sources.are_vectors(source) and len({len(row) for row in source}) == 1


def _checked(origin: str, array: NDArray[Any]) -> NDArray[np.float32]:
    numeric = array.dtype.kind in "buif"
    if array.ndim != 2 or not numeric or not 0 < array.shape[1] <= MAX_COORDINATES:
        raise SparringError(
            f"{origin} is {array.dtype} of shape {array.shape}; expected numbers of shape (n, d)"
        )
    _check_values(origin, array)
    return np.ascontiguousarray(array, np.float32)


def _check_values(origin: str, array: NDArray[Any]) -> None:
    """Refuse too few points, values that are not finite or too large, and equal points."""
    if len(array) < MIN_ITEMS:
        raise SparringError(f"{origin} holds {len(array)} points; expected at least {MIN_ITEMS}")
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
