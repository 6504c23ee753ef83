"""Exact nearest neighbours, and precision, recall, density and coverage made of them.

Here: the k nearest of each sample, in blocks of rows; the four numbers of Kynkäänniemi 2019 and
Naeem 2020 with intervals; what they are for a perfect generator. Not here: what nearness to the
training data means (`memorization`); scores that fall linearly (`clipped`).

Notation: x real (n, d), y fake (m, d); the ball of a sample reaches to its k-th nearest other
sample of its own side. Distances are Euclidean and kept squared; a visitor is inside a ball when
fewer than k of the owner's side come before it. Samples that are equally near come in an order
drawn for each owner, so that a perfect generator's fakes come before reals as often as the other
way round, however many rows repeat: to call them all outside, as the prdc package does, would give
it a coverage of 0 on a table of few categories. Without ties the values are those of that package.

Rough distances come in float32 blocks from ‖a‖² + ‖b‖² − 2ab, with a bound on their rounding.
Whatever that bound leaves open is decided in float64 from the differences: copies have distance
0, and ties are ties.

The intervals come from half-samples without replacement (delete-half jackknife, Shao & Wu 1989);
drawing with replacement would lay copies side by side and shrink the balls. One 64-bit word says
in which of 63 half-samples a sample is (one bit is the whole sample), so that a single pass over
the distances serves all: a visitor is inside the ball in the half-samples `owner & visitor & open`,
where `open` says in which of them fewer than k neighbours of the owner come before the visitor.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, log2, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t
from torch import Tensor

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_features, as_pair
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.normal import quantile
from sparring.metrics.proportions import exact_share

Indices = NDArray[np.int64]
Singles = NDArray[np.float32]
Words = NDArray[np.uint64]  # 64 bits: the whole sample and 63 halves
TieOrder = Callable[[Indices, Indices], NDArray[Any]]  # of an owner and equally near samples

BLOCK = 400_000  # numbers in a block of distances or of differences: it should stay in the cache
SPARE = 8  # candidates beyond the k nearest: rounding then seldom calls for a second look
WORD = 64
RESAMPLING = f"{WORD - 1} half-samples without replacement"


class Neighbours(NamedTuple):
    """The k nearest of each sample, nearest first; equals in the order of their indices."""

    indices: Indices  # (n, k)
    distances: Features  # (n, k)


def nearest(queries: ArrayLike | Tensor, reference: ArrayLike | Tensor, k: int = 1) -> Neighbours:
    """Return the k nearest of `reference` to each of `queries`, exact to float64.

    Raises:
        SparringError: arrays that are not features of the same width; k < 1 or k > len(reference).
    """
    a, b = as_features("queries", queries, 1), as_features("reference", reference, 1)
    if a.shape[1] != b.shape[1]:
        raise SparringError(
            f"queries has {a.shape[1]} features and reference has {b.shape[1]}; "
            "expected the same width"
        )
    check_k(k, len(b), f"reference has {len(b)} samples")
    return _neighbours(a, b, k)


def nearest_others(x: ArrayLike | Tensor, k: int = 1) -> Neighbours:
    """Return the k nearest to each sample among the other samples, exact to float64.

    Raises:
        SparringError: an array that is not features; k < 1 or k ≥ len(x).
    """
    a = as_features("x", x)
    check_k(k, len(a) - 1, f"x has {len(a)} samples, itself included")
    return _neighbours(a, a, k, others=True)


def prdc(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    k: int = 5,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Estimate precision, recall, density and coverage (Naeem 2020, eq. 1 to 4).

    precision: share of fakes inside any real ball. recall: share of reals inside any fake ball.
    density: real balls that a fake is inside of, on average, over k. coverage: share of real balls
    with a fake inside. Which of equally near samples is nearer is decided at random, by a fixed
    hash. The estimand is their expectation at these n, m and k. That is not 1 for a perfect
    generator: print `prdc_baseline` beside them.

    Args:
        real, fake: features, (n, d) and (m, d).
        k: which neighbour makes the radius.
        level: of the intervals.
        seed: of the half-samples.

    Raises:
        SparringError: arrays that are not features of the same width; k < 1; fewer than 2(k + 1)
            samples on a side; a level that is not between 0 and 1.
    """
    quantile(level)  # refuses other levels
    x, y = halvable_pair(real, fake, k)
    reals = balls_of(x, half_samples(seed, "real", len(x)), k)
    fakes = balls_of(y, half_samples(seed, "fake", len(y)), k, first=len(x))
    hits = _visits(distances_between(x, y), reals, fakes)
    settings = Settings(min(len(x), len(y)), f"k = {k}, {RESAMPLING}", level)
    precision = _share(hits.precise, fakes.members, settings)
    density = interval_of_halves(hits.around / _counts(fakes.members) / k, settings)
    if not density.value:  # as if whatever there may be inside were inside of k balls
        density = replace(density, high=precision.high)
    return {
        "precision": precision,
        "recall": _share(hits.recalled, reals.members, settings),
        "density": density,
        "coverage": _share(hits.covered, reals.members, settings),
    }


