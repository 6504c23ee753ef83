"""The pair for sounds: spectra as frames in time, their bins as channels of 1-D convolutions.

One trunk with two ends: log-amplitudes, whose phase is found afterwards, or a wave through the
inverse short-time Fourier transform (after Siuzdak 2024, Vocos, section 3.2). Residual branches
start at zero, so that no normalisation is needed.

Notation: n sounds of `bins` × `frames`; c channels.
"""

from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose1d, interpolate, leaky_relu

from sparring.kinds.sounds.spec import AudioSpec
from sparring.kinds.sounds.spectrum import synthesis_basis
from sparring.networks.blocks import LEAK, Conditioning, Projection
from sparring.networks.conv1d import ResidualBlock, zero_init

KERNEL = 3  # frames
STAGES = 4  # of the trunk, at 1/8, 1/4, 1/2 and all of the frames
STYLE_STD = 0.1  # of the first scales and shifts that the latent gives
MAX_LAST_FRAMES = 4  # of the discriminator's last map, at most
MAX_LEVEL, MIN_LEVEL = 2.0, -20.0  # natural logarithm of what the inverse transform is given
PARTS = 3  # of a bin for the inverse transform: level, and two numbers for the phase


class FramesTrunk(nn.Module):
    """latent, label → maps (n, width, frames), `depth` residual blocks at each of four rates."""

    def __init__(self, spec: AudioSpec, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.frames = spec.framing.frames
        self.first_frames = ceil(self.frames / 2 ** (STAGES - 1))
        self.conditioning = Conditioning(latent, len(spec.classes))
        condition_width = self.conditioning.width
        self.width = width
        self.start = nn.Linear(condition_width, width * self.first_frames)
        self.styles = nn.ModuleList(_style(condition_width, width) for _ in range(STAGES))
        wide, deep = STAGES // 2, range(depth)
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(ResidualBlock(width, KERNEL) if k < wide else DepthwiseBlock(width) for _ in deep)
            )
            for k in range(STAGES)
        )
        self.place = nn.Parameter(torch.zeros(width, self.frames))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        condition = self.conditioning(latent, label)
        maps: Tensor = self.start(condition).view(-1, self.width, self.first_frames)
        for k, (style, stage) in enumerate(zip(self.styles, self.stages, strict=True)):
            if k:
                maps = interpolate(maps, scale_factor=2, mode="linear")
            scale, shift = style(condition)[..., None].chunk(2, 1)
            maps = stage(maps * (1 + scale) + shift)
        return maps[..., : self.frames] + self.place


class FramesGenerator(nn.Module):
    """latent, label → log-amplitudes (n, bins, frames)."""

    def __init__(self, spec: AudioSpec, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.latent = latent
        self.trunk = FramesTrunk(spec, latent, width, depth)
        self.head = _convolution(width, spec.framing.bins)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        frames: Tensor = self.head(leaky_relu(self.trunk(latent, label), LEAK))
        return frames


class InverseSTFTGenerator(nn.Module):
    """latent, label → a wave (n, samples): each bin's level and phase, and the inverse transform.

    The phase is the direction of two numbers, so that it never wraps.
    """

    mean: Tensor
    scale: Tensor
    basis: Tensor
    envelope: Tensor

    def __init__(self, spec: AudioSpec, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.latent = latent
        self.framing = spec.framing
        self.trunk = FramesTrunk(spec, latent, width, depth)
        self.head = _convolution(width, PARTS * spec.framing.bins)
        for name in ("mean", "scale"):
            column = torch.tensor(getattr(spec, name))[:, None]
            self.register_buffer(name, column, persistent=False)
        for name, values in zip(("basis", "envelope"), synthesis_basis(spec.framing), strict=True):
            self.register_buffer(name, values, persistent=False)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        spectrum = self.head(leaky_relu(self.trunk(latent, label), LEAK))
        level, p, q = spectrum.float().chunk(PARTS, 1)
        size = (level * self.scale + self.mean).clamp(MIN_LEVEL, MAX_LEVEL).exp()
        size = size * (self.framing.window / 4) * torch.rsqrt(p.square() + q.square() + 1e-3)
        parts = torch.cat([size * p, size * q], 1)
        parts = torch.cat([parts, parts[..., -1:]], -1)  # the frame that networks do not see
        wave = conv_transpose1d(parts, self.basis, stride=self.framing.hop)
        half = self.framing.window // 2
        return wave[:, 0, half : half + self.framing.samples] / self.envelope


class FramesDiscriminator(nn.Module):
    """A sound's spectrum (n, channels, frames) → halved in time until few → a logit."""

    def __init__(self, spec: AudioSpec, width: int, depth: int) -> None:
        super().__init__()
        channels = spec.framing.bins * (1 if spec.form == "frames" else PARTS)
        layers: list[nn.Module] = [
            _convolution(channels, width),
            nn.LeakyReLU(LEAK),
        ]
        frames = spec.framing.frames
        while frames > MAX_LAST_FRAMES:
            for _ in range(depth - 1):
                layers.append(ResidualBlock(width, KERNEL))
            layers += [nn.Conv1d(width, width, 5, stride=2, padding=2), nn.LeakyReLU(LEAK)]
            frames = ceil(frames / 2)
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.head = Projection(width * frames, len(spec.classes))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.features(x), label)
        return logits


class DepthwiseBlock(nn.Module):
    """x + a convolution of each channel in time, and two layers across channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(width, width, 7, padding=3, groups=width),
            nn.Conv1d(width, 2 * width, 1),
            nn.LeakyReLU(LEAK),
            zero_init(nn.Conv1d(2 * width, width, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.layers(x)
        return x + residual


def _convolution(inputs: int, outputs: int) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, KERNEL, padding=KERNEL // 2)


def _style(condition_width: int, width: int) -> nn.Linear:
    layer = nn.Linear(condition_width, 2 * width)
    nn.init.normal_(layer.weight, std=STYLE_STD / condition_width**0.5)
    nn.init.zeros_(layer.bias)
    return layer
