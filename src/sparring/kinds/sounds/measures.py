"""What sounds are measured by: their mel pictures, voices, and properties that people hear."""

from collections.abc import Iterator
from pathlib import Path

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.features import classifier, pictures
from sparring.features.classifier import train_or_load_classifier
from sparring.features.convolutions import fixed_convolutions
from sparring.features.extractor import Extractor, Extractors
from sparring.kinds.kind import EvaluatedRun
from sparring.kinds.sounds.card import DISTRIBUTIONS, MAX_SOUNDS, measure_sounds, properties
from sparring.kinds.sounds.features import mel, resemblyzer
from sparring.kinds.sounds.features.mel import mel_pictures, picture_framing, pictured
from sparring.kinds.sounds.spec import AudioSpec
from sparring.metrics.line import CardLine

EXTRACTORS = {
    mel.NAME: "up to 64 components of sounds' power in mel bands over time",
    resemblyzer.NAME: f"256 features of voices; `pip install --no-deps {resemblyzer.PACKAGE}`",
    **pictures.EXTRACTORS,
}


def default_extractor(data: Dataset) -> str:
    """Return the components of mel pictures: they need no labels and no download."""
    return mel.NAME


def build_extractor(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return an extractor that looks at pictures of sounds, or hears them."""
    match name:
        case mel.NAME:
            return mel.log_mel_components(data)
        case resemblyzer.NAME:
            return resemblyzer.voice_encoder(data)
        case _:
            extractor = pictures.build_picture_extractor(name, pictured(data), cache, progress)
            return mel.of_sounds(extractor, _spec(data).framing)


def with_companions(extractor: Extractor, data: Dataset, cache: Path) -> Extractors:
    """Return the extractor, a fixed one for copying, and a classifier of labelled sounds."""
    learned, unlearned = extractor.name == classifier.NAME, extractor
    if not extractor.is_fixed:
        unlearned = fixed_convolutions(pictured(data).items.shape[1:])
        unlearned = mel.of_sounds(unlearned, _spec(data).framing)
    if data.labels is None:
        return Extractors(extractor, unlearned, None, learned)
    trained = train_or_load_classifier(pictured(data), cache)
    framing = picture_framing(_spec(data).framing)
    return Extractors(
        extractor,
        unlearned,
        lambda items: trained.probabilities(mel_pictures(items, framing)),
        learned,
    )


def card_lines(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield how sounds are heard to differ; draw how bright, loud and long they are."""
    from sparring.kinds.sounds.figures import draw_properties

    spec: AudioSpec = run.spec
    run.begin("brightness, loudness, artefacts")
    held_out = properties(run.reference.shuffled_items(MAX_SOUNDS), spec)
    train = properties(run.train.shuffled_items(MAX_SOUNDS), spec) if run.train else None
    fake = properties(run.fake[:MAX_SOUNDS], spec)
    shown = [{name: side[name] for name in DISTRIBUTIONS} for side in (held_out, fake)]
    run.picture("evaluation-properties.png", lambda: draw_properties(*shown))
    yield from measure_sounds((train, held_out, fake), spec, run.note)


def _spec(data: Dataset) -> AudioSpec:
    assert isinstance(data.spec, AudioSpec)
    return data.spec
