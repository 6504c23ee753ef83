"""Images in arrays: what their layout and values mean, and loading their pixels.

Not inside: opening array files (`array_files`), and folders of image files (`files`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data import labels as label_names
from sparring.data.folders import MIN_ITEMS
from sparring.data.pack import (
    CHUNK,
    STORED,
    LoadedItems,
    Progress,
    as_left_open,
    open_first,
    open_store,
    pack_folder,
)
from sparring.data.sources import without_groups
from sparring.errors import SparringError
from sparring.kinds.images.options import ImageOptions, decisive
from sparring.kinds.images.picture import adapt
from sparring.kinds.images.target import (
    MODES,
    SMALLER_BY,
    Target,
    choose_target,
    parse_resolution,
)
from sparring.plotting import to_image

LAYOUTS = "(n, height, width), (n, height, width, channels) or (n, channels, height, width)"


@dataclass(frozen=True, eq=False)
class ImageArrays:
    """Images of any accepted layout and type, and what came with them."""

    origin: str  # named in errors
    images: NDArray[Any]
    files: tuple[Path, ...] = ()  # where it was read, when from files
    labels: NDArray[Any] | None = None  # (n,) of integers or names
    classes: tuple[str, ...] = ()  # names of the labels 0, 1, ...; empty when they name themselves
    labels_by_default: bool = False
    test_from: int | None = None  # images from this one on are the source's own test part
    groups: NDArray[Any] | None = None  # (n,) of integers or names
    resolution: str = "auto"  # what this source takes for `auto`


@dataclass(frozen=True)
class _Scale:
    """How values become 8 bits: round((value + offset) * factor)."""

    offset: float
    factor: float
    note: str = ""


def load_arrays(
    source: ImageArrays,
    options: ImageOptions,
    cache: Path,
    progress: Progress,
    *,
    given: bool = False,
) -> LoadedItems:
    """Return the pixels of arrays at one size; `given`: they are read as those of a run."""
    images, layout = _channels_last(source)
    groups, group_notes = _groups(source, len(images), options.groups, given=given)
    identity = [*_identity(source), *([options.groups] if groups is not None else [])]
    if packed := read_before(cache, identity, options, source.resolution):
        return packed
    if options.resolution == "auto":
        options = replace(options, resolution=source.resolution)
    folder = pack_folder(cache, identity, *decisive(options))
    scale = _scale(source.origin, images)
    labels, classes, label_note = _labels(source, len(images), options.labels)
    count, height, width, channels = images.shape
    sizes = [(height, width)] * count
    target, notes = choose_target(sizes, grey=channels <= 2, options=options)
    colour, transparent = options.channels != "auto" or target.channels == 1, 0
    with open_store(
        count, target.shape, folder, options.memory_share, smaller_by=SMALLER_BY
    ) as store:
        for rows in _in_8_bits(images, scale, progress):
            adapted = _adapted(rows, target)
            transparent += _count_transparent(rows)
            colour = colour or not is_grey(adapted)
            store.append(adapted)
        if transparent and not target.alpha:
            notes.append(f"{transparent} of {count} images: transparency laid on white")
        notes = [note for note in (layout, scale and scale.note, *notes, label_note) if note]
        loaded = LoadedItems(
            STORED,
            labels,
            classes,
            (),
            (*notes, *group_notes),
            test_from=source.test_from,
            groups=groups,
        )
        return store.publish(loaded, one_channel=not colour)


def read_before(
    cache: Path, identity: list[Any], options: ImageOptions, natural: str = "auto"
) -> LoadedItems | None:
    """Return a pack of the same pixels, also if less was decided when they were read.

    Args:
        cache: where packs are.
        identity: of the source.
        options: how it is read.
        natural: the resolution that this source takes for `auto`.
    """

    def serves(packed: LoadedItems) -> bool:
        *size, channels = packed.items.shape[1:]
        return (
            parse_resolution(options.resolution) in (None, tuple(size))
            and options.channels in ("auto", str(channels))
            and label_names.suit(options.labels, packed)
        )

    if options.resolution == "auto":
        options = replace(options, resolution=natural)
    same = as_left_open(options, resolution=natural, channels="auto", labels="auto")
    return open_first((pack_folder(cache, identity, *decisive(o)) for o in same), serves)


def _identity(source: ImageArrays) -> list[Any]:
    """Return what tells this version of a source from another: stamps, or a digest of content."""
    if source.files:
        stats = [(path, path.stat()) for path in source.files]
        return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
    images = source.images
    digest = blake2b(repr((images.shape, images.dtype.str)).encode(), digest_size=16)
    for start in range(0, len(images), CHUNK):
        digest.update(np.ascontiguousarray(images[start : start + CHUNK]).tobytes())
    return [source.origin, digest.hexdigest()]


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether colour pixels (n, h, w, 3) have three equal channels everywhere."""
    return bool((pixels[..., 1:] == pixels[..., :1]).all())


