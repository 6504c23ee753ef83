"""What the card of sounds says: planted artefacts are found, their absence too; and pictures."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sparring.evaluation.verdict import judged
from sparring.kinds.sounds.card import DISTRIBUTIONS, measure_sounds, properties
from sparring.kinds.sounds.figures import cells, draw_properties
from sparring.kinds.sounds.spec import AudioSpec, Framing

FRAMING = Framing(8000, 4000, 128, 64)
SPEC = AudioSpec(FRAMING, (0.0,) * 64, (1.0,) * 64)
TIME = np.arange(4000) / 8000


def drums(n: int = 120, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    hertz, decay = rng.uniform(100, 900, (n, 1)), rng.uniform(5, 30, (n, 1))
    noise = 0.02 * rng.normal(size=(n, 4000))
    wave = (np.sin(2 * np.pi * hertz * TIME) + noise) * np.exp(-decay * TIME)
    return (0.9 * wave / np.abs(wave).max(1, keepdims=True)).astype(np.float32)


def card(fake: Any) -> tuple[dict[str, Any], list[str]]:
    told: list[str] = []
    of = tuple(properties(x, SPEC) for x in (drums(seed=1), drums(seed=2), fake))
    lines = measure_sounds(of, SPEC, told.append)  # type: ignore[arg-type]
    return {line.key: line for line in judged(list(lines))}, told


def test_sounds_like_the_data_cannot_be_told_apart() -> None:
    lines, told = card(drums(seed=3))
    for name in ("brightness", "loudness", "length"):
        assert lines[name].verdict == "no difference seen"
    for name in ("clicks", "offset", "clipped"):
        assert lines[name].estimate.value == lines[name].real_vs_real.value == 0
    assert "no steady tone stands out" in told[-1]
    assert told[0].startswith("medians: brightness, Hz")


def clicking(wave: Any) -> Any:
    wave[:, 2500] += 0.8
    return wave


def turned_off(wave: Any) -> Any:
    return wave + 0.05


def flat(wave: Any) -> Any:
    return np.clip(3 * wave, -0.9, 0.9)


@pytest.mark.parametrize(
    ("spoil", "key"), [(clicking, "clicks"), (turned_off, "offset"), (flat, "clipped")]
)
def test_a_planted_fault_is_counted(spoil: Any, key: str) -> None:
    lines, _ = card(spoil(drums(seed=3)))
    assert lines[key].estimate.low > 0.5
    assert lines[key].verdict == "differs"


def test_a_steady_tone_is_named_with_its_pitch() -> None:
    _, told = card(drums(seed=3) + 0.05 * np.sin(2 * np.pi * 2000 * TIME).astype(np.float32))
    assert "a steady tone at 2,0" in told[-1]
    assert "the mark of upsampling" in told[-1]


def test_brighter_shorter_sounds_are_told() -> None:
    hiss = np.random.default_rng(0).normal(size=(120, 4000)) * np.exp(-80 * TIME)
    lines, _ = card((0.9 * hiss / np.abs(hiss).max(1, keepdims=True)).astype(np.float32))
    for name in ("brightness", "length"):
        assert lines[name].words == "can be told from real data"


def test_too_few_sounds_are_said_and_nothing_else() -> None:
    lines, told = card(drums(3))
    assert lines == {}
    assert "fewer than" in told[0]


def test_a_rising_tone_rises_in_its_picture() -> None:
    rising = np.sin(2 * np.pi * (300 * TIME + 2500 * TIME**2))[None].astype(np.float32)
    picture = cells(rising, SPEC)
    assert picture.shape == (1, 96, 128, 3)
    mel = picture[0, 32:].astype(int).sum(2)
    early, late = mel[:, 10:30].mean(1).argmax(), mel[:, 100:120].mean(1).argmax()
    assert late < early - 5  # rows count from the top
    quiet = cells(0 * rising, SPEC)[0, 32:]
    assert (quiet == quiet[0, 0]).all()


def test_a_wave_s_picture_is_as_high_as_it_is_loud() -> None:
    tone = np.sin(2 * np.pi * 300 * TIME)[None].astype(np.float32)
    inked = [
        (cells(level * tone, SPEC)[0, :32, 64] != (16, 16, 24)).any(1).sum() for level in (1, 0.25)
    ]
    assert inked[0] == 32
    assert 8 <= inked[1] <= 10


def test_properties_are_drawn_side_by_side() -> None:
    shown = ({n: properties(drums(40, s), SPEC)[n] for n in DISTRIBUTIONS} for s in (1, 2))
    with Image.open(BytesIO(draw_properties(*shown))) as picture:
        assert picture.width > 2 * picture.height
