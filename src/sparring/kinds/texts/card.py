"""What the card of texts says beside features, always with the likelihood model at its side.

Inside: which measurements, of whom, and the words. Not inside: the measures (`metrics`), the
likelihood model (`likelihood`), drawing samples (`baselines`).

A language GAN is often behind a model of the same size that was trained by likelihood for the same
time (Caccia 2020). Both are judged here by the same measures, beside a sampler of 3-grams and real
texts, each at its own temperatures too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparring.kinds.texts.metrics import (
    CountModel,
    Text,
    bits_difference,
    bits_test,
    difference,
    nearest_edits,
    ngram_js,
    ngram_js_difference,
)
from sparring.metrics.classifier import auc_estimate
from sparring.metrics.estimate import Estimate
from sparring.metrics.families import holm
from sparring.metrics.likelihoods import relative_kl
from sparring.metrics.line import CardLine, Note
from sparring.metrics.proportions import wilson_share

ORDERS = (1, 2, 3, 4)  # of n-grams that are compared
MODEL_ORDER = 5  # of the counted language models
MAX_COUNTED = 200_000  # training texts of a counted language model
MAX_EDITED = 500  # texts whose nearest training text is looked for
MAX_SEARCHED = 100_000  # training texts that it is looked for among
MAX_P = 0.05  # of all differences from the likelihood model together
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
    train_is_known: bool = True  # or other real texts stand in for what was trained on
    log_likelihoods: NDArray[np.float64] | None = None  # of held-out texts, by that model; nats

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
    held_out, generated = sets.held_out, sets.generated
    natural = sets.train[: len(sets.fake)]
    for order in ORDERS:
        begin(f"{order}-grams")
        estimates = {whose: ngram_js(held_out, texts, order) for whose, texts in generated.items()}
        real = ngram_js(held_out, natural, order)
        yield from _lines(f"js{order}", f"JS of {order}-grams, bits", estimates, real)
    begin("language models")
    estimates = {whose: scorers.quality(texts) for whose, texts in generated.items()}
    estimates[GENERATOR] = bits_test(scorers.of_train, held_out, sets.fake)
    for line in _lines("lm_bits", "bits by model of real", estimates, scorers.quality(held_out)):
        yield replace(line, found="has texts less probable than real ones")
    estimates = {whose: scorers.diversity(texts) for whose, texts in generated.items()}
    yield from _lines(
        "reverse_bits", "bits of real by its model", estimates, scorers.diversity(natural)
    )
    if sets.log_likelihoods is not None:
        yield _rival(sets.log_likelihoods, scorers.of_train.log_likelihoods(held_out))
    yield from _shares(sets)
    if sets.train_is_known:
        begin("edits from training texts")
        yield _edits(sets)
    if LIKELIHOOD in sets.baselines:
        begin("generator against likelihood model")
        note(_better_words(_differences(sets, scorers)))


def _lines(
    key: str, name: str, estimates: dict[str, Estimate], real: Estimate
) -> Iterator[CardLine]:
    for whose, estimate in estimates.items():
        yield CardLine(_key(key, whose), _name(name, whose), estimate, real, "lower")


def _rival(log_likelihoods: NDArray[np.float64], of_counted: NDArray[np.float64]) -> CardLine:
    """Say how much nearer to held-out texts the likelihood model is than counted 5-grams are."""
    name = f"KL, it less {MODEL_ORDER}-grams, nats"
    difference = replace(relative_kl(log_likelihoods, of_counted), p_value=None)
    reason = "it judges the likelihood model, not the samples"
    return CardLine(
        _key("relative_kl", LIKELIHOOD), f"· {name}", difference, None, "lower", reason=reason
    )


def _key(key: str, whose: str) -> str:
    return key if whose == GENERATOR else f"{key}_{whose.split(maxsplit=1)[0]}"


def _name(name: str, whose: str) -> str:
    return name if whose == GENERATOR else f"· {whose}"


def _differences(sets: TextSets, scorers: NGramScorers) -> dict[str, Estimate]:
    """Return by how much the generator is further from real texts than the likelihood model."""
    ours, theirs = sets.fake, sets.baselines[LIKELIHOOD]
    by_order = {
        f"{order}-grams": ngram_js_difference(sets.held_out, ours, theirs, order)
        for order in ORDERS
    }
    one, other = (CountModel(texts, MODEL_ORDER, sets.units) for texts in (ours, theirs))
    return {
        **by_order,
        "bits by a model of real texts": difference(scorers.quality(ours), scorers.quality(theirs)),
        "bits of real texts": bits_difference(one, other, sets.held_out),
    }


def _better_words(differences: dict[str, Estimate]) -> str:
    """Say who is ahead in what, by tests of the differences, corrected for their number."""
    p_values = holm([one.p_value or 0.0 for one in differences.values()])
    better: dict[str, list[str]] = {GENERATOR: [], LIKELIHOOD: [], "neither": []}
    for (what, one), p in zip(differences.items(), p_values, strict=True):
        ahead = GENERATOR if one.value < 0 else LIKELIHOOD
        better[ahead if p <= MAX_P else "neither"].append(what)
    parts = [f"{whose}: {', '.join(what)}" for whose, what in better.items() if what]
    return (
        "ahead of the other (differences tested, 5 % for all together), of generator and "
        f"likelihood model trained for the same time: {'; '.join(parts)}"
    )


def _shares(sets: TextSets) -> Iterator[CardLine]:
    train = set(sets.train)
    for key in ("unique", "novel") if sets.train_is_known else ("unique",):
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
