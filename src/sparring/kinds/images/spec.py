"""What one image is."""

from dataclasses import dataclass
from math import prod
from typing import Literal

ValueRange = Literal["-1..1", "0..1"]


@dataclass(frozen=True)
class ImageSpec:
    """An image of any height and width with 1 to 4 channels, and the names of its classes."""

    height: int
    width: int
    channels: int
    classes: tuple[str, ...] = ()  # label i is called classes[i]; empty when unconditional
    value_range: ValueRange = "-1..1"  # of the encoded pixels that the networks see

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one encoded sample: channels, height, width."""
        return self.channels, self.height, self.width

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)


def halvings(spec: ImageSpec) -> int:
    """Return how often the shorter side can be halved before it falls below 4 pixels."""
    depth = 0
    while min(spec.height, spec.width) / 2 ** (depth + 1) >= 4:
        depth += 1
    return max(depth, 1)
