import pytest

from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.images.target import choose_target, parse_resolution


@pytest.mark.parametrize(
    ("text", "size"),
    [("auto", None), ("64", (64, 64)), ("48x64", (48, 64)), ("4", (4, 4)), ("1024", (1024, 1024))],
)
def test_a_resolution_is_a_side_or_height_by_width(text, size):
    assert parse_resolution(text) == size


@pytest.mark.parametrize(
    "text",
    ["0", "3", "7x", "x7", "-3", "1000000", "1025", "64x2", "64x64x3", "6.5", "", " 64", "１６"],
)
def test_nonsense_as_resolution_is_refused_with_the_allowed_range(text):
    with pytest.raises(SparringError, match=r"expected auto, .* from 4 to 1024") as caught:
        parse_resolution(text)
    assert repr(text)[1:-1] in str(caught.value)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (64, 64), (45, 61), (4, 64)])
def test_small_images_of_one_size_keep_it_without_a_note(size):
    target, notes = choose_target([size] * 5, grey=True, options=DataOptions())
    assert (target.height, target.width) == size
    assert notes == []


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(480, 640)] * 3, (48, 64)),
        ([(640, 480)] * 3, (64, 48)),
        ([(100, 100), (200, 200)], (64, 64)),
        ([(5000, 1)] * 3, (64, 8)),
        ([(1, 5000)] * 3, (8, 64)),
        ([(1, 1)] * 3, (64, 64)),
        ([(20, 20), (24, 24)], (64, 64)),
        ([(10, 100), (100, 100), (100, 100)], (64, 64)),
    ],
)
def test_other_sizes_get_the_median_aspect_ratio_with_the_longer_side_64(sizes, expected):
    target, _ = choose_target(sizes, grey=True, options=DataOptions())
    assert (target.height, target.width) == expected


def test_resizing_is_noted_with_the_median_size_and_the_key_that_changes_it():
    _, notes = choose_target([(480, 640), (482, 642)], grey=False, options=DataOptions())
    assert notes[0] == (
        "resized from 481x641 (median) to 48x64 (height x width); --data.resolution changes it"
    )


def test_enlarging_is_noted():
    _, notes = choose_target([(10, 10), (90, 90)], grey=False, options=DataOptions())
    assert "1 of 2 images are smaller than that and enlarged" in notes


@pytest.mark.parametrize(
    ("crop", "channels", "words"),
    [
        ("centre", "auto", "cut off"),
        ("pad", "auto", "padded with black"),
        ("pad", "4", "padded with transparency"),
        ("stretch", "auto", "stretched"),
    ],
)
def test_the_fate_of_other_aspect_ratios_is_noted(crop, channels, words):
    options = DataOptions(resolution="16", crop=crop, channels=channels)
    _, notes = choose_target([(16, 16), (16, 32)], grey=False, options=options)
    assert any("1 of 2" in note and words in note for note in notes)


@pytest.mark.parametrize(
    ("asked", "grey", "channels"),
    [("auto", True, 1), ("auto", False, 3), ("1", False, 1), ("4", True, 4)],
)
def test_channels_follow_the_wish_or_the_colour_of_the_images(asked, grey, channels):
    target, _ = choose_target([(8, 8)], grey=grey, options=DataOptions(channels=asked))
    assert target.shape == (8, 8, channels)
