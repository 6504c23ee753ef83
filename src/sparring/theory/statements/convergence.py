"""Rows 25–29 and 34: the Dirac-GAN's eigenvalues, step sizes and paths; penalties of a linear D.

Everything is computed by `theory.dirac` from the objectives and penalties that training uses, and
its paths are those of `train_step`.

Notation: (θ, ψ) the generator's point and the discriminator's slope, λ eigenvalues of the
gradient field at (0, 0), h the step size, γ the weight of R1; f′(0) as in Mescheder 2018: ½ for
cross-entropy.
"""

from math import e, pi, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring import objectives, penalties
from sparring.objectives import Objective
from sparring.penalties import PenaltyFn, scored
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
)
from sparring.theory.statements.statement import Check, Statement
from sparring.theory.statements.steps import dirac_gap

H, GAMMA = 0.1, 0.6
STRONG = 1.25  # a γ beyond critical damping
START = (1.0, 1.0)
EXACT = 1e-12
SPECTRA: tuple[tuple[str, Objective, float], ...] = (  # Im λ; Re λ is 0
    ("minimax", objectives.minimax, 1 / 2),
    ("non-saturating", objectives.non_saturating, 1 / 2),
    ("relativistic", objectives.relativistic, 1 / 2),
    ("Wasserstein", objectives.wasserstein, 1.0),
    ("hinge", objectives.hinge, 1.0),
    ("least squares, degenerate", objectives.least_squares, 0.0),
    ("mean-squared, of the article", objectives.mean_squared, sqrt(1 / 8)),
    ("total variation", objectives.total_variation, 1 / 2),
    ("KL", objectives.kl, 1 / e),
    ("reverse KL", objectives.reverse_kl, 1.0),
    ("Pearson", objectives.pearson, 1.0),
    ("Neyman", objectives.neyman, 1.0),
    ("squared Hellinger", objectives.squared_hellinger, 1.0),
    ("Jensen–Shannon", objectives.jensen_shannon, 1 / 2),
    ("f-GAN of Goodfellow's value", objectives.gan, 1 / 2),
)


def _spectra() -> tuple[Check, ...]:
    spectra = {name: _spectrum(objective) for name, objective, _ in SPECTRA}
    real = np.stack(list(spectra.values())).real
    return (
        *(Check(f"{name}: Im λ", c, float(spectra[name][0].imag), EXACT) for name, _, c in SPECTRA),
        Check("largest |Re λ| of them all", 0, float(np.abs(real).max()), EXACT),
    )


def _simultaneous_steps() -> tuple[Check, ...]:
    cases = (
        ("cross-entropy", objectives.minimax, 1 / 2, 0.01),
        ("cross-entropy", objectives.minimax, 1 / 2, H),
        ("cross-entropy", objectives.minimax, 1 / 2, 1.0),
        ("Wasserstein", objectives.wasserstein, 1.0, H),
        ("KL", objectives.kl, 1 / e, H),
    )
    radii = tuple(
        Check(f"{name}: radius at h = {h:g}", sqrt(1 + (h * c) ** 2), _radius(objective, h), EXACT)
        for name, objective, c, h in cases
    )
    path = trajectory(DiracGAN(objectives.minimax), START, "simultaneous", H, 100)
    inward = int((np.diff(np.hypot(*path.T)) <= 0).sum())
    return (
        *radii,
        Check("rounds of 100 that lead nearer to (0, 0)", 0, inward, 0.0),
        Check("30 rounds of `train_step`: distance from that path", 0, _off("simultaneous"), EXACT),
    )


def _alternating_steps() -> tuple[Check, ...]:
    jacobian = _jacobian()
    matrix = round_matrix(jacobian, "alternating", H)
    k = 2.02  # h f′(0), beyond the limit: the roots of x² − (2 − k²)x + 1 are real there
    beyond = spectral_radius(round_matrix(jacobian, "alternating", 2 * k))
    limit = largest_circling_step(jacobian, "alternating") / 2
    return (
        Check("radius at h = 0.1", 1, spectral_radius(matrix), EXACT),
        Check("trace at h = 0.1", 2 - H**2 / 4, float(np.trace(matrix)), EXACT),
        Check("h f′(0) where circling ends", 2, limit, EXACT),
        Check("radius at h f′(0) = 2.02", (k**2 - 2 + k * sqrt(k**2 - 4)) / 2, beyond, EXACT),
        Check("drift from its ellipse, 100 rounds of Wasserstein", 0, _drift(), EXACT),
        Check("30 rounds of `train_step`: distance from the path", 0, _off("alternating"), EXACT),
    )


