"""Folders and zip archives of files, each an item: reading them, their labels, what is left out."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparring.data import labels as label_names
from sparring.data.listing import Entry, Listing, why_unreadable
from sparring.data.options import CommonOptions
from sparring.data.pack import CHUNK, Progress, Skipped
from sparring.errors import SparringError

READING_THREADS = 2  # decoders do not hold Python's lock
MIN_ITEMS = 2  # that make a data set
NAMED_FILES = 3  # of those left out, in a note or an error

Content = TypeVar("Content")
Labels = tuple[NDArray[np.int64] | None, tuple[str, ...], list[str]]  # labels, classes, notes


def listing_identity(
    reader: str, listing: Listing, table: dict[str, str], groups: dict[str, str]
) -> list[Any]:
    """Return what tells this state of the files, read by this reader, from another one."""
    files = [(entry.name, entry.size, entry.stamp) for entry in listing.entries]
    left_out = [(file.path, file.reason) for file in listing.skipped]
    grouped = [sorted(groups.items())] if groups else []
    return [reader, files, left_out, listing.others, sorted(table.items()), *grouped]


def read_label_table(listing: Listing, options: CommonOptions) -> dict[str, str]:
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


def read_groups(listing: Listing, options: CommonOptions) -> dict[str, str]:
    """Return the group of each file by its name, if groups are asked for.

    It is the folder that the file lies in, or what a CSV says; files without one are left out.
    """
    if not options.groups:
        return {}
    if label_names.is_csv(options.groups):
        table = label_names.read_csv(Path(options.groups), "group")
    elif options.groups == "folder":
        table = {entry.name: entry.name.rpartition("/")[0] for entry in listing.entries}
    else:
        raise SparringError(
            f"groups '{options.groups}' is not a choice for files; expected folder, or a .csv file "
            "with the header file,group"
        )
    without = [entry for entry in listing.entries if not table.get(entry.name)]
    listing.entries = [entry for entry in listing.entries if table.get(entry.name)]
    if len({table[entry.name] for entry in listing.entries}) < 2:
        raise SparringError(
            f"groups '{options.groups}' gives fewer than two groups ({len(without)} files have "
            "none); expected subfolders, or a .csv file with the header file,group"
        )
    listing.skipped += [Skipped(e.name, f"no group by {options.groups}") for e in without]
    return table


def file_groups(names: Sequence[str], table: dict[str, str]) -> NDArray[np.int64] | None:
    """Return the group (n,) of each file of these names; None where none are asked for."""
    return label_names.indices([table[name] for name in names])[0] if table else None


def read_each(
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

    with ThreadPoolExecutor(READING_THREADS) as pool:
        for start in range(0, len(entries), chunk):
            batch = entries[start : start + chunk]
            yield from zip(batch, pool.map(attempt, batch), strict=True)
            progress(what, start + len(batch), len(entries))


def file_labels(names: Sequence[str], table: dict[str, str], options: CommonOptions) -> Labels:
    """Return the label of each file of these names, the classes, and notes."""
    if options.labels == "none":
        return None, (), []
    texts, notes = _label_texts(names, table, options)
    if texts is None:
        return None, (), notes
    labels, classes = label_names.indices(texts)
    if len(classes) < 2:
        raise SparringError(
            f"'{options.labels}' gives all files the label '{classes[0]}'; expected two or more, "
            "or --data.labels none"
        )
    return labels, classes, notes


def _label_texts(
    names: Sequence[str], table: dict[str, str], options: CommonOptions
) -> tuple[list[str] | None, list[str]]:
    if table:
        unused = len(table) - len(names)
        notes = [f"{unused} rows of {options.labels} name no usable file"] if unused else []
        return [table[name] for name in names], notes
    return label_names.from_folders(names, required=options.labels == "yes")


def note_other_files(listing: Listing, plural: str) -> list[str]:
    """Return a note on files that are not named as items are, if there are any."""
    count, first = len(listing.others), ", ".join(listing.others[:NAMED_FILES])
    more = ", …" if count > NAMED_FILES else ""
    return [f"ignored {count} not named as {plural}: {first}{more}"] if count else []


def note_skipped(skipped: Sequence[Skipped]) -> list[str]:
    """Return a note on the most frequent reason to leave files out, if any are left out."""
    reasons = Counter(file.reason for file in skipped).most_common(1)
    return [f"skipped {len(skipped)}, most often because: {reason}" for reason, _ in reasons]


def sorted_by_path(skipped: Sequence[Skipped]) -> tuple[Skipped, ...]:
    """Return skipped files in the order of their names."""
    return tuple(sorted(skipped, key=lambda file: file.path))


def require_items(
    origin: str,
    count: int,
    skipped: Sequence[Skipped],
    noun: str,
    suffixes: str,
) -> None:
    """Raise unless there are at least two usable files; names one item and its usual suffixes.

    `origin` says where they are from: a path in quotation marks.
    """
    if count >= MIN_ITEMS:
        return
    usable = f"only 1 usable {noun}" if count else f"no usable {noun}"
    reasons = "; ".join(
        f"{file.path}: {file.reason}" for file in sorted_by_path(skipped)[:NAMED_FILES]
    )
    hint = f" ({len(skipped)} skipped: {reasons})" if skipped else ""
    raise SparringError(f"{origin} holds {usable}{hint}; expected at least {MIN_ITEMS} {suffixes}")
