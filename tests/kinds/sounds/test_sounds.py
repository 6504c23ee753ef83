"""Recordings as data: any format, rate and length to waves of one, with every fault named."""

import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import DataOptions, decode, describe, encode, kind_of, open_data, view
from sparring.kinds.sounds.codec import framing_of, joined, to_wave, wav_bytes
from sparring.kinds.sounds.reader import open_data as open_sounds
from sparring.kinds.sounds.spec import AudioSpec

RATE = 8000


def drum(seconds: float, hertz: float, rate: int = RATE, channels: int = 1) -> Any:
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.7 * np.sin(2 * np.pi * hertz * time) * np.exp(-8 * time)
    return np.repeat(wave[:, None], channels, 1)


def opened(source: Any, tmp_path: Path, **options: Any) -> Dataset:
    return open_sounds(source, DataOptions(**options), cache=tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty drums of several formats, rates, lengths and numbers of channels in two subfolders."""
    root = tmp_path / "drums"
    formats = ("wav", "flac", "ogg", "aiff", "mp3")
    for i in range(40):
        rate = (8000, 16000, 44100)[i % 3]
        path = root / ("low" if i % 2 else "high") / f"{i:02d}.{formats[i % 5]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = drum(0.2 + 0.01 * i, 100 + 40 * (i % 2) + i, rate, 1 + i % 2)
        soundfile.write(path, wave, rate)
    return root


def test_a_folder_of_any_format_becomes_waves_of_one_rate_and_length(
    folder: Path, tmp_path: Path
) -> None:
    data = opened(folder, tmp_path)
    assert (kind_of(data.spec).name, kind_of(data.spec).noun) == ("audio", "sound")
    assert isinstance(data.spec, AudioSpec)
    assert data.items.shape == (40, data.spec.framing.samples)
    assert data.items.dtype == np.int16
    assert data.spec.framing.rate == 8000  # the most frequent, of equals the first seen
    assert data.spec.classes == ("high", "low")
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 20 + [1] * 20
    assert not data.skipped
    peaks = np.abs(data.items).max(1) / 32767
    assert np.abs(20 * np.log10(peaks) + 1).max() < 0.2  # dB from −1
    assert describe(data.spec).startswith("0.6 s at 8,000 Hz")


def test_every_decision_is_told(folder: Path, tmp_path: Path) -> None:
    told = "\n".join(opened(folder, tmp_path, rate=16000).notes)
    for words in (
        "sounds last",
        "one window of 0.6 s",
        "channels averaged to one",
        "resampled from 8000, 44100 to 16000 Hz",
        "brought to a peak of -1 dBFS",
    ):
        assert words in told


def test_high_rates_are_brought_to_16_kilohertz_unless_asked(tmp_path: Path) -> None:
    for i in range(3):
        soundfile.write(tmp_path / f"{i}.wav", drum(0.3, 200 + i, 44100), 44100)
    data = opened(tmp_path, tmp_path)
    assert data.spec.framing.rate == 16000  # type: ignore[union-attr]
    assert "16,000 Hz are kept of 44,100; --rate 44100 keeps all" in data.notes
    full = opened(tmp_path, tmp_path, rate=44100)
    assert full.spec.framing.rate == 44100  # type: ignore[union-attr]
    assert full.spec.framing.window == 1024  # type: ignore[union-attr]


def test_an_archive_holds_the_same_sounds(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "drums.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.*")):
            file.write(path, path.relative_to(folder.parent))
    here, there = opened(folder, tmp_path), opened(archive, tmp_path)
    assert here.fingerprint == there.fingerprint
    assert kind_of(open_data(archive, DataOptions(), cache=tmp_path).spec).name == "audio"


def test_a_pack_on_disk_holds_the_same_sounds_and_is_found_again(
    folder: Path, tmp_path: Path
) -> None:
    memory = opened(folder, tmp_path)
    pack = opened(folder, tmp_path, memory_share=1e-12)
    again = opened(folder, tmp_path, memory_share=1e-12)
    assert isinstance(pack.items, np.memmap)
    assert pack.fingerprint == again.fingerprint == memory.fingerprint
    assert pack.spec == again.spec == memory.spec
    assert len(list((tmp_path / "cache" / "packs").iterdir())) == 1


def broken(tmp_path: Path) -> dict[str, str]:
    """Write a fault per file beside good ones; return what each must be skipped for."""
    good = wav_bytes(drum(0.3, 200)[:, 0].astype(np.float32), RATE)
    (tmp_path / "truncated.wav").write_bytes(good[: len(good) // 4])
    (tmp_path / "lying.wav").write_bytes(good[:40] + struct.pack("<I", 4 * 10**9) + good[44:])
    (tmp_path / "empty.wav").write_bytes(wav_bytes(np.zeros(0, np.float32), RATE))
    (tmp_path / "silent.wav").write_bytes(wav_bytes(np.zeros(4000, np.float32), RATE))
    (tmp_path / "nothing.wav").write_bytes(b"")
    (tmp_path / "noise.flac").write_bytes(b"fLaC" + np.random.default_rng(0).bytes(4000))
    (tmp_path / "rate.wav").write_bytes(good[:24] + struct.pack("<I", 0) + good[28:])
    (tmp_path / "channels.wav").write_bytes(good[:22] + struct.pack("<H", 65535) + good[24:])
    (tmp_path / "text.mp3").write_bytes(b"not a sound")
    bad = drum(0.3, 200)[:, 0].astype(np.float32)
    bad[100:103] = np.nan
    (tmp_path / "nan.wav").write_bytes(wav_bytes(bad, RATE, "float"))
    return {
        "truncated.wav": "truncated",
        "lying.wav": "header lies",
        "empty.wav": "holds no samples",
        "silent.wav": "silent",
        "nothing.wav": "empty file",
        "noise.flac": "",
        "rate.wav": "",
        "channels.wav": "",
        "text.mp3": "not a sound file",
        "nan.wav": "3 of 2400 samples are NaN",
    }


def test_every_fault_is_named_and_none_is_used(tmp_path: Path) -> None:
    faults = broken(tmp_path)
    for i in range(3):
        soundfile.write(tmp_path / f"good{i}.wav", drum(0.3, 300 + i), RATE)
    data = opened(tmp_path, tmp_path)
    assert len(data.items) == 3
    reasons = {one.path: one.reason for one in data.skipped}
    assert reasons.keys() == faults.keys()
    for name, words in faults.items():
        assert words in reasons[name], name
        assert "\n" not in reasons[name]
    assert np.isfinite(data.spec.mean).all()  # type: ignore[union-attr]


def test_a_folder_of_nothing_but_faults_is_refused_in_a_line(tmp_path: Path) -> None:
    broken(tmp_path)
    with pytest.raises(SparringError, match=r"no usable recording \(10 skipped: .*\); expected"):
        opened(tmp_path, tmp_path)


def test_long_recordings_are_cut_into_windows_and_a_single_file_will_do(tmp_path: Path) -> None:
    time = np.arange(7 * RATE) / RATE
    soundfile.write(tmp_path / "long.wav", 0.5 * np.sin(2 * np.pi * 220 * time), RATE)
    data = opened(tmp_path / "long.wav", tmp_path)
    assert data.items.shape == (7, RATE)
    assert "cut into windows of 1 s" in " ".join(data.notes)
    assert (np.abs(data.items).max(1) > 29000).all()  # no window fades


def test_a_length_that_is_asked_for_is_kept_and_says_what_it_cuts(
    folder: Path, tmp_path: Path
) -> None:
    data = opened(folder, tmp_path, seconds=0.25)
    assert data.items.shape[1] == 2000
    assert "sounds are longer than that: fade out at its end" in " ".join(data.notes)
    assert (np.abs(data.items[:, -1]) < 400).all()


def test_levels_are_kept_when_they_mean_something(tmp_path: Path) -> None:
    for i, level in enumerate((1.0, 0.5, 0.25)):
        soundfile.write(tmp_path / f"{i}.wav", level * drum(0.3, 200 + i), RATE)
    peaks = np.abs(opened(tmp_path, tmp_path, level="kept").items).max(1)
    assert np.allclose(peaks / peaks[0], [1, 0.5, 0.25], atol=0.01)
    assert abs(20 * np.log10(peaks[0] / 32767) + 1) < 0.1


def test_an_array_of_waves_is_data_too(tmp_path: Path) -> None:
    waves = np.stack([drum(0.2, 100 + i)[:, 0] for i in range(30)]).astype(np.float32)
    data = opened(waves, tmp_path, rate=RATE)
    assert np.abs(to_wave(torch.from_numpy(data.items)).numpy() - waves).max() < 1e-4
    with pytest.raises(SparringError, match=r"data\.rate, their samples a second"):
        opened(waves, tmp_path)
    with pytest.raises(SparringError, match="beyond ±1"):
        opened(3 * waves, tmp_path, rate=RATE)


def test_equal_sounds_stay_on_one_side_of_the_split(tmp_path: Path) -> None:
    for i in range(60):
        soundfile.write(tmp_path / f"{i:02d}.wav", drum(0.2, 100 + 5 * (i % 20)), RATE)
    data = opened(tmp_path, tmp_path, held_out=0.3)
    sides = [{data.items[i].tobytes() for i in side} for side in (data.train, data.held_out)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert "40 of 60 sounds repeat an earlier one exactly" in data.notes


def test_a_folder_is_sounds_when_most_of_it_are(folder: Path, tmp_path: Path) -> None:
    assert kind_of(open_data(folder, DataOptions(), cache=tmp_path).spec).name == "audio"
    (folder / "notes.txt").write_text("hello")
    assert kind_of(open_data(folder, DataOptions(), cache=tmp_path).spec).name == "audio"


def test_what_is_encoded_comes_back_as_a_wave_of_the_same_spectrum(
    folder: Path, tmp_path: Path
) -> None:
    data = opened(folder, tmp_path)
    x = encode(torch.from_numpy(data.items[:4]), data.spec)
    assert x.shape[1:] == data.spec.shape
    wave = decode(x, data.spec)
    assert wave.dtype == torch.float32
    assert float(wave.abs().max()) <= 1
    again = encode(wave, data.spec)
    assert float((again - x).abs().mean()) < 0.1
    assert view(x, data.spec) is x


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_frames_last_twelve_to_twenty_four_milliseconds(rate: int) -> None:
    framing = framing_of(rate, rate)
    assert 0.0115 < framing.window / rate <= 0.024
    assert framing.hop * 2 == framing.window


@pytest.mark.parametrize(
    ("bits", "subtype"), [("16", "PCM_16"), ("24", "PCM_24"), ("float", "FLOAT")]
)
def test_a_wave_is_written_in_the_bits_asked_for(tmp_path: Path, bits: Any, subtype: str) -> None:
    wave = drum(0.2, 200)[:, 0].astype(np.float32)
    (tmp_path / "a.wav").write_bytes(wav_bytes(wave, RATE, bits))
    assert soundfile.info(tmp_path / "a.wav").subtype == subtype
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == RATE
    assert np.abs(read - wave).max() <= {"16": 2**-15, "24": 2**-23, "float": 0}[bits]


def test_sounds_are_joined_with_pauses() -> None:
    whole = joined(np.ones((3, 100), np.float32), 1000, pause=0.05)
    assert whole.reshape(3, 150)[:, :100].all()
    assert not whole.reshape(3, 150)[:, 100:].any()


def test_a_name_that_is_no_file_is_answered_with_the_nearest_set(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="did you mean 'drums'"):
        opened("drumz", tmp_path, kind="audio")


def test_what_is_made_has_the_peak_that_all_sounds_have(folder: Path, tmp_path: Path) -> None:
    alike = opened(folder, tmp_path).spec
    assert isinstance(alike, AudioSpec)
    assert abs(alike.peak - 10 ** (-1 / 20)) < 0.02
    quiet = torch.full((3, *alike.shape), 0.5)
    assert torch.allclose(decode(quiet, alike).abs().amax(1), torch.tensor(alike.peak), atol=1e-5)
    for i, level in enumerate((1.0, 0.5, 0.25)):
        soundfile.write(tmp_path / f"{i}.wav", level * drum(0.3, 200 + i), RATE)
    shutil.rmtree(folder)
    different = opened(tmp_path, tmp_path, level="kept").spec
    assert isinstance(different, AudioSpec)
    assert different.peak == 0
