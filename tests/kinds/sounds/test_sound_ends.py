"""The ends of the networks for sounds: the last frame, the loudest level, phases in evaluation."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from sparring.kinds.sounds.codec import decode
from sparring.kinds.sounds.networks import wave as waves
from sparring.kinds.sounds.networks.frames import MAX_LEVEL, InverseSTFTGenerator
from sparring.kinds.sounds.networks.wave import LAYERS, WaveDiscriminator
from sparring.kinds.sounds.spec import AudioSpec, Form, Framing
from sparring.kinds.sounds.spectrum import inverse_stft
from sparring.networks.blocks import LEAK

FRAMING = Framing(8000, 1600, 64, 32)
BINS, FRAMES = FRAMING.bins, FRAMING.frames


def spec_of(form: Form = "sound", mean: float = -4.0) -> AudioSpec:
    return AudioSpec(FRAMING, (mean,) * BINS, (1.5,) * BINS, form=form)


def wave_of(head: Tensor, spec: AudioSpec) -> Tensor:
    """Return the wave that an inverse transform makes of what its head says (3 bins, frames)."""
    generator = InverseSTFTGenerator(spec, 8, 16, 1)
    generator.head = Says(head)  # type: ignore[assignment]
    with torch.no_grad():
        wave: Tensor = generator(torch.zeros(1, 8))
    return wave


class Says(torch.nn.Module):
    def __init__(self, said: Tensor) -> None:
        super().__init__()
        self.said = said

    def forward(self, _: Tensor) -> Tensor:
        return self.said[None]


@torch.no_grad()
def test_the_wave_of_any_levels_and_phases_is_their_inverse_transform() -> None:
    head = 0.5 * torch.randn(3 * BINS, FRAMES, generator=torch.Generator().manual_seed(0))
    level, p, q = head.double().chunk(3)
    phase = torch.complex(p, q) / (p.square() + q.square() + 1e-3).sqrt()
    seen = (level * 1.5 - 4.0).exp() * (FRAMING.window / 4) * phase
    whole = torch.cat([seen, seen[:, -1:]], 1)  # the last frame again, and a silent top bin
    whole = torch.cat([whole, torch.zeros_like(whole[:1])])
    wanted = inverse_stft(whole[None], FRAMING).float()
    torch.testing.assert_close(wave_of(head, spec_of()), wanted, atol=1e-5, rtol=1e-4)


def test_no_level_is_louder_than_the_loudest() -> None:
    head = torch.zeros(3 * BINS, FRAMES)
    head[BINS : 2 * BINS] = 1
    louder, loudest = head.clone(), head.clone()
    louder[:BINS], loudest[:BINS] = 100, MAX_LEVEL
    spec = AudioSpec(FRAMING, (0.0,) * BINS, (1.0,) * BINS, form="sound")
    torch.testing.assert_close(wave_of(louder, spec), wave_of(loudest, spec))


def plain(discriminator: WaveDiscriminator, wave: Tensor) -> Tensor:
    maps = wave[:, None]
    for layer in discriminator.layers:
        maps = leaky_relu(layer(maps), LEAK)
    logits: Tensor = discriminator.head(maps.flatten(1), None)
    return logits


def test_in_evaluation_no_phase_is_shuffled() -> None:
    torch.manual_seed(0)
    discriminator, wave = WaveDiscriminator(spec_of("wave"), 2), torch.randn(4, 1600)
    assert not torch.equal(discriminator(wave), plain(discriminator, wave))
    discriminator.eval()
    assert torch.equal(discriminator(wave), plain(discriminator, wave))


def test_phases_are_shuffled_after_each_layer_but_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, int]] = []

    class Still:
        """Draws a shift of none, and keeps what it was asked for."""

        def __init__(self, *_: Any) -> None: ...

        def integers(self, purpose: str, n: int, below: int) -> Tensor:
            asked.append((purpose, n, below))
            return torch.full((n,), below // 2)

    monkeypatch.setattr(waves, "Draw", Still)
    torch.manual_seed(0)
    discriminator, wave = WaveDiscriminator(spec_of("wave"), 2), torch.randn(4, 1600)
    torch.testing.assert_close(discriminator(wave), plain(discriminator, wave))
    assert asked == [(f"phase/{layer}", 4, 5) for layer in range(LAYERS - 1)]


def test_only_waves_beyond_full_scale_are_turned_down() -> None:
    wave = torch.sin(torch.arange(1600.0) / 5)[None]
    wave = wave / wave.abs().max()
    assert torch.equal(decode(0.6 * wave, spec_of()), 0.6 * wave)
    torch.testing.assert_close(decode(3 * wave, spec_of()), wave)
