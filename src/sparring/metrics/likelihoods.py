"""How much better one model explains held-out data than another: differences of KL divergences.

Here: the difference for two models whose log-densities are known (Gao 2025); and one number for
samples, of which densities are made (after the feature likelihood divergence, Jiralerspong 2023).
E_p ln p, which nobody knows, cancels in both. Not here: the models (`kinds`).

Notation: x held out of p; a and b models; y fake (m, d), train t (n, d); c centres of a density.
"""

from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import skew
from scipy.stats import t as student
from torch import Tensor

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.arrays import Features, as_features
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.neighbours import (
    BLOCK,
    RESAMPLING,
    Settings,
    Words,
    bits_of,
    half_samples,
    interval_of_halves,
    nearest,
    nearest_others,
)
from sparring.metrics.normal import quantile

MIN_SCORED = 10  # items whose log-densities are compared
MIN_SAMPLES = 40  # of each set that densities are made of
NARROWEST = 0.25  # of the usual bandwidth, so that no single copy decides
TERMS = 32  # of a density at a sample: the largest, which are all that count
PER_CENT = 100.0


def relative_kl(
    log_a: ArrayLike | Tensor, log_b: ArrayLike | Tensor, *, level: float = LEVEL
) -> Estimate:
    """Estimate KL(p‖a) − KL(p‖b) = E_p[ln b − ln a] in nats: below 0, a is nearer (Gao 2025).

    An average over independent items of p, paired. The interval and the two-sided p-value (of
    equal divergences) are Student's, corrected for skewness to the second order (Hall 1992).

    Args:
        log_a, log_b: ln a and ln b at the same held-out items, (n,), finite.
        level: of the interval.

    Raises:
        SparringError: other shapes; fewer than 10 items; an infinite difference; a level that is
            not between 0 and 1.
    """
    quantile(level)  # refuses other levels
    differences = _log_ratios(log_a, log_b)
    n, value = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) / sqrt(n)
    method = "mean log-ratio of held-out items, Student corrected for skewness"
    if error == 0:
        return Estimate(value, value, value, n, method, level, float(value == 0))
    third = float(skew(differences))
    far = float(student.ppf((1 + level) / 2, n - 1))
    low, high = (value - error * _with_skewness(end, third, n) for end in (far, -far))
    p = 2 * float(student.sf(abs(_without_skewness(value / error, third, n)), n - 1))
    return Estimate(value, low, high, n, method, level, p)


def _log_ratios(log_a: ArrayLike | Tensor, log_b: ArrayLike | Tensor) -> NDArray[np.float64]:
    a, b = (np.asarray(side, np.float64) for side in (log_a, log_b))
    if a.ndim != 1 or a.shape != b.shape:
        raise SparringError(
            f"log-densities have shapes {a.shape} and {b.shape}; expected one of each item, (n,)"
        )
    if len(a) < MIN_SCORED:
        raise SparringError(f"{len(a)} items to compare models by; expected {MIN_SCORED} or more")
    differences = b - a
    if not np.isfinite(differences).all():
        bad = int((~np.isfinite(differences)).sum())
        raise SparringError(f"the log-densities of {bad} of {len(a)} items differ by no number")
    return differences


def _without_skewness(mean: float, skewness: float, n: int) -> float:
    """Return a studentised mean T + γT²/3√n + γ²T³/27n + γ/6√n, nearly normal (Hall 1992)."""
    g = skewness / sqrt(n)
    return mean + g * mean**2 / 3 + g**2 * mean**3 / 27 + g / 6


def _with_skewness(normal: float, skewness: float, n: int) -> float:
    """Return the studentised mean of which `_without_skewness` makes this."""
    g = skewness / sqrt(n)
    if abs(g) < 1e-9:  # the limit, which the quotient would round away
        return normal
    return 3 / g * (float(np.cbrt(1 + g * (normal - g / 6))) - 1)


