"""Arrays of images opened without trusting them: `.npz` and idx.

Nothing is unpickled, and no declared size is believed before it is allocated.
"""

import gzip
import zipfile
import zlib
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sparring.data.array_files import unreadable
from sparring.data.listing import MAX_COMPRESSION_RATIO
from sparring.data.pack import available_memory
from sparring.errors import SparringError
from sparring.kinds.images.arrays import ImageArrays

IDX_START = b"\0\0\x08"  # two zeros, then the type: unsigned bytes


def read_npz(path: Path, groups: str = "") -> ImageArrays:
    """Read `images`, `labels` and the key of groups, or the single array, of an `.npz` file."""
    try:
        _check_archive(path)
        with np.load(path, allow_pickle=False) as archive:
            keys = list(archive.files)
            key = "images" if "images" in keys else keys[0] if len(keys) == 1 else None
            if key is None:
                listed = ", ".join(keys[:5]) or "nothing"
                raise SparringError(f"'{path}' holds {listed}; expected the key `images`")
            labels = archive["labels"] if "labels" in keys else None
            return ImageArrays(
                f"'{path}'",
                archive[key],
                (path,),
                labels=labels,
                labels_by_default=True,
                groups=archive[groups] if groups in keys else None,
            )
    except (OSError, ValueError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        raise unreadable(path, error, "a NumPy archive without Python objects") from error


def read_idx(path: Path, *, with_test: bool) -> ImageArrays:
    """Read idx images (plain or .gz), or a folder that holds them; labels and test set beside."""
    path = idx_images(path) or path
    images, labels = _idx_pair(path)
    train = ImageArrays(f"'{path}'", images, _pair_files(path), labels=labels)
    test = _test_file(path) if with_test else None
    return _with_test(train, path, test) if test else train


def _with_test(train: ImageArrays, path: Path, test: Path) -> ImageArrays:
    """Return training images of `path` followed by the test images of another idx file."""
    images, labels = train.images, train.labels
    test_images, test_labels = _idx_pair(test)
    if test_images.shape[1:] != images.shape[1:]:
        raise SparringError(
            f"'{test}' holds images of {test_images.shape[1:]}, expected {images.shape[1:]} as in "
            f"'{path.name}'; move it elsewhere or replace it"
        )
    both = labels is not None and test_labels is not None
    return replace(
        train,
        images=np.concatenate([images, test_images]),
        files=(*train.files, *_pair_files(test)),
        labels=np.concatenate([labels, test_labels]) if both else None,
        test_from=len(images),
    )


def idx_images(folder: Path) -> Path | None:
    """Return the idx file of (training) images directly inside `folder`, if there is one."""
    if not folder.is_dir():
        return None
    found = (p for p in folder.iterdir() if "images" in p.name and "idx3" in p.name)
    files = sorted(found, key=lambda path: path.name)
    training = [p for p in files if not p.name.startswith(("t10k", "test"))]
    return next(iter(training or files), None)


def is_idx(path: Path) -> bool:
    """Tell whether a file starts like an idx file, plain or gzipped."""
    try:
        with _opened(path) as file:
            start: bytes = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:3] == IDX_START and start[3] in (3, 4)


def _check_archive(path: Path) -> None:
    """Refuse an `.npz` whose members declare more than they can hold, before allocating."""
    with zipfile.ZipFile(path) as archive:
        total = 0
        for info in archive.infolist():
            total += info.file_size
            if info.file_size > MAX_COMPRESSION_RATIO * max(1, info.compress_size):
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
    candidates = (path.with_name(path.name.replace("train", test)) for test in ("t10k", "test"))
    return next((p for p in candidates if p != path and p.is_file()), None)


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
        raise unreadable(path, error, "an idx file of bytes") from error
    if len(content) != declared:
        actual = "more" if len(content) > declared else f"{len(content):,}"
        raise SparringError(
            f"'{path}' declares {declared:,} bytes but holds {actual}; "
            "is it complete? fetch it again"
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
