"""What is asked of recordings: silent windows are left out, rates are of samples a second."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.sounds.reader import open_data as open_sounds

RATE = 8000


def opened(source: Any, tmp_path: Path, **options: Any) -> Dataset:
    return open_sounds(source, DataOptions(**options), cache=tmp_path / "cache")


@pytest.fixture
def pausing(tmp_path: Path) -> Path:
    """Two recordings of ten seconds, each with noise in the first and in the last second only."""
    folder = tmp_path / "pausing"
    rng = np.random.default_rng(0)
    for kind in ("rain", "wind"):
        wave = np.zeros(10 * RATE)
        wave[:7000], wave[-7000:] = 0.1 * rng.normal(size=(2, 7000))
        (folder / kind).mkdir(parents=True)
        soundfile.write(folder / kind / "a.wav", wave, RATE)
    return folder


@pytest.mark.parametrize("memory_share", [0.4, 1e-12])
@pytest.mark.parametrize("level", ["peak", "kept"])
def test_windows_of_silence_are_left_out_and_counted(
    pausing: Path, tmp_path: Path, memory_share: float, level: str
) -> None:
    data = opened(pausing, tmp_path, memory_share=memory_share, level=level)
    assert data.items.shape == (4, RATE)
    assert (np.abs(data.items).max(1) > 10_000).all()
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert "16 of 20 windows are silent and left out" in data.notes


def test_quiet_windows_are_kept_and_nothing_is_said(tmp_path: Path) -> None:
    """A tone that falls to −54 dB of its peak, above what counts as silence."""
    levels = np.repeat([1.0, 0.002, 0.002, 1.0], RATE)
    wave = levels * np.sin(2 * np.pi * 220 * np.arange(4 * RATE) / RATE)
    soundfile.write(tmp_path / "falling.wav", wave, RATE, subtype="FLOAT")
    data = opened(tmp_path / "falling.wav", tmp_path)
    assert len(data.items) == 4
    assert not any("silent" in note for note in data.notes)


def test_a_rate_in_kilohertz_is_refused_in_a_line(pausing: Path, tmp_path: Path) -> None:
    with pytest.raises(SparringError, match=r"a rate of 16 samples a second; expected 1000 or mo"):
        opened(pausing, tmp_path, rate=16)
    with pytest.raises(SparringError, match="a rate of 999 samples"):
        opened(np.zeros((4, 100), np.int16), tmp_path, rate=999)
    assert opened(pausing, tmp_path, rate=1000).items.shape[1] == 1000


def test_another_rate_length_or_level_is_another_pack(pausing: Path, tmp_path: Path) -> None:
    asked: tuple[dict[str, Any], ...] = (
        {},
        {"rate": 4000},
        {"seconds": 0.5},
        {"level": "kept"},
    )
    shapes = [opened(pausing, tmp_path, memory_share=1e-12, **one).items.shape for one in asked]
    assert shapes == [(4, 8000), (4, 4000), (8, 4000), (4, 8000)]
    assert len(list((tmp_path / "cache" / "packs").iterdir())) == 4


def test_infinity_in_a_recording_is_named(tmp_path: Path) -> None:
    wave = np.sin(np.arange(3000) / 5).astype(np.float32)
    for i in range(2):
        soundfile.write(tmp_path / f"{i}.wav", np.roll(wave, i), RATE, subtype="FLOAT")
    wave[5] = np.inf
    soundfile.write(tmp_path / "bad.wav", wave, RATE, subtype="FLOAT")
    data = opened(tmp_path, tmp_path)
    assert [(one.path, one.reason) for one in data.skipped] == [
        ("bad.wav", "1 of 3000 samples are NaN or infinite")
    ]


def test_an_array_with_holes_is_refused_in_a_line(tmp_path: Path) -> None:
    waves = np.zeros((3, 100), np.float32)
    waves[1, 7] = np.nan
    with pytest.raises(SparringError, match="beyond ±1, or NaN"):
        opened(waves, tmp_path, rate=RATE)
