"""All texts that the card compares: real ones, the generator's, and those of baselines.

Baselines are the likelihood model and a sampler of 3-grams. Generator and likelihood model write at
several temperatures; a generator's is its truncation, which scales the latent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.kinds.texts import likelihood
from sparring.kinds.texts.card import (
    GENERATOR,
    GRAMS,
    LIKELIHOOD,
    MAX_COUNTED,
    SamplesAtTemperature,
    TextSets,
)
from sparring.kinds.texts.codec import decode, texts_of
from sparring.kinds.texts.metrics import CountModel, Text
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.spec import TextSpec
from sparring.sampling import sample

TEMPERATURES = (0.6, 0.8, 1.0, 1.2)  # of the likelihood model
TRUNCATIONS = (0.5, 0.75, 1.0, 1.25)  # of the generator
ORDER = 3  # of the counted sampler
SEED = 2  # other latents than those of pictures and of looks while training


def collect_texts(
    generator: nn.Module,
    spec: TextSpec,
    train: NDArray[Any],
    held_out: NDArray[Any],
    labels: Tensor | None,
    likelihood_model: RecurrentGenerator | None,
) -> TextSets:
    """Return texts of each sort, as many as are held out of each.

    Args:
        generator: in evaluation mode.
        spec: of all texts.
        train, held_out: items in random order.
        labels: of as many texts as are held out, or None.
        likelihood_model: a baseline, if there is one.
    """
    n = len(held_out)
    train_texts, held_out_texts = to_units(train, spec), to_units(held_out, spec)
    ours = {psi: to_units(_samples(generator, spec, n, labels, psi), spec) for psi in TRUNCATIONS}
    counted = CountModel(train_texts[:MAX_COUNTED], ORDER, len(spec.symbols))
    baselines: dict[str, Sequence[Text]] = {GRAMS: counted.draw(n, spec.length - 1, SEED)}
    curves, scored = {GENERATOR: _curve(ours)}, None
    if likelihood_model is not None:
        theirs = {
            t: to_units(torch.cat([*likelihood.draw(likelihood_model, n, SEED, t)]), spec)
            for t in TEMPERATURES
        }
        baselines = {LIKELIHOOD: theirs[1.0], **baselines}
        curves[LIKELIHOOD] = _curve(theirs)
        scored = likelihood.log_likelihoods(likelihood_model, held_out).double().numpy()
    return TextSets(
        train_texts,
        held_out_texts,
        ours[1.0],
        baselines,
        curves,
        len(spec.symbols),
        log_likelihoods=scored,
    )


def given_texts(
    spec: TextSpec, train: NDArray[Any] | None, held_out: NDArray[Any], fake: NDArray[Any]
) -> TextSets:
    """Return texts of a generator that is not at hand, beside the sampler of 3-grams.

    Where nobody says what it was trained on, one half of the real texts stands in for it.

    Args:
        spec: of all texts.
        train: items in random order, if they are known.
        held_out, fake: items in random order.
    """
    known = train is not None
    if train is None:
        train, held_out = np.array_split(held_out, 2)
    n = min(len(train), len(held_out), len(fake))
    real, others, samples = (to_units(items, spec) for items in (train, held_out, fake[:n]))
    counted = CountModel(real[:MAX_COUNTED], ORDER, len(spec.symbols))
    baselines: dict[str, Sequence[Text]] = {GRAMS: counted.draw(n, spec.length - 1, SEED)}
    curves = {GENERATOR: _curve({1.0: samples})}
    return TextSets(real, others, samples, baselines, curves, len(spec.symbols), known)


def to_units(items: NDArray[Any] | Tensor, spec: TextSpec) -> list[Text]:
    """Return texts as sequences of their units."""
    texts = texts_of(items, spec)
    return [tuple(text.split()) for text in texts] if spec.units == "words" else list(texts)


def _samples(
    generator: nn.Module, spec: TextSpec, n: int, labels: Tensor | None, truncation: float
) -> Tensor:
    parts = sample(generator, n, seed=SEED, labels=labels, truncation=truncation)
    return torch.cat([decode(part, spec) for part in parts])


def _curve(texts: Mapping[float, Sequence[Text]]) -> tuple[SamplesAtTemperature, ...]:
    return tuple(SamplesAtTemperature(temperature, at) for temperature, at in texts.items())
