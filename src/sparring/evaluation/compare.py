"""Which generator is better, and is it sure: paired differences, and the seeds' spread apart.

Two runs are compared on the same real data, whose error they share; the interval is for these two
trained models. Whether the *recipe* is better is another question: it needs several seeds of
each, and its error is their spread.

Notation: n reals, m samples of each run; the variance of a difference is R/n + F/m.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from math import ceil, hypot, isfinite
from statistics import NormalDist, fmean
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t, ttest_ind

from sparring.evaluation.verdict import FAMILY_LEVEL, POWER
from sparring.metrics.estimate import CARD_DIGITS, LEVEL, Estimate, PairedDifference
from sparring.metrics.families import holm
from sparring.metrics.gaussians import MIN_SAMPLES_PER_FEATURE, paired_frechet
from sparring.metrics.kernels import paired_kid

MAX_PAIRED = 10_000  # samples of each run that a kernel distance, of all pairs, looks at
MAX_ADVISED = 1_000_000  # samples, or real items: what takes more is not advised
MAX_SEEDS = 100
BEYOND = "nothing within reach would settle so small a difference"

AnyFeatures = NDArray[np.floating[Any]]
Verdict = Literal["differs", "no difference seen", "not tested"]


@dataclass(frozen=True)
class Needed:
    """What would probably settle a difference of the size found; None: as many as there are."""

    samples: int | None = None  # of each run
    reals: int | None = None  # that judge
    seeds: int | None = None  # of each recipe

    @property
    def words(self) -> str:
        """Say what to do."""
        if self.seeds:
            return f"about {self.seeds:,} seeds of each recipe would settle it (--seed)"
        if self.samples and not self.reals:
            return f"about {self.samples:,} samples of each would settle it (-n {self.samples})"
        samples = f", and {self.samples:,} samples of each (-n)" if self.samples else ""
        return (
            f"more samples alone would not settle it; about {self.reals:,} real items that judge"
            f"{samples} would: more data, or more of it held out (--data.held-out)"
        )


@dataclass(frozen=True)
class Comparison:
    """Two runs, or two recipes, and what the data say of them; lower is better."""

    a: str
    b: str
    difference: Estimate  # of a minus that of b; the p-value is corrected for their number
    could_see: float | None = None  # the least difference that shows in 80 % of cases
    needed: Needed | None = None  # what would settle it, where it is not and something would
    reason: str = ""  # why it is not tested, or needs no test

    def __str__(self) -> str:
        return f"{self.a} - {self.b}: {self.difference}: {self.words}"

    @property
    def verdict(self) -> Verdict:
        """Say whether a test tells the two apart."""
        p = self.difference.p_value
        if p is None:
            return "not tested"
        return "differs" if p <= FAMILY_LEVEL else "no difference seen"

    @property
    def words(self) -> str:
        """Say which is better; if that cannot be told, what could have been, and what to do."""
        if self.verdict == "differs":
            return f"{self.a if self.difference.value < 0 else self.b} is better"
        if self.reason:
            return f"{self.verdict}: {self.reason}"
        seen = f"; {self.could_see:.{CARD_DIGITS}g} would have shown" if self.could_see else ""
        advice = self.needed.words if self.needed else BEYOND
        return f"{self.verdict}{seen}; {advice}"


@dataclass(frozen=True)
class Comparisons:
    """All runs pairwise, and the recipes where there are several seeds of each."""

    runs: tuple[Comparison, ...]
    recipes: tuple[Comparison, ...]
    samples: int  # of each run
    reals: int  # that judge
    extractor: str
    notes: tuple[str, ...] = ()

    def table(self) -> Iterator[str]:
        """Yield lines of text."""
        yield (
            f"{self.samples:,} samples of each against {self.reals:,} real items; features: "
            f"{self.extractor}; 95 % intervals"
        )
        for title, comparisons in (("runs", self.runs), ("recipes, over seeds", self.recipes)):
            if comparisons:
                yield ""
                yield f"{title}: {comparisons[0].difference.method}"
            for comparison in comparisons:
                yield f"  {comparison}"
        yield from self.notes

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, the verdicts and words included."""
        plain = asdict(self)
        for key in ("runs", "recipes"):
            plain[key] = [
                asdict(one) | {"verdict": one.verdict, "words": one.words}
                for one in getattr(self, key)
            ]
        return plain


def compare_samples(real: AnyFeatures, fakes: Mapping[str, AnyFeatures]) -> list[Comparison]:
    """Compare every two runs by the Fréchet distance, or by KID where samples are few for it.

    Args:
        real: features that all are measured against, (n, d).
        fakes: each run's features by its name, (m, d); they may be mapped from a file.
    """
    limit, fewest = samples_looked_at(real, fakes), min(map(len, fakes.values()))
    paired = paired_kid if limit == MAX_PAIRED else paired_frechet
    pairs = list(combinations(fakes, 2))
    differences = [paired(real, fakes[a][:limit], fakes[b][:limit]) for a, b in pairs]
    corrected = holm([one.estimate.p_value or 0.0 for one in differences])
    level = FAMILY_LEVEL / max(len(pairs), 1)
    return [
        _equal(a, b, one.estimate)
        if np.array_equal(fakes[a], fakes[b])
        else _compared(a, b, one, p, (len(real), min(fewest, limit), limit), level)
        for (a, b), one, p in zip(pairs, differences, corrected, strict=True)
    ]


