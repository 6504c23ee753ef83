"""Games and divergences on finite spaces, against loops, finite differences and scipy."""

import math
from functools import partial

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from torch import Tensor

from sparring import divergences, objectives
from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.objectives import Objective
from sparring.theory import finite
from sparring.theory.optimal import OPTIMA, best_logits

P = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
Q = torch.tensor([0.3, 0.4, 0.25, 0.05], dtype=torch.float64)
V = torch.tensor([0.5, -0.7, 2.0, 0.1], dtype=torch.float64)
LEFT = torch.tensor([0.4, 0.6, 0.0, 0.0], dtype=torch.float64)
RIGHT = torch.tensor([0.0, 0.0, 0.3, 0.7], dtype=torch.float64)

games = pytest.mark.parametrize("name", OPTIMA)


@pytest.mark.parametrize("name", ["hinge", "kl", "relativistic", "least_squares"])
def test_the_expected_losses_are_sums_over_pairs_of_a_real_and_a_fake(name: str) -> None:
    game = OPTIMA[name].objective
    pairs = [(i, j) for i in range(4) for j in range(4)]
    for side, found in (
        (game.discriminator, finite.discriminator_loss(game, V, P, Q)),
        (game.generator, finite.generator_loss(game, V, P, Q)),
    ):
        longhand = sum(float(P[i] * Q[j] * side(V[i], V[j])) for i, j in pairs)
        assert float(found) == pytest.approx(longhand, abs=1e-14)


@games
def test_gradients_in_the_logits_are_those_of_the_sums(name: str) -> None:
    game, step = OPTIMA[name].objective, 1e-6
    gradient = finite.logit_gradient(game, V, P, Q)
    for i, unit in enumerate(step * torch.eye(4, dtype=torch.float64)):
        up, down = (finite.discriminator_loss(game, V + s * unit, P, Q) for s in (1, -1))
        assert float(gradient[i]) == pytest.approx(float(up - down) / (2 * step), abs=1e-8)


def test_the_generator_s_gradient_moves_the_logits_of_fakes_only() -> None:
    """In a relativistic game L_G reads both: softplus(r − f), so ∂/∂f = −Σ pᵢ qⱼ σ(vᵢ − vⱼ)."""
    found = finite.fake_logit_gradient(objectives.relativistic, V, P, Q)
    expected = -Q * (P @ (V[:, None] - V).sigmoid())
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)


def test_logits_do_not_count_where_there_is_no_mass() -> None:
    v = torch.tensor([1.0, 2.0, math.nan, math.inf], dtype=torch.float64)
    loss = finite.discriminator_loss(objectives.kl, v, LEFT, LEFT)
    assert float(loss) == float(
        finite.discriminator_loss(objectives.kl, v.nan_to_num(0, 0), LEFT, LEFT)
    )
    assert bool(finite.logit_gradient(objectives.minimax, v, LEFT, LEFT).isfinite().all())


def fake_probability_gradient(objective: Objective, v: Tensor, p: Tensor) -> Tensor:
    """Return ∂E L_G/∂q for a frozen discriminator, of shape (n,), less its mean.

    A generator that can move probability anywhere follows this; a constant would do nothing, for
    q sums to one.
    """
    real, count = p > 0, len(v)
    r = v[real].double()[:, None].expand(-1, count)
    loss = p[real] @ objective.generator(r, v.double().expand(len(r), -1))
    return loss - loss.mean()


def simplex_gradient(kind: Divergence, q: Tensor) -> Tensor:
    """Return ∂D_f(P‖q)/∂q less its mean, by differentiating the sum."""
    gradient = torch.func.grad(partial(finite.divergence, kind, P))(q)
    return gradient - gradient.mean()


@pytest.mark.parametrize("name", sorted(vars(divergences).keys() & OPTIMA.keys()))
def test_with_a_frozen_best_discriminator_the_generator_descends_the_divergence(name: str) -> None:
    """On finite spaces also in total variation, whose discriminator jumps."""
    best = OPTIMA[name]
    found = fake_probability_gradient(best.objective, best_logits(best, P, Q), P)
    expected = simplex_gradient(getattr(divergences, name), Q)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_the_saturating_generator_descends_twice_the_jensen_shannon_divergence() -> None:
    best = OPTIMA["minimax"]
    found = fake_probability_gradient(best.objective, best_logits(best, P, Q), P)
    torch.testing.assert_close(found, simplex_gradient(divergences.jensen_shannon, Q))


def test_the_non_saturating_generator_descends_reverse_kl_less_that() -> None:
    best = OPTIMA["non_saturating"]
    found = fake_probability_gradient(best.objective, best_logits(best, P, Q), P)
    reverse, twice = (divergences.reverse_kl, divergences.jensen_shannon)
    torch.testing.assert_close(found, simplex_gradient(reverse, Q) - simplex_gradient(twice, Q))


def test_the_relativistic_generator_s_pull_is_its_loss_for_each_point_it_could_make() -> None:
    found = fake_probability_gradient(objectives.relativistic, V, P)
    expected = torch.stack([P @ torch.nn.functional.softplus(V - v) for v in V])
    torch.testing.assert_close(found, expected - expected.mean())