def feature_likelihood_divergence(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    train: ArrayLike | Tensor,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate how much worse fakes explain held-out data than as many held-out data would.

    In hundredths of a nat per feature: noise, bad samples, missing modes and copies of training
    data all raise it. A density is a mixture of a Gaussian around each of c samples, as wide as
    that sample is far from its nearest *training* sample, and one around all training data. So a
    copy of a training sample explains nothing but itself (the idea of Jiralerspong 2023, eq. 3;
    here widths have a closed form, and the broad Gaussian bounds the loss of any item). Widths of
    both densities have one factor more: how much farther apart c training samples are than all.

    One half of `real` is explained, by c fakes and by the other half; then the halves change
    places, and the next c fakes take their turn. A perfect generator's fakes are exchangeable with
    `real` given `train`, also in features that were learned from `train`: the expectation is 0,
    exactly. It may be below 0 for fakes that are more typical than real samples.

    Args:
        real: features of data that the generator has not seen, (h, d).
        fake: the generator's, (m, d).
        train: what it was trained on, (n, d).
        level: of the interval, which is for this training set.
        seed: of the parts.

    Raises:
        SparringError: arrays that are not features of the same width; fewer than 40 samples on a
            side; more than half of the training samples repeat another; a level that is not between
            0 and 1.
    """
    quantile(level)
    sides = {"real": real, "fake": fake, "train": train}
    x, y, trained = (as_features(name, side, MIN_SAMPLES) for name, side in sides.items())
    if len({side.shape[1] for side in (x, y, trained)}) > 1:
        raise SparringError(
            f"features of real, fake and train are {x.shape[1]}, {y.shape[1]} and "
            f"{trained.shape[1]} wide; expected the same width"
        )
    c = min(len(x) // 2, len(y))
    x = x[permutation(seed, "halves that change places", len(x))]
    widths = _widths(trained, c, seed)
    reals, fakes = (
        _Centres(side, widths.at(side), half_samples(seed, name, len(side)))
        for name, side in (("real", x), ("fake", y))
    )
    losses = [
        reals.part(here).explain(reals.part(there), widths)
        - fakes.part(turn).explain(reals.part(there), widths)
        for here, there in ((slice(c), slice(c, 2 * c)), (slice(c, 2 * c), slice(c)))
        for turn in (slice(start, start + c) for start in range(0, len(y) - c + 1, c))
    ]
    per_cent = PER_CENT / x.shape[1] * np.mean(losses, axis=0)
    settings = Settings(min(len(x), len(y)), f"{c} centres, given train, {RESAMPLING}", level)
    return interval_of_halves(per_cent, settings, -np.inf)


class _Widths(NamedTuple):
    """How wide Gaussians are: around samples by their distance from training data, and of all."""

    train: Features
    usual: float  # median distance of training samples from the nearest other
    factor: float  # how much farther it is among as many of them as there are centres
    middle: Features  # (d,), mean of the training samples
    broad: float  # their standard deviation, of all features together

    def at(self, x: Features) -> Features:
        """Return the standard deviation of the Gaussian around each sample, (n,)."""
        distances = nearest(x, self.train).distances[:, 0]
        reach = self.factor * np.maximum(distances, NARROWEST * self.usual)
        widths: Features = reach / sqrt(x.shape[1])
        return widths

    def log_broad(self, x: Features) -> Features:
        """Return ln of the broad Gaussian's density, but for a constant, (n,)."""
        squared = np.square(x - self.middle).sum(1)
        logs: Features = -squared / (2 * self.broad**2) - x.shape[1] * log(self.broad)
        return logs


def _widths(train: Features, c: int, seed: int) -> _Widths:
    usual = float(np.median(nearest_others(train).distances))
    if usual == 0:
        raise SparringError(
            "more than half of the training samples repeat another; such data have no density"
        )
    some = train[permutation(seed, "as many as centres", len(train))[:c]]
    factor = max(1.0, float(np.median(nearest_others(some).distances)) / usual)
    return _Widths(train, usual, factor, train.mean(0), sqrt(train.var(0).mean()))


class _Centres(NamedTuple):
    """Samples with a Gaussian around each; a mixture, in the whole and in every half at once."""

    x: Features  # (c, d)
    widths: Features  # (c,)
    members: Words  # (c,), in which samples each is

    def part(self, which: slice) -> "_Centres":
        """Return some of them."""
        return _Centres(self.x[which], self.widths[which], self.members[which])

    def explain(self, others: "_Centres", widths: _Widths) -> Features:
        """Return the mean log-density of other samples in each half, (64,), but for a constant."""
        present = bits_of(others.members).astype(np.bool)
        total = np.zeros(present.shape[1])
        rows = max(1, BLOCK // len(self.x))
        for start in range(0, len(others.x), rows):
            part = slice(start, start + rows)
            log_densities = self._log_density(others.x[part], widths)
            total += np.where(present[part], log_densities, 0.0).sum(0)
        explained: Features = total / present.sum(0)
        return explained

    def _log_density(self, x: Features, widths: _Widths) -> Features:
        """Return the log-density of samples in each half, (n, 64), by the largest terms."""
        logs = self._logs(x - widths.middle, self.x - widths.middle)
        terms = min(TERMS, len(self.x))
        largest = np.argpartition(logs, -terms)[:, -terms:]
        present = bits_of(self.members).astype(np.bool)
        each = np.where(present[largest], np.take_along_axis(logs, largest, 1)[:, :, None], -np.inf)
        broad = widths.log_broad(x)[:, None]
        peak = np.maximum(each.max(1), broad)
        sums = np.exp(each - peak[:, None]).sum(1) + np.exp(broad - peak)
        log_densities: Features = peak + np.log(sums) - np.log(present.sum(0) + 1)
        return log_densities

    def _logs(self, x: Features, centres: Features) -> Features:
        """Return ln of each Gaussian's density at each sample, (n, c), but for a constant."""
        norms = np.square(x).sum(1)[:, None] + np.square(centres).sum(1)
        squared = np.maximum(norms - 2 * x @ centres.T, 0)
        logs: Features = squared * (-0.5 / self.widths**2) - x.shape[1] * np.log(self.widths)
        return logs
