"""Rows on a condition, of every column of a table in turn, told from real rows of that condition.

python -m benchmarks.table_where [diamonds flights] [--seconds 60]
    [--option generator.network=tabular]

A category is asked for by its most frequent label, a number by the range of its middle fifth, and
by the one value that it most often has, where a hundredth of the rows have that. Beside the area of
rows asked for stands that of unconditional rows which happen to satisfy the condition, told from as
many real ones; and the CPU-seconds that a thousand rows took.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd

import sparring
from benchmarks.quality import print_on_one_thread
from benchmarks.table_judge import Score, Split, told_apart
from benchmarks.table_makers import cpu_clock
from benchmarks.table_rivals import alike
from benchmarks.table_sets import names, real_table
from sparring.recipes.recipe import nested

ASKED = 4_000  # rows of each condition at most
PLAIN = 40_000  # unconditional rows
ENOUGH = 200  # to be judged
FREQUENT = 0.01


class Asked(NamedTuple):
    """A condition as people write it, and the rows of a table that satisfy it."""

    where: list[str]
    low: Any
    high: Any
    column: str

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that satisfy it."""
        cells = table[self.column]
        if self.low == self.high:
            return table[cells == self.low]
        return table[(cells >= self.low) & (cells <= self.high)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on each table once, and print a line for each condition."""
    parser = argparse.ArgumentParser(description="Rows on conditions, told from real ones.")
    parser.add_argument("names", nargs="*", default=["diamonds", "flights"], help=str(names()))
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU-seconds of training")
    parser.add_argument("--option", action="append", default=[], help="KEY=VALUE of the recipe")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the tables' lines as they become known."""
    options = nested(dict(one.split("=", 1) for one in asked.option))
    for name in asked.names:
        split = real_table(name)
        yield f"\n{name:44}{'rows':>8}{'asked for':>18}{'by chance':>18}{'CPU-s':>8}"
        with TemporaryDirectory() as root, cpu_clock():
            budget = f"{asked.seconds:g}s"
            run = sparring.train(split.train, root=root, budget=budget, threads=1, **options)
            plain = alike(split.train, run.sample(PLAIN))
            for condition in conditions(split.train):
                yield judged(run, split, plain, condition)


def conditions(table: pd.DataFrame) -> Iterator[Asked]:
    """Yield what is asked of each column."""
    for name, cells in table.items():
        counts = cells.value_counts()
        is_number = pd.api.types.is_numeric_dtype(cells.dtype)
        if (is_number or cells.dtype.kind == "M") and len(counts) > 2:
            low, high = cells.quantile([0.4, 0.6], interpolation="nearest")
            if low < high:
                yield Asked([f"{name}>={low}", f"{name}<={high}"], low, high, str(name))
        if counts.iloc[0] >= FREQUENT * len(table):
            value = counts.index[0]
            yield Asked([f"{name}={value}"], value, value, str(name))


def judged(run: "sparring.Run", split: Split, plain: pd.DataFrame, condition: Asked) -> str:
    """Return a condition's line; a refusal is told."""
    real = condition.of(split.train)
    n = min(ASKED, len(real))
    title = f"{' '.join(condition.where)[:42]:44}{n:>8,}"
    began = time.process_time()
    try:
        rows = alike(split.train, run.sample(n, where=condition.where))
    except sparring.SparringError as error:
        return f"{title}  {error}"
    spent = time.process_time() - began
    missed = n - len(condition.of(rows))
    cells = [area(real, side) for side in (rows, condition.of(plain))]
    words = f"  {missed:,} rows miss it" if missed else ""
    return f"{title}{cells[0]:>18}{cells[1]:>18}{1e3 * spent / n:>8.2f}{words}"


def area(real: pd.DataFrame, made: pd.DataFrame) -> str:
    """Return what told apart comes to, or a dash where there are too few rows."""
    if min(len(real), len(made)) < ENOUGH:
        return "–"
    score: Score = told_apart(real, made.head(ASKED))
    return str(score)


if __name__ == "__main__":
    main()
