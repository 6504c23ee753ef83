"""The files with given suffixes in a folder or a zip archive, in an order that never changes.

Inside: which files are taken, and what is left out before it is opened. Archives are read in place:
nothing is extracted. Not inside: reading what the files hold (`folders`).
"""

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

from sparring.data.pack import Skipped
from sparring.errors import SparringError

ARCHIVES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})
MAX_ARCHIVE_ENTRIES = 500_000
MAX_MEMBER_BYTES = 256 * 2**20  # unpacked
MAX_COMPRESSION_RATIO = 1000  # of unpacked to packed bytes


@dataclass(frozen=True)
class Entry:
    """One file that has not been opened yet."""

    name: str  # relative, with slashes, printable
    size: int  # bytes
    stamp: int  # time of change, or the checksum in an archive
    open: Callable[[], IO[bytes]]


@dataclass
class Listing:
    """Files with these suffixes sorted by name, those left out, and the names of all others."""

    suffixes: frozenset[str]
    entries: list[Entry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def add(self, entry: Entry, refused: str = "") -> None:
        """Sort a file into entries, skipped files and others, by its name and size."""
        suffix = PurePosixPath(entry.name).suffix.lower()
        if suffix in ARCHIVES:
            refused = "an archive inside the data; unpack it first"
        elif suffix not in self.suffixes and not refused:
            self.others.append(entry.name)
            return
        if refused or not entry.size:
            self.skipped.append(Skipped(entry.name, refused or "empty file"))
        else:
            self.entries.append(entry)

    def sort(self) -> None:
        """Put everything into the order of names."""
        self.entries.sort(key=lambda entry: entry.name)
        self.skipped.sort(key=lambda file: file.path)
        self.others.sort()


@contextmanager
def list_files(path: Path, suffixes: frozenset[str]) -> Iterator[Listing]:
    """Yield files with these suffixes: of a folder or an archive that stays open, or one alone."""
    if path.is_dir():
        yield _list_folder(path, suffixes)
        return
    if path.suffix.lower() in suffixes:
        listing = Listing(suffixes)
        _add_file(listing, path.parent, path)
        yield listing
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise SparringError(
            f"'{path}' is not a zip archive that can be read ({error}); zip it again "
            "or give a folder"
        ) from error
    with archive:
        yield _list_archive(path, archive, suffixes)


def _list_folder(root: Path, suffixes: frozenset[str]) -> Listing:
    listing = Listing(suffixes)
    os.scandir(root).close()  # raises when the folder itself cannot be read

    def skip_folder(error: OSError) -> None:
        name = _printable(Path(error.filename).relative_to(root).as_posix())
        listing.skipped.append(Skipped(name, why_unreadable(error)))

    visited: set[tuple[int, int]] = set()  # links may lead in a circle
    for folder, subfolders, files in os.walk(root, onerror=skip_folder, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in visited:
            subfolders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if _visible(name))
        for name in filter(_visible, files):
            _add_file(listing, root, Path(folder) / name)
    listing.sort()
    return listing


def _add_file(listing: Listing, root: Path, path: Path) -> None:
    name = _printable(path.relative_to(root).as_posix())
    try:
        status = path.stat()
    except OSError as error:
        listing.skipped.append(Skipped(name, why_unreadable(error)))
        return
    refused = "" if stat.S_ISREG(status.st_mode) else "not a regular file"
    listing.add(Entry(name, status.st_size, status.st_mtime_ns, lambda: path.open("rb")), refused)


def _list_archive(path: Path, archive: zipfile.ZipFile, suffixes: frozenset[str]) -> Listing:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) > MAX_ARCHIVE_ENTRIES:
        raise SparringError(
            f"'{path}' holds {len(members):,} files; at most {MAX_ARCHIVE_ENTRIES:,} are read "
            "from one archive: unpack it and give the folder"
        )
    top = _common_top([_slashed(info) for info in members], suffixes)
    listing = Listing(suffixes)
    for info in members:
        name = _slashed(info)
        unsafe = _is_unsafe(name)
        if unsafe or all(map(_visible, name.split("/"))):
            relative = _printable(name if unsafe else name.removeprefix(top))
            read = partial(_unpacked, archive, info)
            listing.add(Entry(relative, info.file_size, info.CRC, read), _why_refused(name, info))
    listing.sort()
    return listing


def _common_top(names: list[str], suffixes: frozenset[str]) -> str:
    """Return the one folder that all these files of an archive lie in, with its slash, if any."""
    matching = [name for name in names if PurePosixPath(name).suffix.lower() in suffixes]
    visible = [name for name in matching if all(map(_visible, name.split("/")))]
    tops = {name.partition("/")[0] if "/" in name else "" for name in visible}
    top = tops.pop() if len(tops) == 1 else ""
    return f"{top}/" if top else ""


def _why_refused(name: str, info: zipfile.ZipInfo) -> str:
    if _is_unsafe(name):
        return "its name leads out of the archive"
    if info.flag_bits & 1:
        return "encrypted"
    if info.file_size > MAX_MEMBER_BYTES:
        return (
            f"declares {info.file_size / 2**20:.0f} MB unpacked, more than {MAX_MEMBER_BYTES >> 20}"
        )
    if info.file_size > MAX_COMPRESSION_RATIO * max(1, info.compress_size):
        return f"declares more than {MAX_COMPRESSION_RATIO} times its packed size"
    return ""


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    return BytesIO(archive.read(info))


def _is_unsafe(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/") or name[1:3] == ":/"


def _slashed(info: zipfile.ZipInfo) -> str:
    return info.filename.replace("\\", "/")


def _visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def _printable(name: str) -> str:
    """Escape what would break a line or a terminal: control characters and invalid bytes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def why_unreadable(error: Exception) -> str:
    """Say in one line why a file could not be read."""
    match error:
        case PermissionError():
            return "permission denied"
        case FileNotFoundError():
            return "not there any more, or a broken link"
        case MemoryError():
            return "not enough memory to decode it"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
