"""Images per CPU-second of other packages' training steps, and of ours on equally dear networks.

pip install --no-deps --target FOLDER torchgan lightweight-gan stylegan2-pytorch einops kornia \\
    kornia_rs tqdm fire termcolor
python -m benchmarks.peers FOLDER [--names torchgan,…] [--rounds 3] [--equal step]

A peer's step is its own code, penalties and losses as it comes. Ours is the default recipe, with
its penalties and its input pipeline, and with the widths at which a forward pass of the generator
for one image multiplies and adds as often as the peer's does; likewise of the discriminator. So
the ratio is of steps, not of sizes; what is learnt from an image is not measured here.
With --equal step, at 64x64 and batch 32, a peer takes the size nearest to our preset's cost of a
whole training step, and our widths, in the preset's proportion, take what its options leave.

Dependencies that no step uses are replaced by stand-ins. Two of the packages refuse to start
without CUDA: their text is read, and run with the calls that move tensors to it left out.
"""

import argparse
import re
import sys
from bisect import bisect_left
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
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.quality import print_on_one_thread
from benchmarks.step_speed import CYCLE, Contender, comparison, measure, utilisation
from sparring.build import (
    build_discriminator,
    build_game,
    build_generator,
    build_state,
    with_depths,
)
from sparring.data.dataset import Dataset
from sparring.data.images import open_images
from sparring.data.options import DataOptions
from sparring.plan import batches
from sparring.presets import preset
from sparring.profiling import gigaflop_of
from sparring.recipe import Recipe, resolve
from sparring.spec import ImageSpec
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
SIZED = {  # (side, batch, channels) whose step costs as our preset's, or as near as options go
    "torchgan": (64, 32, 21),
    "lightweight-gan": (64, 4, 16),  # its attention does not shrink; at batch 32, 25 CPU-s a step
    "stylegan2-pytorch": (64, 32, 1),
}
CHANNELS = 3
IMAGES = 1_000
WIDEST = 512
TOLERANCE = 0.15


@dataclass(frozen=True)
class Peer:
    """A package's training step, and forward passes of its networks for one image."""

    name: str
    step: Callable[[], object]
    batch: int
    side: int
    generate: Callable[[], Tensor]
    judge: Callable[[], Tensor]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each peer beside ours, and print the tables."""
    parser = argparse.ArgumentParser(description="Training steps of other packages, and ours.")
    parser.add_argument("packages", type=Path, help="a folder that holds the peers")
    parser.add_argument("--equal", choices=["forward", "step"], default="forward")
    parser.add_argument("--names", default=",".join(NAMES), help="separated by commas")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU-seconds of a turn")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the tables' lines; a peer that does not run gets a line that says why."""
    for name in asked.names.split(","):
        try:
            peer = load(name, asked.packages, SIZED.get(name) if asked.equal == "step" else None)
            peer.step()
        except Exception as error:  # of any kind: it is not our code
            reason = (str(error).splitlines() or [""])[0]
            yield f"\n{name} does not run here: {type(error).__name__}: {reason}"
            continue
        if asked.equal == "step":
            yield from by_step(peer, asked)
            continue
        cost = forward_cost(peer.generate, peer.judge)
        recipe, own_cost = matched(peer, cost)
        rows = Contender(name, peer.step, peer.batch), _ours(recipe, peer.side)
        yield (
            f"\n{peer.name}, batch {peer.batch}; a forward pass of generator and discriminator: "
            f"{cost[0]:.1f} and {cost[1]:.1f} MFLOP, ours {own_cost[0]:.1f} and {own_cost[1]:.1f}"
        )
        rates = measure(rows, asked.rounds, asked.seconds)
        yield from comparison(rows, rates)
        yield from utilisation(rows, rates)


def by_step(peer: Peer, asked: argparse.Namespace) -> Iterator[str]:
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


def forward_cost(generate: Callable[[], Tensor], judge: Callable[[], Tensor]) -> tuple[float, ...]:
    """Return the megaflops of a forward pass of either network."""
    return tuple(1e3 * gigaflop_of(forward, 1) for forward in (generate, judge))


