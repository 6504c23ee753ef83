"""Images per CPU-second of other packages' training steps, and of ours on equally dear networks.

pip install --no-deps --target FOLDER torchgan lightweight-gan stylegan2-pytorch einops kornia \\
    kornia_rs tqdm fire termcolor
python -m benchmarks.peers FOLDER [--names torchgan,…] [--rounds 3] [--equal step]

A peer's step is its own code, penalties and losses as it comes; its networks are made as near to
ours in cost as its options go. Ours is the default recipe, with its penalties and its input
pipeline, and its widths scaled until a step costs an image as many multiplications and additions as
the peer's does. So the ratio is of steps, not of sizes; what is learnt from an image is not
measured here. Beside it stands our recipe as it is.
With --equal step, at 64x64 and batch 32, a peer takes the size nearest to our preset's cost of a
whole training step, and our widths, in the preset's proportion, take what its options leave.

Dependencies that no step uses are replaced by stand-ins. Two of the packages refuse to start
without CUDA: their text is read, and run with the calls that move tensors to it left out.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from torch.optim import Adam

from benchmarks.quality import print_on_one_thread
from benchmarks.step_speed import CYCLE, Contender, comparison, measure, utilisation
from sparring.build import (
    build_game,
    build_state,
    with_depths,
)
from sparring.data.dataset import Dataset
from sparring.kinds.images.options import ImageOptions
from sparring.kinds.images.reader import open_data
from sparring.kinds.images.spec import ImageSpec
from sparring.recipes.named import preset
from sparring.recipes.recipe import Recipe, resolve
from sparring.runs.plan import batches
from sparring.training.profile import gigaflop_of
from sparring.training.step import train_step

NAMES = ("torchgan", "lightweight-gan", "stylegan2-pytorch")
STAND_INS = (
    "torchvision",
    "torchvision.models",
    "torchvision.transforms",
    "torchvision.utils",
    "tensorboardX",
    "visdom",
    "aim",
    "adabelief_pytorch",
    "vector_quantize_pytorch",
)
ON_THE_CPU = (
    (r"^assert torch\.cuda.*$", ""),
    (r"\.cuda\([^)]*\)", ""),
    (r"f'cuda:\{self\.rank\}'", "'cpu'"),
    (r"device ?= ?self\.rank", "device='cpu'"),
)
CHANNELS = 3
IMAGES = 1_000
TOLERANCE = 0.15


@dataclass(frozen=True)
class Peer:
    """A package's training step."""

    name: str
    step: Callable[[], object]
    batch: int
    side: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each peer beside ours, and print the tables."""
    parser = argparse.ArgumentParser(description="Training steps of other packages, and ours.")
    parser.add_argument("packages", type=Path, help="a folder that holds the peers")
    parser.add_argument("--names", default=",".join(NAMES), help="separated by commas")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU-seconds of a turn")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the tables' lines; a peer that does not run gets a line that says why."""
    for name in asked.names.split(","):
        try:
            peer = load(name, asked.packages)
            peer.step()
        except Exception as error:  # of any kind: it is not our code
            reason = (str(error).splitlines() or [""])[0]
            yield f"\n{name} does not run here: {type(error).__name__}: {reason}"
            continue
        yield from compared(peer, asked)


