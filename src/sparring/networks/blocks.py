"""Parts that several networks share: conditioning, the output range, layers by name."""

from typing import Literal

import torch
from torch import Tensor, nn

from sparring.spec import ImageSpec, Spec

Activation = Literal["relu", "leaky_relu", "silu"]
Norm = Literal["batch", "none"]

LEAK = 0.2
LABEL_STD = 0.3  # beside a latent of 1: a louder label drowns the variety within its class


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
    """Maps features (n, width) to logits (n,), projecting on the label (Miyato & Koyama 2018)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.embed = nn.Embedding(classes, width) if classes else None
        if self.embed is not None:
            nn.init.zeros_(self.embed.weight)  # unconditional at first: classes keep their variety

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        logits: Tensor = self.linear(features).squeeze(1)
        if self.embed is None:
            return logits
        on_label: Tensor = (features * self.embed(label)).sum(1)
        return logits + on_label
