"""Parts that several networks share: sizes, conditioning, the output range, layers by name."""

from math import ceil
from typing import Literal

import torch
from torch import Tensor, nn

from sparring.errors import SparringError
from sparring.spec import ImageSpec, Spec

Activation = Literal["relu", "leaky_relu", "silu"]
Norm = Literal["batch", "none"]

LEAK = 0.2
LABEL_STD = 0.3  # beside a latent of 1: a louder label drowns the variety within its class


def default_depth(spec: ImageSpec) -> int:
    """Return how often the shorter side can be halved before it falls below 4 pixels."""
    depth = 0
    while min(spec.height, spec.width) / 2 ** (depth + 1) >= 4:
        depth += 1
    return max(depth, 1)


def first_map(spec: ImageSpec, depth: int) -> tuple[int, int]:
    """Return the size of the map that `depth` doublings make an image of, and some overhang.

    Raises:
        SparringError: the first doublings alone would cover the image.
    """
    if 2 ** (depth - 1) >= max(spec.height, spec.width):
        raise SparringError(
            f"{depth} doublings overshoot an image of {spec.height}x{spec.width}; "
            "use a lower --generator.depth"
        )
    return ceil(spec.height / 2**depth), ceil(spec.width / 2**depth)


def cropped(maps: Tensor, height: int, width: int) -> Tensor:
    """Return the middle of maps, without what overhangs."""
    top, left = (maps.shape[2] - height) // 2, (maps.shape[3] - width) // 2
    return maps[:, :, top : top + height, left : left + width]


def last_map(spec: ImageSpec, depth: int) -> tuple[int, int]:
    """Return the size of what `depth` halvings leave of an image.

    Raises:
        SparringError: they leave nothing.
    """
    if min(spec.height, spec.width) < 2**depth:
        raise SparringError(
            f"an image of {spec.height}x{spec.width} cannot be halved {depth} times; "
            "use a lower --discriminator.depth, or --discriminator.network mlp"
        )
    return spec.height // 2**depth, spec.width // 2**depth


def activation(name: Activation) -> nn.Module:
    """Return the activation of this name."""
    match name:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(LEAK)
        case "silu":
            return nn.SiLU()


def output_range(spec: Spec) -> nn.Module:
    """Return the map from ℝ into the spec's range of values."""
    if not isinstance(spec, ImageSpec):
        return nn.Identity()
    return nn.Sigmoid() if spec.value_range == "0..1" else nn.Tanh()


def glorot(network: nn.Module) -> None:
    """Start all weights at U(±√(6/(fan_in + fan_out))), biases at 0 (Glorot 2010, eq. 16)."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def he(network: nn.Module) -> None:
    """Start convolutions at N(0, 2/((1 + leak²) fan_in)), biases at 0 (He 2015, eq. 15)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=LEAK)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Conditioning(nn.Module):
    """Joins an embedding of the label to the latent; the identity when there are no classes."""

    def __init__(self, latent: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, latent) if classes else None
        if self.embed is not None:
            nn.init.normal_(self.embed.weight, std=LABEL_STD)
        self.width = 2 * latent if classes else latent

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        if self.embed is None:
            return latent
        return torch.cat([latent, self.embed(label)], dim=1)


class Projection(nn.Module):
    """Maps features (n, width) to logits (n,), projecting on the label (Miyato & Koyama 2018).

    Computed at the weights' own precision: what counts is the difference of two logits.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.embed = nn.Embedding(classes, width) if classes else None
        if self.embed is not None:
            nn.init.zeros_(self.embed.weight)  # unconditional at first: classes keep their variety

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.linear.weight.dtype)
            logits: Tensor = self.linear(features).squeeze(1)
            if self.embed is None:
                return logits
            on_label: Tensor = (features * self.embed(label)).sum(1)
            return logits + on_label
