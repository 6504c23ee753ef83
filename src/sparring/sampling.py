"""A trained generator at work: the same sample for the same seed, whatever the batch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sparring.draws import Draw
from sparring.training.state import latent_width

MICRO_BATCH = 64  # fixed and padded: kernels give other last bits for other batch sizes


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
) -> Iterator[Tensor]:
    """Yield samples number `start` … `start + n − 1` of a seed, in batches of at most 64.

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
    """
    if labels is not None and len(labels) != n:
        raise ValueError(f"{len(labels)} labels for {n} samples; expected one for each")
    generator.eval()
    device = next(generator.parameters()).device
    for done in range(0, n, MICRO_BATCH):
        draw = Draw(seed, start + done)
        shape = MICRO_BATCH, latent_width(generator)
        latent = draw.normal("sample/latent", shape) if not between else _walk(seed, n, done, shape)
        label = None if labels is None else _padded(labels[done : done + MICRO_BATCH]).to(device)
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


def _padded(labels: Tensor) -> Tensor:
    return torch.cat([labels, labels.new_zeros((MICRO_BATCH - len(labels), *labels.shape[1:]))])
