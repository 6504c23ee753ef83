"""The fully connected pair: any sample as one flat vector."""

from torch import Tensor, nn

from sparring.networks.blocks import (
    Activation,
    Conditioning,
    Norm,
    Projection,
    activation,
    output_range,
)
from sparring.networks.dense import Dense
from sparring.spec import Spec


class MLPGenerator(nn.Module):
    """latent → `depth` hidden layers of `width` → one sample."""

    def __init__(
        self,
        spec: Spec,
        latent: int,
        width: int,
        depth: int,
        act: Activation = "relu",
        norm: Norm = "none",
    ) -> None:
        super().__init__()
        self.latent = latent
        self.shape = spec.shape
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.hidden = _hidden(self.conditioning.width, width, depth, act, norm)
        self.head = nn.Sequential(Dense(width, spec.size), output_range(spec))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        hidden = self.hidden(self.conditioning(latent, label))
        sample: Tensor = self.head(hidden).unflatten(1, self.shape)
        return sample


class MLPDiscriminator(nn.Module):
    """One sample → `depth` hidden layers of `width` → a logit."""

    def __init__(self, spec: Spec, width: int, depth: int, act: Activation = "leaky_relu") -> None:
        super().__init__()
        self.hidden = _hidden(spec.size, width, depth, act, "none")
        self.head = Projection(width, len(spec.classes))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.hidden(x.flatten(1)), label)
        return logits


def _hidden(inputs: int, width: int, depth: int, act: Activation, norm: Norm) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in in [inputs] + [width] * (depth - 1):
        layers.append(Dense(fan_in, width, bias=norm == "none"))
        if norm == "batch":
            layers.append(nn.BatchNorm1d(width))
        layers.append(activation(act))
    return nn.Sequential(*layers)
