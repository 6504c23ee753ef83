"""Tests by who was trained on: without memory, training and held-out items change places freely.

For a generator that knows nothing of its training set but what is true of its population, every
way of calling as many of the real items training items is equally likely, given the samples. What
is counted over the real items can therefore be held against what it is under other labelings, and
the p-value is exact at every size, whatever repeats there are (Phipson & Smyth 2010). Not here:
what is counted (`copying`).

Notation: N real items, U units that change places whole (an item, or a group of them); B labelings.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_features

Indices = NDArray[np.int64]
Sides = NDArray[np.bool]  # which are on the training side

MIN_SAMPLES = 20  # of a side
ROUNDING = 1e-12  # sums of equal terms differ by less


def as_sides(*arrays: ArrayLike | Tensor, permutations: int = 1) -> list[Features]:
    """Return features of fakes, training samples and, if given, held-out ones.

    Raises:
        SparringError: they are not features of the same width; fewer than 20 on a side; no
            permutation.
    """
    if permutations < 1:
        raise SparringError(f"permutations is {permutations}; expected at least 1")
    names = ("fake", "train", "held_out")[: len(arrays)]
    sides = [as_features(n, a, MIN_SAMPLES) for n, a in zip(names, arrays, strict=True)]
    widths = [side.shape[1] for side in sides]
    if len(set(widths)) > 1:
        by_name = ", ".join(f"{width} of {name}" for name, width in zip(names, widths, strict=True))
        raise SparringError(f"features differ in width: {by_name}; expected the same")
    return sides


@dataclass(frozen=True, eq=False)
class Pool:
    """Real items and which of them were trained on."""

    unit: Indices  # (N,), that of each item
    trained: Sides  # (U,), which units are on the training side

    @property
    def is_train(self) -> Sides:
        """Which items are on the training side, (N,)."""
        return self.trained[self.unit]

    @property
    def share(self) -> float:
        """The chance that an item is on the training side."""
        return float(self.trained.mean())

    def labelings(self, count: int, seed: int) -> Iterator[Sides]:
        """Yield so many other ways to say which items are on the training side, (N,)."""
        rng = np.random.default_rng(seed)
        for _ in range(count):
            yield rng.permutation(self.trained)[self.unit]

    def sums(self, weights: Features, count: int, seed: int) -> Features:
        """Return the sums of the training side's weights, (1 + B, …): the truth, then others.

        Args:
            weights: of each item, (N,) or (N, c).
            count: B.
            seed: of the labelings.
        """
        totals = np.zeros((len(self.trained), *weights.shape[1:]))
        np.add.at(totals, self.unit, weights)
        rng, units, trained = np.random.default_rng(seed), len(totals), int(self.trained.sum())
        few = min(trained, units - trained)
        drawn = np.empty((1 + count, *weights.shape[1:]))
        for labeling in range(1, 1 + count):
            chosen = rng.choice(units, few, replace=False, shuffle=False)
            drawn[labeling] = totals[chosen].sum(0)
        if few < trained:
            drawn[1:] = totals.sum(0) - drawn[1:]
        drawn[0] = totals[self.trained].sum(0)
        return drawn

    def deviation(self, weights: Features) -> float:
        """Return the standard deviation of `sums` of one weight of each item, (N,)."""
        totals = np.bincount(self.unit, weights, len(self.trained))
        units, share = len(totals), self.share
        return float(np.sqrt(share * (1 - share) * units * totals.var(ddof=1)))


def pool_of(train: int, held_out: int, groups: tuple[ArrayLike, ArrayLike] | None = None) -> Pool:
    """Return a pool of so many items of either side, the training ones first.

    Args:
        train, held_out: how many there are.
        groups: of either side, whose items change places together; None: each by itself.

    Raises:
        SparringError: other than one group of each item, or a group on both sides.
    """
    is_train = np.arange(train + held_out) < train
    if groups is None:
        return Pool(np.arange(len(is_train)), is_train)
    shapes = [np.shape(side) for side in groups]
    if shapes != [(train,), (held_out,)]:
        raise SparringError(
            f"groups are of shape {shapes[0]} and {shapes[1]}; expected one of each of {train} "
            f"training and {held_out} held-out items"
        )
    names = np.concatenate([np.asarray(side) for side in groups])
    _, unit = np.unique(names, return_inverse=True)
    trained = np.bincount(unit, is_train) / np.bincount(unit)
    if torn := int(((trained > 0) & (trained < 1)).sum()):
        raise SparringError(
            f"{torn} groups have training and held-out items; expected each on one side"
        )
    return Pool(unit.astype(np.int64), trained == 1)


def p_value(sums: Features) -> float:
    """Return the share of values, (1 + B,), as large as the first, itself included."""
    return float(_tails(sums[:, None])[0, 0])


def least_p_value(sums: Features) -> float:
    """Return one p-value for several counts, (1 + B, c), whichever of them says most.

    The least of their p-values is held against what it is under the other labelings, so that it
    stays exact (Westfall & Young 1993).
    """
    least = _tails(sums).min(1)
    return float((least <= least[0] + ROUNDING).mean())


def _tails(sums: Features) -> Features:
    """Return of each value the share of its column that is as large, (1 + B, c)."""
    tails = np.empty_like(sums)
    for column, tail in zip(sums.T, tails.T, strict=True):
        slack = ROUNDING * max(1.0, float(np.abs(column).max()))
        below = np.searchsorted(np.sort(column), column - slack)
        tail[:] = (len(column) - below) / len(column)
    return tails