def compared(peer: Peer, asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table of a peer beside our step of equal cost, and beside our preset as it is."""
    wanted = 1e3 * gigaflop_of(peer.step, CYCLE) / peer.batch
    base = _preset(peer)
    recipe = scaled(base, lambda one: step_cost(one, peer.side), wanted)
    shares = [step_cost(one, peer.side) / wanted for one in (recipe, base)]
    rows = [Contender(peer.name, peer.step, peer.batch), _ours(recipe, peer.side)]
    if recipe != base:
        rows.append(replace(_ours(base, peer.side), name="sparring, the preset as it is"))
    yield f"\n{peer.name}, batch {peer.batch}: a training step costs {wanted:.1f} MFLOP an image"
    yield f"ours {shares[0]:.2f} of it; our preset as it is {shares[1]:.2f}"
    rates = measure(rows, asked.rounds, asked.seconds)
    yield from comparison(rows, rates)
    yield from utilisation(rows, rates)


def scaled(base: Recipe, cost: Callable[[Recipe], float], wanted: float) -> Recipe:
    """Return the recipe unless its cost is over 15 % off; then both widths scaled to the cost."""
    found, scale = base, 1.0
    for _ in range(6):  # the cost grows a little slower than the square of the widths
        share = cost(found) / wanted
        if abs(share - 1) <= TOLERANCE:
            break
        scale /= share**0.5
        found = replace(
            base,
            generator=replace(base.generator, width=max(round(base.generator.width * scale), 1)),
            discriminator=replace(
                base.discriminator, width=max(round(base.discriminator.width * scale), 1)
            ),
        )
    return found


def step_cost(recipe: Recipe, side: int) -> float:
    """Return the megaflops of a training step for one image, penalties included."""
    few = replace(recipe, batch=4)  # an image costs the same in a larger batch
    return 1e3 * gigaflop_of(_ours(few, side).step, CYCLE) / few.batch


def _preset(peer: Peer) -> Recipe:
    spec = ImageSpec(peer.side, peer.side, CHANNELS)
    asked = {"images": 1_000_000, "batch": peer.batch}
    return with_depths(resolve(preset("default", "small", spec), asked), spec)


def _ours(recipe: Recipe, side: int) -> Contender:
    data = _random_images(side)
    state, game = build_state(recipe, data.spec), build_game(recipe, data.spec)
    fetch = batches(data, recipe)
    widths = recipe.generator.width, recipe.discriminator.width
    return Contender(
        f"sparring, widths {widths[0]} and {widths[1]}",
        lambda: train_step(state, game, fetch(state.samples_seen, recipe.batch)),
        recipe.batch,
    )


def _random_images(side: int) -> Dataset:
    shape = (IMAGES, side, side, CHANNELS)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return open_data(pixels, ImageOptions(held_out=0), cache=Path("build"))


def load(name: str, packages: Path) -> Peer:
    """Return a peer by its name on PyPI; whatever its code raises comes through."""
    with _importable(packages):
        match name:
            case "torchgan":
                return _torchgan()
            case "lightweight-gan":
                return _lightweight_gan(packages)
            case "stylegan2-pytorch":
                return _stylegan2_pytorch(packages)
    raise ValueError(f"no peer is called '{name}'; known: {', '.join(NAMES)}")


def _torchgan(side: int = 64, batch: int = 32, channels: int = 21) -> Peer:
    """Its DCGAN with its non-saturating losses, whose `train_ops` its trainer calls."""
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import DCGANDiscriminator, DCGANGenerator

    generator = DCGANGenerator(out_size=side, step_channels=channels)
    discriminator = DCGANDiscriminator(in_size=side, step_channels=channels)
    g, d = (Adam(one.parameters(), 2e-4, (0.5, 0.999)) for one in (generator, discriminator))
    loss_g, loss_d = MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()
    real, device = torch.rand(batch, CHANNELS, side, side) * 2 - 1, torch.device("cpu")

    def step() -> None:
        loss_d.train_ops(generator, discriminator, d, real, device)
        loss_g.train_ops(generator, discriminator, g, device, batch)

    return Peer(f"torchgan's DCGAN of {channels}, {side}x{side}", step, batch, side)


def _lightweight_gan(packages: Path, side: int = 64, batch: int = 4, channels: int = 16) -> Peer:
    """Its trainer; its attention does not shrink, and a step at batch 32 takes 25 CPU-seconds."""
    module = _without_cuda("lightweight_gan", packages)
    trainer = _quiet_trainer(module, side, batch, fmap_max=channels, use_aim=False)
    name = f"lightweight-gan, fmap_max {channels}, {side}x{side}"
    return Peer(name, trainer.train, batch, side)


def _stylegan2_pytorch(packages: Path, side: int = 64, batch: int = 32, channels: int = 1) -> Peer:
    """Its trainer; its own network_capacity is 16."""
    module = _without_cuda("stylegan2_pytorch", packages)
    trainer = _quiet_trainer(module, side, batch, network_capacity=channels)
    name = f"stylegan2-pytorch, network_capacity {channels}, {side}x{side}"
    return Peer(name, trainer.train, batch, side)


def _quiet_trainer(module: ModuleType, side: int, batch: int, **options: Any) -> Any:
    """Return a trainer that only trains: with random images, saving and drawing nothing."""
    folder = mkdtemp(prefix="peer-")
    trainer = module.Trainer(base_dir=folder, image_size=side, batch_size=batch, **options)
    trainer.is_main = False  # who saves and evaluates
    trainer.loader = repeat(torch.rand(batch, CHANNELS, side, side))
    trainer.init_GAN()
    return trainer


@contextmanager
def _importable(packages: Path) -> Iterator[None]:
    """Let packages be imported from a folder, with stand-ins for what they do not need."""
    stand_ins = {name: MagicMock() for name in STAND_INS if name not in sys.modules}
    sys.path.append(str(packages))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        sys.path.remove(str(packages))
        for name in stand_ins:
            del sys.modules[name]


def _without_cuda(package: str, packages: Path) -> ModuleType:
    """Run a package's module of its own name, without what moves tensors to CUDA."""
    around = ModuleType(package)  # in place of its __init__, which imports the module as it is
    around.__path__ = [str(packages / package)]
    sys.modules[package] = around
    path = packages / package / f"{package}.py"
    source = path.read_text(encoding="utf-8")
    for pattern, instead in ON_THE_CPU:
        source = re.sub(pattern, instead, source, flags=re.MULTILINE)
    module = ModuleType(f"{package}.{package}")
    exec(compile(source, path, "exec"), module.__dict__)
    return module


if __name__ == "__main__":
    main()
