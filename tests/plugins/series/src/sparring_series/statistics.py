"""What a window tells of its dynamics, and how far the means of two sets of windows lie apart.

Notation: x standardised windows (n, c, t), float64; n windows of c channels and t steps.
"""

from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm, t
from torch import Tensor

from sparring.draws import Draw
from sparring.metrics.estimate import LEVEL, Estimate

MAX_LAGS, BANDS = 8, 4
RESAMPLES = 499
TAIL = (1 + LEVEL) / 2
TINY = 1e-12  # in place of no variance

Statistics = NDArray[np.float64]  # (n, k), of each window


def autocorrelations(x: Tensor) -> Tensor:
    """Return the correlation of each channel with itself some steps later, (n, c, lags)."""
    z = _centred(x)
    lags = range(1, min(MAX_LAGS, x.shape[2] - 1) + 1)
    return torch.stack([(z[..., lag:] * z[..., :-lag]).sum(2) for lag in lags], 2)


def cross_correlations(x: Tensor) -> Tensor:
    """Return the correlation of each two channels at the same step, (n, c(c − 1)/2)."""
    z = _centred(x)
    first, second = torch.triu_indices(x.shape[1], x.shape[1], 1)
    return (z[:, first] * z[:, second]).sum(2)


def spectrum(x: Tensor) -> Tensor:
    """Return the logarithm of the power in some bands of frequency, (n, c, bands)."""
    power = torch.fft.rfft(x - x.mean(2, keepdim=True)).abs().square()[..., 1:]
    return torch.stack(
        [(TINY + band.mean(2)).log() for band in power.tensor_split(BANDS, 2) if band.shape[2]], 2
    )


def levels(x: Tensor) -> Tensor:
    """Return the mean and the logarithm of the standard deviation, (n, c, 2)."""
    return torch.stack([x.mean(2), (TINY + x.std(2)).log()], 2)


def shares_below(x: Tensor, grid: Tensor) -> Tensor:
    """Return the share of steps at most each value of a grid (c, k), (n, c, k)."""
    return (x[..., None] <= grid[:, None]).double().mean(2)


def largest_gap(real: Statistics, fake: Statistics, blocks: tuple[int, int]) -> Estimate:
    """Return the largest difference of two means, over all statistics, with its interval.

    Resamples draw blocks of windows in a row (Künsch 1989). The interval adds what 95 % of them
    stay within at all statistics at once: the largest difference that was seen lies no farther from
    that of the two populations. Few blocks vary too little, as Student's t allows for.

    Args:
        real: statistics (n, k) of windows in the order of time.
        fake: of others, (m, k).
        blocks: windows of a block, of either side: 1 where none share steps, else twice as many as
            share some.
    """
    gap = fake.mean(0) - real.mean(0)
    resampled = _means_of_resamples(fake, blocks[1], "fake")
    resampled -= _means_of_resamples(real, blocks[0], "real")
    reach = np.quantile(np.abs(resampled - gap).max(1), LEVEL)
    drawn = max(min(len(real) / blocks[0], len(fake) / blocks[1]), 2)
    reach *= t.ppf(TAIL, drawn - 1) / norm.ppf(TAIL) * sqrt(drawn / (drawn - 1))
    value, n = float(np.abs(gap).max()), min(len(real), len(fake))
    low, high = max(value - float(reach), 0.0), value + float(reach)
    return Estimate(value, low, high, n, "simultaneous block bootstrap")


def _means_of_resamples(rows: Statistics, block: int, side: str) -> Statistics:
    """Return the means of resamples, (RESAMPLES, k); blocks go on at the beginning."""
    n, block = len(rows), min(block, len(rows))
    starts = Draw(0).uniform(f"series/{side}", (RESAMPLES, -(-n // block))).double() * n
    sums = np.cumsum(np.concatenate([0 * rows[:1], rows, rows[:block]]), 0)
    first = starts.long().numpy()
    return np.asarray((sums[first + block] - sums[first]).mean(1) / block)


def _centred(x: Tensor) -> Tensor:
    """Return windows of mean 0 whose squares add up to 1; constant ones stay 0."""
    centred = x - x.mean(2, keepdim=True)
    return centred / centred.square().sum(2, keepdim=True).clamp_min(TINY).sqrt()
