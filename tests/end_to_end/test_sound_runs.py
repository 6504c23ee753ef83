"""Sounds: the real commands, from a folder of recordings to WAV files, a card and a page."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from commands import CommandLine, final, strictly
from PIL import Image

import sparring
from sparring.errors import SparringError

RATE = 8000
QUICK = (
    *("--size", "tiny", "--checkpoint.ticks", "4", "--threads", "1"),
    *("--checkpoint.every-ticks", "1", "--checkpoint.samples-every-ticks", "2"),
)


def write_drums(folder: Path, n: int = 130) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(1600) / RATE
    for i in range(n):
        low = i % 2
        hertz, decay = (rng.uniform(80, 160), 20) if low else (rng.uniform(900, 2500), 60)
        wave = np.sin(2 * np.pi * hertz * time) * np.exp(-decay * time)
        path = folder / ("kick" if low else "hat") / f"{i:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.8 * wave, RATE)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds") / "work"
    write_drums(folder / "hits")
    return folder


@pytest.fixture(scope="module")
def drums(server: str, work: Path) -> Path:
    """A short run on synthesised drums of two classes."""
    return CommandLine(server, work).train("hits", *QUICK, "--budget", "480-images")


@pytest.fixture
def at(server: str, work: Path) -> CommandLine:
    return CommandLine(server, work)


def test_the_plan_tells_what_is_done_to_the_recordings(at: CommandLine) -> None:
    ended = at("train", "hits", *QUICK, "--budget", "480-images", "--dry-run")
    assert ended.code == 0, ended.err
    told = " ".join(ended.err.split())
    for words in ("0.2 s at 8,000 Hz, 2 classes", "brought to a peak", "istft", "gain shift speed"):
        assert words in told


def test_samples_are_wave_files_of_the_data_s_rate_and_the_same_for_the_same_seed(
    drums: Path, at: CommandLine
) -> None:
    ended = at("sample", drums, "-n", "6", "--out", "new")
    assert (ended.code, ended.out) == (0, "new\n"), ended.err
    files = sorted((at.folder / "new").glob("*.wav"))
    assert len(files) == 6
    for path in files:
        about = soundfile.info(path)
        assert (about.samplerate, about.frames, about.subtype) == (RATE, 1600, "PCM_16")
        wave, _ = soundfile.read(path)
        assert 0 < np.abs(wave).max() <= 1
    with Image.open(at.folder / "new/sheet.png") as sheet:
        assert sheet.width > 128 * 2
    at("sample", drums, "-n", "3", "--out", "again")
    assert (at.folder / "again/000002.wav").read_bytes() == files[2].read_bytes()


def test_bits_are_asked_of_wav_files_only(drums: Path, at: CommandLine) -> None:
    for out in (("--out", "all.npz"), ("--out", "all.png"), ("--grid",)):
        ended = at("sample", drums, "-n", "2", "--bits", "24", *out)
        assert (ended.code, ended.out) == (1, "")
        assert "'bits' is asked of WAV files; '" in ended.err


@pytest.mark.parametrize(("bits", "subtype"), [("24", "PCM_24"), ("float", "FLOAT")])
def test_one_file_holds_all_with_pauses_in_the_bits_asked_for(
    drums: Path, at: CommandLine, bits: str, subtype: str
) -> None:
    ended = at("sample", drums, "-n", "3", "--bits", bits, "--out", f"all-{bits}.wav")
    assert ended.code == 0, ended.err
    about = soundfile.info(at.folder / f"all-{bits}.wav")
    assert (about.subtype, about.frames) == (subtype, 3 * (1600 + 1200))


def test_a_walk_goes_from_one_sample_to_another_in_one_class(drums: Path, at: CommandLine) -> None:
    asked = ("--label", "kick", "--seed", "5")
    at("sample", drums, "-n", "5", *asked, "--between", "--out", "walk.npz")
    at("sample", drums, "-n", "2", *asked, "--out", "ends.npz")
    walk, ends = (np.load(at.folder / name)["sounds"] for name in ("walk.npz", "ends.npz"))
    np.testing.assert_allclose(walk[[0, -1]], ends, atol=1e-4)
    steps = np.abs(np.diff(walk, axis=0)).mean(1)
    assert (steps > 0).all()
    assert steps.max() < np.abs(walk[0] - walk[-1]).mean() * 1.5


def test_recordings_are_described_in_json(at: CommandLine) -> None:
    assert strictly(at("data", "hits", "--json").out)["classes"] == {"hat": 65, "kick": 65}


def test_the_card_judges_sounds_and_the_page_plays_them(at: CommandLine) -> None:
    drums = at.train("hits", *QUICK, "--labels", "none", "--budget", "160-images")
    ended = at("evaluate", drums, "-n", "200", "--json")
    assert ended.code == 0, ended.err
    card = strictly(ended.out)
    keys = {line["key"] for line in card["lines"]}
    assert {"kid", "brightness", "loudness", "length", "clicks"} <= keys
    assert {"precision", "coverage", "vendi"} <= keys
    assert card["extractor"] == "log-mel"
    page = (drums / "report.html").read_text()
    assert page.count("<audio") == 16
    assert "media-src data:" in page
    for name in ("properties", "typical", "missed"):
        assert (drums / f"samples/evaluation-{name}.png").exists()
    for name in ("real", "progress"):
        with Image.open(drums / f"samples/{name}.png") as picture:
            assert picture.height > 96


@pytest.mark.parametrize(
    ("generator", "discriminator"),
    [("istft", "frames"), ("frames", "frames"), ("wave", "wave"), ("wave", "frames")],
)
def test_stopped_and_resumed_is_bit_for_bit_the_same(
    at: CommandLine, generator: str, discriminator: str
) -> None:
    networks = ("--generator.network", generator, "--discriminator.network", discriminator)
    width = ("--generator.width", "8", "--discriminator.width", "8", "--augment.kinds", "")
    steady = ("--optimizer.lr", "1e-4", "--checkpoint.ticks", "2")
    asked = ("hits", "--labels", "none", "--size", "tiny", "--threads", "1", *steady)
    whole = at.train(*asked, *networks, *width, "--budget", "96-images")
    part = at.train(*asked, *networks, *width, "--budget", "48-images")
    ended = at("resume", part, "--budget", "+48-images")
    assert ended.code == 0, ended.err
    assert final(whole) == final(part)


def test_a_run_of_few_seconds_from_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    waves = (0.3 * rng.normal(size=(60, 800)) * np.exp(-np.arange(800) / 100)).clip(-1, 1)
    gan = sparring.GAN(
        size="tiny", budget="64-images", options={"data.kind": "audio", "data.rate": RATE}
    )
    made: Any = gan.fit(waves).sample(3)
    assert made.shape == (3, 800)
    assert np.abs(made).max() <= 1
    with pytest.raises(SparringError, match="is for sounds"):
        sparring.GAN(budget="64-images", options={"generator.network": "istft"}).fit(
            rng.normal(size=(60, 8))
        )


def test_the_generator_runs_elsewhere_with_the_same_result(drums: Path, at: CommandLine) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert at("export", drums, "--out", "g.onnx").code == 0
    session = onnxruntime.InferenceSession(str(at.folder / "g.onnx"))
    run = sparring.load(drums)
    generator = run.generator()
    latent = torch.randn(3, generator.latent, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([0, 1, 1])
    (made,) = session.run(None, {"latent": latent.numpy(), "label": label.numpy()})
    with torch.no_grad():
        expected = generator(latent, label).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-4)
