"""Small games that many tests share, on one thread, so that sums always have the same order."""

import os
from collections.abc import Callable

# Before NumPy is loaded: what is small waits longer for threads than it computes.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from sparring.kinds.images.networks.convolutional import (
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
)
from sparring.kinds.images.spec import ImageSpec
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.training.state import State, new_state, take_snapshot
from sparring.training.step import Batch

torch.set_num_threads(1)
collect_ignore = ["end_to_end"] if os.name == "nt" else []  # of forks and pseudo-terminals

LATENT = 5
CLASSES = ("a", "b", "c")

MakeState = Callable[..., State]
MakeBatch = Callable[..., Batch]


def _optimizer(name: str, network: nn.Module) -> Optimizer:
    match name:
        case "adam":
            return Adam(network.parameters(), lr=0.0, betas=(0.5, 0.9), fused=True)
        case "sgd":
            return SGD(network.parameters(), lr=0.0)
        case "momentum":
            return SGD(network.parameters(), lr=0.0, momentum=0.9)
    raise ValueError(name)


@pytest.fixture
def make_state() -> MakeState:
    """Return a function that makes a tiny state; the same arguments give the same state."""

    def make(
        network: str = "mlp",
        *,
        dtype: torch.dtype = torch.float32,
        conditional: bool = False,
        optimizer: str = "sgd",
        seed: int = 0,
        norm: str = "batch",
        spec: ImageSpec | None = None,
    ) -> State:
        spec = spec or ImageSpec(8, 8, 1, CLASSES if conditional else ())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator: nn.Module
            discriminator: nn.Module
            if network == "mlp":
                generator = MLPGenerator(spec, LATENT, 7, 1, norm=norm)  # type: ignore[arg-type]
                discriminator = MLPDiscriminator(spec, 6, 1)
            else:
                generator = ConvolutionalGenerator(spec, LATENT, 4, 1, norm=norm)  # type: ignore[arg-type]
                discriminator = ConvolutionalDiscriminator(spec, 3, 1)
                generator = generator.to(memory_format=torch.channels_last)
                discriminator = discriminator.to(memory_format=torch.channels_last)
        generator, discriminator = generator.to(dtype), discriminator.to(dtype)
        return new_state(
            generator,
            discriminator,
            _optimizer(optimizer, generator),
            _optimizer(optimizer, discriminator),
            seed,
        )

    return make


@pytest.fixture
def make_batch() -> MakeBatch:
    """Return a function that makes `count` synthetic reals from stream position `start` on."""

    def make(
        count: int = 4,
        *,
        start: int = 0,
        dtype: torch.dtype = torch.float32,
        conditional: bool = False,
        shape: tuple[int, ...] = (1, 8, 8),
    ) -> Batch:
        rows = []
        for position in range(start, start + count):
            generator = torch.Generator().manual_seed(position)
            rows.append(torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1)
        label = torch.arange(start, start + count) % len(CLASSES) if conditional else None
        return Batch(torch.stack(rows).to(dtype), label)

    return make


@pytest.fixture
def everything() -> Callable[[State], dict[str, Tensor]]:
    """Return a function that copies all tensors and counters of a state, for comparison."""

    def copy(state: State) -> dict[str, Tensor]:
        snapshot = take_snapshot(state)
        model = {f"ema.{name}": tensor for name, tensor in snapshot.model.items()}
        counts = {
            name: torch.tensor(count, dtype=torch.int64 if isinstance(count, int) else torch.double)
            for name, count in snapshot.counts.items()
        }
        return model | snapshot.train | counts

    return copy


@pytest.fixture
def differing() -> Callable[[dict[str, Tensor], dict[str, Tensor]], list[str]]:
    """Return a function that names what two such copies do not share bit for bit."""

    def compare(a: dict[str, Tensor], b: dict[str, Tensor]) -> list[str]:
        lone = sorted(a.keys() ^ b.keys())
        return lone + [name for name in a.keys() & b.keys() if not torch.equal(a[name], b[name])]

    return compare
