"""The convolutional pair (after Radford 2016, without batch statistics in the discriminator).

Any height and width: the generator starts from a small map, doubles it `depth` times and crops
what overhangs; the discriminator halves as often.
"""

from itertools import pairwise
from math import prod
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, pad

from sparring.kinds.images.networks.maps import cropped, first_map, last_map
from sparring.kinds.images.spec import ImageSpec
from sparring.networks.blocks import (
    LEAK,
    Activation,
    Conditioning,
    Norm,
    Projection,
    activation,
    output_range,
)
from sparring.networks.dense import Dense

Upsampling = Literal["transposed", "nearest"]


class ConvolutionalGenerator(nn.Module):
    """latent → a map of `width`·2^(depth−1) channels → doubled `depth` times → one image."""

    def __init__(
        self,
        spec: ImageSpec,
        latent: int,
        width: int,
        depth: int,
        act: Activation = "relu",
        norm: Norm = "batch",
        upsampling: Upsampling = "transposed",
        max_width: int = 512,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.size = spec.height, spec.width
        channels = [min(width * 2**k, max_width) for k in reversed(range(depth))]
        base = (*first_map(spec, depth), channels[0])
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.start = nn.Sequential(
            Dense(self.conditioning.width, prod(base), bias=norm == "none"),
            nn.Unflatten(1, base),
            ChannelsFirst(),
            *_norm_and_activation(channels[0], act, norm),
        )
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    _double(below, above, upsampling, bias=norm == "none"),
                    *_norm_and_activation(above, act, norm),
                )
                for below, above in pairwise(channels)
            )
        )
        self.head = _double(channels[-1], spec.channels, upsampling, bias=True)
        self.range = output_range(spec)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.02)  # Radford 2016, section 4

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        maps = self.head(self.stages(self.start(self.conditioning(latent, label))))
        image: Tensor = self.range(cropped(maps, *self.size))
        return image


class ConvolutionalDiscriminator(nn.Module):
    """An image → halved `depth` times, `width` channels doubling → one more layer → a logit."""

    def __init__(
        self,
        spec: ImageSpec,
        width: int,
        depth: int,
        act: Activation = "leaky_relu",
        max_width: int = 512,
    ) -> None:
        super().__init__()
        height, side = last_map(spec, depth)
        channels = [min(width * 2**k, max_width) for k in range(depth + 1)]
        layers: list[nn.Module] = []
        for below, above in zip([spec.channels, *channels[:-2]], channels[:-1], strict=True):
            layers += [nn.Conv2d(below, above, 4, stride=2, padding=1), activation(act)]
        layers += [nn.Conv2d(channels[-2], channels[-1], 3, padding=1), activation(act)]
        self.features = nn.Sequential(*layers, ChannelsLast(), nn.Flatten())
        self.head = Projection(channels[-1] * height * side, len(spec.classes))
        he_init(self.features)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.features(x), label)
        return logits


class ResizeConvolution(nn.Conv2d):
    """Doubles a map by repeating its pixels, then convolves 3×3 (Odena 2016): no checkerboard.

    Each pixel of the result sees 2×2 pixels of the small map, so that both steps together are one
    transposed convolution, whose 4×4 kernel is the 3×3 kernel spread by a 2×2 box: the same
    numbers for 16 multiplications where there would be 36.
    """

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.flip(2, 3).transpose(0, 1)
        shifts = ((0, 1, 0, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 0))
        spread = sum((pad(kernel, shift) for shift in shifts[1:]), pad(kernel, shifts[0]))
        return conv_transpose2d(x, spread, self.bias, stride=2, padding=1)


class ChannelsFirst(nn.Module):
    """Reads (n, height, width, channels) as (n, channels, height, width) without moving a number.

    Where a map meets a vector, this order keeps the channels-last layout that is fast on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


class ChannelsLast(nn.Module):
    """Reads (n, channels, height, width) as (n, height, width, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


def _norm_and_activation(channels: int, act: Activation, norm: Norm) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] * (norm == "batch") + [activation(act)]


def _double(inputs: int, outputs: int, upsampling: Upsampling, bias: bool) -> nn.Module:
    if upsampling == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
    return ResizeConvolution(inputs, outputs, 3, bias=bias)


def he_init(network: nn.Module) -> None:
    """Draw convolutions from N(0, 2/((1 + leak²) fan_in)), set biases to 0 (He 2015, eq. 15)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=LEAK)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
