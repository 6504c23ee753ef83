"""Folders and zip archives of image files, loaded as pixels of one size.

Two passes: the headers tell which size and how many channels suit all images, then each image is
decoded straight into its place. A file that cannot be read is named and left out, never fatal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sparring.data.folders import (
    file_groups,
    file_labels,
    listing_identity,
    note_other_files,
    read_each,
    read_groups,
    read_label_table,
    require_items,
    sorted_by_path,
)
from sparring.data.listing import Listing, list_files
from sparring.data.pack import (
    STORED,
    LoadedItems,
    Progress,
    Skipped,
    open_store,
    pack_folder,
)
from sparring.kinds.images.arrays import is_grey, read_before
from sparring.kinds.images.options import SUFFIXES, ImageOptions, decisive
from sparring.kinds.images.picture import (
    Header,
    Picture,
    quiet_pillow,
    read_header,
    read_picture,
    why_unreadable,
)
from sparring.kinds.images.target import SMALLER_BY, Target, choose_target

USUAL_SUFFIXES = ".png, .jpg, .webp or similar"


@dataclass
class _DecodingSummary:
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


def load_files(path: Path, options: ImageOptions, cache: Path, progress: Progress) -> LoadedItems:
    """Return the pixels and labels of all images in a folder or a zip archive."""
    with list_files(path, SUFFIXES) as listing, quiet_pillow():
        _require_images(path, len(listing.entries), listing)
        table = read_label_table(listing, options)
        grouped = read_groups(listing, options)
        identity = listing_identity("files", listing, table, grouped)
        if packed := read_before(cache, identity, options):
            return packed
        folder = pack_folder(cache, identity, *decisive(options))
        headers = _read_headers(listing, options, progress)
        _require_images(path, len(headers), listing)
        sizes = [header.size for header in headers]
        grey = all(header.grey for header in headers)
        target, notes = choose_target(sizes, grey=grey, options=options)
        with open_store(
            len(sizes), target.shape, folder, options.memory_share, smaller_by=SMALLER_BY
        ) as store:
            summary = _DecodingSummary()
            for name, picture in _read_pictures(listing, target, options, progress):
                store.append(picture.pixels[None])
                summary.add(name, picture)
            _require_images(path, len(summary.names), listing)
            labels, classes, label_notes = file_labels(summary.names, table, options)
            notes += summary.notes(target) + label_notes + note_other_files(listing, "images")
            one_channel = options.channels == "auto" and not summary.colour
            skipped = sorted_by_path(listing.skipped)
            groups = file_groups(summary.names, grouped)
            return store.publish(
                LoadedItems(STORED, labels, classes, skipped, tuple(notes), groups=groups),
                one_channel=one_channel and target.channels == 3,
            )


def _require_images(path: Path, count: int, listing: Listing) -> None:
    require_items(f"'{path}'", count, listing.skipped, "image", USUAL_SUFFIXES)


def _read_headers(listing: Listing, options: ImageOptions, progress: Progress) -> list[Header]:
    """Return the headers of all images; those without a good one leave the listing."""
    read = partial(read_header, max_megapixels=options.max_megapixels)
    results = list(read_each(listing.entries, read, "reading headers", progress, why_unreadable))
    listing.entries = [entry for entry, header in results if isinstance(header, Header)]
    listing.skipped += [skipped for _, skipped in results if isinstance(skipped, Skipped)]
    return [header for _, header in results if isinstance(header, Header)]


def _read_pictures(
    listing: Listing, target: Target, options: ImageOptions, progress: Progress
) -> Iterator[tuple[str, Picture]]:
    """Yield the name and pixels of every image that decodes; the others become skipped."""
    read = partial(read_picture, target=target, max_megapixels=options.max_megapixels)
    for entry, picture in read_each(
        listing.entries, read, "reading images", progress, why_unreadable
    ):
        if isinstance(picture, Skipped):
            listing.skipped.append(picture)
        else:
            yield entry.name, picture
