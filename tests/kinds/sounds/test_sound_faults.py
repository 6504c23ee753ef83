"""Rarer faults of sounds on the card: on either side, faint ones, and how sure a share of 0 is."""

from typing import Any

import numpy as np
import pytest

from sparring.kinds.sounds.card import measure_sounds, properties
from sparring.kinds.sounds.spec import AudioSpec, Framing

N, SAMPLES, RATE = 60, 4000, 8000
SPEC = AudioSpec(Framing(RATE, SAMPLES, 128, 64), (0.0,) * 64, (1.0,) * 64)
TIME = np.arange(SAMPLES) / RATE


def tones(seed: int, lowest: float = 200) -> Any:
    rng = np.random.default_rng(seed)
    hertz = rng.uniform(lowest, lowest + 400, (N, 1))
    wave = np.sin(2 * np.pi * hertz * TIME) * np.exp(-rng.uniform(5, 15, (N, 1)) * TIME)
    return (0.9 * wave / np.abs(wave).max(1, keepdims=True)).astype(np.float32)


def card(fake: Any, train: Any, held_out: Any) -> dict[str, Any]:
    of = tuple(properties(x, SPEC) for x in (train, held_out, fake))
    lines = measure_sounds(of, SPEC, lambda _: None)  # type: ignore[arg-type]
    return {line.key: line for line in lines}


@pytest.mark.parametrize("side", [1, -1])
def test_an_offset_is_counted_on_either_side_from_a_hundredth_of_the_peak(side: int) -> None:
    wave = tones(1) - tones(1).mean(1, keepdims=True)
    peak = np.abs(wave).max(1, keepdims=True)
    assert not properties(wave + side * 0.008 * peak, SPEC)["offset"].any()
    assert properties(wave + side * 0.012 * peak, SPEC)["offset"].all()


@pytest.mark.parametrize(("samples", "found"), [(3, 0), (5, 1)])
def test_flat_tops_are_counted_from_a_thousandth_of_the_samples(samples: int, found: int) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 210 * TIME)[None].astype(np.float32)
    wave[0, 1000 : 1000 + samples] = 0.9
    assert int(properties(wave, SPEC)["clipped"].sum()) == found


def test_samples_are_held_against_the_sounds_that_were_not_trained_on() -> None:
    low, high = tones(1), tones(2, lowest=2000)
    lines = card(fake=tones(3, lowest=2000), train=low, held_out=high)
    assert lines["brightness"].estimate.value < 0.35
    assert lines["brightness"].real_vs_real.value == pytest.approx(1)


def test_a_share_of_none_is_not_claimed_to_be_certain() -> None:
    lines = card(tones(3), tones(1), tones(2))
    share = lines["clicks"].estimate
    assert (share.value, share.low) == (0, 0)
    p, n = 2 / (N + 4), N  # Agresti and Coull 1998: two more of each
    assert share.high == pytest.approx(p + 1.96 * (p * (1 - p) / (n + 4)) ** 0.5, rel=0.01)
