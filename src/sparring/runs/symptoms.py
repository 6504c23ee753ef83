"""What trouble shows in: how the discriminator as it is ranks reals and fakes.

Inside: measurements at one look. Not inside: what they mean (`diagnosis`).

Notation: an area (AUC) is P(first logit > second) + ½ P(equal) over pairs of samples: ½ if the
discriminator cannot tell two sets apart, 1 if every sample of the first scores higher.
"""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.draws import Draw
from sparring.features.reference import part_indices
from sparring.kinds import encode, view
from sparring.metrics.classifier import auc_estimate
from sparring.metrics.duplicates import MIN_SAMPLES
from sparring.metrics.estimate import Estimate
from sparring.spec import Spec
from sparring.training.state import State, latent_width

MAX_SCORED = 250  # samples of each set that the discriminator scores
SEED = 2  # other latents than training's, the pictures' and the distances'
BATCH = 50

Logits = NDArray[np.float64]


def discriminator_aucs(state: State, data: Dataset, labels: Tensor | None) -> dict[str, Estimate]:
    """Return how the discriminator as it is ranks what it trains on, what it never saw, and fakes.

    `separation`: AUC of reals over fakes of the live generator; of held-out reals if there are
    enough. `memory`: AUC of training reals over held-out ones, ½ without memory. What too few
    samples would have to tell is left out.

    Args:
        state: is left as it is.
        data: the training items and those held out.
        labels: of the fakes, (`MAX_SCORED`,), None for an unconditional generator.
    """
    train, held_out = (
        _logits_of_items(state.discriminator, data, part_indices(data, part, MAX_SCORED))
        for part in ("train", "held_out")
    )
    if len(train) < MIN_SAMPLES:
        return {}
    fake = _logits_of_fakes(state, labels, data.spec)
    if len(held_out) < MIN_SAMPLES:
        return {"separation": auc_estimate(train, fake)}
    return {
        "separation": auc_estimate(held_out, fake),
        "memory": auc_estimate(train, held_out),
    }


@torch.no_grad()
def _logits_of_items(discriminator: nn.Module, data: Dataset, index: NDArray[np.int64]) -> Logits:
    device = next(discriminator.parameters()).device
    logits = []
    for batch in _batches(index):
        x = encode(torch.from_numpy(np.asarray(data.items[batch])), data.spec).to(device)
        label = None if data.labels is None else torch.from_numpy(data.labels[batch]).to(device)
        logits.append(discriminator(x, label))
    return _joined(logits)


@torch.no_grad()
def _logits_of_fakes(state: State, labels: Tensor | None, spec: Spec) -> Logits:
    """Score fakes as training makes them: by the live generator, with batch statistics."""
    generator = deepcopy(state.generator)
    device = next(generator.parameters()).device
    logits = []
    for batch in _batches(np.arange(MAX_SCORED)):
        draw = Draw(SEED, int(batch[0]))
        latent = draw.normal("symptoms/latent", (len(batch), latent_width(generator))).to(device)
        label = None if labels is None else labels[batch].to(device)
        logits.append(state.discriminator(view(generator(latent, label), spec), label))
    return _joined(logits)


def _batches(index: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    yield from (index[start : start + BATCH] for start in range(0, len(index), BATCH))


def _joined(parts: list[Tensor]) -> Logits:
    logits: Logits = torch.cat(parts).cpu().double().numpy() if parts else np.empty(0)
    return logits
