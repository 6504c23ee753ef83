"""The random network: fixed weights, standardised features, and what they can tell apart."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from seeded import seeded_pixels

from sparring.data.dataset import Dataset
from sparring.features.convolutions import random_convolutions, random_kernels, statistics
from sparring.features.extractor import digest_of_arrays
from sparring.metrics.gaussians import frechet

Images = NDArray[np.uint8]


def test_the_weights_are_these_for_ever() -> None:
    """Whoever changes them must change the number in the digest's kind, and this one."""
    kernels = random_kernels((28, 28, 3))
    arrays = {str(i): kernel.numpy() for i, kernel in enumerate(kernels)}
    assert digest_of_arrays("", arrays) == "954a0106afbe209c"


@pytest.mark.parametrize(
    ("side", "layers"), [(3, 1), (8, 2), (15, 2), (16, 3), (28, 3), (64, 5), (256, 7)]
)
def test_the_number_of_layers_follows_the_size_and_features_are_about_256(side, layers) -> None:
    kernels = random_kernels((side, 2 * side, 3))
    assert len(kernels) == layers
    assert 230 <= len(kernels[0]) * (layers + 16) <= 256
    assert [kernel.shape[1] for kernel in kernels] == [3, *[len(kernels[0])] * (layers - 1)]


def test_features_of_the_training_images_are_standardised() -> None:
    images = seeded_pixels(200, 12, 12, 3)
    features = random_convolutions(images).run(images).astype(np.float64)
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-5)
    assert np.median(features.std(0)) == pytest.approx(1, abs=0.01)
    assert features.std(0).max() < 1.001


def test_a_feature_that_hardly_varies_is_not_blown_up(digits: Dataset) -> None:
    """The digits' corners are always black: a grey level there must not count for a thousand."""
    images = digits.items[:500]
    extractor = random_convolutions(images)
    lifted = np.maximum(images, 2)
    assert np.abs(extractor.run(lifted) - extractor.run(images)).max() < 0.5


def test_every_second_kernel_is_blind_to_shades_and_the_others_are_not() -> None:
    kernels = random_kernels((8, 8, 1))
    flat = torch.full((1, 1, 8, 8), 0.9)
    first = statistics(flat, kernels[:1])[0, : len(kernels[0])]
    assert float(first[::2].max()) < 1e-3
    assert float(first[1::2].max()) > 0.5


def test_the_layout_of_an_image_is_seen(digits: Dataset) -> None:
    images = digits.items[:50]
    extractor = random_convolutions(images)
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    assert np.abs(extractor.run(mirrored) - extractor.run(images)).mean() > 0.3


def distances(real: Images, versions: Sequence[Images]) -> list[float]:
    extractor = random_convolutions(real)
    features = extractor.run(real)
    return [frechet(features, extractor.run(one)).value for one in versions]


@pytest.fixture(scope="module")
def halves(digits: Dataset) -> tuple[Images, Images, NDArray[np.int64]]:
    """Return one half of the digits, the other, and the other's labels."""
    assert digits.labels is not None
    order = np.random.default_rng(0).permutation(len(digits.items))
    one, other = order[:898], order[898:]
    return digits.items[one], digits.items[other], digits.labels[other]


def test_more_blur_is_farther_from_real_digits(halves) -> None:
    real, other, _ = halves
    blurred = [gaussian_filter(other, (0, sigma, sigma, 0)) for sigma in (0.4, 0.7, 1.5)]
    found = distances(real, [other, *blurred])
    assert found == sorted(found)
    assert found[1] > 2 * abs(found[0]) + 5


def test_more_noise_is_farther_from_real_digits(halves) -> None:
    real, other, _ = halves
    noise = np.random.default_rng(1).normal(size=other.shape)
    noisy = [(other + sigma * noise).clip(0, 255).astype(np.uint8) for sigma in (10, 25, 60)]
    found = distances(real, [other, *noisy])
    assert found == sorted(found)
    assert found[2] > 2 * abs(found[0]) + 2


def test_fewer_classes_are_farther_from_real_digits(halves) -> None:
    """As many images each time, so that nothing but the classes differs."""
    real, other, labels = halves
    found = []
    for classes in (10, 8, 6):
        kept = other[labels < classes][:504]
        found += distances(real, [kept])
    assert found == sorted(found)
    assert found[1] > abs(found[0]) + 2
