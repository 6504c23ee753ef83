"""Short texts compared: their n-grams, models of counted contexts, their edits from others.

A text is a sequence of units: a string of characters, or a tuple of words. Its end counts as one
more unit. All measures here are exact functions of the texts: no network, no vocabulary file.

Notation: p and q shares of n-grams in real and generated texts, m their mean; bits are base 2.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.sparse import csr_array

from sparring.errors import SparringError
from sparring.metrics.arrays import Features
from sparring.metrics.estimate import LEVEL, Estimate, Null
from sparring.metrics.normal import normal_estimate, quantile, two_sided_p

Text = str | tuple[str, ...]
END, START = "\n", "\r"  # units that no text holds
GROUPS = 20  # of texts, left out in turn
PERMUTATIONS = 999
ROUNDING = 1e-12  # differences of equal bits stay below it
BATCH = 64  # texts whose distances from all others are held together


def ngram_js(
    real: Sequence[Text], fake: Sequence[Text], order: int, *, level: float = LEVEL
) -> Estimate:
    """Return the Jensen–Shannon divergence of n-grams in bits (Lin 1991), ½KL(p|m) + ½KL(q|m).

    The plug-in value for texts of these numbers, whose bias grows as n-grams get rarer: compare it
    only with what real texts have at the same numbers. The interval is for its mean at these
    numbers, with texts as the units that are drawn; see `_variance`.

    Raises:
        SparringError: there are fewer than two texts on a side, or none is as long.
    """
    sides = _counted((real, fake), order)
    variance = _variance(sides, _js, _pulls(*map(_shares, sides)))
    value, method = _js(*map(_shares, sides)), "plug-in, delta method and jackknife"
    found = normal_estimate(value, variance, len(fake), method, level)
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def ngram_js_difference(
    real: Sequence[Text], one: Sequence[Text], other: Sequence[Text], order: int
) -> Estimate:
    """Return the divergence of one set of texts less that of another from the same real texts.

    The p-value is that of equal divergences; it takes as many texts of both. Raises as `ngram_js`.
    """
    sides = _counted((real, one, other), order)

    def difference(p: Features, q: Features, r: Features) -> float:
        return _js(p, q) - _js(p, r)

    p, q, r = map(_shares, sides)
    (of_p, of_q), (less_p, of_r) = _pulls(p, q), _pulls(p, r)
    variance = _variance(sides, difference, (of_p - less_p, of_q, -of_r))
    value, n = difference(p, q, r), min(len(one), len(other))
    found = normal_estimate(value, variance, n, "difference of divergences, paired")
    return replace(found, p_value=two_sided_p(value, variance))


class CountModel:
    """A language model of counted contexts, up to `order` − 1 units long.

    P(u|h) = (c(hu) + t(h) P(u|h′)) / (c(h) + t(h)), with t(h) the different units seen after h and
    h′ the shorter context (Witten & Bell 1991, method C, interpolated).

    Args:
        texts: to count.
        order: units of the longest counted sequences.
        units: how many different units there may be, the end among them.
    """

    def __init__(self, texts: Iterable[Text], order: int, units: int) -> None:
        self.order, self.units = order, units
        self._after: dict[Text, Counter[str]] = defaultdict(Counter)
        for text in texts:
            whole = self._begun(text)
            for place, unit in enumerate(_units(text), order - 1):
                for size in range(order):
                    self._after[whole[place - size : place]][unit] += 1
        self._totals = {context: after.total() for context, after in self._after.items()}

    def probability(self, unit: str, context: Text) -> float:
        """Return P(unit | context); the context is all of a text before the unit."""
        probability, whole = 1 / self.units, self._begun(context)
        for size in range(self.order):
            shorter = whole[len(whole) - size :]
            after = self._after.get(shorter)
            if after is None:
                break
            distinct = len(after)
            probability = (after[unit] + distinct * probability) / (
                self._totals[shorter] + distinct
            )
        return probability

    def bits(self, texts: Sequence[Text], *, level: float = LEVEL) -> Estimate:
        """Return the mean bits of a unit of these texts, ends included; the interval is of texts.

        Raises:
            SparringError: there are fewer than two texts.
        """
        if len(texts) < 2:
            raise SparringError(f"{len(texts)} texts to score; expected two or more")
        method = f"bits by counted {self.order}-grams, which are given"
        return _per_unit(-self.log_likelihoods(texts) / log(2), texts, method, level)

    def log_likelihoods(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """Return ln P of each text, its end included, (n,)."""
        return np.array([sum(map(log, self._each(text))) for text in texts])

    def draw(self, n: int, longest: int, seed: int) -> list[Text]:
        """Draw n texts of at most a length, by the longest contexts, without smoothing."""
        rng = np.random.default_rng(seed)
        tables = {c: _cumulated(after) for c, after in self._after.items()}
        joined = isinstance(next(iter(self._after)), str)
        return [self._drawn(tables, longest, rng, joined) for _ in range(n)]

    def _begun(self, text: Text) -> Text:
        """Return a text after as many starts as a context has units."""
        starts = self.order - 1
        return START * starts + text if isinstance(text, str) else ((START,) * starts + text)

    def _each(self, text: Text) -> Iterator[float]:
        for place, unit in enumerate(_units(text)):
            yield self.probability(unit, text[:place])

    def _drawn(
        self, tables: dict[Text, "_Table"], longest: int, rng: np.random.Generator, joined: bool
    ) -> Text:
        text: Text = "" if joined else ()
        while len(text) < longest:
            whole = self._begun(text)
            units, cumulated = tables[whole[len(whole) - self.order + 1 :]]
            unit = units[int(np.searchsorted(cumulated, rng.random() * cumulated[-1], "right"))]
            if unit == END:
                break
            text = text + unit if isinstance(text, str) else (*text, unit)
        return text


def bits_test(
    model: CountModel,
    real: Sequence[Text],
    fake: Sequence[Text],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Estimate:
    """Return the bits of a unit of fakes, with a test whether they are more than those of reals.

    The model must be counted from texts of neither side. For a perfect generator all ways to tell
    both sides in the pool are equally likely, so the p-value is exact (Phipson & Smyth 2010).

    Raises:
        SparringError: there are fewer than two texts on a side.
    """
    found, of_reals = model.bits(fake), model.bits(real)
    bits = -model.log_likelihoods([*real, *fake]) / log(2)
    both = np.stack([bits, [len(text) + 1 for text in (*real, *fake)]])
    pooled, n, rng = both.sum(1), len(real), np.random.default_rng(seed)

    def more(called_real: Features) -> float:
        rest = pooled - called_real
        return float(rest[0] / rest[1] - called_real[0] / called_real[1])

    others = np.array(
        [more(both[:, rng.permutation(len(bits))[:n]].sum(1)) for _ in range(permutations)]
    )
    at_least = 1 + int((others >= more(both[:, :n].sum(1)) - ROUNDING).sum())
    null = Null(of_reals.value, float(others.std()))
    return replace(found, p_value=at_least / (1 + permutations), under_null=null)


def bits_difference(
    one: CountModel, other: CountModel, texts: Sequence[Text], *, level: float = LEVEL
) -> Estimate:
    """Return the bits of a unit of texts by one model less those by another, text by text.

    The p-value is that of equal bits, given both models.
    """
    more = (other.log_likelihoods(texts) - one.log_likelihoods(texts)) / log(2)
    return _tested(_per_unit(more, texts, "difference of bits, paired", level))


def difference(one: Estimate, other: Estimate) -> Estimate:
    """Return the difference of two independent estimates with symmetric intervals."""
    value, z = one.value - other.value, quantile(one.level)
    variance = sum(((e.high - e.value) / z) ** 2 for e in (one, other))
    n = min(one.n, other.n)
    return _tested(normal_estimate(value, variance, n, "difference", one.level))


def _tested(found: Estimate) -> Estimate:
    error = (found.high - found.value) / quantile(found.level)
    return replace(found, p_value=two_sided_p(found.value, error**2))


def _per_unit(bits: Features, texts: Sequence[Text], method: str, level: float) -> Estimate:
    """Return the mean of bits over units, ends included; texts are what is drawn."""
    sizes = np.array([len(text) + 1 for text in texts])
    value = bits.sum() / sizes.sum()
    variance = np.var(bits - value * sizes, ddof=1) / sizes.mean() ** 2 / len(texts)
    return normal_estimate(float(value), float(variance), len(texts), method, level)


def nearest_edits(texts: Sequence[Text], others: Sequence[Text]) -> NDArray[np.float64]:
    """Return for each text the share of it to edit to reach the nearest other (Levenshtein 1966).

    Edits over the text's own length, 0 for a copy.
    """
    shares = []
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        table = cdist(batch, others, scorer=Levenshtein.distance, dtype=np.uint16)
        shares.append(table.min(1) / np.maximum([len(text) for text in batch], 1))
    return np.concatenate(shares) if shares else np.zeros(0)


class _Table(NamedTuple):
    units: list[str]
    cumulated: NDArray[np.int64]


def _cumulated(after: Counter[str]) -> _Table:
    return _Table(list(after), np.cumsum(list(after.values())))


def _units(text: Text) -> Iterator[str]:
    yield from text
    yield END


def _counted(sides: Sequence[Sequence[Text]], order: int) -> list[csr_array]:
    """Return how often each text has each n-gram, (texts, n-grams), for both sides alike."""
    number: dict[Text, int] = {}
    places = []
    for side in sides:
        rows, columns = [], []
        for row, text in enumerate(side):
            whole: Text = text + END if isinstance(text, str) else (*text, END)
            for start in range(len(whole) - order + 1):
                rows.append(row)
                columns.append(number.setdefault(whole[start : start + order], len(number)))
        places.append((rows, columns))
    if any(len(side) < 2 or not rows for side, (rows, _) in zip(sides, places, strict=True)):
        raise SparringError(f"fewer than two texts, or none has {order} units in a row")
    return [
        csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(side), len(number)))
        for side, (rows, columns) in zip(sides, places, strict=True)
    ]


def _shares(counts: csr_array) -> Features:
    """Return the shares of n-grams in all texts of a side, (n-grams,)."""
    total: Features = np.asarray(counts.sum(0)).ravel() / counts.sum()
    return total


def _js(p: Features, q: Features) -> float:
    of_p, of_q = _pulls(p, q)
    return float(p @ of_p + q @ of_q)


def _pulls(p: Features, q: Features) -> tuple[Features, Features]:
    """Return the derivatives of the divergence by p and q, ½ log2 p/m and ½ log2 q/m."""
    with np.errstate(divide="ignore", invalid="ignore"):
        of_p, of_q = (np.where(s > 0, np.log2(2 * s / (p + q)) / 2, 0.0) for s in (p, q))
    return of_p, of_q


def _variance(
    sides: Sequence[csr_array], value: Callable[..., float], pulls: Sequence[Features]
) -> float:
    """Return the variance of a value of the sides' shares, midway between two estimates.

    The delta method leaves out what is of second order, and rare n-grams have much of that; the
    jackknife (here of 20 groups of texts) counts it twice (Efron & Stein 1981).
    """
    totals = [np.asarray(side.sum(0)).ravel() for side in sides]
    variance = 0.0
    for k, (side, pull) in enumerate(zip(sides, pulls, strict=True)):
        variance += _linear_variance(side, pull, float(pull @ totals[k] / totals[k].sum())) / 2
        texts = np.arange(side.shape[0])
        group = texts % min(GROUPS, len(texts))
        of_groups = csr_array((np.ones(len(texts)), (group, texts))) @ side
        left = []
        for g in range(of_groups.shape[0]):
            fewer = totals[k] - of_groups[[g]].toarray()[0]
            counts = [*totals[:k], fewer, *totals[k + 1 :]]
            left.append(value(*(c / max(c.sum(), 1) for c in counts)))
        variance += (len(left) - 1) * float(np.var(left)) / 2
    return variance


def _linear_variance(counts: csr_array, pull: Features, mean: float) -> float:
    """Return the variance of Σ share·pull, whose shares are of counts summed over texts."""
    sizes = np.asarray(counts.sum(1)).ravel()
    each = (counts @ pull - mean * sizes) / sizes.mean()
    return float(np.var(each, ddof=1) / len(each))
