"""Recordings as data: real files of every format in, prepared mono samples or a reason out."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

soundfile: Any = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

from sparring.kinds.sounds import recording as sound  # noqa: E402
from sparring.kinds.sounds.recording import (  # noqa: E402
    AudioPreprocessing,
    PreprocessingReport,
    fit,
    read_header,
    read_sound,
)

RATE = 16_000
HANDLING = AudioPreprocessing(RATE)
LOSSLESS = [
    ("WAV", "PCM_16", 2**-15),
    ("WAV", "PCM_24", 2**-23),
    ("WAV", "FLOAT", 1e-7),
    ("WAVEX", "PCM_16", 2**-15),
    ("RF64", "PCM_16", 2**-15),
    ("FLAC", "PCM_16", 2**-15),
    ("FLAC", "PCM_24", 2**-23),
    ("AIFF", "PCM_16", 2**-15),
    ("AIFF", "FLOAT", 1e-7),
]
LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
EVERY = [(name, kind) for name, kind, _ in LOSSLESS] + LOSSY
Array = NDArray[np.float32]


def tone(seconds: float = 0.5, hertz: float = 440.0, rate: int = RATE) -> Array:
    """Return a sine that starts at full level and ends there."""
    n = round(seconds * rate)
    return (0.5 * np.cos(2 * np.pi * hertz * np.arange(n) / rate)).astype(np.float32)


def noise(shape: tuple[int, ...] = (8000, 2), seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def stored(samples: Array, name: str = "WAV", kind: str = "PCM_16", rate: int = RATE) -> bytes:
    file = BytesIO()
    soundfile.write(file, samples, rate, format=name, subtype=kind)
    return file.getvalue()


def reason(content: bytes, preprocessing: AudioPreprocessing = HANDLING) -> str:
    """Return the one line that is told of a file that must be refused."""
    with pytest.raises(Exception) as caught:
        read_sound(BytesIO(content), preprocessing)
    told = sound.why_unreadable(caught.value)
    assert "\n" not in told
    assert told
    return told


def prepared(samples: Array, rate: int = RATE, **preprocessing: Any) -> Array:
    return sound.prepare(samples, rate, 1, AudioPreprocessing(RATE, **preprocessing)).samples


@pytest.mark.parametrize(("name", "kind", "step"), LOSSLESS)
def test_lossless_files_are_the_mean_of_their_channels_at_the_peak_level(
    tmp_path: Path, name: str, kind: str, step: float
) -> None:
    samples = noise()
    path = tmp_path / "noise"
    soundfile.write(path, samples, RATE, format=name, subtype=kind)
    with path.open("rb") as file:
        read = read_sound(file, AudioPreprocessing(RATE, level="kept"))
    wanted = samples.mean(1) - np.float32(read.report.offset)
    np.testing.assert_allclose(read.samples, wanted, atol=1.01 * step)
    assert read.samples.dtype == np.float32
    assert (read.report.rate, read.report.channels) == (RATE, 2)
    assert read.report.seconds == 0.5


@pytest.mark.parametrize(("name", "kind"), LOSSY)
def test_lossy_files_are_read_near_to_what_was_stored(name: str, kind: str) -> None:
    samples = tone(1.0) * np.hanning(RATE).astype(np.float32)
    read = read_sound(
        BytesIO(stored(samples, name, kind)), AudioPreprocessing(RATE, threshold_db=-200)
    )
    assert abs(len(read.samples) - RATE) <= sound.MPEG_FRAME
    both = read.samples[: min(len(read.samples), RATE)]
    likeness = np.correlate(both, samples, "full").max()
    assert likeness > 0.99 * np.linalg.norm(both) * np.linalg.norm(samples)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_the_header_tells_rate_channels_and_length(name: str, kind: str) -> None:
    header = read_header(BytesIO(stored(noise(), name, kind)))
    assert (header.rate, header.channels, header.frames) == (RATE, 2, 8000)
    assert header.seconds == 0.5


@pytest.mark.parametrize(("name", "kind"), EVERY)
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01])
def test_a_truncated_file_is_never_used(name: str, kind: str, share: float) -> None:
    content = stored(noise((32_000, 2)), name, kind)
    told = reason(content[: round(share * len(content))])
    if share > 0.1 and name not in ("FLAC", "OGG"):
        assert told.startswith("truncated")


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_bytes_after_the_end_do_no_harm(name: str, kind: str) -> None:
    content = stored(noise(), name, kind)
    longer = read_sound(BytesIO(content + b"TAG" + bytes(125)), HANDLING)
    np.testing.assert_array_equal(longer.samples, read_sound(BytesIO(content), HANDLING).samples)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_a_file_without_samples_is_refused(name: str, kind: str) -> None:
    told = reason(stored(noise((0, 1)), name, kind))
    if name in ("WAV", "AIFF", "WAVEX", "RF64"):
        assert told == "holds no samples"


def changed(content: bytes, at: int, by: bytes) -> bytes:
    return content[:at] + by + content[at + len(by) :]


WAV, AIFF, FLAC = (stored(noise(), name) for name in ("WAV", "AIFF", "FLAC"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a sound file"),
        (b"hello world " * 99, "not a sound file"),
        (b"ID3" + bytes(range(256)) * 20, "not a sound file"),
        (b"fLaC" + bytes(range(256)) * 20, "not a sound file"),
        (changed(WAV, 40, b"\xf0\xff\xff\xff"), "32000 of 4294967280 bytes of sound are there"),
        (changed(WAV, 40, b"\xff\xff\xff\xff"), "32000 of 4294967295 bytes of sound are there"),
        (changed(WAV, 40, bytes(4)), "holds no samples"),
        (changed(WAV, 24, bytes(4)), "damaged"),
        (changed(WAV, 24, struct.pack("<I", 2**31 - 1)), "a rate of 2147483647 Hz"),
        (changed(WAV, 24, struct.pack("<I", 1)), "a rate of 1 Hz; expected 1000 to 768000"),
        (changed(WAV, 22, b"\xff\xff"), "damaged"),
        (changed(AIFF, 22, struct.pack(">I", 9000)), "truncated: 8000 of 9000 declared samples"),
        (changed(FLAC, 22, struct.pack(">I", 9000)), "damaged"),
        (changed(FLAC, 21, b"\x7f\xff\xff\xff\xff"), "declares 4294967 s, more than 30 minutes"),
        (stored(noise(), "AU"), "AU is not read; expected WAV, FLAC, OGG, MP3 or AIFF"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "file",
)
def test_a_header_that_lies_is_named(content: bytes, told: str) -> None:
    assert told in reason(content)


def test_a_flac_of_unknown_length_is_refused() -> None:
    unknown = changed(FLAC, 21, bytes([FLAC[21] & 0xF0, 0, 0, 0, 0]))
    assert "does not say how long it is" in reason(unknown)


def test_a_long_recording_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "_decoded", lambda *_: pytest.fail("decoded"))
    assert (
        reason(WAV, AudioPreprocessing(RATE, max_minutes=0.005))
        == "declares 0 s, more than 0.005 minutes"
    )


def test_a_hole_in_an_ogg_or_mp3_is_found() -> None:
    for name, kind in LOSSY:
        content = stored(noise((32_000, 2)), name, kind)
        third = len(content) // 3
        told = reason(content[:third] + content[third + len(content) // 6 :])
        assert told.startswith(("damaged", "truncated"))


@pytest.mark.parametrize(("name", "kind"), [("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_a_whole_page_missing_from_an_ogg_is_named(name: str, kind: str) -> None:
    pages = stored(noise((64_000, 2)), name, kind).split(b"OggS")[1:]
    assert len(pages) > 4
    whole, holed = (
        b"".join(b"OggS" + page for page in some) for some in (pages, pages[:-2] + pages[-1:])
    )
    assert len(read_sound(BytesIO(whole), HANDLING).samples) == 64_000
    assert reason(holed) == f"damaged: page {len(pages) - 2} is missing"


def test_chunks_of_odd_length_before_the_sound_are_stepped_over() -> None:
    odd = WAV[:36] + b"LIST" + struct.pack("<I", 5) + b"INFO\0" + b"\0" + WAV[36:]
    wanted = read_sound(BytesIO(WAV), HANDLING).samples
    np.testing.assert_array_equal(read_sound(BytesIO(odd), HANDLING).samples, wanted)
    assert reason(odd[:20_000]).startswith("truncated")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_counted(bad: float) -> None:
    samples = noise()
    samples[[5, 6, 900], 1] = bad
    assert reason(stored(samples, kind="FLOAT")) == "3 of 8000 samples are NaN or infinite"


def test_many_channels_are_read_in_small_blocks() -> None:
    samples = noise((3000, 500))
    read = read_sound(
        BytesIO(stored(samples)), AudioPreprocessing(RATE, level="kept", threshold_db=-200)
    )
    assert read.report.channels == 500
    np.testing.assert_allclose(read.samples, samples.mean(1) - read.report.offset, atol=2e-5)


def test_a_seek_before_the_start_of_a_file_stays_at_the_start() -> None:
    steady = sound._ClampedSeeks(BytesIO(b"abcdef"))
    assert steady.seek(-1) == 0
    assert steady.seek(-2, 2) == 4
    assert steady.read(1) == b"e"
    assert steady.seek(-9, 1) == 0


def test_silence_and_almost_nothing_are_refused() -> None:
    assert "silent: its peak is -600 dBFS" in reason(stored(np.zeros(8000, np.float32)))
    assert "silent" in reason(stored(np.full(8000, 0.3, np.float32)))
    assert "silent: its peak is -66" in reason(stored(tone() * 0.001))
    assert "silent" in reason(stored(np.stack([tone(), -tone()], 1)))  # its channels cancel
    told = reason(stored(tone(0.002)), AudioPreprocessing(RATE))
    assert told == "only 2.0 ms of sound"


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 16_000), (8_000, 44_100), (22_050, 16_000)])
def test_a_tone_keeps_its_pitch_and_level_at_another_rate(rate: int, wanted: int) -> None:
    samples = sound.resample(tone(1.0, 1000.0, rate), rate, wanted)
    assert len(samples) == wanted
    middle = slice(wanted // 4, 3 * wanted // 4)  # the ends of a cut tone ring
    np.testing.assert_allclose(samples[middle], tone(1.0, 1000.0, wanted)[middle], atol=2e-4)


def test_what_the_new_rate_cannot_hold_is_gone() -> None:
    samples = sound.resample(tone(1.0, 7000.0, 44_100), 44_100, 8_000)
    assert np.abs(samples[800:-800]).max() < 1e-4


def test_an_offset_is_removed_and_a_lopsided_sound_has_none() -> None:
    assert sound.dc_offset(tone() + np.float32(0.1)) == pytest.approx(0.1, abs=1e-3)
    assert sound.dc_offset(tone() - np.float32(0.1)) == pytest.approx(-0.1, abs=1e-3)
    thump = np.zeros(8000, np.float32)
    thump[100:500] = np.hanning(400)
    assert sound.dc_offset(thump) == 0
    pulses = np.tile(np.r_[9.0, np.full(9, -1.0)], 800).astype(np.float32)  # mean 0, median −1
    assert sound.dc_offset(pulses) == 0
    shifted = prepared(tone() + np.float32(0.3))
    assert abs(shifted.mean()) < 1e-3


def test_silence_goes_at_both_ends_but_for_the_margin() -> None:
    silence = np.zeros(4000, np.float32)
    whole = np.concatenate([silence, tone(), silence])
    whole[500] = 0.5 * 10 ** (-60 / 20)  # below −50 dB
    kept = prepared(whole)
    assert abs(len(kept) - (8000 + 2 * 80)) <= 2
    assert len(prepared(whole, threshold_db=-62.0)) == 8000 + 3500 + 2 * 80
    inside = np.concatenate([tone(), silence, tone()])
    assert len(prepared(inside)) == 20_000


def test_trimming_follows_the_peak_of_the_clip() -> None:
    whole = np.concatenate([np.zeros(4000, np.float32), tone()])
    assert len(prepared(whole)) == len(prepared(whole * 0.01))


def test_every_clip_has_the_same_peak_unless_levels_are_kept() -> None:
    for gain in (0.02, 1.0, 1.9):
        peak = np.abs(prepared(tone() * np.float32(gain))).max()
        assert 20 * np.log10(peak) == pytest.approx(-1, abs=0.01)
        kept = np.abs(prepared(tone() * np.float32(gain), level="kept")).max()
        assert kept == pytest.approx(0.5 * gain, rel=1e-3)


def test_a_longer_sound_is_cut_and_a_shorter_one_padded() -> None:
    samples = tone()
    np.testing.assert_array_equal(fit(samples, 100), samples[:100])
    np.testing.assert_array_equal(fit(samples, 100, start=50), samples[50:150])
    padded = fit(samples, 9000)
    np.testing.assert_array_equal(padded[:8000], samples)
    assert not padded[8000:].any()
    assert len(fit(samples, 100, start=7990)) == 100


def test_the_fade_is_a_raised_cosine_at_the_end_of_the_sound() -> None:
    ones = np.ones(50, np.float32)
    turn = np.pi * (np.arange(10) + 0.5) / 10
    ramp = (0.5 + 0.5 * np.cos(turn)).astype(np.float32)
    padded = fit(ones, 80, fade=10)
    np.testing.assert_array_equal(padded, np.r_[ones[:40], ramp, np.zeros(30)])
    np.testing.assert_array_equal(fit(ones, 20, fade=10), np.r_[ones[:10], ramp])
    within = fit(ones, 20, start=5, fade=10)
    np.testing.assert_array_equal(within, np.r_[ramp[::-1], ramp])
    assert len(fit(ones[:3], 20, fade=10)) == 20


def test_the_input_of_a_fit_is_left_alone() -> None:
    samples = np.ones(50, np.float32)
    fit(samples, 50, fade=10)
    assert (samples == 1).all()


@pytest.mark.parametrize(("length", "start"), [(0, 0), (10, -1), (10, 50)])
def test_a_window_without_sound_is_refused(length: int, start: int) -> None:
    with pytest.raises(ValueError, match="no sound in"):
        fit(np.ones(50, np.float32), length, start=start)


def test_windows_cover_a_sound_evenly() -> None:
    assert sound.window_starts(80, 100) == [0]
    assert sound.window_starts(100, 100) == [0]
    for samples in (101, 199, 200, 201, 1000, 1049):
        starts = sound.window_starts(samples, 100)
        assert starts[0] == 0
        assert starts[-1] == samples - 100
        steps = np.diff(starts)
        assert (steps <= 100).all()
        if samples >= 200:
            assert (steps >= 50).all()


def test_the_default_length_holds_nine_in_ten_one_shots() -> None:
    durations = [0.01 * i for i in range(1, 101)]
    window = sound.default_window(durations)
    assert window.seconds == 1.0
    assert not window.sliced
    assert sound.default_window([0.33] * 9).seconds == 0.4
    assert sound.default_window([0.02]).seconds == 0.1
    longer = sound.default_window([0.3] * 95 + [1.0] * 5)
    assert longer.seconds == 0.3
    assert "5 of 100 sounds are longer and fade out at its end" in longer.notes
    assert "sounds last 0.30 to 0.30 s (median 0.30)" in longer.notes[0]
    assert sound.default_window([1.9, 5.0, 1.5]).seconds == 2.0


def test_long_recordings_are_cut_into_windows() -> None:
    window = sound.default_window([10.0, 60.0, 1.0])
    assert window.sliced
    assert window.seconds == 1.0
    assert "cut into windows of 1 s" in window.notes[0]
    with pytest.raises(ValueError, match="no durations"):
        sound.default_window([])


def test_what_was_done_is_counted_and_told() -> None:
    report = [
        PreprocessingReport(44_100, 2, 1.0, 0.02, 0.25, -3.0),
        PreprocessingReport(16_000, 1, 1.0, 0.0, 0.0, 2.5),
        PreprocessingReport(48_000, 1, 1.0, 1e-5, 0.005, 0.0),
    ]
    assert sound.describe_preprocessing(report, HANDLING) == [
        "1 of 3 sounds: channels averaged to one",
        "2 of 3 sounds: resampled from 44100, 48000 to 16000 Hz",
        "1 of 3 sounds: constant offset removed",
        "1 of 3 sounds: silence below -50 dB of the peak cut off at both ends (0.25 s, median)",
        "2 of 3 sounds: each brought to a peak of -1 dBFS, by -3.0 to +2.5 dB",
    ]
    assert (
        sound.describe_preprocessing([PreprocessingReport(RATE, 1, 1.0, 0.0, 0.0, 0.0)], HANDLING)
        == []
    )
    assert sound.describe_preprocessing([], HANDLING) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "x"), "permission denied"),
        (FileNotFoundError(2, "x"), "not there any more"),
        (MemoryError(), "not enough memory"),
        (ValueError(), "ValueError"),
    ],
)
def test_other_errors_are_told_in_one_line(error: Exception, told: str) -> None:
    assert told in sound.why_unreadable(error)


@pytest.mark.parametrize("make", [read_header, lambda file: read_sound(file, HANDLING)])
def test_no_mangled_file_raises_anything_unforeseen(make: Callable[[BytesIO], object]) -> None:
    """Every refusal is a ValueError or libsndfile's own error, never a crash of ours."""
    random = np.random.default_rng(1)
    for content in (WAV, AIFF, FLAC, stored(noise(), "OGG", "VORBIS"), stored(noise(), "RF64")):
        for _ in range(20):
            mangled = bytearray(content[: random.integers(1, len(content))])
            for at in random.integers(0, min(80, len(mangled)), 3):
                mangled[at] = random.integers(0, 256)
            told = ""
            try:
                make(BytesIO(bytes(mangled)))
            except (ValueError, soundfile.LibsndfileError) as error:
                told = sound.why_unreadable(error)
            assert "\n" not in told
