"""What one window of a series is."""

from dataclasses import dataclass
from math import log2

SHORTEST = 4  # steps that convolutions still see; fewer are not halved


@dataclass(frozen=True)
class SeriesSpec:
    """A window of a series; encoded, each channel has mean 0 and standard deviation 1."""

    steps: int
    channels: tuple[str, ...]  # their names
    mean: tuple[float, ...]  # of each channel
    scale: tuple[float, ...]  # standard deviation of each channel; 1 where it is constant
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of one encoded sample: (channels, steps)."""
        return len(self.channels), self.steps

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return len(self.channels) * self.steps


def halvings(steps: int) -> int:
    """Return how often a window can be halved until it is `SHORTEST`; at least once, at most 5."""
    return min(max(round(log2(steps / SHORTEST)), 1), 5)
