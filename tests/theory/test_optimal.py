"""Best discriminators: each row of the table is the minimum of the objective it names."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sparring import divergences, objectives
from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.objectives import Objective, f_gan
from sparring.theory import finite, optimal
from sparring.theory.optimal import (
    OPTIMA,
    Optimum,
    best_logits,
    loss_at_best,
    of_f_gan,
    steepest,
)

PAIRS = {
    "unequal": ([0.1, 0.2, 0.3, 0.4], [0.3, 0.4, 0.25, 0.05]),
    "extreme": ([1e-9, 0.5, 0.5 - 1e-9], [0.6, 0.4 - 1e-9, 1e-9]),
    "equal": ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
}
P, Q = (torch.tensor(s, dtype=torch.float64) for s in PAIRS["unequal"])
DISJOINT = torch.tensor([[0.4, 0.6, 0, 0], [0, 0, 0.3, 0.7]], dtype=torch.float64)

MORE = {
    **{f"smoothed {a}": optimal.smoothed(a) for a in (1.0, 0.9, 0.5, 0.01)},
    **{
        f"least squares {t}": optimal.least_squares(*t) for t in ((-1, 1, 0), (0, 1, 1), (3, -2, 7))
    },
}
TABLE = {**OPTIMA, **MORE}
every_game = pytest.mark.parametrize("name", TABLE)
every_pair = pytest.mark.parametrize("pair", PAIRS)
KINKED = ("hinge",)  # not differentiable at its best logits


def densities(pair: str) -> tuple[Tensor, Tensor]:
    p, q = PAIRS[pair]
    return torch.tensor(p, dtype=torch.float64), torch.tensor(q, dtype=torch.float64)


def test_every_objective_has_a_row_but_the_one_that_needs_distances() -> None:
    declared = {n: v for n, v in vars(objectives).items() if isinstance(v, Objective)}
    assert set(declared) - set(OPTIMA) == {"wasserstein"}
    assert all(OPTIMA[name].objective is declared[name] for name in OPTIMA)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in KINKED])
@every_pair
def test_the_gradient_vanishes_at_the_best_logits(name: str, pair: str) -> None:
    best, (p, q) = TABLE[name], densities(pair)
    tolerance = 1e-12 * float((p / q).max().clamp_min(1))  # Pearson's T goes to 10⁹
    assert steepest(best.objective, best_logits(best, p, q), p, q) < tolerance


@every_pair
def test_the_hinge_loss_rises_on_both_sides_of_its_kinks(pair: str) -> None:
    """Piecewise linear and convex: a slope on either side of v* decides."""
    best, (p, q) = OPTIMA["hinge"], densities(pair)
    v = best_logits(best, p, q)
    for step, sign in ((1e-3, 1), (-1e-3, -1)):
        slopes = finite.logit_gradient(best.objective, v + step, p, q)
        assert bool((sign * slopes >= -1e-15).all())


@every_game
@every_pair
def test_no_other_logits_are_better(name: str, pair: str) -> None:
    best, (p, q) = TABLE[name], densities(pair)
    v = best_logits(best, p, q).nan_to_num(posinf=30, neginf=-30)  # total variation's
    least = finite.discriminator_loss(best.objective, v, p, q)
    random = torch.Generator().manual_seed(0)
    for scale in (1e-3, 0.1, 1.0, 5.0) * 15:
        moved = v + scale * torch.randn(v.shape, generator=random, dtype=torch.float64)
        loss = finite.discriminator_loss(best.objective, moved, p, q)
        assert float(loss - least) >= -1e-12 * (1 + abs(float(least)))


@every_game
@every_pair
def test_the_loss_at_the_best_logits_is_the_divergence_it_should_be(name: str, pair: str) -> None:
    best, (p, q) = TABLE[name], densities(pair)
    torch.testing.assert_close(loss_at_best(best, p, q), best.loss(p, q), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", [n for n, row in OPTIMA.items() if row.objective.log_ratio])
@every_pair
def test_the_log_ratio_can_be_read_off_the_best_logits(name: str, pair: str) -> None:
    best, (p, q) = OPTIMA[name], densities(pair)
    assert best.objective.log_ratio
    found, expected = best.objective.log_ratio(best_logits(best, p, q)), (p / q).log()
    if best.objective.generator_sees_real:
        found, expected = found - found.mean(), expected - expected.mean()
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-12)


def test_where_no_log_ratio_is_declared_the_best_logits_hide_it() -> None:
    hidden = {n for n, row in OPTIMA.items() if row.objective.log_ratio is None}
    assert hidden == {"hinge", "total_variation"}
    p, other, q = torch.tensor([[0.2, 0.8], [0.3, 0.7], [0.1, 0.9]], dtype=torch.float64)
    for name in hidden:
        assert torch.equal(best_logits(OPTIMA[name], p, q), best_logits(OPTIMA[name], other, q))


@pytest.mark.parametrize("name", sorted(vars(divergences).keys() & OPTIMA.keys()))
def test_the_best_logit_of_an_f_gan_is_the_activation_s_inverse_of_f_prime(name: str) -> None:
    kind, u = getattr(divergences, name), torch.logspace(-4, 4, 41, dtype=torch.float64)
    told = kind.activation(OPTIMA[name].logit(u.log()))
    torch.testing.assert_close(told, kind.derivative(u), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("minimax", 0.0),
        ("least_squares", 0.0),
        ("hinge", 0.0),
        ("relativistic", 0.0),
        ("total_variation", -1.0),
        ("jensen_shannon", -2 * math.log(2)),
        ("squared_hellinger", -2.0),
    ],
)
def test_disjoint_supports_are_told_apart_without_error(name: str, loss: float) -> None:
    best = OPTIMA[name]
    found = float(loss_at_best(best, *DISJOINT))
    assert found == pytest.approx(loss, abs=1e-15)
    assert float(best.loss(*DISJOINT)) == pytest.approx(loss, abs=1e-15)


def test_the_values_at_equal_densities_are_those_of_the_papers() -> None:
    found = {name: float(loss_at_best(row, P, P)) for name, row in OPTIMA.items()}
    cross = math.log(4)
    expected = dict.fromkeys(found, 0.0) | {
        **dict.fromkeys(("minimax", "non_saturating", "mean_squared", "gan"), cross),
        "least_squares": 1 / 4,
        "hinge": 2.0,
        "relativistic": math.log(2),
    }
    assert found == pytest.approx(expected, abs=1e-14)


def test_a_target_of_one_is_no_smoothing() -> None:
    plain, smooth = OPTIMA["minimax"], optimal.smoothed(1.0)
    assert torch.equal(best_logits(plain, P, Q), best_logits(smooth, P, Q))
    assert float(plain.loss(P, Q)) == pytest.approx(float(smooth.loss(P, Q)), abs=1e-14)


def test_least_squares_with_other_targets_is_the_library_s_game_in_its_own_case() -> None:
    ours, mao = OPTIMA["least_squares"], optimal.least_squares(0, 1, 1)
    torch.testing.assert_close(best_logits(ours, P, Q), best_logits(mao, P, Q))
    v = torch.tensor([0.3, -2.0, 1.0, 4.0], dtype=torch.float64)
    for losses in (finite.discriminator_loss, finite.logit_gradient, finite.fake_logit_gradient):
        torch.testing.assert_close(losses(ours.objective, v, P, Q), losses(mao.objective, v, P, Q))


def test_mao_s_targets_make_the_generator_s_loss_pearson_s_divergence() -> None:
    mao = optimal.least_squares(-1, 1, 0)
    cost = 2 * finite.generator_loss(mao.objective, best_logits(mao, P, Q), P, Q)
    assert float(cost) == pytest.approx(float(((2 * Q - (P + Q)) ** 2 / (P + Q)).sum()), abs=1e-14)


@pytest.mark.parametrize("target", [0.0, -1.0, 1.1, math.nan])
def test_a_label_that_is_none_is_refused(target: float) -> None:
    with pytest.raises(SparringError, match="label of reals"):
        optimal.smoothed(target)


# Faults: each has slipped into a GAN's code somewhere, and none may pass for the game it spoils.


def scaled(game: Objective, factor: float) -> Objective:
    return replace(game, discriminator=lambda r, f: factor * game.discriminator(r, f))


def swapped(game: Objective) -> Objective:
    return replace(game, discriminator=lambda r, f: game.discriminator(f, r))


def borrowed(kind: Divergence, lender: Divergence) -> Objective:
    return f_gan(replace(kind, conjugate_of_activation=lender.conjugate_of_activation))


def right(best: Optimum) -> bool:
    """Is this really the optimum of its objective?"""
    stationary = steepest(best.objective, best_logits(best, P, Q), P, Q) < 1e-9
    value = abs(float(loss_at_best(best, P, Q) - best.loss(P, Q))) < 1e-9
    return stationary and value


SMOOTH = [name for name in OPTIMA if name not in KINKED]


@pytest.mark.parametrize("name", SMOOTH)
def test_the_table_is_right_by_this_measure(name: str) -> None:
    assert right(OPTIMA[name])


@pytest.mark.parametrize("name", SMOOTH)
def test_swapped_sides_are_caught(name: str) -> None:
    assert not right(replace(OPTIMA[name], objective=swapped(OPTIMA[name].objective)))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_half_too_few_or_too_many_is_caught(name: str, factor: float) -> None:
    assert not right(replace(OPTIMA[name], objective=scaled(OPTIMA[name].objective, factor)))


FAMILY = ("kl", "reverse_kl", "pearson", "neyman", "squared_hellinger", "jensen_shannon", "gan")


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("lender", FAMILY)
def test_the_conjugate_of_another_divergence_is_caught(name: str, lender: str) -> None:
    kind = getattr(divergences, name)
    game = borrowed(kind, getattr(divergences, lender))
    assert right(of_f_gan(game, kind, OPTIMA[name].logit)) == (name == lender)
