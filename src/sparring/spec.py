"""What one sample is. Networks are built from a spec, data describes itself by one.

A spec holds sizes and meanings only: no tensors, no files.
"""

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


@dataclass(frozen=True)
class VectorSpec:
    """A point of ℝᵈ; encoded, each coordinate has mean 0 and standard deviation 1."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]  # standard deviation of each coordinate; 1 where it is constant
    density: str = ""  # the known density that the points were drawn from
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int]:
        """Shape of one encoded sample."""
        return (self.size,)

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return len(self.mean)


Spec = ImageSpec | VectorSpec
