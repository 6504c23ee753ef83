"""The digits with their labels, and a classifier of them, made once."""

from dataclasses import replace
from pathlib import Path

import pytest
from seeded import UPDATES

from sparring.data.dataset import Dataset
from sparring.features.classifier import ImageClassifier, train_or_load_classifier
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def digits(cache: Path) -> Dataset:
    """Return the 1,797 digits of 8×8 pixels, with labels."""
    return open_images("digits", DataOptions(labels="yes"), cache=cache)


@pytest.fixture(scope="session")
def plain(digits: Dataset) -> Dataset:
    """Return the digits without labels."""
    return replace(digits, labels=None, spec=replace(digits.spec, classes=()))


@pytest.fixture(scope="session")
def digit_judge(digits: Dataset, cache: Path) -> ImageClassifier:
    return train_or_load_classifier(digits, cache, updates=UPDATES)
