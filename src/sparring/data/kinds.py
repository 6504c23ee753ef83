"""What differs between the kinds of data, by the spec of a sample: each function is one `match`.

Items are what files hold; samples are what networks see. See `dataset.Dataset`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring.data import image_codec, tables, vectors
from sparring.data.dataset import Dataset, silent
from sparring.data.images import open_images
from sparring.data.named import TABLES
from sparring.data.options import DataOptions
from sparring.data.pack import Progress
from sparring.data.table_columns import Frame
from sparring.densities import NAMES as DENSITIES
from sparring.spec import ImageSpec, Spec, TableSpec, VectorSpec

Source = str | Path | NDArray[np.generic] | Frame
TABULAR = (".csv", ".tsv", ".parquet", ".pq")


def open_data(
    source: Source,
    options: DataOptions,
    *,
    cache: Path,
    progress: Progress = silent,
) -> Dataset:
    """Read data of whatever kind it is; see `open_images`, `open_vectors`, `open_tables`."""
    match options.kind if options.kind != "auto" else _recognised(source):
        case "vector":
            return vectors.open_vectors(source, options, progress)
        case "table":
            return tables.open_tables(source, options, progress)
        case _:
            return open_images(source, options, cache=cache, progress=progress)


def encode(items: Tensor, spec: Spec) -> Tensor:
    """Turn items into what the networks see, float32."""
    match spec:
        case ImageSpec():
            return image_codec.encode(items, spec)
        case VectorSpec():
            return vectors.encode(items, spec)
        case TableSpec():
            return items


def decode(samples: Tensor, spec: Spec) -> Tensor:
    """Turn what a generator makes into items."""
    match spec:
        case ImageSpec():
            return image_codec.decode(samples, spec)
        case VectorSpec():
            return vectors.decode(samples, spec)
        case TableSpec():
            return samples


def kind(spec: Spec) -> str:
    """Return the kind of data."""
    match spec:
        case ImageSpec():
            return "image"
        case VectorSpec():
            return "vector"
        case TableSpec():
            return "table"


def thing(spec: Spec) -> str:
    """Return what people call one item."""
    match spec:
        case ImageSpec():
            return "image"
        case VectorSpec():
            return "point"
        case TableSpec():
            return "row"


def describe(spec: Spec) -> str:
    """Say in a few words what one item is."""
    match spec:
        case ImageSpec():
            return image_codec.describe(spec)
        case VectorSpec():
            return vectors.describe(spec)
        case TableSpec():
            return tables.describe(spec)


def _recognised(source: Any) -> str:
    if isinstance(source, np.ndarray):
        return "vector" if source.ndim == 2 else "image"
    if is_frame(source) or source in TABLES:
        return "table"
    if source in DENSITIES:
        return "vector"
    path = Path(source) if isinstance(source, str | Path) else Path()
    if path.suffix.lower() in TABULAR:
        return "table"
    return "vector" if path.suffix.lower() == ".npy" and _dimensions(path) == 2 else "image"


def is_frame(source: Any) -> bool:
    """Tell whether a source is a data frame, without importing pandas."""
    return type(source).__name__ == "DataFrame"


def presented(items: Tensor, spec: Spec) -> Any:
    """Return items as people want them: rows as a data frame, all else as it is."""
    return tables.frame_of(items.numpy(), spec) if isinstance(spec, TableSpec) else items


def questions(data: Dataset) -> tables.Questions | None:
    """Return what training asks rows of a table by; None of other data."""
    return tables.Questions(data) if isinstance(data.spec, TableSpec) else None


def _dimensions(path: Path) -> int:
    """Return the dimensions of the array in a `.npy` file; 0 when it has no proper header."""
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).ndim)
    except (OSError, ValueError, EOFError):
        return 0
