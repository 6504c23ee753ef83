"""Texts by everybody whom a card of texts compares: real ones, the generator's, its rivals'.

Rivals are the likelihood model and a sampler of 3-grams. Generator and likelihood model write at
several temperatures; a generator's is its truncation, which scales the latent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring import likelihood
from sparring.data.kinds import decode
from sparring.data.texts import texts_of
from sparring.metrics.texts import CountModel, Text
from sparring.networks.recurrent import RecurrentGenerator
from sparring.sampling import sample
from sparring.spec import TextSpec
from sparring.text_card import COUNTED, GENERATOR, GRAMS, LIKELIHOOD, Authors, Drawn

TEMPERATURES = (0.6, 0.8, 1.0, 1.2)  # of the likelihood model
TRUNCATIONS = (0.5, 0.75, 1.0, 1.25)  # of the generator
ORDER = 3  # of the counted sampler
SEED = 2  # other latents than those of pictures and of looks while training


def everybody(
    generator: nn.Module,
    spec: TextSpec,
    train: NDArray[Any],
    held_out: NDArray[Any],
    labels: Tensor | None,
    rival: RecurrentGenerator | None,
) -> Authors:
    """Return texts of each sort, as many as are held out of each.

    Args:
        generator: in evaluation mode.
        spec: of all texts.
        train, held_out: items in random order.
        labels: of as many texts as are held out, or None.
        rival: the likelihood model, if there is one.
    """
    n = len(held_out)
    known, held = written(train, spec), written(held_out, spec)
    ours = {psi: written(_drawn(generator, spec, n, labels, psi), spec) for psi in TRUNCATIONS}
    counted = CountModel(known[:COUNTED], ORDER, len(spec.symbols))
    rivals: dict[str, Sequence[Text]] = {GRAMS: counted.draw(n, spec.length - 1, SEED)}
    curves = {GENERATOR: _curve(ours)}
    if rival is not None:
        theirs = {
            t: written(torch.cat([*likelihood.draw(rival, n, SEED, t)]), spec) for t in TEMPERATURES
        }
        rivals = {LIKELIHOOD: theirs[1.0], **rivals}
        curves[LIKELIHOOD] = _curve(theirs)
    return Authors(known, held, ours[1.0], rivals, curves, len(spec.symbols))


def written(items: NDArray[Any] | Tensor, spec: TextSpec) -> list[Text]:
    """Return texts as sequences of their units."""
    texts = texts_of(items, spec)
    return [tuple(text.split()) for text in texts] if spec.units == "words" else list(texts)


def _drawn(
    generator: nn.Module, spec: TextSpec, n: int, labels: Tensor | None, psi: float
) -> Tensor:
    parts = sample(generator, n, seed=SEED, labels=labels, truncation=psi)
    return torch.cat([decode(part, spec) for part in parts])


def _curve(texts: Mapping[float, Sequence[Text]]) -> tuple[Drawn, ...]:
    return tuple(Drawn(temperature, some) for temperature, some in texts.items())
