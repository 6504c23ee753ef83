import numpy as np
import pytest

from sparring.errors import SparringError


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


def has_note(data, words):
    return any(words in note for note in data.notes)


def test_bytes_are_taken_as_they_are(opened):
    images = noise(30, 8, 12, 3)
    data = opened(images)
    assert np.array_equal(data.items, images)
    assert (data.name, data.spec.shape, data.labels) == ("array", (3, 8, 12), None)


def test_an_array_without_channels_is_grey(opened):
    images = noise(30, 8, 12)
    data = opened(images)
    assert np.array_equal(data.items[..., 0], images)
    assert data.spec.shape == (1, 8, 12)


def test_channels_first_are_moved_with_a_note(opened):
    images = noise(30, 3, 8, 12)
    data = opened(images)
    assert np.array_equal(data.items, images.transpose(0, 2, 3, 1))
    assert has_note(data, "channels come first")
    assert not has_note(opened(noise(30, 8, 12, 3)), "channels come first")


@pytest.mark.parametrize(
    ("images", "note"),
    [
        (np.linspace(0, 1, 256), "taken as 0 to 1"),
        (np.linspace(-1, 1, 256), "taken as -1 to 1"),
        (np.linspace(0, 255, 256, dtype=np.float32), "taken as 0 to 255"),
        (np.linspace(0, 1, 256).astype(np.float16), "taken as 0 to 1"),
        (np.linspace(0, 65535, 256).astype(np.uint16), "16-bit values scaled"),
        (np.linspace(0, 65535, 256).astype(">u2"), "16-bit values scaled"),
        (np.arange(256, dtype=np.int64), "int64 values taken as 0 to 255"),
        (np.arange(256, dtype=np.uint16), "uint16 values taken as 0 to 255"),
    ],
)
def test_the_range_of_the_values_is_found_and_noted(opened, images, note):
    data = opened(images.reshape(4, 8, 8))
    assert np.array_equal(data.items.ravel(), np.arange(256))
    assert has_note(data, note)


def test_booleans_are_black_and_white(opened):
    images = noise(4, 8, 8) > 127
    assert np.array_equal(opened(images).items[..., 0], images * 255)


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, -1.5, 1.02, 256.0], ids=lambda value: f"{value}"
)
def test_floats_in_no_known_range_are_refused(opened, value):
    images = np.full((4, 8, 8), 0.5)
    images[2, 3, 3] = value
    with pytest.raises(SparringError, match=r"holds values from .*rescale or clip"):
        opened(images)


@pytest.mark.parametrize("value", [-1, 256, 70000])
def test_integers_in_no_known_range_are_refused(opened, value):
    images = np.zeros((4, 8, 8), np.int32)
    images[0] = value
    with pytest.raises(SparringError, match=r"holds integers from .* expected 0 to 255"):
        opened(images)


@pytest.mark.parametrize(
    "images",
    [
        np.array([[[None]]] * 4, object),
        np.zeros((4, 8, 8), complex),
        np.zeros((4, 8, 8), "U3"),
        np.zeros((4, 8, 8), "datetime64[s]"),
        np.zeros((4, 8, 8), [("r", "u1")]),
    ],
    ids=lambda images: images.dtype.str,
)
def test_other_types_are_refused(opened, images):
    with pytest.raises(SparringError, match="holds values of type"):
        opened(images)


@pytest.mark.parametrize(
    "shape", [(), (4,), (4, 64), (4, 8, 8, 5), (4, 8, 8, 3, 1), (4, 0, 8), (4, 8, 8, 0)]
)
def test_other_shapes_are_refused(opened, shape):
    with pytest.raises(SparringError, match=r"has shape .*expected \(n, height, width\)"):
        opened(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_are_refused(opened, count):
    with pytest.raises(SparringError, match=f"holds {count} images; expected at least 2"):
        opened(np.zeros((count, 8, 8), np.uint8))


def test_images_larger_than_64_are_resized_and_it_is_noted(opened):
    data = opened(noise(4, 100, 200, 3))
    assert data.spec.shape == (3, 32, 64)
    assert has_note(data, "resized from 100x200 to 32x64")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_asked_resolution_and_channels_are_given(opened, channels):
    for have in (1, 2, 3, 4):
        data = opened(noise(4, 8, 8, have), resolution="16x24", channels=str(channels))
        assert data.items.shape == (4, 16, 24, channels)


def test_colour_that_is_grey_everywhere_becomes_one_channel(opened):
    grey = noise(70, 8, 8, 1).repeat(3, axis=3)
    assert np.array_equal(opened(grey).items, grey[..., :1])
    assert opened(grey, channels="3").spec.channels == 3
    grey[69, 0, 0, 0] ^= 1
    assert opened(grey).spec.channels == 3


def test_alpha_is_laid_on_white_or_kept(opened):
    images = noise(4, 8, 8, 4)
    images[..., 3] = 0
    data = opened(images)
    assert (data.items == 255).all()
    assert has_note(data, "4 of 4 images: transparency laid on white")
    kept = opened(images, channels="4")
    assert (kept.items == 0).all()
    assert not has_note(kept, "white")


def test_the_given_array_is_not_changed(opened):
    images = noise(4, 8, 8, 4)
    before = images.copy()
    opened(images, channels="4")
    assert np.array_equal(images, before)


def test_labels_cannot_come_from_a_csv_or_nowhere(opened):
    with pytest.raises(SparringError, match="names files, but the array is one array"):
        opened(noise(4, 8, 8), labels="labels.csv")
    with pytest.raises(SparringError, match="labels 'yes', but the array comes with none"):
        opened(noise(4, 8, 8), labels="yes")
