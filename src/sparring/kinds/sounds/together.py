"""Sounds of several sources, brought to one rate and length."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sparring.data.array_files import read_npy
from sparring.data.dataset import Dataset, no_progress
from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.kinds.sounds.options import NAMED_SETS, SoundOptions
from sparring.kinds.sounds.reader import open_data
from sparring.kinds.sounds.spec import Framing


def open_together(
    sources: Sequence[Any],
    options: SoundOptions,
    *,
    cache: Path,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
) -> list[Dataset]:
    """Read sounds at the lowest rate and the largest length that the sources have by themselves.

    Arrays are trimmed and levelled as files are, else that alone could be told.

    Raises:
        SparringError: levels are to be kept: each source is scaled by its loudest sound.
    """
    if options.level == "kept":
        raise SparringError(
            "levels cannot be compared: those of each source are scaled by its loudest sound; "
            "leave out --level kept"
        )
    sources = [_recordings(source) for source in sources]
    told: dict[str, Any] = {"cache": cache, "progress": progress, "sets": sets}
    datasets = [open_data(source, options, **told) for source in sources]
    framings: list[Framing] = [data.spec.framing for data in datasets]  # type: ignore[attr-defined]
    rate, seconds = min(f.rate for f in framings), max(f.seconds for f in framings)
    options = replace(options, rate=rate, seconds=seconds)
    common = (rate, round(seconds * rate))
    datasets = [
        data if (f.rate, f.samples) == common else open_data(source, options, **told)
        for source, data, f in zip(sources, datasets, framings, strict=True)
    ]
    return [replace(data, spec=datasets[0].spec) for data in datasets]


def _recordings(source: Any) -> Any:
    """Return the waves of an array, or of a file of one, as a list, which is read as files are."""
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".npy":
        source = read_npy(Path(source))
    return [*source] if isinstance(source, np.ndarray) and source.ndim == 2 else source
