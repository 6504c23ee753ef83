"""The Fréchet distance between Gaussians fitted to features: without its bias, with an interval.

What others print is the plug-in F of the fitted moments, biased upwards by O(1/n) with a constant
that grows like d². `frechet` removes the first-order bias b, known in closed form, and
extrapolates the rest, of second order, from two disjoint halves:

    F* = (4 (F − b) − mean over the halves of (F − b)) / 3

Its standard error is that of the linear term of F (its influence function), which extrapolation
leaves as it is. Near p = q that term vanishes: ask `permutation.two_sample_test` whether there is
a difference at all, and F* how large it is. Samples must be independent of each other.

Notation: μ₁, S₁ (n samples, real) and μ₂, S₂ (m samples, fake) the fitted moments, Δ = μ₁ − μ₂;
S₂ S₁ V = V diag(g²) with Vᵀ S₁ V = I, so that tr (S₁S₂)^½ = Σ g and T = V diag(g) Vᵀ is the
optimal map from real to fake (T S₁ T = S₂); z = Vᵀ(x − μ₁) and z = diag(1/g) (S₁V)ᵀ(y − μ₂) are
white; wᵢⱼ = gᵢ gⱼ / (gᵢ + gⱼ).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, eigh, lapack, qr, svdvals
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_pair
from sparring.metrics.estimate import LEVEL, Estimate, PairedDifference
from sparring.metrics.moments import (
    BLOCK,
    Batches,
    Moments,
    blocks,
    half_of_each,
    merge,
    moments,
    moments_of_block,
)
from sparring.metrics.normal import normal_estimate, squared_distance_estimate, two_sided_p

MIN_SAMPLES_PER_FEATURE = 2
SINGULAR = 1e-10  # share of a feature's variance that the features before it leave unexplained
NEGLIGIBLE = 1e-12  # of the largest eigenvalue


def frechet(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    *,
    corrected: bool = True,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate |Δ|² + tr(S₁ + S₂ − 2(S₁S₂)^½) of the distributions behind two samples.

    Args:
        real: features of shape (n, d).
        fake: features of shape (m, d).
        corrected: if not, the value is the plug-in that other libraries print, and the interval
            is for the mean of plug-ins at these sizes, not for the distance.
        level: of the interval.
        seed: of the split into halves.

    Raises:
        SparringError: other shapes, NaN, fewer than 2d samples on a side.
    """
    x, y = as_pair(real, fake)
    return frechet_streamed([x], [y], corrected=corrected, level=level, seed=seed)