def _damped() -> tuple[Check, ...]:
    upper = complex(-GAMMA / 2, sqrt(1 - GAMMA**2) / 2)
    root = sqrt(GAMMA**2 - 1 / 4)
    single = {
        "R1": penalties.r1,
        "R2": penalties.r2,
        "finite-difference R1": penalties.finite_difference_r1,
        "finite-difference R2": penalties.finite_difference_r2,
    }
    both = _spectrum(objectives.minimax, penalties.r1, penalties.r2).real
    off = _off("simultaneous", penalties.r1, penalties.r2)
    return (
        *(check for name, penalty in single.items() for check in _upper(name, penalty, upper)),
        Check("R1 and R2, γ = 0.6: larger λ", -GAMMA + root, float(both.max()), EXACT),
        Check("R1 and R2, γ = 0.6: smaller λ", -GAMMA - root, float(both.min()), EXACT),
        Check("R1: γ of critical damping", 1, _critical_damping(), 1e-6),
        *_step_bounds(),
        Check("30 rounds of `train_step`, R1 and R2: distance from the path", 0, off, EXACT),
    )


def _step_bounds() -> tuple[Check, ...]:
    """Compare the largest steps with R1, c = ½ (see `theory.dirac`)."""
    weak, strong = _jacobian(penalties.r1), _jacobian(penalties.r1, gamma=STRONG)
    overshoot = 4 * (STRONG - sqrt(STRONG**2 - 1))
    alternating = 4 * (sqrt(GAMMA**2 + 1) - GAMMA)
    return (
        Check("simultaneous, γ = 0.6: h below", 4 * GAMMA, largest_step(weak, "simultaneous")),
        Check("simultaneous, γ = 1.25: h below", overshoot, largest_step(strong, "simultaneous")),
        Check("alternating, γ = 0.6: h below", alternating, largest_step(weak, "alternating")),
    )


def _long_runs() -> tuple[Check, ...]:
    damped = DiracGAN(objectives.minimax, ((penalties.r1, 1.0),))
    noisy = DiracGAN(objectives.minimax, noise=1.0)
    with_consensus = DiracGAN(objectives.minimax, consensus=1.0)
    noise, consensus = (eigenvalues(game.jacobian())[0] for game in (noisy, with_consensus))
    off_noise = abs(noise - complex(-1, sqrt(3)) / 4)
    off_consensus = abs(consensus - complex(-1, 2) / 4)
    return (
        Check("R1, γ = 1: distance from (0, 0) after 150 rounds", 0, _end(damped), EXACT),
        Check("instance noise, σ = 1: |λ − (−1 + i√3)/4|", 0, off_noise, EXACT),
        Check("instance noise, σ = 1: distance after 150 rounds", 0, _end(noisy), 1e-6),
        Check("consensus, γ = 1: |λ − (−1 + 2i)/4|", 0, off_consensus, EXACT),
        Check("consensus, γ = 1: distance after 150 rounds", 0, _end(with_consensus), 1e-6),
        Check("WGAN-GP, λ = 0.1: largest |ψ| in the end, from within", 4 / pi, _swing(0.2), 1e-2),
        Check("WGAN-GP, λ = 0.1: the same, from outside", 4 / pi, _swing(2.0), 1e-2),
    )


def _linear_discriminators() -> tuple[Check, ...]:
    w = torch.tensor([3.0, -4.0, 12.0], dtype=torch.float64)
    differences = penalties.finite_difference_r1, penalties.finite_difference_r2
    r1, r2 = (2 * _penalty(penalty, w) for penalty in differences)
    return (
        Check("R1 without its ½, ‖w‖ = 13", 169, 2 * _penalty(penalties.r1, w), EXACT),
        Check("R2 without its ½", 169, 2 * _penalty(penalties.r2, w), EXACT),
        Check("gradient penalty", 144, _penalty(penalties.gradient_penalty, w), EXACT),
        Check("finite-difference R1 without its ½, in the mean", 169, r1),
        Check("finite-difference R2 without its ½, in the mean", 169, r2),
        Check("largest singular value under spectral normalisation", 1, _normalised(), 1e-6),
    )


def _jacobian(*fns: PenaltyFn, gamma: float = GAMMA) -> Matrix:
    return DiracGAN(objectives.minimax, tuple((penalty, gamma) for penalty in fns)).jacobian()


def _off(order: Order, *fns: PenaltyFn) -> float:
    """Return how far 30 rounds of `train_step` end from those of `theory.dirac`."""
    game = DiracGAN(objectives.minimax, tuple((penalty, GAMMA) for penalty in fns))
    return dirac_gap(game, order, H, 30)


def _spectrum(objective: Objective, *fns: PenaltyFn) -> NDArray[np.complex128]:
    game = DiracGAN(objective, tuple((penalty, GAMMA) for penalty in fns))
    return eigenvalues(game.jacobian())


def _radius(objective: Objective, h: float) -> float:
    return spectral_radius(round_matrix(DiracGAN(objective).jacobian(), "simultaneous", h))


