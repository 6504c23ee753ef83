"""Statements on convergence: the Dirac-GAN's eigenvalues, paths and step sizes, and penalties.

Numbers are those of the theory page; everything is computed by `theory.dirac` from the objectives
and penalties that training uses.
"""

from math import e, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring import objectives, penalties
from sparring.objectives import Objective
from sparring.penalties import PenaltyFn, Scored
from sparring.statements.statement import Check, Statement
from sparring.theory.dirac import (
    Antithetic,
    DiracGAN,
    Matrix,
    eigenvalues,
    largest_circling_step,
    largest_step,
    round_matrix,
    spectral_radius,
    trajectory,
)

H, GAMMA = 0.1, 0.6
ROUNDS = 400
SPECTRA: tuple[tuple[str, Objective, float], ...] = (  # the imaginary part; the real one is 0
    ("minimax", objectives.minimax, 1 / 2),
    ("non-saturating", objectives.non_saturating, 1 / 2),
    ("relativistic", objectives.relativistic, 1 / 2),
    ("Wasserstein", objectives.wasserstein, 1.0),
    ("least squares", objectives.least_squares, 0.0),
    ("KL", objectives.kl, 1 / e),
    ("mean-squared, of the article", objectives.mean_squared, sqrt(1 / 8)),
)


def spectra() -> tuple[Check, ...]:
    """Compare the eigenvalues at the equilibrium without any damping."""
    return tuple(
        check
        for name, objective, imaginary in SPECTRA
        for check in _complex(f"{name}, λ", _spectrum(objective), complex(0, imaginary))
    )


def simultaneous_steps() -> tuple[Check, ...]:
    """Compare how much a simultaneous round stretches a small state: always more than 1."""
    return tuple(
        Check(
            f"radius at h = {h:g}",
            sqrt(1 + h**2 / 4),
            spectral_radius(round_matrix(_jacobian(), "simultaneous", h)),
        )
        for h in (0.01, H, 1.0)
    )


def alternating_steps() -> tuple[Check, ...]:
    """Compare radius, trace and the end of stability of alternating rounds."""
    jacobian = _jacobian()
    matrix = round_matrix(jacobian, "alternating", H)
    beyond = spectral_radius(round_matrix(jacobian, "alternating", 4.04))
    return (
        Check("radius at h = 0.1", 1.0, spectral_radius(matrix)),
        Check("trace at h = 0.1", 2 - H**2 / 4, float(np.trace(matrix))),
        Check(
            "h f′(0) where circling ends", 2.0, largest_circling_step(jacobian, "alternating") / 2
        ),
        Check("radius beyond it exceeds 1", 1.0, float(beyond > 1)),
        Check("largest change of the ellipse it stays on, 100 rounds", 0.0, _drift(), 1e-12),
    )


def damped_spectra() -> tuple[Check, ...]:
    """Compare the eigenvalues with R1, R2 and both, and the step sizes they allow."""
    root = sqrt(1 / 4 - GAMMA**2 / 4)
    both = GAMMA - sqrt(GAMMA**2 - 1 / 4)
    named: tuple[tuple[str, PenaltyFn], ...] = (
        ("R1", penalties.r1),
        ("R2", penalties.r2),
        ("finite-difference R1", penalties.finite_difference_r1),
    )
    one = [
        check
        for name, penalty in named
        for check in _complex(
            f"{name}, γ = 0.6, λ", _spectrum(objectives.minimax, penalty), complex(-GAMMA / 2, root)
        )
    ]
    pair = _spectrum(objectives.minimax, penalties.r1, penalties.r2)
    jacobian = _jacobian(penalties.r1)
    return (
        *one,
        *_complex("R1 + R2, γ = 0.6, λ", pair, complex(-both)),
        Check("γ of critical damping", 1.0, _critical_damping(), 1e-6),
        Check("simultaneous, R1: h below", 4 * GAMMA, largest_step(jacobian, "simultaneous")),
        Check(
            "alternating, R1: h below",
            4 * (sqrt(GAMMA**2 + 1) - GAMMA),
            largest_step(jacobian, "alternating"),
        ),
    )


def long_runs() -> tuple[Check, ...]:
    """Compare where training ends after many rounds, from (1, 1)."""
    wgan_gp = DiracGAN(objectives.wasserstein, ((penalties.gradient_penalty, 0.3),))
    cycle = np.abs(trajectory(wgan_gp, (1, 1), "alternating", 0.05, 1000)[-250:]).max(0)
    damped = DiracGAN(objectives.minimax, ((penalties.r1, 1.0),))
    noisy = DiracGAN(objectives.minimax, noise=1.0)
    agreed = DiracGAN(objectives.minimax, consensus=1.0)
    return (
        Check("R1, γ = 1: distance from (0, 0)", 0.0, _end(damped, 0.2, ROUNDS), 1e-12),
        Check("instance noise, σ = 1: distance", 0.0, _end(noisy, 0.2, ROUNDS), 1e-2),
        Check("consensus, γ = 1: distance", 0.0, _end(agreed, 0.2, ROUNDS), 1e-6),
        Check("WGAN-GP: it still swings after 1,000 rounds", 1.0, float(cycle.min() > 0.5)),
    )


