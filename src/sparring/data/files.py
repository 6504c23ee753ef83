"""Folders and zip archives of image files, gathered into pixels of one size.

Two passes: the headers tell which size and how many channels suit all images, then each image is
decoded straight into its place. A file that cannot be read is named and left out, never fatal.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparring.data import labels as label_names
from sparring.data.arrays import FEWEST, is_grey
from sparring.data.listing import Entry, Listing, list_files
from sparring.data.options import DataOptions
from sparring.data.pack import CHUNK, Gathered, Progress, Skipped, open_store, place, reopen
from sparring.data.picture import (
    Header,
    Picture,
    quiet_pillow,
    read_header,
    read_picture,
    why_unreadable,
)
from sparring.data.target import Target, choose_target
from sparring.errors import SparringError

THREADS = 2  # Pillow decodes without holding Python's lock

Content = TypeVar("Content")
Labels = tuple[NDArray[np.int64] | None, tuple[str, ...], list[str]]  # labels, classes, notes


@dataclass
class _Tally:
    """What was done to how many images while they were decoded."""

    names: list[str] = field(default_factory=list)
    colour: bool = False
    transparent: int = 0
    deep: int = 0
    animated: int = 0

    def add(self, name: str, picture: Picture) -> None:
        self.names.append(name)
        self.colour = self.colour or not is_grey(picture.pixels)
        self.transparent += picture.transparent
        self.deep += picture.deep
        self.animated += picture.animated

    def notes(self, target: Target) -> list[str]:
        counted = (
            (self.transparent * (not target.alpha), "transparency laid on white"),
            (self.deep, "more than 8 bits per channel scaled to 8"),
            (self.animated, "first of several frames used"),
        )
        total = len(self.names)
        return [f"{count} of {total} images: {what}" for count, what in counted if count]


def gather_files(path: Path, options: DataOptions, cache: Path, progress: Progress) -> Gathered:
    """Return the pixels and labels of all images in a folder or a zip archive."""
    with list_files(path) as listing, quiet_pillow():
        need_enough(path, len(listing.entries), listing.skipped)
        table = label_table(listing, options)
        folder = place(cache, identity("files", listing, table), options)
        if packed := reopen(folder):
            return packed
        headers = _read_headers(listing, options, progress)
        need_enough(path, len(headers), listing.skipped)
        sizes = [header.size for header in headers]
        grey = all(header.grey for header in headers)
        target, notes = choose_target(sizes, grey=grey, options=options)
        with open_store(len(sizes), target.shape, folder, options.memory_share) as store:
            tally = _Tally()
            for name, picture in _read_pictures(listing, target, options, progress):
                store.append(picture.pixels[None])
                tally.add(name, picture)
            need_enough(path, len(tally.names), listing.skipped)
            labels, classes, label_notes = labels_of(tally.names, table, options)
            notes += tally.notes(target) + label_notes + other_files(listing)
            one_channel = options.channels == "auto" and not tally.colour
            pixels = store.items(one_channel=one_channel and target.channels == 3)
            skipped = by_name(listing.skipped)
            return store.publish(Gathered(pixels, labels, classes, skipped, tuple(notes)))


def identity(kind: str, listing: Listing, table: dict[str, str]) -> list[Any]:
    """Return what tells this state of the files from another one."""
    files = [(entry.name, entry.size, entry.stamp) for entry in listing.entries]
    left_out = [(one.path, one.reason) for one in listing.skipped]
    return [kind, files, left_out, listing.others, sorted(table.items())]


def label_table(listing: Listing, options: DataOptions) -> dict[str, str]:
    """Read the CSV of labels, if one is asked for, and leave out the files it does not name."""
    if options.labels == "yes":
        label_names.from_folders([entry.name for entry in listing.entries], required=True)
    if not label_names.is_csv(options.labels):
        return {}
    table = label_names.read_csv(Path(options.labels))
    unnamed = [entry for entry in listing.entries if not table.get(entry.name)]
    if len(unnamed) == len(listing.entries):
        example = f", such as {unnamed[0].name}" if unnamed else ""
        raise SparringError(
            f"'{options.labels}' names none of the {len(unnamed)} files; expected paths relative "
            f"to the data{example}"
        )
    listing.entries = [entry for entry in listing.entries if table.get(entry.name)]
    listing.skipped += [Skipped(e.name, f"no label in {options.labels}") for e in unnamed]
    return table


def _read_headers(listing: Listing, options: DataOptions, progress: Progress) -> list[Header]:
    """Return the headers of all images; those without a good one leave the listing."""
    read = partial(read_header, max_megapixels=options.max_megapixels)
    results = list(each(listing.entries, read, "reading headers", progress))
    listing.entries = [entry for entry, found in results if isinstance(found, Header)]
    listing.skipped += [found for _, found in results if isinstance(found, Skipped)]
    return [found for _, found in results if isinstance(found, Header)]


def _read_pictures(
    listing: Listing, target: Target, options: DataOptions, progress: Progress
) -> Iterator[tuple[str, Picture]]:
    """Yield the name and pixels of every image that decodes; the others become skipped."""
    read = partial(read_picture, target=target, max_megapixels=options.max_megapixels)
    for entry, found in each(listing.entries, read, "reading images", progress):
        if isinstance(found, Skipped):
            listing.skipped.append(found)
        else:
            yield entry.name, found


def each(
    entries: Sequence[Entry],
    read: Callable[[IO[bytes]], Content],
    what: str,
    progress: Progress,
    why: Callable[[Exception], str] = why_unreadable,
    chunk: int = CHUNK,
) -> Iterator[tuple[Entry, Content | Skipped]]:
    """Yield what `read` makes of every file, in order, or why it could not be read.

    What it makes of `chunk` files is held in memory at a time.
    """

    def attempt(entry: Entry) -> Content | Skipped:
        try:
            with entry.open() as file:
                return read(file)
        except Exception as error:  # readers raise anything on damaged files
            return Skipped(entry.name, why(error))

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(entries), chunk):
            batch = entries[start : start + chunk]
            yield from zip(batch, pool.map(attempt, batch), strict=True)
            progress(what, start + len(batch), len(entries))


def labels_of(names: Sequence[str], table: dict[str, str], options: DataOptions) -> Labels:
    """Return the label of each file of these names, the classes, and notes."""
    if options.labels == "none":
        return None, (), []
    if table:
        unused = len(table) - len(names)
        notes = [f"{unused} rows of {options.labels} name no usable file"] if unused else []
        found: list[str] | None = [table[name] for name in names]
    else:
        found, notes = label_names.from_folders(names, required=options.labels == "yes")
    if found is None:
        return None, (), notes
    labels, classes = label_names.indices(found)
    if len(classes) < 2:
        raise SparringError(
            f"'{options.labels}' gives all files the label '{classes[0]}'; expected two or more, "
            "or --data.labels none"
        )
    return labels, classes, notes


def other_files(listing: Listing, things: str = "images") -> list[str]:
    """Return a note on files of other kinds, if there are any."""
    count, first = len(listing.others), ", ".join(listing.others[:3])
    more = ", …" if count > 3 else ""
    return [f"ignored {count} not named as {things}: {first}{more}"] if count else []


def by_name(skipped: Sequence[Skipped]) -> tuple[Skipped, ...]:
    """Return skipped files in the order of their names."""
    return tuple(sorted(skipped, key=lambda one: one.path))


def need_enough(
    path: Path,
    count: int,
    skipped: Sequence[Skipped],
    thing: str = "image",
    such_as: str = ".png, .jpg, .webp or similar",
) -> None:
    """Raise unless there are at least two usable files."""
    if count >= FEWEST:
        return
    found = f"only 1 usable {thing}" if count else f"no usable {thing}"
    reasons = "; ".join(f"{one.path}: {one.reason}" for one in by_name(skipped)[:3])
    hint = f" ({len(skipped)} skipped: {reasons})" if skipped else ""
    raise SparringError(f"'{path}' holds {found}{hint}; expected at least {FEWEST} {such_as}")
