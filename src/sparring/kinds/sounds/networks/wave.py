"""The pair of WaveGAN (Donahue 2019, appendix D): waves by strided 1-D convolutions of width 25.

A generator that has only upsampled gives its samples away by a pattern in their phase; phase
shuffle hides it from the discriminator (section 3.3).

Notation: n waves of `samples`; d the channels of the layer nearest to the wave.
"""

from itertools import pairwise
from math import ceil, prod

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.sounds.spec import AudioSpec
from sparring.networks.blocks import LEAK, Conditioning, Projection

KERNEL, STRIDE = 25, 4
LAYERS = 5
MAX_SHIFT = 2  # samples of a layer's maps, to either side


class WaveGenerator(nn.Module):
    """latent, label → a wave (n, samples) within ±1; `width` is d."""

    def __init__(self, spec: AudioSpec, latent: int, width: int) -> None:
        super().__init__()
        self.latent = latent
        self.samples = spec.framing.samples
        channels = [width * 2**k for k in reversed(range(LAYERS))]
        self.first_shape = channels[0], ceil(self.samples / STRIDE**LAYERS)
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.start = nn.Linear(self.conditioning.width, prod(self.first_shape))
        layers: list[nn.Module] = [nn.ReLU()]
        for below, above in pairwise([*channels, 1]):
            layers += [nn.ConvTranspose1d(below, above, KERNEL, STRIDE, 11, 1), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1], nn.Tanh())

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        maps = self.start(self.conditioning(latent, label)).view(-1, *self.first_shape)
        wave: Tensor = self.layers(maps)[:, 0, : self.samples]
        return wave


class WaveDiscriminator(nn.Module):
    """A wave (n, samples) → strided convolutions with phase shuffle → a logit.

    The shifts of a batch follow from its own numbers: no state is kept, and looking at
    samples does not change what training draws.
    """

    def __init__(self, spec: AudioSpec, width: int) -> None:
        super().__init__()
        channels = [1, *(width * 2**k for k in range(LAYERS))]
        self.layers = nn.ModuleList(
            nn.Conv1d(below, above, KERNEL, STRIDE, 11) for below, above in pairwise(channels)
        )
        before, length = 0, spec.framing.samples
        for _ in range(LAYERS):
            before, length = length, (length + 22 - KERNEL) // STRIDE + 1
        if before <= MAX_SHIFT:
            raise SparringError(
                f"sounds of {spec.framing.samples} samples are too short for the discriminator "
                "wave; use the discriminator frames"
            )
        self.head = Projection(channels[-1] * length, len(spec.classes))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        maps = x[:, None]
        seed = _seed_of(x) if self.training else 0
        for k, layer in enumerate(self.layers):
            maps = leaky_relu(layer(maps), LEAK)
            if self.training and k < LAYERS - 1:
                maps = shuffle_phase(maps, Draw(seed), k)
        logits: Tensor = self.head(maps.flatten(1), label)
        return logits


def _seed_of(x: Tensor) -> int:
    """Return a seed that hardly any other batch has; one that is not finite has one too."""
    total = float(x.detach().cpu().double().abs().sum())
    return int(total * 2**30) % 2**63 if total < 2**30 else 0


def shuffle_phase(maps: Tensor, draw: Draw, layer: int) -> Tensor:
    """Shift each sound's maps in time by at most `MAX_SHIFT`; what enters is a reflection."""
    shift = draw.integers(f"phase/{layer}", len(maps), 2 * MAX_SHIFT + 1)
    source = torch.arange(maps.shape[-1]) + shift[:, None]
    index = source[:, None].expand(-1, maps.shape[1], -1).to(maps.device)
    return pad(maps, (MAX_SHIFT, MAX_SHIFT), mode="reflect").gather(2, index)
