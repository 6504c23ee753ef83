"""Features of real data on disk: extracted once, never believed when damaged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.data.dataset import Dataset
from sparring.features.components import pixel_pca
from sparring.features.extractor import Extractor
from sparring.features.reference import ReferenceSet, halved, part_features
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_images("digits", DataOptions(labels="none"), cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def eye(digits: Dataset) -> Extractor:
    return pixel_pca(digits.items[digits.train])


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_features_are_kept_and_read_again(digits: Dataset, eye: Extractor, tmp_path: Path) -> None:
    first = part_features(eye, digits, "held_out", tmp_path)
    np.testing.assert_array_equal(first, eye.run(digits.items[digits.held_out]))
    kept = only_file(tmp_path)
    written = kept.stat().st_mtime_ns
    again = part_features(eye, digits, "held_out", tmp_path)
    np.testing.assert_array_equal(first, again)
    assert only_file(tmp_path).stat().st_mtime_ns == written


def with_nan(features: NDArray[np.float32]) -> NDArray[np.float32]:
    features[7, 3] = np.nan
    return features


@pytest.mark.parametrize("damage", ["cut", "nan", "shape", "type", "pickle"])
def test_a_damaged_file_is_extracted_anew(
    damage: str, digits: Dataset, eye: Extractor, tmp_path: Path
) -> None:
    right = np.array(part_features(eye, digits, "held_out", tmp_path))
    kept = only_file(tmp_path)
    if damage == "cut":
        kept.write_bytes(kept.read_bytes()[:1000])
    elif damage == "nan":
        np.save(kept, with_nan(right.copy()))
    elif damage == "shape":
        np.save(kept, right[:-1])
    elif damage == "type":
        np.save(kept, right.astype(np.float64))
    else:
        np.save(kept, np.array([{}], object), allow_pickle=True)
    np.testing.assert_array_equal(part_features(eye, digits, "held_out", tmp_path), right)
    np.testing.assert_array_equal(np.load(only_file(tmp_path)), right)


def test_a_cache_that_cannot_be_written_costs_only_time(
    digits: Dataset, eye: Extractor, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    found = part_features(eye, digits, "held_out", tmp_path / "file")
    np.testing.assert_array_equal(found, eye.run(digits.items[digits.held_out]))


def test_at_most_as_many_as_asked_are_looked_at(
    digits: Dataset, eye: Extractor, tmp_path: Path
) -> None:
    assert part_features(eye, digits, "train", tmp_path, limit=50).shape == (50, eye.width)


def test_one_item_of_each_group_judges_unless_the_part_is_to_be_whole(
    digits: Dataset, eye: Extractor, tmp_path: Path
) -> None:
    grouped = replace(digits, groups=np.arange(len(digits.items)) // 4)
    assert grouped.groups is not None
    held_out = ReferenceSet(grouped, "held_out")
    owners = grouped.groups[held_out.index()]
    assert len(np.unique(owners)) == len(owners) < len(digits.held_out)
    assert held_out.groups is None
    whole = ReferenceSet(grouped, "held_out", whole=True)
    assert np.array_equal(whole.index(), digits.held_out)
    assert np.array_equal(whole.groups, grouped.groups[digits.held_out])  # type: ignore[arg-type]
    train = ReferenceSet(grouped, "train")
    assert np.array_equal(train.index(), digits.train)
    assert np.array_equal(train.groups, grouped.groups[digits.train])  # type: ignore[arg-type]
    lengths = [len(of.features(eye, tmp_path)) for of in (held_out, whole)]
    assert lengths == [len(owners), len(digits.held_out)]


def test_halves_of_training_data_divide_no_group(digits: Dataset) -> None:
    grouped = replace(digits, groups=np.arange(len(digits.items)) // 7)
    assert grouped.groups is not None
    halves = halved(grouped)
    assert not {*grouped.groups[halves.train]} & {*grouped.groups[halves.held_out]}
    assert sorted([*halves.train, *halves.held_out]) == digits.train.tolist()
    one = halved(replace(digits, groups=np.zeros(len(digits.items), np.int64)))
    assert abs(len(one.train) - len(one.held_out)) <= 1
