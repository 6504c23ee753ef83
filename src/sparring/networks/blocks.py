"""Parts that several networks share: sizes, conditioning, the output range, layers by name."""

from typing import Literal

import torch
from torch import Tensor, nn

from sparring.spec import Spec

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
    """Return the map from ℝ into the spec's `value_range`; of a spec without one, the identity."""
    match getattr(spec, "value_range", None):
        case "0..1":
            return nn.Sigmoid()
        case "-1..1":
            return nn.Tanh()
        case _:
            return nn.Identity()


def glorot(network: nn.Module) -> None:
    """Draw all weights from U(±√(6/(fan_in + fan_out))), set biases to 0 (Glorot 2010, eq. 16)."""
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
