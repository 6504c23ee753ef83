"""The Dirac-GAN: the smallest game in which training either converges, circles or diverges.

The data are the point 0, the generator makes the point θ, the discriminator is D(x) = ψx
(Mescheder 2018, definition 2.1). Every loss and every penalty is the one that training uses.

Notation: a state is the vector (θ, ψ); v(θ, ψ) = (−∂L_G/∂θ, −∂L_D/∂ψ) the gradient field, J its
Jacobian at the equilibrium (0, 0), h the step size, γ the weight of R1. One round of training
multiplies a small state by I + hJ when both players move at once, and by the generator's step
after the discriminator's when they alternate.

With c = f′(0) of Mescheder's f (½ for cross-entropy) and R1, J has the rows (0, c) and (−c, −γ),
and the step sizes h at which training converges are, from trace and determinant of a round:

* simultaneous: h < γ/c² while γ ≤ 2c, then h < (γ − √(γ² − 4c²))/c²; none without a penalty;
* alternating: h < (√(γ² + 4c²) − γ)/c²; without a penalty it circles while h < 2/c.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import torch
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.objectives import Objective
from sparring.penalties import PenaltyFn, scored

Order = Literal["alternating", "simultaneous"]
Matrix = NDArray[np.float64]  # (2, 2)

NODES = 24  # of Gauss–Hermite quadrature, for instance noise
TOLERANCE = 1e-9  # a radius this close to 1 counts as 1
MIN_DRIFT = 0.05  # of a path's size from one quarter to the next; below that it stays
QUARTERS = 4  # of a path, whose last two tell where it leads


@dataclass(frozen=True)
class DiracGAN:
    """A game on one parameter each.

    `noise` is the standard deviation σ of instance noise on both sides; `consensus` the γ of
    consensus optimisation, which adds −γ∇‖v‖²/2 to both players (Mescheder 2017, section 4).
    """

    objective: Objective
    penalties: tuple[tuple[PenaltyFn, float], ...] = ()  # each with its weight
    noise: float = 0.0
    consensus: float = 0.0

    def field(self, state: Tensor) -> Tensor:
        """Return v(θ, ψ), both of shape (2,), float64; differentiable where the state is."""
        with torch.enable_grad():
            point = state if state.requires_grad else state.clone().requires_grad_()
            v = self._gradients(point)
            if self.consensus:
                (gradient,) = torch.autograd.grad(v.square().sum() / 2, point, create_graph=True)
                v = v - self.consensus * gradient
        return v

    def jacobian(self) -> Matrix:
        """Return J at (0, 0).

        Raises:
            SparringError: the field has no derivative there, as with a penalty that asks for
                ‖∇D‖ = 1 at ψ = 0.
        """
        origin = torch.zeros(2, dtype=torch.float64)
        jacobian: Tensor = torch.autograd.functional.jacobian(self.field, origin)  # type: ignore[no-untyped-call]
        if not bool(jacobian.isfinite().all()):
            raise SparringError(
                "the gradient field has no derivative at the equilibrium: the gradient penalty "
                "wants a slope of 1 where the equilibrium has 0; there are no eigenvalues"
            )
        return jacobian.numpy()

    def _gradients(self, point: Tensor) -> Tensor:
        theta, psi = point
        real, fake, weights = self._points(theta)
        l_d = self._discriminator_loss(real, fake, psi, weights)
        l_g = weights @ self.objective.generator((real * psi)[:, 0], (fake * psi)[:, 0])
        d_psi = torch.autograd.grad(l_d, point, create_graph=True)[0][1]
        d_theta = torch.autograd.grad(l_g, point, create_graph=True)[0][0]
        return -torch.stack([d_theta, d_psi])

    def _points(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reals and fakes of shape (n, 1), paired, and their weights."""
        if not self.noise:
            zeros = torch.zeros(2, 1, dtype=torch.float64)
            return zeros, zeros + theta, zeros[:, 0] + 0.5
        z, w = np.polynomial.hermite_e.hermegauss(NODES)
        w = w / w.sum()
        z_real, z_fake = (torch.from_numpy(noise.reshape(-1, 1)) for noise in np.meshgrid(z, z))
        weights = torch.from_numpy(np.outer(w, w).ravel())
        return self.noise * z_real, theta + self.noise * z_fake, weights

    def _discriminator_loss(
        self, real: Tensor, fake: Tensor, psi: Tensor, weights: Tensor
    ) -> Tensor:
        def discriminator(x: Tensor) -> Tensor:
            return (x * psi)[:, 0]

        r, f = (scored(x, discriminator) for x in (real.requires_grad_(), fake))
        loss = weights @ self.objective.discriminator(r.logits, f.logits)
        for penalty, weight in self.penalties:
            loss = loss + weight * (weights @ penalty(r, f, Antithetic()))
        return loss


