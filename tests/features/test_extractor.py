"""What every extractor shares: batches that do not show, digests that name what is inside."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from seeded import seeded_pixels

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.features.classifier import ImageClassifier
from sparring.features.components import coordinates, pixel_pca
from sparring.features.convolutions import random_convolutions
from sparring.features.extractor import (
    MICRO_BATCH,
    Extractor,
    Items,
    digest_of_arrays,
    in_batches,
    spread,
)

Made = tuple[Extractor, Items]

KINDS = ("pixel-pca", "random-convolutions", "classifier", "coordinates", "coordinates of 100")
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def made(digits: Dataset, digit_judge: ImageClassifier) -> Callable[[str], Made]:
    """Return a function that makes an extractor, and 150 items to look at."""

    def make(kind: str) -> Made:
        points = np.random.default_rng(0).normal(3, 2, (400, 7)).astype(np.float32)
        wide = np.random.default_rng(1).normal(size=(400, 100)).astype(np.float32)
        images = digits.items[:400]
        match kind:
            case "pixel-pca":
                return pixel_pca(images), images[:150]
            case "random-convolutions":
                return random_convolutions(images), images[:150]
            case "classifier":
                return digit_judge.extractor, images[:150]
            case "coordinates":
                return coordinates(points), points[:150]
            case _:
                return coordinates(wide), wide[:150]

    return make


@every_kind
def test_a_row_depends_on_its_item_alone_whatever_the_batch(made, kind: str) -> None:
    extractor, items = made(kind)
    features = extractor.run(items)
    assert features.shape == (len(items), extractor.width)
    assert features.dtype == np.float32
    order = np.random.default_rng(2).permutation(len(items))
    assert np.array_equal(extractor.run(items[order]), features[order])
    assert np.array_equal(extractor.run(items[70:71]), features[70:71])
    assert extractor.run(items[:0]).shape == (0, extractor.width)
    assert len(np.unique(features, axis=0)) == len(np.unique(items, axis=0)) > 1


@every_kind
def test_an_extractor_made_again_is_the_same_and_has_the_same_name(made, kind: str) -> None:
    (first, items), (second, _) = made(kind), made(kind)
    assert (first.name, first.digest, first.is_fid) == (second.name, second.digest, False)
    assert first.name == kind.split()[0]
    assert len(first.digest) == 16
    assert int(first.digest, 16) >= 0
    assert np.array_equal(first.run(items), second.run(items))


def test_what_an_extractor_was_fitted_to_shows_in_its_digest(digits: Dataset) -> None:
    for make in (pixel_pca, random_convolutions):
        assert make(digits.items[:100]).digest != make(digits.items[1:101]).digest
    points = digits.items[:100].reshape(100, -1).astype(np.float32)
    assert coordinates(points).digest != coordinates(points * 2).digest


@every_kind
def test_items_of_another_shape_are_refused_in_one_line(made, kind: str) -> None:
    extractor, items = made(kind)
    wrong = items[..., :-1] if items.ndim == 2 else items[:, :-1]
    with pytest.raises(SparringError, match="fitted to"):
        extractor.run(wrong)
    with pytest.raises(SparringError, match="of shape"):
        extractor.run(items[:, None])


def test_every_batch_is_full_and_only_the_real_rows_are_kept() -> None:
    seen = []

    def compute(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch.clone())
        return 2 * batch.float()

    items = np.arange(1, 2 * MICRO_BATCH + 12, dtype=np.uint8).reshape(-1, 1)
    assert np.array_equal(in_batches(compute, items, 1), 2.0 * items)
    assert [len(batch) for batch in seen] == [MICRO_BATCH] * 3
    assert not seen[-1][11:].any()


def test_a_spread_of_indices_covers_them_evenly_and_repeats_none() -> None:
    indices = np.arange(1000, 2000)
    assert np.array_equal(spread(indices, 4), [1000, 1250, 1500, 1750])
    assert np.array_equal(spread(indices, 5000), indices)
    assert len(np.unique(spread(indices, 999))) == 999
    assert len(spread(indices[:0], 5)) == 0


def test_a_digest_sees_names_types_shapes_and_numbers_but_no_order() -> None:
    one, two = np.arange(6, dtype=np.float32), np.ones(2, np.float32)
    digest = digest_of_arrays("kind", {"a": one, "b": two})
    assert digest == digest_of_arrays("kind", {"b": two, "a": one})
    others = [
        digest_of_arrays("other", {"a": one, "b": two}),
        digest_of_arrays("kind", {"b": one, "a": two}),
        digest_of_arrays("kind", {"a": one.reshape(2, 3), "b": two}),
        digest_of_arrays("kind", {"a": one.view(np.int32), "b": two}),
        digest_of_arrays("kind", {"a": one[::-1], "b": two}),
    ]
    assert len({digest, *others}) == 6


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (5, 3), (20, 33), (1, 40), (256, 256)])
def test_images_of_any_size_and_channels_have_features(size, channels: int) -> None:
    images = seeded_pixels(3, *size, channels)
    for extractor in (pixel_pca(images), random_convolutions(images)):
        features = extractor.run(images)
        assert features.shape == (3, extractor.width)
        assert np.isfinite(features).all()
        assert len(np.unique(features, axis=0)) == 3