def samples_looked_at(real: AnyFeatures, fakes: Mapping[str, AnyFeatures]) -> int:
    """Return how many samples of each run a comparison looks at, at most."""
    fewest = min(len(real), *map(len, fakes.values()))
    return MAX_ADVISED if fewest >= MIN_SAMPLES_PER_FEATURE * real.shape[1] else MAX_PAIRED


def compare_recipes(values: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Compare every two recipes by their seeds' values, without assuming equal spreads (Welch).

    Args:
        values: of each recipe, the metric of each of its runs; at least two.
    """
    pairs = list(combinations(values, 2))
    differences = [_welch(values[a], values[b]) for a, b in pairs]
    tested = [one.p_value for one in differences if one.p_value is not None]
    corrected = iter(holm(tested))
    level = FAMILY_LEVEL / max(len(tested), 1)
    return [
        Comparison(a, b, one, reason="the values of the seeds do not differ, so they tell no error")
        if one.p_value is None
        else _over_seeds(a, b, replace(one, p_value=next(corrected)), level)
        for (a, b), one in zip(pairs, differences, strict=True)
    ]


def needed(difference: PairedDifference, n: int, m: int, limit: int, level: float) -> Needed | None:
    """Return what would settle a difference in 80 % of cases, if it is as large as found.

    More samples where they suffice, for they cost only time; else more reals, and as many samples
    as take half of the variance that is allowed.

    Args:
        difference: as measured with n reals and m samples of each run.
        n, m: how many there were.
        limit: samples that the metric looks at, at most.
        level: of the two-sided test.
    """
    allowed = (difference.estimate.value / _in_deviations(level)) ** 2
    per_real, per_fake = n * difference.of_reals, m * difference.of_fakes
    if difference.of_reals + per_fake / limit < allowed:
        return Needed(samples=_round_up(per_fake / (allowed - difference.of_reals)))
    if min(per_real, per_fake) < 0 or 2 * max(per_real, per_fake) > allowed * MAX_ADVISED:
        return None
    more = _round_up(2 * per_fake / allowed) if difference.of_fakes > allowed / 2 else None
    if more and more > limit:
        return None
    return Needed(more, _round_up(per_real / (allowed - per_fake / (more or m))))


def _in_deviations(level: float) -> float:
    """Return how many standard errors a difference is that shows in 80 % of cases."""
    normal = NormalDist()
    return normal.inv_cdf(1 - level / 2) + normal.inv_cdf(POWER)


def _round_up(number: float) -> int:
    """Return the next number of two digits."""
    unit = int(10 ** max(len(str(ceil(number))) - 2, 0))
    return unit * ceil(number / unit)


def _equal(a: str, b: str, difference: Estimate) -> Comparison:
    return Comparison(a, b, replace(difference, p_value=1.0), reason="their samples are the same")


def _compared(
    a: str,
    b: str,
    difference: PairedDifference,
    p_value: float,
    sizes: tuple[int, int, int],
    level: float,
) -> Comparison:
    found = replace(difference.estimate, p_value=p_value)
    least = _in_deviations(level) * (difference.of_reals + difference.of_fakes) ** 0.5
    advice = None if p_value <= FAMILY_LEVEL else needed(difference, *sizes, level)
    return Comparison(a, b, found, least, advice)


def _over_seeds(a: str, b: str, difference: Estimate, level: float) -> Comparison:
    """Compare two recipes; more seeds make the error smaller by the root of their number."""
    assert difference.p_value is not None
    reach = difference.high - difference.value
    freedom = 2 * difference.n - 2
    error = reach / float(t.ppf((1 + difference.level) / 2, freedom))
    least = error * float(t.ppf(1 - level / 2, freedom) + t.ppf(POWER, freedom))
    if difference.p_value <= FAMILY_LEVEL:
        return Comparison(a, b, difference, least)
    wanted = abs(difference.value) / _in_deviations(level)
    seeds = ceil(difference.n * (error / wanted) ** 2) + 1 if wanted * MAX_SEEDS > error else 0
    advice = Needed(seeds=max(seeds, difference.n + 1)) if 0 < seeds <= MAX_SEEDS else None
    return Comparison(a, b, difference, least, advice)


def _welch(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Return the difference of means; without a p-value where no seed differs from another."""
    value, n = fmean(first) - fmean(second), min(len(first), len(second))
    method = "difference of means over seeds, Welch"
    spread = hypot(*(max(side) - min(side) for side in (first, second)))
    if spread <= np.finfo(float).eps * max(map(abs, (*first, *second))):
        return Estimate(value, value, value, n, method)
    test = ttest_ind(first, second, equal_var=False)
    interval = test.confidence_interval(LEVEL)
    low, high, p_value = float(interval.low), float(interval.high), float(test.pvalue)
    return Estimate(value, low, high, n, method, p_value=p_value if isfinite(p_value) else None)
