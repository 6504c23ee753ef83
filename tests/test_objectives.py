"""Objectives: every member of the family against its formula in probabilities, and its theory.

Notation: D = σ(logit), p and q the densities of reals and fakes on a finite space.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from sparring import objectives
from sparring.objectives import Objective, cross_entropy, relativistic_pairing

Formula = Callable[[Tensor, Tensor], Tensor]
Function = Callable[[Tensor], Tensor]


class Row(NamedTuple):
    objective: Objective
    discriminator: Formula
    generator: Formula
    ratio: bool  # is a finite ratio of the two gradients declared?
    sees_real: bool = False


def D(logit: Tensor) -> Tensor:  # noqa: N802
    return 1 / (1 + torch.exp(-logit))


def cross(r: Tensor, f: Tensor) -> Tensor:
    return -torch.log(D(r)) - torch.log(1 - D(f))


def f_gan_row(objective: Objective, activation: Function, conjugate: Function) -> Row:
    """Return the game of Nowozin 2016: the bound E_p T − E_q f*(T), for its table's T and f*."""
    return Row(
        objective,
        lambda r, f: conjugate(activation(f)) - activation(r),
        lambda r, f: -conjugate(activation(f)),
        ratio=True,
    )


def same(v: Tensor) -> Tensor:
    return v


ROWS = {
    "minimax": Row(objectives.minimax, cross, lambda r, f: torch.log(1 - D(f)), True),
    "non-saturating": Row(objectives.non_saturating, cross, lambda r, f: -torch.log(D(f)), True),
    "mean-squared": Row(objectives.mean_squared, cross, lambda r, f: (D(f) - 1) ** 2, True),
    "least-squares": Row(
        objectives.least_squares,
        lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * f**2,
        lambda r, f: 0.5 * (f - 1) ** 2,
        False,
    ),
    "hinge": Row(
        objectives.hinge,
        lambda r, f: torch.clamp(1 - r, min=0) + torch.clamp(1 + f, min=0),
        lambda r, f: -f,
        False,
    ),
    "wasserstein": Row(objectives.wasserstein, lambda r, f: -(r - f), lambda r, f: -f, True),
    "relativistic": Row(
        objectives.relativistic,
        lambda r, f: -torch.log(D(r - f)),
        lambda r, f: -torch.log(D(f - r)),
        True,
        sees_real=True,
    ),
    "total-variation": f_gan_row(objectives.total_variation, lambda v: torch.tanh(v) / 2, same),
    "kl": f_gan_row(objectives.kl, same, lambda t: torch.exp(t - 1)),
    "reverse-kl": f_gan_row(
        objectives.reverse_kl, lambda v: -torch.exp(-v), lambda t: -1 - torch.log(-t)
    ),
    "pearson": f_gan_row(objectives.pearson, same, lambda t: t**2 / 4 + t),
    "neyman": f_gan_row(
        objectives.neyman, lambda v: 1 - torch.exp(-v), lambda t: 2 - 2 * torch.sqrt(1 - t)
    ),
    "squared-hellinger": f_gan_row(
        objectives.squared_hellinger, lambda v: 1 - torch.exp(-v), lambda t: t / (1 - t)
    ),
    "jensen-shannon": f_gan_row(
        objectives.jensen_shannon, lambda v: torch.log(2 * D(v)), lambda t: -torch.log(2 - t.exp())
    ),
    "gan": f_gan_row(
        objectives.gan, lambda v: torch.log(D(v)), lambda t: -torch.log(1 - torch.exp(t))
    ),
}
members = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())


