"""Images of several sources, brought to one size and as many channels as any of them has."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from sparring.data.dataset import Dataset, no_progress
from sparring.data.pack import Progress
from sparring.kinds.images.options import NAMED_SETS, Channels, ImageOptions
from sparring.kinds.images.reader import open_data
from sparring.kinds.images.target import RESIZED

Shape = tuple[int, ...]


def open_together(
    sources: Sequence[Any],
    options: ImageOptions,
    *,
    cache: Path,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
) -> list[Dataset]:
    """Read images at the smallest of the sizes that the sources have by themselves.

    Grey ones become colour where others are; a note says if not all sources were resized, which
    can be told by itself.
    """
    told: dict[str, Any] = {"cache": cache, "progress": progress, "sets": sets}
    datasets = [open_data(source, options, **told) for source in sources]
    height, width, channels = _common([data.items.shape[1:] for data in datasets])
    options = replace(
        options, resolution=f"{height}x{width}", channels=cast(Channels, str(channels))
    )
    datasets = [
        data
        if data.items.shape[1:] == (height, width, channels)
        else open_data(source, options, **told)
        for source, data in zip(sources, datasets, strict=True)
    ]
    return _noted(datasets)


def _common(shapes: Sequence[Shape]) -> Shape:
    """Return the least height and width together, and channels that hold those of all."""
    height, width = min((shape[:2] for shape in shapes), key=lambda size: size[0] * size[1])
    channels = [shape[2] for shape in shapes]
    colour, alpha = max(channels) > 2, any(count % 2 == 0 for count in channels)
    return height, width, (3 if colour else 1) + alpha


def _noted(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Say with those that were resized that only they were."""
    resized = [any(note.startswith(RESIZED) for note in data.notes) for data in datasets]
    warning = (
        "only these were resized, which alone can be told; give all images at one size to avoid it"
    )
    return [
        replace(data, notes=(*data.notes, warning)) if of and not all(resized) else data
        for data, of in zip(datasets, resized, strict=True)
    ]