def _channels_last(source: ImageArrays) -> tuple[NDArray[Any], str]:
    """Return images as (n, height, width, channels), and a note when they were not."""
    images = source.images
    if images.dtype.kind not in "buif":
        raise SparringError(
            f"{source.origin} holds values of type {images.dtype}; expected uint8, bool, uint16 or "
            "floating point"
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise SparringError(
            f"{source.origin} has shape {source.images.shape}; expected {LAYOUTS}, or vectors, "
            "(n, d)"
        )
    if len(images) < MIN_ITEMS:
        raise SparringError(
            f"{source.origin} holds {len(images)} images; expected at least {MIN_ITEMS}"
        )
    if images.shape[-1] in MODES:
        return images, ""
    if images.shape[1] in MODES:
        return images.transpose(0, 2, 3, 1), "channels come first in the array: moved to the end"
    raise SparringError(
        f"{source.origin} has shape {images.shape}; expected {LAYOUTS} with 1 to 4 channels"
    )


def _scale(origin: str, images: NDArray[Any]) -> _Scale | None:
    """Find out what the values mean; None when they are 8 bits already."""
    low, high = _range(images)
    dtype = images.dtype
    if dtype.kind == "b":
        return _Scale(0, 255)
    if (dtype.kind, dtype.itemsize) == ("u", 2) and high > 255:
        return _Scale(0, 255 / 65535, "16-bit values scaled to 8 bits")
    if dtype.kind == "f":
        return _float_scale(origin, low, high)
    if low < 0 or high > 255:
        raise SparringError(
            f"{origin} holds integers from {low:g} to {high:g}; expected 0 to 255 (or uint16)"
        )
    if dtype == np.uint8:
        return None
    return _Scale(0, 1, f"{dtype} values taken as 0 to 255")


def _float_scale(origin: str, low: float, high: float) -> _Scale:
    if low >= 0 and high <= 1:
        return _Scale(0, 255, "floating point values taken as 0 to 1")
    if low >= -1 and high <= 1:
        return _Scale(1, 127.5, "floating point values taken as -1 to 1")
    if low >= 0 and 2 < high <= 255:  # just above 1 is more likely 0 to 1 with overshoot
        return _Scale(0, 1, "floating point values taken as 0 to 255")
    raise SparringError(
        f"{origin} holds values from {low:g} to {high:g}; expected finite ones in 0 to 1, -1 to 1 "
        "or 0 to 255: rescale or clip them"
    )


def _range(images: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest value; both NaN when any is NaN."""
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    lows, highs = [chunk.min() for chunk in chunks], [chunk.max() for chunk in chunks]
    return (float(np.min(lows)), float(np.max(highs))) if chunks else (0.0, 0.0)


def _in_8_bits(
    images: NDArray[Any], scale: _Scale | None, progress: Progress
) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(images), CHUNK):
        rows = np.ascontiguousarray(images[start : start + CHUNK])
        if scale:
            values = rows.astype(np.float64)
            rows = np.rint((values + scale.offset) * scale.factor).astype(np.uint8)
        yield rows
        progress("reading images", start + len(rows), len(images))


def _adapted(rows: NDArray[np.uint8], target: Target) -> NDArray[np.uint8]:
    if rows.shape[1:] == target.shape and not target.alpha:
        return rows
    return np.stack([adapt(to_image(row), target) for row in rows])


def _count_transparent(rows: NDArray[np.uint8]) -> int:
    return int((rows[..., -1] < 255).any((1, 2)).sum()) if rows.shape[-1] in (2, 4) else 0


def _labels(
    source: ImageArrays, count: int, choice: str
) -> tuple[NDArray[np.int64] | None, tuple[str, ...], str]:
    """Return the labels (n,), the names of the classes, and a note."""
    if label_names.is_csv(choice):
        raise SparringError(f"labels '{choice}' names files, but {source.origin} is one array")
    if choice == "yes" and source.labels is None:
        raise SparringError(f"labels 'yes', but {source.origin} comes with none")
    if choice == "none" or source.labels is None:
        return None, (), ""
    if choice == "auto" and not source.labels_by_default:
        return None, (), label_names.UNUSED
    labels, classes = label_names.indices(_checked(source.labels, source, count, "labels"))
    if len(classes) >= 2:
        if source.classes:
            return source.labels.astype(np.int64), source.classes, ""
        return labels, classes, ""
    if choice == "yes":
        raise SparringError(f"labels 'yes', but all in {source.origin} are '{classes[0]}'")
    return None, (), "all labels are the same: they are not used"


def _groups(
    source: ImageArrays, count: int, asked: str, *, given: bool
) -> tuple[NDArray[np.int64] | None, list[str]]:
    """Return which images belong together (n,), and notes."""
    if not asked or source.groups is None:
        have = "expected the key of an .npz file that has as many groups as images"
        return None, without_groups(asked, source.origin, have, given=given)
    return label_names.indices(_checked(source.groups, source, count, "groups"))[0], []


def _checked(given: NDArray[Any], source: ImageArrays, count: int, what: str) -> NDArray[Any]:
    labels = np.asarray(given)
    whole = labels.dtype.kind == "f" and bool((labels == np.floor(labels)).all())
    if labels.size != count or not (whole or labels.dtype.kind in "buiU"):
        raise SparringError(
            f"the {what} of {source.origin} are {labels.dtype} of shape {labels.shape}; expected "
            f"one whole number or name for each of {count} images"
        )
    return labels.reshape(-1).astype(np.int64) if whole else labels.reshape(-1)
