"""What the card of texts says beside features, always with the likelihood model at its side.

Inside: which measurements, of whom, and the words. Not inside: the measures (`metrics.texts`), the
likelihood model (`likelihood`), drawing (`assessment`).

A language GAN is often behind a model of the same size that was trained by likelihood for the same
time (Caccia 2020). Both are judged here by the same measures, beside a sampler of 3-grams and real
texts, each at its own temperatures too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from sparring.evaluation import Line, Tell
from sparring.marginals import DPI, FAKE, REAL, STYLE
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.texts import CountModel, Text, nearest_edits, ngram_js
from sparring.symptoms import area

ORDERS = (1, 2, 3, 4)  # of n-grams that are compared
MODEL_ORDER = 5  # of the counted language models
MOST = 10_000  # texts of each sort
COUNTED = 200_000  # training texts of a counted language model, at most
EDITED = 500  # texts whose nearest training text is looked for
AMONG = 100_000  # training texts
GENERATOR, LIKELIHOOD, GRAMS = "samples", "likelihood model", "3-gram sampler"
COLOURS = {GENERATOR: FAKE, LIKELIHOOD: "#d55e00", GRAMS: "#009e73"}


@dataclass(frozen=True)
class Drawn:
    """Texts of one sampler, at one temperature (of a generator: truncation)."""

    temperature: float
    texts: Sequence[Text]


@dataclass(frozen=True)
class Authors:
    """All texts that the card compares."""

    train: Sequence[Text]
    held_out: Sequence[Text]
    fake: Sequence[Text]
    rivals: dict[str, Sequence[Text]]  # the likelihood model's, the 3-gram sampler's
    curves: dict[str, tuple[Drawn, ...]]  # by whom, at several temperatures
    units: int  # different ones, the end among them


class Models:
    """The counted language models that score texts."""

    def __init__(self, authors: Authors) -> None:
        self.authors = authors
        self.of_train = CountModel(authors.train[:COUNTED], MODEL_ORDER, authors.units)

    def quality(self, texts: Sequence[Text]) -> Estimate:
        """Return bits of a unit of these texts by a model of training texts: low is like them."""
        return self.of_train.bits(texts)

    def diversity(self, texts: Sequence[Text]) -> Estimate:
        """Return bits of a unit of held-out texts by a model of these: low is all of them."""
        return CountModel(texts, MODEL_ORDER, self.authors.units).bits(self.authors.held_out)


def measure_texts(authors: Authors, models: Models, tell: Tell, skip: Tell) -> Iterator[Line]:
    """Yield the lines of the card; each measure of the samples, then of the rivals.

    Args:
        authors: texts of everybody.
        models: counted from them.
        tell: told the name of each measurement in turn.
        skip: told what people should know beside the lines.
    """
    ahead: dict[str, list[str]] = {GENERATOR: [], LIKELIHOOD: [], "neither": []}
    held = authors.held_out
    natural = authors.train[: len(held)]
    for order in ORDERS:
        tell(f"{order}-grams")
        found = {who: ngram_js(held, texts, order) for who, texts in _everybody(authors).items()}
        truth = ngram_js(held, natural, order)
        yield from _lines(f"js{order}", f"JS of {order}-grams, bits", found, truth)
        _note(ahead, f"{order}-grams", found)
    tell("language models")
    found = {who: models.quality(texts) for who, texts in _everybody(authors).items()}
    yield from _lines("lm_bits", "bits by model of real", found, models.quality(held))
    _note(ahead, "bits by a model of real texts", found)
    found = {who: models.diversity(texts) for who, texts in _everybody(authors).items()}
    yield from _lines("reverse_bits", "bits of real by its model", found, models.diversity(natural))
    _note(ahead, "bits of real texts", found)
    yield from _shares(authors)
    tell("edits from training texts")
    yield _edits(authors)
    if LIKELIHOOD in authors.rivals:
        skip(_words(ahead))


def draw_curve(authors: Authors, models: Models) -> bytes:
    """Return a PNG of quality against diversity at several temperatures, with intervals."""
    with mpl.rc_context(STYLE):
        figure = Figure((5.4, 3.8), dpi=2 * DPI, layout="constrained")
        axes = figure.subplots()
        for who, several in authors.curves.items():
            _curve(axes, who, several, models)
        natural = authors.train[: len(authors.fake)]
        real = models.quality(authors.held_out).value, models.diversity(natural).value
        axes.plot(*real, "*", color=REAL, ms=9, label="real texts")
        if GRAMS in authors.rivals:
            grams = authors.rivals[GRAMS]
            at = models.quality(grams).value, models.diversity(grams).value
            axes.plot(*at, "s", color=COLOURS[GRAMS], ms=4, label=GRAMS)
        axes.set_xlabel("bits of its texts by a model of real ones (quality: left is better)")
        axes.set_ylabel("bits of real texts by a model of its (diversity: down is better)")
        axes.legend(frameon=False)
        file = BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _curve(axes: Axes, who: str, several: Sequence[Drawn], models: Models) -> None:
    points = [(models.quality(one.texts), models.diversity(one.texts)) for one in several]
    at = np.array([[one.value for one in point] for point in points])
    reach = np.array([[one.high - one.value for one in point] for point in points])
    style: dict[str, Any] = {"color": COLOURS[who], "label": who, "lw": 1, "ms": 3}
    axes.errorbar(at[:, 0], at[:, 1], reach[:, 1], reach[:, 0], "o-", **style)
    for one, place in zip(several, at, strict=True):
        axes.annotate(f"{one.temperature:g}", tuple(place), (3, 3), textcoords="offset points")


def _everybody(authors: Authors) -> dict[str, Sequence[Text]]:
    return {GENERATOR: authors.fake, **authors.rivals}


def _lines(key: str, name: str, found: dict[str, Estimate], truth: Estimate) -> Iterator[Line]:
    for who, estimate in found.items():
        if who == GENERATOR:
            yield Line(key, name, estimate, truth, "lower")
        else:
            yield Line(f"{key}_{who.split(maxsplit=1)[0]}", f"· {who}", estimate, truth, "lower")


def _note(ahead: dict[str, list[str]], what: str, found: dict[str, Estimate]) -> None:
    """Keep who is better by more than both intervals."""
    if LIKELIHOOD not in found:
        return
    ours, rival = found[GENERATOR], found[LIKELIHOOD]
    who = GENERATOR if ours.high < rival.low else LIKELIHOOD if rival.high < ours.low else "neither"
    ahead[who].append(what)


def _words(ahead: dict[str, list[str]]) -> str:
    told = [f"{who}: {', '.join(what)}" for who, what in ahead.items() if what]
    return (
        "ahead of the other by more than the intervals, of generator and likelihood model trained "
        f"for the same time: {'; '.join(told)}"
    )


def _shares(authors: Authors) -> Iterator[Line]:
    known = set(authors.train)
    for key in ("unique", "novel"):
        for who, texts in _everybody(authors).items():
            count = len(set(texts)) if key == "unique" else sum(t not in known for t in texts)
            ours = who == GENERATOR
            suffix = "" if ours else f"_{who.split(maxsplit=1)[0]}"
            name = f"{key}, share" if ours else f"· {who}"
            yield Line(f"{key}{suffix}", name, _share(count, len(texts)), None, "as real")


def _share(count: int, n: int) -> Estimate:
    interval = binomtest(count, n).proportion_ci(LEVEL, "wilson")
    return Estimate(count / n, interval.low, interval.high, n, "Wilson", LEVEL)


def _edits(authors: Authors) -> Line:
    """Compare how near samples and held-out texts lie to training texts."""
    train = authors.train[:AMONG]
    fake, held = (nearest_edits(t[:EDITED], train) for t in (authors.fake, authors.held_out))
    found = area(held, fake)
    told = replace(found, method=f"{found.method}; edits to the nearest training text")
    equal = Estimate(0.5, 0.5, 0.5, found.n, "by definition")
    return Line("edits", "nearer to training, area", told, equal, "as real")
