from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from sparring.errors import SparringError
from sparring.kinds.images.codec import decode, encode
from sparring.kinds.images.spec import ImageSpec
from sparring.plotting import grid, png_bytes, write_images


def spec(channels=3, value_range="-1..1"):
    return ImageSpec(4, 16, channels, value_range=value_range)


def all_values(channels=3):
    values = torch.arange(256, dtype=torch.uint8).reshape(4, 4, 16, 1)
    return torch.cat([values.roll(i) for i in range(channels)], dim=3)


@pytest.mark.parametrize("value_range", ["-1..1", "0..1"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_decoding_what_was_encoded_gives_every_value_back(value_range, channels, dtype):
    about = spec(channels, value_range)
    pixels = all_values(channels)
    assert torch.equal(decode(encode(pixels, about).to(dtype), about), pixels)


@pytest.mark.parametrize(("value_range", "low"), [("-1..1", -1), ("0..1", 0)])
def test_encoded_pixels_are_channels_first_floats_in_the_range(value_range, low):
    samples = encode(all_values(), spec(value_range=value_range))
    assert samples.shape == (4, 3, 4, 16)
    assert samples.dtype == torch.float32
    assert samples.is_contiguous(memory_format=torch.channels_last)
    assert (samples.min(), samples.max()) == (low, 1)


def test_decoding_clamps_and_rounds():
    samples = torch.tensor([-9.0, -1.001, 0.0, 0.0039, 1.2]).reshape(1, 1, 1, 5)
    pixels = decode(samples, ImageSpec(1, 5, 1))
    assert pixels.ravel().tolist() == [0, 0, 128, 128, 255]
    assert pixels.shape == (1, 1, 5, 1)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_written_images_are_numbered_and_read_back_exactly(tmp_path, channels, mode):
    pixels = all_values(channels)
    paths = write_images(pixels, tmp_path / "new" / "out")
    assert [path.name for path in paths] == [f"{i:06d}.png" for i in range(4)]
    for path, image in zip(paths, pixels, strict=True):
        with Image.open(path) as found:
            assert found.mode == mode
            assert np.array_equal(np.asarray(found).reshape(4, 16, channels), image)
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == [p.name for p in paths]


def test_written_images_may_be_named(tmp_path):
    paths = write_images(all_values(1).numpy()[:2], tmp_path, ["a.png", "b.png"])
    assert [path.name for path in paths] == ["a.png", "b.png"]
    with pytest.raises(SparringError, match="1 names for 4 images"):
        write_images(all_values(1), tmp_path, ["a.png"])


def test_png_bytes_are_a_png_file_and_always_the_same():
    image = grid(all_values())
    with Image.open(BytesIO(png_bytes(image))) as found:
        assert found.format == "PNG"
        assert np.array_equal(found, image)
    assert png_bytes(image) == png_bytes(image.copy())


@pytest.mark.parametrize(("side", "shown"), [(8, 32), (28, 56), (32, 32), (64, 64), (1, 32)])
def test_small_images_are_enlarged_to_be_visible(side, shown):
    sheet = grid(np.zeros((4, side, side, 1), np.uint8))
    assert sheet.size == (2 * shown + 6, 2 * shown + 6)


def test_enlarging_repeats_pixels():
    pixels = np.array([[0, 255], [255, 0]], np.uint8).reshape(1, 2, 2, 1)
    sheet = np.asarray(grid(pixels, scale=3))[2:-2, 2:-2]
    assert np.array_equal(sheet, pixels[0, ..., 0].repeat(3, 0).repeat(3, 1))


def test_images_are_laid_out_row_by_row_in_the_asked_columns():
    pixels = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1).repeat(32, 1).repeat(32, 2)
    sheet = np.asarray(grid(pixels, columns=3))
    assert sheet.shape == (2 + 2 * 34, 2 + 3 * 34)
    assert [int(sheet[2, 2 + 34 * i]) for i in range(3)] == [0, 1, 2]
    assert [int(sheet[36, 2 + 34 * i]) for i in range(2)] == [3, 4]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGB")])
def test_a_sheet_is_always_opaque(channels, mode):
    assert grid(all_values(channels)).mode == mode


def test_transparency_shows_a_light_checkerboard():
    pixels = np.zeros((1, 32, 32, 4), np.uint8)
    sheet = np.asarray(grid(pixels))[2:-2, 2:-2]
    assert set(np.unique(sheet)) == {224, 255}
    pixels[..., 3] = 255
    assert (np.asarray(grid(pixels))[2:-2, 2:-2] == 0).all()


def test_nothing_to_lay_out_is_an_error():
    with pytest.raises(SparringError, match="no images"):
        grid(np.zeros((0, 4, 4, 1), np.uint8))