def frechet_streamed(
    real: Batches,
    fake: Batches,
    *,
    corrected: bool = True,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate what `frechet` does, the same number, in memory O(d²) however many samples.

    Args:
        real: batches of shape (any number, d) that can be read twice: a list, or an object
            whose `__iter__` starts again and gives the same.
        fake: batches, as `real`.
        corrected: as for `frechet`; so are `level` and `seed`.

    Raises:
        SparringError: as for `frechet`; a source that cannot be read twice.
    """
    x, y = _sample("real", real, seed), _sample("fake", fake, seed)
    pairing = _pairing(x, y, corrected)
    of_real, of_fake = _read_again(x, 0, [pairing]), _read_again(y, 1, [pairing])
    value = _extrapolated(pairing, x, y, of_real, of_fake) if corrected else pairing[0].distance
    variance = _variance(of_real[0]) + _variance(of_fake[0])
    method = (
        "Fréchet distance, bias removed"
        if corrected
        else "plug-in Fréchet distance; the interval is for its mean at these sizes"
    )
    return squared_distance_estimate(value, variance, min(x.whole.n, y.whole.n), method, level)


def frechet_difference(
    real: ArrayLike | Tensor,
    fake_a: ArrayLike | Tensor,
    fake_b: ArrayLike | Tensor,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate the distance of `fake_a` minus that of `fake_b` from the same reals.

    The error of the reals is shared and largely cancels. The p-value is that of equal distances.

    Raises:
        SparringError: as for `frechet`.
    """
    return paired_frechet(real, fake_a, fake_b, level=level, seed=seed).estimate


def paired_frechet(
    real: ArrayLike | Tensor,
    fake_a: ArrayLike | Tensor,
    fake_b: ArrayLike | Tensor,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> PairedDifference:
    """Return `frechet_difference`, and what each side adds to its variance; raises the same.

    Features are read block by block, and may be mapped from a file.
    """
    sides = {"real": real, "fake_a": fake_a, "fake_b": fake_b}
    reals, *fakes = (_sample(name, _cut(side), seed) for name, side in sides.items())
    pairings = [_pairing(reals, fake, corrected=True) for fake in fakes]
    of_real = _read_again(reals, 0, pairings)
    values, of_fakes = [], 0.0
    for which, (fake, pairing) in enumerate(zip(fakes, pairings, strict=True)):
        of_fake = _read_again(fake, 1, [pairing])
        values.append(_extrapolated(pairing, reals, fake, of_real, of_fake, which))
        of_fakes += _variance(of_fake[0]) * _fitted(fake)
    of_reals = _variance(of_real[0], (1, -1)) * _fitted(reals)
    value, variance = values[0] - values[1], of_reals + of_fakes
    n = min(side.whole.n for side in (reals, *fakes))
    estimate = normal_estimate(value, variance, n, "difference of Fréchet distances, paired", level)
    estimate = replace(estimate, p_value=two_sided_p(value, variance))
    return PairedDifference(estimate, of_reals, of_fakes)


def _cut(features: ArrayLike | Tensor) -> Batches:
    """Return an array in blocks, so that no copy of all of it is made; anything else whole."""
    if not isinstance(features, np.ndarray | Tensor) or features.ndim != 2 or not len(features):
        return [features]
    return [features[start : start + BLOCK] for start in range(0, len(features), BLOCK)]


def frechet_distance(real: Moments, fake: Moments) -> float:
    """Return the Fréchet distance of two Gaussians (Dowson & Landau 1982): the plug-in.

    Raises:
        SparringError: the widths differ.
    """
    _refuse_widths(real, fake)
    s1, s2 = real.covariance, fake.covariance
    try:
        squares = eigh(s2, s1, type=2, eigvals_only=True, driver="gv", check_finite=False)
    except LinAlgError:
        squares = _spectrum(s1, s2)[0]
    return _distance(real, fake, np.sqrt(squares.clip(0)))


def frechet_plug_in(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> float:
    """Return the plug-in from two samples of any size; with n < d it is mostly bias.

    There the trace is the nuclear norm of A Bᵀ, A and B the centred samples over √(n − 1), which
    squares nothing and so keeps all digits where the covariances are singular.

    Raises:
        SparringError: other shapes, or NaN.
    """
    x, y = as_pair(real, fake)
    first, second = moments(x), moments(y)
    if min(first.n, second.n) > first.width:
        return frechet_distance(first, second)
    a, b = (_reduced((s - s.mean(0)) / np.sqrt(len(s) - 1)) for s in (x, y))
    return _distance(first, second, svdvals(a @ b.T, check_finite=False))


def expected_bias(width: int, n: int, m: int) -> float:
    """Return the plug-in's mean for p = q = N(0, I), to first order (see Bińkowski 2018)."""
    return (width + width * (width + 1) / 4) * (1 / n + 1 / m)


@dataclass(frozen=True, eq=False)
class Coupling:
    """The optimal map between two fitted Gaussians, in coordinates where both sides are white."""

    distance: float
    step: Features  # Δ, (d,)
    gains: Features  # g, (r,)
    centres: tuple[Features, Features]  # μ₁, μ₂
    whiteners: tuple[Features, Features]  # z = (sample − centre) @ whitener, each (d, r)
    curvature: Features  # C of shape (r, k) with C Cᵀ = w

    def influence(self, side: int, samples: Features) -> Features:
        """Return each sample's linear effect on the distance and its curvature, (samples, 2).

        The mean of the curvatures Σ wᵢⱼ zᵢ² zⱼ² is what the first-order bias is made of.
        """
        centred = samples - self.centres[side]
        squares = np.square(centred @ self.whiteners[side])
        linear = centred @ ((2 - 4 * side) * self.step)
        linear += np.einsum("ij,ij->i", centred, centred) - squares @ self.gains
        return np.stack([linear, np.square(squares @ self.curvature).sum(1)], 1)


def couple(real: Moments, fake: Moments) -> Coupling:
    """Return the optimal coupling of the Gaussians with these moments.

    Raises:
        SparringError: the widths differ.
    """
    _refuse_widths(real, fake)
    squares, v, s1_v = _spectrum(real.covariance, fake.covariance)
    gains = np.sqrt(squares.clip(0))
    nonzero = gains > NEGLIGIBLE * gains.max(initial=0)
    gains, v, s1_v = gains[nonzero], v[:, nonzero], s1_v[:, nonzero]
    return Coupling(
        _distance(real, fake, gains),
        real.mean - fake.mean,
        gains,
        (real.mean, fake.mean),
        (v, s1_v / gains),
        _root(np.outer(gains, gains) / np.add.outer(gains, gains)),
    )


def _refuse_widths(real: Moments, fake: Moments) -> None:
    if real.width != fake.width:
        raise SparringError(
            f"real has {real.width} features and fake has {fake.width}; expected the same width"
        )


def _distance(real: Moments, fake: Moments, gains: Features) -> float:
    step = real.mean - fake.mean
    spread = np.trace(real.covariance) + np.trace(fake.covariance)
    return float(step @ step + spread - 2 * gains.sum())


def _spectrum(s1: Features, s2: Features) -> tuple[Features, Features, Features]:
    """Return g², V and S₁V; where S₁ is singular, of the subspace in which it is not."""
    basis = _support(s1)
    if basis is None:
        squares, v = eigh(s2, s1, type=2, check_finite=False)
    elif not basis.shape[1]:
        return np.zeros(0), basis, basis
    else:
        inside = [basis.T @ s @ basis for s in (s2, s1)]
        squares, v = eigh(*inside, type=2, check_finite=False)
        v = basis @ v
    return squares, v, s1 @ v


def _support(s: Features) -> Features | None:
    """Return a basis of the subspace in which there is variance; None if that is all of it.

    A pivot of the Cholesky factor is the variance that the features before leave unexplained.
    """
    factor, failed = lapack.dpotrf(s, lower=1)
    if not failed and (np.square(np.diag(factor)) > SINGULAR * np.diag(s)).all():
        return None
    values, vectors = eigh(s, check_finite=False)
    return np.ascontiguousarray(vectors[:, values > NEGLIGIBLE * max(values[-1], 0.0)])


def _root(w: Features) -> Features:
    """Return C with C Cᵀ = w to ten digits: w is nearly of low rank, so C is narrow."""
    if not w.size:
        return w
    factor, pivots, rank, _ = lapack.dpstrf(w, tol=SINGULAR * w.max(), lower=1)
    root = np.empty((len(w), rank))
    root[pivots - 1] = np.tril(factor)[:, :rank]
    return root


def _reduced(a: Features) -> Features:
    """Return a matrix of at most d rows with the same aᵀa."""
    return qr(a, mode="r", check_finite=False)[0][: a.shape[1]] if len(a) > a.shape[1] else a


@dataclass(frozen=True, eq=False)
class _Sample:
    """A source that has been read once: its moments, and those of its two halves."""

    name: str
    source: Batches
    seed: int
    sets: tuple[Moments, Moments, Moments]

    @property
    def whole(self) -> Moments:
        return self.sets[0]


def _sample(name: str, source: Batches, seed: int) -> _Sample:
    if iter(source) is source:
        raise SparringError(
            f"{name} can be read only once, and two passes are needed; give a list of batches, "
            "or an object whose __iter__ starts again"
        )
    halves: list[Moments | None] = [None, None]
    for block, half in _halved(name, source, seed):
        for which in range(2):
            if (half == which).any():
                halves[which] = merge(halves[which], moments_of_block(block[half == which]))
    first, second = halves
    n = sum(part.n for part in halves if part)
    width = first.width if first else second.width if second else 0
    if first is None or second is None or n < max(MIN_SAMPLES_PER_FEATURE * width, 4):
        raise SparringError(
            f"{name} has {n} samples of width {width}; a Fréchet distance needs at least "
            f"{max(MIN_SAMPLES_PER_FEATURE * width, 4)}: use kid, which is unbiased at any size"
        )
    return _Sample(name, source, seed, (merge(first, second), first, second))


def _halved(name: str, source: Batches, seed: int) -> Iterator[tuple[Features, NDArray[np.int64]]]:
    """Yield blocks and each sample's half, which does not depend on how the source is cut."""
    coins = np.random.default_rng(seed)
    for block in blocks(name, source):
        yield block, half_of_each(len(block), coins)


Pairing = tuple[Coupling, ...]  # of the whole samples, of their first halves, of the second


def _pairing(x: _Sample, y: _Sample, corrected: bool) -> Pairing:
    return tuple(map(couple, x.sets[: 3 if corrected else 1], y.sets))


def _read_again(sample: _Sample, side: int, pairings: Sequence[Pairing]) -> list[Moments]:
    """Return, for the whole and its halves, moments of each pairing's influence and curvature."""
    tallies: list[Moments | None] = [None] * len(pairings[0])
    for block, half in _halved(sample.name, sample.source, sample.seed):
        for which in range(len(tallies)):
            rows = block if which == 0 else block[half == which - 1]
            if len(rows):
                each = [pairing[which].influence(side, rows) for pairing in pairings]
                tallies[which] = merge(tallies[which], moments_of_block(np.concatenate(each, 1)))
    counts = [tally.n if tally else 0 for tally in tallies]
    if counts != [part.n for part in sample.sets[: len(tallies)]]:
        raise SparringError(
            f"{sample.name} gave {sample.whole.n} samples, and {counts[0]} when read again"
        )
    return [tally for tally in tallies if tally]


def _extrapolated(
    pairing: Pairing,
    x: _Sample,
    y: _Sample,
    of_x: list[Moments],
    of_y: list[Moments],
    which: int = 0,
) -> float:
    """Return F* of a pairing whose curvatures are the tallies' column 2 · which + 1."""
    first_order = [
        coupling.distance
        - _bias(coupling, real, on_real.mean[2 * which + 1])
        - _bias(coupling, fake, on_fake.mean[-1])
        for coupling, real, fake, on_real, on_fake in zip(
            pairing, x.sets, y.sets, of_x, of_y, strict=True
        )
    ]
    whole, *halves = (1 / real.n + 1 / fake.n for real, fake in zip(x.sets, y.sets, strict=True))
    ratio = (halves[0] ** 2 + halves[1] ** 2) / 2 / whole**2  # 4 if n and m are even
    return (ratio * first_order[0] - sum(first_order[1:]) / 2) / (ratio - 1)


def _bias(coupling: Coupling, side: Moments, curvature: float) -> float:
    """Return (tr S + ½ (Σ wᵢⱼ E zᵢ² zⱼ² − Σ wᵢᵢ)) / n, what one side adds to the plug-in."""
    curved = (curvature - coupling.gains.sum() / 2) / 2
    return float(np.trace(side.covariance) + curved) / side.n


def _variance(tally: Moments, signs: tuple[int, ...] = (1,)) -> float:
    """Return the variance of the mean of the signed sum of influences."""
    among = np.ix_(*[range(0, 2 * len(signs), 2)] * 2)
    return float(signs @ tally.covariance[among] @ signs) / tally.n


def _fitted(sample: _Sample) -> float:
    """Return by how much to raise a variance that was taken on the samples the map was fitted to.

    By simulation; for one distance the second-order terms in that variance make up for it.
    """
    return sample.whole.n / (sample.whole.n - sample.whole.width / 2)
