"""The origin of a step that was refused: data, parameters, logits or gradients, in that order."""

from typing import Any

import pytest
import torch

from sparring.training.origin import origin

NAN, INFINITY = float("nan"), float("inf")


def test_reals_that_are_not_finite_are_counted_first(make_state: Any, make_batch: Any) -> None:
    state, batch = make_state(), make_batch(4)
    batch.x[1, 0, 3, 3:5] = INFINITY
    with torch.no_grad():
        next(state.discriminator.parameters()).fill_(NAN)
    assert origin(state, batch, {}) == "2 of 256 numbers in the batch of reals are not finite"


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_parameter_is_named(make_state: Any, make_batch: Any, player: str) -> None:
    state = make_state()
    name, parameter = list(getattr(state, player).named_parameters())[1]
    with torch.no_grad():
        parameter.view(-1)[0] = NAN
    assert origin(state, make_batch(4), {}) == f"first the {player}'s parameter {name}"


def test_logits_that_overflow_with_finite_parameters_are_told(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state()
    with torch.no_grad():
        for parameter in state.discriminator.parameters():
            parameter.fill_(1e30)
    told = origin(state, make_batch(4), {})
    assert told == "first the discriminator's logits on reals"


def test_of_gradients_the_one_nearest_to_the_loss_is_named(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state()
    named = list(state.generator.named_parameters())
    for _, parameter in named:
        parameter.grad = torch.full_like(parameter, NAN)
    told = origin(state, make_batch(4), {})
    assert told == f"first the gradient of the generator's {named[-1][0]}"


def test_what_was_large_before_is_told_and_what_was_not_is_not(
    make_state: Any, make_batch: Any
) -> None:
    before = {"discriminator/real": 3.14e7, "generator/gradient_norm": 2.0, "generator/loss": 1e9}
    told = origin(make_state(), make_batch(4), before)
    assert told.endswith("; the step before had discriminator real 3.1e+07")
    assert "step before" not in origin(make_state(), make_batch(4), {"discriminator/real": 999.0})
