"""Fréchet distance against CPU-seconds: ours beside the article's pair and three textbook GANs.

python -m benchmarks.time_to_quality fashion-mnist [--seconds 15,50,150] [--seeds 3]

Every budget is a run of its own, with its own schedule, measured as in `quality`. A cell is the
median of the seeds and, in brackets, the least and the greatest. Results are kept in a JSON file:
those that are there are not computed again, so that a long table can be made piece by piece.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from benchmarks.classifier import UPDATES, features_of, load_classifier, weights_hash
from benchmarks.quality import (
    DATASETS,
    caption,
    fits,
    print_on_one_thread,
    read,
    starter,
    train,
)
from sparring.plotting import grid
from sparring.runs.folder import read_json, write_json

RECIPES = ("ours", "textbook", "hinge", "wgan-gp", "article")
NAMES = {
    "ours": "ours (default, small)",
    "textbook": "textbook DCGAN",
    "hinge": "hinge + spectral norm",
    "wgan-gp": "WGAN-GP",
    "article": "the article's pair",
}
COLOURS = {
    "ours": "#0072b2",
    "textbook": "#d55e00",
    "hinge": "#009e73",
    "wgan-gp": "#cc79a7",
    "article": "#666666",
}
Kept = dict[str, float]  # distances by recipe, seconds, seed


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description="Fréchet distance against CPU-seconds.")
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--seconds", default="15,50,150", help="budgets, in CPU-seconds")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--cache", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--classifier-updates", type=int, default=UPDATES)
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table's lines as they become known; leave the plot and the sheets of samples."""
    labelled = read(asked.dataset, asked.cache, "yes")
    classifier = load_classifier(labelled, asked.cache, asked.classifier_updates)
    real = features_of(classifier, labelled.items)
    data = read(asked.dataset, asked.cache, "none")
    budgets = [float(one) for one in asked.seconds.split(",")]
    yield caption(asked, labelled, classifier, real)
    path = asked.cache / f"time-to-quality-{asked.dataset}-{weights_hash(classifier)}.json"
    kept: Kept = read_json(path) if path.exists() else {}
    yield f"\n{'CPU-seconds':24}" + "".join(f"{budget:>26g}" for budget in budgets)
    for name in asked.recipes.split(","):
        if not fits(name, data):
            raise SystemExit(f"{name} needs images of 28x28; leave it out with --recipes")
        start = starter(name, data, {})
        cells = [f"{NAMES.get(name, name):24}"]
        for budget in budgets:
            for seed in range(asked.seeds):
                if key(name, budget, seed) not in kept:
                    result = train(start, seed, budget, asked.samples, classifier, real)
                    kept[key(name, budget, seed)] = result.distance
                    write_json(path, kept)
                    if seed == 0:
                        stem = f"{asked.dataset}-{name}-{budget:g}s.png"
                        grid(result.sheet, 8).save(asked.cache / stem)
            cells.append(cell(seeds_of(kept, name, budget)))
        yield "".join(cells)
    picture = path.with_suffix(".png")
    draw(kept, asked.dataset, picture)
    yield f"plot: {picture}"


def key(name: str, seconds: float, seed: int) -> str:
    """Return the name of one result."""
    return f"{name} {seconds:g} {seed}"


def seeds_of(kept: Kept, name: str, seconds: float) -> list[float]:
    """Return the distances of all seeds of a recipe at a budget."""
    return [value for one, value in kept.items() if one.startswith(f"{name} {seconds:g} ")]


def cell(distances: Sequence[float]) -> str:
    """Return the median and the range."""
    text = f"{median(distances):.3g} [{min(distances):.3g}, {max(distances):.3g}]"
    return f"{text:>26}"


def draw(kept: Mapping[str, float], dataset: str, path: Path) -> None:
    """Plot every recipe's medians and ranges over its budgets."""
    figure = Figure(figsize=(6.4, 4.2), dpi=150, layout="constrained")
    axes = figure.subplots()
    for name, colour in COLOURS.items():
        budgets = sorted({float(one.split()[1]) for one in kept if one.split()[0] == name})
        found = [seeds_of(dict(kept), name, budget) for budget in budgets]
        if found:
            middle = np.array([median(one) for one in found])
            ends = np.array([[min(one), max(one)] for one in found]).T
            axes.errorbar(
                budgets,
                middle,
                np.abs(ends - middle),
                marker="o",
                markersize=4,
                capsize=3,
                color=colour,
                label=NAMES[name],
            )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="CPU-seconds of training, one thread",
        ylabel="Fréchet distance on a fixed classifier",
        title=f"{dataset}: median and range of the seeds",
    )
    budgets = sorted({float(one.split()[1]) for one in kept})
    axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
