"""What trouble shows in: how the discriminator ranks samples, and how alike the fakes are.

Inside: measurements at one look. Not inside: what they mean (`diagnosis`).

Notation: an area is P(first logit > second) + ½ P(equal) over pairs of samples: ½ if the
discriminator cannot tell two sets apart, 1 if every sample of the first scores higher.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.kinds import encode, view
from sparring.draws import Draw
from sparring.metrics.classifier import delong
from sparring.metrics.estimate import Estimate
from sparring.metrics.neighbours import nearest_others
from sparring.metrics.normal import normal_estimate
from sparring.reference import part_of
from sparring.spec import Spec
from sparring.training.state import State, latent_width

ASKED = 250  # samples of each set that the discriminator is asked about
FEWEST = 20  # samples that say something of the rest
SEED = 2  # other latents than training's, the pictures' and the distances'
PART = 50  # samples at once
CLOSEST = 0.02  # of reals, whose distance to their neighbours makes two samples twins

Logits = NDArray[np.float64]
Samples = NDArray[Any] | Tensor  # features or encoded points, (n, d)


def ranking(state: State, data: Dataset, labels: Tensor | None) -> dict[str, Estimate]:
    """Return how the discriminator as it is ranks what it trains on, what it never saw, and fakes.

    `separation`: area of reals over fakes of the live generator; of held-out reals if there are
    enough. `memory`: area of training reals over held-out ones, ½ without memory. What too few
    samples would have to tell is left out.

    Args:
        state: is left as it is.
        data: the training items and those held out.
        labels: of the fakes, (`ASKED`,), None for an unconditional generator.
    """
    train = _logits_of_items(state.discriminator, data, part_of(data, "train", ASKED))
    held = _logits_of_items(state.discriminator, data, part_of(data, "held_out", ASKED))
    if len(train) < FEWEST:
        return {}
    fake = _logits_of_fakes(state, labels, data.spec)
    if len(held) < FEWEST:
        return {"separation": area(train, fake)}
    return {"separation": area(held, fake), "memory": area(train, held)}


def area(above: ArrayLike, below: ArrayLike) -> Estimate:
    """Return the area of one set of logits over another, with DeLong's interval.

    Where all pairs agree, the variance is that of half a sample.
    """
    x, y = np.asarray(above, np.float64), np.asarray(below, np.float64)
    value, variance = delong(y, x)
    fewer = min(len(x), len(y))
    found = normal_estimate(value, max(variance, 1 / (4 * fewer**2)), fewer, "area, DeLong")
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def twins(real: Samples, fake: Samples) -> dict[str, float]:
    """Return as `twins` the share of fakes that have one: 0.02 of reals have, by definition.

    A twin is another sample as near as those of the closest fiftieth of as many reals. It adapts
    to the data: to how distances are distributed, and to repeated items. Of too few samples
    nothing is returned.

    Args:
        real, fake: in no particular order; of the longer only as many are used as of the other.
    """
    fewer = min(len(real), len(fake))
    if fewer < FEWEST:
        return {}
    of_reals, of_fakes = (nearest_others(one[:fewer]).distances[:, 0] for one in (real, fake))
    return {"twins": float((of_fakes <= np.quantile(of_reals, CLOSEST)).mean())}


@torch.no_grad()
def _logits_of_items(discriminator: nn.Module, data: Dataset, index: NDArray[np.int64]) -> Logits:
    device = next(discriminator.parameters()).device
    parts = []
    for some in _parts(index):
        x = encode(torch.from_numpy(np.asarray(data.items[some])).to(device), data.spec)
        label = None if data.labels is None else torch.from_numpy(data.labels[some]).to(device)
        parts.append(discriminator(x, label))
    return _joined(parts)


@torch.no_grad()
def _logits_of_fakes(state: State, labels: Tensor | None, spec: Spec) -> Logits:
    """Score fakes as training makes them: by the live generator, with batch statistics."""
    generator = deepcopy(state.generator)
    device = next(generator.parameters()).device
    parts = []
    for some in _parts(np.arange(ASKED)):
        draw = Draw(SEED, int(some[0]))
        latent = draw.normal("symptoms/latent", (len(some), latent_width(generator))).to(device)
        label = None if labels is None else labels[some].to(device)
        parts.append(state.discriminator(view(generator(latent, label), spec), label))
    return _joined(parts)


def _parts(index: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    yield from (index[start : start + PART] for start in range(0, len(index), PART))


def _joined(parts: list[Any]) -> Logits:
    logits: Logits = torch.cat(parts).double().cpu().numpy() if parts else np.empty(0)
    return logits