def _upper(name: str, penalty: PenaltyFn, expected: complex) -> tuple[Check, ...]:
    """Compare the eigenvalue above the real axis; the other is its conjugate."""
    upper = _spectrum(objectives.minimax, penalty)[0]
    return (
        Check(f"{name}, γ = 0.6: Re λ", expected.real, float(upper.real), EXACT),
        Check(f"{name}, γ = 0.6: Im λ", expected.imag, float(upper.imag), EXACT),
    )


def _critical_damping() -> float:
    """Return the γ of R1 at which the eigenvalues stop being complex, by bisection."""
    low, high = 0.1, 3.0
    while high - low > 1e-8:
        gamma = (low + high) / 2
        complex_pair = eigenvalues(_jacobian(penalties.r1, gamma=gamma))[0].imag > 0
        low, high = (gamma, high) if complex_pair else (low, gamma)
    return (low + high) / 2


def _end(game: DiracGAN) -> float:
    """Return how far from (0, 0) simultaneous training ends."""
    return float(np.hypot(*trajectory(game, START, "simultaneous", 0.8, 150)[-1]))


def _swing(start: float) -> float:
    """Return the largest |ψ| in the last turns of WGAN-GP's weak penalty.

    θ² + ψ² changes at the rate −4λ(|ψ| − 1)|ψ|; its mean over a turn of radius R vanishes where
    πR² = 4R. Alternating steps add no growth of their own.
    """
    game = DiracGAN(objectives.wasserstein, ((penalties.gradient_penalty, 0.1),))
    path = trajectory(game, (start, start), "alternating", 0.2, 500)
    return float(np.abs(path[-64:, 1]).max())  # two turns


def _drift() -> float:
    """Return by how much 100 alternating rounds change θ² + ψ² − hθψ, at most."""
    theta, psi = trajectory(DiracGAN(objectives.wasserstein), (1, 0), "alternating", H, 100).T
    energy = theta**2 + psi**2 - H * theta * psi
    return float(np.abs(energy / energy[0] - 1).max())


def _penalty(penalty: PenaltyFn, w: Tensor) -> float:
    """Return a penalty of D(x) = w·x, in the mean over the directions of finite differences."""

    def discriminator(x: Tensor) -> Tensor:
        return x @ w

    x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(8, 3).requires_grad_()
    points = scored(x, discriminator)
    return float(penalty(points, points, Corners()).detach().mean())


def _normalised() -> float:
    """Return σ_max of a layer that PyTorch normalises (Miyato 2018)."""
    layer = torch.nn.Linear(3, 4, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.arange(12.0).reshape(4, 3).square() - 7)
    torch.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=100)
    return float(torch.linalg.matrix_norm(layer(torch.eye(3).double()).detach(), 2))


class Corners(Antithetic):
    """Draws the eight corners (±1, ±1, ±1) in turn for N(0, I): their second moments are equal."""

    def normal(self, purpose: str, shape: tuple[int, ...], like: Tensor | None = None) -> Tensor:
        bits = torch.arange(shape[0])[:, None] >> torch.arange(shape[1])
        return 1.0 - 2.0 * (bits % 2).double()


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        25,
        "The Dirac-GAN's eigenvalues at the equilibrium are ±i f′(0), of two functions "
        "±i √(f′(0)g′(0)), least squares' 0 twice: nothing pulls inwards",
        "Mescheder 2018, section 2; two functions derived",
        _spectra,
    ),
    Statement(
        26,
        "Simultaneous steps h stretch every small state by √(1 + h² f′(0)²): they lead away from "
        "(0, 0) at every h",
        "Mescheder 2018, section 2",
        _simultaneous_steps,
    ),
    Statement(
        27,
        "Alternating steps h have radius 1 while h f′(0) < 2, and trace 2 − h² f′(0)²: they circle",
        "Mescheder 2018, section 2",
        _alternating_steps,
    ),
    Statement(
        28,
        "R1 or R2 give −γ/2 ± √(γ²/4 − ¼), both −γ ± √(γ² − ¼); with R1 small states converge for "
        "h < 4γ (γ ≤ 1, simultaneous), h < 4(√(γ² + 1) − γ) (alternating)",
        "Mescheder 2018, section 4; both penalties and the step sizes derived",
        _damped,
    ),
    Statement(
        29,
        "R1, instance noise and consensus optimisation converge; WGAN-GP ends in a cycle, for a "
        "weak penalty of radius 4/π",
        "Mescheder 2018, sections 2 to 4; Mescheder 2017; the radius derived",
        _long_runs,
    ),
    Statement(
        34,
        "On D(x) = w·x: R1 = ‖w‖², WGAN-GP = (‖w‖ − 1)², finite differences ‖w‖² in the mean; "
        "spectral normalisation gives σ_max = 1",
        "derived",
        _linear_discriminators,
    ),
)
