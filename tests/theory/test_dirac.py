"""The Dirac-GAN: known spectra, step sizes, and that the real training step is what it predicts."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from sparring import objectives, penalties
from sparring.build import objective
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.objectives import Objective
from sparring.penalties import Discriminator, Penalty, PenaltyFn, Scored
from sparring.recipe import ObjectiveName
from sparring.schedules import constant
from sparring.theory.dirac import (
    DiracGAN,
    Matrix,
    Order,
    eigenvalues,
    largest_circling_step,
    largest_step,
    round_matrix,
    spectral_radius,
    trajectory,
    verdict,
)
from sparring.training.state import State, new_state
from sparring.training.step import Batch, Game, train_step

ORDERS: tuple[Order, ...] = ("simultaneous", "alternating")
PENALTIES: dict[str, tuple[tuple[PenaltyFn, float], ...]] = {
    "none": (),
    "r1": ((penalties.r1, 0.6),),
    "r2": ((penalties.r2, 0.8),),
    "r1+r2": ((penalties.r1, 0.6), (penalties.r2, 0.3)),
}
H = 0.07


class Point(nn.Module):
    """A generator of one parameter: it makes θ, whatever the latent."""

    latent = 1

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.theta.expand(len(latent), 1)


class Slope(nn.Module):
    """The discriminator D(x) = ψx."""

    def __init__(self) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        return (x * self.psi)[:, 0]


def trained(game: Game, start: tuple[float, float], rounds: int = 1) -> list[float]:
    """Return (θ, ψ) after rounds of the real training step with plain SGD."""
    generator, discriminator = Point(), Slope()
    with torch.no_grad():
        generator.theta.fill_(start[0])
        discriminator.psi.fill_(start[1])
    optimizers = (SGD(network.parameters(), lr=0.0) for network in (generator, discriminator))
    state: State = new_state(generator, discriminator, *optimizers)
    for _ in range(rounds):
        train_step(state, game, Batch(torch.zeros(4, 1, dtype=torch.float64)))
    return [float(p.detach()) for p in (generator.theta, discriminator.psi)]


def game_of(objective: Objective, chosen: str, order: Order, h: float = H) -> Game:
    due = tuple(Penalty(fn, constant(weight)) for fn, weight in PENALTIES[chosen])
    rate = constant(h)
    return Game(objective, due, order=order, generator_lr=rate, discriminator_lr=rate)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chosen", PENALTIES)
@pytest.mark.parametrize("name", get_args(ObjectiveName))
def test_one_round_of_real_training_is_the_matrix_of_the_theory(
    name: ObjectiveName, chosen: str, order: Order
) -> None:
    matrix = round_matrix(DiracGAN(objective(name), PENALTIES[chosen]).jacobian(), order, H)
    tiny = 1e-6
    columns = [
        trained(game_of(objective(name), chosen, order), start)
        for start in ((tiny, 0.0), (0.0, tiny))
    ]
    np.testing.assert_allclose(np.array(columns).T / tiny, matrix, rtol=0, atol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("without_ratio", [False, True])
def test_a_long_path_of_real_training_is_the_trajectory(order: Order, without_ratio: bool) -> None:
    """Far from the equilibrium too, by the shared backward pass and by two."""
    chosen = objectives.relativistic
    chosen = replace(chosen, ratio=None) if without_ratio else chosen
    path = trajectory(DiracGAN(chosen, PENALTIES["r1"]), (1.3, -0.7), order, H, 50)
    end = trained(game_of(chosen, "r1", order), (1.3, -0.7), rounds=50)
    np.testing.assert_allclose(end, path[-1], rtol=1e-10)
    plain = trajectory(DiracGAN(chosen), (1.3, -0.7), order, H, 20)
    end = trained(game_of(chosen, "none", order), (1.3, -0.7), rounds=20)
    np.testing.assert_allclose(end, plain[-1], rtol=1e-10)


def half_forgotten(discriminator: Discriminator, real: Scored, fake: Scored, draw: Draw) -> Tensor:
    return 2 * penalties.r1(discriminator, real, fake, draw)


def detached(discriminator: Discriminator, real: Scored, fake: Scored, draw: Draw) -> Tensor:
    return penalties.r1(discriminator, real, fake, draw).detach()


def swapped(objective: Objective) -> Objective:
    return replace(objective, discriminator=lambda r, f: objective.discriminator(f, r))


@pytest.mark.parametrize("fault", [half_forgotten, detached])
def test_a_wrong_penalty_has_another_spectrum(fault: PenaltyFn) -> None:
    right = DiracGAN(objectives.minimax, ((penalties.r1, 0.6),)).jacobian()
    wrong = DiracGAN(objectives.minimax, ((fault, 0.6),)).jacobian()
    assert abs(eigenvalues(right)[0] - eigenvalues(wrong)[0]) > 0.05


def test_swapped_sides_turn_the_circle_into_a_saddle() -> None:
    assert eigenvalues(DiracGAN(swapped(objectives.minimax)).jacobian()).real.max() > 0.4


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chosen", ["r1", "r1+r2"])
def test_the_largest_step_is_where_the_radius_crosses_one(chosen: str, order: Order) -> None:
    jacobian = DiracGAN(objectives.relativistic, PENALTIES[chosen]).jacobian()
    h = largest_step(jacobian, order)
    assert 0 < h < 10
    assert spectral_radius(round_matrix(jacobian, order, h)) == pytest.approx(1, abs=1e-7)
    assert verdict(spectral_radius(round_matrix(jacobian, order, 0.99 * h))) == "converges"
    assert verdict(spectral_radius(round_matrix(jacobian, order, 1.01 * h))) == "diverges"
    below = [
        spectral_radius(round_matrix(jacobian, order, s * h)) for s in np.linspace(0.01, 1, 50)
    ]
    assert max(below) <= 1 + 1e-7


def test_without_damping_simultaneous_play_diverges_and_alternating_play_circles() -> None:
    jacobian = DiracGAN(objectives.wasserstein).jacobian()
    assert largest_step(jacobian, "simultaneous") == largest_step(jacobian, "alternating") == 0
    assert largest_circling_step(jacobian, "simultaneous") == 0
    assert largest_circling_step(jacobian, "alternating") == pytest.approx(2)
    told = {
        h: verdict(spectral_radius(round_matrix(jacobian, "alternating", h))) for h in (1.9, 2.1)
    }
    assert told == {1.9: "circles", 2.1: "diverges"}


def quarter_circle(radius: float) -> Matrix:
    return radius * np.array([[0.0, 1.0], [-1.0, 0.0]])


def test_the_radius_is_the_modulus_of_the_largest_eigenvalue() -> None:
    assert spectral_radius(quarter_circle(0.7)) == pytest.approx(0.7)
    assert eigenvalues(quarter_circle(2))[0] == pytest.approx(2j)


def test_the_alternating_order_moves_the_discriminator_first() -> None:
    jacobian = np.array([[0.0, 1.0], [-1.0, 0.0]])
    moved = round_matrix(jacobian, "alternating", 0.5) @ [1.0, 0.0]
    assert moved.tolist() == [1 - 0.25, -0.5]


def test_instance_noise_and_consensus_damp() -> None:
    """Derived: noise adds −σ²/2 to ψ's own entry, consensus −γ/4 to both."""
    noisy = DiracGAN(objectives.minimax, noise=0.5).jacobian()
    np.testing.assert_allclose(noisy, [[0, 0.5], [-0.5, -0.125]], atol=1e-12)
    agreed = DiracGAN(objectives.minimax, consensus=0.5).jacobian()
    np.testing.assert_allclose(agreed, [[-0.125, 0.5], [-0.5, -0.125]], atol=1e-12)


def test_the_gradient_penalty_has_no_smooth_equilibrium_here() -> None:
    game = DiracGAN(objectives.wasserstein, ((penalties.gradient_penalty, 1.0),))
    with pytest.raises(SparringError, match="no derivative at the equilibrium"):
        game.jacobian()
