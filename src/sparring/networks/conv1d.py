"""The residual block of networks that convolve along one axis: time, or the places of a text."""

from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from sparring.networks.blocks import LEAK


class ResidualBlock(nn.Module):
    """x + two convolutions of it, each after an activation; the last starts at zero."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.last = zero_init(nn.Conv1d(width, width, kernel, padding=kernel // 2))

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.last(leaky_relu(self.first(leaky_relu(x, LEAK)), LEAK))
        return x + residual


def zero_init(layer: nn.Conv1d) -> nn.Conv1d:
    """Set a layer's weights and biases to 0 and return it: what it is added to passes at first."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
