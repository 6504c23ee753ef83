"""What differs between the kinds of data, by the spec of a sample: each function is one `match`.

Items are what files hold; samples are what networks see. See `dataset.Dataset`.
"""

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring.data import image_codec, sounds, tables, texts, vectors
from sparring.data.dataset import Dataset, silent
from sparring.data.images import open_images
from sparring.data.listing import IMAGES as IMAGE_SUFFIXES
from sparring.data.listing import SOUNDS, list_files
from sparring.data.named import AUDIO, TABLES, TEXTS
from sparring.data.options import DataOptions
from sparring.data.pack import Progress
from sparring.data.table_columns import Frame
from sparring.data.text_files import part_of
from sparring.densities import NAMES as DENSITIES
from sparring.spec import AudioSpec, ImageSpec, Spec, TableSpec, TextSpec, VectorSpec

Plain = str | Path | NDArray[np.generic]  # each reader refuses what it cannot read
Source = str | Path | NDArray[np.generic] | Frame | list[str]
TABULAR = (".csv", ".tsv", ".parquet", ".pq")


def open_data(
    source: Source,
    options: DataOptions,
    *,
    cache: Path,
    progress: Progress = silent,
) -> Dataset:
    """Read data of whatever kind it is; see `open_images`, `open_vectors`, `open_tables`,
    `open_sounds`, `open_texts`.
    """
    match options.kind if options.kind != "auto" else _recognised(source):
        case "vector":
            return vectors.open_vectors(cast(Plain, source), options, progress)
        case "table":
            return tables.open_tables(source, options, progress)
        case "audio":
            return sounds.open_sounds(cast(Plain, source), options, cache=cache, progress=progress)
        case "text":
            return texts.open_texts(source, options, progress=progress)
        case _:
            return open_images(cast(Plain, source), options, cache=cache, progress=progress)


def encode(items: Tensor, spec: Spec) -> Tensor:
    """Turn items into what the networks see, float32."""
    match spec:
        case ImageSpec():
            return image_codec.encode(items, spec)
        case VectorSpec():
            return vectors.encode(items, spec)
        case AudioSpec():
            return sounds.encode(items, spec)
        case TextSpec():
            return texts.encode(items, spec)
        case TableSpec():
            return items


def decode(samples: Tensor, spec: Spec) -> Tensor:
    """Turn what a generator makes into items."""
    match spec:
        case ImageSpec():
            return image_codec.decode(samples, spec)
        case VectorSpec():
            return vectors.decode(samples, spec)
        case AudioSpec():
            return sounds.decode(samples, spec)
        case TextSpec():
            return texts.decode(samples, spec)
        case TableSpec():
            return samples


def view(samples: Tensor, spec: Spec) -> Tensor:
    """Return what a discriminator sees of what a generator makes: of sounds, their spectra."""
    if isinstance(spec, AudioSpec) and spec.form == "sound":
        return sounds.seen(samples, spec)
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
        case AudioSpec():
            return "audio"
        case TextSpec():
            return "text"


def thing(spec: Spec) -> str:
    """Return what people call one item."""
    match spec:
        case ImageSpec():
            return "image"
        case VectorSpec():
            return "point"
        case TableSpec():
            return "row"
        case AudioSpec():
            return "sound"
        case TextSpec():
            return "text"


def describe(spec: Spec) -> str:
    """Say in a few words what one item is."""
    match spec:
        case ImageSpec():
            return image_codec.describe(spec)
        case VectorSpec():
            return vectors.describe(spec)
        case TableSpec():
            return tables.describe(spec)
        case AudioSpec():
            return sounds.describe(spec)
        case TextSpec():
            return texts.describe(spec)


def _recognised(source: Any) -> str:
    if isinstance(source, np.ndarray):
        return "vector" if source.ndim == 2 else "image"
    if isinstance(source, list):
        return "text"
    if is_frame(source) or source in TABLES:
        return "table"
    if source in DENSITIES:
        return "vector"
    if source in AUDIO:
        return "audio"
    if source in TEXTS or (isinstance(source, str | Path) and part_of(source)):
        return "text"
    path = Path(source) if isinstance(source, str | Path) else Path()
    if path.suffix.lower() in TABULAR:
        return "table"
    if path.suffix.lower() == ".npy" and _dimensions(path) == 2:
        return "vector"
    return "audio" if path.suffix.lower() in SOUNDS or _mostly_sounds(path) else "image"


def _mostly_sounds(path: Path) -> bool:
    """Tell whether a folder or archive has more names of sounds than of images."""
    if not (path.is_dir() or path.suffix.lower() == ".zip"):
        return False
    with list_files(path, SOUNDS) as listing:
        images = sum(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in listing.others)
        return len(listing.entries) + len(listing.skipped) > images


def is_frame(source: Any) -> bool:
    """Tell whether a source is a data frame, without importing pandas."""
    return type(source).__name__ == "DataFrame"


def presented(items: Tensor, spec: Spec) -> Any:
    """Return items as people want them: rows as a data frame, texts as a list."""
    match spec:
        case TableSpec():
            return tables.frame_of(items.numpy(), spec)
        case TextSpec():
            return texts.texts_of(items, spec)
        case _:
            return items


def questions(data: Dataset) -> tables.Questions | None:
    """Return what training asks rows of a table by; None of other data."""
    return tables.Questions(data) if isinstance(data.spec, TableSpec) else None


def _dimensions(path: Path) -> int:
    """Return the dimensions of the array in a `.npy` file; 0 when it has no proper header."""
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).ndim)
    except (OSError, ValueError, EOFError):
        return 0
