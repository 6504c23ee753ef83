"""The pair of 1-D convolutions: windows made and seen at several scales of time.

Notation: n windows of c channels and t steps; w the width of all layers.
"""

from math import ceil, prod

from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, interpolate, leaky_relu

from sparring.networks.blocks import LEAK, Conditioning, Projection
from sparring.networks.conv1d import ResidualBlock
from sparring_series.spec import SeriesSpec

KERNEL = 5


class TemporalGenerator(nn.Module):
    """latent → (w, t/2^depth) → `depth` times: twice as many steps, a residual block → (c, t)."""

    def __init__(self, spec: SeriesSpec, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.latent = latent
        self.steps = spec.steps
        self.first_shape = width, ceil(spec.steps / 2**depth)
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.first = nn.Linear(self.conditioning.width, prod(self.first_shape))
        self.blocks = nn.ModuleList(ResidualBlock(width, KERNEL) for _ in range(depth))
        self.last = nn.Conv1d(width, len(spec.channels), KERNEL, padding=KERNEL // 2)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.first(self.conditioning(latent, label)).unflatten(1, self.first_shape)
        for block in self.blocks:
            x = block(interpolate(x, scale_factor=2.0))
        samples: Tensor = self.last(leaky_relu(x, LEAK))
        return samples[..., : self.steps]


class TemporalDiscriminator(nn.Module):
    """(c, t) → `depth` times: a residual block, half as many steps → a logit."""

    def __init__(self, spec: SeriesSpec, width: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(len(spec.channels), width, KERNEL, padding=KERNEL // 2)
        self.blocks = nn.ModuleList(ResidualBlock(width, KERNEL) for _ in range(depth))
        self.head = Projection(width * ceil(spec.steps / 2**depth), len(spec.classes))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = avg_pool1d(block(x), 2, ceil_mode=True)
        logits: Tensor = self.head(leaky_relu(x, LEAK).flatten(1), label)
        return logits
