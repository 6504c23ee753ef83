"""Images per CPU-second of sparring's step against textbook loops of the same sizes.

python -m benchmarks.step_speed [--rounds N] [--convolutional BATCH …] [--allocator] [--profile]

CPU time of one thread, so that a busy machine disturbs little; all contenders take turns within
each round and a ratio compares turns of the same round. The pixels are random: speed does not
depend on them. What the input pipeline and the allocator's settings bring is told in rows of
their own. glibc reads its settings when a process starts, so those rows run in a second process.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks import textbook
from sparring.build import build_game, build_state, with_depths
from sparring.data.dataset import Dataset
from sparring.kinds.images.options import ImageOptions
from sparring.kinds.images.reader import open_data
from sparring.recipes.named import preset
from sparring.recipes.recipe import Recipe, nested, resolve
from sparring.recipes.sections import Options
from sparring.runs.plan import batches
from sparring.training.profile import gigaflop_of, peak_gigaflops, profile_step
from sparring.training.step import Batch, train_step

IMAGES, SIDE = 5_000, 28
CYCLE = 8  # steps after which a lazy penalty comes round again
ALLOCATOR = {  # memory that was freed stays with the process
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}
Step = Callable[[], object]
Timed = Callable[[Step, int], float]  # a step and how often to repeat it, to CPU-seconds


def cpu_seconds(step: Step, times: int) -> float:
    """Return the CPU time of this process while a step is repeated."""
    began = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - began


@dataclass(frozen=True)
class Contender:
    """One row: a step that can be repeated, and how many images it consumes."""

    name: str
    step: Step
    batch: int
    timed: Timed = cpu_seconds


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
    parser.add_argument("--allocator", action="store_true", help="rows with its settings")
    options = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for kind in CONTESTS:
            for batch in getattr(options, kind):
                show(kind, batch, options)
    finally:
        torch.set_num_threads(threads)


def show(kind: str, batch: int, options: argparse.Namespace) -> None:
    """Measure one contest and print its tables."""
    contest = CONTESTS[kind](random_images(), batch)
    names = [one.name for one in (contest.contenders[0], contest.contenders[-2])]  # both bare
    with elsewhere(kind, batch, names) if options.allocator else nullcontext(()) as more:
        contenders = *contest.contenders, *more
        rates = measure(contenders, options.rounds, options.seconds)
    print(*table(replace(contest, contenders=contenders), rates), sep="\n")
    print(*utilisation(contest.contenders, rates), sep="\n")
    if options.profile:
        ours = contest.contenders[-1]
        print(f"\nself time of: {ours.name}", *profile_step(ours.step).table(), sep="\n")


@contextmanager
def elsewhere(
    kind: str,
    batch: int,
    names: Sequence[str],
    settings: Mapping[str, str] = ALLOCATOR,
    told: str = "malloc",
) -> Iterator[tuple[Contender, ...]]:
    """Lend contenders that run in a process with these settings around it, until the end."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve, args=(theirs, kind, batch), daemon=True)
    with patch.dict(os.environ, settings):
        process.start()

    def timed(name: str) -> Timed:
        def ask(step: Step, times: int) -> float:
            ours.send((name, times))
            spent: float = ours.recv()
            return spent

        return ask

    def nothing() -> None: ...

    try:
        yield tuple(Contender(f"{name}, {told}", nothing, batch, timed(name)) for name in names)
    finally:
        process.terminate()
        process.join()


def serve(connection: Connection, kind: str, batch: int) -> None:
    """Time the contenders of a contest that are asked for, one message each."""
    torch.set_num_threads(1)
    steps = {one.name: one.step for one in CONTESTS[kind](random_images(), batch).contenders}
    while True:
        name, times = connection.recv()
        connection.send(cpu_seconds(steps[name], times))


def floats_of(data: Dataset) -> Tensor:
    """Return the images as a textbook has them: floats in −1 … 1, channels first."""
    return torch.from_numpy(data.items).permute(0, 3, 1, 2).contiguous() / 127.5 - 1


def random_images() -> Dataset:
    """Return as many images as the article's data set has, of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8)
    return open_data(pixels, ImageOptions(held_out=0), cache=Path("build"))


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
    floats = floats_of(data)
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
            rows.append(our_step(f"ours, {order}, {penalty}", recipe, data, piped=False))
    rows.append(our_step("ours, the last with its input pipeline", recipe, data, piped=True))
    return tuple(rows)


def our_step(name: str, recipe: Recipe, data: Dataset, *, piped: bool) -> Contender:
    """Return our training step as a row, on batches made beforehand or by the input pipeline."""
    state, game = build_state(recipe, data.spec), build_game(recipe, data.spec)
    fetch = batches(data, recipe)
    ready = cycle(
        [fetch(start, recipe.batch) for start in range(0, 40 * recipe.batch, recipe.batch)]
    )

    def batch() -> Batch:
        return fetch(state.samples_seen, recipe.batch) if piped else next(ready)

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
            spent = one.timed(one.step, steps[one.name])
            rates[one.name].append(steps[one.name] * one.batch / spent)
    return rates


def _steps_in(one: Contender, seconds: float) -> int:
    """Return a number of steps that takes about this long, in whole cycles; warms up."""
    one.timed(one.step, CYCLE)
    return max(round(seconds / one.timed(one.step, CYCLE)), 1) * CYCLE


def table(contest: Contest, rates: Mapping[str, list[float]]) -> list[str]:
    """Return the rows below a line that says what was compared, and what is hoped for."""
    title = f"\n{contest.title}; goal {contest.goal:g}x (bare step, no penalty)"
    return [title, *comparison(contest.contenders, rates)]


def comparison(contenders: Sequence[Contender], rates: Mapping[str, list[float]]) -> list[str]:
    """Return the rows: median speed, its spread, and the median ratio to the first contender's."""
    reference = rates[contenders[0].name]
    lines = [f"{'':40}{'images/CPU-s':>13}{'spread':>9}{'ratio':>8}{'lowest..highest':>18}"]
    for one in contenders:
        own = rates[one.name]
        ratios = [a / b for a, b in zip(own, reference, strict=True)]
        spread = (max(own) - min(own)) / 2 / median(own)
        lines.append(
            f"{one.name:40}{median(own):13,.0f}{spread:>8.0%} {median(ratios):7.2f}x"
            f"{f'{min(ratios):.2f}..{max(ratios):.2f}':>17}"
        )
    return lines


def utilisation(contenders: Sequence[Contender], rates: Mapping[str, list[float]]) -> list[str]:
    """Return rows: what each step computes, and its share of what the machine can."""
    peak = peak_gigaflops()
    lines = [f"{f'of {peak:.0f} GFLOP/s in a large product':40}{'MFLOP/image':>13}{'GFLOP/s':>9}"]
    for one in contenders:
        gigaflop = gigaflop_of(one.step, CYCLE) / one.batch
        speed = gigaflop * median(rates[one.name])
        lines.append(f"{one.name:40}{1e3 * gigaflop:13,.2f}{speed:9.1f}{speed / peak:8.0%}")
    return lines


CONTESTS: Mapping[str, Callable[[Dataset, int], Contest]] = {
    "convolutional": convolutional,
    "fully_connected": fully_connected,
}
if __name__ == "__main__":
    main()
