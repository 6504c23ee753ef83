"""What people give from Python: each thing is taken as what it is, or refused in a line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from sparring import kinds
from sparring.data.sources import as_source, with_absolute_paths
from sparring.errors import SparringError
from sparring.kinds import DataOptions

PIXELS = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LONG, SHORT = np.linspace(-1, 1, 90, dtype=np.float32), np.linspace(-1, 1, 70, dtype=np.float32)


class Polars:
    """A frame of another package."""

    class DataFrame:
        columns = ("a",)


Polars.DataFrame.__module__ = "polars.dataframe.frame"


@pytest.mark.parametrize(
    "given",
    [
        PIXELS,
        torch.from_numpy(PIXELS),
        list(PIXELS),
        tuple(torch.from_numpy(PIXELS)),
        PIXELS.tolist(),
        np.array([*PIXELS, None], dtype=object)[:-1],
        PIXELS.view(np.memmap),
        [Image.fromarray(pixels) for pixels in PIXELS.astype(np.uint8)],
    ],
    ids=["array", "tensor", "list", "tensors", "numbers", "objects", "mapped", "pictures"],
)
def test_arrays_of_one_shape_are_one_array(given: Any) -> None:
    array = as_source(given)
    assert type(array) in (np.ndarray, np.memmap)
    assert array.dtype.kind in "ui"
    assert np.array_equal(array, PIXELS)


def test_tensors_share_their_memory_and_give_up_what_arrays_do_not_have() -> None:
    pixels = torch.zeros(3, 4, 4)
    as_source(pixels)[0, 0, 0] = 5
    assert pixels[0, 0, 0] == 5
    halves = torch.full((2, 2), 0.5, dtype=torch.bfloat16, requires_grad=True)
    assert as_source(halves).dtype == np.float32
    assert as_source(halves).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    with pytest.raises(SparringError, match=r"^the tensor, torch.float32 and torch.sparse_coo, is"):
        as_source(torch.zeros(3, 3).to_sparse())


@pytest.mark.parametrize(
    "given",
    [
        ["NA", "two\nlines"],
        ("NA", "two\nlines"),
        np.array(["NA", "two\nlines"]),
        np.array(["NA", "two\nlines"], dtype=object),
        np.array(["NA", "two\nlines"], dtype=np.dtypes.StringDType()),
        pd.Series(["NA", "two\nlines"]),
        pd.Index(["NA", "two\nlines"]),
        pd.Series(["NA", "two\nlines"], dtype="category"),
        [np.str_("NA"), np.str_("two\nlines")],
    ],
    ids=["list", "tuple", "array", "objects", "strings", "series", "index", "category", "numpy"],
)
def test_texts_of_any_sequence_are_a_list_of_plain_ones(given: Any) -> None:
    texts = as_source(given)
    assert texts == ["NA", "two\nlines"]
    assert {type(text) for text in texts} == {str}


def test_waves_of_differing_lengths_stay_a_list_of_arrays() -> None:
    for given in ([LONG, SHORT], (torch.from_numpy(LONG), SHORT), np.array([LONG, SHORT], object)):
        waves = as_source(given)
        assert isinstance(waves, list)
        assert [wave.shape for wave in waves] == [(90,), (70,)]
        assert np.array_equal(waves[0], LONG)


def test_what_readers_take_or_none_does_is_returned_as_it_is(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]})
    for given in ("digits", tmp_path, frame, {"a": 1}, 3, None):
        assert as_source(given) is given


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((text for text in "abc"), "data is a generator, which can be read only once; give list("),
        (zip("ab", "cd", strict=True), "data is a zip, which can be read only once"),
        ([], "data is an empty list; expected texts, images or waves"),
        (Polars.DataFrame(), "data is a DataFrame of polars; give it as one of pandas: data.to_p"),
        (pd.Series([1, 2]), "data is a Series of int64; only one of texts can be used, or a table"),
        (pd.Series(["a", None]), "data is a Series of "),
        (np.ma.masked_equal(PIXELS, 3), "the array is masked; fill its hidden cells first"),
        ([[1, 2], [3]], "data is a list of lists of differing lengths; expected equal ones"),
        (["a", 3], "number 2 of the list is of type int; expected only texts"),
        (
            [PIXELS, PIXELS[:, :2]],
            "data is a list; expected a path or a NumPy array, a data",
        ),
        ({"a": [1]}, "data is a dict; expected a path or a NumPy array, a data frame, or a list"),
        ([Path("a.png")], "data is a list; expected a path or a NumPy array, a data frame, or a l"),
        (b"digits", "data is a bytes; expected a path or a NumPy array"),
        (3, "data is an int; expected a path or a NumPy array"),
        ([LONG, SHORT], "2 waves come without their rate; give it as data.rate, such as 16000"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_data_is_refused_in_a_line(given: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(SparringError) as refusal:
        kinds.open_data(given, DataOptions(), cache=tmp_path)
    assert str(refusal.value).startswith(told)
    assert "\n" not in str(refusal.value)


def test_a_list_says_what_it_holds(tmp_path: Path) -> None:
    def told(source: Any) -> str:
        with pytest.raises(SparringError) as refusal:
            kinds.open_data(source, DataOptions(), cache=tmp_path)
        return str(refusal.value).rpartition("; ")[2]

    shapes = "it holds arrays of 2 shapes, such as (4, 2) and (4, 5)"
    assert told([PIXELS[0], PIXELS[0, :, :2], PIXELS[1]]) == shapes
    assert told([{"a": 1}, None]) == "it holds NoneType, dict"


def rows(n: int, width: int = 500) -> Iterator[Any]:
    random = np.random.default_rng(0)
    return (random.uniform(-0.9, 0.9, width).astype(np.float32) for _ in range(n))


def test_a_rate_makes_sounds_of_what_would_be_points(tmp_path: Path) -> None:
    array = np.stack(list(rows(6)))
    np.save(tmp_path / "waves.npy", array)
    for given in (array, list(array), tmp_path / "waves.npy"):
        for rate, expected in ((0, "vector"), (4000, "audio")):
            data = kinds.open_data(given, DataOptions(rate=rate), cache=tmp_path)
            assert kinds.kind_of(data.spec).name == expected


def test_files_that_options_name_are_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = with_absolute_paths(DataOptions(labels="labels.CSV", column=("a.csv=text",)))
    assert Path(named.labels) == tmp_path.resolve() / "labels.CSV"
    assert named.column == ("a.csv=text",)
    for choice in ("auto", "yes", "none", "Yes"):
        assert with_absolute_paths(DataOptions(labels=choice)).labels == choice
