"""Audio data: a folder or zip of recordings to waves of one rate and length, described by a spec.

Inside: `open_sounds`; which rate and length suit a folder, and the codec between waves and what
networks see. Not inside: reading one recording (`sound`), spectra (`sparring.spectrum`).

Items are samples, int16 (n, samples), mono; ±32767 is full scale. What is decoded is float32. Every
file is decoded twice, once to learn how long its sound is, once to cut it, so that no folder is too
large for memory.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data import labels, split
from sparring.data.arrays import FEWEST
from sparring.data.dataset import Dataset, silent
from sparring.data.files import (
    by_name,
    each,
    identity,
    label_table,
    labels_of,
    need_enough,
    other_files,
)
from sparring.data.listing import SOUNDS, Listing, list_files
from sparring.data.named import AUDIO, NAMES
from sparring.data.options import DataOptions
from sparring.data.pack import (
    Gathered,
    MemoryStore,
    PackStore,
    Progress,
    Skipped,
    open_store,
    place,
    reopen,
)
from sparring.data.sound import (
    FADE_SECONDS,
    LOWEST_HZ,
    PEAK_DB,
    SILENT_DB,
    Changes,
    Handling,
    Samples,
    Window,
    default_seconds,
    describe_changes,
    fit,
    read_header,
    read_sound,
    why_unreadable,
    window_starts,
)
from sparring.data.sound_sets import sound_folder
from sparring.errors import SparringError, nearest
from sparring.spec import AudioSpec, Framing
from sparring.spectrum import analyse, analyse_with_phase, fit_spectrum, synthesise

HIGHEST_RATE = 16_000  # unless another is asked for: speech and drums lose little above 8 kHz
FULL_SCALE = 32767
PAUSE_SECONDS = 0.15
Bits = Literal["16", "24", "float"]
WINDOW_SECONDS = 0.024  # at most, of the frames: longer ones blur the start of a drum
ALIKE, FAINTEST = 0.9, 1e-3  # of peaks
MEASURED = 2_000  # waves that the spectrum is measured on
SUCH_AS = ".wav, .flac, .ogg, .mp3 or .aiff"
KINDS = f"a folder or a .zip of {SUCH_AS}"
PEAK = 10 ** (PEAK_DB / 20)
OVERLAP = "windows may overlap, and those of one recording lie on both sides of the split"
AT_ONCE = 8  # files whose samples are held in memory together
SILENT = 10 ** (SILENT_DB / 20)


@dataclass(frozen=True)
class _Heard:
    """What the first pass keeps of a recording."""

    seconds: float  # after trimming
    peak: float
    changes: Changes


def open_sounds(
    source: str | Path | NDArray[np.generic],
    options: DataOptions,
    *,
    cache: Path,
    progress: Progress = silent,
) -> Dataset:
    """Read a named set, a folder, an archive or a file of recordings, or an array of waves.

    Data larger than the memory allowed is packed below `cache`, and made data is kept there.
    Raises SparringError for what cannot be used as a whole; single files that cannot be read are
    named in `skipped`.
    """
    labels.check_choice(options.labels)
    _check_rate(options.rate)
    try:
        if isinstance(source, np.ndarray):
            name, gathered = "array", _of_array(source, options)
        elif isinstance(source, str | Path):
            path, name, options = _located(source, options, cache, progress)
            gathered = _gather(path, options, cache, progress)
        else:
            raise SparringError(f"sounds are a {type(source).__name__}; expected {KINDS}")
    except OSError as error:
        raise SparringError(f"cannot read '{source}': {error.strerror or error}") from error
    hashes = split.digests(gathered.items, progress)
    divided = split.divide(hashes, options.held_out, None)
    notes = [*gathered.notes, *divided.notes]
    if isinstance(source, str) and source in AUDIO and Path(source).exists():
        notes.append(f"the named set is used; './{source}' is the path of that name")
    if repeated := split.duplicates(hashes):
        notes.append(f"{repeated} of {len(hashes)} sounds repeat an earlier one exactly")
    if gathered.skipped:
        reasons = Counter(one.reason for one in gathered.skipped).most_common(1)
        notes.append(f"skipped {len(gathered.skipped)}, most often because: {reasons[0][0]}")
    framing = framing_of(gathered.rate, gathered.items.shape[1])
    spec = fit_spectrum(_some_waves(gathered.items, divided.train), framing)
    return Dataset(
        name=name,
        spec=replace(spec, classes=gathered.classes, peak=_common_peak(gathered.items)),
        items=gathered.items,
        labels=gathered.labels,
        train=divided.train,
        held_out=divided.held_out,
        skipped=gathered.skipped,
        notes=tuple(notes),
        fingerprint=split.fingerprint(hashes, gathered.items.shape, gathered.labels, divided),
    )


def encode(items: Tensor, spec: AudioSpec) -> Tensor:
    """Turn samples (n, samples) into what discriminators see; see `AudioSpec.form`."""
    wave = to_wave(items)
    return wave if spec.form == "wave" else seen(wave, spec)


def seen(wave: Tensor, spec: AudioSpec) -> Tensor:
    """Return the spectra of waves (n, samples) that a discriminator sees."""
    return analyse(wave, spec) if spec.form == "frames" else analyse_with_phase(wave, spec)


def decode(samples: Tensor, spec: AudioSpec) -> Tensor:
    """Turn what a generator makes into waves (n, samples), float32 within ±1.

    Each is brought to the peak that all sounds of the data have, if they have one; else only a wave
    that goes beyond ±1 is turned down. The phase of spectra is found by fast
    Griffin-Lim, from the same start for each.
    """
    wave = synthesise(samples, spec) if spec.form == "frames" else samples
    loudest = wave.abs().amax(-1, keepdim=True)
    if spec.peak:
        return wave * (spec.peak / loudest.clamp_min(FAINTEST))
    return wave / loudest.clamp_min(1.0)


def to_wave(items: Tensor) -> Tensor:
    """Return samples as float32 within ±1, be they int16 or that already."""
    return items if items.is_floating_point() else items.float() / FULL_SCALE


def wav_bytes(wave: NDArray[np.float32], rate: int, bits: Bits = "16") -> bytes:
    """Return one wave (samples,) as a WAV file."""
    subtype = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}[bits]
    file = BytesIO()
    soundfile.write(file, wave, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def joined(waves: NDArray[np.float32], rate: int, pause: float = PAUSE_SECONDS) -> Samples:
    """Return waves (n, samples) one after another, with pauses of so many seconds."""
    gap = np.zeros((len(waves), round(pause * rate)), np.float32)
    whole: Samples = np.concatenate([waves, gap], 1).ravel()
    return whole


def describe(spec: AudioSpec) -> str:
    """Say in a few words what one sound is."""
    framing = spec.framing
    classes = f", {len(spec.classes)} classes" if spec.classes else ""
    return f"{framing.seconds:.3g} s at {framing.rate:,} Hz{classes}"


def framing_of(rate: int, samples: int) -> Framing:
    """Choose the frames: windows of 12 to 24 ms, a power of two, every half window."""
    window = 4
    while 2 * window <= WINDOW_SECONDS * rate:
        window *= 2
    return Framing(rate, samples, window, window // 2)


def _check_rate(rate: int) -> None:
    if 0 < rate < LOWEST_HZ:
        raise SparringError(
            f"a rate of {rate} samples a second; expected {LOWEST_HZ} or more, such as 16000"
        )


def _of_array(waves: NDArray[np.generic], options: DataOptions) -> Gathered:
    """Return an array of waves (n, samples) as it is: float within ±1, or int16."""
    if waves.ndim != 2 or len(waves) < FEWEST or not options.rate:
        raise SparringError(
            f"an array of shape {waves.shape} at {options.rate} Hz; expected {FEWEST} or more "
            "waves, (n, samples), and data.rate, their samples a second"
        )
    if waves.dtype == np.int16:
        return Gathered(waves, rate=options.rate)
    values = waves.astype(np.float32)
    if not np.isfinite(values).all() or np.abs(values).max() > 1:
        raise SparringError("the array holds values beyond ±1, or NaN; expected waves within ±1")
    return Gathered(np.rint(values * FULL_SCALE).astype(np.int16), rate=options.rate)


def _located(
    source: str | Path, options: DataOptions, cache: Path, progress: Progress
) -> tuple[Path, str, DataOptions]:
    """Return where the recordings are, what to call them, and the options that suit them."""
    if source in AUDIO:
        path = sound_folder(str(source), cache, progress)
        chosen = "none" if options.labels == "auto" else options.labels
        return path, str(source), replace(options, labels=chosen)  # as of other named sets
    path = Path(source)
    if not path.exists():
        hint = nearest(str(path).lower(), NAMES)
        raise SparringError(
            f"'{path}' is neither a file nor a named data set ({', '.join(NAMES)}){hint}; "
            f"sounds may be {KINDS}"
        )
    return path, path.resolve().name.split(".")[0] or "sounds", options


def _gather(path: Path, options: DataOptions, cache: Path, progress: Progress) -> Gathered:
    """Return windows of one length of all recordings, with their labels."""
    with list_files(path, SOUNDS) as listing:
        table = label_table(listing, options)
        folder = place(cache, identity("sounds", listing, table), options)
        if packed := reopen(folder):
            return packed
        rate, rate_notes = _choose_rate(listing, options, progress)
        handling = Handling(rate, level=options.level)
        heard = _hear(listing, handling, progress)
        if not heard:
            need_enough(path, 0, listing.skipped, "recording", SUCH_AS)
        window = _choose_window(heard, options)
        length = max(1, round(window.seconds * rate))
        count = sum(_windows(round(one.seconds * rate), length, window) for one in heard)
        gain = _common_gain(heard, handling)
        with open_store(count, (length,), folder, options.memory_share, np.int16) as store:
            waves = _cut(listing, handling, length, window, gain, progress)
            names, silence_notes = _store(waves, store)
            need_enough(path, len(names), listing.skipped, "recording", SUCH_AS)
            labels, classes, label_notes = labels_of(names, table, options)
            notes = [
                *rate_notes,
                *window.notes,
                *(OVERLAP,) * window.sliced,
                *describe_changes([one.changes for one in heard], handling),
                *label_notes,
                *other_files(listing, "sounds"),
                *silence_notes,
            ]
            skipped = by_name(listing.skipped)
            found = Gathered(store.items(), labels, classes, skipped, tuple(notes), rate)
            return store.publish(found)


def _choose_rate(
    listing: Listing, options: DataOptions, progress: Progress
) -> tuple[int, list[str]]:
    """Return the rate for all; files without a good header leave the listing."""
    results = list(each(listing.entries, read_header, "reading headers", progress, why_unreadable))
    listing.entries = [entry for entry, found in results if not isinstance(found, Skipped)]
    listing.skipped += [found for _, found in results if isinstance(found, Skipped)]
    rates = Counter(found.rate for _, found in results if not isinstance(found, Skipped))
    if options.rate or not rates:
        return options.rate or HIGHEST_RATE, []
    own = rates.most_common(1)[0][0]
    if own <= HIGHEST_RATE:
        return own, []
    return HIGHEST_RATE, [f"{HIGHEST_RATE:,} Hz are kept of {own:,}; --rate {own} keeps all"]


def _hear(listing: Listing, handling: Handling, progress: Progress) -> list[_Heard]:
    """Decode everything once; what cannot be used leaves the listing."""

    def read(file: IO[bytes]) -> _Heard:
        sound = read_sound(file, handling)
        samples = sound.samples
        return _Heard(len(samples) / handling.rate, float(abs(samples).max()), sound.changes)

    entries, heard = [], []
    for entry, found in each(listing.entries, read, "listening", progress, why_unreadable, AT_ONCE):
        if isinstance(found, Skipped):
            listing.skipped.append(found)
        else:
            entries.append(entry)
            heard.append(found)
    listing.entries = entries
    return heard


def _choose_window(heard: list[_Heard], options: DataOptions) -> Window:
    durations = [one.seconds for one in heard]
    window = default_seconds(durations)
    if not options.seconds:
        return window
    longer = sum(seconds > options.seconds for seconds in durations)
    cut = "cut into windows" if window.sliced else "fade out at its end"
    notes = (f"{longer} of {len(durations)} sounds are longer than that: {cut}",) * (longer > 0)
    return Window(options.seconds, window.sliced, notes)


def _windows(samples: int, length: int, window: Window) -> int:
    return len(window_starts(samples, length)) if window.sliced else 1


def _common_gain(heard: list[_Heard], handling: Handling) -> float:
    """Return the factor that brings the loudest sound to the peak level, where levels are kept."""
    return 1.0 if handling.level == "peak" else PEAK / max(one.peak for one in heard)


def _store(
    cut: Iterator[tuple[str, NDArray[np.int16]]], store: MemoryStore | PackStore
) -> tuple[list[str], list[str]]:
    """Keep the windows in which there is something to hear.

    Returns the name that each of them is from, and how many were left out.
    """
    names: list[str] = []
    silent_ones = 0
    for name, waves in cut:
        heard = waves[np.abs(waves).max(1) >= SILENT * FULL_SCALE]
        store.append(heard)
        names += [name] * len(heard)
        silent_ones += len(waves) - len(heard)
    left_out = f"{silent_ones} of {len(names) + silent_ones} windows are silent and left out"
    return names, [left_out] * (silent_ones > 0)


def _cut(
    listing: Listing,
    handling: Handling,
    length: int,
    window: Window,
    gain: float,
    progress: Progress,
) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """Yield the name and the windows (k, length) of every recording; decodes it again."""
    fade = 0 if window.sliced else round(FADE_SECONDS * handling.rate)

    def read(file: IO[bytes]) -> NDArray[np.int16]:
        samples: Samples = gain * read_sound(file, handling).samples
        starts = window_starts(len(samples), length) if window.sliced else [0]
        waves = np.stack([fit(samples, length, start=start, fade=fade) for start in starts])
        return np.rint(waves * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE).astype(np.int16)

    for entry, found in each(listing.entries, read, "cutting", progress, why_unreadable, AT_ONCE):
        if isinstance(found, Skipped):
            listing.skipped.append(found)
        else:
            yield entry.name, found


def _common_peak(items: NDArray[np.int16]) -> float:
    """Return the peak that nearly all sounds have, 0 if they differ."""
    some = items[:: max(1, len(items) // MEASURED)]
    low, high = np.quantile(np.abs(some.astype(np.int32)).max(1) / FULL_SCALE, (0.1, 1))
    return float(high) if low > ALIKE * high else 0.0


def _some_waves(items: NDArray[np.int16], train: NDArray[np.int64]) -> Iterator[Tensor]:
    """Yield waves to measure the spectrum on, spread over the training part."""
    some = train[np.linspace(0, len(train) - 1, min(len(train), MEASURED)).astype(np.int64)]
    for start in range(0, len(some), 64):
        yield to_wave(torch.from_numpy(items[some[start : start + 64]]))
