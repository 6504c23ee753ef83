"""Array files opened without trusting them: `.npy`, `.npz` and idx.

Nothing is unpickled, and no declared size is believed before it is allocated.
"""

import gzip
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sparring.data.arrays import Arrays
from sparring.data.pack import available_memory
from sparring.errors import SparringError

LARGEST_RATIO = 1000  # of unpacked to packed bytes
IDX_START = b"\0\0\x08"  # two zeros, then the type: unsigned bytes


def read_npy(path: Path) -> Arrays:
    """Map a `.npy` file."""
    try:
        return Arrays(f"'{path}'", npy.open_memmap(path, mode="r"), (path,))
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error, "a NumPy array file without Python objects") from error


def read_npz(path: Path) -> Arrays:
    """Read `images` and `labels`, or the single array, of an `.npz` file."""
    try:
        _check_archive(path)
        with np.load(path, allow_pickle=False) as archive:
            keys = list(archive.files)
            images = "images" if "images" in keys else keys[0] if len(keys) == 1 else None
            if images is None:
                listed = ", ".join(keys[:5]) or "nothing"
                raise SparringError(f"'{path}' holds {listed}; expected the key `images`")
            labels = archive["labels"] if "labels" in keys else None
            return Arrays(
                f"'{path}'", archive[images], (path,), labels=labels, labels_by_default=True
            )
    except (OSError, ValueError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        raise _unreadable(path, error, "a NumPy archive without Python objects") from error


def read_idx(path: Path, *, with_test: bool) -> Arrays:
    """Read idx images (plain or .gz), or a folder that holds them; labels and test set beside."""
    path = idx_images(path) or path
    images, labels = _idx_pair(path)
    test = _test_file(path) if with_test else None
    if test is None:
        return Arrays(f"'{path}'", images, _pair_files(path), labels=labels)
    test_images, test_labels = _idx_pair(test)
    if test_images.shape[1:] != images.shape[1:]:
        raise SparringError(
            f"'{test}' holds images of {test_images.shape[1:]}, expected {images.shape[1:]} as in "
            f"'{path.name}'; move it elsewhere or replace it"
        )
    both = labels is not None and test_labels is not None
    return Arrays(
        f"'{path}'",
        np.concatenate([images, test_images]),
        (*_pair_files(path), *_pair_files(test)),
        labels=np.concatenate([labels, test_labels]) if both else None,
        test_from=len(images),
    )


def idx_images(folder: Path) -> Path | None:
    """Return the idx file of (training) images directly inside `folder`, if there is one."""
    if not folder.is_dir():
        return None
    named = sorted(p for p in folder.iterdir() if "images" in p.name and "idx3" in p.name)
    training = [p for p in named if not p.name.startswith(("t10k", "test"))]
    return next(iter(training or named), None)


def is_idx(path: Path) -> bool:
    """Tell whether a file starts like an idx file, plain or gzipped."""
    try:
        with _opened(path) as file:
            start: bytes = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:3] == IDX_START and start[3] in (3, 4)


def _unreadable(path: Path, error: Exception, expected: str) -> SparringError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if "pickle" in reason or "Python objects" in reason:
        reason = "it holds Python objects or is no NumPy file"
    return SparringError(f"'{path}' cannot be read: {reason}; expected {expected}")


def _check_archive(path: Path) -> None:
    """Refuse an `.npz` whose members declare more than they can hold, before allocating."""
    with zipfile.ZipFile(path) as archive:
        total = 0
        for info in archive.infolist():
            total += info.file_size
            if info.file_size > LARGEST_RATIO * max(1, info.compress_size):
                raise ValueError(f"member {info.filename} declares an impossible size")
            with archive.open(info) as member:
                _check_member(member, info)
    if total > available_memory():
        raise ValueError(f"it needs {total / 1e9:.1f} GB of memory; save it as .npy instead")


def _check_member(member: Any, info: zipfile.ZipInfo) -> None:
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(member)
    declared = int(np.prod([int(side) for side in shape], dtype=object)) * dtype.itemsize
    if declared != info.file_size - member.tell() and not dtype.hasobject:
        raise ValueError(f"member {info.filename} declares {declared} bytes that it does not hold")


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


def _idx_pair(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return the images in `path`, and the labels in the file beside it, if there is one."""
    images = _read_idx(path)
    for beside in _pair_files(path)[1:]:
        labels = _read_idx(beside)
        if labels.shape == (len(images),):
            return images, labels
        raise SparringError(
            f"'{beside}' holds labels of shape {labels.shape}, expected ({len(images)},) as in "
            f"'{path.name}'; are both from one data set?"
        )
    return images, None


def _pair_files(path: Path) -> tuple[Path, ...]:
    """Return the path of images, and that of their labels when it exists."""
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    return (path, beside) if beside != path and beside.is_file() else (path,)


def _test_file(path: Path) -> Path | None:
    named = (path.with_name(path.name.replace("train", test)) for test in ("t10k", "test"))
    return next((p for p in named if p != path and p.is_file()), None)


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of an idx file, allocating what it holds and not what it declares."""
    try:
        with _opened(path) as file:
            shape = _idx_shape(file)
            declared = prod(shape)
            content = bytearray()
            while len(content) <= declared and (block := file.read(1 << 20)):
                content += block
    except (OSError, EOFError, ValueError, MemoryError, zlib.error) as error:
        raise _unreadable(path, error, "an idx file of bytes") from error
    if len(content) != declared:
        held = "more" if len(content) > declared else f"{len(content):,}"
        raise SparringError(
            f"'{path}' declares {declared:,} bytes but holds {held}; is it complete? fetch it again"
        )
    return np.frombuffer(bytes(content), np.uint8).reshape(shape)


def _idx_shape(file: IO[bytes]) -> tuple[int, ...]:
    start = file.read(4)
    if len(start) < 4 or start[:3] != IDX_START:
        raise ValueError("it does not start like an idx file of bytes")
    sides = file.read(4 * start[3])
    if len(sides) < 4 * start[3]:
        raise ValueError("its header is cut short")
    return tuple(int(side) for side in np.frombuffer(sides, ">u4"))
