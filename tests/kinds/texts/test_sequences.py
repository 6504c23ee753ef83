"""The pairs for texts: discrete outputs, their gradient, likelihood and drawing that agree."""

from itertools import pairwise, product
from typing import Any

import pytest
import torch
from torch import Tensor

from sparring.draws import Draw
from sparring.kinds.texts.codec import decode
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.networks.sequence import (
    SequenceDiscriminator,
    SequenceGenerator,
    straight_through,
)
from sparring.kinds.texts.spec import TextSpec
from sparring.penalties import r1, scored

SPEC = TextSpec(("", "a", "b", "c"), 5)
LABELLED = TextSpec(("", "a", "b", "c"), 5, classes=("x", "y"))
GENERATORS: Any = {
    "sequence": lambda spec: SequenceGenerator(spec, 8, 16, 2),
    "recurrent": lambda spec: RecurrentGenerator(spec, 8, 16),
}
each_kind = pytest.mark.parametrize("kind", GENERATORS)


def made(generator: Any, n: int = 6, label: Tensor | None = None) -> Tensor:
    return generator(Draw(0).normal("test", (n, generator.latent)), label)  # type: ignore[no-any-return]


@each_kind
@pytest.mark.parametrize("spec", [SPEC, LABELLED])
def test_texts_are_exactly_one_hot_in_training_too(kind: str, spec: TextSpec) -> None:
    torch.manual_seed(0)
    generator = GENERATORS[kind](spec)
    label = torch.tensor([0, 1] * 3) if spec.classes else None
    x = made(generator, 6, label)
    assert x.shape == (6, 4, 5)
    torch.testing.assert_close(x.detach(), x.detach().round(), atol=1e-6, rtol=0)
    torch.testing.assert_close(x.detach().sum(1), torch.ones(6, 5))
    logits = SequenceDiscriminator(spec, 16, 2)(x, label)
    logits.sum().backward()
    missing = [n for n, p in generator.named_parameters() if p.ndim > 1 and p.grad is None]
    assert missing == []


@each_kind
def test_a_text_is_a_function_of_its_own_latent(kind: str) -> None:
    torch.manual_seed(0)
    generator = GENERATORS[kind](SPEC).eval()
    latent = Draw(0).normal("test", (40, generator.latent))
    several = generator(latent)
    assert torch.equal(generator(latent[3:4]).argmax(1), several[3:4].argmax(1))
    assert len({tuple(row.tolist()) for row in decode(several, SPEC)}) > 3


def test_the_gradient_is_the_softmax_s() -> None:
    logits = torch.randn(3, 4, 5, requires_grad=True, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(3, 4, 5)
    (straight,) = torch.autograd.grad((straight_through(logits) * weight).sum(), logits)
    (soft,) = torch.autograd.grad((logits.softmax(1) * weight).sum(), logits)
    torch.testing.assert_close(straight, soft)


def test_of_equal_logits_the_first_is_taken() -> None:
    assert torch.equal(straight_through(torch.zeros(1, 4, 2)).argmax(1), torch.zeros(1, 2).long())


def test_r1_is_taken_on_one_hot_columns() -> None:
    torch.manual_seed(0)
    discriminator = SequenceDiscriminator(SPEC, 16, 2)
    x = torch.eye(4)[torch.randint(0, 4, (6, 5))].transpose(1, 2).requires_grad_()
    real = scored(x, discriminator)
    r1(real, real, Draw(0)).mean().backward()
    assert discriminator.embed.weight.grad is not None
    assert discriminator.embed.weight.grad.any()


def test_probabilities_of_all_texts_sum_to_one() -> None:
    torch.manual_seed(0)
    spec = TextSpec(("", "a", "b"), 3)
    model = RecurrentGenerator(spec, 2, 8).eval()
    whole = product(range(3), repeat=3)  # nothing but ends after the first one
    texts = [t for t in whole if all(b == 0 for a, b in pairwise(t) if a == 0)]
    with torch.no_grad():
        total = model.log_likelihood(torch.tensor(texts)).exp().sum()
    assert len(texts) == 1 + 2 + 4 + 8
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_what_is_drawn_has_the_probabilities_that_are_told() -> None:
    torch.manual_seed(1)
    spec = TextSpec(("", "a", "b"), 2)
    model = RecurrentGenerator(spec, 2, 8).eval()
    latent = Draw(0).normal("test", (40_000, model.latent))
    latent[:, : model.latent_size] = 0
    with torch.no_grad():
        texts = model(latent).argmax(1)
        found, counts = texts.unique(dim=0, return_counts=True)
        told = model.log_likelihood(found).exp()
    share = counts / len(texts)
    assert len(found) == 7
    assert (share - told).abs().max() < 4 * (0.25 / len(texts)) ** 0.5


def test_a_low_temperature_takes_the_likeliest_symbol() -> None:
    torch.manual_seed(1)
    spec = TextSpec(("", "a", "b", "c"), 1)
    model = RecurrentGenerator(spec, 2, 8).eval()
    latent = Draw(0).normal("test", (400, model.latent))
    latent[:, : model.latent_size] = 0
    with torch.no_grad():
        cold, warm = (model(latent, None, t).argmax(1) for t in (1e-4, 1.0))
        likeliest = int(model.log_likelihood(torch.arange(4)[:, None]).argmax())
    assert set(cold[:, 0].tolist()) == {likeliest}
    assert len(warm.unique(dim=0)) == 4