def halvable_pair(
    real: ArrayLike | Tensor, fake: ArrayLike | Tensor, k: int
) -> tuple[Features, Features]:
    """Return features in a common unit, of which half a side has k others; refuse fewer."""
    x, y = as_pair(real, fake)
    for name, side in (("real", x), ("fake", y)):
        check_k(k, len(side) // 2 - 1, f"half of the {len(side)} samples of {name} need {k} others")
    unit = unit_of(x, y)
    return x / unit, y / unit


def prdc_baseline(
    real: ArrayLike | Tensor,
    fakes: int,
    k: int = 5,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Estimate what `prdc` gives on average for a perfect generator, p = q, at these sizes.

    A perfect fake is one more real, so each real is tried as a visitor of all others: it is inside
    their balls exactly where it is one of their k nearest. Hence precision is the share of reals
    that are near neighbours of any other, and density is 1. Coverage has a closed form,
    1 − ∏ᵢ (n − i)/(n + m − i) with i = 1 … k. Both hold whatever is repeated in the data. Recall is
    precision at the fakes' number; with fewer reals than that, at the reals' number.

    Args:
        real: features, (n, d).
        fakes: m, how many fakes `prdc` is given.
        k, level, seed: as in `prdc`.

    Raises:
        SparringError: an array that is not features; k < 1; fewer than 2(k + 2) reals, or fakes; a
            level that is not between 0 and 1.
    """
    quantile(level)
    x = as_features("real", real)
    x = x / unit_of(x)
    for name, count in (("real", len(x)), ("fake", fakes)):
        check_k(k, count // 2 - 2, f"half of the {count} samples of {name} need {k + 1} others")
    subset = x[permutation(seed, "as many reals as fakes", len(x))[: fakes + 1]]
    precision, density = _left_out(x, k, level, seed)
    i = np.arange(1, k + 1)
    coverage = 1 - float(np.prod((len(x) - i) / (len(x) + fakes - i)))
    smaller = min(len(x), fakes)
    return {
        "precision": precision,
        "recall": _left_out(subset, k, level, seed)[0],
        "density": density,
        "coverage": Estimate(
            coverage, coverage, coverage, smaller, f"p = q, k = {k}; exact", level
        ),
    }


def check_k(k: int, maximum: int, because: str) -> None:
    """Refuse a k that is too small or too large, in one line that ends with the reason."""
    if not 1 <= k <= maximum:
        raise SparringError(f"k is {k}; expected 1 to {maximum}, as {because}")


def _left_out(x: Features, k: int, level: float, seed: int) -> tuple[Estimate, Estimate]:
    """Return precision and density of each sample against the balls of all others.

    Without it, its owner's neighbours that came before it are the same: their number is its rank.
    """
    balls = balls_of(x, half_samples(seed, "real", len(x)), k)
    owners = np.arange(len(x))
    hit, around = np.zeros(len(x), np.uint64), np.zeros(WORD)
    for rank, visitors in enumerate(balls.indices.T):
        inside = balls.inside(owners, balls.members[visitors], np.full(len(x), rank))
        np.bitwise_or.at(hit, visitors, inside)
        around += _counts(inside)
    density = around / _counts(balls.members) / k
    settings = Settings(
        len(x), f"p = q, each of {len(x)} reals left out, k = {k}, {RESAMPLING}", level
    )
    return _share(hit, balls.members, settings), interval_of_halves(density, settings)


@dataclass(frozen=True)
class Distances:
    """Squared distances between the rows of two arrays: rough ones in blocks, and exact ones."""

    a: Features
    b: Features
    left: Singles  # (len(a), d + 2), rows of a, ‖a‖², 1, after centring
    right: Singles  # (d + 2, len(b)), columns of −2b, 1, ‖b‖²
    slack: Features  # (len(a),), how far a row of a block may be off

    def blocks(self) -> Iterator[tuple[slice, Singles]]:
        """Yield a slice of a's rows and their rough distances to all of b."""
        rows = max(1, BLOCK // len(self.b))
        for start in range(0, len(self.a), rows):
            part = slice(start, min(start + rows, len(self.a)))
            yield part, self.left[part] @ self.right

    def exact(self, i: Indices, j: Indices) -> Features:
        """Return the distances of listed pairs, from their differences."""
        squared = np.empty(len(i))
        pairs = max(1, BLOCK // self.a.shape[1])
        for start in range(0, len(i), pairs):
            part = slice(start, start + pairs)
            difference = self.a[i[part]] - self.b[j[part]]
            squared[part] = np.einsum("pd,pd->p", difference, difference)
        return squared


def distances_between(a: Features, b: Features) -> Distances:
    """Prepare the blocks. Centring leaves less to cancel; the slack is the worst case.

    A sum of d + 2 float32 products is off by at most (d + 2)·ε/2 of the sum of their sizes, here
    (‖a‖ + ‖b‖)²; six more for rounding the factors, and thresholds, to float32.
    """
    middle = b.mean(0)
    x, y = a - middle, b - middle
    x_norms, y_norms = np.square(x).sum(1, keepdims=True), np.square(y).sum(1, keepdims=True)
    left = np.hstack([x, x_norms, np.ones_like(x_norms)]).astype(np.float32)
    right = np.hstack([-2 * y, np.ones_like(y_norms), y_norms]).astype(np.float32).T
    rounding = (left.shape[1] + 6) * float(np.finfo(np.float32).eps) / 2
    slack = rounding * (np.sqrt(x_norms[:, 0]) + sqrt(y_norms.max())) ** 2
    return Distances(a, b, left, right, slack)


def unit_of(*arrays: Features) -> float:
    """Return the power of two, so that dividing loses nothing, over which norms are at most 1.

    Then float32 neither overflows nor vanishes.
    """
    largest = max(float(np.abs(array).max()) for array in arrays)
    return 2.0 ** ceil(log2(largest * sqrt(arrays[0].shape[1]))) if largest else 1.0


def _neighbours(a: Features, b: Features, k: int, others: bool = False) -> Neighbours:
    unit = unit_of(a, b)
    indices, squared = _nearest(distances_between(a / unit, b / unit), k, others)
    return Neighbours(indices, unit * np.sqrt(squared))


def _by_index(owners: Indices, samples: Indices) -> Indices:
    return samples


def _nearest(
    distances: Distances, k: int, others: bool = False, ties: TieOrder = _by_index
) -> tuple[Indices, Features]:
    """Return indices and squared distances of the k nearest; `others` leaves out equal indices."""
    parts = [
        _nearest_in_block(distances, part, block, k, others, ties)
        for part, block in distances.blocks()
    ]
    return np.concatenate([i for i, _ in parts]), np.concatenate([d for _, d in parts])


def _nearest_in_block(
    distances: Distances, part: slice, block: Singles, k: int, others: bool, ties: TieOrder
) -> tuple[Indices, Features]:
    rows = np.arange(part.start, part.stop)
    if others:
        block[rows - part.start, rows] = np.inf
    within = len(distances.b) - others
    listed = min(k + SPARE, within)
    close = np.argpartition(block, listed - 1)[:, :listed]
    exact = distances.exact(rows.repeat(listed), close.ravel()).reshape(close.shape)
    order = np.lexsort((ties(rows[:, None], close), exact))[:, :k]
    indices, squared = np.take_along_axis(close, order, 1), np.take_along_axis(exact, order, 1)
    if listed < within:
        limit = squared[:, -1] + distances.slack[part]  # no rough distance of the k is beyond
        unlisted = np.take_along_axis(block, close, 1).max(1)  # and none left out is below
        for row in np.flatnonzero(limit >= unlisted):
            close_too = np.flatnonzero(block[row] <= limit[row])
            exact_too = distances.exact(np.full(len(close_too), rows[row]), close_too)
            first = np.lexsort((ties(rows[row : row + 1], close_too), exact_too))[:k]
            indices[row], squared[row] = close_too[first], exact_too[first]
    return indices, squared


@dataclass(frozen=True)
class Pairs:
    """Listed pairs (a_i, b_j) and their rough squared distances."""

    i: Indices
    j: Indices
    rough: Features
    slack: Features
    distances: Distances

    def exact(self, which: Indices) -> Features:
        """Return the exact distances of some of the pairs."""
        return self.distances.exact(self.i[which], self.j[which])


def pairs_below(distances: Distances, part: slice, block: Singles, limit: Features) -> Pairs:
    """List the pairs of a block that may be nearer than the limit, given by row or by column."""
    slack = distances.slack[part, None]
    near = np.flatnonzero(block <= (limit + slack).astype(np.float32))
    row, j = np.divmod(near, block.shape[1])
    rough = block.ravel()[near].astype(np.float64)
    return Pairs(row + part.start, j, rough, slack[row, 0], distances)


@dataclass(frozen=True)
class Balls:
    """The balls around one side's samples, in the whole and in every half at once."""

    k: int
    members: Words  # (n,), in which samples each owner is
    first: int  # the number of the first owner among reals and fakes together
    indices: Indices  # (n, K), the neighbours of each owner, nearest first
    squared: Features  # (n, K)
    turns: Words  # (n, K), the order of equally near ones
    open: Words  # (n, K + 1), where fewer than k of the first t neighbours are present

    @property
    def reach(self) -> Features:
        """Squared radii that no ball exceeds in any half, (n,)."""
        return self.squared[:, -1]

    def ranks(self, owners: Indices, squared: Features, visitors: Indices) -> Indices:
        """Return how many neighbours of its owner come before each visitor, given by number."""
        listed = self.squared[owners]
        before, tied = listed < squared[:, None], listed == squared[:, None]
        rows = np.flatnonzero(tied.any(1))
        turns = _turns(self.first + owners[rows], visitors[rows])[:, None]
        before[rows] |= tied[rows] & (self.turns[owners[rows]] < turns)
        ranks: Indices = before.sum(1)
        return ranks

    def rough_ranks(self, owners: Indices, pairs: Pairs, visitors: Indices) -> Indices:
        """Return the same for pairs; 0 stands for all ranks below k, which are inside alike."""
        ranks = np.zeros(len(owners), np.int64)
        edge = np.flatnonzero(pairs.rough + pairs.slack >= self.squared[owners, self.k - 1])
        listed, rough, slack = self.squared[owners[edge]], pairs.rough[edge], pairs.slack[edge]
        ranks[edge] = (listed < (rough - slack)[:, None]).sum(1)
        unsure = edge[ranks[edge] != (listed <= (rough + slack)[:, None]).sum(1)]
        ranks[unsure] = self.ranks(owners[unsure], pairs.exact(unsure), visitors[unsure])
        return ranks

    def inside(self, owners: Indices, visitors: Words, ranks: Indices) -> Words:
        """Return in which samples each visitor is inside the ball of its owner."""
        return self.members[owners] & visitors & self.open[owners, ranks]


def _turns(owners: Indices, samples: Indices) -> Words:
    """Return by which numbers equally near samples are put in order, as random for each owner.

    Both are numbered among reals and fakes together. The finaliser of splitmix64 (Steele 2014).
    """
    mixed = owners.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + samples.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def balls_of(x: Features, members: Words, k: int, first: int = 0) -> Balls:
    """List so many neighbours that k of them are in each half, but for a chance below 1e-5."""
    listed = min(len(x) - 1, ceil(2 * k + 6 * sqrt(2 * k)) + 4)

    def ties(owners: Indices, samples: Indices) -> Words:
        return _turns(first + owners, first + samples)

    indices, squared = _nearest(distances_between(x, x), listed, others=True, ties=ties)
    present = np.zeros((len(x), WORD), np.int64)
    still_open = np.zeros((len(x), listed + 1), np.uint64)  # beyond the last neighbour, nowhere
    for rank, neighbour in enumerate(indices.T):
        still_open[:, rank] = packed(present < k)
        present += bits_of(members[neighbour])
    turns = ties(np.arange(len(x))[:, None], indices)
    return Balls(k, members, first, indices, squared, turns, still_open)


class _Hits(NamedTuple):
    precise: Words  # (m,), in which samples each fake is inside any real ball
    recalled: Words  # (n,), each real inside any fake ball
    covered: Words  # (n,), each real ball around any fake
    around: Features  # (64,), pairs of a real ball and a fake inside it


def _visits(distances: Distances, reals: Balls, fakes: Balls) -> _Hits:
    n, m = len(distances.a), len(distances.b)
    precise, recalled, covered = (np.zeros(size, np.uint64) for size in (m, n, n))
    around = np.zeros(WORD)
    for part, block in distances.blocks():
        pairs = pairs_below(distances, part, block, reals.reach[part, None])
        ranks = reals.rough_ranks(pairs.i, pairs, fakes.first + pairs.j)
        inside = reals.inside(pairs.i, fakes.members[pairs.j], ranks)
        np.bitwise_or.at(precise, pairs.j, inside)
        np.bitwise_or.at(covered, pairs.i, inside)
        around += _counts(inside)
        pairs = pairs_below(distances, part, block, fakes.reach)
        ranks = fakes.rough_ranks(pairs.j, pairs, reals.first + pairs.i)
        inside = fakes.inside(pairs.j, reals.members[pairs.i], ranks)
        np.bitwise_or.at(recalled, pairs.i, inside)
    return _Hits(precise, recalled, covered, around)


def half_samples(seed: int, purpose: str, n: int) -> Words:
    """Draw 63 halves of n samples; the first bit is the whole."""
    bits = np.ones((n, WORD), np.bool)
    for half in range(1, WORD):
        bits[permutation(seed, f"{purpose}, half {half}", n)[n // 2 :], half] = False
    return packed(bits)


def packed(bits: NDArray[np.bool]) -> Words:
    """Return rows of 64 bits as words, (n,)."""
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def bits_of(words: Words) -> NDArray[np.uint8]:
    """Return each word's bits as columns, (n, 64)."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8), axis=1)


def _counts(words: Words) -> Features:
    """Return how many words have each bit set, (64,)."""
    counts: Features = bits_of(words).sum(0, dtype=np.float64)
    return counts


class Settings(NamedTuple):
    """What the estimates of one call have in common."""

    n: int
    method: str
    level: float


def _share(hits: Words, members: Words, settings: Settings) -> Estimate:
    """Estimate a share of samples, at least as uncertain as the share of a fixed set.

    At 0 and 1, where halves agree, that alone makes the interval (Clopper & Pearson 1934).
    """
    shares = _counts(hits) / _counts(members)
    estimate = interval_of_halves(shares, settings)
    hit = round(shares[0] * len(members))
    fixed = exact_share(hit, len(members), settings.method, settings.level)
    low, high = min(estimate.low, fixed.low), max(estimate.high, fixed.high)
    return replace(estimate, low=low, high=min(high, 1.0))


def interval_of_halves(values: Features, settings: Settings, least: float = 0.0) -> Estimate:
    """Estimate from the whole's value and the halves', whose spread is the whole's."""
    value, *halves = values.tolist()
    times = float(t.ppf((1 + settings.level) / 2, len(halves) - 1))
    reach = times * float(np.std(halves, ddof=1))
    return Estimate(value, max(least, value - reach), value + reach, *settings)
