"""Mean and covariance of features in constant memory: from an array, or batch by batch.

Everything is float64. Each block of samples is centred on its own mean before it is squared, so
that features far from zero keep their digits, and blocks are merged as in Chan 1983.

Notation: n samples of width d, M = Σ (x − x̄)(x − x̄)ᵀ the scatter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_features

BLOCK = 2_048  # samples that are centred and squared together

Batches = Iterable[ArrayLike | Tensor]  # each (any number, d)


@dataclass(frozen=True, eq=False)
class Moments:
    """What a Gaussian fitted to n samples needs, of samples that are no longer there."""

    n: int
    mean: Features  # (d,)
    scatter: Features  # (d, d)

    @property
    def width(self) -> int:
        """The number of features, d."""
        return len(self.mean)

    @property
    def covariance(self) -> Features:
        """M / (n − 1), as `numpy.cov`.

        Raises:
            SparringError: fewer than two samples.
        """
        if self.n < 2:
            raise SparringError(f"a covariance needs at least 2 samples; these are {self.n}")
        return self.scatter / (self.n - 1)


def moments(features: ArrayLike | Tensor) -> Moments:
    """Return the moments of an array of shape (n, d).

    Raises:
        SparringError: as `as_features` does.
    """
    return moments_of_batches("features", [features])


def moments_of_batches(name: str, batches: Batches) -> Moments:
    """Return the moments of all samples of the batches, holding one block at a time.

    Raises:
        SparringError: a batch has another shape or width, holds NaN, or there is no batch.
    """
    total: Moments | None = None
    for block in blocks(name, batches):
        total = merge(total, moments_of_block(block))
    if total is None:
        raise SparringError(f"{name} has no samples")
    return total


def moments_of_block(block: Features) -> Moments:
    """Return the moments of samples that have been checked; there may be only one."""
    mean = block.mean(0)
    centred = block - mean
    return Moments(len(block), mean, centred.T @ centred)


def merge(a: Moments | None, b: Moments) -> Moments:
    """Return the moments of both samples together (Chan 1983); None has no samples.

    Raises:
        SparringError: the widths differ.
    """
    if a is None:
        return b
    if a.width != b.width:
        raise SparringError(f"features of width {a.width} and {b.width}; expected the same width")
    n, step = a.n + b.n, b.mean - a.mean
    scatter = np.outer(step, step * (a.n * b.n / n))
    scatter += a.scatter
    scatter += b.scatter
    return Moments(n, a.mean + step * (b.n / n), scatter)


def blocks(name: str, batches: Batches) -> Iterator[Features]:
    """Yield the samples of all batches in order, checked, `BLOCK` at a time; the last is shorter.

    Raises:
        SparringError: a batch has another shape or width, or holds NaN.
    """
    pending: list[Features] = []
    for batch in batches:
        pending.append(as_features(name, batch, minimum=0))
        if pending[0].shape[1] != pending[-1].shape[1]:
            raise SparringError(
                f"{name} has batches of width {pending[0].shape[1]} and {pending[-1].shape[1]}"
            )
        if sum(map(len, pending)) >= BLOCK:
            whole = batch_of(pending)
            full = len(whole) - len(whole) % BLOCK
            yield from np.split(whole[:full], full // BLOCK)
            pending = [whole[full:]]
    if pending and sum(map(len, pending)):
        yield batch_of(pending)


def batch_of(parts: list[Features]) -> Features:
    """Return the parts as one array, without a copy where there is only one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def half_of_each(count: int, coins: np.random.Generator) -> NDArray[np.int64]:
    """Return 0 or 1 for each sample: a coin for each two neighbours sends them to two halves.

    So the halves have the same size, and share out classes evenly whether these come sorted or
    in turn.
    """
    coin = coins.integers(2, size=(count + 1) // 2).repeat(2)[:count]
    return (np.arange(count) + coin) % 2
