"""What is looked at while training."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sparring.data.labels import labels_in_proportion
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images


def test_the_first_labels_stand_for_all_of_data_that_are_sorted_by_class(tmp_path: Path) -> None:
    digits = open_images("digits", DataOptions(labels="yes"), cache=tmp_path)
    assert digits.labels is not None
    by_class = replace(digits, labels=np.sort(digits.labels))
    labels = labels_in_proportion(by_class, 300)
    assert labels is not None
    shares = np.bincount(labels.numpy(), minlength=10) / 300
    np.testing.assert_allclose(shares, 0.1, atol=0.05)


def test_more_labels_than_data_repeat_them(tmp_path: Path) -> None:
    digits = open_images("digits", DataOptions(labels="yes"), cache=tmp_path)
    assert digits.labels is not None
    n = len(digits.train)
    labels = labels_in_proportion(digits, 2 * n)
    assert labels is not None
    twice = 2 * np.bincount(digits.labels[digits.train])
    np.testing.assert_array_equal(np.bincount(labels.numpy()), twice)


def test_data_without_labels_give_none(tmp_path: Path) -> None:
    assert labels_in_proportion(open_images("digits", DataOptions(), cache=tmp_path), 5) is None
