"""Series as data: files, arrays and data frames of steps by channels, cut into windows.

Items are windows, float32 (n, steps, channels), in the order of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data import array_files, sources, split
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.pack import LoadedItems, Progress, available_memory
from sparring.errors import SparringError, nearest
from sparring_series.options import NAMED_SETS, SeriesOptions
from sparring_series.spec import SeriesSpec
from sparring_series.windows import Series, Windows, cut

ACCEPTED = (
    "a .csv or .parquet file or data frame of a column for each channel, a .npy file or array of "
    "shape (steps, channels) or (series, steps, channels)"
)
SERIES_COLUMN, STEP_COLUMN = "series", "step"  # which series a row is of, and its place there
PLACES = (SERIES_COLUMN, STEP_COLUMN)
Frame = Any


@dataclass(frozen=True, eq=False)
class Read:
    """Series of the same channels, each (steps, channels)."""

    name: str
    channels: tuple[str, ...]
    series: list[Series]
    notes: tuple[str, ...] = ()


def recognises(source: Any, others: frozenset[str] = frozenset()) -> bool:
    """Tell whether a source is a named set or a frame of numbers indexed by time.

    Files and arrays of numbers are tables and points too: series only if `data.kind` says so.
    """
    if isinstance(source, str | Path):
        return source in NAMED_SETS
    if not _is_frame(source):
        return False
    timed = type(source.index).__name__ in ("DatetimeIndex", "PeriodIndex")
    return timed and all(dtype.kind in "iuf" for dtype in source.dtypes)


def keep(source: Any, options: SeriesOptions, folder: Path) -> str:
    """Return where a resume finds the source again; of a data frame, what is read is written."""
    if not _is_frame(source):
        return sources.keep(source, folder, NAMED_SETS)
    copy = folder / "data.parquet"
    read = [c for c in source.columns if c == SERIES_COLUMN or c in _channels(source)]
    with sources.kept_file(copy) as beside:
        source[read].rename(columns=str).to_parquet(beside, index=False)
    return str(copy.resolve())


def open_data(
    source: Any,
    options: SeriesOptions,
    *,
    spec: SeriesSpec | None = None,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
    rules: int = 2,
) -> Dataset:
    """Read series and cut them into windows; under a `spec` that is given, into windows of it.

    Raises:
        SparringError: the source holds no series of numbers, or none that is long enough.
    """
    read = _read(source, sets)
    if spec:
        read = _matched(read, spec)
    steps = spec.steps if spec else options.window
    windows = _cut(read, steps, options)
    hashes = split.digests(windows.items, progress)
    train, held_out = np.flatnonzero(~windows.held_out), np.flatnonzero(windows.held_out)
    notes = [
        *read.notes,
        *_note_held_out(windows, options),
        *split.note_duplicates(hashes, "windows"),
    ]
    return to_dataset(
        read.name,
        spec or _fit_spec(read.channels, windows.items[train]),
        LoadedItems(windows.items),
        split.Split(train, held_out, ()),
        hashes,
        notes,
    )


def decided(options: SeriesOptions, spec: SeriesSpec) -> SeriesOptions:
    """Return the options: they leave nothing to decide."""
    return options


def _cut(read: Read, steps: int, options: SeriesOptions) -> Windows:
    longest = max(map(len, read.series), default=0)
    size = sum(map(len, read.series)) / options.stride * steps * len(read.channels) * 4  # bytes
    if size > options.memory_share * available_memory():
        raise SparringError(
            f"windows of {steps} steps of '{read.name}' take {size / 1e9:.1f} GB of memory; use a "
            "larger --data.stride"
        )
    if longest >= steps:
        windows = cut(read.series, steps, options.stride, options.held_out)
        if np.sum(~windows.held_out) > 1:
            return windows
    raise SparringError(
        f"'{read.name}' has {longest:,} steps, too few for several windows of {steps:,}; use a "
        "smaller --data.window, or a smaller --data.held-out"
    )


def _note_held_out(windows: Windows, options: SeriesOptions) -> list[str]:
    if windows.held_out.any() or not options.held_out:
        return []
    return ["no window is held out: the held-out part would be shorter than a window"]


def _fit_spec(channels: tuple[str, ...], train: NDArray[np.float32]) -> SeriesSpec:
    mean, scale = train.mean((0, 1), dtype=np.float64), train.std((0, 1), dtype=np.float64)
    scale = np.where(scale > 0, scale, 1)
    return SeriesSpec(train.shape[1], channels, tuple(mean.tolist()), tuple(scale.tolist()))


def _matched(read: Read, spec: SeriesSpec) -> Read:
    """Return series with the channels of a spec, in its order; refuse those that lack one."""
    if missing := [name for name in spec.channels if name not in read.channels]:
        raise SparringError(
            f"'{read.name}' has no channel '{missing[0]}'{nearest(missing[0], read.channels)}; "
            f"expected {', '.join(spec.channels)}"
        )
    order = [read.channels.index(name) for name in spec.channels]
    unused = [name for name in read.channels if name not in spec.channels]
    notes = (f"channels that are not used: {', '.join(unused)}",) * bool(unused)
    series = [one[:, order] for one in read.series]
    return replace(read, channels=spec.channels, series=series, notes=(*read.notes, *notes))


def _read(source: Any, sets: Sequence[str]) -> Read:
    if isinstance(source, str) and source in NAMED_SETS:
        from sparring_series.named import named_frame

        return _of_frame(source, named_frame(source))
    if isinstance(source, str | Path):
        return _of_path(Path(source), sets)
    if _is_frame(source):
        return _of_frame("frame", source)
    return _of_array("array", np.asarray(source))


def _of_path(path: Path, sets: Sequence[str]) -> Read:
    if not path.exists():
        raise sources.missing(path, sets, f"series may be {ACCEPTED}")
    match path.suffix.lower():
        case ".npy":
            return _of_array(path.stem, array_files.read_npy(path))
        case ".csv" | ".parquet":
            return _of_frame(path.stem, _read_frame(path))
    raise SparringError(f"'{path}' holds no series; expected {ACCEPTED}")


def _read_frame(path: Path) -> Frame:
    import pandas as pd  # slow to load

    read = pd.read_csv if path.suffix.lower() == ".csv" else pd.read_parquet
    try:
        return read(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SparringError(f"'{path}' cannot be read: {reason}; expected {ACCEPTED}") from None


def _of_array(name: str, array: NDArray[Any]) -> Read:
    if array.ndim not in (2, 3) or array.dtype.kind not in "buif" or not array.size:
        raise SparringError(f"'{name}' is {array.dtype} {array.shape}; expected {ACCEPTED}")
    channels = tuple(f"channel {i}" for i in range(array.shape[-1]))
    return Read(name, channels, _checked(name, [*array] if array.ndim == 3 else [array]))


def _of_frame(name: str, frame: Frame) -> Read:
    """Return the columns of numbers; a column `series` tells several series apart."""
    channels = _channels(frame)
    left_out = [str(c) for c in frame.columns if c not in (*channels, *PLACES)]
    if not channels:
        raise SparringError(f"'{name}' has no column of numbers; expected {ACCEPTED}")
    if not frame.index.is_monotonic_increasing:
        raise SparringError(f"the times of '{name}' do not increase; sort it first")
    groups = [frame]
    if SERIES_COLUMN in frame.columns:
        groups = [group for _, group in frame.groupby(SERIES_COLUMN, sort=False)]
    series = [group[channels].to_numpy(np.float64) for group in groups]
    notes = (f"columns that hold no numbers are left out: {', '.join(left_out)}",) * bool(left_out)
    return Read(name, tuple(map(str, channels)), _checked(name, series), notes)


def _channels(frame: Frame) -> list[Any]:
    """Return the columns of numbers, but those that say where a row belongs."""
    return [c for c in frame.columns if frame[c].dtype.kind in "buif" and c not in PLACES]


def _checked(name: str, series: list[NDArray[Any]]) -> list[Series]:
    """Return series as float32; refuse gaps, and values that are too large."""
    with np.errstate(over="ignore"):
        converted = [np.ascontiguousarray(one, np.float32) for one in series]
    bad = sum(int((~np.isfinite(one)).any(1).sum()) for one in converted)
    if bad:
        raise SparringError(
            f"{bad:,} steps of '{name}' hold missing values, infinity or values beyond 1e38; fill "
            "or remove them first"
        )
    return converted


def _is_frame(source: Any) -> bool:
    return type(source).__name__ == "DataFrame"
