"""The classifier two-sample test: can anything learned tell fakes from reals?

A classifier is trained on one part of the samples and judged on the other (Lopez-Paz & Oquab
2017). Not here: accuracy by cross-validation, whose folds share samples; a binomial test of it
rejects too often.

Notation: x real, y fake; t test samples of each side; scores are larger for what looks fake.
"""

from collections.abc import Callable
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
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.normal import quantile

LEAST = 10
MOST_TRAINED = 2_000  # of each side: a support vector machine takes the square of it in memory
ROWS = 2_000  # scored at a time


def c2st(
    real: ArrayLike | Tensor, fake: ArrayLike | Tensor, *, level: float = LEVEL, seed: int = 0
) -> dict[str, Estimate]:
    """Test whether a classifier tells fakes from reals it has not seen.

    `accuracy`, on as many reals as fakes, is ½ at p = q and at most (1 + TV)/2; `auc` is the
    probability that a fake scores above a real. The estimand is that of the classifier trained
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
        SparringError: no features of one width; fewer than 10 samples on a side; a level
            that is none.
    """
    quantile(level)  # refuses what is no level
    x, y = as_pair(real, fake, LEAST)
    judge = train(x, y, seed)
    real_scores, fake_scores = judge.score(judge.x), judge.score(judge.y)
    n, tested = min(len(x), len(y)), len(judge.x)
    method = f"support vector machine, trained on {judge.trained} and tested on {tested} a side"
    return {
        "accuracy": _accuracy(real_scores, fake_scores, n, method, level),
        "auc": _area_under_curve(real_scores, fake_scores, n, method, level),
    }


class Judge(NamedTuple):
    """A trained classifier, and the samples it has not seen, as many of each side."""

    score: Callable[[Features], Features]  # (t, d) to (t,), above 0 for what it calls fake
    x: Features
    y: Features
    trained: int  # samples of each side that it has seen


def train(x: Features, y: Features, seed: int) -> Judge:
    """Train the classifier on half of the smaller side's number, of either side."""
    least = min(len(x), len(y))
    trained = min(least // 2, MOST_TRAINED)
    x, y = _shuffled(seed, "real", x)[:least], _shuffled(seed, "fake", y)[:least]
    seen = np.concatenate([x[:trained], y[:trained]])
    centre, scale = seen.mean(0), seen.std(0)
    scale[scale == 0] = 1
    gamma = 1 / (2 * seen.shape[1])  # 2d is the mean of ‖a − b‖²
    standard = (seen - centre) / scale
    machine = SVC(kernel="precomputed")
    machine.fit(rbf_kernel(standard, gamma=gamma), np.repeat([0, 1], trained))

    def score(samples: Features) -> Features:
        parts = np.split(samples, range(ROWS, len(samples), ROWS))
        kernels = (rbf_kernel((part - centre) / scale, standard, gamma) for part in parts)
        return np.concatenate([machine.decision_function(kernel) for kernel in kernels])

    return Judge(score, x[trained:], y[trained:], trained)


def _shuffled(seed: int, name: str, side: Features) -> Features:
    return side[permutation(seed, f"classifier test, {name}", len(side))]


def _accuracy(x: Features, y: Features, n: int, method: str, level: float) -> Estimate:
    right, asked = int((x <= 0).sum() + (y > 0).sum()), len(x) + len(y)
    low, high = binomtest(right, asked).proportion_ci(level, "exact")
    p_value = binomtest(right, asked, alternative="greater").pvalue
    method = f"{method}; binomial"
    return Estimate(right / asked, float(low), float(high), n, method, level, float(p_value))


def _area_under_curve(x: Features, y: Features, n: int, method: str, level: float) -> Estimate:
    """Estimate P(x < y) + ½P(x = y) of two sets of scores, and test it against ½ from above.

    Where all pairs agree DeLong's variance is 0; then t pairs of different samples agree too,
    which bounds the probability (Clopper & Pearson 1934).
    """
    value, variance = delong(x, y)
    p_value = float(mannwhitneyu(y, x, alternative="greater").pvalue)
    if variance == 0 or value in (0, 1):
        pairs = min(len(x), len(y))
        low, high = binomtest(round(value * pairs), pairs).proportion_ci(level, "exact")
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
