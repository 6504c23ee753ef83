"""What a step computes in: bfloat16 in forward passes where asked, and Adam's changing memory."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sparring import objectives, penalties
from sparring.networks.blocks import Projection
from sparring.penalties import Penalty
from sparring.schedules import constant, linear
from sparring.training.step import Game, generate, score, train_step

HALF = torch.bfloat16
ORDERS = ("alternating", "simultaneous")
BOTH = (Penalty(penalties.r1, constant(0.7)), Penalty(penalties.r2, constant(0.4)))


def played(state: Any, game: Game, batch: Any, steps: int = 3) -> list[Tensor]:
    for _ in range(steps):
        train_step(state, game, batch)
    return [*state.generator.parameters(), *state.discriminator.parameters()]


@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_without_autocast_a_forward_pass_is_the_networks_own(
    make_state: Any, make_batch: Any, network: str
) -> None:
    batch, game = make_batch(4, conditional=True), Game(objectives.hinge)
    for dtype in (torch.float32, torch.float64):
        state = make_state(network, dtype=dtype, conditional=True)
        x = batch.x.to(dtype)
        assert torch.equal(score(state, game, x, batch.label), state.discriminator(x, batch.label))
        fake = generate(state, game, state.draw(), "generator/latent", batch._replace(x=x))
        latent = state.draw().normal("generator/latent", (4, 5), like=x)
        assert torch.equal(fake, state.generator(latent, batch.label))
        assert fake.dtype == dtype


def test_products_run_in_the_asked_type_and_come_back_in_their_own(
    make_state: Any, make_batch: Any
) -> None:
    state, batch = make_state(), make_batch(4)
    inside: list[torch.dtype] = []
    for network in (state.generator.hidden, state.discriminator.hidden):
        network.register_forward_hook(lambda _, __, y: inside.append(y.dtype))
    game = Game(objectives.hinge, autocast=HALF)
    fake = generate(state, game, state.draw(), "generator/latent", batch)
    logits = score(state, game, batch.x, None)
    assert inside == [HALF, HALF]
    assert fake.dtype == logits.dtype == torch.float32
    exact = score(state, Game(objectives.hinge), batch.x, None)
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, rtol=0.05, atol=0.05)


def test_logits_are_not_rounded_to_bfloat16() -> None:
    """Eight bits of mantissa would hide what relativistic pairs and penalties look for."""
    torch.manual_seed(0)
    projection, features = Projection(64, 0), torch.randn(32, 64)
    exact = projection(features, None)
    with torch.autocast("cpu", HALF):
        assert torch.equal(projection(features, None), exact)
        from_half = projection(features.to(HALF), None)
    assert from_half.dtype == torch.float32
    assert not torch.equal(from_half, from_half.to(HALF).float())


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_steps_in_bfloat16_go_nearly_the_same_way(
    make_state: Any, make_batch: Any, order: Any, joint: bool
) -> None:
    batch = make_batch(8)
    due = () if joint else BOTH
    ways = []
    for autocast in (None, HALF):
        state = make_state("convolutional")
        start = [p.detach().clone() for p in state.generator.parameters()]
        game = Game(
            objectives.relativistic,
            due,
            order=order,
            joint_scoring=joint,
            generator_lr=constant(0.02),
            discriminator_lr=constant(0.02),
            autocast=autocast,
        )
        after = played(state, game, batch)[: len(start)]
        moved = [(b.detach() - a).flatten() for a, b in zip(start, after, strict=True)]
        ways.append(torch.cat(moved))
    exact, half = ways
    assert not torch.equal(exact, half)
    assert float(torch.cosine_similarity(exact, half, dim=0)) > 0.98
    assert float(half.norm() / exact.norm()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("order", ORDERS)
def test_a_constant_second_decay_changes_no_bit(
    make_state: Any, make_batch: Any, order: Any
) -> None:
    batch = make_batch(4)
    rates = {"generator_lr": constant(1e-3), "discriminator_lr": constant(1e-3)}
    as_built, followed = (
        played(
            make_state(optimizer="adam"),
            Game(objectives.relativistic, BOTH, order=order, beta2=beta2, **rates),  # type: ignore[arg-type]
            batch,
        )
        for beta2 in (None, constant(0.9))
    )
    assert all(torch.equal(a, b) for a, b in zip(as_built, followed, strict=True))


def test_a_second_decay_changes_with_the_images_seen_and_the_first_stays(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state(optimizer="adam")
    game = Game(objectives.hinge, beta2=linear(0.5, 0.9, 0, 16))
    seen = []
    for _ in range(5):
        train_step(state, game, make_batch(4))
        for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
            ((first, second),) = (group["betas"] for group in optimizer.param_groups)
            assert first == 0.5
        seen.append(second)
    assert seen == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])


def test_the_second_moment_is_averaged_by_the_decay_of_the_moment(
    make_state: Any, make_batch: Any
) -> None:
    """v ← β₂v + (1 − β₂)g², written out over two steps with two values of β₂."""
    state, batch = make_state(optimizer="adam"), make_batch(4)
    game = Game(objectives.hinge, beta2=linear(0.5, 0.9, 0, 4))
    parameter = state.generator.head[0].weight
    expected = torch.zeros_like(parameter)
    for decay in (0.5, 0.9):
        train_step(state, game, batch)
        expected = decay * expected + (1 - decay) * parameter.grad.square()
    moment = state.generator_optimizer.state[parameter]["exp_avg_sq"]
    torch.testing.assert_close(moment, expected)
