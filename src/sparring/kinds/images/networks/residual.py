"""The residual pair (Huang 2024, R3GAN): no normalisation, magnitudes kept by the first weights.

Both networks are mirror images: two residual blocks at each resolution, resampling by the binomial
kernel [1, 3, 3, 1], so that no frequency is folded onto another. Any height and width: the
generator crops what overhangs, the discriminator's last halvings drop an odd row.
Differences from the published code: the generator's output is mapped into the range of the data,
so that whoever draws gets legal samples; the label's part of the logit starts at zero.

Notation: L is the number of residual blocks of a network.
"""

from itertools import pairwise
from math import ceil, prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from sparring.kinds.images.networks.maps import cropped, first_map, last_map
from sparring.kinds.images.spec import ImageSpec
from sparring.networks.blocks import LEAK, Conditioning, Projection, output_range
from sparring.networks.dense import Dense

MAX_WIDTH = 768
BLOCKS = 2  # at each resolution
EXPANSION = 2  # of the width inside a block
GROUP = 16  # channels of a group of the 3×3 convolutions
BINOMIAL = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


class ResidualGenerator(nn.Module):
    """latent → a weighted basis of maps → doubled `depth` times, down to `width` → an image."""

    def __init__(
        self, spec: ImageSpec, latent: int, width: int, depth: int, max_width: int = MAX_WIDTH
    ) -> None:
        super().__init__()
        widths = [min(width * 2**k, max_width) for k in reversed(range(depth + 1))]
        self.latent = latent
        self.size = spec.height, spec.width
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.basis = nn.Parameter(torch.randn(1, widths[0], *first_map(spec, depth)))
        self.weights = Dense(self.conditioning.width, widths[0], bias=False)
        stages = [_blocks(widths[0], len(widths))]
        for below, above in pairwise(widths):
            stages.append([*_change(below, above), Doubling(), *_blocks(above, len(widths))])
        self.stages = nn.Sequential(*(nn.Sequential(*stage) for stage in stages))
        self.head = nn.Conv2d(widths[-1], spec.channels, 1, bias=False)
        self.range = output_range(spec)
        init_weights(self.weights)
        init_weights(self.head)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        weights = self.weights(self.conditioning(latent, label))
        maps = self.head(self.stages(self.basis * weights[:, :, None, None]))
        image: Tensor = self.range(cropped(maps, *self.size))
        return image


class ResidualDiscriminator(nn.Module):
    """An image → `width` channels, doubling while it is halved `depth` times → a logit."""

    def __init__(self, spec: ImageSpec, width: int, depth: int, max_width: int = MAX_WIDTH) -> None:
        super().__init__()
        widths = [min(width * 2**k, max_width) for k in range(depth + 1)]
        stages = [_change(spec.channels, widths[0])]
        for below, above in pairwise(widths):
            stages.append([*_blocks(below, len(widths)), Halving(), *_change(below, above)])
        stages.append(_blocks(widths[-1], len(widths)))
        self.stages = nn.Sequential(*(nn.Sequential(*stage) for stage in stages))
        height, side = last_map(spec, depth)
        self.basis = nn.Parameter(torch.randn(1, widths[-1], height, side) / sqrt(height * side))
        self.head = Projection(widths[-1], len(spec.classes))
        init_weights(self.head.linear)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        features = (self.stages(x) * self.basis).sum((2, 3))  # a depth-wise convolution, whole map
        logits: Tensor = self.head(features, label)
        return logits


class ResidualBlock(nn.Module):
    """x plus 1×1, grouped 3×3 and 1×1 convolutions of it, wider inside; the identity at first.

    Any width: the inner one is rounded up to whole groups.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        inner = GROUP * ceil(EXPANSION * width / GROUP)
        self.expand = nn.Conv2d(width, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // GROUP)
        self.reduce = nn.Conv2d(inner, width, 1, bias=False)
        gain = sqrt(2 / (1 + LEAK**2)) * blocks ** (-1 / 4)  # L blocks together add one variance
        init_weights(self.expand, gain)
        init_weights(self.mix, gain)
        nn.init.zeros_(self.reduce.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = leaky_relu(self.expand(x), LEAK)
        y = leaky_relu(self.mix(y), LEAK)
        return x + self.reduce(y)  # type: ignore[no-any-return]


class Resampling(nn.Module):
    """Holds the kernel [1, 3, 3, 1] ⊗ [1, 3, 3, 1] of unit sum; it is fixed, and not stored."""

    def __init__(self) -> None:
        super().__init__()
        kernel = (BINOMIAL[:, None] * BINOMIAL).view(1, 1, 4, 4)
        self.register_buffer("kernel", kernel, persistent=False)

    def each(self, x: Tensor) -> Tensor:
        """Return the kernel once for each channel."""
        return self.get_buffer("kernel").expand(x.shape[1], 1, 4, 4)


class Doubling(Resampling):
    """Doubles a map: zeros in between, smoothed by four times the kernel."""

    def forward(self, x: Tensor) -> Tensor:
        return conv_transpose2d(x, 4 * self.each(x), stride=2, padding=1, groups=x.shape[1])


class Halving(Resampling):
    """Halves a map: smoothed by the kernel, then every other pixel."""

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.each(x), stride=2, padding=1, groups=x.shape[1])


def init_weights(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    """Draw weights of deviation gain/√fan_in and no bias: a variance goes through as gain²."""
    nn.init.normal_(layer.weight, std=gain / sqrt(prod(layer.weight.shape[1:])))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _blocks(width: int, resolutions: int) -> list[nn.Module]:
    return [ResidualBlock(width, BLOCKS * resolutions) for _ in range(BLOCKS)]


def _change(below: int, above: int) -> list[nn.Module]:
    """Return what changes the width: a 1×1 convolution, or nothing where it stays."""
    if below == above:
        return []
    layer = nn.Conv2d(below, above, 1, bias=False)
    init_weights(layer)
    return [layer]