class Antithetic(Draw):
    """Draws ±1 in turn for N(0, 1), which has the same mean square.

    So a finite difference of a linear discriminator gets its expectation, exactly.
    """

    def __init__(self) -> None:
        super().__init__(seed=0)

    def normal(self, purpose: str, shape: tuple[int, ...], like: Tensor | None = None) -> Tensor:
        signs = 1.0 - 2.0 * (torch.arange(shape[0], dtype=torch.float64) % 2)
        return signs.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)


def eigenvalues(matrix: Matrix) -> NDArray[np.complex128]:
    """Return both eigenvalues, that with the larger imaginary part first."""
    values = np.linalg.eigvals(matrix).astype(np.complex128)
    return values[np.argsort(-values.imag, kind="stable")]


def round_matrix(jacobian: Matrix, order: Order, h: float) -> Matrix:
    """Return what one round of training multiplies a small state by (Mescheder 2018, section 2)."""
    if order == "simultaneous":
        return np.eye(2) + h * jacobian
    discriminator, generator = np.eye(2), np.eye(2)
    discriminator[1] += h * jacobian[1]
    generator[0] += h * jacobian[0]
    update: Matrix = generator @ discriminator
    return update


def spectral_radius(matrix: Matrix) -> float:
    """Return the largest modulus of an eigenvalue: how much a round stretches a small state."""
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def verdict(update: Matrix) -> str:
    """Say what a round of training does to states near the equilibrium.

    Args:
        update: from `round_matrix`.
    """
    radius = spectral_radius(update)
    if radius < 1 - TOLERANCE:
        return "converges"
    if radius > 1 + TOLERANCE:
        return "diverges"
    rotates = bool((np.abs(np.linalg.eigvals(update).imag) > TOLERANCE).all())
    return "circles" if rotates else "undecided"  # as in least squares: no linear pull at all


def verdict_of_path(path: NDArray[np.float64]) -> str:
    """Say what a path (rounds + 1, 2) does in the end: the widest of its last two quarters.

    For games without a derivative at the equilibrium; a quarter should hold a few turns.
    """
    size = np.hypot(*path.T)
    if len(size) < QUARTERS:
        return "undecided"
    third, last = (float(part.max()) for part in np.array_split(size, QUARTERS)[2:])
    if not np.isfinite(size).all() or last > (1 + MIN_DRIFT) * third:
        return "diverges"
    return "converges" if last < (1 - MIN_DRIFT) * third or last < TOLERANCE else "circles"


def largest_step(jacobian: Matrix, order: Order) -> float:
    """Return the step size up to which training converges near (0, 0); 0 if it never does.

    Both eigenvalues of a 2 × 2 matrix lie in the unit circle exactly if 1 − det, 1 − tr + det and
    1 + tr + det are positive (Jury 1962); all three are polynomials in h here.
    """
    (a, b), (c, d) = jacobian
    h = Polynomial([0.0, 1.0])
    trace, determinant = 2 + h * (a + d), 1 + h * (a + d) + h**2 * (a * d - b * c)
    if order == "alternating":
        trace, determinant = trace + h**2 * (b * c), (1 + h * a) * (1 + h * d)
    return _first_zero([1 - determinant, 1 - trace + determinant, 1 + trace + determinant])


def largest_circling_step(jacobian: Matrix, order: Order) -> float:
    """Return the step size up to which alternating play without damping stays on a circle.

    Its determinant is 1 at every h, so it neither converges nor diverges while |trace| ≤ 2.
    """
    (a, b), (c, d) = jacobian
    if order == "simultaneous" or abs(a) + abs(d) > TOLERANCE or b * c >= 0:
        return 0.0
    return float(2 / np.sqrt(-b * c))


def trajectory(
    game: DiracGAN, start: tuple[float, float], order: Order, h: float, rounds: int
) -> NDArray[np.float64]:
    """Play rounds of gradient steps from a state; return all states, (rounds + 1, 2)."""
    state = torch.tensor(start, dtype=torch.float64)
    path = [state.numpy()]
    for _ in range(rounds):
        if order == "simultaneous":
            state = state + h * game.field(state).detach()
        else:
            moved = state + h * game.field(state).detach() * torch.tensor([0.0, 1.0])
            state = moved + h * game.field(moved).detach() * torch.tensor([1.0, 0.0])
        path.append(state.numpy())
    return np.stack(path)


def _first_zero(conditions: list[Polynomial]) -> float:
    """Return where the first of some polynomials, positive just above 0, stops being so."""
    ends = []
    for condition in conditions:
        coefficients = np.where(np.abs(condition.coef) < TOLERANCE, 0, condition.coef)
        lowest = np.flatnonzero(coefficients)
        if not lowest.size or coefficients[lowest[0]] < 0:
            return 0.0
        roots = Polynomial(coefficients[lowest[0] :]).roots()
        real = roots[(np.abs(roots.imag) < TOLERANCE) & (roots.real > 0)].real
        ends.append(float(real.min()) if real.size else inf)
    return min(ends)
