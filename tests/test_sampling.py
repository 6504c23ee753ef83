"""Sampling: a sample is a function of its seed, its number, its label and the truncation."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.sampling import MICRO_BATCH, sample

NETWORKS = ["mlp", "convolutional"]
networks = pytest.mark.parametrize("network", NETWORKS)


@pytest.fixture
def make_generator(make_state: Any, make_batch: Any) -> Any:
    def make(network: str, conditional: bool = False) -> Any:
        generator = make_state(network, conditional=conditional).generator
        label = torch.arange(32) % 3 if conditional else None
        with torch.no_grad():
            generator(torch.randn(32, generator.latent), label)  # moves the running statistics
        return generator

    return make


def drawn(generator: Any, n: int, **options: Any) -> Tensor:
    return torch.cat(list(sample(generator, n, **options)))


@networks
@pytest.mark.parametrize("n", [1, 10, 63, 64, 65, 100])
def test_samples_are_the_same_however_many_are_drawn(
    make_generator: Any, network: str, n: int
) -> None:
    generator = make_generator(network)
    many = drawn(generator, 150)
    assert many.shape == (150, 1, 8, 8)
    assert torch.equal(drawn(generator, n), many[:n])


def test_samples_come_in_batches_of_bounded_size(make_generator: Any) -> None:
    assert MICRO_BATCH == 64
    sizes = [len(part) for part in sample(make_generator("mlp"), 150)]
    assert sizes == [64, 64, 22]


def test_no_samples_are_none(make_generator: Any) -> None:
    assert list(sample(make_generator("mlp"), 0)) == []


@networks
def test_samples_repeat_for_a_seed_and_differ_between_seeds(
    make_generator: Any, network: str
) -> None:
    generator = make_generator(network)
    assert torch.equal(drawn(generator, 8, seed=3), drawn(generator, 8, seed=3))
    assert not torch.allclose(drawn(generator, 8, seed=3), drawn(generator, 8, seed=4))
    assert torch.equal(drawn(generator, 8), drawn(generator, 8, seed=0))


def test_the_samples_of_one_seed_differ_from_each_other(make_generator: Any) -> None:
    samples = drawn(make_generator("convolutional"), 130).flatten(1)
    assert len(samples.unique(dim=0)) == 130


@networks
def test_samples_are_what_the_generator_makes_of_the_seeds_latents(
    make_generator: Any, network: str
) -> None:
    generator = make_generator(network)
    latent = Draw(5).normal("sample/latent", (70, generator.latent))
    with torch.no_grad():
        expected = generator.eval()(0.5 * latent)
    torch.testing.assert_close(
        drawn(generator, 70, seed=5, truncation=0.5), expected, rtol=1e-5, atol=1e-6
    )


@networks
def test_no_truncation_left_makes_all_samples_one(make_generator: Any, network: str) -> None:
    samples = drawn(make_generator(network), 70, truncation=0.0)
    assert torch.equal(samples, samples[:1].expand_as(samples))


def test_truncation_makes_samples_less_various(make_generator: Any) -> None:
    generator = make_generator("convolutional")
    spread = [float(drawn(generator, 64, truncation=psi).std(0).mean()) for psi in (1.0, 0.5, 0.1)]
    assert spread == sorted(spread, reverse=True)


@networks
def test_each_sample_follows_its_own_label_and_no_other(make_generator: Any, network: str) -> None:
    generator = make_generator(network, conditional=True)
    labels = torch.arange(70) % 3
    changed = labels.clone()
    changed[[4, 66]] = (changed[[4, 66]] + 1) % 3
    one, other = (drawn(generator, 70, labels=label) for label in (labels, changed))
    differ = (one != other).flatten(1).any(1)
    assert differ.nonzero().flatten().tolist() == [4, 66]


def test_the_labels_of_a_longer_draw_do_not_matter_to_the_first(make_generator: Any) -> None:
    generator = make_generator("convolutional", conditional=True)
    labels = torch.arange(100) % 3
    assert torch.equal(
        drawn(generator, 10, labels=labels[:10]), drawn(generator, 100, labels=labels)[:10]
    )


@pytest.mark.parametrize("count", [0, 10, 64, 71, 200])
def test_labels_that_are_not_one_for_each_sample_are_refused(
    make_generator: Any, count: int
) -> None:
    generator = make_generator("mlp", conditional=True)
    with pytest.raises((ValueError, SparringError), match="label"):
        drawn(generator, 70, labels=torch.zeros(count, dtype=torch.int64))


def test_sampling_changes_neither_the_generator_nor_the_random_numbers(
    make_generator: Any,
) -> None:
    generator = make_generator("convolutional")
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    numbers = torch.random.get_rng_state()
    drawn(generator, 70)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    assert torch.equal(numbers, torch.random.get_rng_state())


def test_gradients_can_still_be_taken_between_two_batches(make_generator: Any) -> None:
    """The generator function must not leave its caller in inference mode."""
    batches = sample(make_generator("mlp"), 100)
    next(batches)
    assert not torch.is_inference_mode_enabled()
    x = torch.ones(1, requires_grad=True)
    (x * 2).backward()
    assert x.grad is not None
    assert len(next(batches)) == 36
