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
from sparring.penalties import Penalty, PenaltyFn, Scored
from sparring.recipes.sections import ObjectiveName
from sparring.schedules import constant
from sparring.theory.dirac import (
    Antithetic,
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
    verdict_of_path,
)
from sparring.training.state import State, new_state
from sparring.training.step import Batch, Game, train_step

ORDERS: tuple[Order, ...] = ("simultaneous", "alternating")
PENALTIES: dict[str, tuple[tuple[PenaltyFn, float], ...]] = {
    "none": (),
    "r1": ((penalties.r1, 0.6),),
    "r2": ((penalties.r2, 0.8),),
    "r1+r2": ((penalties.r1, 0.6), (penalties.r2, 0.3)),
    "finite-difference-r1": ((penalties.finite_difference_r1, 0.6),),
    "finite-difference-r2": ((penalties.finite_difference_r2, 0.8),),
    "gradient": ((penalties.gradient_penalty, 0.3),),
}
SMOOTH = [chosen for chosen in PENALTIES if chosen != "gradient"]
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


@pytest.fixture
def in_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training draw ±1 for its finite differences, so that a batch has their expectation."""
    monkeypatch.setattr(State, "draw", lambda state, offset=0: Antithetic())


@pytest.mark.usefixtures("in_the_mean")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chosen", SMOOTH)
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


@pytest.mark.usefixtures("in_the_mean")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("without_ratio", [False, True])
@pytest.mark.parametrize("chosen", PENALTIES)
def test_a_long_path_of_real_training_is_the_trajectory(
    chosen: str, order: Order, without_ratio: bool
) -> None:
    """Far from the equilibrium too, by the shared backward pass and by two."""
    played = objectives.relativistic
    played = replace(played, ratio=None) if without_ratio else played
    start = (1.3, -0.7)
    path = trajectory(DiracGAN(played, PENALTIES[chosen]), start, order, H, 30)
    end = trained(game_of(played, chosen, order), start, rounds=30)
    np.testing.assert_allclose(end, path[-1], rtol=1e-10)


def test_a_round_in_the_wrong_order_would_be_noticed() -> None:
    """The generator first has another matrix, as different as the tests above can see."""
    jacobian = DiracGAN(objectives.minimax, PENALTIES["r1"]).jacobian()
    right = round_matrix(jacobian, "alternating", H)
    swap = np.eye(2)[::-1]
    other = swap @ round_matrix(swap @ jacobian @ swap, "alternating", H) @ swap
    assert np.abs(right - other).max() > 1e-3
    assert np.abs(right - round_matrix(jacobian, "simultaneous", H)).max() > 1e-3


def half_forgotten(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    return 2 * penalties.r1(real, fake, draw)


def detached(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    return penalties.r1(real, fake, draw).detach()


def swapped(objective: Objective) -> Objective:
    return replace(objective, discriminator=lambda r, f: objective.discriminator(f, r))


@pytest.mark.parametrize("fault", [half_forgotten, detached])
def test_a_wrong_penalty_has_another_spectrum(fault: PenaltyFn) -> None:
    right = DiracGAN(objectives.minimax, ((penalties.r1, 0.6),)).jacobian()
    wrong = DiracGAN(objectives.minimax, ((fault, 0.6),)).jacobian()
    assert abs(eigenvalues(right)[0] - eigenvalues(wrong)[0]) > 0.05


def test_swapped_sides_turn_the_circle_into_a_saddle() -> None:
    assert eigenvalues(DiracGAN(swapped(objectives.minimax)).jacobian()).real.max() > 0.4


def widest_step_by_bisection(jacobian: Matrix, order: Order) -> float:
    low, high = 0.01, 20.0
    while high - low > 1e-9:
        h = (low + high) / 2
        stable = spectral_radius(round_matrix(jacobian, order, h)) < 1
        low, high = (h, high) if stable else (low, h)
    return low


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chosen", ["r1", "r1+r2"])
@pytest.mark.parametrize("name", ["relativistic", "wasserstein", "kl", "mean-squared"])
def test_the_largest_step_is_where_the_radius_crosses_one(
    name: ObjectiveName, chosen: str, order: Order
) -> None:
    jacobian = DiracGAN(objective(name), PENALTIES[chosen]).jacobian()
    h = largest_step(jacobian, order)
    assert h == pytest.approx(widest_step_by_bisection(jacobian, order), rel=1e-6)
    assert verdict(round_matrix(jacobian, order, 0.99 * h)) == "converges"
    assert verdict(round_matrix(jacobian, order, 1.01 * h)) == "diverges"
    below = [
        spectral_radius(round_matrix(jacobian, order, s * h)) for s in np.linspace(0.01, 1, 50)
    ]
    assert max(below) <= 1 + 1e-7


@pytest.mark.parametrize("gamma", [0.2, 0.6, 0.99, 1.0, 1.25, 3.0])
@pytest.mark.parametrize("name", ["minimax", "wasserstein", "kl"])
def test_the_largest_steps_with_r1_are_those_of_the_formulas(
    name: ObjectiveName, gamma: float
) -> None:
    """With c = f′(0) and γ = 2cg."""
    c = {"minimax": 0.5, "wasserstein": 1.0, "kl": 1 / np.e}[name]
    jacobian = DiracGAN(objective(name), ((penalties.r1, 2 * c * gamma),)).jacobian()
    at_once = 2 * gamma if gamma <= 1 else 2 * (gamma - np.sqrt(gamma**2 - 1))
    in_turn = 2 * (np.sqrt(gamma**2 + 1) - gamma)
    assert largest_step(jacobian, "simultaneous") == pytest.approx(at_once / c, rel=1e-6)
    assert largest_step(jacobian, "alternating") == pytest.approx(in_turn / c, rel=1e-6)


def test_without_damping_simultaneous_play_diverges_and_alternating_play_circles() -> None:
    jacobian = DiracGAN(objectives.wasserstein).jacobian()
    assert largest_step(jacobian, "simultaneous") == largest_step(jacobian, "alternating") == 0
    assert largest_circling_step(jacobian, "simultaneous") == 0
    assert largest_circling_step(jacobian, "alternating") == pytest.approx(2)
    told = {h: verdict(round_matrix(jacobian, "alternating", h)) for h in (1.9, 2.1)}
    assert told == {1.9: "circles", 2.1: "diverges"}
    assert verdict(round_matrix(jacobian, "simultaneous", 0.01)) == "diverges"


@pytest.mark.parametrize("order", ORDERS)
def test_least_squares_has_no_linear_pull_that_could_decide(order: Order) -> None:
    jacobian = DiracGAN(objectives.least_squares).jacobian()
    assert jacobian.tolist() == [[0, 1], [0, 0]]
    assert verdict(round_matrix(jacobian, order, 0.1)) == "undecided"
    assert largest_step(jacobian, order) == largest_circling_step(jacobian, order) == 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chosen", ["none", "r1"])
@pytest.mark.parametrize("name", ["minimax", "wasserstein"])
def test_what_a_path_does_near_the_equilibrium_is_what_the_eigenvalues_say(
    name: ObjectiveName, chosen: str, order: Order
) -> None:
    game = DiracGAN(objective(name), PENALTIES[chosen])
    path = trajectory(game, (1e-3, 1e-3), order, 0.25, 300)
    assert verdict_of_path(path) == verdict(round_matrix(game.jacobian(), order, 0.25))


def test_the_gradient_penalty_ends_in_a_cycle_by_its_path() -> None:
    game = DiracGAN(objectives.wasserstein, PENALTIES["gradient"])
    for start in ((0.1, 0.1), (3.0, 0.5)):
        assert verdict_of_path(trajectory(game, start, "alternating", 0.25, 300)) == "circles"
    assert verdict_of_path(np.array([[1.0, 1.0], *[[np.nan, 0.0]] * 9])) == "diverges"
    assert verdict_of_path(np.ones((2, 2))) == "undecided"  # of a single round


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
