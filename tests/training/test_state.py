"""State: what it holds, that it comes back bit for bit, and what it refuses."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Adam, AdamW

from sparring import objectives
from sparring.errors import SparringError
from sparring.schedules import constant
from sparring.training.state import (
    counters,
    is_finite,
    latent_width,
    model_tensors,
    new_state,
    restore,
    take_snapshot,
    train_tensors,
)
from sparring.training.step import Game, train_step

GAME = Game(objectives.hinge, generator_lr=constant(0.01), discriminator_lr=constant(0.01))
VARIANTS = [
    (network, optimizer, conditional)
    for network in ("mlp", "convolutional")
    for optimizer in ("adam", "sgd", "momentum")
    for conditional in (False, True)
]
variants = pytest.mark.parametrize(("network", "optimizer", "conditional"), VARIANTS, ids=str)


@variants
@pytest.mark.parametrize("steps", [0, 2])
def test_a_snapshot_comes_back_bit_for_bit_in_a_state_of_another_seed(
    make_state: Any,
    make_batch: Any,
    everything: Any,
    differing: Any,
    network: str,
    optimizer: str,
    conditional: bool,
    steps: int,
) -> None:
    kind = {"optimizer": optimizer, "conditional": conditional}
    state = make_state(network, seed=1, **kind)
    for k in range(steps):
        train_step(state, GAME, make_batch(4, start=4 * k, conditional=conditional))
    state.attempt, state.augment_probability, state.augment_sign = 2, 0.1, -0.3
    state.prepared = 640
    snapshot = take_snapshot(state)
    other = make_state(network, seed=2, **kind)
    assert differing(everything(state), everything(other)) != []
    restore(other, snapshot.model, snapshot.train, snapshot.counts)
    assert differing(everything(state), everything(other)) == []
    assert counters(other) == {
        "seed": 1,
        "step": steps,
        "images": 4 * steps,
        "attempt": 2,
        "augment_probability": 0.1,
        "augment_sign": -0.3,
        "prepared": 640,
        "preparing": False,
    }


@variants
def test_a_state_has_all_its_tensors_before_the_first_step(
    make_state: Any, make_batch: Any, network: str, optimizer: str, conditional: bool
) -> None:
    state = make_state(network, optimizer=optimizer, conditional=conditional)
    before = {name: tensor.shape for name, tensor in train_tensors(state).items()}
    train_step(state, GAME, make_batch(4, conditional=conditional))
    assert {name: tensor.shape for name, tensor in train_tensors(state).items()} == before
    per_parameter = {"adam": 3, "sgd": 0, "momentum": 1}[optimizer]
    moments = [name for name in before if "_optimizer." in name]
    parameters = [*state.generator.parameters(), *state.discriminator.parameters()]
    assert len(moments) == per_parameter * len(parameters)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum"])
def test_allocating_the_moments_moves_no_parameter_and_leaves_them_zero(
    make_state: Any, optimizer: str
) -> None:
    state = make_state("convolutional", optimizer=optimizer)
    untouched = make_state("convolutional", optimizer="sgd")
    for name, tensor in train_tensors(untouched).items():
        assert torch.equal(tensor, train_tensors(state)[name])
    for name, tensor in train_tensors(state).items():
        assert "_optimizer." not in name or not tensor.any()
    assert all(p.grad is None for p in state.generator.parameters())


def test_the_learning_rate_survives_the_allocation_of_the_moments() -> None:
    generator, discriminator = Generator(), nn.Linear(2, 1)
    own, other = Adam(generator.parameters(), lr=0.3), Adam(discriminator.parameters(), lr=0.4)
    new_state(generator, discriminator, own, other)
    assert [o.param_groups[0]["lr"] for o in (own, other)] == [0.3, 0.4]


def test_allocating_the_moments_decays_no_weight() -> None:
    generator, discriminator = Generator(), nn.Linear(2, 1)
    before = generator.linear.weight.detach().clone()
    new_state(
        generator,
        discriminator,
        AdamW(generator.parameters(), lr=0.3, weight_decay=0.5),
        AdamW(discriminator.parameters(), lr=0.3, weight_decay=0.5),
    )
    assert torch.equal(generator.linear.weight, before)


class Generator(nn.Module):
    latent = 2

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)


def test_the_average_begins_at_the_generator_and_is_a_copy(make_state: Any) -> None:
    state = make_state("convolutional")
    fast, slow = state.generator.state_dict(), state.ema.state_dict()
    assert all(torch.equal(fast[name], slow[name]) for name in fast)
    assert all(fast[name].data_ptr() != slow[name].data_ptr() for name in fast)
    assert not state.ema.training
    assert not any(p.requires_grad for p in state.ema.parameters())


def test_a_snapshot_does_not_change_with_later_training(make_state: Any, make_batch: Any) -> None:
    for network in ("mlp", "convolutional"):
        state = make_state(network, optimizer="adam")
        train_step(state, GAME, make_batch(4))
        snapshot = take_snapshot(state)
        held = {n: t.clone() for n, t in (snapshot.model | snapshot.train).items()}
        counts = snapshot.counts.copy()
        train_step(state, GAME, make_batch(4, start=4))
        assert all(torch.equal(t, held[n]) for n, t in (snapshot.model | snapshot.train).items())
        assert snapshot.counts == counts
        assert not torch.equal(
            train_tensors(state)[
                "generator.hidden.0.weight" if network == "mlp" else "generator.start.0.weight"
            ],
            held["generator.hidden.0.weight" if network == "mlp" else "generator.start.0.weight"],
        )


def test_restoring_keeps_the_memory_layout_that_the_kernels_rely_on(make_state: Any) -> None:
    state = make_state("convolutional", optimizer="adam")
    weight = next(m for m in state.discriminator.modules() if isinstance(m, nn.Conv2d)).weight
    strides = weight.stride()
    moments = state.discriminator_optimizer.state[weight]
    assert moments["exp_avg"].stride() == strides
    snapshot = take_snapshot(make_state("convolutional", optimizer="adam", seed=5))
    restore(state, snapshot.model, snapshot.train, snapshot.counts)
    assert weight.stride() == strides
    assert moments["exp_avg"].stride() == strides


def spoilt(tensors: dict[str, torch.Tensor], how: str) -> tuple[dict[str, torch.Tensor], str]:
    name = sorted(tensors)[1]
    tensors = dict(tensors)
    match how:
        case "missing":
            del tensors[name]
        case "extra":
            name = "surplus.weight"
            tensors[name] = torch.zeros(1)
        case "shape":
            tensors[name] = torch.zeros(3, 3, 3)
        case "dtype":
            tensors[name] = tensors[name].double()
    return tensors, name


@pytest.mark.parametrize("part", ["model", "train"])
@pytest.mark.parametrize("how", ["missing", "extra", "shape", "dtype"])
def test_a_state_of_other_tensors_is_refused_in_one_line_that_names_one(
    make_state: Any, everything: Any, differing: Any, part: str, how: str
) -> None:
    snapshot = take_snapshot(make_state(seed=1))
    tensors, name = spoilt(getattr(snapshot, part), how)
    state = make_state(seed=2)
    before = everything(state)
    parts = {"model": snapshot.model, "train": snapshot.train} | {part: tensors}
    with pytest.raises(SparringError) as caught:
        restore(state, parts["model"], parts["train"], snapshot.counts)
    assert f"'{name}'" in str(caught.value)
    assert "\n" not in str(caught.value)
    if how in ("shape", "dtype"):
        assert "expected torch.float32" in str(caught.value)
    assert differing(everything(state), before) == [], "refused, and yet half restored"


def test_batch_statistics_in_a_discriminator_are_refused(make_state: Any) -> None:
    for layer in (nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.SyncBatchNorm(2)):
        discriminator = nn.Sequential(nn.Linear(2, 2), layer)
        generator = Generator()
        with pytest.raises(SparringError, match=f"'1' is {type(layer).__name__}"):
            new_state(
                generator,
                discriminator,
                Adam(generator.parameters()),
                Adam(discriminator.parameters()),
            )


def test_a_generator_says_how_wide_its_latent_is(make_state: Any) -> None:
    assert latent_width(make_state().generator) == 5


@pytest.mark.parametrize("network", ["generator", "discriminator", "ema"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_bad_number_in_any_network_makes_a_state_not_finite(
    make_state: Any, network: str, value: float
) -> None:
    state = make_state("convolutional", optimizer="adam")
    assert is_finite(state)
    with torch.no_grad():
        list(getattr(state, network).parameters())[-1].view(-1)[0] = value
    assert not is_finite(state)


def test_the_model_tensors_are_the_average_alone(make_state: Any) -> None:
    state = make_state("convolutional")
    assert model_tensors(state).keys() == state.ema.state_dict().keys()
    assert all(tensor.is_contiguous() for tensor in model_tensors(state).values())
    assert all(tensor.is_contiguous() for tensor in train_tensors(state).values())
