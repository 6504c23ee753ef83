"""The step against longhand arithmetic: gradients, orders, averages, optimisers, refusals."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparring import objectives, penalties
from sparring.draws import Draw
from sparring.kinds.images.augmentation import AMOUNTS, ImageAugmentation
from sparring.kinds.images.spec import ImageSpec
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.objectives import Objective
from sparring.penalties import STEP, Penalty
from sparring.schedules import constant, linear
from sparring.training.augmentation import Adaptive, Change
from sparring.training.state import State, model_tensors, new_state, train_tensors
from sparring.training.step import (
    Batch,
    Game,
    NonFinite,
    Order,
    discriminator_step,
    generator_step,
    simultaneous_step,
    train_step,
    update_ema,
)

OBJECTIVES = {
    "minimax": objectives.minimax,
    "non-saturating": objectives.non_saturating,
    "mean-squared": objectives.mean_squared,
    "least-squares": objectives.least_squares,
    "hinge": objectives.hinge,
    "wasserstein": objectives.wasserstein,
    "relativistic": objectives.relativistic,
}
PENALTIES: dict[str, tuple[tuple[penalties.PenaltyFn, float], ...]] = {
    "none": (),
    "r1": ((penalties.r1, 0.7),),
    "r1+r2": ((penalties.r1, 0.7), (penalties.r2, 0.4)),
    "finite-difference-r1": ((penalties.finite_difference_r1, 0.7),),
    "gradient-penalty": ((penalties.gradient_penalty, 3.0),),
}
DOUBLE = torch.float64
ORDERS = ("alternating", "simultaneous")
Grads = tuple[Tensor, ...]
NAN = float("nan")


def game_of(objective: Objective, chosen: str = "none", **fields: Any) -> Game:
    due = tuple(Penalty(fn, constant(weight)) for fn, weight in PENALTIES[chosen])
    return Game(objective, due, **fields)


def latents(state: State, purpose: str, batch: Batch, offset: int = 0) -> Tensor:
    draw = Draw(state.seed, state.samples_seen + offset, state.attempt)
    return draw.normal(purpose, (len(batch.x), state.generator.latent), like=batch.x)  # type: ignore[arg-type]


def shown(game: Game, draw: Draw, purpose: str, like: Tensor) -> Change:
    """Return how the discriminator sees samples."""
    if game.augment is None:
        return lambda x: x
    assert not isinstance(game.augment.probability, Adaptive)
    return game.augment.bind(draw, purpose, game.augment.probability(0), like)


def longhand_generator(
    state: State, game: Game, batch: Batch, augment: str = "generator/augment"
) -> Grads:
    """Differentiate L_G by a pass of its own through both networks."""
    state = deepcopy(state)
    draw = Draw(state.seed, state.samples_seen, state.attempt)
    fake = state.generator(latents(state, "generator/latent", batch), batch.label)
    x = shown(game, draw, f"{augment}/real", batch.x)(batch.x)
    fake = shown(game, draw, f"{augment}/fake", batch.x)(fake)
    r = state.discriminator(x, batch.label).detach()
    loss = game.objective.generator(r, state.discriminator(fake, batch.label)).mean()
    return torch.autograd.grad(loss, list(state.generator.parameters()))


def longhand_discriminator(
    state: State, game: Game, batch: Batch, purpose: str, offset: int = 0
) -> Grads:
    """Differentiate L_D and the penalties, written out, by passes of their own."""
    state = deepcopy(state)
    draw = Draw(state.seed, state.samples_seen + offset, state.attempt)
    with torch.no_grad():
        fake = state.generator(latents(state, purpose, batch, offset), batch.label)

    on_real = shown(game, draw, "discriminator/augment/real", batch.x)
    on_fake = shown(game, draw, "discriminator/augment/fake", batch.x)

    def d(x: Tensor, show: Change = on_real) -> Tensor:
        logits: Tensor = state.discriminator(show(x), batch.label)
        return logits

    def squares(x: Tensor, show: Change = on_real) -> Tensor:
        x = x.clone().requires_grad_()
        (grad,) = torch.autograd.grad(d(x, show).sum(), x, create_graph=True)
        return grad.pow(2).sum(dim=(1, 2, 3))

    total = game.objective.discriminator(d(batch.x), d(fake, on_fake)).mean()
    for penalty in game.penalties:
        gamma = penalty.weight(state.samples_seen)
        if penalty.fn is penalties.r1:
            total = total + gamma / 2 * squares(batch.x).mean()
        elif penalty.fn is penalties.r2:
            total = total + gamma / 2 * squares(fake, on_fake).mean()
        elif penalty.fn is penalties.gradient_penalty:
            share = draw.uniform("gradient-penalty", (len(fake), 1, 1, 1), like=fake)
            mixed = share * fake + (1 - share) * batch.x
            total = total + gamma * (squares(mixed).sqrt() - 1).pow(2).mean()
        elif penalty.fn is penalties.finite_difference_r1:
            noise = draw.normal("finite-difference-r1", tuple(batch.x.shape), like=batch.x)
            slope = (d(batch.x + STEP * noise) - d(batch.x)) / STEP
            total = total + gamma / 2 * slope.pow(2).mean()
    return torch.autograd.grad(total, list(state.discriminator.parameters()))


def held(network: nn.Module) -> Grads:
    grads = [p.grad for p in network.parameters()]
    assert all(grad is not None for grad in grads)
    return tuple(grad for grad in grads if grad is not None)


def assert_same(came: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float) -> None:
    for one, other in zip(came, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])
@pytest.mark.parametrize("chosen", PENALTIES)
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_a_simultaneous_step_has_the_gradients_of_two_separate_passes(
    make_state: Any, make_batch: Any, objective: Objective, chosen: str, conditional: bool
) -> None:
    for network in ("mlp", "convolutional"):
        state = make_state(network, dtype=DOUBLE, conditional=conditional)
        batch = make_batch(4, dtype=DOUBLE, conditional=conditional)
        game = game_of(objective, chosen, order="simultaneous")
        of_generator = longhand_generator(state, game, batch)
        of_discriminator = longhand_discriminator(state, game, batch, "generator/latent")
        simultaneous_step(state, game, batch)
        assert_same(held(state.discriminator), of_discriminator, 1e-12)
        assert_same(held(state.generator), of_generator, 1e-12)
        assert max(float(grad.abs().max()) for grad in of_generator) > 1e-6


@pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])
@pytest.mark.parametrize("chosen", PENALTIES)
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_in_alternating_play_the_generator_answers_the_moved_discriminator(
    make_state: Any, make_batch: Any, objective: Objective, chosen: str, conditional: bool
) -> None:
    state = make_state(dtype=DOUBLE, conditional=conditional)
    batch = make_batch(4, dtype=DOUBLE, conditional=conditional)
    game = game_of(objective, chosen, discriminator_lr=constant(0.5), generator_lr=constant(0.0))
    unmoved = longhand_generator(state, game, batch)
    of_discriminator = longhand_discriminator(state, game, batch, "discriminator/latent")
    moved = deepcopy(state)
    with torch.no_grad():
        for p, grad in zip(moved.discriminator.parameters(), of_discriminator, strict=True):
            p -= 0.5 * grad
    of_generator = longhand_generator(moved, game, batch)

    train_step(state, game, batch)
    assert_same(held(state.discriminator), of_discriminator, 1e-12)
    assert_same(
        list(state.discriminator.parameters()), list(moved.discriminator.parameters()), 1e-12
    )
    assert_same(held(state.generator), of_generator, 1e-12)
    assert any(
        not torch.allclose(a, b, rtol=1e-6, atol=0)
        for a, b in zip(unmoved, of_generator, strict=True)
    )


@pytest.mark.parametrize("order", ORDERS)
def test_penalties_of_the_discriminator_do_not_pull_the_generator(
    make_state: Any, make_batch: Any, order: Any
) -> None:
    batch = make_batch(4, dtype=DOUBLE)
    grads = []
    for weight in (0.0, 50.0):
        state = make_state(dtype=DOUBLE)
        game = Game(
            objectives.non_saturating,
            (Penalty(penalties.r2, constant(weight)),),
            order=order,
            discriminator_lr=constant(0.0),
        )
        train_step(state, game, batch)
        grads.append(held(state.generator))
    assert_same(grads[0], grads[1], 1e-12)


@pytest.mark.parametrize(
    "objective",
    [o for o in OBJECTIVES.values() if o.ratio],
    ids=[name for name, o in OBJECTIVES.items() if o.ratio],
)
def test_one_backward_by_ratio_agrees_with_two(
    make_state: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, objective: Objective
) -> None:
    batch = make_batch(4, dtype=DOUBLE)
    two, one = make_state(dtype=DOUBLE), make_state(dtype=DOUBLE)
    simultaneous_step(two, game_of(replace(objective, ratio=None)), batch)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the ratio path needs no second backward")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    simultaneous_step(one, game_of(objective), batch)
    assert_same(held(one.generator), held(two.generator), 1e-12)
    assert_same(held(one.discriminator), held(two.discriminator), 1e-12)


@pytest.mark.parametrize("bias", [-1000.0, -86.0, -60.0, 60.0])
@pytest.mark.parametrize("name", ["minimax", "non-saturating", "mean-squared", "wasserstein"])
def test_huge_logits_give_the_right_generator_gradients(
    make_state: Any, make_batch: Any, name: str, bias: float
) -> None:
    state, batch = make_state(), make_batch(4)
    with torch.no_grad():
        state.discriminator.head.linear.bias.fill_(bias)
    game = game_of(OBJECTIVES[name])
    expected = longhand_generator(state, game, batch)
    simultaneous_step(state, game, batch)
    assert_same(held(state.generator), expected, 1e-5)
    if name == "non-saturating" and bias < 0:
        assert max(float(grad.abs().max()) for grad in held(state.generator)) > 1e-3


@pytest.mark.parametrize(("bias", "backwards"), [(0.0, 0), (-60.0, 1), (-1000.0, 1)])
def test_a_ratio_that_float32_cannot_bear_gives_way_to_a_second_backward(
    make_state: Any,
    make_batch: Any,
    monkeypatch: pytest.MonkeyPatch,
    bias: float,
    backwards: int,
) -> None:
    state, calls, real = make_state(), [], torch.autograd.grad
    with torch.no_grad():
        state.discriminator.head.linear.bias.fill_(bias)

    def count(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return real(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", count)
    simultaneous_step(state, game_of(objectives.non_saturating), make_batch(4))
    assert len(calls) == backwards


def test_a_hopelessly_beaten_relativistic_generator_still_gets_its_gradient(
    make_state: Any, make_batch: Any
) -> None:
    state, batch = make_state(), make_batch(4)
    with torch.no_grad():
        state.discriminator.head.linear.weight.mul_(3e3)
    game = game_of(objectives.relativistic)
    expected = longhand_generator(state, game, batch)
    logs = simultaneous_step(state, game, batch)
    assert abs(float(logs["discriminator/real"] - logs["discriminator/fake"])) > 100
    scale = max(float(grad.abs().max()) for grad in expected)
    assert scale > 1
    assert_same(
        [grad / scale for grad in held(state.generator)], [grad / scale for grad in expected], 1e-5
    )


def test_a_generator_that_is_not_being_judged_gets_no_say_in_the_discriminator(
    make_state: Any, make_batch: Any
) -> None:
    """Each step touches the gradients of its own network only."""
    batch, game = make_batch(4), game_of(objectives.relativistic, "r1+r2")
    state = make_state()
    discriminator_step(state, game, batch)
    assert all(p.grad is None for p in state.generator.parameters())
    held(state.discriminator)

    state = make_state()
    generator_step(state, game, batch)
    assert all(p.grad is None for p in state.discriminator.parameters())
    held(state.generator)


@pytest.mark.parametrize("order", ORDERS)
def test_a_step_leaves_its_batch_and_the_average_without_graphs(
    make_state: Any, make_batch: Any, order: Any
) -> None:
    state, batch = make_state(), make_batch(4)
    x = batch.x.clone()
    logs = train_step(state, game_of(objectives.relativistic, "r1+r2", order=order), batch)
    assert torch.equal(batch.x, x)
    assert not batch.x.requires_grad
    assert batch.x.grad is None
    assert not any(p.requires_grad for p in state.ema.parameters())
    assert not any(value.requires_grad for value in logs.values())
    assert all(value.ndim == 0 for value in logs.values())


@pytest.mark.parametrize("order", ORDERS)
def test_the_scalars_are_what_their_names_say(make_state: Any, make_batch: Any, order: Any) -> None:
    state, batch = make_state(dtype=DOUBLE), make_batch(4, dtype=DOUBLE)
    before = deepcopy(state)
    game = game_of(objectives.relativistic, "r1", order=order, discriminator_lr=constant(0.0))
    logs = train_step(state, game, batch)
    purpose = "generator/latent" if order == "simultaneous" else "discriminator/latent"
    fake = before.generator(latents(before, purpose, batch))
    r, f = before.discriminator(batch.x), before.discriminator(fake)
    assert set(logs) == {
        "discriminator/loss",
        "discriminator/penalty",
        "discriminator/real",
        "discriminator/fake",
        "discriminator/gradient_norm",
        "generator/loss",
        "generator/gradient_norm",
    }
    torch.testing.assert_close(logs["discriminator/real"], r.mean().detach())
    torch.testing.assert_close(logs["discriminator/fake"], f.mean().detach())
    loss = torch.nn.functional.softplus(f - r).mean().detach()
    torch.testing.assert_close(logs["discriminator/loss"], loss)
    for player, network in (
        ("generator", state.generator),
        ("discriminator", state.discriminator),
    ):
        norm = sum(grad.square().sum() for grad in held(network)) ** 0.5
        torch.testing.assert_close(logs[f"{player}/gradient_norm"], norm)
    assert float(logs["discriminator/penalty"]) > 0


def test_three_discriminator_moves_use_three_parts_and_three_draws(
    make_state: Any, make_batch: Any
) -> None:
    state, batch = make_state(dtype=DOUBLE, seed=3), make_batch(12, dtype=DOUBLE)
    shown: list[Tensor] = []
    asked: list[Tensor] = []
    state.discriminator.register_forward_pre_hook(lambda _, args: shown.append(args[0].detach()))
    state.generator.register_forward_pre_hook(lambda _, args: asked.append(args[0].detach()))
    train_step(state, game_of(objectives.relativistic, discriminator_moves=3), batch)

    reals = torch.cat(shown[0:6:2])
    assert torch.equal(reals, batch.x)
    draw = Draw(3)
    whole = draw.normal("discriminator/latent", (12, state.generator.latent), like=batch.x)
    assert torch.equal(torch.cat(asked[:3]), whole)
    own = draw.normal("generator/latent", (4, state.generator.latent), like=batch.x)
    assert len(asked) == 4
    assert torch.equal(asked[3], own)
    assert torch.equal(shown[-1], batch.x[8:])  # the generator is paired with the last part
    assert (state.step, state.samples_seen) == (1, 12)


def test_each_of_three_moves_descends_from_where_the_one_before_ended(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state(dtype=DOUBLE, conditional=True)
    batch = make_batch(12, dtype=DOUBLE, conditional=True)
    game = game_of(objectives.hinge, "r1", discriminator_moves=3, discriminator_lr=constant(0.1))
    expected = deepcopy(state)
    for move in range(3):
        rows = slice(4 * move, 4 * move + 4)
        part = Batch(batch.x[rows], batch.label[rows])
        grads = longhand_discriminator(expected, game, part, "discriminator/latent", 4 * move)
        with torch.no_grad():
            for p, grad in zip(expected.discriminator.parameters(), grads, strict=True):
                p -= 0.1 * grad
    train_step(state, game, batch)
    assert_same(
        list(state.discriminator.parameters()), list(expected.discriminator.parameters()), 1e-12
    )


def test_a_lazy_penalty_counts_discriminator_updates_not_generator_updates(
    make_state: Any, make_batch: Any
) -> None:
    applied: list[tuple[int, int]] = []
    state = make_state()

    def note(real: Any, fake: Any, draw: Draw) -> Tensor:
        applied.append((state.step, draw.start - state.samples_seen))
        return real.logits * 0

    game = Game(objectives.hinge, (Penalty(note, constant(1.0), every=3),), discriminator_moves=2)
    for _ in range(6):
        train_step(state, game, make_batch(8))
    # updates 0, 3, 6, 9 of twelve: move 0 and 1 in turn, 4 images into the batch for move 1
    assert applied == [(0, 0), (1, 4), (3, 0), (4, 4)]


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_against_a_finished_generator_the_discriminator_plays_alone(
    make_state: Any, make_batch: Any, order: Any
) -> None:
    state = make_state()
    before = {k: v.clone() for k, v in {**model_tensors(state), **train_tensors(state)}.items()}
    game = Game(objectives.non_saturating, order=order, generator_plays=False)
    logs = train_step(state, game, make_batch(8))
    after = {**model_tensors(state), **train_tensors(state)}
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert {name.split(".")[0] for name in moved} == {"discriminator"}
    assert not any(name.startswith("generator/") for name in logs)
    assert (state.step, state.samples_seen) == (1, 8)


def test_a_step_counts_itself_and_its_images(make_state: Any, make_batch: Any) -> None:
    state = make_state()
    for order in ORDERS:
        train_step(state, game_of(objectives.hinge, order=order), make_batch(5))  # type: ignore[arg-type]
    assert (state.step, state.samples_seen, state.attempt) == (2, 10, 0)


def test_fresh_latents_are_drawn_at_every_step_player_and_attempt(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state()
    asked: list[Tensor] = []
    state.generator.register_forward_pre_hook(lambda _, args: asked.append(args[0].detach()))
    game = game_of(objectives.hinge)
    train_step(state, game, make_batch(4))
    train_step(state, game, make_batch(4))
    state.attempt, state.samples_seen = 1, 4
    train_step(state, game, make_batch(4))
    rows = torch.cat(asked)
    assert len(rows.unique(dim=0)) == len(rows) == 24


# ---- averaging


def two_generators(make_state: Any, fast: float, slow: float) -> State:
    state: State = make_state()
    with torch.no_grad():
        for p in state.generator.parameters():
            p.fill_(fast)
        for p in state.ema.parameters():
            p.fill_(slow)
    return state


@pytest.mark.parametrize("images", [1, 8, 50, 100])
def test_the_average_forgets_half_its_start_in_one_half_life(make_state: Any, images: int) -> None:
    state = two_generators(make_state, fast=0.0, slow=1.0)
    for _ in range(200 // images):
        update_ema(state, images, halflife=200.0)
    for p in state.ema.parameters():
        torch.testing.assert_close(p, torch.full_like(p, 0.5), rtol=1e-5, atol=0)


def test_no_half_life_is_no_average(make_state: Any) -> None:
    state = two_generators(make_state, fast=0.1, slow=1.0)
    update_ema(state, 1, halflife=0.0)
    for slow, fast in zip(state.ema.parameters(), state.generator.parameters(), strict=True):
        assert torch.equal(slow, fast)


def test_the_average_takes_running_statistics_too_and_copies_integers(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state("convolutional")
    game = game_of(objectives.hinge, ema_halflife=constant(0.0))
    for _ in range(3):
        train_step(state, game, make_batch(4))
    fast, slow = state.generator.state_dict(), state.ema.state_dict()
    assert any("running_mean" in name for name in fast)
    assert [name for name in fast if not torch.equal(fast[name], slow[name])] == []


def test_the_half_life_is_that_of_the_images_seen_after_the_step(
    make_state: Any, make_batch: Any
) -> None:
    asked: list[int] = []

    def halflife(images: int) -> float:
        asked.append(images)
        return 10.0

    state = make_state(norm="none", dtype=DOUBLE)
    before = [p.clone() for p in state.ema.parameters()]
    game = game_of(objectives.hinge, generator_lr=constant(0.3), ema_halflife=halflife)
    train_step(state, game, make_batch(5, dtype=DOUBLE))
    assert asked == [5]
    weight = 1 - 0.5 ** (5 / 10)
    for slow, old, fast in zip(
        state.ema.parameters(), before, state.generator.parameters(), strict=True
    ):
        torch.testing.assert_close(slow, old + weight * (fast - old), rtol=1e-13, atol=1e-15)


def test_the_average_stays_in_evaluation_mode_and_the_players_in_training_mode(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state("convolutional")
    train_step(state, game_of(objectives.hinge), make_batch(4))
    assert not state.ema.training
    assert state.generator.training
    assert state.discriminator.training


# ---- optimisers


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_rates_follow_their_schedules_and_are_halved_by_each_recovery(
    make_state: Any, make_batch: Any, order: Any, attempt: int
) -> None:
    state = make_state()
    state.attempt = attempt
    game = game_of(
        objectives.hinge,
        order=order,
        generator_lr=linear(1.0, 0.0, 0, 10),
        discriminator_lr=linear(0.4, 0.0, 0, 10),
    )
    for images, share in ((0, 1.0), (5, 0.5), (10, 0.0)):
        state.samples_seen = images
        train_step(state, game, make_batch(4))
        (own,) = {group["lr"] for group in state.generator_optimizer.param_groups}
        (other,) = {group["lr"] for group in state.discriminator_optimizer.param_groups}
        assert own == pytest.approx(share * 0.5**attempt)
        assert other == pytest.approx(0.4 * share * 0.5**attempt)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.0), ("momentum", 0.9)])
def test_descent_is_gradient_times_rate_with_momentum(
    make_state: Any, make_batch: Any, order: Any, optimizer: str, momentum: float
) -> None:
    state = make_state(dtype=DOUBLE, optimizer=optimizer)
    game = game_of(
        objectives.non_saturating,
        order=order,
        generator_lr=constant(0.1),
        discriminator_lr=constant(0.03),
    )
    velocity: dict[Tensor, Tensor] = {}
    for k in range(3):
        before = {
            p: p.detach().clone()
            for network in (state.generator, state.discriminator)
            for p in network.parameters()
        }
        train_step(state, game, make_batch(4, start=4 * k, dtype=DOUBLE))
        for network, rate in ((state.generator, 0.1), (state.discriminator, 0.03)):
            for p in network.parameters():
                assert p.grad is not None
                velocity[p] = momentum * velocity.get(p, torch.zeros_like(p)) + p.grad
                torch.testing.assert_close(
                    p.detach(), before[p] - rate * velocity[p], rtol=1e-13, atol=1e-15
                )


@pytest.mark.parametrize("order", ORDERS)
def test_fused_adam_is_adam_from_its_first_step_on(
    make_state: Any, make_batch: Any, order: Any
) -> None:
    state = make_state("convolutional", optimizer="adam")
    networks = (state.generator, state.discriminator)
    plain = [
        torch.optim.Adam(
            deepcopy(network).parameters(), lr=0.01, betas=(0.5, 0.9), foreach=False, fused=False
        )
        for network in networks
    ]
    game = game_of(
        objectives.non_saturating,
        "r1",
        order=order,
        generator_lr=constant(0.01),
        discriminator_lr=constant(0.01),
    )
    for k in range(4):
        train_step(state, game, make_batch(4, start=4 * k))
        for network, optimizer in zip(networks, plain, strict=True):
            twins = optimizer.param_groups[0]["params"]
            for p, twin in zip(network.parameters(), twins, strict=True):
                twin.grad = p.grad.clone()
            optimizer.step()
            assert_same([p.detach() for p in network.parameters()], twins, 1e-6)


# ---- refusals


def nan_loss(t: Tensor) -> Tensor:
    return t * NAN


def infinite_gradient(t: Tensor) -> Tensor:
    return (t - t.detach()).sqrt()  # 0, with an infinite slope


def silent(r: Tensor, f: Tensor) -> Tensor:
    return f * 0 + r * 0


def nan_loss_of_good_gradient(t: Tensor) -> Tensor:
    return t + NAN


FAULTS: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "loss and gradient": ("loss", nan_loss),
    "gradient alone": ("gradient", infinite_gradient),
    "loss alone": ("loss", nan_loss_of_good_gradient),
}


def moving(state: State, player: str) -> list[Tensor]:
    network: nn.Module = getattr(state, player)
    optimizer = getattr(state, f"{player}_optimizer")
    moments = [m for p in network.parameters() for m in optimizer.state[p].values()]
    return [t.detach().clone() for t in [*network.parameters(), *moments]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_non_finite_loss_or_gradient_moves_nothing_of_that_player(
    make_state: Any, make_batch: Any, player: str, what: str, order: Any
) -> None:
    named, fault = FAULTS[what]
    broken = Objective(
        discriminator=(lambda r, f: fault(f) + r) if player == "discriminator" else silent,
        generator=(lambda r, f: fault(f)) if player == "generator" else silent,
    )
    state = make_state(optimizer="adam")
    train_step(state, game_of(objectives.hinge, order=order), make_batch(4))
    before = moving(state, player)
    ema = [t.clone() for t in state.ema.state_dict().values()]
    with pytest.raises(NonFinite, match=f"the {player}'s ({named}|loss) is not finite"):
        train_step(state, game_of(broken, order=order), make_batch(4))
    assert all(torch.equal(a, b) for a, b in zip(before, moving(state, player), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(ema, state.ema.state_dict().values(), strict=True))
    assert (state.step, state.samples_seen) == (1, 4)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_in_simultaneous_play_one_players_fault_stops_both(
    make_state: Any, make_batch: Any, player: str
) -> None:
    broken = replace(objectives.hinge, **{player: lambda r, f: f * NAN})
    state = make_state()
    before = [moving(state, side) for side in ("generator", "discriminator")]
    with pytest.raises(NonFinite):
        train_step(state, game_of(broken, order="simultaneous"), make_batch(4))
    after = [moving(state, side) for side in ("generator", "discriminator")]
    for one, other in zip(before, after, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_a_pixel_that_is_not_finite_is_refused(
    make_state: Any, make_batch: Any, order: Any, value: float
) -> None:
    state, batch = make_state(), make_batch(4)
    batch.x[1, 0, 3, 3] = value
    with pytest.raises(NonFinite):
        train_step(state, game_of(objectives.non_saturating, order=order), batch)


def test_a_non_finite_penalty_is_refused(make_state: Any, make_batch: Any) -> None:
    penalty = Penalty(lambda real, fake, draw: real.logits * NAN, constant(1.0))
    for order in ORDERS:
        with pytest.raises(NonFinite, match="the discriminator's loss"):
            train_step(make_state(), Game(objectives.hinge, (penalty,), order), make_batch(4))  # type: ignore[arg-type]


def test_steps_are_a_function_of_the_state_and_the_batch(
    make_state: Any, make_batch: Any, everything: Any, differing: Any
) -> None:
    """Torch's global random numbers have no part in a step and are not advanced by it."""
    ends = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        state = make_state("convolutional", optimizer="adam")
        before = torch.random.get_rng_state()
        for k in range(3):
            train_step(state, game_of(objectives.relativistic, "r1+r2"), make_batch(4, start=4 * k))
        assert torch.equal(before, torch.random.get_rng_state())
        ends.append(everything(state))
    assert differing(*ends) == []


