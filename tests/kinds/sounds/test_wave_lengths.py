"""How short a wave may be for the discriminator that shuffles phases."""

import pytest
import torch

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.sounds.networks.wave import MAX_SHIFT, WaveDiscriminator, WaveGenerator
from sparring.kinds.sounds.spec import AudioSpec, Framing
from sparring.penalties import r1, scored

SHORTEST = 683  # samples that leave the last shuffled layer three


def spec_of(samples: int) -> AudioSpec:
    framing = Framing(8000, samples, 64, 32)
    return AudioSpec(framing, (-4.0,) * framing.bins, (1.5,) * framing.bins, form="wave")


def test_the_shortest_wave_is_shuffled_and_punished_like_any_other() -> None:
    discriminator = WaveDiscriminator(spec_of(SHORTEST), 2)
    maps = torch.zeros(1, 1, SHORTEST)
    for layer in discriminator.layers[:-1]:
        maps = layer(maps[:, :1].expand(-1, layer.in_channels, -1))
    assert maps.shape[-1] == MAX_SHIFT + 1
    real = scored(torch.randn(3, SHORTEST).requires_grad_(), discriminator)
    r1(real, real, Draw(0)).mean().backward()
    for layer in discriminator.layers:
        assert layer.weight.grad.any()


@pytest.mark.parametrize("samples", [16, 400, SHORTEST - 1])
def test_shorter_waves_are_refused_in_a_line(samples: int) -> None:
    with pytest.raises(SparringError, match=f"of {samples} samples are too short") as refused:
        WaveDiscriminator(spec_of(samples), 2)
    assert "use the discriminator frames" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("samples", [16, 400, 1025])
def test_a_generator_makes_waves_of_any_length(samples: int) -> None:
    wave = WaveGenerator(spec_of(samples), 8, 2)(torch.randn(3, 8))
    assert wave.shape == (3, samples)
    assert wave.abs().max() <= 1
