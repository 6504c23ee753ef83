"""What images are measured by: extractors of pictures; their card is that of features."""

from pathlib import Path

from sparring.data.dataset import Dataset
from sparring.features import classifier
from sparring.features.convolutions import fixed_convolutions
from sparring.features.extractor import Extractor, Extractors
from sparring.features.pictures import (
    EXTRACTORS,
    build_picture_extractor,
    default_picture_extractor,
)
from sparring.kinds.kind import EvaluatedRun
from sparring.metrics.line import CardLine

__all__ = ["EXTRACTORS", "build_extractor", "card_lines", "default_extractor", "with_companions"]

default_extractor = default_picture_extractor
build_extractor = build_picture_extractor


def with_companions(extractor: Extractor, data: Dataset, cache: Path) -> Extractors:
    """Return the extractor; beside one that is fitted to the training data, a fixed one."""
    unlearned = extractor if extractor.is_fixed else fixed_convolutions(data.items.shape[1:])
    if extractor.name != classifier.NAME:
        return Extractors(extractor, unlearned, None)
    if data.labels is None:
        return Extractors(extractor, unlearned, None, learned=True)
    trained = classifier.train_or_load_classifier(data, cache)
    return Extractors(extractor, unlearned, trained.probabilities, learned=True)


def card_lines(run: EvaluatedRun) -> tuple[CardLine, ...]:
    """Return none: all that is said of images is said of their features."""
    return ()