def test_a_frozen_layer_stays_as_it_is(make_state: Any, make_batch: Any) -> None:
    state = make_state()
    frozen = next(state.generator.parameters()).requires_grad_(False)
    before = frozen.clone()
    for order in ORDERS:
        train_step(state, game_of(objectives.hinge, order=order), make_batch(4))  # type: ignore[arg-type]
    assert torch.equal(frozen, before)


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
@pytest.mark.parametrize("classes", [0, 3])
def test_scoring_reals_and_fakes_together_changes_nothing(order: Order, classes: int) -> None:
    spec = ImageSpec(6, 5, 1, tuple("abc"[:classes]))
    logs = []
    gradients = []
    for joint in (False, True):
        torch.manual_seed(0)
        pair = MLPGenerator(spec, 4, 8, 1).double(), MLPDiscriminator(spec, 8, 1).double()
        descents = [torch.optim.SGD(network.parameters(), lr=0.0) for network in pair]
        state = new_state(*pair, descents[0], descents[1])
        x = torch.randn(6, *spec.shape, dtype=torch.float64)
        label = torch.arange(6) % classes if classes else None
        game = Game(objectives.relativistic, order=order, joint_scoring=joint)
        logs.append(train_step(state, game, Batch(x, label)))
        gradients.append([p.grad for network in pair for p in network.parameters()])
    for name, value in logs[0].items():
        torch.testing.assert_close(value, logs[1][name], rtol=1e-12, atol=1e-14)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


