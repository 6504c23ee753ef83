"""The classifier two-sample test: can anything learned tell fakes from reals?

A classifier is trained on one part of the samples and tested on the other (Lopez-Paz & Oquab
2017). Not here: accuracy by cross-validation, whose folds share samples; a binomial test of it
rejects too often.

Notation: x real, y fake; t test samples of each side; scores are larger for what looks fake.
"""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import binomtest, mannwhitneyu, rankdata
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC
from torch import Tensor

from sparring.draws import permutation
from sparring.metrics.arrays import Features, as_pair
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.normal import normal_estimate, quantile
from sparring.metrics.proportions import exact_share

MIN_SAMPLES = 10
MAX_TRAINED = 2_000  # of each side: a support vector machine takes the square of it in memory
CHUNK = 2_000  # scored at a time


def c2st(
    real: ArrayLike | Tensor, fake: ArrayLike | Tensor, *, level: float = LEVEL, seed: int = 0
) -> dict[str, Estimate]:
    """Test whether a classifier tells fakes from reals it has not seen.

    `accuracy`, on as many reals as fakes, has the mean ½ at p = q, and at most (1 + TV)/2; `auc` is
    the probability that a fake scores above a real. The estimand is that of the classifier trained
    here. Both p-values are one-sided, against p = q. With unequal n and m, samples are left out.

    The classifier is a support vector machine with the kernel exp(−‖a − b‖²/2d) on standardised
    features. The count of right answers is a sum of independent trials of two kinds, whose tails
    are no heavier than the binomial's (Hoeffding 1956), so the binomial test and interval hold at
    every size. The interval of `auc` is DeLong's (1988), on the scale of the logit.

    Args:
        real, fake: features, (n, d) and (m, d).
        level: of the intervals.
        seed: of the split.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 10 samples on a
            side; a level that is not between 0 and 1.
    """
    quantile(level)  # refuses other levels
    x, y = as_pair(real, fake, MIN_SAMPLES)
    classifier = train_classifier(x, y, seed)
    real_scores, fake_scores = classifier.score(classifier.x), classifier.score(classifier.y)
    n, tested = min(len(x), len(y)), len(classifier.x)
    method = (
        f"support vector machine, trained on {classifier.trained} and tested on {tested} a side"
    )
    return {
        "accuracy": _accuracy(real_scores, fake_scores, n, method, level),
        "auc": _area_under_curve(real_scores, fake_scores, n, method, level),
    }


class C2STClassifier(NamedTuple):
    """A trained classifier, and the samples it has not seen, as many of each side."""

    score: Callable[[Features], Features]  # (t, d) to (t,), above 0 for what it calls fake
    x: Features
    y: Features
    trained: int  # samples of each side that it has seen


def train_classifier(x: Features, y: Features, seed: int) -> C2STClassifier:
    """Train the classifier on half as many samples of each side as the smaller one has."""
    smaller = min(len(x), len(y))
    trained = min(smaller // 2, MAX_TRAINED)
    x, y = _shuffled(seed, "real", x)[:smaller], _shuffled(seed, "fake", y)[:smaller]
    training = np.concatenate([x[:trained], y[:trained]])
    centre, scale = training.mean(0), training.std(0)
    scale[scale == 0] = 1
    gamma = 1 / (2 * training.shape[1])  # 2d is the mean of ‖a − b‖²
    standard = (training - centre) / scale
    machine = SVC(kernel="precomputed")
    machine.fit(rbf_kernel(standard, gamma=gamma), np.repeat([0, 1], trained))

    def score(samples: Features) -> Features:
        parts = np.split(samples, range(CHUNK, len(samples), CHUNK))
        kernels = (rbf_kernel((part - centre) / scale, standard, gamma) for part in parts)
        return np.concatenate([machine.decision_function(kernel) for kernel in kernels])

    return C2STClassifier(score, x[trained:], y[trained:], trained)


def _shuffled(seed: int, name: str, side: Features) -> Features:
    return side[permutation(seed, f"classifier test, {name}", len(side))]


def _accuracy(x: Features, y: Features, n: int, method: str, level: float) -> Estimate:
    correct, total = int((x <= 0).sum() + (y > 0).sum()), len(x) + len(y)
    p_value = float(binomtest(correct, total, alternative="greater").pvalue)
    share = exact_share(correct, total, f"{method}; binomial", level)
    null = Null(0.5, sqrt(0.25 / total), 1.0)
    return replace(share, n=n, p_value=p_value, under_null=null)


def _area_under_curve(x: Features, y: Features, n: int, method: str, level: float) -> Estimate:
    """Estimate P(x < y) + ½P(x = y) of two sets of scores, and test it against ½ from above.

    Where all pairs agree DeLong's variance is 0; then t pairs of different samples agree too,
    which bounds the probability (Clopper & Pearson 1934).
    """
    value, variance = delong(x, y)
    p_value = float(mannwhitneyu(y, x, alternative="greater").pvalue)
    if variance == 0 or value in (0, 1):
        pairs = min(len(x), len(y))
        bounds = exact_share(round(value * pairs), pairs, method, level)
        low, high = bounds.low, bounds.high
    else:
        reach = quantile(level) * sqrt(variance) / (value * (1 - value))
        low, high = expit(logit(value) - reach), expit(logit(value) + reach)
    return Estimate(value, float(low), float(high), n, f"{method}; DeLong", level, p_value)


def delong(x: Features, y: Features) -> tuple[float, float]:
    """Return the area under the curve and its variance (DeLong 1988, eq. 5; Sun & Xu 2014)."""
    n, m = len(x), len(y)
    ranks = rankdata(np.concatenate([x, y]))
    below = (ranks[n:] - rankdata(y)) / n  # for each y, the share of x below it
    above = 1 - (ranks[:n] - rankdata(x)) / m
    return float(below.mean()), float(below.var(ddof=1) / m + above.var(ddof=1) / n)


def auc_estimate(above: ArrayLike, below: ArrayLike) -> Estimate:
    """Return P(first logit > second) + ½ P(equal) of two sets of logits, with DeLong's interval.

    Where all pairs agree, the variance is that of half a sample.
    """
    x, y = np.asarray(above, np.float64), np.asarray(below, np.float64)
    value, variance = delong(y, x)
    n = min(len(x), len(y))
    auc = normal_estimate(value, max(variance, 1 / (4 * n**2)), n, "area, DeLong")
    return replace(auc, low=max(auc.low, 0.0), high=min(auc.high, 1.0))
