"""Distances of transport and of energy: sliced Wasserstein and energy distance, with intervals.

Sliced W₂² is the mean over directions θ of the squared distance of quantile functions of θ·x and
θ·y. On a line W₂² is a squared distance, ∫(F⁻¹ − G⁻¹)², so the noise of each sample's quantile
function adds its own mean square to the plug-in. Two halves of a sample are four times as far
apart as that, in mean square, and so the noise is taken off:

    W* = W(x, y) − ¼ (W(x₁, x₂) + W(y₁, y₂))

The standard error is that of the linear term, the Kantorovich potentials averaged over directions
(Manole 2022). The directions are part of the definition: orthogonal frames of a fixed
seed, so that a shift of the mean is seen exactly if there are at least d of them.

The energy distance 2 E|x − y| − E|x − x′| − E|y − y′| is the MMD² of the kernel −|x − y|
(Sejdinovic 2013), and is computed as such.

Notation: n reals x, m fakes y, of width d; φ, ψ the potentials.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_pair
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.kernels import MIN_SAMPLES, Floats, from_all_pairs, squared_distances
from sparring.metrics.moments import half_of_each
from sparring.metrics.normal import squared_distance_estimate

DIRECTIONS = 256
BLOCK = 64  # directions whose projections are sorted together


def energy(real: ArrayLike | Tensor, fake: ArrayLike | Tensor, *, level: float = LEVEL) -> Estimate:
    """Estimate the energy distance from all pairs; scipy's is the square root of it.

    Args:
        real: features of shape (n, d).
        fake: features of shape (m, d).
        level: of the interval.

    Raises:
        SparringError: other shapes, NaN, fewer than four samples on a side.
    """
    x, y = as_pair(real, fake, MIN_SAMPLES)
    return from_all_pairs(x, y, negative_distance, "energy distance, all pairs", level)


def negative_distance(x: Floats, y: Floats) -> Floats:
    """Return −|x − y|, the kernel of the energy distance (Székely 2013)."""
    values = squared_distances(x, y)
    return np.negative(np.sqrt(values, out=values), out=values)


def sliced_wasserstein(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    *,
    directions: int = DIRECTIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate the mean of W₂² over fixed directions, its bias removed.

    Args:
        real: features of shape (n, d).
        fake: features of shape (m, d).
        directions: at least this many; rounded up to whole frames if more than d.
        level: of the interval, which is for the mean over these directions.
        seed: of the directions and of the split into halves.

    Raises:
        SparringError: other shapes, NaN, fewer than four samples on a side, no direction.
    """
    x, y = as_pair(real, fake, MIN_SAMPLES)
    if directions < 1:
        raise SparringError(f"directions is {directions}; expected at least 1")
    rng = np.random.default_rng(seed)
    along = frames(x.shape[1], directions, rng)
    whole = sliced(x, y, along)
    of_x, of_y = half_of_each(len(x), rng), half_of_each(len(y), rng)
    noise = sum(sliced(a[h == 0], a[h == 1], along).value for a, h in ((x, of_x), (y, of_y)))
    variance = whole.real.var(ddof=1) / len(x) + whole.fake.var(ddof=1) / len(y)
    return squared_distance_estimate(
        whole.value - noise / 4,
        float(variance),
        min(len(x), len(y)),
        f"sliced W₂², {len(along)} directions, bias removed",
        level,
    )


class Sliced(NamedTuple):
    """The plug-in, and the potential of each sample averaged over directions."""

    value: float
    real: Features  # φ(x), (n,)
    fake: Features  # ψ(y), (m,)


def sliced(x: Features, y: Features, along: Features) -> Sliced:
    """Return the mean over directions, shape (k, d), of W₂² between two samples, and potentials."""
    value, real, fake = 0.0, np.zeros(len(x)), np.zeros(len(y))
    levels = _common_levels(len(x), len(y))
    for start in range(0, len(along), BLOCK):
        theta = along[start : start + BLOCK].T
        (a, order_a), (b, order_b) = _sorted(x @ theta), _sorted(y @ theta)
        value += float(levels.weights @ np.square(a[levels.real] - b[levels.fake]).sum(1))
        np.add.at(real, order_a, _potentials(a, b))
        np.add.at(fake, order_b, _potentials(b, a))
    return Sliced(value / len(along), real / len(along), fake / len(along))


def frames(width: int, directions: int, rng: np.random.Generator) -> Features:
    """Return at least this many unit vectors, (k, width), orthogonal within each frame."""
    if directions <= width:
        return _orthogonal(width, directions, rng)
    whole = -(-directions // width)
    return np.concatenate([_orthogonal(width, width, rng) for _ in range(whole)])


def _orthogonal(width: int, count: int, rng: np.random.Generator) -> Features:
    return np.ascontiguousarray(np.linalg.qr(rng.normal(size=(width, count)))[0].T)


class _Levels(NamedTuple):
    """Where quantile functions of n and of m samples are both constant, and for how long."""

    real: NDArray[np.int64]
    fake: NDArray[np.int64]
    weights: Features


def _common_levels(n: int, m: int) -> _Levels:
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # in units of 1/(nm)
    starts = np.concatenate([[0], ends[:-1]])
    return _Levels(starts // m, starts // n, (ends - starts) / (n * m))


def _sorted(projected: Features) -> tuple[Features, NDArray[np.int64]]:
    order = projected.argsort(0)
    return np.take_along_axis(projected, order, 0), order


def _potentials(a: Features, b: Features) -> Features:
    """Return φ at sorted points, from φ′(t) = 2(t − T(t)): between two of them T is constant.

    T is b's quantile at the level between the two; at a step of b, the middle of that step.
    """
    n, m = len(a), len(b)
    level = np.arange(1, n) * m  # in units of 1/(nm)
    mapped = (b[-(-level // n) - 1] + b[level // n]) / 2
    rise = np.diff(np.square(a), axis=0) - 2 * mapped * np.diff(a, axis=0)
    return np.concatenate([np.zeros((1, a.shape[1])), rise.cumsum(0)])
