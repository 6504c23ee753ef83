"""Phase portraits: valid files, the same each time, whatever the game does."""

from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from sparring import objectives, penalties
from sparring.portraits import phase_portrait
from sparring.theory.dirac import DiracGAN, trajectory

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


@pytest.mark.parametrize("end", [1e9, np.inf, np.nan])
def test_a_path_that_runs_away_is_drawn_as_far_as_the_picture_goes(end: float) -> None:
    path = np.array([[1.0, 1.0], [2.0, -2.0], [end, end]])
    assert phase_portrait(DAMPED, path, "").startswith(b"<?xml")
