"""Pixels made ready for networks: colours on white, sizes, thumbnails."""

import numpy as np
import pytest
import torch
from PIL import Image
from seeded import seeded_pixels
from torch import Tensor

from sparring.errors import SparringError
from sparring.features.pixels import (
    check_images,
    coloured,
    opaque,
    resized,
    thumbnails,
    visible,
)


def pixels(*shape: int) -> Tensor:
    return torch.from_numpy(seeded_pixels(*shape))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_colours_are_those_seen_on_white(mode: str) -> None:
    ours = seeded_pixels(1, 6, 5, 4)[:, ..., -len(mode) :]
    over = Image.fromarray(ours[0], mode).convert("RGBA")
    white = Image.new("RGBA", over.size, "white")
    expected = np.asarray(Image.alpha_composite(white, over).convert("RGB"), np.float32) / 255
    found = coloured(torch.from_numpy(ours.copy()))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, expected, atol=1.01 / 255)


def test_what_transparency_hides_has_no_effect_and_alpha_has() -> None:
    images = pixels(2, 4, 4, 4)
    images[..., 3] = 0
    hidden = images.clone()
    hidden[..., :3] = 7
    assert torch.equal(visible(images), visible(hidden))
    assert bool((visible(images)[:, :3] == 1).all())
    assert bool((visible(images)[:, 3] == 0).all())
    assert visible(pixels(1, 4, 4, 2)).shape == (1, 2, 4, 4)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_alpha_is_ignored_where_pillow_ignores_it(mode: str) -> None:
    images = seeded_pixels(1, 6, 5, len(mode))
    array = images[0, ..., 0] if mode == "L" else images[0]
    expected = np.asarray(Image.fromarray(array).convert("RGB"), np.float32) / 255
    found = opaque(torch.from_numpy(images))[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, expected)


def test_thumbnails_keep_small_images_and_average_large_ones() -> None:
    small = pixels(2, 32, 32, 3)
    assert torch.equal(thumbnails(small), small.permute(0, 3, 1, 2))
    board = torch.zeros(1, 128, 64, 1, dtype=torch.uint8)
    board[:, ::2, ::2] = 255
    board[:, 1::2, 1::2] = 255
    found = thumbnails(board)
    assert found.shape == (1, 1, 45, 22)
    assert float((found.float() - 127.5).abs().max()) < 8
    assert thumbnails(pixels(1, 1, 4000, 1)).shape == (1, 1, 1, 2023)


def test_a_size_that_is_already_right_is_not_touched() -> None:
    images = visible(pixels(1, 6, 5, 3))
    assert resized(images, 6, 5) is images
    assert resized(images, 3, 9).shape == (1, 3, 3, 9)


@pytest.mark.parametrize(
    "items",
    [
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 5), np.uint8),
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((2, 0, 8, 3), np.uint8),
    ],
)
def test_what_are_not_images_is_refused(items) -> None:
    with pytest.raises(SparringError, match=r"expects uint8 images"):
        check_images(items)


def test_images_of_another_size_are_refused_with_both_sizes() -> None:
    with pytest.raises(SparringError, match=r"8x9 with 1 channel; .* 8x8 with 3 channels"):
        check_images(np.zeros((2, 8, 9, 1), np.uint8), (8, 8, 3))
