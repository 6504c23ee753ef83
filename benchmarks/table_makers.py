"""Generators of tables, one a process: rows in a parquet file, made rows in another.

python -m benchmarks.table_makers NAME train.parquet made.parquet --rows 40000 --seconds 60 --seed 0

It imports nothing of this repository but what `ours` needs, so that other packages run in virtual
environments of their own; see `table_rivals`. What learns by epochs stops at the first one that
ends after so many CPU-seconds; what has an end of its own takes what it takes.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

MANY = 100_000  # epochs, more than any budget allows
Frame = pd.DataFrame
Make = Callable[[Frame, int, float, int], Frame]  # training rows, rows, seconds, seed -> made rows


def main() -> None:
    """Read, make, write, and print the CPU-seconds as JSON: of all, and of making rows."""
    parser = argparse.ArgumentParser(description="Make rows like those of a file.")
    parser.add_argument("name", choices=MAKERS)
    parser.add_argument("train", type=Path)
    parser.add_argument("made", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    train = pd.read_parquet(asked.train)
    began = time.process_time()
    made = MAKERS[asked.name](train, asked.rows, asked.seconds, asked.seed)
    spent = time.process_time() - began
    made.reset_index(drop=True).to_parquet(asked.made)
    print(json.dumps({"cpu_seconds": spent}))


def ours(options: dict[str, Any]) -> Make:
    """Train through the public interface, and sample."""

    def make(train: Frame, rows: int, seconds: float, seed: int) -> Frame:
        import sparring

        asked = {"budget": f"{seconds:g}s", "threads": 1, "seed": seed, **options}
        with TemporaryDirectory() as root, cpu_clock():
            return sparring.train(train, root=root, **asked).sample(rows, seed=seed + 1)

    return make


@contextmanager
def cpu_clock() -> Iterator[None]:
    """Have budgets of time be of CPU-seconds, so that what else the machine does shortens none."""
    with patch("time.time", time.process_time), patch("time.perf_counter", time.process_time):
        yield


def trees_in_sequence(train: Frame, rows: int, seconds: float, seed: int) -> Frame:
    """Draw each cell from the leaf of a tree on the columns before, as synthpop does."""
    from sparring.kinds.tables.models import sequential_trees

    return sequential_trees(train, rows, seed=seed)


def sdv(synthesizer: str, **settings: Any) -> Make:
    """Train a synthesizer of SDV with types told, so that none is replaced by made-up names."""

    def make(train: Frame, rows: int, seconds: float, seed: int) -> Frame:
        import torch
        from sdv import single_table
        from sdv.metadata import Metadata

        torch.manual_seed(seed)
        np.random.seed(seed)
        columns = {name: _sdtype(train[name]) for name in train}
        metadata = Metadata.load_from_dict({"tables": {"rows": {"columns": columns}}})
        model = getattr(single_table, synthesizer)(metadata, **settings)
        began = time.process_time()
        _stop_epochs(lambda: time.process_time() - began >= seconds)
        model.fit({"rows": train})
        return model.sample(rows)["rows"]

    return make


def _sdtype(column: Any) -> dict[str, str]:
    types = pd.api.types
    if types.is_bool_dtype(column.dtype):
        return {"sdtype": "boolean"}
    if types.is_datetime64_any_dtype(column.dtype):
        return {"sdtype": "datetime"}
    return {"sdtype": "numerical" if types.is_numeric_dtype(column.dtype) else "categorical"}


def _stop_epochs(is_over: Callable[[], bool]) -> None:
    """Have CTGAN and TVAE end after the epoch in which their time is over."""
    from ctgan.synthesizers import ctgan, tvae

    def epochs(numbers: Iterable[int], **_: Any) -> Iterator[int]:
        for number in numbers:
            yield number
            if is_over():
                return

    ctgan.tqdm = tvae.tqdm = epochs


def adversarial_forest(train: Frame, rows: int, seconds: float, seed: int) -> Frame:
    """Train arfpy's adversarial random forest with its own settings; it takes what it takes."""
    from arfpy import arf

    np.random.seed(seed)
    model = arf.arf(x=_complete(train), random_state=seed, verbose=False)
    model.forde()
    with warnings.catch_warnings(action="ignore"):
        return _incomplete(model.forge(n=rows), train)


def _complete(train: Frame) -> Frame:
    """Return numbers and categories without missing cells; a number's are a column more."""
    columns = {}
    for name, column in train.items():
        is_number = pd.api.types.is_numeric_dtype(column.dtype)
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            column = (column - pd.Timestamp(0)).dt.total_seconds()
        elif not is_number or pd.api.types.is_bool_dtype(column.dtype):
            column = column.astype(object).where(column.notna(), "").map(str).astype("category")
        if column.isna().any():
            columns[f"{name} missing"] = column.isna().map(str).astype("category")
            column = column.fillna(column.median())
        columns[str(name)] = column
    return pd.DataFrame(columns)


def _incomplete(made: Frame, train: Frame) -> Frame:
    columns = {}
    for name, column in train.items():
        cells = made[str(name)]
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            cells = pd.to_datetime(cells, unit="s")
        elif not pd.api.types.is_numeric_dtype(column.dtype):
            cells = cells.astype(object).where(cells.astype(object) != "", None)
        if f"{name} missing" in made:
            cells = cells.astype(object).where(made[f"{name} missing"] != "True", None)
        columns[name] = cells
    return pd.DataFrame(columns)


def argn(train: Frame, rows: int, seconds: float, seed: int) -> Frame:
    """Train mostlyai's autoregressive network with its own settings and early end."""
    from mostlyai.engine import TabularARGN

    model = TabularARGN(max_training_time=seconds / 60, random_state=seed, verbose=0)
    with cpu_clock():
        return model.fit(X=train).sample(n_samples=rows)


MAKERS: dict[str, Make] = {
    "ours": ours({}),
    "game": ours({"generator": {"network": "tabular"}}),
    "trees": trees_in_sequence,
    "copula": sdv("GaussianCopulaSynthesizer"),
    "ctgan": sdv("CTGANSynthesizer", epochs=MANY, enable_gpu=False),
    "tvae": sdv("TVAESynthesizer", epochs=MANY, enable_gpu=False),
    "arf": adversarial_forest,
    "argn": argn,
}


if __name__ == "__main__":
    main()
