"""The classifier: what it learns, what it keeps, what it says of itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from seeded import UPDATES

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.features.classifier import METADATA, ImageClassifier, train_or_load_classifier
from sparring.features.files import from_file
from sparring.kinds import DataOptions
from sparring.kinds.points.reader import open_data as open_vectors
from sparring.metrics.classes import class_score


def kept_file(cache: Path, data: Dataset, updates: int) -> Path:
    (path,) = (cache / "features").glob(f"classifier-{data.fingerprint[:16]}-*-{updates}.*")
    return path


def test_it_tells_the_digits_it_never_saw(digits: Dataset, digit_judge: ImageClassifier) -> None:
    assert digits.labels is not None
    held_out = digits.items[digits.held_out]
    probabilities = digit_judge.probabilities(held_out)
    assert probabilities.shape == (len(held_out), 10)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    right = (probabilities.argmax(1) == digits.labels[digits.held_out]).mean()
    assert right == digit_judge.accuracy
    assert right > 0.9
    assert digit_judge.classes == tuple("0123456789")
    assert class_score(probabilities).value > 6


def test_the_head_on_the_features_gives_the_probabilities(
    digits: Dataset, cache: Path, digit_judge: ImageClassifier
) -> None:
    """The features are the penultimate layer, before its activation x·σ(x)."""
    with safe_open(kept_file(cache, digits, UPDATES), "np") as file:
        weight, bias = file.get_tensor("head.weight"), file.get_tensor("head.bias")
    x = digit_judge.extractor.run(digits.items[:20]).astype(np.float64)
    logits = x / (1 + np.exp(-x)) @ weight.T + bias
    odds = np.exp(logits - logits.max(1, keepdims=True))
    found = digit_judge.probabilities(digits.items[:20])
    np.testing.assert_allclose(found, odds / odds.sum(1, keepdims=True), atol=1e-5)


def test_training_again_gives_the_same_weights_and_leaves_torch_as_it_was(
    digits: Dataset, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = train_or_load_classifier(digits, tmp_path / "one", updates=5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    torch.set_num_threads(2)
    try:
        second = train_or_load_classifier(digits, tmp_path / "two", updates=5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert first.extractor.digest == second.extractor.digest
    longer = train_or_load_classifier(digits, tmp_path / "one", updates=6)
    assert longer.extractor.digest != first.extractor.digest


def test_what_the_cache_has_is_not_trained_again(digits: Dataset, tmp_path: Path) -> None:
    told = []

    def progress(what: str, done: int, total: int) -> None:
        told.append((done, total))

    first = train_or_load_classifier(digits, tmp_path, progress=progress, updates=3)
    assert told == [(1, 3), (2, 3), (3, 3)]
    second = train_or_load_classifier(digits, tmp_path, progress=progress, updates=3)
    assert len(told) == 3
    assert first.extractor.digest == second.extractor.digest
    assert first.accuracy == second.accuracy
    other = replace(digits, fingerprint="f" * 32)
    train_or_load_classifier(other, tmp_path, progress=progress, updates=3)
    assert len(told) == 6


def test_a_damaged_cache_is_trained_again(digits: Dataset, tmp_path: Path) -> None:
    first = train_or_load_classifier(digits, tmp_path, updates=3)
    path = kept_file(tmp_path, digits, 3)
    path.write_bytes(path.read_bytes()[:500])
    assert (
        train_or_load_classifier(digits, tmp_path, updates=3).extractor.digest
        == first.extractor.digest
    )


def test_the_kept_file_can_be_given_to_others(
    digits: Dataset, cache: Path, digit_judge: ImageClassifier
) -> None:
    path = kept_file(cache, digits, UPDATES)
    extractor = from_file(path)
    assert extractor.digest == digit_judge.extractor.digest
    assert extractor.name == path.name
    items = digits.items[:30]
    assert np.array_equal(extractor.run(items), digit_judge.extractor.run(items))


@pytest.mark.parametrize(
    "about", ["", "null", "[]", json.dumps({"height": 8, "classes": ["a"]}), "{" * 2000]
)
def test_a_file_that_does_not_say_what_it_classifies_is_refused(tmp_path: Path, about) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, path, {METADATA: about})
    with pytest.raises(SparringError, match="does not say what it classifies"):
        from_file(path)


def test_without_labels_or_with_one_class_there_is_nothing_to_learn(
    digits: Dataset, plain: Dataset, tmp_path: Path
) -> None:
    assert digits.labels is not None
    for data in (plain, replace(digits, labels=np.zeros_like(digits.labels))):
        with pytest.raises(SparringError, match="labels of at least 2 classes"):
            train_or_load_classifier(data, tmp_path, updates=1)


def test_vectors_are_refused(tmp_path: Path) -> None:
    data = open_vectors(np.random.default_rng(0).normal(size=(50, 2)), DataOptions())
    with pytest.raises(SparringError, match="looks at images"):
        train_or_load_classifier(data, tmp_path)


@pytest.mark.parametrize("shape", [(64, 48, 4), (1, 5, 1), (8, 200, 2)])
def test_images_of_any_size_are_classified(digits: Dataset, tmp_path: Path, shape) -> None:
    items = np.random.default_rng(0).integers(0, 256, (40, *shape), np.uint8)
    items[20:] //= 4
    data = replace(
        digits,
        spec=replace(digits.spec, classes=("light", "dark")),
        items=items,
        labels=np.repeat([0, 1], 20),
        train=np.arange(4, 36),
        held_out=np.array([0, 1, 38, 39]),
        fingerprint=str(shape),
    )
    found = train_or_load_classifier(data, tmp_path, updates=12)
    assert found.extractor.run(items).shape == (40, 64)
    assert found.accuracy == 1
    nobody = replace(data, held_out=np.arange(0), fingerprint="none")
    assert train_or_load_classifier(nobody, tmp_path, updates=1).accuracy is None
