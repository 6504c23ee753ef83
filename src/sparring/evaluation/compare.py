"""Which generator is better, and is it sure: paired differences, and the seeds' spread apart.

Two runs are compared on the same real data, whose error they share; the interval is for these two
trained models. Whether the *recipe* is better is another question: it needs several seeds of
each, and its error is their spread.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from math import ceil, sqrt
from statistics import NormalDist, fmean
from typing import Any

import numpy as np
from scipy.stats import ttest_ind

from sparring.metrics.arrays import Features
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.gaussians import MIN_SAMPLES_PER_FEATURE, frechet_difference
from sparring.metrics.kernels import kid_difference

ALPHA, POWER = 1 - LEVEL, 0.8
MAX_ADVISED = 10**9  # samples


@dataclass(frozen=True)
class Comparison:
    """Two runs, or two recipes, and what the data say of them; lower is better."""

    a: str
    b: str
    difference: Estimate  # of a minus that of b; the p-value is corrected for their number
    enough: int | None = None  # samples of each that would probably settle it; None if settled

    def __str__(self) -> str:
        return f"{self.a} - {self.b}: {self.difference}: {self.verdict}{_advice(self)}"

    @property
    def verdict(self) -> str:
        """Say which is better."""
        p = self.difference.p_value
        if p is None or p > ALPHA:
            return "the data cannot tell"
        return f"{self.a if self.difference.value < 0 else self.b} is better"


@dataclass(frozen=True)
class Comparisons:
    """All runs pairwise, and the recipes where there are several seeds of each."""

    runs: tuple[Comparison, ...]
    recipes: tuple[Comparison, ...]
    samples: int
    extractor: str
    notes: tuple[str, ...] = ()

    def table(self) -> Iterator[str]:
        """Yield lines of text."""
        yield f"{self.samples:,} samples of each; features: {self.extractor}; 95 % intervals"
        for title, comparisons in (("runs", self.runs), ("recipes, over seeds", self.recipes)):
            if comparisons:
                yield ""
                yield f"{title}: {comparisons[0].difference.method}"
            for comparison in comparisons:
                yield f"  {comparison}"
        yield from self.notes

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, the verdicts included."""
        plain = asdict(self)
        for key in ("runs", "recipes"):
            verdicts = [comparison.verdict for comparison in getattr(self, key)]
            plain[key] = [
                comparison | {"verdict": verdict}
                for comparison, verdict in zip(plain[key], verdicts, strict=True)
            ]
        return plain


def compare_samples(real: Features, fakes: Mapping[str, Features]) -> list[Comparison]:
    """Compare every two runs by the Fréchet distance, or by KID where samples are few for it.

    Args:
        real: features that all are measured against, (n, d).
        fakes: each run's features by its name, (m, d).
    """
    n = min(map(len, [real, *fakes.values()]))
    difference_of = (
        frechet_difference if n >= MIN_SAMPLES_PER_FEATURE * real.shape[1] else kid_difference
    )
    pairs = list(combinations(fakes, 2))
    differences = [difference_of(real, fakes[a], fakes[b]) for a, b in pairs]
    corrected = holm([one.p_value or 0.0 for one in differences])
    return [
        Comparison(a, b, replace(one, p_value=p), _enough(one, p))
        for (a, b), one, p in zip(pairs, differences, corrected, strict=True)
    ]


def compare_recipes(values: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Compare every two recipes by their seeds' values, without assuming equal spreads (Welch).

    Args:
        values: of each recipe, the metric of each of its runs; at least two.
    """
    pairs = list(combinations(values, 2))
    differences = [_welch(values[a], values[b]) for a, b in pairs]
    corrected = holm([one.p_value or 0.0 for one in differences])
    return [
        Comparison(a, b, replace(one, p_value=p))
        for (a, b), one, p in zip(pairs, differences, corrected, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979): none is below its own, none above 1."""
    order = np.argsort(p_values)
    steps = np.asarray(p_values, float)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in corrected]


def _advice(comparison: Comparison) -> str:
    if comparison.enough is None:
        return ""
    if comparison.enough >= MAX_ADVISED:
        return "; no number of samples would settle so small a difference"
    return f"; about {float(f'{comparison.enough:.2g}'):,.0f} samples of each would settle it"


def _welch(first: Sequence[float], second: Sequence[float]) -> Estimate:
    test = ttest_ind(first, second, equal_var=False)
    interval = test.confidence_interval(LEVEL)
    return Estimate(
        fmean(first) - fmean(second),
        float(interval.low),
        float(interval.high),
        min(len(first), len(second)),
        "difference of means over seeds, Welch",
        p_value=float(test.pvalue),
    )


def _enough(difference: Estimate, corrected_p: float) -> int | None:
    """Return how many samples would settle it at 5 % with a power of 80 %, if it is real."""
    if corrected_p <= ALPHA:
        return None
    if difference.value == 0:
        return MAX_ADVISED
    normal = NormalDist()
    error = (difference.high - difference.low) / 2 / normal.inv_cdf((1 + difference.level) / 2)
    needed = normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)
    ratio = min(max(needed * error / abs(difference.value), 1.0), sqrt(MAX_ADVISED))
    return min(ceil(difference.n * ratio**2), MAX_ADVISED)
