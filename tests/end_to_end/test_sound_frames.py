"""Sounds by the real commands, where labels, augmentation and spectra meet: resume, ONNX, walks."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from commands import TINY, CommandLine, final

import sparring

RATE, SAMPLES, PAUSE = 8000, 1600, 1200
SPECTRA = ("--generator.network", "frames", "--checkpoint.ticks", "2")


@pytest.fixture(scope="module")
def at(server: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line beside sixty drums of two kinds."""
    folder = tmp_path_factory.mktemp("spectra") / "work"
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLES) / RATE
    for i in range(60):
        kick = np.sin(2 * np.pi * rng.uniform(80, 160) * time) * np.exp(-20 * time)
        hat = rng.normal(size=SAMPLES) * np.exp(-20 * time)
        path = folder / "hits" / ("kick" if i % 2 else "hat") / f"{i:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = kick if i % 2 else hat
        soundfile.write(path, 0.8 * wave / np.abs(wave).max(), RATE)
    return CommandLine(server, folder)


@pytest.fixture(scope="module")
def spectra(at: CommandLine) -> Path:
    """A short run of spectra, of two classes, augmented."""
    return at.train("hits", *TINY, *SPECTRA, "--budget", "96-images")


def test_labels_and_augmentation_are_resumed_bit_for_bit(at: CommandLine, spectra: Path) -> None:
    steady = ("--optimizer.lr", "1e-4")
    asked = ("hits", *TINY, *SPECTRA, *steady)
    whole = at.train(*asked, "--budget", "96-images")
    part = at.train(*asked, "--budget", "48-images")
    ended = at("resume", part, "--budget", "+48-images")
    assert ended.code == 0, ended.err
    assert final(whole) == final(part)
    assert final(whole) != final(spectra)  # another rate of learning is another end


def test_spectra_come_out_of_onnx_as_of_the_run(at: CommandLine, spectra: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    ended = at("export", spectra, "--out", "spectra.onnx")
    assert ended.code == 0, ended.err
    session = onnxruntime.InferenceSession(str(at.folder / "spectra.onnx"))
    generator = sparring.load(spectra).generator()
    latent = torch.randn(5, generator.latent, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([0, 1, 1, 0, 1])
    (made,) = session.run(None, {"latent": latent.numpy(), "label": label.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(made, generator(latent, label).numpy(), atol=1e-4)


def test_a_walk_is_one_sound_of_which_each_step_is_heard(at: CommandLine, spectra: Path) -> None:
    for seed, name in (("5", "a.wav"), ("5", "b.wav"), ("6", "c.wav")):
        asked = ("-n", "4", "--seed", seed, "--label", "kick", "--between", "--out", name)
        ended = at("sample", spectra, *asked)
        assert ended.code == 0, ended.err
    assert (at.folder / "a.wav").read_bytes() == (at.folder / "b.wav").read_bytes()
    assert (at.folder / "a.wav").read_bytes() != (at.folder / "c.wav").read_bytes()
    wave, rate = soundfile.read(at.folder / "a.wav")
    assert rate == RATE
    steps = wave.reshape(4, SAMPLES + PAUSE)
    assert (np.abs(steps[:, :SAMPLES]).max(1) > 0).all()
    assert not steps[:, SAMPLES:].any()


def test_sounds_too_short_for_the_networks_are_refused_in_a_line(at: CommandLine) -> None:
    waves = ("--generator.network", "wave", "--discriminator.network", "wave")
    asked = ("hits", *TINY, *waves, "--augment.kinds", "", "--budget", "48-images")
    ended = at("train", *asked, "--data.seconds", "0.05")
    assert "sounds of 400 samples are too short" in ended.complaint


def test_a_rate_in_kilohertz_is_refused_in_a_line(at: CommandLine) -> None:
    ended = at("train", "hits", *TINY, "--data.rate", "16", "--budget", "48-images")
    assert "a rate of 16 samples a second" in ended.complaint


def test_nothing_that_is_no_kind_of_sound_file_is_written(at: CommandLine, spectra: Path) -> None:
    ended = at("sample", spectra, "-n", "2", "--out", "two.flac")
    assert "cannot write '.flac' files; use .wav" in ended.complaint
    assert not (at.folder / "two.flac").exists()
