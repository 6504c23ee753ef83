"""Which extractor a name, or no name, leads to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.evaluation.extractors import choose, descriptions
from sparring.features import pictures as module
from sparring.features.classifier import ImageClassifier
from sparring.kinds import KINDS, DataOptions, kind_of
from sparring.kinds.points.reader import open_data as open_vectors


def default(data: Dataset) -> str:
    return kind_of(data.spec).measures.default_extractor(data)


def points(width: int) -> Dataset:
    array = np.random.default_rng(0).normal(5, 3, (200, width))
    return open_vectors(array, DataOptions())


def test_auto_is_the_best_that_needs_no_download(digits: Dataset, plain: Dataset) -> None:
    assert default(digits) == "classifier"
    assert default(plain) == "random-convolutions"
    assert default(points(2)) == "coordinates"


def test_labels_too_few_or_all_the_same_do_not_make_a_classifier(digits: Dataset) -> None:
    assert digits.labels is not None
    assert default(replace(digits, train=digits.train[:99])) == "random-convolutions"
    assert default(replace(digits, train=digits.train[:100])) == "classifier"
    same = replace(digits, labels=np.ones_like(digits.labels))
    assert default(same) == "random-convolutions"


def test_auto_trains_the_classifier_of_labelled_data(
    digits: Dataset, digit_judge: ImageClassifier, monkeypatch, tmp_path: Path
) -> None:
    asked = []

    def quick(data: Dataset, cache: Path, *, progress: object) -> ImageClassifier:
        asked.append((data, cache))
        return digit_judge

    monkeypatch.setattr(module, "train_or_load_classifier", quick)
    assert choose("auto", digits, cache=tmp_path) is digit_judge.extractor
    assert asked == [(digits, tmp_path)]


@pytest.mark.parametrize("name", ["random-convolutions", "pixel-pca"])
def test_images_are_fitted_to_training_items_only(plain: Dataset, tmp_path: Path, name) -> None:
    extractor = choose(name, plain, cache=tmp_path)
    assert extractor.name == name
    items = plain.items.copy()
    items[plain.held_out] = 0
    assert choose(name, replace(plain, items=items), cache=tmp_path).digest == extractor.digest
    items[plain.train[0]] += 1
    assert choose(name, replace(plain, items=items), cache=tmp_path).digest != extractor.digest


@pytest.mark.parametrize(("width", "features"), [(2, 2), (64, 64), (80, 64)])
def test_vectors_become_at_most_64_coordinates(tmp_path: Path, width: int, features: int) -> None:
    data = points(width)
    extractor = choose("auto", data, cache=tmp_path)
    assert (extractor.name, extractor.width) == ("coordinates", features)
    assert np.abs(extractor.run(data.items[data.train]).mean(0)).max() < 1e-4


def test_every_name_is_described_and_leads_somewhere(plain: Dataset, tmp_path: Path) -> None:
    for name, description in descriptions():
        assert "\n" not in description
        if name == "FILE":
            continue
        told = ""
        try:
            choose(name, points(2) if name == "coordinates" else plain, cache=tmp_path)
        except SparringError as error:
            told = str(error)
        assert "no extractor is called" not in told


def test_every_kind_offers_what_it_looks_through_while_training() -> None:
    for kind in KINDS:
        if kind.quick_features is None:
            assert kind.quick is not None
        else:
            assert kind.quick_features.extractor in kind.measures.EXTRACTORS
            assert kind.quick is None


def test_an_extractor_of_another_kind_is_refused_by_what_it_is_for(
    plain: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(SparringError, match=r"log-mel is for sounds; these are images"):
        choose("log-mel", plain, cache=tmp_path)
    with pytest.raises(SparringError, match=r"coordinates is for points, texts and rows; these"):
        choose("coordinates", plain, cache=tmp_path)


def test_an_unknown_name_is_answered_with_the_nearest(plain: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SparringError, match=r"called 'pixel-pcb'; did you mean 'pixel-pca'\?"):
        choose("pixel-pcb", plain, cache=tmp_path)


def test_a_path_leads_to_the_file_and_the_fid_needs_one(plain: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="does not exist"):
        choose(str(tmp_path / "mine.onnx"), plain, cache=tmp_path)
    with pytest.raises(SparringError, match="give the path of pt_inception"):
        choose("inception-fid", plain, cache=tmp_path)
