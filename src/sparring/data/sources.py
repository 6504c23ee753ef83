"""Where data come from: what people give, as readers take it, and where it is found again.

Inside: `as_source`, keeping a source for a resume, its short name, and a missing one. What only one
kind takes, it keeps itself (`kinds/*/reader`).
"""

import dataclasses
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_type_hints, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.options import CommonOptions, NamesFile
from sparring.errors import RequestWarning, SparringError, nearest
from sparring.runs.folder import written_atomically

Array = NDArray[Any]
T = TypeVar("T", bound=CommonOptions)

# Half of a pair of UTF-16 units: texts of Python and JSON may hold it, no file can.
HALF_CHARACTER = re.compile("[\ud800-\udfff]")
OTHER_FRAMES = ("DataFrame", "LazyFrame", "Table")  # what other packages than pandas call theirs


@runtime_checkable
class _MakesArray(Protocol):
    """What gives NumPy an array: arrays of other packages, files of arrays."""

    def __array__(self) -> Array: ...


@runtime_checkable
class _LaidOutAsArray(Protocol):
    """What tells NumPy where its numbers lie: pictures of Pillow."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


_ArrayLike = _MakesArray | _LaidOutAsArray


def as_source(source: Any) -> Any:
    """Return what people give in the form that readers take.

    Tensors and arrays of other packages become NumPy's; arrays of one shape, two-dimensional or
    more, become one; tuples, series and arrays of texts become lists. What readers take is
    returned as it is, and so is what none takes.

    Raises:
        SparringError: it can be read once only, is a frame of another package, or an array hides
            cells behind a mask.
    """
    if isinstance(source, str | Path):
        return source
    if isinstance(source, os.PathLike):
        return Path(source)
    if isinstance(source, Iterator):
        raise SparringError(
            f"data is a {type(source).__name__}, which can be read only once; give list(…) of it"
        )
    pandas = sys.modules.get("pandas")  # nothing is of pandas before that is imported
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return source
    if pandas is not None and isinstance(source, pandas.Series | pandas.Index):
        return _of_series(source)
    if type(source).__name__ in OTHER_FRAMES:
        package = type(source).__module__.partition(".")[0]
        raise SparringError(
            f"data is a {type(source).__name__} of {package}; give it as one of pandas: "
            "data.to_pandas()"
        )
    if isinstance(source, list | tuple):
        return _of_list(list(source))
    return _of_array(_plain_array(source)) if isinstance(source, _ArrayLike) else source


def with_target(source: Any, target: Any) -> Any:
    """Return a data frame with a target as its last column; of other sources it is not used.

    The column is called as the target is, or `y`. A frame of targets adds all its columns.

    Raises:
        SparringError: it has another length than the frame, or the name of one of its columns.
    """
    pandas = sys.modules.get("pandas")
    if target is None:
        return source
    if pandas is None or not isinstance(source, pandas.DataFrame):
        warnings.warn(
            "y is not used: only a data frame has a place for it, in a column of its own",
            RequestWarning,
            stacklevel=3,
        )
        return source
    if len(target) != len(source):
        raise SparringError(f"y has {len(target):,} values for {len(source):,} rows of X")
    columns = target if isinstance(target, pandas.DataFrame) else pandas.Series(target)
    if isinstance(columns, pandas.Series):
        columns = columns.to_frame("y" if columns.name is None else str(columns.name))
    if twice := [str(name) for name in columns.columns if name in source.columns]:
        raise SparringError(f"X has a column '{twice[0]}' too; rename y")
    return source.join(columns.set_axis(source.index))


def keep(source: Any, folder: Path, named: Sequence[str]) -> str:
    """Return where a resume finds a path, a named set or an array, which is written down."""
    if isinstance(source, np.ndarray):
        with kept_file(folder / "data.npy") as beside, beside.open("wb") as file:
            np.save(file, source, allow_pickle=False)
        return str((folder / "data.npy").resolve())
    return str(source) if source in named else str(Path(source).resolve())


@contextmanager
def kept_file(path: Path) -> Iterator[Path]:
    """Give a file to write, which takes its place when it is whole; refuse what has no room."""
    try:
        with written_atomically(path) as beside:
            yield beside
    except OSError as error:
        raise SparringError(
            f"the data cannot be kept in '{path.parent}': {error.strerror or error}; free some "
            "room, or train on a file"
        ) from error


def with_absolute_paths(options: T) -> T:
    """Return options of data whose files are found from every working folder."""
    absolute: dict[str, Any] = {}
    for name, hint in get_type_hints(type(options), include_extras=True).items():
        value = getattr(options, name)
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, NamesFile) and mark.named_by(value):
                absolute[name] = str(Path(value).resolve())
    return dataclasses.replace(options, **absolute)


def short_name(path: Path, default: str) -> str:
    """Return what a source is called: its file or folder without suffixes."""
    return path.resolve().name.split(".")[0] or default


def note_shadowed_path(name: str | Path) -> tuple[str, ...]:
    """Return a note where a path has the name of the named set that is used."""
    return (f"the named set is used; './{name}' is the path of that name",) * Path(name).exists()


def missing(path: Path, sets: Sequence[str], expected: str) -> SparringError:
    """Return the error of a path that leads nowhere; `sets` are the names of all data sets."""
    listed, hint = ", ".join(sets), nearest(str(path).lower(), sets)
    return SparringError(
        f"'{path}' is neither a file nor a named data set ({listed}){hint}; {expected}"
    )


def unusable(subject: str, source: Any, expected: str) -> SparringError:
    """Return the error of a value that a kind cannot use; `subject` is "data is", "rows are"."""
    name = type(source).__name__
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return SparringError(f"{subject} {article} {name}; expected {expected}{_contents(source)}")


def without_groups(groups: str, origin: str, have: str, *, given: bool) -> list[str]:
    """Refuse groups of data that have none, unless data is `given` to be read as a run's own.

    Args:
        groups: as they are asked for.
        origin: names the data.
        have: what groups there may be.
        given: whether the groups were asked for of other data; these are told of in a note.
    """
    if not groups:
        return []
    why = f"{origin} cannot be grouped by '{groups}'"
    if not given:
        raise SparringError(f"{why}; {have}")
    return [f"{why}: each item is taken to stand alone"]


def are_vectors(source: Any) -> bool:
    """Tell whether a source is a list of one-dimensional arrays, of whatever lengths."""
    return isinstance(source, list) and all(
        isinstance(part, np.ndarray) and part.ndim == 1 for part in source
    )


def _contents(source: Any) -> str:
    """Say what a list holds; nothing of anything else."""
    if not isinstance(source, list):
        return ""
    if shapes := sorted({str(part.shape) for part in source if isinstance(part, np.ndarray)}):
        return f"; it holds arrays of {len(shapes)} shapes, such as {' and '.join(shapes[:2])}"
    return f"; it holds {', '.join(sorted({type(part).__name__ for part in source})[:3])}"


def _of_series(series: Any) -> list[str]:
    """Return the texts of a series of pandas."""
    cells = list(series)
    if all(isinstance(cell, str) for cell in cells):
        return list(map(str, cells))
    raise SparringError(
        f"data is a {type(series).__name__} of {series.dtype}; only one of texts can be used, "
        "or a table: data.to_frame()"
    )


def _of_list(values: list[Any]) -> Any:
    if not values:
        raise SparringError("data is an empty list; expected texts, images or waves")
    if all(isinstance(value, str) for value in values):
        return list(map(str, values))  # NumPy's texts too
    if any(isinstance(value, str) for value in values):
        return values
    if all(isinstance(value, _ArrayLike) for value in values):
        arrays = [_plain_array(value) for value in values]
        alike = len({array.shape for array in arrays}) == 1 and arrays[0].ndim != 1
        return np.stack(arrays) if alike else arrays
    return _of_numbers(values)


def _of_numbers(values: list[Any]) -> Any:
    """Return the array of lists of numbers; lists of anything else as they are."""
    if not isinstance(values[0], list | tuple | Number):
        return values
    try:
        array = np.asarray(values)
    except ValueError:
        raise SparringError(
            "data is a list of lists of differing lengths; expected equal ones, or arrays"
        ) from None
    return values if array.dtype == object else array


def _plain_array(values: Any) -> Array:
    """Return an array or tensor as NumPy's own, sharing its memory where that can be."""
    if isinstance(values, np.ma.MaskedArray):
        raise SparringError("the array is masked; fill its hidden cells first: data.filled(…)")
    if not isinstance(values, Tensor):
        return np.asarray(values)
    try:
        plain = values.detach().cpu()
        array: Array = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
        return array
    except (TypeError, RuntimeError) as error:
        raise SparringError(
            f"the tensor, {values.dtype} and {values.layout}, is not an array: "
            f"{str(error).rstrip('.')}; expected a dense one of numbers"
        ) from None


def _of_array(array: Array) -> Any:
    """Return an array of texts or of objects as a list, any other as it is."""
    if array.ndim == 1 and (array.dtype == object or array.dtype.kind in "UT"):
        return _of_list(list(array))
    return array