def linear_discriminators() -> tuple[Check, ...]:
    """Compare the penalties of D(x) = w·x with their closed forms, |w| = 13."""
    w = torch.tensor([3.0, -4.0, 12.0], dtype=torch.float64)
    return (
        Check("R1 without its ½", 169.0, 2 * _penalty(penalties.r1, w)),
        Check("R2 without its ½", 169.0, 2 * _penalty(penalties.r2, w)),
        Check("gradient penalty", 144.0, _penalty(penalties.gradient_penalty, w)),
        Check(
            "finite differences without the ½, in the mean",
            169.0,
            2 * _penalty(penalties.finite_difference_r1, w),
            1e-6,
        ),
        Check("largest singular value under spectral normalisation", 1.0, _normalised(), 1e-6),
    )


STATEMENTS = (
    Statement(
        25,
        "The Dirac-GAN's eigenvalues at the equilibrium are imaginary: training circles",
        "Mescheder 2018, lemma 2.2",
        spectra,
    ),
    Statement(
        26,
        "Simultaneous steps stretch every state by √(1 + h² f′(0)²): they always diverge",
        "Mescheder 2018, lemma 2.3",
        simultaneous_steps,
    ),
    Statement(
        27,
        "Alternating steps have radius 1 while h f′(0) < 2, and trace 2 − h² f′(0)²",
        "Mescheder 2018, lemma 2.4",
        alternating_steps,
    ),
    Statement(
        28,
        "R1 or R2 give −γ/2 ± √(γ²/4 − ¼), both −γ ± √(γ² − ¼): training converges",
        "Mescheder 2018, section 4.1; step sizes derived",
        damped_spectra,
    ),
    Statement(
        29,
        "R1, instance noise and consensus optimisation converge, WGAN-GP ends in a cycle",
        "Mescheder 2018, sections 3 and 4",
        long_runs,
    ),
    Statement(
        34,
        "On D(x) = w·x: R1 = |w|², WGAN-GP = (|w| − 1)², finite differences |w|² in the mean",
        "derived",
        linear_discriminators,
    ),
)


def _jacobian(*chosen: PenaltyFn) -> Matrix:
    return DiracGAN(objectives.minimax, tuple((one, GAMMA) for one in chosen)).jacobian()


def _spectrum(objective: Objective, *chosen: PenaltyFn) -> NDArray[np.complex128]:
    return eigenvalues(DiracGAN(objective, tuple((one, GAMMA) for one in chosen)).jacobian())


def _complex(what: str, found: NDArray[np.complex128], expected: complex) -> tuple[Check, ...]:
    """Compare the eigenvalue with the larger imaginary part, or of two real ones the larger."""
    value = max(found, key=lambda one: (round(one.imag, 12), one.real))
    return (
        Check(f"{what}, real part", expected.real, float(value.real), 1e-12),
        Check(f"{what}, imaginary part", expected.imag, float(value.imag), 1e-12),
    )


def _critical_damping() -> float:
    """Return the γ of R1 at which the eigenvalues stop being complex, by bisection."""
    low, high = 0.1, 3.0
    while high - low > 1e-8:
        gamma = (low + high) / 2
        game = DiracGAN(objectives.minimax, ((penalties.r1, gamma),))
        if eigenvalues(game.jacobian())[0].imag > 0:
            low = gamma
        else:
            high = gamma
    return (low + high) / 2


def _end(game: DiracGAN, h: float, rounds: int) -> float:
    """Return how far from the equilibrium training ends that began at (1, 1)."""
    return float(np.hypot(*trajectory(game, (1, 1), "simultaneous", h, rounds)[-1]))


def _drift() -> float:
    """Return by how much the widest of 100 alternating rounds exceeds the start's ellipse."""
    path = trajectory(DiracGAN(objectives.wasserstein), (1, 0), "alternating", H, 100)
    theta, psi = path.T
    energy = theta**2 + psi**2 - H * theta * psi  # what a round leaves as it is
    return float(np.abs(energy / energy[0] - 1).max())


def _penalty(penalty: PenaltyFn, w: Tensor) -> float:
    """Return a penalty of D(x) = w·x, in the mean over the directions of finite differences."""

    def discriminator(x: Tensor) -> Tensor:
        return x @ w

    x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(8, 3).requires_grad_()
    scored = Scored(x, discriminator(x))
    return float(penalty(discriminator, scored, scored, Corners()).mean())


def _normalised() -> float:
    """Return σ_max of a layer that PyTorch normalises (Miyato 2018)."""
    layer = torch.nn.Linear(3, 4, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.arange(12.0).reshape(4, 3).square() - 7)
    torch.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=100)
    return float(torch.linalg.matrix_norm(layer(torch.eye(3).double()).detach(), 2))


class Corners(Antithetic):
    """Draws the corners (±1, ±1, ±1) for N(0, I): their second moments are the same."""

    def normal(self, purpose: str, shape: tuple[int, ...], like: Tensor | None = None) -> Tensor:
        bits = torch.arange(shape[0])[:, None] >> torch.arange(shape[1])
        return 1.0 - 2.0 * (bits % 2).double()
