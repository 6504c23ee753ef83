"""Principal components and standardised coordinates against their definitions."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.features.components import MAX_COMPONENTS, coordinates, pixel_pca, principal_axes


@pytest.mark.parametrize(("rows", "width"), [(200, 30), (40, 90)], ids=["long", "wide"])
def test_axes_are_those_of_the_largest_variance_with_a_fixed_sign(rows: int, width: int) -> None:
    data = np.random.default_rng(0).normal(size=(rows, width)) * np.linspace(1, 3, width) + 5
    mean, axes = principal_axes(data)
    k = min(width, rows - 1, MAX_COMPONENTS)
    expected = PCA(k).fit(data).components_
    signs = np.sign(expected[np.arange(k), np.abs(expected).argmax(1)])
    np.testing.assert_allclose(axes.numpy().T, expected * signs[:, None], atol=1e-5)
    np.testing.assert_allclose(mean, data.mean(0), rtol=1e-6)


def test_pixel_components_keep_distances_on_the_scale_of_white(digits: Dataset) -> None:
    images = digits.items[:300]
    features = pixel_pca(images).run(images).astype(np.float64)
    flat = images.reshape(300, -1) / 255
    wanted = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    found = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.testing.assert_allclose(found, wanted, atol=1e-4)  # 8×8 pixels: nothing is left out
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-5)
    variances = features.var(0)
    assert (np.diff(variances) <= 1e-6).all()
    assert variances[0] > 20 * variances[30]


def test_constant_pixels_make_no_component(digits: Dataset) -> None:
    images = digits.items[:300]
    varying = (images.std(0) > 0).sum()
    assert varying < 64
    assert pixel_pca(images).width <= varying


def test_coordinates_are_standardised_by_the_training_points() -> None:
    random = np.random.default_rng(0)
    train = random.normal([3, -2, 0], [5, 0.1, 1], (500, 3)).astype(np.float32)
    train[:, 2] = 4  # constant
    extractor = coordinates(train)
    features = extractor.run(train)
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(0), [1, 1, 0], atol=1e-5)
    shifted = extractor.run(train + np.float32(1))
    scale = [*train[:, :2].std(0, dtype=np.float64), 1]
    np.testing.assert_allclose((shifted - features).mean(0), 1 / np.array(scale), rtol=1e-3)


def test_many_coordinates_become_their_components() -> None:
    random = np.random.default_rng(0)
    inner = random.normal(size=(300, 5))
    train = (inner @ random.normal(size=(5, 100))).astype(np.float32)
    extractor = coordinates(train)
    assert extractor.width == 5
    features = extractor.run(train).astype(np.float64)
    standard = (train - train.mean(0)) / train.std(0)
    np.testing.assert_allclose(
        np.linalg.norm(features, axis=1), np.linalg.norm(standard, axis=1), rtol=1e-3
    )


def test_training_items_that_are_all_the_same_are_refused(digits: Dataset) -> None:
    with pytest.raises(SparringError, match="all 10 training items are the same"):
        pixel_pca(digits.items[[4] * 10])


def test_coordinates_of_images_are_refused(digits: Dataset) -> None:
    with pytest.raises(SparringError, match="expected vectors"):
        coordinates(digits.items)
