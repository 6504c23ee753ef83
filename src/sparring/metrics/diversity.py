"""The Vendi score: how many different samples a set is worth (Friedman & Dieng 2023).

It is the exponential of the Rényi entropy of the eigenvalues λ of K/n, here with the cosine
kernel: 1 if all samples point the same way, at most d. No reference set enters: compare the
generator's score with the real data's. Not here: coverage of the real data (`neighbours.prdc`).

Notation: u_i the samples over their norms, (n, d); k_ij = u_i·u_j.
"""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t
from torch import Tensor

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_features
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.normal import quantile

MIN_SAMPLES = 16
MAX_PARTNERS = 512  # of each sample, for the variance's second-order part
ROUNDING = 1e-20  # relative, of squares
SPLITS = 5  # into quarters, for the extrapolation


def vendi(
    x: ArrayLike | Tensor, order: int = 2, *, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """Estimate the Vendi score of the population that the samples are from.

    Order 2 is 1/E k(x, x′)², whose mean over pairs is unbiased at every n. Order 1, the published
    default, is exp(−Σ λ ln λ): biased low by about d²/n, and no bootstrap mends that; it is
    extrapolated from halves and quarters of the samples and is no better than that sounds.

    Args:
        x: features, (n, d); their directions count, not their lengths.
        order: 2 or 1, the q of Pasarkar & Dieng 2024.
        level: of the interval.
        seed: of the halves, for order 1.

    Raises:
        SparringError: an array that is not features; fewer than 16 samples; a sample of zeros;
            another order; for order 1, a score that is more than half the number of samples; a
            level that is not between 0 and 1.
    """
    samples = as_features("x", x, MIN_SAMPLES)
    lengths = np.linalg.norm(samples, axis=1, keepdims=True)
    if not lengths.all():
        zeros = int((lengths == 0).sum())
        raise SparringError(f"{zeros} of {len(samples)} samples are zero; they have no direction")
    match order:
        case 1:
            return _first_order(samples / lengths, level, seed)
        case 2:
            return _second_order(samples / lengths, level)
    raise SparringError(f"order is {order}; expected 1 or 2")


def _second_order(u: Features, level: float) -> Estimate:
    """Return 1/U with U the mean of k² over pairs, and an interval, symmetric in 1/U.

    The variance is midway between the unbiased one, which is too small whenever U is, and the
    jackknife's, which is too large on average (Efron & Stein 1981), for isotropic samples twofold.
    Student's t has the degrees of freedom of a variance of values of the rows' kurtosis.
    """
    n = len(u)
    rows = (_squared_sums(u) - 1) / (n - 1)
    mean = float(rows.mean())
    if mean <= 0:
        raise SparringError("all samples are orthogonal to each other; the score is beyond n")
    spread = _mean_fourth_power(u) - mean**2
    minimum = 2 * spread / (n * (n - 1))  # ζ₁ = 0, as for isotropic samples
    jackknife = 4 * (n - 1) / (n - 2) ** 2 * float(rows.var())
    variance = (max(pairs_variance(rows, spread), minimum, 0.0) + jackknife) / 2
    quantile(level)  # refuses other levels
    reach = float(t.ppf((1 + level) / 2, _freedom(rows))) * sqrt(variance) / mean**2
    value, method = 1 / mean, "Vendi score, q = 2, U-statistic"
    return Estimate(value, max(1.0, value - reach), value + reach, n, method, level)


def _freedom(values: Features) -> float:
    """Return 2/CV² of the variance of such values: 2n/(kurtosis − 1), at most n."""
    squares = np.square(values - values.mean())
    if squares.mean() <= ROUNDING * np.square(values.mean()):
        return len(values)
    kurtosis = float(np.square(squares).mean() / squares.mean() ** 2)
    return 2 * len(values) / max(kurtosis - 1, 2.0)


def pairs_variance(rows: Features, spread: float) -> float:
    """Return the unbiased variance of a mean over pairs, (4(n − 1)²S/n − 2V)/((n − 2)(n − 3)).

    S is the variance of the row means and V (`spread`) that of the pairs. It is Hoeffding's (1948)
    (4(n − 2)ζ₁ + 2ζ₂)/(n(n − 1)) with ζ₁ and ζ₂ solved for in E S and E V.
    """
    n = len(rows)
    first = 4 * (n - 1) ** 2 / n * float(rows.var(ddof=1))
    return (first - 2 * spread) / ((n - 2) * (n - 3))


def _squared_sums(u: Features) -> Features:
    """Return Σ_j k_ij², by the smaller of the two Gram matrices, (n,)."""
    dual = u.shape[1] <= len(u)
    sums: Features = ((u @ (u.T @ u)) * u if dual else np.square(u @ u.T)).sum(1)
    return sums


def _mean_fourth_power(u: Features) -> float:
    """Return the mean of k⁴ over pairs of a sample and another, of up to 512 evenly spread."""
    partners = u[:: -(-len(u) // MAX_PARTNERS)]
    total = float(((u @ partners.T) ** 4).sum()) - len(partners)  # each met itself, with k = 1
    return max(total, 0.0) / (len(partners) * (len(u) - 1))


def _first_order(u: Features, level: float, seed: int) -> Estimate:
    """Return the score extrapolated from n, n/2 and n/4, and an interval that says how far.

    With V_n = V + a/n + b/n² + …, R_n = 2V_n − V_{n/2} drops a and (4R_n − R_{n/2})/3 drops b. Half
    the interval is 1.96 standard errors, extrapolated likewise, and the last step's size.
    """
    n = len(u)
    whole, halves, quarters = _score(u), *_scores_of_parts(u, seed)
    from_n, from_half = 2 * whole[0] - halves[0], 2 * halves[0] - quarters[0]
    value = float(4 * from_n - from_half) / 3
    if value > n / 2:
        raise SparringError(
            f"order 1 of {n} samples comes to {value:.3g}; expected at least twice as many "
            "samples: use order 2"
        )
    deviation = max(2 * whole[1] - halves[1], whole[1])
    reach = quantile(level) * float(deviation) / sqrt(n) + abs(value - float(from_n))
    method = "Vendi score, q = 1; warning: biased at every n, extrapolated from halves and quarters"
    return Estimate(value, max(1.0, value - reach), value + reach, n, method, level)


def _scores_of_parts(u: Features, seed: int) -> tuple[Features, Features]:
    """Return `_score`, averaged over halves and over quarters."""
    halves, quarters = [], []
    for split in range(SPLITS):
        order = permutation(seed, f"quarters, {split}", len(u))
        parts = np.split(order[: len(u) // 4 * 4], 4)
        quarters += [_score(u[part]) for part in parts]
        halves += [_score(u[np.concatenate(pair)]) for pair in (parts[:2], parts[2:])]
    return np.mean(halves, 0), np.mean(quarters, 0)


def _score(u: Features) -> Features:
    """Return exp(−Σ λ ln λ) and the standard deviation of its influence function, (2,).

    A sample's influence on the entropy is −uᵀ ln(Σ) u less its mean, Σ = UᵀU/n.
    """
    values, vectors = np.linalg.eigh(u.T @ u / len(u))
    positive = values > np.finfo(np.float64).eps * len(values)
    logs = np.log(values[positive])
    score = np.exp(-(values[positive] * logs).sum())
    influences = -np.square(u @ vectors[:, positive]) @ logs
    return np.array([score, score * influences.std(ddof=1)])
