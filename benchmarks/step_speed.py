"""Images per CPU-second of sparring's step against textbook loops of the same sizes.

python -m benchmarks.step_speed [--rounds N] [--convolutional BATCH …] [--profile]

CPU time of one thread, so that a busy machine disturbs little; all contenders take turns within
each round and a ratio compares turns of the same round. The pixels are random: speed does not
depend on them.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import textbook
from sparring.build import build_game, build_state, with_depths
from sparring.data.dataset import Dataset
from sparring.data.images import open_images
from sparring.data.options import DataOptions
from sparring.plan import batches
from sparring.presets import preset
from sparring.recipe import Options, Recipe, nested, resolve
from sparring.training.step import Batch, train_step

IMAGES, SIDE = 5_000, 28
TRACED = 24  # steps that the profiler sees
CYCLE = 8  # steps after which a lazy penalty comes round again
Step = Callable[[], object]


@dataclass(frozen=True)
class Contender:
    """One row: a step that can be repeated, and how many images it consumes."""

    name: str
    step: Step
    batch: int


@dataclass(frozen=True)
class Contest:
    """A textbook loop (the first contender) and what is compared with it."""

    title: str
    goal: float
    contenders: tuple[Contender, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description="Images per CPU-second of one training step.")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=0.4, help="CPU-seconds of a turn")
    parser.add_argument("--convolutional", type=int, nargs="*", default=[64, 32], help="batches")
    parser.add_argument("--fully-connected", type=int, nargs="*", default=[100], help="batches")
    parser.add_argument("--profile", action="store_true", help="print where our step's time goes")
    options = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        data = random_images()
        contests = [convolutional(data, batch) for batch in options.convolutional]
        contests += [fully_connected(data, batch) for batch in options.fully_connected]
        for contest in contests:
            rates = measure(contest.contenders, options.rounds, options.seconds)
            print(*table(contest, rates), sep="\n")
            if options.profile:
                print(*profiled(contest.contenders[-1]), sep="\n")
    finally:
        torch.set_num_threads(threads)


def random_images() -> Dataset:
    """Return as many images as the article's data set has, of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8)
    return open_images(pixels, DataOptions(held_out=0), cache=Path("build"))


def convolutional(data: Dataset, batch: int) -> Contest:
    """Set our small convolutional pair against a DCGAN of the same layers."""
    loop = textbook.convolutional(SIDE)
    base = {
        "batch": batch,
        "penalties.r1.weight": 0,
        "generator.latent": textbook.LATENT,
        "generator.upsampling": "transposed",
    }
    lazy = {"penalties.r1": {"weight": 1, "every": CYCLE}}
    return Contest(
        f"convolutional pair, {SIDE}x{SIDE}, batch {batch}",
        1.35,
        _contenders(loop, data, "default", base, lazy),
    )


def fully_connected(data: Dataset, batch: int) -> Contest:
    """Set the article's sizes, played our way, against a plain loop of the same sizes."""
    loop = textbook.fully_connected(SIDE)
    base = {"batch": batch, "objective": "non-saturating"}
    lazy = {"penalties.r1": {"weight": 1, "every": CYCLE}}
    return Contest(
        f"fully connected pair of the article, batch {batch}",
        1.5,
        _contenders(loop, data, "article", base, lazy),
    )


def _contenders(
    loop: textbook.Loop, data: Dataset, name: str, base: Options, lazy: Options
) -> tuple[Contender, ...]:
    batch = int(base["batch"])
    floats = torch.from_numpy(data.items).permute(0, 3, 1, 2).contiguous() / 127.5 - 1
    bare = cycle(floats.split(batch)[:-1])
    piped = textbook.endless(floats, batch)
    rows = [
        Contender("textbook, bare step", lambda: loop.step(next(bare)), batch),
        Contender("textbook, with its DataLoader", lambda: loop.step(next(piped)), batch),
    ]
    for order in ("alternating", "simultaneous"):
        for penalty, more in ((f"R1 every {CYCLE}", lazy), ("no penalty", {})):
            asked = nested({**base, **more, "order": order, "images": 1_000_000})
            recipe = with_depths(resolve(preset(name, "small", data.spec), asked), data.spec)
            rows.append(_ours(f"ours, {order}, {penalty}", recipe, data, piped=False))
    rows.append(_ours("ours, the last with its input pipeline", recipe, data, piped=True))
    return tuple(rows)


def _ours(name: str, recipe: Recipe, data: Dataset, *, piped: bool) -> Contender:
    state, game = build_state(recipe, data.spec), build_game(recipe)
    fetch = batches(data, recipe)
    ready = cycle(
        [fetch(start, recipe.batch) for start in range(0, 40 * recipe.batch, recipe.batch)]
    )

    def batch() -> Batch:
        return fetch(state.images, recipe.batch) if piped else next(ready)

    return Contender(name, lambda: train_step(state, game, batch()), recipe.batch)


def measure(
    contenders: Sequence[Contender], rounds: int, seconds: float
) -> Mapping[str, list[float]]:
    """Return each contender's images per CPU-second, one value a round."""
    steps = {one.name: _steps_in(one, seconds) for one in contenders}
    rates: dict[str, list[float]] = {one.name: [] for one in contenders}
    for turn in range(rounds):
        shift = turn % len(contenders)
        for one in (*contenders[shift:], *contenders[:shift]):
            spent = cpu_seconds(one.step, steps[one.name])
            rates[one.name].append(steps[one.name] * one.batch / spent)
    return rates


def cpu_seconds(step: Step, times: int) -> float:
    """Return the CPU time of this process while a step is repeated."""
    began = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - began


def _steps_in(one: Contender, seconds: float) -> int:
    """Return a number of steps that takes about this long, in whole cycles; warms up."""
    cpu_seconds(one.step, CYCLE)
    return max(round(seconds / cpu_seconds(one.step, CYCLE)), 1) * CYCLE


def table(contest: Contest, rates: Mapping[str, list[float]]) -> list[str]:
    """Return the rows: median speed, its spread, and the median ratio to the textbook's."""
    reference = rates[contest.contenders[0].name]
    lines = [
        f"\n{contest.title}; goal {contest.goal:g}x (bare step, no penalty)",
        f"{'':40}{'images/CPU-s':>13}{'spread':>9}{'ratio':>8}{'lowest..highest':>18}",
    ]
    for one in contest.contenders:
        own = rates[one.name]
        ratios = [a / b for a, b in zip(own, reference, strict=True)]
        spread = (max(own) - min(own)) / 2 / median(own)
        lines.append(
            f"{one.name:40}{median(own):13,.0f}{spread:>8.0%} {median(ratios):7.2f}x"
            f"{f'{min(ratios):.2f}..{max(ratios):.2f}':>17}"
        )
    return lines


def profiled(one: Contender, top: int = 8) -> list[str]:
    """Return the operators that one contender spends most of its time in."""
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        cpu_seconds(one.step, TRACED)
    rows = sorted(trace.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows)
    return [f"\nself time of: {one.name}"] + [
        f"  {row.self_cpu_time_total / total:6.1%}  {row.key} ({row.count // TRACED} a step)"
        for row in rows[:top]
    ]


if __name__ == "__main__":
    main()