def test_divergences_are_those_of_scipy() -> None:
    p, q = P.numpy(), Q.numpy()
    assert float(finite.divergence(divergences.kl, P, Q)) == pytest.approx(entropy(p, q))
    assert float(finite.divergence(divergences.reverse_kl, P, Q)) == pytest.approx(entropy(q, p))
    assert float(finite.jensen_shannon(P, Q)) == pytest.approx(jensenshannon(p, q) ** 2)


def test_divergences_are_their_longhand_sums() -> None:
    for kind, expected in (
        (divergences.total_variation, (P - Q).abs().sum() / 2),
        (divergences.pearson, ((P - Q).square() / Q).sum()),
        (divergences.neyman, ((P - Q).square() / P).sum()),
        (divergences.squared_hellinger, (P.sqrt() - Q.sqrt()).square().sum()),
    ):
        torch.testing.assert_close(finite.divergence(kind, P, Q), expected, rtol=1e-14, atol=0)
    assert float(finite.triangular(P, Q)) == pytest.approx(float(((P - Q) ** 2 / (P + Q)).sum()))


@pytest.mark.parametrize(
    ("kind", "disjoint", "missed", "extra"),
    [  # p and q disjoint; q misses a point of p; q makes one that p lacks
        (divergences.kl, math.inf, math.inf, math.log(2)),
        (divergences.reverse_kl, math.inf, math.log(2), math.inf),
        (divergences.pearson, math.inf, math.inf, 1.0),
        (divergences.neyman, math.inf, 1.0, math.inf),
        (divergences.total_variation, 1.0, 0.5, 0.5),
        (divergences.squared_hellinger, 2.0, 2 - math.sqrt(2), 2 - math.sqrt(2)),
        (divergences.jensen_shannon, math.log(4), *[math.log(4 / 3) * 3 / 2] * 2),
    ],
)
def test_a_point_that_only_one_side_makes_costs_what_it_should(
    kind: Divergence, disjoint: float, missed: float, extra: float
) -> None:
    both, one = torch.tensor([0.5, 0.5, 0, 0]), torch.tensor([1.0, 0, 0, 0])
    assert float(finite.divergence(kind, LEFT, RIGHT)) == pytest.approx(disjoint)
    assert float(finite.divergence(kind, both, one)) == pytest.approx(missed)
    assert float(finite.divergence(kind, one, both)) == pytest.approx(extra)


def test_on_disjoint_supports_the_jensen_shannon_and_triangular_divergences_are_at_their_most() -> (
    None
):
    assert float(finite.jensen_shannon(LEFT, RIGHT)) == pytest.approx(math.log(2), abs=1e-15)
    assert float(finite.triangular(LEFT, RIGHT)) == pytest.approx(2, abs=1e-15)


def test_accuracy_counts_both_sides_equally_and_tosses_a_coin_at_zero() -> None:
    v = torch.tensor([1.0, -1.0, 0.0, 5.0])
    expected = (0.1 + 0.3 / 2 + 0.4) / 2 + (0.4 + 0.25 / 2) / 2
    assert float(finite.accuracy(v, P, Q)) == pytest.approx(expected, abs=1e-15)


def test_rejection_turns_q_into_p_and_keeps_one_in_the_largest_ratio() -> None:
    kept = finite.reject((P / Q).log(), Q)
    torch.testing.assert_close(kept.distribution, P)
    assert kept.rate == pytest.approx(1 / 8, abs=1e-15)


def test_rejection_needs_only_the_ratio_where_q_has_mass() -> None:
    log_ratio = torch.tensor([-math.inf, 0.0, math.inf, math.nan], dtype=torch.float64)
    kept = finite.reject(log_ratio, torch.tensor([0.5, 0.5, 0, 0]))
    torch.testing.assert_close(kept.distribution, torch.tensor([0, 1.0, 0, 0]).double())


def test_a_ratio_without_bound_is_refused() -> None:
    with pytest.raises(SparringError, match="bounded"):
        finite.reject(torch.tensor([0.0, math.inf, 0, 0]), Q)


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (torch.tensor([0.5, 0.6]), "sums to 1.1"),
        (torch.tensor([1.5, -0.5]), "minimum is -0.5"),
        (torch.tensor([math.nan, 1.0]), "sums to nan"),
        (torch.tensor([[0.5, 0.5]]), "shape"),
        (torch.tensor([0.2, 0.3, 0.5]), "expected \\(2,\\)"),
    ],
)
def test_what_is_no_distribution_is_refused(p: Tensor, told: str) -> None:
    other = torch.tensor([0.5, 0.5])
    with pytest.raises(SparringError, match=told):
        finite.discriminator_loss(objectives.hinge, torch.zeros(2), p, other)
    with pytest.raises(SparringError, match=told):
        finite.divergence(divergences.kl, other, p)


def swapped(game: Objective) -> Objective:
    return Objective(lambda r, f: game.discriminator(f, r), game.generator)


@pytest.mark.parametrize("name", [n for n in OPTIMA if n != "relativistic"])
def test_a_game_with_its_sides_swapped_is_another_game(name: str) -> None:
    game = OPTIMA[name].objective
    found = [float(finite.discriminator_loss(g, V, P, Q)) for g in (game, swapped(game))]
    assert abs(found[0] - found[1]) > 1e-2
