"""Short texts compared: their n-grams, models of counted contexts, their edits from others.

A text is a sequence of units: a string of characters, or a tuple of words. Its end counts as one
more unit. All measures here are exact functions of the texts: no network, no vocabulary file.

Notation: p and q shares of n-grams in real and generated texts, m their mean; bits are base 2.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.sparse import csr_array

from sparring.errors import SparringError
from sparring.metrics.arrays import Features
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.normal import normal_estimate

Text = str | tuple[str, ...]
END, START = "\n", "\r"  # units that no text holds
BATCH = 64  # texts whose distances from all others are held together


def ngram_js(
    real: Sequence[Text], fake: Sequence[Text], order: int, *, level: float = LEVEL
) -> Estimate:
    """Return the Jensen–Shannon divergence of n-grams in bits (Lin 1991), ½KL(p|m) + ½KL(q|m).

    The plug-in value for texts of these numbers, whose bias grows as n-grams get rarer: compare it
    only with what real texts have at the same numbers. Its interval is of the delta method, with
    texts as the units that are drawn: ∂/∂p = ½ log2 p/m.

    Raises:
        SparringError: there are fewer than two texts on a side, or none is as long.
    """
    x, y = _counted((real, fake), order)
    p, q = (np.asarray(side.sum(0)) / side.sum() for side in (x, y))
    mean = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        pulls = [np.where(share > 0, np.log2(share / mean) / 2, 0.0) for share in (p, q)]
    value = float(p @ pulls[0] + q @ pulls[1])
    variance = sum(
        _variance(side, pull, share @ pull)
        for side, pull, share in zip((x, y), pulls, (p, q), strict=True)
    )
    estimate = normal_estimate(value, variance, len(fake), "plug-in, delta method", level)
    return Estimate(
        value, max(estimate.low, 0.0), min(estimate.high, 1.0), estimate.n, estimate.method, level
    )


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
        bits = np.array([sum(self._each(text)) for text in texts])
        sizes = np.array([len(text) + 1 for text in texts])
        value = bits.sum() / sizes.sum()
        variance = np.var(bits - value * sizes, ddof=1) / sizes.mean() ** 2 / len(texts)
        name = f"bits by counted {self.order}-grams"
        return normal_estimate(float(value), float(variance), len(texts), name, level)

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
            yield -log2(self.probability(unit, text[:place]))

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


def _variance(counts: csr_array, pull: Features, mean: float) -> float:
    """Return the variance of Σ share·pull, whose shares are of counts summed over texts."""
    sizes = np.asarray(counts.sum(1)).ravel()
    each = (counts @ pull - mean * sizes) / sizes.mean()
    return float(np.var(each, ddof=1) / len(each))
