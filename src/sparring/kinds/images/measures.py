"""What images are measured by: extractors of pictures; their card is that of features."""

from pathlib import Path

from sparring.data.dataset import Dataset
from sparring.features import classifier
from sparring.features.convolutions import random_convolutions
from sparring.features.extractor import Extractor, Extractors, alone, spread
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
    """Return the extractor; beside the classifier, which knows the training data, another one."""
    if extractor.name != classifier.NAME:
        return alone(extractor, data, cache)
    unlearned = random_convolutions(data.items[spread(data.train)])
    if data.labels is None:
        return Extractors(extractor, unlearned, None)
    trained = classifier.train_or_load_classifier(data, cache)
    return Extractors(extractor, unlearned, trained.probabilities)


def card_lines(run: EvaluatedRun) -> tuple[CardLine, ...]:
    """Return none: all that is said of images is said of their features."""
    return ()
