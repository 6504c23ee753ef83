"""Data frames as sources: made plain when they come, kept in a file, and read again as they were.

The file is Feather, Arrow's own: unlike parquet it keeps categories of numbers, their order and all
units of time. Not inside: tables that come as files (`files`).
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparring.data.sources import HALF_CHARACTER, kept_file
from sparring.errors import SparringError
from sparring.kinds.tables.columns import Frame, Series, label_texts, pandas

OWN_TYPES = (
    "string",
    "boolean",
    "floating",
    "date",
    "datetime",
    "datetime64",
    "time",
    "decimal",
    "empty",
)


def is_frame(source: Any) -> bool:
    """Tell whether a source is a data frame of pandas, without importing it."""
    library = sys.modules.get("pandas")
    return library is not None and isinstance(source, library.DataFrame)


def plain(frame: Frame, chosen: Mapping[str, str]) -> tuple[Frame, tuple[str, ...]]:
    """Return a frame whose cells have types that a file can keep, without index, and notes.

    Cells of an object column that are of no one type, and categories that are neither text nor
    numbers, become text; the former only where a type is chosen for the column, so that otherwise
    they are refused for what they are.
    """
    bare = frame.reset_index(drop=True)
    columns = {name: _plain(bare[name], chosen=name in chosen) for name in bare.columns}
    turned = [n for n, cells in columns.items() if _kind(cells) == "string" != _kind(bare[n])]
    notes = tuple(f"column '{name}': cells turned into text" for name in turned)
    return pandas().DataFrame(columns), notes


def keep(frame: Frame, path: Path) -> None:
    """Write a plain frame as a file that `read` gives back cell by cell.

    Raises:
        SparringError: a column holds what no file can keep.
    """
    import pyarrow
    from pyarrow import feather

    try:
        table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise SparringError(f"the data frame cannot be kept: {_reason(error)}") from error
    with kept_file(path) as beside:
        feather.write_feather(table, str(beside))


def read(path: Path) -> Frame:
    """Read a Feather file; object columns are so again.

    Raises:
        SparringError: it is not such a file.
    """
    import pyarrow
    from pyarrow import feather

    try:
        table = feather.read_table(str(path), memory_map=False)
        frame = table.to_pandas(integer_object_nulls=True)
    except (OSError, ValueError, TypeError, pyarrow.ArrowException) as error:
        raise SparringError(f"'{path}' cannot be read as Feather: {_reason(error)}") from error
    known = (table.schema.pandas_metadata or {}).get("columns", ())
    objects = [column["name"] for column in known if column["numpy_type"] == "object"]
    return frame.astype({name: object for name in objects if name in frame.columns})


def _plain(series: Series, *, chosen: bool) -> Series:
    dtype = series.dtype
    if isinstance(dtype, pandas().CategoricalDtype):
        return _with_plain_categories(series)
    if (
        isinstance(dtype, pandas().ArrowDtype) and dtype.kind == "O"
    ):  # decimals, lists, times of day
        objects = pandas().Series(series.array.__arrow_array__().to_pandas(), name=series.name)
        return _plain(objects.astype(object), chosen=chosen)
    if isinstance(dtype, pandas().SparseDtype):
        return _plain(series.sparse.to_dense(), chosen=chosen)
    if dtype.kind in "Oc" and isinstance(dtype, np.dtype):
        return _plain_objects(series, chosen=chosen)
    if dtype == np.longdouble:
        return series.astype(np.float64)
    foreign = isinstance(dtype, np.dtype) and not dtype.isnative
    return series.astype(dtype.newbyteorder("=")) if foreign else series


def _with_plain_categories(series: Series) -> Series:
    """Return a categorical column whose categories are text, numbers or truths."""
    categories = series.dtype.categories
    if pandas().api.types.infer_dtype(categories) in ("string", "integer", "floating", "boolean"):
        return series
    texts = label_texts(categories)
    if len(set(texts)) < len(texts):
        raise SparringError(
            f"column '{series.name}' has categories of several types that read alike; make them "
            "text or numbers that differ"
        )
    return series.cat.rename_categories(texts)


def _plain_objects(series: Series, *, chosen: bool) -> Series:
    match pandas().api.types.infer_dtype(series, skipna=True):
        case "mixed-integer-float":
            return series.astype(np.float64).astype(object)
        case "integer":
            _refuse_huge_integers(series)
            return series
        case "string" if series.dropna().str.contains(HALF_CHARACTER).any():
            raise SparringError(
                f"column '{series.name}' holds text with half a character, which no file can hold"
            )
        case "timedelta" | "period":
            return series.infer_objects()
        case "datetime" if any(moment.tzinfo for moment in series.dropna()):
            alike = series.dropna().map(lambda moment: moment.tzinfo).nunique() == 1
            return pandas().to_datetime(series, utc=not alike)
        case known if known in OWN_TYPES:
            return series
    return series.map(str, na_action="ignore") if chosen or _is_constant(series) else series


def _kind(series: Series) -> str:
    """Return what the cells of a column are, or its categories."""
    categorical = isinstance(series.dtype, pandas().CategoricalDtype)
    cells = series.dtype.categories if categorical else series
    return str(pandas().api.types.infer_dtype(cells, skipna=True))


def _refuse_huge_integers(series: Series) -> None:
    try:
        series.astype("Int64")
    except OverflowError:
        raise SparringError(
            f"column '{series.name}' holds integers of more than 64 bits; turn them into text or "
            "floating point"
        ) from None


def _is_constant(series: Series) -> bool:
    try:
        return bool(series.nunique() == 1)
    except TypeError:  # lists and the like, refused later
        return False


def _reason(error: Exception) -> str:
    parts = [str(part) for part in error.args] or [type(error).__name__]
    return "; ".join(parts).split("\n")[0]
