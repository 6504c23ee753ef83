"""Vectors as data: arrays, `.npy` files and known densities in, points and files out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import DataOptions, open_data
from sparring.kinds.points.codec import coordinate_names, decode, describe, encode, write_points
from sparring.kinds.points.densities import density
from sparring.kinds.points.spec import DENSITIES, VectorSpec

POINTS = np.random.default_rng(0).normal([3, -200, 7], [1, 30, 1e-3], (400, 3))


def opened(source: str | Path | NDArray[np.generic], **options: object) -> Dataset:
    return open_data(source, DataOptions(**options), cache=Path("unused"))  # type: ignore[arg-type]


def spec(data: Dataset) -> VectorSpec:
    assert isinstance(data.spec, VectorSpec)
    return data.spec


def test_encoded_training_points_have_mean_zero_and_deviation_one() -> None:
    data = opened(POINTS)
    x = encode(torch.from_numpy(data.items[data.train]), spec(data))
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.mean(0), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(x.std(0, correction=0), torch.ones(3), rtol=1e-4, atol=0)


def test_decoding_undoes_encoding() -> None:
    data = opened(POINTS)
    back = decode(encode(torch.from_numpy(data.items), spec(data)), spec(data))
    np.testing.assert_allclose(back.numpy(), POINTS, rtol=1e-5)


def test_a_constant_coordinate_stays_and_is_told() -> None:
    data = opened(np.concatenate([POINTS, np.full((400, 1), 5.0)], axis=1))
    assert spec(data).scale[3] == 1
    assert "1 of 4 coordinates are constant" in data.notes
    encoded = encode(torch.from_numpy(data.items), spec(data))
    assert bool((encoded[:, 3] == 0).all())


def test_ten_percent_are_held_out_by_content() -> None:
    data = opened(POINTS)
    assert len(data.train) + len(data.held_out) == 400
    assert 20 <= len(data.held_out) <= 60
    assert len(opened(POINTS, held_out=0.0).held_out) == 0
    moved = opened(POINTS[::-1].copy())
    held = {tuple(row) for row in data.items[data.held_out]}
    assert held == {tuple(row) for row in moved.items[moved.held_out]}


def test_repeated_points_are_told() -> None:
    assert any("repeat" in note for note in opened(np.concatenate([POINTS, POINTS[:5]])).notes)


@pytest.mark.parametrize("name", DENSITIES)
def test_a_known_density_is_drawn_the_same_each_time(name: str) -> None:
    data = opened(name)
    assert spec(data).density == data.name == name
    assert data.items.shape == (100_000, density(name).dimensions)
    assert data.fingerprint == opened(name).fingerprint
    assert str(density(name)) in describe(spec(data))


def test_an_npy_file_of_two_dimensions_is_vectors(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", POINTS.astype(np.float32))
    data = opened(tmp_path / "points.npy")
    assert data.name == "points"
    np.testing.assert_array_equal(data.items, POINTS.astype(np.float32))
    assert data.fingerprint == opened(POINTS.astype(np.float32)).fingerprint


def test_the_kind_can_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match=r"vectors are read from a \.npy file"):
        opened(tmp_path, kind="vector")
    with pytest.raises(SparringError, match="expected"):
        opened(POINTS, kind="image")


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array([[1.0, np.nan], [1, 2], [np.inf, 3]]), "2 of 3 rows"),
        (np.ones((1, 3)), "1 points"),
        (np.ones((50, 3)), "all the same"),
        (np.ones((5, 0)), "shape"),
        (np.array([[1e30, 0.0], [0.0, 1.0]]), "at most"),
        (np.array([["a", "b"], ["c", "d"]]), "numbers"),
        (np.array([[1j, 2], [3, 4]]), "numbers"),
    ],
)
def test_unusable_arrays_get_one_line(array: NDArray[np.generic], told: str) -> None:
    with pytest.raises(SparringError, match=told):
        opened(array)


def test_points_are_written_as_text_and_arrays(tmp_path: Path) -> None:
    points = POINTS.astype(np.float32)
    write_points(points, tmp_path / "deep" / "a.csv")
    text = (tmp_path / "deep" / "a.csv").read_text()
    assert text.startswith("x,y,z\n")
    back = np.loadtxt(text.splitlines(), np.float32, delimiter=",", skiprows=1)
    np.testing.assert_array_equal(back, points)
    write_points(points, tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), points)
    write_points(points, tmp_path / "a.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["points"], points)
    with pytest.raises(SparringError, match=r"\.csv, \.npy, \.npz"):
        write_points(points, tmp_path / "a.xyz")


def test_many_coordinates_are_numbered() -> None:
    assert coordinate_names(2) == ("x", "y")
    assert coordinate_names(4) == ("x0", "x1", "x2", "x3")
