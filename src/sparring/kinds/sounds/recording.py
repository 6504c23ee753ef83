"""One sound: from a recording of any format, rate and length to the samples that are trained on.

Inside: decoding by libsndfile with every promise of the header checked, channels, offset, rate,
silence and level, fitting to one length, and choosing that length. Not inside: where the files
are (`files`), and spectra (`spectrum`).

Levels in dB are of amplitude; 0 dBFS is a sample value of 1.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END, SEEK_SET
from typing import IO, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from sparring.data import listing

Samples = NDArray[np.float32]

FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "AIFF")
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000  # rates that a recording can have
UNKNOWN_TO_LIBSNDFILE = (
    "Format not recognised",
    "File does not exist",
    "File contains data in an un",
)
UNKNOWN_LENGTH = 2**62  # frames, of FLAC; libsndfile cannot read such a file to its end
OGG_LAST = 4  # the flag of a stream's last page
BLOCK_NUMBERS = 2**18  # numbers decoded at a time, over all channels
MPEG_FRAME = 1152  # samples; decoders of MP3 count their own delay differently
UNCOMPRESSED_AIFF = (b"NONE", b"sowt", b"twos", b"fl32", b"FL32", b"fl64", b"FL64", b"in24")

TARGET_PEAK_DB = -1.0  # room for what a lossy codec or a resampler adds between the samples
MIN_PEAK_DB = -60.0  # a clip whose peak is below holds nothing to learn
MIN_SECONDS = 0.005
FADE_SECONDS = 0.01
# A true offset moves mean and median alike; smaller ones are not worth a note.
MIN_NOTED_OFFSET, MIN_NOTED_TRIM_SECONDS = 1e-3, 0.01

MAX_ONE_SHOT_SECONDS = 2.0  # a folder of longer sounds is cut into windows
SLICED_WINDOW_SECONDS = 1.0
WINDOW_SECONDS_CHOICES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0, 1.25, 1.5, 2.0)
COVERED_SHARE = 0.9  # share of one-shots that fit whole into the default length


@dataclass(frozen=True)
class AudioPreprocessing:
    """What is done to every recording."""

    rate: int  # samples per second of the result
    threshold_db: float = -50.0  # below the clip's own peak, both ends count as silence
    margin_seconds: float = 0.005  # of that silence is kept
    level: Literal["peak", "kept"] = "peak"  # kept: the levels between clips mean something
    max_minutes: float = 30.0  # longer files are refused before decoding


@dataclass(frozen=True)
class SoundHeader:
    """What a file declares before it is decoded."""

    rate: int
    channels: int
    frames: int  # samples per channel

    @property
    def seconds(self) -> float:
        """Return the declared length."""
        return self.frames / self.rate


@dataclass(frozen=True)
class PreprocessingReport:
    """What was done to one recording."""

    rate: int  # of the file
    channels: int
    seconds: float  # of the file
    offset: float  # removed from every sample
    trimmed_seconds: float  # at both ends together
    gain_db: float


@dataclass(frozen=True, eq=False)
class Sound:
    """Mono samples (n,) at the wanted rate, and what had to be done to get them."""

    samples: Samples
    report: PreprocessingReport


@dataclass(frozen=True)
class Window:
    """The length every sample is given, whether sounds are cut into several, and the reasons."""

    seconds: float
    sliced: bool
    notes: tuple[str, ...]


# libsndfile seeks before the start of damaged files; Python would print a traceback each time.
class _ClampedSeeks:
    """A file in which a seek before the start stays at the start."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        base = {SEEK_SET: 0, SEEK_CUR: self._file.tell(), SEEK_END: _size(self._file)}[whence]
        return self._file.seek(max(0, base + offset))

    def tell(self) -> int:
        return self._file.tell()

    def read(self, count: int = -1) -> bytes:
        return self._file.read(count)


def read_header(file: IO[bytes], max_minutes: float = 30.0) -> SoundHeader:
    """Return rate, channels and length without decoding.

    Raises:
        ValueError: the format or rate is not one we read, or the file is longer than allowed,
            empty, or shorter than its own header says.
    """
    declared = _declared_frames(file)
    file.seek(0)
    with soundfile.SoundFile(_ClampedSeeks(file)) as opened:
        return _checked_header(opened, declared, max_minutes)