def matched(peer: Peer, cost: Sequence[float]) -> tuple[Recipe, tuple[float, ...]]:
    """Return the default recipe with the widths whose forward passes cost most nearly as much."""
    spec = ImageSpec(peer.side, peer.side, CHANNELS)
    base = with_depths(resolve(preset("default", "small", spec), {"images": 1_000_000}), spec)

    def wide(generator: int, discriminator: int) -> Recipe:
        return replace(
            base,
            batch=peer.batch,
            generator=replace(base.generator, width=generator),
            discriminator=replace(base.discriminator, width=discriminator),
        )

    def own_cost(width: int) -> tuple[float, ...]:
        recipe = wide(width, width)
        generator = build_generator(recipe, spec).eval()
        discriminator = build_discriminator(recipe, spec).eval()
        latent, image = torch.zeros(1, recipe.generator.latent), torch.zeros(1, *spec.shape)
        return forward_cost(lambda: generator(latent), lambda: discriminator(image))

    widths = tuple(
        nearest_width(lambda width, which=which: own_cost(width)[which], cost[which])
        for which in (0, 1)
    )
    return wide(*widths), tuple(own_cost(width)[which] for which, width in enumerate(widths))


def nearest_width(cost: Callable[[int], float], wanted: float) -> int:
    """Return the width whose cost, which grows with it, is nearest in ratio to what is wanted."""
    above = bisect_left(range(1, WIDEST), wanted, key=cost) + 1
    return min(max(above - 1, 1), above, key=lambda width: abs(np.log(cost(width) / wanted)))


def _ours(recipe: Recipe, side: int) -> Contender:
    data = _random_images(side)
    state, game = build_state(recipe, data.spec), build_game(recipe, data.spec)
    fetch = batches(data, recipe)
    widths = recipe.generator.width, recipe.discriminator.width
    return Contender(
        f"sparring, widths {widths[0]} and {widths[1]}",
        lambda: train_step(state, game, fetch(state.images, recipe.batch)),
        recipe.batch,
    )


def _random_images(side: int) -> Dataset:
    shape = (IMAGES, side, side, CHANNELS)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return open_images(pixels, DataOptions(held_out=0), cache=Path("build"))


def load(name: str, packages: Path, size: tuple[int, int, int] | None = None) -> Peer:
    """Return a peer by its name on PyPI, of (side, batch, channels) if asked for.

    Whatever its code raises comes through.
    """
    with _importable(packages):
        match name:
            case "torchgan":
                return _torchgan(*size or ())
            case "lightweight-gan":
                return _lightweight_gan(packages, *size or ())
            case "stylegan2-pytorch":
                return _stylegan2_pytorch(packages, *size or ())
    raise ValueError(f"no peer is called '{name}'; known: {', '.join(NAMES)}")


def _torchgan(side: int = 32, batch: int = 64, channels: int = 64) -> Peer:
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

    return Peer(
        f"torchgan's DCGAN of {channels}, {side}x{side}",
        step,
        batch,
        side,
        lambda: _at_rest(generator, torch.randn(1, generator.encoding_dims)),
        lambda: _at_rest(discriminator, real[:1]),
    )


def _lightweight_gan(packages: Path, side: int = 32, batch: int = 4, channels: int = 32) -> Peer:
    """Its trainer; with all its channels, 512, a step takes minutes."""
    module = _without_cuda("lightweight_gan", packages)
    trainer = _quiet_trainer(module, side, batch, fmap_max=channels, use_aim=False)
    networks = trainer.GAN
    return Peer(
        f"lightweight-gan, fmap_max {channels}, {side}x{side}",
        trainer.train,
        batch,
        side,
        lambda: _at_rest(networks.G, torch.randn(1, networks.latent_dim)),
        lambda: _at_rest(networks.D, torch.rand(1, CHANNELS, side, side)),
    )


def _stylegan2_pytorch(packages: Path, side: int = 32, batch: int = 16, channels: int = 4) -> Peer:
    """Its trainer; its own network_capacity is 16."""
    module = _without_cuda("stylegan2_pytorch", packages)
    trainer = _quiet_trainer(module, side, batch, network_capacity=channels)
    networks = trainer.GAN

    def generate() -> Tensor:
        style = networks.S(torch.randn(1, networks.G.latent_dim))
        return networks.G(
            style[:, None].expand(-1, networks.G.num_layers, -1), torch.rand(1, side, side, 1)
        )

    return Peer(
        f"stylegan2-pytorch, network_capacity {channels}, {side}x{side}",
        trainer.train,
        batch,
        side,
        generate,
        lambda: _at_rest(networks.D, torch.rand(1, CHANNELS, side, side)),
    )


def _at_rest(network: nn.Module, x: Tensor) -> Tensor:
    """Run a forward pass that leaves the network training as before."""
    found: Tensor = network.eval()(x)
    network.train()
    return found


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
