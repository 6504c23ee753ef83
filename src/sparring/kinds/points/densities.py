"""Data whose density is known exactly: to see how far a generator is from the truth.

Each is a mixture of equally likely isotropic Gaussians of one width; the curves are mixtures of
so many, so close to each other, that they look smooth. So the sampler and the log-density are
exact, and a sample is of high quality when it lies within 4σ of a centre.
"""

from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import logsumexp

from sparring.errors import SparringError
from sparring.kinds.points.spec import DENSITIES

Points = NDArray[np.float64]  # (n, d)

QUALITY_SIGMAS = 4.0
CHUNK = 4096  # points whose distances to all centres are held at once


@dataclass(frozen=True, eq=False)
class Density:
    """An equal mixture of Gaussians N(centre, σ²I)."""

    name: str
    centres: Points  # (k, d)
    sigma: float
    modes: bool  # are the centres far apart, so that each is a mode of its own?

    @property
    def dimensions(self) -> int:
        """Coordinates of a point."""
        return int(self.centres.shape[1])

    def sample(self, n: int, seed: int) -> Points:
        """Draw n points, (n, d)."""
        random = np.random.Generator(np.random.Philox(seed))
        centre = random.integers(len(self.centres), size=n)
        return self.centres[centre] + self.sigma * random.standard_normal((n, self.dimensions))

    def log_density(self, x: Points) -> NDArray[np.float64]:
        """Return ln p at points (n, d), as (n,)."""
        chunks = [self._log_density(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)]
        return np.concatenate(chunks) if chunks else np.empty(0)

    def _log_density(self, x: Points) -> NDArray[np.float64]:
        squares = ((x[:, None, :] - self.centres) ** 2).sum(2) / self.sigma**2
        normaliser = self.dimensions * (log(2 * pi) / 2 + log(self.sigma)) + log(len(self.centres))
        log_densities: NDArray[np.float64] = logsumexp(-squares / 2, axis=1) - normaliser
        return log_densities

    def nearest(self, x: Points) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return each point's nearest centre, and whether it lies within 4σ of it."""
        distance, centre = KDTree(self.centres).query(x)
        return np.asarray(centre, np.int64), distance <= QUALITY_SIGMAS * self.sigma

    def __str__(self) -> str:
        noun = "Gaussians" if self.modes else "Gaussians along a curve"
        if len(self.centres) == 1:
            return f"N({self.centres[0, 0]:g}, {self.sigma:g}²)"
        return f"{len(self.centres)} {noun}, σ {self.sigma:g}"


def density(name: str) -> Density:
    """Return the known density called `name`, one of `DENSITIES`."""
    match name:
        case "ring":  # Metz 2017, section 3.2: radius 2, σ 0.02
            angles = 2 * pi * np.arange(8) / 8
            return Density(name, 2 * _on_circle(angles), 0.02, modes=True)
        case "grid":  # Srivastava 2017 (VEEGAN), section 4.1: 2 apart, σ 0.05
            line = np.arange(-4.0, 5.0, 2.0)
            return Density(name, np.stack(np.meshgrid(line, line), 2).reshape(-1, 2), 0.05, True)
        case "spiral":
            arm = _rolled(np.linspace(0.5 * pi, 3.5 * pi, 200)) / (3.5 * pi) * 2
            return Density(name, np.concatenate([arm, -arm]), 0.05, modes=False)
        case "swissroll":
            return Density(name, _rolled(np.linspace(1.5, 4.5, 300) * pi) / 5, 0.05, modes=False)
        case "gaussian1d":
            return Density(name, np.array([[4.0]]), 1.25, modes=True)
    raise SparringError(
        f"no known density is called '{name}'; expected one of {', '.join(DENSITIES)}"
    )


def _on_circle(angles: NDArray[np.float64]) -> Points:
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def _rolled(angles: NDArray[np.float64]) -> Points:
    return angles[:, None] * _on_circle(angles)
