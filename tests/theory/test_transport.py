"""Optimal transport on finite supports: the programs against each other, scipy and brute force."""

from itertools import permutations

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from sparring import objectives
from sparring.errors import SparringError
from sparring.theory import finite, transport
from sparring.theory.kernel import distances

RANDOM = torch.Generator().manual_seed(0)


def rand(*shape: int) -> Tensor:
    return torch.rand(shape, generator=RANDOM, dtype=torch.float64)


PLANE = 3 * rand(12, 2)
P, Q = (mass / mass.sum() for mass in rand(2, 12).square())
COST = distances(PLANE, PLANE)
LINE = 4 * rand(12)


def test_a_plan_has_the_marginals_and_costs_what_it_says() -> None:
    cost = COST[:, :7].square()
    q = Q[:7] / Q[:7].sum()
    found = transport.primal(cost, P, q)
    assert found.plan.shape == (12, 7)
    assert float(found.plan.min()) >= 0
    torch.testing.assert_close(found.plan.sum(1), P, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.plan.sum(0), q, rtol=0, atol=1e-12)
    assert float((cost * found.plan).sum()) == pytest.approx(found.cost, abs=1e-12)


def test_prices_are_allowed_and_earn_what_the_plan_costs() -> None:
    cost = COST[:, :7].square()
    q = Q[:7] / Q[:7].sum()
    plan, prices = transport.primal(cost, P, q), transport.dual(cost, P, q)
    slack = cost - prices.pick_up[:, None] - prices.put_down
    assert float(slack.min()) > -1e-9
    assert prices.value == pytest.approx(plan.cost, abs=1e-10)
    assert float(P @ prices.pick_up + q @ prices.put_down) == pytest.approx(plan.cost, abs=1e-10)
    assert float((slack * plan.plan).abs().max()) < 1e-10  # mass moves where there is no slack


def test_the_best_critic_is_lipschitz_and_earns_what_the_plan_costs() -> None:
    plan, critic = transport.primal(COST, P, Q), transport.lipschitz_dual(COST, P, Q)
    assert float((critic.logits[:, None] - critic.logits - COST).max()) < 1e-9
    assert critic.value == pytest.approx(plan.cost, abs=1e-10)
    assert float(critic.logits[0]) == 0
    loss = finite.discriminator_loss(objectives.wasserstein, critic.logits, P, Q)
    assert -float(loss) == pytest.approx(plan.cost, abs=1e-10)


def test_a_wasserstein_game_with_its_sides_swapped_is_caught() -> None:
    critic = transport.lipschitz_dual(COST, P, Q)
    wrong = objectives.Objective(lambda r, f: r - f, lambda r, f: -f)
    loss = finite.discriminator_loss(wrong, critic.logits, P, Q)
    assert -float(loss) == pytest.approx(-critic.value, abs=1e-10)
    assert critic.value > 0.1


def test_uniform_masses_are_matched_as_the_best_of_all_permutations() -> None:
    cost, uniform = COST[:5, 5:10], torch.full((5,), 0.2, dtype=torch.float64)
    best = min(float(sum(cost[i, j] for i, j in enumerate(s))) / 5 for s in permutations(range(5)))
    assert transport.primal(cost, uniform, uniform).cost == pytest.approx(best, abs=1e-12)


def test_on_the_line_the_program_the_integral_and_scipy_agree() -> None:
    found = transport.w1_on_line(LINE, P, Q)
    x, p, q = LINE.numpy(), P.numpy(), Q.numpy()
    assert found == pytest.approx(wasserstein_distance(x, x, p, q), abs=1e-13)
    cost = distances(LINE[:, None], LINE[:, None])
    assert transport.primal(cost, P, Q).cost == pytest.approx(found, abs=1e-10)


def test_on_the_line_the_quantiles_give_the_program_s_w2() -> None:
    cost = distances(LINE[:, None], LINE[:, None]).square()
    found = transport.w2_squared_on_line(LINE, P, Q)
    assert found == pytest.approx(transport.primal(cost, P, Q).cost, abs=1e-10)


def test_w2_where_some_points_have_no_mass() -> None:
    x = torch.tensor([3.0, 0.0, 1.0, 9.0])
    p, q = torch.tensor([0.0, 0.5, 0.5, 0.0]), torch.tensor([0.75, 0.0, 0.0, 0.25])
    expected = 0.5 * 9 + 0.25 * 4 + 0.25 * 64
    assert transport.w2_squared_on_line(x, p, q) == pytest.approx(expected, abs=1e-12)
    assert transport.w1_on_line(x, p, q) == pytest.approx(0.5 * 3 + 0.25 * 2 + 0.25 * 8, abs=1e-12)


def test_sliced_w2_is_the_mean_of_the_projections_and_less_than_w2() -> None:
    directions = transport.circle(64)
    slices = [transport.w2_squared_on_line(PLANE @ u, P, Q) for u in directions]
    found = transport.sliced_w2_squared(PLANE, P, Q, directions)
    assert found == pytest.approx(sum(slices) / 64, abs=1e-13)
    assert found < transport.primal(COST.square(), P, Q).cost


def test_sliced_w2_of_a_shift_is_its_square_over_the_dimension() -> None:
    shift = torch.tensor([0.6, -1.1], dtype=torch.float64)
    both, uniform = (
        torch.cat([PLANE, PLANE + shift]),
        torch.full((12,), 1 / 12, dtype=torch.float64),
    )
    p, q = torch.cat([uniform, 0 * uniform]), torch.cat([0 * uniform, uniform])
    found = transport.sliced_w2_squared(both, p, q, transport.circle(5))
    assert found == pytest.approx(float(shift @ shift) / 2, abs=1e-12)


def test_the_directions_of_the_circle_are_unit_vectors_evenly_over_half_a_turn() -> None:
    directions = transport.circle(9)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(9).double())
    torch.testing.assert_close(directions.T @ directions, 4.5 * torch.eye(2).double())
    turns = transport.circle(4) @ directions[0]
    torch.testing.assert_close(turns, torch.tensor([1, 0.5**0.5, 0, -(0.5**0.5)]).double())


def test_what_fits_no_program_is_refused() -> None:
    with pytest.raises(SparringError, match=r"shape \(12,\); expected \(5,\)"):
        transport.primal(COST[:5], P, Q)
    with pytest.raises(SparringError, match="sums to"):
        transport.dual(COST, P, 2 * Q)
    with pytest.raises(SparringError, match=r"expected \(n, m\)"):
        transport.primal(COST[0], P, Q)