# ---- augmentation

ALWAYS = ImageAugmentation(tuple(AMOUNTS), constant(0.8))


@pytest.mark.parametrize("chosen", PENALTIES)
@pytest.mark.parametrize("name", ["non-saturating", "relativistic"])
def test_the_discriminator_sees_both_sides_augmented_in_a_simultaneous_step(
    make_state: Any, make_batch: Any, name: str, chosen: str
) -> None:
    """Penalties differentiate by the samples as they were; the second scoring augments alike."""
    for network in ("mlp", "convolutional"):
        state = make_state(network, dtype=DOUBLE, conditional=True)
        batch = make_batch(5, dtype=DOUBLE, conditional=True)
        game = game_of(OBJECTIVES[name], chosen, order="simultaneous", augment=ALWAYS)
        of_generator = longhand_generator(state, game, batch, "discriminator/augment")
        of_discriminator = longhand_discriminator(state, game, batch, "generator/latent")
        plain = longhand_discriminator(
            state, replace(game, augment=None), batch, "generator/latent"
        )
        simultaneous_step(state, game, batch)
        assert_same(held(state.discriminator), of_discriminator, 1e-12)
        assert_same(held(state.generator), of_generator, 1e-12)
        assert not torch.allclose(plain[0], of_discriminator[0], rtol=1e-3, atol=0)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("chosen", PENALTIES)
