"""What one point is."""

from dataclasses import dataclass

DENSITIES = ("ring", "grid", "spiral", "swissroll", "gaussian1d")  # that are known exactly


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