def read_sound(file: IO[bytes], preprocessing: AudioPreprocessing) -> Sound:
    """Decode one recording and prepare it: mono, without offset, at one rate, trimmed, levelled.

    Raises:
        ValueError: as `read_header`; or what is decoded is shorter than declared, not finite,
            silent or too short to hear.
    """
    declared = _declared_frames(file)
    file.seek(0)
    with soundfile.SoundFile(_ClampedSeeks(file)) as opened:
        header = _checked_header(opened, declared, preprocessing.max_minutes)
        mono = _decoded(opened, header)
    return prepare(mono, header.rate, header.channels, preprocessing)


def prepare(mono: Samples, rate: int, channels: int, preprocessing: AudioPreprocessing) -> Sound:
    """Turn decoded samples (n,) at `rate` into what is trained on; ValueError if nothing is left.

    The offset goes first, since resampling would ring where it starts and ends.
    """
    seconds = len(mono) / rate
    offset = dc_offset(mono)
    samples = resample(mono - np.float32(offset), rate, preprocessing.rate)
    peak = _peak(samples)
    if peak < amplitude(MIN_PEAK_DB):
        raise ValueError(f"silent: its peak is {_decibels(peak):.0f} dBFS")
    trimmed = trim(samples, preprocessing)
    if len(trimmed) < MIN_SECONDS * preprocessing.rate:
        raise ValueError(f"only {1000 * len(trimmed) / preprocessing.rate:.1f} ms of sound")
    gain_db = TARGET_PEAK_DB - _decibels(peak) if preprocessing.level == "peak" else 0.0
    levelled = (trimmed * amplitude(gain_db)).astype(np.float32)
    cut = (len(samples) - len(trimmed)) / preprocessing.rate
    return Sound(levelled, PreprocessingReport(rate, channels, seconds, offset, cut, gain_db))


def dc_offset(samples: Samples) -> float:
    """Return the constant that a recorder added to samples (n,): what mean and median agree on.

    A sound with more area above zero than below moves the mean alone, and one with sharp peaks on
    one side the median alone; neither is an offset, and taking it for one would create one.
    """
    mean, median = float(samples.mean(dtype=np.float64)), float(np.median(samples))
    return min(mean, median, key=abs) if mean * median > 0 else 0.0


