"""Phase portraits: valid files, the same each time, whatever the game does."""

from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sparring import objectives, penalties
from sparring.theory.dirac import DiracGAN, trajectory
from sparring.theory.figures import phase_portrait

DAMPED = DiracGAN(objectives.relativistic, ((penalties.r1, 0.6),))


def test_a_portrait_is_a_picture_with_its_title() -> None:
    path = trajectory(DAMPED, (1, 1), "simultaneous", 0.1, 40)
    text = phase_portrait(DAMPED, path, "a title").decode()
    ElementTree.fromstring(text)
    assert "a title" in text
    assert "equilibrium" in text
    with Image.open(BytesIO(phase_portrait(DAMPED, path, "a title", "png"))) as picture:
        assert min(picture.size) > 500
        assert len(set(picture.convert("RGB").resize((60, 60)).get_flattened_data())) > 50


def test_the_same_portrait_has_the_same_bytes() -> None:
    path = trajectory(DAMPED, (1, 1), "simultaneous", 0.1, 10)
    assert phase_portrait(DAMPED, path, "") == phase_portrait(DAMPED, path, "")


def pixels(path: NDArray[np.float64]) -> NDArray[np.int64]:
    with Image.open(BytesIO(phase_portrait(DAMPED, path, "", "png"))) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int64)


def test_the_path_is_drawn_and_ends_where_it_leaves_for_good() -> None:
    path = np.array([[1.0, 1.0], [0.5, -0.5], [-1.0, -1.0]])
    gone = np.array([*path, [np.inf, 0.0], [0.3, 0.2], [-0.9, 0.9]])
    np.testing.assert_array_equal(pixels(path), pixels(gone))
    blue = (np.abs(pixels(path) - [0x00, 0x72, 0xB2]).max(-1) < 30).sum()
    assert blue > (np.abs(pixels(path[:1]) - [0x00, 0x72, 0xB2]).max(-1) < 30).sum() + 200


@pytest.mark.parametrize("end", [1e9, np.inf, np.nan])
def test_a_path_that_runs_away_is_drawn_as_far_as_the_picture_goes(end: float) -> None:
    path = np.array([[1.0, 1.0], [2.0, -2.0], [end, end]])
    assert phase_portrait(DAMPED, path, "").startswith(b"<?xml")
