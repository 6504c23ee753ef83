"""A trained generator at work: the same sample for the same seed, whatever the batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sparring.draws import Draw
from sparring.errors import SparringError, nearest
from sparring.spec import Spec
from sparring.training.state import latent_width

MICRO_BATCH = 64  # fixed and padded: kernels give other last bits for other batch sizes
MAX_SAMPLES = 10_000_000


@dataclass(frozen=True)
class SampleRequest:
    """What a person asks of samples; see `sample`.

    Raises:
        SparringError: a value is out of its range.
    """

    n: int
    seed: int = 0
    label: str | int | None = None  # a class's name or number; all in turn unless given
    truncation: float = 1.0
    between: bool = False
    own: Any = None  # what only this kind of data can be asked for: an instance of `Kind.requests`
    n_given: bool = True  # whether a person has said how many

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if not 0 < self.n <= MAX_SAMPLES:
            raise SparringError(f"{self.n} samples asked for; expected 1 to {MAX_SAMPLES:,}")
        if not 0 <= self.seed < 2**63:
            raise SparringError(f"seed {self.seed}; expected 0 to 2^63 - 1")
        if not 0 <= self.truncation <= 2:
            raise SparringError(f"truncation {self.truncation}; expected 0 (the mean) to 2")


def class_labels(
    spec: Spec, n: int, label: str | int | None, *, between: bool = False
) -> Tensor | None:
    """Return the labels (n,) of samples: all classes in turn, or the one that is named.

    Of steps between two samples it is the first class, unless one is named; without classes None.

    Raises:
        SparringError: there is no such class.
    """
    if not spec.classes:
        if label is not None:
            raise SparringError(f"label '{label}' asked for, but this run has no classes")
        return None
    if label is None and not between:
        return torch.arange(n) % len(spec.classes)
    label = 0 if label is None else label
    if str(label) in spec.classes:
        return torch.full((n,), spec.classes.index(str(label)))
    if str(label) in map(str, range(len(spec.classes))):
        return torch.full((n,), int(label))
    hint = nearest(str(label), spec.classes)
    raise SparringError(
        f"no class '{str(label)[:80]}'; classes: {', '.join(spec.classes[:20])}{hint}"
    )


@contextmanager
def on_threads(count: int = 0) -> Iterator[None]:
    """Compute on so many threads, or first on as many as before; leave their number as it was.

    Other numbers of threads add up in another order, and give other last bits.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def sample(
    generator: nn.Module,
    n: int,
    *,
    seed: int = 0,
    labels: Tensor | None = None,
    truncation: float = 1.0,
    start: int = 0,
    between: bool = False,
    batch: int = MICRO_BATCH,
) -> Iterator[Tensor]:
    """Yield samples number `start` … `start + n − 1` of a seed, in batches.

    Args:
        generator: maps latents and labels to samples; put into evaluation mode.
        n: how many.
        seed: sample i is a function of the seed, i, its label and the truncation alone.
        labels: shape (n,), int64, conditions of a table (n, c), or None for an unconditional
            generator; `ValueError` if they are not n.
        truncation: ψ scales the latents towards their mean, 0; below 1, less various and
            more typical samples (after Karras 2019, section B).
        start: a multiple of 64.
        between: walk from the first sample of the seed to the second in n equal steps instead.
        batch: how many are made at once; another number gives other last bits.
    """
    if labels is not None and len(labels) != n:
        raise ValueError(f"{len(labels)} labels for {n} samples; expected one for each")
    generator.eval()
    device = next(generator.parameters()).device
    for done in range(0, n, batch):
        draw = Draw(seed, start + done)
        shape = batch, latent_width(generator)
        latent = draw.normal("sample/latent", shape) if not between else _walk(seed, n, done, shape)
        label = None if labels is None else _padded(labels[done : done + batch], batch).to(device)
        fake: Tensor = generator(truncation * latent.to(device), label)
        yield fake[: n - done].cpu()


def _walk(seed: int, n: int, done: int, shape: tuple[int, int]) -> Tensor:
    """Return latents on the arc between two (White 2016, section 2.1): as long as those drawn."""
    first, second = Draw(seed).normal("sample/latent", (2, shape[1])).double()
    share = ((torch.arange(shape[0]) + done) / max(n - 1, 1)).clamp(max=1).double()[:, None]
    cosine = torch.nn.functional.cosine_similarity(first, second, dim=0)
    angle = torch.arccos(cosine.clamp(-1, 1))
    on_arc = torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second
    latents: Tensor = (on_arc / torch.sin(angle)).float()
    return latents


def _padded(labels: Tensor, batch: int) -> Tensor:
    return torch.cat([labels, labels.new_zeros((batch - len(labels), *labels.shape[1:]))])
