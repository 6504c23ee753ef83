"""Rules on real tables: how many of 100,000 rows keep them, and what they cost.

python -m benchmarks.table_rules [census flights weather birdstrikes superstore] [--seconds 60]

The rules are those of `table_sets.toml`. Each table is trained on twice, with rules and without; a
line has the share of rows that keep all rules, the areas by which the rows are told apart (plainly,
and with relations), and the CPU-seconds of training and of drawing. Rules are checked here by
pandas, not by the code that keeps them.
"""

import argparse
import re
import time
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import sparring
from benchmarks.quality import print_on_one_thread
from benchmarks.table_judge import told_apart
from benchmarks.table_makers import cpu_clock
from benchmarks.table_rivals import alike
from benchmarks.table_sets import real_table, rules_of

TABLES = ("census", "flights", "weather", "birdstrikes", "superstore")
DRAWN = 100_000
SIGN = re.compile("<=|<|=")
NAME = re.compile(r"`([^`]*)`|([A-Za-z_]\w*)")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on each table with and without its rules, and print a line for both."""
    parser = argparse.ArgumentParser(description="Rules that all rows keep, and what they cost.")
    parser.add_argument("names", nargs="*", default=TABLES, help=", ".join(TABLES))
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU-seconds of training")
    parser.add_argument("--rows", type=int, default=DRAWN)
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the lines as they become known."""
    columns = ("keep all", "told apart", "with relations", "training", "drawing")
    yield f"{'':32}" + "".join(f"{name:>16}" for name in columns)
    for name in asked.names:
        split, rules = real_table(name), rules_of(name)
        for title, chosen in ((f"{name}, {len(rules)} rules", rules), ("  without", [])):
            options: dict[str, Any] = {"data.rule": tuple(chosen)} if chosen else {}
            times = [time.process_time()]
            with TemporaryDirectory() as root, cpu_clock():
                budget = f"{asked.seconds:g}s"
                run = sparring.train(split.train, root=root, budget=budget, threads=1, **options)
                times.append(time.process_time())
                rows = alike(split.train, run.sample(asked.rows))
                times.append(time.process_time())
            kept = 1 - np.logical_or.reduce([broken(r, split.train, rows) for r in rules]).mean()
            areas = [told_apart(split.train, rows, with_relations=w) for w in (False, True)]
            spent = [f"{seconds:.1f} s" for seconds in np.diff(times)]
            cells = (f"{kept:.3%}", *map(str, areas), *spent)
            yield f"{title:32}" + "".join(f"{cell:>16}" for cell in cells)


def broken(rule: str, real: pd.DataFrame, made: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which made rows break a rule; a comparison is kept where one of its cells is missing."""
    names = [quoted or plain for quoted, plain in NAME.findall(rule)]
    if not SIGN.search(rule):
        known = set(map(tuple, real[names].astype(object).to_numpy()))
        return np.array([tuple(row) not in known for row in made[names].astype(object).to_numpy()])
    holds = made.eval(re.sub("(?<![<>=])=(?!=)", "==", rule)).to_numpy(bool)
    if "=" in rule and "<" not in rule:
        total, _, terms = rule.partition("=")
        difference = made.eval(total) - made.eval(terms)
        holds = (difference.abs() < 1e-6).to_numpy(bool)
    return ~holds & made[names].notna().all(axis=1).to_numpy()


if __name__ == "__main__":
    main()
