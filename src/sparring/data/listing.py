"""The files of one kind in a folder or a zip archive, in an order that never changes.

Inside: which names count as images or sounds, and what is left out before it is opened. Archives
are read in place: nothing is extracted. Not inside: decoding (`picture`, `sound`), gathering
(`files`, `sounds`).
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
from sparring.data.picture import why_unreadable
from sparring.errors import SparringError

# Some of these cannot be decoded; they are still skipped by name, not ignored.
IMAGES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2"}
    | {".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".svg", ".tga"}
    | {".tif", ".tiff", ".webp"}
)
SOUNDS = frozenset(
    {".aac", ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3", ".oga", ".ogg"}
    | {".opus", ".rf64", ".wav", ".wave", ".wma"}
)
ARCHIVES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})
MOST_ENTRIES = 500_000  # of an archive
LARGEST_MEMBER = 256 * 2**20  # bytes unpacked
LARGEST_RATIO = 1000  # of unpacked to packed bytes


@dataclass(frozen=True)
class Entry:
    """One file that has not been opened yet."""

    name: str  # relative, with slashes, printable
    size: int  # bytes
    stamp: int  # time of change, or the checksum in an archive
    open: Callable[[], IO[bytes]]


@dataclass
class Listing:
    """Files of one kind sorted by name, those left out, and names that are of another kind."""

    suffixes: frozenset[str] = IMAGES
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
        self.skipped.sort(key=lambda one: one.path)
        self.others.sort()


@contextmanager
def list_files(path: Path, suffixes: frozenset[str] = IMAGES) -> Iterator[Listing]:
    """Yield files of these kinds: in a folder, in a zip archive that stays open, or one alone."""
    if path.is_dir():
        yield _list_folder(path, suffixes)
        return
    if path.suffix.lower() in suffixes:
        alone = Listing(suffixes)
        _add_file(alone, path.parent, path)
        yield alone
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise SparringError(
            f"'{path}' is no zip archive that can be read ({error}); pack it anew or give a folder"
        ) from error
    with archive:
        yield _list_archive(path, archive, suffixes)


def _list_folder(root: Path, suffixes: frozenset[str]) -> Listing:
    listing = Listing(suffixes)
    os.scandir(root).close()  # raises when the folder itself cannot be read

    def left_out(error: OSError) -> None:
        name = _printable(os.path.relpath(error.filename, root))
        listing.skipped.append(Skipped(name, why_unreadable(error)))

    seen: set[tuple[int, int]] = set()  # links may lead in a circle
    for folder, subfolders, files in os.walk(root, onerror=left_out, followlinks=True):
        about = Path(folder).stat()
        if (about.st_dev, about.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        subfolders[:] = sorted(name for name in subfolders if _visible(name))
        for name in filter(_visible, files):
            _add_file(listing, root, Path(folder) / name)
    listing.sort()
    return listing


def _add_file(listing: Listing, root: Path, path: Path) -> None:
    name = _printable(path.relative_to(root).as_posix())
    try:
        about = path.stat()
    except OSError as error:
        listing.skipped.append(Skipped(name, why_unreadable(error)))
        return
    refused = "" if stat.S_ISREG(about.st_mode) else "not a regular file"
    listing.add(Entry(name, about.st_size, about.st_mtime_ns, partial(_opened, path)), refused)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _list_archive(path: Path, archive: zipfile.ZipFile, suffixes: frozenset[str]) -> Listing:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) > MOST_ENTRIES:
        raise SparringError(
            f"'{path}' holds {len(members):,} files; at most {MOST_ENTRIES:,} are read from one "
            "archive: unpack it and give the folder"
        )
    top = _common_top([_slashed(info) for info in members], suffixes)
    listing = Listing(suffixes)
    for info in members:
        name = _slashed(info)
        unsafe = _is_unsafe(name)
        if unsafe or all(map(_visible, name.split("/"))):
            shown = _printable(name if unsafe else name.removeprefix(top))
            read = partial(_unpacked, archive, info)
            listing.add(Entry(shown, info.file_size, info.CRC, read), _why_refused(name, info))
    listing.sort()
    return listing


def _common_top(names: list[str], suffixes: frozenset[str]) -> str:
    """Return the one folder that all these files of an archive lie in, with its slash, if any."""
    wanted = [name for name in names if PurePosixPath(name).suffix.lower() in suffixes]
    shown = [name for name in wanted if all(map(_visible, name.split("/")))]
    tops = {name.partition("/")[0] if "/" in name else "" for name in shown}
    top = tops.pop() if len(tops) == 1 else ""
    return f"{top}/" if top else ""


def _why_refused(name: str, info: zipfile.ZipInfo) -> str:
    if _is_unsafe(name):
        return "its name leads out of the archive"
    if info.flag_bits & 1:
        return "encrypted"
    if info.file_size > LARGEST_MEMBER:
        return (
            f"declares {info.file_size / 2**20:.0f} MB unpacked, more than {LARGEST_MEMBER >> 20}"
        )
    if info.file_size > LARGEST_RATIO * max(1, info.compress_size):
        return f"declares more than {LARGEST_RATIO} times its packed size"
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
