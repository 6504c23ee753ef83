"""Fréchet distance of what several recipes reach in equal CPU-seconds of one thread.

python -m benchmarks.quality DATASET [--seconds 20] [--seeds 3] [--recipes ours,textbook,…]

The plug-in distance between Gaussians fitted to a classifier's features: of 10,000 samples, and
of all real images. A budget buys training steps only, and all of it is spent: each recipe's
speed is probed first, its schedules are stretched over the images that this speed promises, and
stretched anew on the way as the speed changes.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks import textbook
from benchmarks.classifier import (
    FEATURES,
    UPDATES,
    Classifier,
    accuracy,
    features_of,
    load_classifier,
    weights_hash,
)
from benchmarks.fetch import full_mnist
from sparring.build import build_game, build_state, with_depths
from sparring.data.dataset import Dataset
from sparring.kinds import decode, encode
from sparring.kinds.images.options import ImageOptions
from sparring.kinds.images.reader import open_data
from sparring.kinds.images.spec import ImageSpec
from sparring.metrics.gaussians import frechet_plug_in
from sparring.plotting import grid
from sparring.recipes.named import data_options, preset
from sparring.recipes.recipe import nested, resolve
from sparring.recipes.sections import Options
from sparring.runs.plan import batches
from sparring.sampling import sample
from sparring.spec import Spec
from sparring.training.step import train_step

DATASETS = ("digits", "mnist", "mnist-full", "fashion-mnist")
RECIPES = ("ours", "textbook", "hinge", "wgan-gp", "article", "article-mended")
LOOPS = {
    "textbook": textbook.convolutional,
    "hinge": textbook.hinge,
    "wgan-gp": textbook.wasserstein,
}
PROBE_STEPS = 16  # a multiple of every lazy penalty's cycle
PLANS = 50  # how often the schedules are stretched anew
PROBE_SECONDS = 1.0  # at most
SHOWN = 64  # samples on a sheet
TEXTBOOK_BATCH = 64

Features = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Run:
    """A training run: a step that may be repeated, and the generator that it trains."""

    step: Callable[[], object]
    stretch: Callable[[int], None]  # plan the schedules for this many images in all
    batch: int
    generator: nn.Module
    spec: Spec


Start = Callable[[int, int], Run]  # (seed, images in all) -> a fresh run


@dataclass(frozen=True, eq=False)
class Result:
    """What one seed of one recipe came to."""

    distance: float
    images: int
    seconds: float
    sheet: Pixels


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every recipe with every seed and print the table."""
    parser = argparse.ArgumentParser(description="Fréchet distance at equal CPU-seconds.")
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--seconds", type=float, default=20.0, help="CPU-seconds of training")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each recipe")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="separated by commas")
    parser.add_argument("--option", action="append", default=[], help="KEY=VALUE for `ours`")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--cache", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--classifier-updates", type=int, default=UPDATES)
    asked = parser.parse_args(arguments)
    print_on_one_thread(report(asked))


def print_on_one_thread(lines: Iterator[str]) -> None:
    """Print lines as they come, with one thread, and leave the threads as they were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for line in lines:
            print(line, flush=True)
    finally:
        torch.set_num_threads(threads)


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table's lines as they become known; write the sheets of samples."""
    labelled = read(asked.dataset, asked.cache, "yes")
    classifier = load_classifier(labelled, asked.cache, asked.classifier_updates)
    real = features_of(classifier, labelled.items)
    yield caption(asked, labelled, classifier, real)
    yield f"{'':16}{'median':>8}  {'each seed':24}{'images':>9}{'CPU-s':>7}{'images/CPU-s':>14}"
    data = read(asked.dataset, asked.cache, "none")
    options = nested(dict(one.split("=", 1) for one in asked.option))
    for name in asked.recipes.split(","):
        if not fits(name, data):
            yield f"{name:16}needs images of 28x28"
            continue
        start = starter(name, data, options)
        results = [
            train(start, seed, asked.seconds, asked.samples, classifier, real)
            for seed in range(asked.seeds)
        ]
        yield row(name, results)
        sheet = grid(results[0].sheet, 8)
        sheet.save(asked.cache / f"{asked.dataset}-{name}-{asked.seconds:g}s.png")
    yield f"sheets of samples: {asked.cache}"


def read(name: str, cache: Path, labels: str) -> Dataset:
    """Return the named data set; with labels, a GAN on it would be class-conditional."""
    source = full_mnist(cache) if name == "mnist-full" else name
    return open_data(source, ImageOptions(labels=labels), cache=cache)


def fits(name: str, data: Dataset) -> bool:
    """Tell whether a recipe can be trained on these images: some are of one size."""
    return data.spec.shape == (1, 28, 28) or name in ("ours", "textbook")


