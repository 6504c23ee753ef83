"""What the card of texts says beside features, always with the likelihood model at its side.

Inside: which measurements, of whom, and the words. Not inside: the measures (`metrics`), the
likelihood model (`likelihood`), drawing samples (`baselines`).

A language GAN is often behind a model of the same size that was trained by likelihood for the same
time (Caccia 2020). Both are judged here by the same measures, beside a sampler of 3-grams and real
texts, each at its own temperatures too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sparring.kinds.texts.metrics import CountModel, Text, nearest_edits, ngram_js
from sparring.metrics.classifier import auc_estimate
from sparring.metrics.estimate import Estimate
from sparring.metrics.line import CardLine, Note
from sparring.metrics.proportions import wilson_share

ORDERS = (1, 2, 3, 4)  # of n-grams that are compared
MODEL_ORDER = 5  # of the counted language models
MAX_COUNTED = 200_000  # training texts of a counted language model
MAX_EDITED = 500  # texts whose nearest training text is looked for
MAX_SEARCHED = 100_000  # training texts that it is looked for among
GENERATOR, LIKELIHOOD, GRAMS = "samples", "likelihood model", "3-gram sampler"


@dataclass(frozen=True)
class SamplesAtTemperature:
    """Texts of one sampler, at one temperature (of a generator: truncation)."""

    temperature: float
    texts: Sequence[Text]


@dataclass(frozen=True)
class TextSets:
    """All texts that the card compares."""

    train: Sequence[Text]
    held_out: Sequence[Text]
    fake: Sequence[Text]
    baselines: dict[str, Sequence[Text]]  # the likelihood model's, the 3-gram sampler's
    curves: dict[str, tuple[SamplesAtTemperature, ...]]  # by whom, at several temperatures
    units: int  # different ones, the end among them

    @property
    def generated(self) -> dict[str, Sequence[Text]]:
        """The generator's texts and those of the baselines, by whose they are."""
        return {GENERATOR: self.fake, **self.baselines}


class NGramScorers:
    """The counted language models that score texts."""

    def __init__(self, sets: TextSets) -> None:
        self.sets = sets
        self.of_train = CountModel(sets.train[:MAX_COUNTED], MODEL_ORDER, sets.units)

    def quality(self, texts: Sequence[Text]) -> Estimate:
        """Return bits of a unit of these texts by a model of training texts: low is like them."""
        return self.of_train.bits(texts)

    def diversity(self, texts: Sequence[Text]) -> Estimate:
        """Return bits of a unit of held-out texts by a model of these: low is all of them."""
        return CountModel(texts, MODEL_ORDER, self.sets.units).bits(self.sets.held_out)


def measure_texts(
    sets: TextSets, scorers: NGramScorers, begin: Callable[[str], None], note: Note
) -> Iterator[CardLine]:
    """Yield the lines of the card; each measure of the samples, then of the baselines.

    Args:
        sets: of texts, real and generated.
        scorers: counted from them.
        begin: called with the name of each measurement in turn.
        note: called with what people should know beside the lines.
    """
    better: dict[str, list[str]] = {GENERATOR: [], LIKELIHOOD: [], "neither": []}
    held_out, generated = sets.held_out, sets.generated
    natural = sets.train[: len(held_out)]
    for order in ORDERS:
        begin(f"{order}-grams")
        estimates = {whose: ngram_js(held_out, texts, order) for whose, texts in generated.items()}
        real = ngram_js(held_out, natural, order)
        yield from _lines(f"js{order}", f"JS of {order}-grams, bits", estimates, real)
        _count_better(better, f"{order}-grams", estimates)
    begin("language models")
    estimates = {whose: scorers.quality(texts) for whose, texts in generated.items()}
    yield from _lines("lm_bits", "bits by model of real", estimates, scorers.quality(held_out))
    _count_better(better, "bits by a model of real texts", estimates)
    estimates = {whose: scorers.diversity(texts) for whose, texts in generated.items()}
    yield from _lines(
        "reverse_bits", "bits of real by its model", estimates, scorers.diversity(natural)
    )
    _count_better(better, "bits of real texts", estimates)
    yield from _shares(sets)
    begin("edits from training texts")
    yield _edits(sets)
    if LIKELIHOOD in sets.baselines:
        note(_better_words(better))


def _lines(
    key: str, name: str, estimates: dict[str, Estimate], real: Estimate
) -> Iterator[CardLine]:
    for whose, estimate in estimates.items():
        yield CardLine(_key(key, whose), _name(name, whose), estimate, real, "lower")


def _key(key: str, whose: str) -> str:
    return key if whose == GENERATOR else f"{key}_{whose.split(maxsplit=1)[0]}"


def _name(name: str, whose: str) -> str:
    return name if whose == GENERATOR else f"· {whose}"


def _count_better(better: dict[str, list[str]], what: str, estimates: dict[str, Estimate]) -> None:
    """Keep who is better by more than both intervals."""
    if LIKELIHOOD not in estimates:
        return
    ours, theirs = estimates[GENERATOR], estimates[LIKELIHOOD]
    if ours.high < theirs.low:
        better[GENERATOR].append(what)
    else:
        better[LIKELIHOOD if theirs.high < ours.low else "neither"].append(what)


def _better_words(better: dict[str, list[str]]) -> str:
    parts = [f"{whose}: {', '.join(what)}" for whose, what in better.items() if what]
    return (
        "ahead of the other by more than the intervals, of generator and likelihood model trained "
        f"for the same time: {'; '.join(parts)}"
    )


def _shares(sets: TextSets) -> Iterator[CardLine]:
    train = set(sets.train)
    for key in ("unique", "novel"):
        for whose, texts in sets.generated.items():
            count = len(set(texts)) if key == "unique" else sum(t not in train for t in texts)
            share = wilson_share(count, len(texts))
            yield CardLine(_key(key, whose), _name(f"{key}, share", whose), share, None, "as real")


def _edits(sets: TextSets) -> CardLine:
    """Compare how near samples and held-out texts lie to training texts."""
    train = sets.train[:MAX_SEARCHED]
    fake, held_out = (nearest_edits(t[:MAX_EDITED], train) for t in (sets.fake, sets.held_out))
    auc = auc_estimate(held_out, fake)
    estimate = replace(auc, method=f"{auc.method}; edits to the nearest training text")
    equal = Estimate(0.5, 0.5, 0.5, auc.n, "by definition")
    return CardLine("edits", "nearer to training, area", estimate, equal, "as real")
