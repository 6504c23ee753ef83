"""Penalties: closed forms on linear and quadratic discriminators, conventions, and laziness."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sparring.draws import Draw
from sparring.penalties import (
    Penalty,
    PenaltyFn,
    Scored,
    finite_difference_r1,
    finite_difference_r2,
    gradient_penalty,
    r1,
    r2,
    scored,
)
from sparring.schedules import constant, linear

SHAPE = (2, 3, 4)  # channels, height, width
FAMILY = (r1, r2, gradient_penalty, finite_difference_r1, finite_difference_r2)
family = pytest.mark.parametrize("penalty", FAMILY, ids=lambda fn: fn.__name__)


def randn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def at(score: Callable[[Tensor], Tensor], x: Tensor) -> Scored:
    return scored(x.detach().requires_grad_(), score)


def evaluate(
    penalty: PenaltyFn, discriminator: Callable[[Tensor], Tensor], n: int = 6, seed: int = 0
) -> Tensor:
    real = at(discriminator, randn(n, *SHAPE, seed=1))
    fake = at(discriminator, randn(n, *SHAPE, seed=2))
    return penalty(real, fake, Draw(seed))


class Linear:
    """D(x) = w·x + b: ∇D = w everywhere."""

    def __init__(self) -> None:
        self.w = (randn(*SHAPE, seed=3) / 3).requires_grad_()

    def __call__(self, x: Tensor) -> Tensor:
        return (x * self.w).flatten(1).sum(1) + 0.7


class Quadratic:
    """D(x) = a‖x‖²/2: ∇D = a x."""

    def __init__(self) -> None:
        self.a = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)

    def __call__(self, x: Tensor) -> Tensor:
        return self.a * x.flatten(1).square().sum(1) / 2


@family
def test_a_penalty_is_one_value_for_each_sample(penalty: PenaltyFn) -> None:
    assert evaluate(penalty, Linear()).shape == (6,)


@pytest.mark.parametrize("penalty", [r1, r2], ids=["r1", "r2"])
def test_r1_and_r2_of_a_linear_discriminator_are_half_the_squared_norm(penalty: PenaltyFn) -> None:
    d = Linear()
    value = evaluate(penalty, d)
    torch.testing.assert_close(value, (d.w.square().sum() / 2).expand(6), rtol=1e-12, atol=0)
    (grad,) = torch.autograd.grad(value.mean(), d.w)
    torch.testing.assert_close(grad, d.w.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("penalty", "seed"), [(r1, 1), (r2, 2)], ids=["r1", "r2"])
def test_r1_looks_at_the_reals_and_r2_at_the_fakes(penalty: PenaltyFn, seed: int) -> None:
    d = Quadratic()
    value = evaluate(penalty, d)
    sq_norm = randn(6, *SHAPE, seed=seed).flatten(1).square().sum(1)
    torch.testing.assert_close(value, d.a.detach() ** 2 * sq_norm / 2, rtol=1e-12, atol=0)
    (grad,) = torch.autograd.grad(value.sum(), d.a)
    torch.testing.assert_close(grad, d.a.detach() * sq_norm.sum(), rtol=1e-12, atol=0)


def test_the_gradient_penalty_of_a_linear_discriminator_has_no_half() -> None:
    d = Linear()
    value = evaluate(gradient_penalty, d)
    norm = d.w.detach().square().sum().sqrt()
    torch.testing.assert_close(value, ((norm - 1) ** 2).expand(6), rtol=1e-12, atol=0)
    (grad,) = torch.autograd.grad(value.mean(), d.w)
    torch.testing.assert_close(grad, 2 * (norm - 1) * d.w.detach() / norm, rtol=1e-12, atol=1e-12)


def test_the_gradient_penalty_looks_between_each_real_and_its_fake() -> None:
    seen: list[Tensor] = []

    def spy(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).square().sum(1)

    real, fake = at(spy, randn(50, *SHAPE, seed=1)), at(spy, randn(50, *SHAPE, seed=2))
    seen.clear()
    gradient_penalty(real, fake, Draw(4))
    shares = ((seen[0] - real.x) / (fake.x - real.x)).detach().flatten(1)
    torch.testing.assert_close(shares, shares[:, :1].expand_as(shares), rtol=1e-6, atol=1e-9)
    assert 0 < float(shares.min()) < 0.1
    assert 0.9 < float(shares.max()) < 1


@pytest.mark.parametrize(
    ("penalty", "seed"), [(finite_difference_r1, 1), (finite_difference_r2, 2)], ids=["r1", "r2"]
)
def test_finite_differences_have_the_expectation_of_the_exact_penalty(
    penalty: PenaltyFn, seed: int
) -> None:
    line = Linear()
    value = evaluate(penalty, line, n=20_000).mean()
    torch.testing.assert_close(value, line.w.square().sum() / 2, rtol=0.04, atol=0)
    (grad,) = torch.autograd.grad(value, line.w)
    torch.testing.assert_close(grad, line.w.detach(), rtol=0, atol=0.05)

    bowl, rows = Quadratic(), 20_000
    value = evaluate(penalty, bowl, n=rows).mean()
    sq_norm = randn(rows, *SHAPE, seed=seed).flatten(1).square().sum(1).mean()
    torch.testing.assert_close(value, bowl.a**2 * sq_norm / 2, rtol=0.04, atol=0)


def test_the_two_finite_differences_draw_different_noise_and_repeat_it() -> None:
    def forward(x: Tensor) -> Tensor:
        return Linear()(x)

    same = at(forward, randn(6, *SHAPE, seed=1))
    values = [
        fn(same, same, Draw(seed))
        for fn, seed in ((finite_difference_r1, 0), (finite_difference_r2, 0))
    ]
    assert not torch.allclose(*values)
    assert torch.equal(values[0], finite_difference_r1(same, same, Draw(0)))
    assert not torch.allclose(values[0], finite_difference_r1(same, same, Draw(1)))


@family
def test_squares_are_summed_over_pixels_not_averaged(penalty: PenaltyFn) -> None:
    def total(x: Tensor) -> Tensor:
        return x.flatten(1).sum(1)

    def value(side: int) -> float:
        real = at(total, randn(4000, 1, side, side, seed=1))
        fake = at(total, randn(4000, 1, side, side, seed=2))
        return float(penalty(real, fake, Draw(0)).detach().mean())

    if penalty is gradient_penalty:
        assert value(2) == pytest.approx((2 - 1) ** 2)
        assert value(4) == pytest.approx((4 - 1) ** 2)
    else:
        assert value(2) == pytest.approx(4 / 2, rel=0.1)
        assert value(4) == pytest.approx(16 / 2, rel=0.1)


@family
def test_a_penalty_reaches_the_discriminator_and_not_the_fakes_maker(penalty: PenaltyFn) -> None:
    d = Quadratic()
    made = randn(6, *SHAPE, seed=2).requires_grad_()
    fake = at(d, made)
    real = at(d, randn(6, *SHAPE, seed=1))
    penalty(real, fake, Draw(0)).mean().backward()  # type: ignore[no-untyped-call]
    assert d.a.grad is not None
    assert float(d.a.grad) != 0
    assert made.grad is None


def test_the_gradient_penalty_stops_at_its_points() -> None:
    """Even fakes that still hang on their generator are looked at, not pulled."""
    d = Quadratic()
    made = randn(6, *SHAPE, seed=2).requires_grad_()
    real, fake = at(d, randn(6, *SHAPE, seed=1)), scored(made * 1, d)
    gradient_penalty(real, fake, Draw(0)).mean().backward()  # type: ignore[no-untyped-call]
    assert made.grad is None


@family
def test_a_penalty_leaves_no_gradient_in_its_inputs_graph(penalty: PenaltyFn) -> None:
    """The logits can be differentiated again after any penalty."""
    d = Quadratic()
    real, fake = (at(d, randn(6, *SHAPE, seed=s)) for s in (1, 2))
    value = penalty(real, fake, Draw(0)).mean()
    (grad,) = torch.autograd.grad(real.logits.sum() + fake.logits.sum() + value, d.a)
    assert bool(grad.isfinite())


def test_a_penalty_follows_its_schedule_in_images() -> None:
    penalty = Penalty(r1, linear(1.0, 0.0, 0, 100))
    assert [penalty.at(0, images) for images in (0, 50, 100, 150)] == [1.0, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("every", [1, 2, 3, 8])
def test_a_lazy_penalty_acts_on_its_beat_and_its_mean_is_its_weight(every: int) -> None:
    penalty = Penalty(r1, constant(0.3), every)
    factors = [penalty.at(update, 0) for update in range(4 * every)]
    assert [update for update, factor in enumerate(factors) if factor] == [
        update for update in range(4 * every) if update % every == 0
    ]
    assert factors[0] == pytest.approx(every * 0.3)
    assert sum(factors) / len(factors) == pytest.approx(0.3)