def caption(
    asked: argparse.Namespace, data: Dataset, classifier: Classifier, real: Features
) -> str:
    """Say what the numbers mean, and give the anchors of their scale."""
    assert data.labels is not None
    held_out, noise = data.held_out, np.random.default_rng(0)
    right = accuracy(classifier, data.items[held_out], data.labels[held_out])
    shape = (asked.samples, *data.items.shape[1:])
    apart = frechet_plug_in(real[held_out], real[data.train])
    static = frechet_plug_in(features_of(classifier, noise.integers(0, 256, shape, np.uint8)), real)
    return (
        f"\n{asked.dataset}: Fréchet distance to {len(real):,} real images after "
        f"{asked.seconds} CPU-seconds, {asked.samples:,} samples\n"
        f"on the {FEATURES} penultimate features of a classifier {weights_hash(classifier)}, "
        f"{right:.1%} right on held-out images\n"
        f"anchors: held-out against training images {apart:.2f}; uniform noise {static:,.0f}\n"
    )


def row(name: str, results: Sequence[Result]) -> str:
    """Return one recipe's line."""
    each = " ".join(f"{one.distance:.4g}" for one in results)
    images, seconds = (median(getattr(one, of) for one in results) for of in ("images", "seconds"))
    middle = median(one.distance for one in results)
    return f"{name:16}{middle:8.4g}  {each:24}{images:9,.0f}{seconds:7.1f}{images / seconds:14,.0f}"


def _loop(name: str, data: Dataset) -> Start:
    """Play a tutorial's loop; fully connected where images are tiny."""
    floats = encode(torch.from_numpy(data.items[data.train]), data.spec).contiguous()
    channels, side, _ = data.spec.shape
    batch = TEXTBOOK_BATCH * (textbook.WassersteinLoop.CRITIC_MOVES if name == "wgan-gp" else 1)

    def start(seed: int, images: int) -> Run:
        torch.manual_seed(seed)
        if side < 16:
            loop = textbook.fully_connected(side, width=128, latent=32)
        else:
            loop = LOOPS[name](side, channels=channels)
        reals = textbook.endless(floats, batch)

        def step() -> None:
            loop.step(next(reals))

        return Run(step, lambda images: None, batch, loop.generator, data.spec)

    return start


def starter(name: str, data: Dataset, options: Options) -> Start:
    """Return how to start a run of a named recipe; the options are for `ours`."""
    if name in LOOPS:
        return _loop(name, data)
    named = "default" if name == "ours" else name
    options = options if name == "ours" else {}
    asked = resolve(data_options(named)).data
    if isinstance(data.spec, ImageSpec):
        data = replace(data, spec=replace(data.spec, value_range=asked.value_range))
    below = preset(named, "small", data.spec)

    def start(seed: int, images: int) -> Run:
        recipe = with_depths(resolve(below, options, {"seed": seed}), data.spec)
        state, fetch = build_state(recipe, data.spec), batches(data, recipe)
        game = build_game(replace(recipe, images=images), data.spec)

        def step() -> None:
            train_step(state, game, fetch(state.samples_seen, recipe.batch))

        def stretch(images: int) -> None:
            nonlocal game
            game = build_game(replace(recipe, images=images), data.spec)

        return Run(step, stretch, recipe.batch, state.ema, data.spec)

    return start


def train(
    start: Start,
    seed: int,
    seconds: float,
    samples: int,
    classifier: Classifier,
    real: Features,
) -> Result:
    """Train one run for this many CPU-seconds and measure what it then draws."""
    run, done, spent = play(start, seed, seconds)
    drawn = torch.cat([decode(x, run.spec) for x in sample(run.generator, samples, seed=seed)])
    pixels = drawn.numpy()
    distance = frechet_plug_in(features_of(classifier, pixels), real)
    return Result(distance, done, spent, pixels[:SHOWN])


def play(start: Start, seed: int, seconds: float) -> tuple[Run, int, float]:
    """Train one run for this many CPU-seconds; return it, the images it saw and the time spent."""
    speed = probe(start(seed, 1_000_000), min(PROBE_SECONDS, seconds / 10))
    run = start(seed, round(seconds * speed))
    done, plans, began, spent = 0, 1, time.process_time(), 0.0
    while spent < seconds:
        run.step()
        done += run.batch
        spent = time.process_time() - began
        if spent > plans * seconds / PLANS:
            run.stretch(round(done * seconds / spent))
            plans += 1
    return run, done, spent


def probe(run: Run, seconds: float) -> float:
    """Return the images per CPU-second of a run that is then thrown away."""
    for _ in range(PROBE_STEPS):
        run.step()
    steps, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for _ in range(PROBE_STEPS):
            run.step()
        steps += PROBE_STEPS
    return steps * run.batch / spent


if __name__ == "__main__":
    main()
