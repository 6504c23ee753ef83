"""Modes covered on known densities in equal CPU-seconds of one thread, beside a textbook GAN.

python -m benchmarks.densities [--densities ring,grid] [--seconds 50] [--seeds 5]

Both train the same two networks: ours by the default recipe, the textbook's by its loop (binary
cross-entropy, alternating, Adam 2e-4 with betas .5, .999, no penalty) with batch 64. A mode is
covered when it gets at least a tenth of its fair share of 10,000 samples within 4σ.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn

from benchmarks import textbook
from benchmarks.quality import (
    TEXTBOOK_BATCH,
    Run,
    Start,
    play,
    print_on_one_thread,
    starter,
)
from sparring.build import build_discriminator, build_generator, with_depths
from sparring.data.dataset import Dataset
from sparring.data.options import CommonOptions
from sparring.kinds import decode, encode
from sparring.kinds.points import known
from sparring.kinds.points.densities import density
from sparring.kinds.points.reader import open_data
from sparring.recipes.named import preset
from sparring.recipes.recipe import nested, resolve
from sparring.recipes.sections import Options
from sparring.sampling import sample

SAMPLES = 10_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Train both with every seed and print the table."""
    parser = argparse.ArgumentParser(description="Modes covered at equal CPU-seconds.")
    parser.add_argument("--densities", default="ring,grid", help="separated by commas")
    parser.add_argument("--seconds", type=float, default=50, help="CPU-seconds of training")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each")
    parser.add_argument("--option", action="append", default=[], help="KEY=VALUE for `ours`")
    asked = parser.parse_args(arguments)
    print_on_one_thread(report(asked))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table's lines as they become known."""
    options = nested(dict(one.split("=", 1) for one in asked.option))
    for name in asked.densities.split(","):
        truth = density(name)
        yield f"\n{name}: {truth}; {asked.seconds:g} CPU-seconds"
        yield f"{'':10}{'seed':>5}{'modes':>8}{'high quality':>14}{'reverse KL':>12}{'samples':>12}"
        data = open_data(name, CommonOptions(), cache=Path())
        for who, start in (("ours", starter("ours", data, options)), ("textbook", _textbook(data))):
            rows = [measured(start, seed, asked.seconds, name) for seed in range(asked.seeds)]
            for seed, (modes, share, kl, seen) in enumerate(rows):
                of = f"{modes}/{len(truth.centres)}"
                yield f"{who:10}{seed:5}{of:>8}{share:14.1%}{kl:12.2f}{seen:12,}"
            modes, share, kl, seen = (median(column) for column in zip(*rows, strict=True))
            yield f"{who:10}{'all':>5}{modes:8g}{share:14.1%}{kl:12.2f}{seen:12,.0f}"


def measured(start: Start, seed: int, seconds: float, name: str) -> tuple[int, float, float, int]:
    """Train one run and return modes, the share of high quality, reverse KL, and points seen."""
    run, seen, _ = play(start, seed, seconds)
    truth = density(name)
    drawn = torch.cat([decode(x, run.spec) for x in sample(run.generator, SAMPLES, seed=seed)])
    points = drawn.double().numpy()
    if not np.isfinite(points).all():
        return 0, 0.0, float("inf"), seen
    quality, kl = known.high_quality(truth, points), known.reverse_kl(truth, points)
    return known.modes_covered(truth, points), quality.value, kl.value, seen


def _textbook(data: Dataset) -> Start:
    """Play the tutorial's loop with the networks of the default recipe."""
    points = encode(torch.from_numpy(data.items[data.train]), data.spec)
    options: Options = preset("default", "small", data.spec)

    def start(seed: int, images: int) -> Run:
        torch.manual_seed(seed)
        recipe = with_depths(resolve(options), data.spec)
        generator = textbook.Generator(
            nn.Sequential(build_generator(recipe, data.spec)), recipe.generator.latent
        )
        discriminator = nn.Sequential(
            build_discriminator(recipe, data.spec), nn.Unflatten(0, (-1, 1)), nn.Sigmoid()
        )
        loop = textbook.Loop(generator, discriminator)
        reals = textbook.endless(points, TEXTBOOK_BATCH)

        def step() -> None:
            loop.step(next(reals))

        return Run(step, lambda images: None, TEXTBOOK_BATCH, generator, data.spec)

    return start


if __name__ == "__main__":
    main()
