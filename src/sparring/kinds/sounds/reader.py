"""Sounds as data: recordings or an array to waves of one rate and length, described by a spec.

Inside: `open_data`, and what is measured of the waves. Not inside: loading files (`files`) and what
networks see of waves (`codec`).

Items are samples, int16 (n, samples), mono; ±32767 is full scale.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data import array_files, copies, labels, sources, split
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.folders import MIN_ITEMS, note_skipped
from sparring.data.pack import CHUNK, LoadedItems, Progress
from sparring.errors import SparringError
from sparring.kinds.sounds.codec import FULL_SCALE, framing_of, to_int16, to_wave
from sparring.kinds.sounds.files import (
    USUAL_SUFFIXES,
    holds_mostly_sounds,
    load_listing,
    load_recordings,
)
from sparring.kinds.sounds.named import sound_folder
from sparring.kinds.sounds.options import NAMED_SETS, SUFFIXES, SoundOptions
from sparring.kinds.sounds.recording import FADE_SECONDS, MIN_RATE_HZ, fit
from sparring.kinds.sounds.spec import AudioSpec
from sparring.kinds.sounds.spectrum import fit_spectrum
from sparring.kinds.sounds.waves import list_waves, write_archive
from sparring.runs.folder import RULES

MIN_PEAK_RATIO = 0.9  # of the lowest to the highest peak of sounds that have one in common
MAX_MEASURED_WAVES = 2_000  # that the spectrum and the peak are measured on
ACCEPTED_SOURCES = f"a folder or a .zip of {USUAL_SUFFIXES}"


def recognises(source: Any, others: frozenset[str] = frozenset()) -> bool:
    """Tell whether a source is a named set, a recording, or a folder or archive of mostly these.

    So are waves, in a list or an array; but a two-dimensional one is points where no rate is given.
    """
    if isinstance(source, np.ndarray):
        return source.ndim == 2
    if not isinstance(source, str | Path):
        return sources.are_vectors(source)
    path = Path(source)
    return (
        source in NAMED_SETS
        or path.suffix.lower() in SUFFIXES
        or array_files.dimensions(path) == 2
        or holds_mostly_sounds(path, others)
    )


def keep(source: Any, options: SoundOptions, folder: Path) -> str:
    """Return where a resume finds the source again; a list of waves is an archive of WAV files."""
    if not isinstance(source, list):
        return sources.keep(source, folder, NAMED_SETS)
    copy = folder / "data.zip"
    with sources.kept_file(copy) as beside:
        write_archive(source, options.rate, beside)
    return str(copy.resolve())


def open_data(
    source: str | Path | NDArray[np.generic],
    options: SoundOptions,
    *,
    spec: AudioSpec | None = None,
    cache: Path,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
    rules: int = RULES,
) -> Dataset:
    """Read a named set, a folder, an archive or a file of recordings, or an array of waves.

    With a spec, sounds are brought to its rate and length. Data larger than the memory allowed is
    packed below `cache`, and generated data is stored there. Raises SparringError for what cannot
    be used as a whole; single files that cannot be read are named in `skipped`.
    """
    labels.check_choice(options.labels)
    _check_rate(options.rate)
    if spec:
        options = decided(options, spec)
    try:
        name, loaded = _load(source, options, cache, progress, sets, given=spec is not None)
    except OSError as error:
        raise SparringError(f"cannot read '{source}': {error.strerror or error}") from error
    if spec:
        loaded = labels.matched(name, loaded, spec.classes)
    hashes = split.digests(loaded.items, progress)
    divided = _divided(loaded, hashes, options, rules)
    notes = [
        *loaded.notes,
        *divided.notes,
        *(sources.note_shadowed_path(name) if name in NAMED_SETS and name == source else ()),
        *split.note_duplicates(hashes, "sounds"),
        *note_skipped(loaded.skipped),
    ]
    spec = spec or _spec(loaded, divided.train)
    return to_dataset(name, spec, loaded, divided, hashes, notes)


def _divided(
    loaded: LoadedItems, hashes: NDArray[np.uint8], options: SoundOptions, rules: int
) -> split.Split:
    """Return the split: copies, windows of one recording and stated groups lie on one side."""
    if rules == 1:
        return split.divide(hashes, options.held_out, None)
    groups, recordings = split.content(hashes), loaded.groups
    by, gap = options.groups or "recording", False
    if recordings is not None:
        if gap := not recordings.any() and not options.groups:
            recordings, by = split.parts(len(hashes)), "part of the recording"
        groups = copies.joined(groups, recordings)
    divided = split.hold_out(hashes, options.held_out, groups=groups)
    divided = split.with_gap(divided) if gap else divided
    notes = split.note_groups(divided, "sounds", by * (recordings is not None))
    return replace(divided, notes=(*divided.notes, *notes))


def decided(options: SoundOptions, spec: AudioSpec) -> SoundOptions:
    """Return options with the rate and length that sounds were brought to."""
    return replace(options, rate=spec.framing.rate, seconds=spec.framing.seconds)


def _check_rate(rate: int) -> None:
    if 0 < rate < MIN_RATE_HZ:
        raise SparringError(
            f"a rate of {rate} samples a second; expected {MIN_RATE_HZ} or more, such as 16000"
        )


def _load(
    source: Any,
    options: SoundOptions,
    cache: Path,
    progress: Progress,
    sets: Sequence[str],
    *,
    given: bool,
) -> tuple[str, LoadedItems]:
    """Return a short name for the source, and its waves."""
    if isinstance(source, np.ndarray):
        return "array", _load_array(source, "the array", options, given=given)
    if sources.are_vectors(source):
        listing = list_waves(source, options.rate)
        return "list", load_listing("the list", listing, options, cache, progress)
    if not isinstance(source, str | Path):
        expected = f"{ACCEPTED_SOURCES}, or a list of waves, arrays of shape (samples,)"
        raise sources.unusable("sounds are", source, expected)
    if source in NAMED_SETS:
        path = sound_folder(str(source), cache, progress)
        choice = "none" if options.labels == "auto" else options.labels  # as of other named sets
        chosen = replace(options, labels=choice)
        return str(source), load_recordings(path, chosen, cache, progress)
    path = Path(source)
    if not path.exists():
        raise sources.missing(path, sets, f"sounds may be {ACCEPTED_SOURCES}")
    if path.suffix.lower() == ".npy":
        waves = array_files.read_npy(path)
        loaded = _load_array(waves, f"'{path}'", options, given=given)
        return sources.short_name(path, "array"), loaded
    return sources.short_name(path, "sounds"), load_recordings(path, options, cache, progress)


def _load_array(
    waves: NDArray[np.generic], origin: str, options: SoundOptions, *, given: bool
) -> LoadedItems:
    """Return an array of waves (n, samples): float within ±1, or int16.

    It stays as it is unless another length is asked for.
    """
    if waves.ndim != 2 or len(waves) < MIN_ITEMS or not options.rate:
        raise SparringError(
            f"an array of shape {waves.shape} at {options.rate} Hz; expected {MIN_ITEMS} or more "
            "waves, (n, samples), and data.rate, their samples a second"
        )
    have = "expected a folder of recordings: by its subfolders, or a .csv file of file,group"
    notes = tuple(sources.without_groups(options.groups, origin, have, given=given))
    if waves.dtype == np.int16:
        return LoadedItems(_of_length(waves, options), notes=notes, rate=options.rate)
    values = waves.astype(np.float32)
    if not np.isfinite(values).all() or np.abs(values).max() > 1:
        raise SparringError("the array holds values beyond ±1, or NaN; expected waves within ±1")
    return LoadedItems(_of_length(to_int16(values), options), notes=notes, rate=options.rate)


def _of_length(waves: NDArray[Any], options: SoundOptions) -> NDArray[np.int16]:
    """Return waves (n, samples) cut, or followed by silence, if another length is asked for."""
    length = round(options.seconds * options.rate)
    if length in (0, waves.shape[1]):
        return waves
    fade = round(FADE_SECONDS * options.rate) * (length < waves.shape[1])
    values = waves.astype(np.float32) / FULL_SCALE
    return to_int16(np.stack([fit(wave, length, fade=fade) for wave in values]))


def _spec(loaded: LoadedItems, train: NDArray[np.int64]) -> AudioSpec:
    """Measure spectrum and peak of the training part."""
    framing = framing_of(loaded.rate, loaded.items.shape[1])
    count = min(len(train), MAX_MEASURED_WAVES)
    measured = train[np.linspace(0, len(train) - 1, count).astype(np.int64)]
    spec = fit_spectrum(_waves(loaded.items, measured), framing)
    return replace(spec, classes=loaded.classes, peak=_common_peak(loaded.items, measured))


def _waves(items: NDArray[np.int16], chosen: NDArray[np.int64]) -> Iterator[Tensor]:
    for start in range(0, len(chosen), CHUNK):
        yield to_wave(torch.from_numpy(items[chosen[start : start + CHUNK]]))


def _common_peak(items: NDArray[np.int16], chosen: NDArray[np.int64]) -> float:
    """Return the peak that nearly all of these sounds have, 0 if they differ."""
    peaks = torch.cat([batch.abs().amax(1) for batch in _waves(items, chosen)])
    low, high = np.quantile(peaks.double().numpy(), (0.1, 1))
    return float(high) if low > MIN_PEAK_RATIO * high else 0.0
