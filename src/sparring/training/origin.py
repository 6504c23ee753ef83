"""Where a step that was refused stopped being finite, and what stood out just before.

Looked up only after a failure, so it may cost a forward pass.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from sparring.training.state import State
from sparring.training.step import Batch

MAX_HEALTHY = 1e3  # of a logit or a norm; those of healthy runs stay below a hundred
REPORTED = ("discriminator/real", "discriminator/fake", "gradient_norm")  # parts of names


def origin(state: State, batch: Batch, before: Mapping[str, float]) -> str:
    """Say in what a step first was not finite, and what was large in the step before.

    Args:
        state: as the refused step left it.
        batch: that the step played on.
        before: the scalars of the last good step.
    """
    first = next(_not_finite(state, batch), "what overflowed is not a parameter, gradient or real")
    large = [
        f"{name.replace('/', ' ').replace('_', ' ')} {value:.2g}"
        for name, value in before.items()
        if any(part in name for part in REPORTED) and abs(value) > MAX_HEALTHY
    ]
    return f"{first}; the step before had {', '.join(large)}" if large else first


def _not_finite(state: State, batch: Batch) -> Iterator[str]:
    """Name what is not finite, in the order in which a step computes."""
    if bad := int((~batch.x.isfinite()).sum()):
        yield f"{bad:,} of {batch.x.numel():,} numbers in the batch of reals are not finite"
    players = {"discriminator": state.discriminator, "generator": state.generator}
    for player, network in players.items():
        for name, parameter in network.named_parameters():
            if not parameter.isfinite().all():
                yield f"first the {player}'s parameter {name}"
    if not _logits(state.discriminator, batch).isfinite().all():
        yield "first the discriminator's logits on reals"
    for player, network in players.items():
        for name, parameter in reversed(list(network.named_parameters())):  # backwards
            if parameter.grad is not None and not parameter.grad.isfinite().all():
                yield f"first the gradient of the {player}'s {name}"


@torch.no_grad()
def _logits(discriminator: nn.Module, batch: Batch) -> Tensor:
    logits: Tensor = discriminator(*batch)
    return logits