@pytest.mark.parametrize("name", ["non-saturating", "relativistic"])
def test_the_discriminator_sees_both_sides_augmented_in_alternating_steps(
    make_state: Any, make_batch: Any, name: str, chosen: str, joint: bool
) -> None:
    state, batch = make_state(dtype=DOUBLE), make_batch(5, dtype=DOUBLE)
    still = {"discriminator_lr": constant(0.0), "joint_scoring": joint}
    game = game_of(OBJECTIVES[name], chosen, augment=ALWAYS, **still)
    of_discriminator = longhand_discriminator(state, game, batch, "discriminator/latent")
    of_generator = longhand_generator(state, game, batch)
    discriminator_step(state, game, batch)
    generator_step(state, game, batch)
    assert_same(held(state.discriminator), of_discriminator, 1e-12)
    assert_same(held(state.generator), of_generator, 1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_augmentation_that_never_happens_changes_no_bit(
    make_state: Any, make_batch: Any, everything: Any, differing: Any, order: Any
) -> None:
    ends = []
    for augment in (None, replace(ALWAYS, probability=constant(0.0))):
        state = make_state("convolutional", optimizer="adam")
        game = game_of(objectives.relativistic, "r1+r2", order=order, augment=augment)
        for k in range(3):
            train_step(state, game, make_batch(4, start=4 * k))
        ends.append(everything(state))
    assert differing(*ends) == []


def adapting(horizon_images: float = 1000.0, limit: float = 0.8) -> ImageAugmentation:
    return ImageAugmentation(("flip",), Adaptive(0.6, horizon_images), limit)


def sure_of(bias: float, state: State) -> State:
    with torch.no_grad():
        state.discriminator.head.linear.bias.fill_(bias)  # type: ignore[operator, union-attr]
    return state


@pytest.mark.parametrize("order", ORDERS)
def test_the_probability_rises_while_the_reals_are_told_too_surely(
    make_state: Any, make_batch: Any, order: Any
) -> None:
    state = sure_of(1000.0, make_state())
    game = game_of(objectives.wasserstein, order=order, augment=adapting(limit=0.04))
    found = []
    for _ in range(13):
        logs = train_step(state, game, make_batch(5))
        found.append(float(logs["augment/probability"]))
        assert float(logs["augment/sign"]) == 1.0
    assert found == [0.0] * 4 + [0.02] * 4 + [0.04] * 5  # 4 steps of 5 images in 1000
    assert state.augment_probability == 0.04
    sure_of(-1000.0, state)
    for _ in range(7):
        logs = train_step(state, game, make_batch(5))
    assert float(logs["augment/sign"]) == -1.0
    assert state.augment_probability == 0.0


def test_each_move_of_the_discriminator_counts_towards_a_correction(
    make_state: Any, make_batch: Any
) -> None:
    state = sure_of(1000.0, make_state())
    game = game_of(objectives.wasserstein, discriminator_moves=3, augment=adapting())
    found = []
    for _ in range(4):
        train_step(state, game, make_batch(15))
        found.append(state.augment_probability)
    assert found == pytest.approx([0.0, 0.02, 0.04, 0.06])  # 3, 6, 9 and 12 moves


def test_the_sign_is_the_mean_over_all_steps_since_the_last_correction(
    make_state: Any, make_batch: Any
) -> None:
    """Three steps of sign 1 and one of sign -1 have the mean ½, which is below the target."""
    state = make_state()
    state.augment_probability = 0.5
    game = game_of(objectives.wasserstein, augment=adapting())
    for bias in (1000.0, 1000.0, 1000.0, -1000.0):
        train_step(sure_of(bias, state), game, make_batch(5))
    assert (state.augment_probability, state.augment_sign) == (0.48, 0.0)


def test_a_scheduled_probability_is_logged_and_leaves_the_state_alone(
    make_state: Any, make_batch: Any
) -> None:
    state = make_state()
    scheduled = ImageAugmentation(("flip",), linear(0.0, 0.6, 0, 12))
    game = game_of(objectives.hinge, augment=scheduled)
    logs = [train_step(state, game, make_batch(4)) for _ in range(4)]
    assert [float(one["augment/probability"]) for one in logs] == pytest.approx([0, 0.2, 0.4, 0.6])
    assert "augment/sign" not in logs[0]
    assert (state.augment_probability, state.augment_sign) == (0.0, 0.0)
