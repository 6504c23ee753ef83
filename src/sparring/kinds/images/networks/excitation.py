"""The pair with skip-layer excitation, for few images (after Liu 2021, FastGAN).

Small maps open and shut the channels of maps eight times as large: a short way from the latent to
the pixels, which trains the lower layers soon, for hardly any arithmetic.
Smaller than the published pair: one convolution for each doubling, no noise inside, no spectral
norm, one logit from one resolution, no excitation in the discriminator, and no decoders that
reconstruct the reals. Augmentation and the penalties of the recipe keep it from copying.
"""

from itertools import pairwise
from math import prod, sqrt

from torch import Tensor, nn

from sparring.kinds.images.networks.convolutional import (
    ChannelsFirst,
    ChannelsLast,
    ResizeConvolution,
    he_init,
)
from sparring.kinds.images.networks.maps import cropped, first_map, last_map
from sparring.kinds.images.spec import ImageSpec
from sparring.networks.blocks import LEAK, Conditioning, Norm, Projection, output_range
from sparring.networks.dense import Dense

MAX_WIDTH = 512
MAX_SPAN = 3  # doublings between the two maps of an excitation; fewer where there are fewer
POOLED_SIDE = 4  # side of the small map that excites


class ExcitationGenerator(nn.Module):
    """latent → a small map → doubled `depth` times, channels halving to `width` → one image."""

    def __init__(
        self,
        spec: ImageSpec,
        latent: int,
        width: int,
        depth: int,
        norm: Norm = "batch",
        max_width: int = MAX_WIDTH,
    ) -> None:
        super().__init__()
        widths = [min(width * 2**k, max_width) for k in reversed(range(depth + 1))]
        self.latent = latent
        self.size = spec.height, spec.width
        self.span = min(MAX_SPAN, depth)
        base = (*first_map(spec, depth), 2 * widths[0])
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.start = nn.Sequential(
            Dense(self.conditioning.width, prod(base), bias=norm == "none"),
            nn.Unflatten(1, base),
            ChannelsFirst(),
            *_gated(widths[0], norm),
        )
        self.doublings = nn.ModuleList(
            nn.Sequential(
                ResizeConvolution(below, 2 * above, 3, bias=norm == "none"), *_gated(above, norm)
            )
            for below, above in pairwise(widths)
        )
        self.excitations = nn.ModuleList(
            Excitation(small, large)
            for small, large in zip(widths[: -self.span], widths[self.span :], strict=True)
        )
        self.head = nn.Conv2d(widths[-1], spec.channels, 3, padding=1)
        self.range = output_range(spec)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)  # as published
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        maps = [self.start(self.conditioning(latent, label))]
        for doubling in self.doublings:
            maps.append(doubling(maps[-1]))
            if len(maps) > self.span:
                small = len(maps) - 1 - self.span
                maps[-1] = maps[-1] * self.excitations[small](maps[small])
        image: Tensor = self.range(cropped(self.head(maps[-1]), *self.size))
        return image


class ExcitationDiscriminator(nn.Module):
    """An image → halved `depth` times on two paths, `width` channels doubling → a logit."""

    def __init__(self, spec: ImageSpec, width: int, depth: int, max_width: int = MAX_WIDTH) -> None:
        super().__init__()
        widths = [spec.channels, *(min(width * 2**k, max_width) for k in range(depth))]
        halvings = (TwoPathHalving(below, above) for below, above in pairwise(widths))
        self.features = nn.Sequential(*halvings, ChannelsLast(), nn.Flatten())
        self.head = Projection(widths[-1] * prod(last_map(spec, depth)), len(spec.classes))
        he_init(self.features)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.features(x), label)
        return logits


class Excitation(nn.Module):
    """Maps a small map to a number in (0, 1) for each channel of a large one (Liu 2021, eq. 1)."""

    def __init__(self, small: int, large: int) -> None:
        super().__init__()
        self.gates = nn.Sequential(
            nn.AdaptiveAvgPool2d(POOLED_SIDE),
            nn.Conv2d(small, large, POOLED_SIDE),
            nn.SiLU(),
            nn.Conv2d(large, large, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gates: Tensor = self.gates(x)
        return gates


class TwoPathHalving(nn.Module):
    """Halves a map by strided convolution and by averaging; their sum has the variance of one."""

    def __init__(self, below: int, above: int) -> None:
        super().__init__()
        self.strided = nn.Sequential(
            nn.Conv2d(below, above, 4, stride=2, padding=1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(above, above, 3, padding=1),
            nn.LeakyReLU(LEAK),
        )
        self.averaged = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(below, above, 1), nn.LeakyReLU(LEAK)
        )

    def forward(self, x: Tensor) -> Tensor:
        both: Tensor = self.strided(x) + self.averaged(x)
        return both / sqrt(2)


def _gated(channels: int, norm: Norm) -> list[nn.Module]:
    """Return what makes `channels` maps of twice as many: half of them gate the others."""
    return [nn.BatchNorm2d(2 * channels)] * (norm == "batch") + [nn.GLU(dim=1)]
