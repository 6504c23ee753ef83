"""Image data: opened from almost anything into uint8 pixels, described by a spec.

Inside: which reader a source needs. Not inside: files of images (`files`), arrays (`arrays`), and
what networks see of pixels (`codec`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sparring.data import copies, folders, labels, sources, split
from sparring.data.array_files import read_npy
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.pack import LoadedItems, Progress
from sparring.errors import SparringError
from sparring.kinds.images import array_files, target
from sparring.kinds.images.arrays import ImageArrays, load_arrays
from sparring.kinds.images.files import load_files
from sparring.kinds.images.named import read_named
from sparring.kinds.images.options import NAMED_SETS, Channels, ImageOptions
from sparring.kinds.images.spec import ImageSpec
from sparring.runs.folder import RULES

ACCEPTED_SOURCES = "a folder of images, a .zip of one, a .npy or .npz file, or idx files"


def recognises(source: Any, others: frozenset[str] = frozenset()) -> bool:
    """Take what no other kind does."""
    return True


def keep(source: Any, options: ImageOptions, folder: Path) -> str:
    """Return where a resume finds the source again."""
    return sources.keep(source, folder, NAMED_SETS)


def open_data(
    source: str | Path | NDArray[np.generic],
    options: ImageOptions,
    *,
    spec: ImageSpec | None = None,
    cache: Path,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
    rules: int = RULES,
) -> Dataset:
    """Read a named set, a folder, an archive, an array file or an array.

    With a spec, images are brought to its size and channels. Data larger than the memory allowed is
    packed below `cache`. `progress(what, done, total)` is called on the way. Raises SparringError
    for what cannot be used as a whole; single files that cannot be read are named in `skipped`.
    """
    labels.check_choice(options.labels)
    target.parse_resolution(options.resolution)
    if spec:
        options = decided(options, spec)
    try:
        name, loaded = _load(source, options, cache, progress, sets, given=spec is not None)
    except OSError as error:
        raise SparringError(f"cannot read '{source}': {error.strerror or error}") from error
    if spec:
        loaded = labels.matched(name, loaded, spec.classes)
    hashes = split.digests(loaded.items, progress)
    divided = _divided(loaded, hashes, options, rules, progress)
    height, width, channels = loaded.items.shape[1:]
    spec = ImageSpec(height, width, channels, loaded.classes, options.value_range)
    notes = (*loaded.notes, *_notes(loaded, hashes), *divided.notes)
    return to_dataset(name, spec, loaded, divided, hashes, notes)


def decided(options: ImageOptions, spec: ImageSpec) -> ImageOptions:
    """Return options with the size and channels that images were brought to."""
    return replace(
        options,
        resolution=f"{spec.height}x{spec.width}",
        channels=cast(Channels, str(spec.channels)),
        value_range=spec.value_range,
    )


def _divided(
    loaded: LoadedItems,
    hashes: NDArray[np.uint8],
    options: ImageOptions,
    rules: int,
    progress: Progress,
) -> split.Split:
    """Return the split: copies and near-copies lie on one side, and what the source groups."""
    if rules == 1:
        return split.divide(hashes, options.held_out, loaded.test_from)
    groups = split.content(hashes)
    if loaded.groups is not None:
        groups = copies.joined(groups, loaded.groups)
    groups, notes = copies.with_near_copies(loaded.items, hashes, groups, progress)
    divided = split.hold_out(
        hashes,
        options.held_out,
        groups=groups,
        test_from=loaded.test_from,
    )
    notes += split.note_groups(divided, "images", options.groups * (loaded.groups is not None))
    return replace(divided, notes=(*divided.notes, *notes))


def _load(
    source: str | Path | NDArray[np.generic],
    options: ImageOptions,
    cache: Path,
    progress: Progress,
    sets: Sequence[str],
    *,
    given: bool,
) -> tuple[str, LoadedItems]:
    """Return a short name for the source, and its pixels."""
    if isinstance(source, np.ndarray):
        arrays = ImageArrays("the array", source)
        return "array", load_arrays(arrays, options, cache, progress, given=given)
    if not isinstance(source, str | Path):
        raise sources.unusable(
            "data is",
            source,
            "a path or a NumPy array, a data frame, or a list of texts, of waves or of arrays of "
            "one shape",
        )
    with_test = options.held_out > 0
    if source in NAMED_SETS:
        named = read_named(str(source), with_test=with_test)
        loaded = load_arrays(named, options, cache, progress, given=given)
        return str(source), replace(loaded, notes=loaded.notes + sources.note_shadowed_path(source))
    if not str(source):
        raise SparringError(
            f"data is an empty string; expected {ACCEPTED_SOURCES}, or {', '.join(sets)}"
        )
    path = Path(source)
    if not path.exists():
        raise sources.missing(path, sets, f"data may be {ACCEPTED_SOURCES}")
    name = sources.short_name(path, "images")
    if images := _open_arrays(path, options.groups, with_test=with_test):
        return name, load_arrays(images, options, cache, progress, given=given)
    return name, load_files(path, options, cache, progress)


def _open_arrays(path: Path, groups: str, *, with_test: bool) -> ImageArrays | None:
    """Open the arrays in `path`; None when it is a folder or archive of image files."""
    if path.is_dir():
        holds_idx = array_files.idx_images(path) is not None
        return array_files.read_idx(path, with_test=with_test) if holds_idx else None
    match path.suffix.lower():
        case ".npy":
            return ImageArrays(f"'{path}'", read_npy(path), (path,))
        case ".npz":
            return array_files.read_npz(path, groups)
        case ".zip":
            return None
    if not (path.is_file() and array_files.is_idx(path)):
        raise SparringError(f"'{path}' is not data that can be read; expected {ACCEPTED_SOURCES}")
    return array_files.read_idx(path, with_test=with_test)


def _notes(loaded: LoadedItems, hashes: NDArray[np.uint8]) -> list[str]:
    """Return notes on duplicates, on being memory-mapped, on what was skipped, on a test part."""
    notes = split.note_duplicates(hashes, "images")
    if isinstance(loaded.items, np.memmap):
        notes.append(
            f"{loaded.items.nbytes / 1e6:.1f} MB of pixels are read from a pack on disk; "
            "--data.memory-share decides"
        )
    notes += folders.note_skipped(loaded.skipped)
    if loaded.test_from is not None:
        notes.append("the source's own test images are held out")
    return notes
