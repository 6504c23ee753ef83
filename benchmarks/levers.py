"""What each change that makes a training step faster brings alone, in images per CPU-second.

python -m benchmarks.levers [--rounds N] [--convolutional BATCH …] [--fully-connected BATCH …]

Each stands alone on top of the textbook loop of `step_speed` and is measured as there; the last
row is our whole step. The allocator's settings are compared between two processes that differ in
nothing else.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim import Adam

from benchmarks import textbook
from benchmarks.quality import print_on_one_thread
from benchmarks.step_speed import (
    ALLOCATOR,
    CYCLE,
    SIDE,
    Contender,
    Contest,
    comparison,
    elsewhere,
    floats_of,
    measure,
    our_step,
    random_images,
    utilisation,
)
from sparring.build import with_depths
from sparring.data.dataset import Dataset
from sparring.recipes.named import preset
from sparring.recipes.recipe import nested, resolve
from sparring.recipes.sections import Options

WHOLE = {"convolutional": 1.5, "fully_connected": 1.6}  # with penalties and pipeline


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table for each pair and batch."""
    parser = argparse.ArgumentParser(description="What makes a step faster, one by one.")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=0.4, help="CPU-seconds of a turn")
    parser.add_argument("--convolutional", type=int, nargs="*", default=[64], help="batches")
    parser.add_argument("--fully-connected", type=int, nargs="*", default=[100], help="batches")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the tables' lines: each change alone, then the allocator's settings alone."""
    for kind in LOOPS:
        for batch in getattr(asked, kind):
            contest = levers(kind, batch)
            rates = measure(contest.contenders, asked.rounds, asked.seconds)
            yield f"\n{contest.title}; goal of the last row {contest.goal:g}x"
            yield from comparison(contest.contenders, rates)
            yield from utilisation(contest.contenders, rates)
            for name in ("textbook, bare step", "ours, simultaneous, R1 every 8"):
                yield from _allocator(kind, batch, name, asked)


def _allocator(kind: str, batch: int, name: str, asked: argparse.Namespace) -> list[str]:
    with (
        elsewhere(kind, batch, [name], {}, "malloc as it is") as plain,
        elsewhere(kind, batch, [name], ALLOCATOR, "malloc set") as settled,
    ):
        pair = *plain, *settled
        return comparison(pair, measure(pair, asked.rounds, asked.seconds))


def levers(kind: str, batch: int) -> Contest:
    """Set single changes to a textbook loop, and all of ours, against that loop as it comes."""
    data, make = random_images(), LOOPS[kind]
    floats = floats_of(data)

    def loaded(name: str, loop: textbook.Loop, layout: torch.memory_format) -> Contender:
        piped = textbook.endless(floats, batch)
        return Contender(name, lambda: loop.step(next(piped).to(memory_format=layout)), batch)

    as_it_comes, last = torch.contiguous_format, torch.channels_last
    resident, quick = resident_batches(data, batch), make()
    rows = [
        loaded("textbook, with its DataLoader", make(), as_it_comes),
        Contender("uint8 in memory, index_select", lambda: quick.step(next(resident)), batch),
        loaded("discriminator frozen for the generator", frozen(make()), as_it_comes),
        loaded("fused Adam", fused(make()), as_it_comes),
    ]
    if kind == "convolutional":
        rows.append(loaded("channels_last", in_layout(make(), last), last))
    rows.append(_whole(kind, batch, data))
    return Contest(f"levers alone, {kind}, batch {batch}", WHOLE[kind], tuple(rows))


def resident_batches(data: Dataset, batch: int) -> Iterator[Tensor]:
    """Yield batches drawn from bytes that stay in memory, made into floats when they are used."""
    pixels = torch.from_numpy(data.items).permute(0, 3, 1, 2).contiguous()
    while True:
        for chosen in torch.randperm(len(pixels)).split(batch)[:-1]:
            yield pixels.index_select(0, chosen).float().div_(127.5).sub_(1)


def fused(loop: textbook.Loop) -> textbook.Loop:
    """Return the loop with optimisers that change all parameters in one kernel."""
    g, d = (
        Adam(network.parameters(), lr=loop.lr, betas=loop.betas, fused=True)
        for network in (loop.generator, loop.discriminator)
    )
    loop.optimizers = g, d
    return loop


def in_layout(loop: textbook.Loop, layout: torch.memory_format) -> textbook.Loop:
    """Return the loop with both networks' kernels in a memory layout."""
    for network in (loop.generator, loop.discriminator):
        network.to(memory_format=layout)  # type: ignore[call-overload]
    return loop


def frozen(loop: textbook.Loop) -> textbook.Loop:
    """Return the loop with a generator's move that asks for no gradient of the discriminator."""
    g, d = loop.optimizers

    def thaw(*ignored: object) -> None:
        loop.discriminator.requires_grad_(True)

    def freeze(*ignored: object) -> None:
        loop.discriminator.requires_grad_(False)

    d.register_step_post_hook(freeze)
    g.register_step_post_hook(thaw)
    return loop


def _whole(kind: str, batch: int, data: Dataset) -> Contender:
    """Return our step with its lazy penalty and its input pipeline."""
    name, asked = OURS[kind]
    lazy = {"penalties.r1": {"weight": 1, "every": CYCLE}}
    options = nested({**asked, **lazy, "batch": batch, "images": 1_000_000})
    recipe = with_depths(resolve(preset(name, "small", data.spec), options), data.spec)
    return our_step("ours, R1 every 8, input pipeline", recipe, data, piped=True)


LOOPS: Mapping[str, Callable[[], textbook.Loop]] = {
    "convolutional": lambda: textbook.convolutional(SIDE),
    "fully_connected": lambda: textbook.fully_connected(SIDE),
}
OURS: Mapping[str, tuple[str, Options]] = {
    "convolutional": (
        "default",
        {
            "order": "simultaneous",
            "generator.latent": textbook.LATENT,
            "generator.upsampling": "transposed",
        },
    ),
    "fully_connected": ("article", {"order": "simultaneous", "objective": "non-saturating"}),
}

if __name__ == "__main__":
    main()
