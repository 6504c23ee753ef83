"""Synthetic tables at equal questions: ours, ctgan, shuffled columns and sequential trees.

python -m benchmarks.tables diamonds [--seconds 60] [--seeds 3] [--peers FOLDER] [--epochs 98]
python -m benchmarks.tables adult.csv --targets age,income

A fifth of the rows is held out. Each generator makes as many rows as it was trained on; boosted
trees trained on them predict held-out rows, and another classifier tells them from held-out rows.
A cell is the median of the seeds and, in brackets, the least and the greatest. FOLDER is where
`pip install --target` has put ctgan and rdt.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.clock import trained
from benchmarks.quality import print_on_one_thread
from sparring.data.dataset import Dataset
from sparring.draws import Draw, permutation
from sparring.kinds.tables.codec import frame_of
from sparring.kinds.tables.condition_sampler import condition_vector
from sparring.kinds.tables.conditions import draw_satisfying, satisfied
from sparring.kinds.tables.metrics import copies
from sparring.kinds.tables.models import sequential_trees, shuffled_columns, table_c2st, usefulness
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import open_data
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.where import parse_condition
from sparring.recipes.recipe import nested
from sparring.recipes.sections import Options
from sparring.sampling import sample
from sparring.training.state import State

TARGETS = {"diamonds": ("price", "cut"), "penguins": ("body_mass_g", "species")}
FRESH, MANY, ENOUGH = 2_000, 20_000, 300  # rows of a category, of all, to judge one by
Frame = Any
Remark = Callable[[], str]
Make = Callable[[Frame, int], tuple[Frame, Remark]]  # training rows, seed -> rows, a remark


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every generator with every seed and print the table."""
    parser = argparse.ArgumentParser(description="Synthetic tables, beside trivial ones and ctgan.")
    parser.add_argument("dataset", help=f"{' or '.join(TARGETS)}, or a file")
    parser.add_argument("--targets", help="a number and a category to predict, for a file")
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU-seconds of ours")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--option", action="append", default=[], help="KEY=VALUE for ours")
    parser.add_argument("--peers", type=Path, help="folder with the packages ctgan and rdt")
    parser.add_argument("--peer-seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=98, help="of ctgan")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table's lines as they become known."""
    data = open_data(asked.dataset, TableOptions(held_out=0.2), cache=Path("build/benchmarks"))
    mixed = (rows[permutation(0, "benchmark", len(rows))] for rows in (data.train, data.held_out))
    train, held_out = (frame_of(data.items[rows], data.spec) for rows in mixed)
    targets = tuple(asked.targets.split(",")) if asked.targets else TARGETS[asked.dataset]
    number, category = targets
    yield f"\n{asked.dataset}: {len(train):,} rows to train on, {len(held_out):,} held out"
    columns = "CPU-seconds", f"R² of {number}", f"right of {category}", "told apart, AUC"
    yield f"{'':20}" + "".join(f"{name:>24}" for name in (*columns, "copies"))
    makes: dict[str, Make] = {
        "shuffled columns": lambda rows, seed: (shuffled_columns(rows, seed=seed), str),
        "sequential trees": lambda rows, seed: (sequential_trees(rows, len(rows), seed=seed), str),
        "ours": ours(data, asked.seconds, nested(dict(o.split("=", 1) for o in asked.option))),
    }
    if asked.peers:
        sys.path.append(str(asked.peers))
        makes["ctgan"] = ctgan(asked.epochs)
    yield row("real rows", [judged(train, held_out, train, targets, 0.0)])
    for name, make in makes.items():
        results, remarks = [], []
        for seed in range(asked.peer_seeds if name == "ctgan" else asked.seeds):
            began = time.process_time()
            rows, remark = make(train, seed)
            spent = time.process_time() - began
            results.append(judged(train, held_out, rows, targets, spent))
            remarks.append(remark())
        yield row(name, results)
        if any(remarks):
            yield from (f"{'':20}{remark}" for remark in remarks)
    yield f"rows that naturally equal another: {copies(train, train).natural.value:.3%}"


def judged(
    train: Frame, held_out: Frame, rows: Frame, targets: Sequence[str], spent: float
) -> tuple[float, ...]:
    """Return CPU-seconds, R², accuracy (of two categories the area), area, share of copies."""
    number, category = targets
    score = usefulness(train, held_out, rows, number).synthetic["r2"].value
    right = usefulness(train, held_out, rows, category).synthetic
    rightly = right.get("auc", right["accuracy"]).value
    area = table_c2st(held_out, rows).value
    return spent, score, rightly, area, copies(train, rows).synthetic.value


def row(name: str, results: Sequence[tuple[float, ...]]) -> str:
    """Return one generator's line."""
    cells = []
    for values, form in zip(zip(*results, strict=True), (".3g", *[".3f"] * 3, ".2%"), strict=True):
        middle, low, high = (f"{x:{form}}" for x in (median(values), min(values), max(values)))
        cells.append(middle if low == high else f"{middle} [{low}, {high}]")
    return f"{name:20}" + "".join(f"{cell:>24}" for cell in cells)


def ours(data: Dataset, seconds: float, options: Options) -> Make:
    """Train the default recipe for this many CPU-seconds."""

    def make(train: Frame, seed: int) -> tuple[Frame, Remark]:
        state = trained(data, options, seconds, seed).state
        drawn = torch.cat([*sample(state.ema, len(train), seed=seed)]).numpy()
        return frame_of(drawn, data.spec), lambda: _remark(state, data)

    return make


def _remark(state: State, data: Dataset) -> str:
    """Say how many rows were seen, and how rows are that were asked for by each category.

    Which share has the category before any filter, the least of all; and the area by which they
    are told from real rows of the category, beside that of unconditional rows that happen to have
    it: medians over the categories with enough rows.
    """
    spec = data.spec
    assert isinstance(spec, TableSpec)
    real = frame_of(data.items, spec)
    plain = frame_of(torch.cat([*sample(state.ema, MANY)]).numpy(), spec)
    satisfied_shares, conditional, filtered = [], [], []
    for column in spec.learned:
        for label in column.labels:
            conditions = [parse_condition(f"{column.name}={label}", spec)]
            values = draw_satisfying(column, conditions, Draw(0, 0), FRESH)
            labels = condition_vector(spec, {column.name: values}, FRESH)
            drawn = torch.cat([*sample(state.ema, FRESH, labels=labels)]).numpy()
            rows = frame_of(drawn, spec)
            satisfied_shares.append(float(satisfied(rows, conditions).mean()))
            reals, fakes = (frame[satisfied(frame, conditions)] for frame in (real, plain))
            if min(len(reals), len(fakes)) >= ENOUGH:
                conditional.append(table_c2st(reals, rows.head(len(fakes))).value)
                filtered.append(table_c2st(reals, fakes.head(FRESH)).value)
    areas = "none"
    if conditional:
        areas = f"{median(conditional):.3f} asked for, {median(filtered):.3f} by chance"
    return (
        f"{state.samples_seen:,} rows seen; categories asked for are kept by "
        f"{min(satisfied_shares):.1%} or more; "
        f"rows of one category, told from real ones of it: {areas}"
    )


def ctgan(epochs: int) -> Make:
    """Train ctgan with its own settings for so many epochs."""

    def make(train: Frame, seed: int) -> tuple[Frame, Remark]:
        model = import_module("ctgan").CTGAN(epochs=epochs, enable_gpu=False)
        model.set_random_state(seed)
        complete = train.dropna().reset_index(drop=True)  # it refuses missing cells
        kinds = {name: complete[name].dtype.kind for name in complete}
        model.fit(complete, [name for name, kind in kinds.items() if kind not in "biuf"])
        return model.sample(len(train)).astype(complete.dtypes.to_dict()), str

    return make


if __name__ == "__main__":
    main()
