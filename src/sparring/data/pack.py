"""Where items are kept: in memory while they fit, else in a pack on disk that is memory-mapped.

Inside: what reading a source yields (`LoadedItems`), the two stores, and finding a pack again.
Not inside: how items are read (each kind's reader) or divided (`split`). Items are of one shape.

A pack is a folder `packs/<key>` with `items.npy`, `pack.json`, and `labels.npy` and `groups.npy`
where there are such.
It appears under its name only when it is complete.
"""

import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparring.data.array_files import NpyWriter
from sparring.errors import SparringError
from sparring.runs.folder import flush_to_disk, rename, write_json

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many
Shape = tuple[int, ...]  # of one item
Items = NDArray[Any]
Options = TypeVar("Options")
CHUNK = 64  # items handled at a time
GUESSED_MEMORY = 2**30  # bytes
STORED: Items = np.empty(0)  # stands for items that a store holds, until it publishes them
FORMAT = 2


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class LoadedItems:
    """The items (n, ...) of one source, and what reading them has shown."""

    items: Items
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    rate: int = 0  # samples a second, where an item lasts in time
    test_from: int | None = None  # from this item on, it is the source's own test part
    groups: NDArray[np.int64] | None = None  # (n,): which items the source says belong together


class MemoryStore:
    """Keeps up to `count` items in memory."""

    def __init__(self, count: int, shape: Shape, dtype: type = np.uint8) -> None:
        self._rows: Items = np.empty((count, *shape), dtype)
        self._count = 0

    def append(self, rows: Items) -> None:
        """Add rows (k, ...)."""
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)

    def publish(self, loaded: LoadedItems, *, one_channel: bool = False) -> LoadedItems:
        """Return what was found with all rows for its items, or only their first channel."""
        rows = self._rows[: self._count]
        return replace(loaded, items=np.ascontiguousarray(rows[..., :1]) if one_channel else rows)


class PackStore:
    """Streams items into a temporary folder that `publish` turns into the pack `folder`."""

    def __init__(self, folder: Path, temporary: Path, shape: Shape, dtype: type = np.uint8) -> None:
        self._folder, self._temporary = folder, temporary
        self._writer = NpyWriter(temporary / "items.npy", shape, dtype)

    def append(self, rows: Items) -> None:
        """Add rows (k, ...)."""
        self._writer.append(rows)

    def publish(self, loaded: LoadedItems, *, one_channel: bool = False) -> LoadedItems:
        """Write what was found beside the items, name the folder, and return both, mapped.

        Nothing is mapped before: Windows does not rename a folder with a mapped file.
        """
        self._writer.finish()
        path = self._temporary / "items.npy"
        if one_channel:
            _keep_first_channel(path)
        if loaded.labels is not None:
            np.save(self._temporary / "labels.npy", loaded.labels)
        if loaded.groups is not None:
            np.save(self._temporary / "groups.npy", loaded.groups)
        _write_description(self._temporary / "pack.json", loaded, _mapped(path).shape)
        for path in (*self._temporary.iterdir(), self._temporary):
            flush_to_disk(path)
        self._take_name()
        flush_to_disk(self._folder.parent)
        published = open_pack(self._folder)
        if published is None:
            raise SparringError(
                f"the pack '{self._folder}' vanished while it was written; try again"
            )
        return published

    def close(self) -> None:
        """Close the file, finished or not."""
        self._writer.close()

    def _take_name(self) -> None:
        """Rename the temporary folder, unless another run has just finished the same pack."""
        for _ in range(3):
            try:
                rename(self._temporary, self._folder)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if open_pack(self._folder):
                return
            shutil.rmtree(self._folder, ignore_errors=True)  # damaged


@contextmanager
def open_store(
    count: int,
    shape: Shape,
    folder: Path,
    share: float,
    *,
    dtype: type = np.uint8,
    smaller_by: str,
) -> Iterator[MemoryStore | PackStore]:
    """Yield a store for up to `count` items: in memory below `share` of what is free there.

    `smaller_by` names the options that make items smaller, for the error of a full disk.
    """
    size = count * int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= share * available_memory():
        yield MemoryStore(count, shape, dtype)
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unfinished-"))
        try:
            with closing(PackStore(folder, temporary, shape, dtype)) as store:
                yield store
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise SparringError(
            f"cannot write a pack of up to {size / 1e6:.1f} MB to '{folder.parent}': "
            f"{error.strerror or error}; free some space, or ask for smaller items ({smaller_by})"
        ) from error


def pack_folder(cache: Path, *identity: Any) -> Path:
    """Return the folder of the pack of this identity, values that JSON can write."""
    key = json.dumps([FORMAT, *identity])
    return cache / "packs" / blake2b(key.encode(), digest_size=16).hexdigest()


def open_pack(folder: Path) -> LoadedItems | None:
    """Return the finished pack in `folder`, or None when there is none that can be read."""
    try:
        description = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
        items = _mapped(folder / "items.npy")
        labels = _array(folder / "labels.npy") if description["labelled"] else None
        return LoadedItems(
            items,
            labels,
            tuple(description["classes"]),
            tuple(Skipped(**file) for file in description["skipped"]),
            tuple(description["notes"]),
            description["rate"],
            description["test_from"],
            _array(folder / "groups.npy") if description.get("grouped") else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def as_left_open(options: Options, **auto: Any) -> Iterator[Options]:
    """Yield options, a dataclass, as they are, then with some of these fields left open.

    Args:
        options: of which all may be decided.
        auto: by field, the value that leaves it open.
    """
    values: Any = options
    for chosen in product(*((getattr(options, name), value) for name, value in auto.items())):
        yield replace(values, **dict(zip(auto, chosen, strict=True)))


def open_first(
    folders: Iterable[Path], serves: Callable[[LoadedItems], bool]
) -> LoadedItems | None:
    """Return the first pack of these that there is and that serves."""
    packs = (open_pack(folder) for folder in dict.fromkeys(folders))
    return next((pack for pack in packs if pack is not None and serves(pack)), None)


def available_memory() -> int:
    """Return the bytes of memory that could be used without swapping; a guess if nobody knows."""
    with suppress(ImportError, NotImplementedError):  # a system that it does not know
        import psutil

        return int(psutil.virtual_memory().available)
    return GUESSED_MEMORY


def _keep_first_channel(path: Path) -> None:
    wide = _mapped(path)
    narrow = path.with_name("narrow.npy")
    writer = NpyWriter(narrow, (*wide.shape[1:3], 1))
    for start in range(0, len(wide), CHUNK):
        writer.append(wide[start : start + CHUNK, ..., :1])
    writer.finish()
    del wide  # Windows renames nothing over a file that is mapped
    rename(narrow, path)


def _mapped(path: Path) -> Items:
    items: Items = np.load(path, mmap_mode="r", allow_pickle=False)
    return items


def _array(path: Path) -> NDArray[np.int64]:
    array: NDArray[np.int64] = np.load(path, allow_pickle=False)
    return array


def _write_description(path: Path, loaded: LoadedItems, shape: Shape) -> None:
    description = {
        "format": FORMAT,
        "shape": shape,
        "labelled": loaded.labels is not None,
        "grouped": loaded.groups is not None,
        "classes": loaded.classes,
        "skipped": [asdict(file) for file in loaded.skipped],
        "notes": loaded.notes,
        "rate": loaded.rate,
        "test_from": loaded.test_from,
    }
    write_json(path, description)