def resample(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Resample (n,) from one rate to another by soxr at high quality."""
    if rate == new_rate:
        return samples
    result: Samples = soxr.resample(samples, rate, new_rate, quality="HQ")
    return result


def trim(samples: Samples, preprocessing: AudioPreprocessing) -> Samples:
    """Cut both ends where nothing exceeds the threshold below the peak, but for a margin."""
    threshold = _peak(samples) * amplitude(preprocessing.threshold_db)
    loud = np.flatnonzero(np.abs(samples) >= threshold)
    margin = round(preprocessing.margin_seconds * preprocessing.rate)
    return samples[max(0, loud[0] - margin) : loud[-1] + 1 + margin]


def fit(samples: Samples, length: int, *, start: int = 0, fade: int = 0) -> Samples:
    """Return `length` samples from `start` on; what ends earlier or is cut fades out over `fade`.

    The fade is a raised cosine that ends just above zero; zeros follow. With `start > 0` the
    window fades in likewise. Use `fade=0` for windows of a texture, which has neither end.

    Raises:
        ValueError: the window holds nothing of the sound.
    """
    part = samples[start : start + length]
    if length < 1 or start < 0 or not len(part):
        raise ValueError(f"no sound in {length} samples from {start} on; it has {len(samples)}")
    fitted = np.zeros(length, np.float32)
    fitted[: len(part)] = part
    ramp = _falling(min(fade, len(part)))
    fitted[len(part) - len(ramp) : len(part)] *= ramp
    if start:
        fitted[: len(ramp)] *= ramp[::-1]
    return fitted


def window_starts(samples: int, length: int) -> list[int]:
    """Return where windows start that cover a sound evenly, overlapping by less than a half."""
    if samples <= length:
        return [0]
    count = -(-samples // length)
    return [round(i * (samples - length) / (count - 1)) for i in range(count)]


def default_window(durations: Sequence[float]) -> Window:
    """Choose a length that nine in ten one-shots fit into; longer recordings are cut.

    Takes the seconds of each sound after trimming; raises ValueError when there are none.
    """
    if not durations:
        raise ValueError("no durations to choose a length from")
    low, median, high = (float(q) for q in np.quantile(durations, (0.1, 0.5, COVERED_SHARE)))
    lengths = f"sounds last {low:.2f} to {high:.2f} s (median {median:.2f})"
    if median > MAX_ONE_SHOT_SECONDS:
        note = f"{lengths}: cut into windows of {SLICED_WINDOW_SECONDS:g} s; --seconds changes it"
        return Window(SLICED_WINDOW_SECONDS, sliced=True, notes=(note,))
    choices = WINDOW_SECONDS_CHOICES
    seconds = next((length for length in choices if length >= high), choices[-1])
    notes = [f"{lengths}: one window of {seconds:g} s from the start of each; --seconds changes it"]
    if longer := sum(duration > seconds for duration in durations):
        notes.append(f"{longer} of {len(durations)} sounds are longer and fade out at its end")
    return Window(seconds, sliced=False, notes=tuple(notes))


def describe_preprocessing(
    reports: Sequence[PreprocessingReport], preprocessing: AudioPreprocessing
) -> list[str]:
    """Say what was done to how many recordings."""
    rates = sorted({r.rate for r in reports if r.rate != preprocessing.rate})
    gains = [r.gain_db for r in reports]
    cuts = [r.trimmed_seconds for r in reports if r.trimmed_seconds > MIN_NOTED_TRIM_SECONDS]
    cut = f"silence below {preprocessing.threshold_db:g} dB of the peak cut off at both ends"
    levelled = f"each brought to a peak of {TARGET_PEAK_DB:g} dBFS, by {_span(gains)} dB"
    resampled = f"resampled from {_listed(rates)} to {preprocessing.rate} Hz"
    counted = (
        (sum(r.channels > 1 for r in reports), "channels averaged to one"),
        (sum(r.rate in rates for r in reports), resampled),
        (sum(abs(r.offset) > MIN_NOTED_OFFSET for r in reports), "constant offset removed"),
        (len(cuts), f"{cut} ({np.median(cuts):.2f} s, median)" if cuts else ""),
        (sum(gain != 0 for gain in gains), levelled),
    )
    return [f"{count} of {len(reports)} sounds: {what}" for count, what in counted if count]


def why_unreadable(error: Exception) -> str:
    """Say in one line why a recording could not be read."""
    if not isinstance(error, soundfile.LibsndfileError):
        return listing.why_unreadable(error)
    what = error.error_string.strip().splitlines()[0].removeprefix("Error : ").rstrip(".")
    if what.startswith(UNKNOWN_TO_LIBSNDFILE):
        return "not a sound file of a known format"
    return f"damaged or of an unknown kind ({what})"


def _checked_header(
    opened: soundfile.SoundFile, declared: int | None, max_minutes: float
) -> SoundHeader:
    rate, channels, frames = opened.samplerate, opened.channels, int(opened.frames)
    if opened.format not in FORMATS:
        raise ValueError(f"{opened.format} is not read; expected WAV, FLAC, OGG, MP3 or AIFF")
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise ValueError(f"a rate of {rate} Hz; expected {MIN_RATE_HZ} to {MAX_RATE_HZ}")
    if not frames and not declared:
        raise ValueError("holds no samples")
    if frames >= UNKNOWN_LENGTH:
        raise ValueError("does not say how long it is; write it again to a file, not to a pipe")
    expected = max(frames, declared or 0)
    if expected > 60 * rate * max_minutes:
        raise ValueError(f"declares {expected / rate:.0f} s, more than {max_minutes:g} minutes")
    return SoundHeader(rate, channels, expected)


def _decoded(opened: soundfile.SoundFile, header: SoundHeader) -> Samples:
    """Return the mean of all channels (n,), after checking that everything declared is there."""
    mono = np.concatenate([np.zeros(0, np.float32), *_blocks(opened, header.channels)])
    count = len(mono)
    slack = MPEG_FRAME if opened.format == "MP3" else 0
    if count + slack < header.frames:
        raise ValueError(f"truncated: {count} of {header.frames} declared samples could be decoded")
    if not count:
        raise ValueError("holds no samples")
    if bad := int((~np.isfinite(mono)).sum()):
        raise ValueError(f"{bad} of {count} samples are NaN or infinite")
    return mono


def _blocks(opened: soundfile.SoundFile, channels: int) -> Iterator[Samples]:
    length = max(1, BLOCK_NUMBERS // channels)
    while len(block := opened.read(length, dtype="float64", always_2d=True)):
        with np.errstate(invalid="ignore", over="ignore"):  # reported once all is read
            yield block.mean(axis=1).astype(np.float32)


def _declared_frames(file: IO[bytes]) -> int | None:
    """Return the samples per channel that the container promises, where libsndfile does not say.

    libsndfile clamps the sizes in WAV and AIFF to what is there, and skips what is missing in OGG.

    Raises:
        ValueError: fewer bytes are there than the container says.
    """
    file.seek(0)
    head = file.read(12)
    match head[:4], head[8:12]:
        case ((b"RIFF" | b"RF64"), b"WAVE"):
            _check_riff(file)
        case b"FORM", (b"AIFF" | b"AIFC"):
            return _aiff_frames(file)
        case b"OggS", _:
            return _ogg_frames(file)
    return None


def _check_riff(file: IO[bytes]) -> None:
    size_64 = None
    for name, size in _chunks(file, "<"):
        if name == b"ds64" and size >= 16:
            size_64 = int(struct.unpack("<8xQ", file.read(16))[0])
        elif name == b"data":
            long = size == 0xFFFFFFFF and size_64 is not None
            _need_bytes(file, size_64 if long and size_64 is not None else size)
            return


def _aiff_frames(file: IO[bytes]) -> int | None:
    frames = None
    for name, size in _chunks(file, ">"):
        if name == b"COMM" and size >= 18:
            common = file.read(min(size, 22))
            if len(common) < 22 or common[18:22] in UNCOMPRESSED_AIFF:
                frames = int(struct.unpack(">I", common[2:6])[0])
        elif name == b"SSND":
            _need_bytes(file, size)
    return frames


def _ogg_frames(file: IO[bytes]) -> int | None:
    """Return the position on the last page of a single stream, once no page is found missing.

    Opus counts at 48 kHz from before its start, so that its position is not the length.
    """
    file.seek(0)
    opus = b"OpusHead" in file.read(64)
    numbers: dict[int, int] = {}  # of the last page of each stream
    last = (0, -1)
    for flags, position, serial, number in _ogg_pages(file):
        expected = numbers.get(serial, -1) + 1
        if number != expected:
            raise ValueError(f"damaged: page {expected} is missing")
        numbers[serial] = number
        last = flags, position
    if not last[0] & OGG_LAST:
        raise ValueError("truncated: its last page is missing")
    return None if opus or last[1] < 0 or len(numbers) > 1 else last[1]


def _ogg_pages(file: IO[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """Yield flags, position, stream and number of every whole page up to the first gap."""
    start, end = 0, _size(file)
    while start + 27 <= end:
        file.seek(start)
        mark, flags, position, serial, number, segments = struct.unpack(
            "<4sxBqII4xB", file.read(27)
        )
        lacing = file.read(segments)
        start += 27 + segments + sum(lacing)
        if mark != b"OggS" or len(lacing) < segments or start > end:
            return
        yield flags, position, serial, number


def _chunks(file: IO[bytes], order: Literal["<", ">"]) -> Iterator[tuple[bytes, int]]:
    """Yield name and size of the chunks after the 12 bytes of a container, the file at each one."""
    position, end = 12, _size(file)
    while position + 8 <= end:
        file.seek(position)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        yield name, size
        position += 8 + size + size % 2


def _need_bytes(file: IO[bytes], size: int) -> None:
    position = file.tell()
    left = _size(file) - position
    file.seek(position)
    if size > left:
        raise ValueError(
            f"truncated, or its header lies: {left} of {size} bytes of sound are there"
        )


def _size(file: IO[bytes]) -> int:
    position = file.tell()
    end = file.seek(0, SEEK_END)
    file.seek(position)
    return end


def _falling(length: int) -> Samples:
    """Return a raised cosine (length,) from just below 1 to just above 0."""
    turn = np.pi * (np.arange(length) + 0.5) / max(1, length)
    return (0.5 + 0.5 * np.cos(turn)).astype(np.float32)


def _peak(samples: Samples) -> float:
    return float(np.abs(samples).max(initial=0.0))


def amplitude(decibels: float) -> float:
    """Return the amplitude of a level."""
    return float(10 ** (decibels / 20))


def _decibels(amplitude: float) -> float:
    return float(20 * np.log10(max(amplitude, 1e-30)))


def _span(gains: Sequence[float]) -> str:
    low, high = min(gains, default=0.0), max(gains, default=0.0)
    return f"{low:+.1f}" if high - low < 0.05 else f"{low:+.1f} to {high:+.1f}"


def _listed(rates: Sequence[int]) -> str:
    first = ", ".join(map(str, rates[:3]))
    return f"{first}, …" if len(rates) > 3 else first
