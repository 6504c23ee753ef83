"""Sounds as pictures for extractors of images."""

from pathlib import Path

import numpy as np
import pytest

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.evaluation.extractors import choose
from sparring.features.classifier import train_or_load_classifier
from sparring.kinds import DataOptions
from sparring.kinds.sounds.features import resemblyzer
from sparring.kinds.sounds.features.mel import BANDS, mel_pictures, picture_framing, pictured
from sparring.kinds.sounds.reader import open_data as open_sounds
from sparring.kinds.sounds.spec import AudioSpec

RATE = 8000


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two hundred tones, low ones and high ones, which their labels tell."""
    rng = np.random.default_rng(0)
    time = np.arange(1600) / RATE
    hertz = np.where(np.arange(200) % 2, 2000, 300) * rng.uniform(0.8, 1.25, 200)
    waves = 0.5 * np.sin(2 * np.pi * hertz[:, None] * time + rng.uniform(0, 6, 200)[:, None])
    options = DataOptions(kind="audio", rate=RATE)
    data = open_sounds(waves.astype(np.float32), options, cache=tmp_path_factory.mktemp("cache"))
    spec = data.spec
    assert isinstance(spec, AudioSpec)
    named = AudioSpec(spec.framing, spec.mean, spec.scale, classes=("low", "high"))
    return Dataset(**{**vars(data), "spec": named, "labels": np.arange(200) % 2})


def framing(data: Dataset):  # type: ignore[no-untyped-def]
    assert isinstance(data.spec, AudioSpec)
    return data.spec.framing


def test_a_tone_lights_the_band_of_its_pitch(tones: Dataset) -> None:
    pictures = pictured(tones).items[:2]
    assert pictures.shape[1:] == (BANDS, picture_framing(framing(tones)).frames + 1, 1)
    assert pictures.dtype == np.uint8
    low, high = pictures.astype(float).mean((2, 3)).argmax(1)
    assert low + 10 < high


def test_pictures_are_the_same_of_int16_and_of_float_and_read_in_parts(tones: Dataset) -> None:
    wanted = picture_framing(framing(tones))
    whole = mel_pictures(np.asarray(tones.items), wanted)
    floats = mel_pictures(tones.items.astype(np.float32) / 32767, wanted)
    assert np.array_equal(whole, floats)
    lazily = pictured(tones).items
    assert len(lazily) == 200
    assert np.array_equal(lazily[np.array([5, 17])], whole[[5, 17]])


def test_the_default_extractor_looks_at_components_of_these(tones: Dataset, tmp_path: Path) -> None:
    eye = choose("auto", tones, cache=tmp_path)
    assert eye.name == "log-mel"
    features = eye.run(tones.items)
    low, high = features[::2].mean(0), features[1::2].mean(0)
    within = features[::2].std(0).mean()
    assert np.linalg.norm(low - high) > 5 * within
    with pytest.raises(SparringError, match="fitted to sounds of 1600 samples"):
        eye.run(tones.items[:, :800])


def test_extractors_of_images_look_at_the_pictures(tones: Dataset, tmp_path: Path) -> None:
    eye = choose("random-convolutions", tones, cache=tmp_path)
    assert eye.run(tones.items[:3]).shape == (3, eye.width)


def test_a_classifier_learns_the_labels_from_them(tones: Dataset, tmp_path: Path) -> None:
    told = train_or_load_classifier(pictured(tones), tmp_path, updates=60)
    assert told.accuracy == 1


def test_voices_without_their_package_are_refused_in_a_line(
    tones: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resemblyzer, "PACKAGE", "no_such_package")
    with pytest.raises(SparringError, match="run `pip install --no-deps no_such_package`"):
        choose("resemblyzer", tones, cache=tmp_path)


def test_an_octave_of_silence_and_a_tone_have_the_power_that_the_network_expects() -> None:
    import torch

    time = torch.arange(16_000) / 16_000
    tone = torch.sin(2 * torch.pi * 1000 * time)[None]
    mel = resemblyzer.mel_power(tone, 16_000)
    assert mel.shape == (1, 101, 40)
    assert int(mel[0, 50].argmax()) == int(
        resemblyzer.mel_power(0.01 * tone, 16_000)[0, 50].argmax()
    )
    quiet = resemblyzer.mel_power(0.001 * tone, 16_000)[0, 50].sum()
    loud = resemblyzer.mel_power(0.01 * tone, 16_000)[0, 50].sum()
    assert abs(float(quiet / loud) - 1) < 1e-3  # both are brought to one level
