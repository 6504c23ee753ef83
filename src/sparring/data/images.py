"""Image data: opened from almost anything into uint8 pixels, described by a spec.

Inside: `open_images`. Reading files is in `files` and `picture`, arrays in
`arrays`, the split in `split`; `encode`, `decode`, PNG files and contact sheets in `image_codec`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparring.data import array_files, arrays, labels, split, target
from sparring.data.dataset import Dataset, silent
from sparring.data.files import gather_files
from sparring.data.named import IMAGES, NAMES, read_named
from sparring.data.options import DataOptions
from sparring.data.pack import Gathered
from sparring.errors import SparringError, nearest
from sparring.spec import ImageSpec

KINDS = "a folder of images, a .zip of one, a .npy or .npz file, or idx files"


def open_images(
    source: str | Path | NDArray[np.generic],
    options: DataOptions,
    *,
    cache: Path,
    progress: Callable[[str, int, int], None] = silent,
) -> Dataset:
    """Read a named set, a folder, an archive, an array file or an array.

    Data larger than the memory allowed is packed below `cache`. `progress(what, done, total)` is
    called on the way. Raises SparringError for what cannot be used as a whole; single files that
    cannot be read are named in `skipped`.
    """
    labels.check_choice(options.labels)
    target.parse_resolution(options.resolution)
    try:
        name, gathered = _gather(source, options, cache, progress)
    except OSError as error:
        raise SparringError(f"cannot read '{source}': {error.strerror or error}") from error
    hashes = split.digests(gathered.items, progress)
    divided = split.divide(hashes, options.held_out, gathered.test_from)
    height, width, channels = gathered.items.shape[1:]
    return Dataset(
        name=name,
        spec=ImageSpec(height, width, channels, gathered.classes, options.value_range),
        items=gathered.items,
        labels=gathered.labels,
        train=divided.train,
        held_out=divided.held_out,
        skipped=gathered.skipped,
        notes=(*gathered.notes, *_remarks(gathered, hashes), *divided.notes),
        fingerprint=split.fingerprint(hashes, gathered.items.shape, gathered.labels, divided),
    )


def _gather(
    source: str | Path | NDArray[np.generic],
    options: DataOptions,
    cache: Path,
    progress: Callable[[str, int, int], None],
) -> tuple[str, Gathered]:
    """Return a short name for the source, and its pixels."""
    if isinstance(source, np.ndarray):
        return "array", arrays.gather(arrays.Arrays("the array", source), options, cache, progress)
    if not isinstance(source, str | Path):
        raise SparringError(f"data is a {type(source).__name__}; expected a path or a NumPy array")
    with_test = options.held_out > 0
    if source in IMAGES:
        named = read_named(str(source), with_test=with_test)
        gathered = arrays.gather(named, options, cache, progress)
        return str(source), replace(gathered, notes=gathered.notes + _also_a_path(source))
    if not str(source):
        raise SparringError(f"data is an empty string; expected {KINDS}, or {', '.join(NAMES)}")
    path = Path(source)
    found = _open_arrays(path, with_test=with_test)
    if found:
        return _short_name(path), arrays.gather(found, options, cache, progress)
    return _short_name(path), gather_files(path, options, cache, progress)


def _open_arrays(path: Path, *, with_test: bool) -> arrays.Arrays | None:
    """Open the arrays in `path`; None when it is a folder or archive of image files."""
    if not path.exists():
        hint = nearest(str(path).lower(), NAMES)
        raise SparringError(
            f"'{path}' is neither a file nor a named data set ({', '.join(NAMES)}){hint}; "
            f"data may be {KINDS}"
        )
    if path.is_dir():
        return (
            array_files.read_idx(path, with_test=with_test)
            if array_files.idx_images(path)
            else None
        )
    match path.suffix.lower():
        case ".npy":
            return array_files.read_npy(path)
        case ".npz":
            return array_files.read_npz(path)
        case ".zip":
            return None
    if not (path.is_file() and array_files.is_idx(path)):
        raise SparringError(f"'{path}' is not data that can be read; expected {KINDS}")
    return array_files.read_idx(path, with_test=with_test)


def _also_a_path(name: str | Path) -> tuple[str, ...]:
    return (f"the named set is used; './{name}' is the path of that name",) * Path(name).exists()


def _short_name(path: Path) -> str:
    return path.resolve().name.split(".")[0] or "images"


def _remarks(gathered: Gathered, hashes: NDArray[np.uint8]) -> list[str]:
    """Return notes on duplicates, on being memory-mapped, and on what was skipped."""
    notes = []
    if repeated := split.duplicates(hashes):
        notes.append(f"{repeated} of {len(hashes)} images repeat an earlier one exactly")
    if isinstance(gathered.items, np.memmap):
        notes.append(
            f"{gathered.items.nbytes / 1e6:.1f} MB of pixels are read from a pack on disk; "
            "--data.memory-share decides"
        )
    if gathered.skipped:
        reasons = Counter(one.reason for one in gathered.skipped).most_common(1)
        notes.append(f"skipped {len(gathered.skipped)}, most often because: {reasons[0][0]}")
    return notes