def logits(limit: float = 4.0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    line = torch.linspace(-limit, limit, 9, dtype=dtype)
    r, f = torch.meshgrid(line, line * 0.97 + 0.01, indexing="ij")
    return r.flatten().requires_grad_(), f.flatten().requires_grad_()


def gradient(loss: Tensor, at: Tensor) -> Tensor:
    (grad,) = torch.autograd.grad(loss.sum(), at, retain_graph=True, allow_unused=True)
    return torch.zeros_like(at) if grad is None else grad


def test_the_table_holds_every_objective_of_the_module() -> None:
    declared = [v for v in vars(objectives).values() if isinstance(v, Objective)]
    assert sorted(map(id, declared)) == sorted(id(row.objective) for row in ROWS.values())


@members
def test_the_losses_equal_their_formulas(row: Row) -> None:
    r, f = logits()
    torch.testing.assert_close(
        row.objective.discriminator(r, f), row.discriminator(r, f), rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(
        row.objective.generator(r, f), row.generator(r, f), rtol=1e-12, atol=1e-12
    )


@members
def test_a_loss_is_one_number_for_each_sample_and_depends_on_no_other(row: Row) -> None:
    r, f = logits()
    for loss in (row.objective.discriminator, row.objective.generator):
        assert loss(r, f).shape == r.shape
        torch.testing.assert_close(loss(r, f)[3:5], loss(r[3:5], f[3:5]), rtol=1e-14, atol=0)


@members
def test_the_generator_reads_the_reals_exactly_where_declared(row: Row) -> None:
    r, f = logits()
    reads = bool(gradient(row.objective.generator(r, f), r).abs().max() > 0)
    assert reads == row.objective.generator_sees_real == row.sees_real


@members
def test_each_player_wants_the_opposite_of_the_other(row: Row) -> None:
    r, f = logits(0.9)
    assert bool((gradient(row.objective.discriminator(r, f), r) < 0).all())
    assert bool((gradient(row.objective.discriminator(r, f), f) > 0).all()) or (
        row is ROWS["least-squares"]  # its discriminator wants f = 0, not −∞
    )
    assert bool((gradient(row.objective.generator(r, f), f) < 0).all())


@members
def test_the_ratio_is_that_of_the_two_gradients_in_the_fake_logit(row: Row) -> None:
    assert (row.objective.ratio is not None) == row.ratio
    if row.objective.ratio is None:
        return
    r, f = logits(6)
    of_generator = gradient(row.objective.generator(r, f), f)
    of_discriminator = gradient(row.objective.discriminator(r, f), f)
    torch.testing.assert_close(
        row.objective.ratio(r, f), of_generator / of_discriminator, rtol=1e-11, atol=1e-11
    )


EXPONENTIAL = {"kl", "reverse-kl", "neyman", "squared-hellinger"}  # float32 ends at e^88
BOUNDED = [name for name in ROWS if name not in EXPONENTIAL]


@pytest.mark.parametrize(
    ("name", "limit"), [*((n, 50.0) for n in ROWS), *((n, 200.0) for n in BOUNDED)]
)
def test_losses_and_gradients_are_finite_at_extreme_logits(name: str, limit: float) -> None:
    row = ROWS[name]
    r, f = logits(limit, torch.float32)
    for loss in (row.objective.discriminator(r, f), row.objective.generator(r, f)):
        assert bool(loss.isfinite().all())
        assert bool(gradient(loss, f).isfinite().all())
        assert bool(gradient(loss, r).isfinite().all())


@members
@pytest.mark.parametrize("limit", [15.0, 50.0])
def test_float32_losses_keep_float64_accuracy_at_large_logits(row: Row, limit: float) -> None:
    exact = [t.detach().double() for t in logits(limit, torch.float32)]
    for loss in (row.objective.discriminator, row.objective.generator):
        single = loss(*(t.float() for t in exact)).double()
        torch.testing.assert_close(single, loss(*exact), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [-1000.0, -30.0, 30.0, 1000.0])
def test_a_ratio_in_float32_is_right_or_plainly_unusable(value: float) -> None:
    f = torch.tensor([value])
    ratio = objectives.non_saturating.ratio
    assert ratio is not None
    expected = torch.tensor([-math.exp(-value) if value > -700 else -math.inf])
    torch.testing.assert_close(ratio(f, f), expected, rtol=1e-5, atol=1e-30)


def test_the_mean_squared_generator_saturates() -> None:
    r, f = logits(8)
    grad = gradient(objectives.mean_squared.generator(r, f), f)
    torch.testing.assert_close(grad, -2 * D(f) * (1 - D(f)) ** 2, rtol=1e-9, atol=1e-12)
    assert float(grad.abs()[f < -7].max()) < 2.1e-3


@pytest.mark.parametrize("target", [0.5, 0.9, 0.99])
def test_smoothing_targets_the_real_label_only(target: float) -> None:
    r, f = logits()
    smoothed = -target * torch.log(D(r)) - (1 - target) * torch.log(1 - D(r)) - torch.log(1 - D(f))
    torch.testing.assert_close(cross_entropy(target)(r, f), smoothed, rtol=1e-12, atol=1e-12)


def test_a_target_of_one_is_no_smoothing() -> None:
    r, f = logits()
    assert torch.equal(cross_entropy(1.0)(r, f), objectives.minimax.discriminator(r, f))


def test_the_optimum_under_smoothing_is_alpha_p_over_p_plus_q() -> None:
    alpha, p, q = 0.9, 0.3, 0.8
    optimum = alpha * p / (p + q)
    assert optimum == pytest.approx(0.2454545, abs=1e-7)
    v = torch.tensor(math.log(optimum / (1 - optimum)), dtype=torch.float64)
    r, f = v.clone().requires_grad_(), v.clone().requires_grad_()
    loss = cross_entropy(alpha)(r, f)
    slope = p * gradient(loss, r) + q * gradient(loss, f)
    assert float(slope) == pytest.approx(0, abs=1e-12)


def best_logits(objective: Objective, p: Tensor, q: Tensor) -> tuple[Tensor, float]:
    """Return the logits on a finite space that minimise E L_D, r ~ p and f ~ q, and the minimum."""
    v = torch.zeros_like(p, requires_grad=True)
    pairs = p[:, None] * q[None, :]

    def expected() -> Tensor:
        r, f = torch.broadcast_tensors(v[:, None], v[None, :])
        return (pairs * objective.discriminator(r, f)).sum()

    descent = torch.optim.LBFGS(
        [v], max_iter=500, tolerance_grad=1e-13, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        descent.zero_grad()
        loss = expected()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    descent.step(closure)
    return v.detach(), float(expected().detach())


P = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
Q = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)


def test_the_minimax_optimum_is_the_log_ratio_and_its_value_the_jensen_shannon_divergence() -> None:
    v, loss = best_logits(objectives.minimax, P, Q)
    torch.testing.assert_close(v, torch.log(P / Q), rtol=0, atol=1e-6)
    m = (P + Q) / 2
    jsd = float((P * torch.log(P / m) + Q * torch.log(Q / m)).sum()) / 2
    assert -loss == pytest.approx(-math.log(4) + 2 * jsd, abs=1e-12)


def test_at_equal_densities_the_minimax_optimum_is_one_half_and_the_loss_ln_4() -> None:
    v, loss = best_logits(objectives.minimax, P, P)
    torch.testing.assert_close(D(v), torch.full_like(v, 0.5), rtol=0, atol=1e-7)
    assert loss == pytest.approx(math.log(4), abs=1e-12)


def test_the_relativistic_optimum_is_the_log_ratio_up_to_a_constant() -> None:
    v, _ = best_logits(objectives.relativistic, P, Q)
    shift = v - torch.log(P / Q)
    torch.testing.assert_close(shift, shift.mean().expand(4), rtol=0, atol=1e-6)
    _, at_equality = best_logits(objectives.relativistic, P, P)
    assert at_equality == pytest.approx(math.log(2), abs=1e-12)


def test_the_least_squares_optimum_is_the_posterior_of_being_real() -> None:
    v, _ = best_logits(objectives.least_squares, P, Q)
    torch.testing.assert_close(v, P / (P + Q), rtol=0, atol=1e-6)


DETERMINED = [name for name, row in ROWS.items() if row.objective.log_ratio]


@pytest.mark.parametrize("name", DETERMINED)
def test_the_log_ratio_can_be_read_off_the_best_logits(name: str) -> None:
    objective = ROWS[name].objective
    v, _ = best_logits(objective, P, Q)
    assert objective.log_ratio
    found = objective.log_ratio(v) - torch.log(P / Q)
    constant = found.mean() if objective.generator_sees_real else torch.zeros(())
    torch.testing.assert_close(found, constant.double().expand(4), rtol=0, atol=1e-5)


def test_no_log_ratio_is_claimed_where_the_best_logits_do_not_determine_it() -> None:
    assert set(ROWS) - set(DETERMINED) == {"hinge", "wasserstein", "total-variation"}


def test_the_gan_member_of_the_family_is_the_minimax_game() -> None:
    r, f = logits()
    torch.testing.assert_close(
        objectives.gan.discriminator(r, f), objectives.minimax.discriminator(r, f)
    )
    torch.testing.assert_close(objectives.gan.generator(r, f), objectives.minimax.generator(r, f))


def test_pairing_takes_any_h() -> None:
    r, f = logits()
    squares = relativistic_pairing(lambda t: (1 + t).square())
    torch.testing.assert_close(squares.discriminator(r, f), (1 + f - r) ** 2)
    torch.testing.assert_close(squares.generator(r, f), (1 + r - f) ** 2)
    assert squares.generator_sees_real
    assert squares.ratio is None
