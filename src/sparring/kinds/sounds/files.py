"""Folders and zip archives of recordings, loaded as waves of one rate and length.

Every file is decoded twice, once to learn how long its sound is, once to cut it, so that no folder
is too large for memory. A file that cannot be read is named and left out, never fatal.

Not inside: reading one recording (`recording`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparring.data import labels as label_names
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
from sparring.data.listing import Entry, Listing, list_files
from sparring.data.pack import (
    STORED,
    LoadedItems,
    MemoryStore,
    PackStore,
    Progress,
    Skipped,
    as_left_open,
    open_first,
    open_store,
    pack_folder,
)
from sparring.kinds.sounds.codec import FULL_SCALE, to_int16
from sparring.kinds.sounds.options import SUFFIXES, SoundOptions
from sparring.kinds.sounds.recording import (
    FADE_SECONDS,
    MIN_PEAK_DB,
    TARGET_PEAK_DB,
    AudioPreprocessing,
    PreprocessingReport,
    Samples,
    Window,
    amplitude,
    default_window,
    describe_preprocessing,
    fit,
    read_header,
    read_sound,
    why_unreadable,
    window_starts,
)

MAX_DEFAULT_RATE = 16_000  # unless another is asked for: speech and drums lose little above 8 kHz
USUAL_SUFFIXES = ".wav, .flac, .ogg, .mp3 or .aiff"
FILES_IN_MEMORY = 8  # whose samples are held together
SMALLER_BY = "--data.seconds"  # the option that makes items smaller

Content = TypeVar("Content")
Waves = NDArray[np.int16]  # (k, length)
SINCE_0_1 = ("auto", "centre", "auto", 50.0)  # in the key of a pack, so that 0.1's are found again


@dataclass(frozen=True)
class _RecordingSummary:
    """What the first pass keeps of a recording."""

    seconds: float  # after trimming
    peak: float
    report: PreprocessingReport


@dataclass(frozen=True)
class _Cut:
    """How windows of `length` samples are cut from every recording."""

    preprocessing: AudioPreprocessing
    length: int
    sliced: bool  # whether a recording becomes several windows
    gain: float  # of all recordings alike

    def starts(self, samples: int) -> list[int]:
        """Return where the windows of a sound of so many samples start."""
        return window_starts(samples, self.length) if self.sliced else [0]


def load_recordings(
    path: Path, options: SoundOptions, cache: Path, progress: Progress
) -> LoadedItems:
    """Return windows of one length of all recordings, with their labels."""
    with list_files(path, SUFFIXES) as listing:
        return load_listing(f"'{path}'", listing, options, cache, progress)


def load_listing(
    origin: str, listing: Listing, options: SoundOptions, cache: Path, progress: Progress
) -> LoadedItems:
    """Return windows of listed recordings; errors say by `origin` where they are from."""
    table = read_label_table(listing, options)
    grouped = read_groups(listing, options)
    identity = listing_identity("recordings", listing, table, grouped)
    if packed := _read_before(cache, identity, options):
        return packed
    folder = pack_folder(cache, identity, *_decisive(options))
    cut, count, notes = _plan_cut(origin, listing, options, progress)
    shape, share = (cut.length,), options.memory_share
    with open_store(count, shape, folder, share, dtype=np.int16, smaller_by=SMALLER_BY) as store:
        names, silence_notes = _store_audible(_cut_windows(listing, cut, progress), store)
        _require_recordings(origin, len(names), listing)
        labels, classes, label_notes = file_labels(names, table, options)
        notes += [*label_notes, *note_other_files(listing, "sounds"), *silence_notes]
        skipped = sorted_by_path(listing.skipped)
        rate = cut.preprocessing.rate
        groups = file_groups(names, grouped or {name: name for name in names})
        return store.publish(
            LoadedItems(STORED, labels, classes, skipped, tuple(notes), rate, groups=groups)
        )


def holds_mostly_sounds(path: Path, others: frozenset[str]) -> bool:
    """Tell whether a folder or archive has more names of sounds than of these other suffixes."""
    if not (path.is_dir() or path.suffix.lower() == ".zip"):
        return False
    with list_files(path, SUFFIXES) as listing:
        of_others = sum(Path(name).suffix.lower() in others for name in listing.others)
        return len(listing.entries) + len(listing.skipped) > of_others


def _decisive(options: SoundOptions) -> tuple[Any, ...]:
    """Return the options that decide which samples are read."""
    return (*SINCE_0_1, options.rate, options.seconds, options.level, options.labels)


def _read_before(cache: Path, identity: list[Any], options: SoundOptions) -> LoadedItems | None:
    """Return a pack of the same waves, also if less was decided when they were read."""

    def serves(packed: LoadedItems) -> bool:
        length = round(options.seconds * packed.rate) or packed.items.shape[1]
        return (
            options.rate in (0, packed.rate)
            and length == packed.items.shape[1]
            and label_names.suit(options.labels, packed)
        )

    same = as_left_open(options, rate=0, seconds=0.0, labels="auto")
    return open_first((pack_folder(cache, identity, *_decisive(o)) for o in same), serves)


def _require_recordings(origin: str, count: int, listing: Listing) -> None:
    require_items(origin, count, listing.skipped, "recording", USUAL_SUFFIXES)


def _plan_cut(
    origin: str, listing: Listing, options: SoundOptions, progress: Progress
) -> tuple[_Cut, int, list[str]]:
    """Return how windows are cut, how many at most, and notes; decodes everything once."""
    rate, notes = _choose_rate(listing, options, progress)
    preprocessing = AudioPreprocessing(rate, level=options.level)
    recordings = _summarise_recordings(listing, preprocessing, progress)
    if not recordings:
        _require_recordings(origin, 0, listing)
    window = _choose_window(recordings, options)
    length = max(1, round(window.seconds * rate))
    cut = _Cut(preprocessing, length, window.sliced, _common_gain(recordings, preprocessing))
    notes += window.notes
    notes += describe_preprocessing([r.report for r in recordings], preprocessing)
    return cut, sum(len(cut.starts(round(r.seconds * rate))) for r in recordings), notes


def _choose_rate(
    listing: Listing, options: SoundOptions, progress: Progress
) -> tuple[int, list[str]]:
    """Return the rate for all, and notes; files without a good header leave the listing."""
    results = list(
        read_each(listing.entries, read_header, "reading headers", progress, why_unreadable)
    )
    listing.entries = [entry for entry, header in results if not isinstance(header, Skipped)]
    listing.skipped += [skipped for _, skipped in results if isinstance(skipped, Skipped)]
    rates = Counter(header.rate for _, header in results if not isinstance(header, Skipped))
    if options.rate or not rates:
        return options.rate or MAX_DEFAULT_RATE, []
    common = rates.most_common(1)[0][0]
    if common <= MAX_DEFAULT_RATE:
        return common, []
    note = f"{MAX_DEFAULT_RATE:,} Hz are kept of {common:,}; --rate {common} keeps all"
    return MAX_DEFAULT_RATE, [note]


def _summarise_recordings(
    listing: Listing, preprocessing: AudioPreprocessing, progress: Progress
) -> list[_RecordingSummary]:
    """Decode everything once; what cannot be used leaves the listing."""

    def summarise(file: IO[bytes]) -> _RecordingSummary:
        sound = read_sound(file, preprocessing)
        seconds = len(sound.samples) / preprocessing.rate
        return _RecordingSummary(seconds, float(abs(sound.samples).max()), sound.report)

    results = list(_read_usable(listing, summarise, "listening", progress))
    listing.entries = [entry for entry, _ in results]
    return [summary for _, summary in results]


def _read_usable(
    listing: Listing, read: Callable[[IO[bytes]], Content], what: str, progress: Progress
) -> Iterator[tuple[Entry, Content]]:
    """Yield what `read` makes of every recording that decodes; the others become skipped."""
    for entry, content in read_each(
        listing.entries, read, what, progress, why_unreadable, FILES_IN_MEMORY
    ):
        if isinstance(content, Skipped):
            listing.skipped.append(content)
        else:
            yield entry, content


def _choose_window(recordings: Sequence[_RecordingSummary], options: SoundOptions) -> Window:
    durations = [recording.seconds for recording in recordings]
    window = default_window(durations)
    if not options.seconds:
        return window
    longer = sum(seconds > options.seconds for seconds in durations)
    fate = "cut into windows" if window.sliced else "fade out at its end"
    notes = (f"{longer} of {len(durations)} sounds are longer than that: {fate}",) * (longer > 0)
    return Window(options.seconds, window.sliced, notes)


def _common_gain(
    recordings: Sequence[_RecordingSummary], preprocessing: AudioPreprocessing
) -> float:
    """Return the factor that brings the loudest sound to the peak level, where levels are kept."""
    if preprocessing.level == "peak":
        return 1.0
    return amplitude(TARGET_PEAK_DB) / max(recording.peak for recording in recordings)


def _cut_windows(listing: Listing, cut: _Cut, progress: Progress) -> Iterator[tuple[str, Waves]]:
    """Yield the name and the windows of every recording; decodes it again."""
    fade = 0 if cut.sliced else round(FADE_SECONDS * cut.preprocessing.rate)

    def windows(file: IO[bytes]) -> Waves:
        samples: Samples = cut.gain * read_sound(file, cut.preprocessing).samples
        starts = cut.starts(len(samples))
        return to_int16(
            np.stack([fit(samples, cut.length, start=start, fade=fade) for start in starts])
        )

    for entry, waves in _read_usable(listing, windows, "cutting", progress):
        yield entry.name, waves


def _store_audible(
    recordings: Iterator[tuple[str, Waves]], store: MemoryStore | PackStore
) -> tuple[list[str], list[str]]:
    """Keep the windows in which there is something to hear.

    Returns the name that each of them is from, and a note on how many were left out.
    """
    names: list[str] = []
    silent = 0
    for name, waves in recordings:
        audible = waves[np.abs(waves).max(1) >= amplitude(MIN_PEAK_DB) * FULL_SCALE]
        store.append(audible)
        names += [name] * len(audible)
        silent += len(waves) - len(audible)
    note = f"{silent} of {len(names) + silent} windows are silent and left out"
    return names, [note] * (silent > 0)
