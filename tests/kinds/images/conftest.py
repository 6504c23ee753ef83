"""Small real files for the tests of data, and the one way these tests open them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from noise import noise

from sparring.data.dataset import Dataset
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images

Opened = Callable[..., Dataset]
Saved = Callable[..., Path]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Open a source with these options; the cache lies beside the data."""

    def open_with(source: Any, **options: Any) -> Dataset:
        return open_images(source, DataOptions(**options), cache=tmp_path / "cache")

    return open_with


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Save noise of a size (width, height) and mode under a name below `tmp_path / "set"`."""

    def save(name: str, size: tuple[int, int] = (16, 16), mode: str = "RGB", seed: int = 0) -> Path:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(size, mode, seed).save(path)
        return path

    return save


@pytest.fixture
def folder(tmp_path: Path, saved: Saved) -> Path:
    """Three different colour images of 16x16."""
    for i in range(3):
        saved(f"{i}.png", seed=i)
    return tmp_path / "set"
