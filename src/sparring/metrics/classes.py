"""What a classifier of the samples tells: an Inception-style score, and modes that were dropped.

Notation: K classes, n samples; P the (n, K) class probabilities of each sample, p̄ their mean;
q the shares of the classes among the fakes, p among the reals (or 1/K).
"""

from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, rel_entr
from scipy.stats import beta
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_features
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.normal import normal_estimate, squared_distance_estimate

MIN_CLASS_SHARE = 0.1  # of the share a class should get, for it to count as covered
MIN_PER_CLASS = 20  # samples
SUM_TOLERANCE = 1e-3  # of a row of probabilities in half precision


def class_score(probabilities: ArrayLike | Tensor, *, level: float = LEVEL) -> Estimate:
    """Estimate exp E KL(P(x) ‖ p̄) = exp of the mutual information of sample and class, in [1, K].

    The value is the plug-in over all samples (one split) of Salimans 2016, section 4; of the
    interval, which is made on the logarithm, the plug-in's downward bias has been taken off.

    Args:
        probabilities: of shape (n, K), rows summing to 1; only under the Inception network is
            this the Inception score.
        level: of the interval.

    Raises:
        SparringError: other shapes, NaN, what are not probabilities, fewer than two samples.
    """
    p = as_features("probabilities", probabilities)
    if p.min() < 0 or np.abs(p.sum(1) - 1).max() > SUM_TOLERANCE:
        raise SparringError("probabilities are not: rows must be at least 0 and sum to 1")
    p = p / p.sum(1, keepdims=True)
    n, classes = p.shape
    mean = p.mean(0)
    divergences = rel_entr(p, mean).sum(1)
    used = mean > 0
    bias = -float((p.var(0, ddof=1)[used] / mean[used]).sum()) / (2 * n)
    variance = max(float(divergences.var(ddof=1)), -bias) / n  # the last by the second order
    information = float(divergences.mean())
    log_score = normal_estimate(information - bias, variance, n, "", level)
    value, low, high = (
        min(max(exp(logarithm), 1.0), float(classes))
        for logarithm in (information, log_score.low, log_score.high)
    )
    return Estimate(value, low, high, n, "class score, one split", level)


class ModeCoverage(NamedTuple):
    """How many classes the generator reaches, and how far its shares of them are from right."""

    covered: Estimate  # classes with at least a tenth of their share
    divergence: Estimate  # KL(q ‖ p) in nats


def mode_coverage(
    labels: ArrayLike | Tensor,
    classes: int,
    *,
    reference: ArrayLike | Tensor | None = None,
    level: float = LEVEL,
) -> ModeCoverage:
    """Estimate how many classes the fakes cover, and KL(q ‖ p) of their shares.

    The number of classes has exact binomial bounds (Clopper & Pearson 1934), at a level that
    holds for all classes together. The divergence has its bias taken off (Grassberger 2003;
    Miller 1955 for the reals).

    Args:
        labels: the classifier's labels of the fakes, shape (n,), in 0 … K − 1.
        classes: K.
        reference: labels of reals, shape (m,); without them p is uniform. Their shares also set
            what is a class's share, as they are.
        level: of both intervals.

    Raises:
        SparringError: not labels; fewer than twenty samples a class; a class that only fakes have.
    """
    counts = _counts("labels", labels, classes)
    if reference is None:
        m, p = None, np.full(classes, 1 / classes)
    else:
        real_counts = _counts("reference", reference, classes)
        m = int(real_counts.sum())
        p = real_counts / m
    unmatched = np.flatnonzero((counts > 0) & (p == 0))
    if len(unmatched):
        raise SparringError(
            f"class {unmatched[0]} has {counts[unmatched[0]]} fakes and no real: the divergence "
            "from these reals is infinite; give more reals, or none to compare with equal shares"
        )
    return ModeCoverage(_covered(counts, p, level), _divergence(counts, p, m, level))


def _covered(counts: NDArray[np.int64], p: Features, level: float) -> Estimate:
    n, present = int(counts.sum()), p > 0
    counts, needed = counts[present], MIN_CLASS_SHARE * p[present]
    tail = (1 - level) / (2 * len(counts))
    low = np.where(counts > 0, beta.ppf(tail, np.maximum(counts, 1), n - counts + 1), 0)
    high = np.where(counts < n, beta.isf(tail, counts + 1, np.maximum(n - counts, 1)), 1)
    covered, fewest, most = (int((share >= needed).sum()) for share in (counts / n, low, high))
    return Estimate(covered, fewest, most, n, f"classes covered of {len(counts)}", level)


def _divergence(counts: NDArray[np.int64], p: Features, m: int | None, level: float) -> Estimate:
    n, present = int(counts.sum()), p > 0
    counts, p = counts[present], p[present]
    used = counts > 0
    value = float(counts[used] / n @ (grassberger_logarithm(counts[used]) - np.log(n * p[used])))
    q = (counts + 0.5) / (n + len(p) / 2)  # no class is known to be impossible
    logs = np.log(q / p)
    variance = float(q @ np.square(logs - q @ logs)) / n
    if m is not None:
        value -= float(q @ ((1 - p) / p)) / (2 * m)
        variance += (float(q @ (q / p)) - 1) / m
    second_order = (len(p) - 1) / 2 * (1 / n + (1 / m if m else 0)) ** 2
    method = "KL of class shares, bias removed"
    return squared_distance_estimate(
        value, max(variance, second_order), min(n, m or n), method, level
    )


def grassberger_logarithm(counts: NDArray[np.int64]) -> Features:
    """Return G(c) of Grassberger 2003: E c G(c) is nearly λ ln λ for a Poisson count of mean λ."""
    half = (digamma((counts + 1) / 2) - digamma(counts / 2)) / 2
    logarithm: Features = digamma(counts) + np.where(counts % 2, -half, half)
    return logarithm


def _counts(name: str, labels: ArrayLike | Tensor, classes: int) -> NDArray[np.int64]:
    plain = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if plain.ndim != 1 or plain.dtype.kind not in "iu":
        raise SparringError(
            f"{name} is {plain.dtype} of shape {plain.shape}; expected whole numbers, (samples,)"
        )
    if len(plain) < MIN_PER_CLASS * classes or classes < 2:
        raise SparringError(
            f"{name} has {len(plain)} samples of {classes} classes; expected at least two classes "
            f"and {MIN_PER_CLASS} samples for each"
        )
    if plain.min() < 0 or plain.max() >= classes:
        raise SparringError(
            f"{name} runs from {plain.min()} to {plain.max()}; expected 0 to {classes - 1}"
        )
    return np.bincount(plain, minlength=classes)
