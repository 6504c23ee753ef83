"""Distances and divergences of Gaussians: closed forms, and quadrature where the line is enough.

Wherever p and q have equal covariances, every f-divergence is that of N(0, 1) and N(δ, 1), δ being
the distance of the means in units of the covariance; so the line is enough there, too.

Not here: the estimates of these distances from samples (`metrics`).

Notation: p = N(m₁, C₁), q = N(m₂, C₂) on ℝᵈ, Δ = m₂ − m₁, σ a standard deviation, Φ the normal
distribution function, x′ and y′ independent copies of x ~ p and y ~ q.
"""

from dataclasses import dataclass
from itertools import product
from math import erf, gamma, inf, prod, sqrt

import numpy as np
import torch
from scipy.special import hyp1f1
from torch import Tensor

from sparring import divergences
from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.theory import kernel, quadrature
from sparring.theory.quadrature import Line


@dataclass(frozen=True, eq=False)
class Gaussian:
    """N(mean, covariance) on ℝᵈ.

    Raises:
        SparringError: shapes other than (d,) and (d, d), less than float64, or a covariance that is
            not symmetric and positive definite.
    """

    mean: Tensor
    covariance: Tensor

    def __post_init__(self) -> None:
        shapes = tuple(self.mean.shape), tuple(self.covariance.shape)
        if self.mean.ndim != 1 or shapes[1] != shapes[0] * 2:
            raise SparringError(f"mean and covariance have shapes {shapes}; expected (d,), (d, d)")
        if {self.mean.dtype, self.covariance.dtype} != {torch.float64}:
            raise SparringError("mean and covariance are not both float64; expected `.double()`")
        symmetric = torch.equal(self.covariance, self.covariance.T)
        if not symmetric or float(torch.linalg.eigvalsh(self.covariance)[0]) <= 0:
            raise SparringError("the covariance is not symmetric and positive definite; correct it")

    @property
    def dimensions(self) -> int:
        """Coordinates of a point."""
        return len(self.mean)

    @property
    def sigma(self) -> float | None:
        """σ if the covariance is σ²I, otherwise None."""
        variance = self.covariance[0, 0]
        same = torch.equal(self.covariance, variance * _identity(self.dimensions))
        return sqrt(float(variance)) if same else None


def normal(mean: float, sigma: float) -> Gaussian:
    """Return N(mean, sigma²) on the line."""
    return isotropic(torch.tensor([mean], dtype=torch.float64), sigma)


def isotropic(mean: Tensor, sigma: float) -> Gaussian:
    """Return N(mean, sigma² I)."""
    return Gaussian(mean.double(), sigma**2 * _identity(len(mean)))


def kl(p: Gaussian, q: Gaussian) -> float:
    """Return KL(p‖q) = ½ (tr C₂⁻¹C₁ + Δᵀ C₂⁻¹ Δ − d + ln det C₂ − ln det C₁)."""
    shift = _shift(p, q)
    trace = torch.linalg.solve(q.covariance, p.covariance).trace()
    square = shift @ torch.linalg.solve(q.covariance, shift)
    volumes = torch.logdet(q.covariance) - torch.logdet(p.covariance)
    return float(trace + square - p.dimensions + volumes) / 2


def reverse_kl(p: Gaussian, q: Gaussian) -> float:
    """Return KL(q‖p)."""
    return kl(q, p)


def pearson(p: Gaussian, q: Gaussian) -> float:
    """Return Pearson's χ² = ∫p²/q − 1, infinite unless 2C₁⁻¹ − C₂⁻¹ is positive definite.

    By completing the square in p²/q with the origin at m₁.
    """
    shift = _shift(p, q)
    precision = 2 * torch.linalg.inv(p.covariance) - torch.linalg.inv(q.covariance)
    if float(torch.linalg.eigvalsh(precision)[0]) <= 0:
        return inf
    weighted = torch.linalg.solve(q.covariance, shift)
    exponent = (weighted @ torch.linalg.solve(precision, weighted) + weighted @ shift) / 2
    volumes = torch.logdet(q.covariance) / 2 - torch.logdet(p.covariance)
    return float((exponent + volumes - torch.logdet(precision) / 2).expm1())


def squared_hellinger(p: Gaussian, q: Gaussian) -> float:
    """Return ∫(√p − √q)² = 2 − 2∫√(pq), between 0 and 2."""
    shift, middle = _shift(p, q), (p.covariance + q.covariance) / 2
    volumes = (torch.logdet(p.covariance) + torch.logdet(q.covariance)) / 4
    square = shift @ torch.linalg.solve(middle, shift) / 8
    return -2 * float((volumes - torch.logdet(middle) / 2 - square).expm1())


def total_variation(p: Gaussian, q: Gaussian) -> float:
    """Return TV = ½∫|p − q|: 2Φ(δ/2) − 1 for equal covariances, else by quadrature.

    Raises:
        SparringError: neither are the covariances equal nor is this the line.
    """
    if torch.equal(p.covariance, q.covariance):
        return erf(_separation(p, q) / sqrt(8))
    return f_divergence(divergences.total_variation, p, q)


def jensen_shannon(p: Gaussian, q: Gaussian) -> float:
    """Return JSD, by quadrature; raises as `total_variation` does."""
    return f_divergence(divergences.jensen_shannon, p, q) / 2


def f_divergence(kind: Divergence, p: Gaussian, q: Gaussian) -> float:
    """Return D_f(p‖q), by quadrature on the line.

    Raises:
        SparringError: neither are the covariances equal nor is this the line, or the divergence
            is infinite.
    """
    return quadrature.divergence(kind, *_lines(p, q))


def w1(p: Gaussian, q: Gaussian) -> float:
    """Return the Wasserstein distance of order 1.

    ‖Δ‖ for equal covariances; on the line x − y is N(−Δ, (σ₁ − σ₂)²) under the best plan, and
    the mean of its absolute value that of a folded normal.

    Raises:
        SparringError: neither are the covariances equal nor is this the line.
    """
    shift = _shift(p, q)
    if torch.equal(p.covariance, q.covariance):
        return float(shift.norm())
    if p.dimensions > 1:
        raise SparringError("w1 of unequal covariances is known on the line only; use w2_squared")
    p_sigma, q_sigma = _sigmas("w1", p, q)
    return _mean_norm(shift, abs(p_sigma - q_sigma))


def w2_squared(p: Gaussian, q: Gaussian) -> float:
    """Return ‖Δ‖² + tr(C₁ + C₂ − 2(C₁^½ C₂ C₁^½)^½) (Dowson & Landau 1982)."""
    shift, root = _shift(p, q), _root(p.covariance)
    cross = _root(root @ q.covariance @ root)
    return float(shift @ shift + (p.covariance + q.covariance - 2 * cross).trace())


def sliced_w2_squared(p: Gaussian, q: Gaussian) -> float:
    """Return the mean of W2² over projections onto all unit vectors: ‖Δ‖²/d + (σ₁ − σ₂)².

    Raises:
        SparringError: a covariance is not σ²I.
    """
    p_sigma, q_sigma = _sigmas("sliced_w2_squared", p, q)
    return float(_shift(p, q).square().mean()) + (p_sigma - q_sigma) ** 2


def energy_distance(p: Gaussian, q: Gaussian) -> float:
    """Return 2 E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖ (Székely 2013).

    Raises:
        SparringError: a covariance is not σ²I.
    """
    (p_sigma, q_sigma), shift = _sigmas("energy_distance", p, q), _shift(p, q)
    zero = torch.zeros_like(shift)
    within = _mean_norm(zero, sqrt(2) * p_sigma) + _mean_norm(zero, sqrt(2) * q_sigma)
    return 2 * _mean_norm(shift, sqrt(p_sigma**2 + q_sigma**2)) - within


def mmd_squared_rbf(p: Gaussian, q: Gaussian, bandwidth: float) -> float:
    """Return MMD² with the kernel exp(−‖x − y‖² / (2 bandwidth²)): x − y is Gaussian itself.

    Raises:
        SparringError: the bandwidth is not positive.
    """
    if not bandwidth > 0:
        raise SparringError(f"bandwidth is {bandwidth}; expected a positive distance")
    width = bandwidth**2 * _identity(p.dimensions)

    def mean(shift: Tensor, covariance: Tensor) -> float:
        square = shift @ torch.linalg.solve(width + covariance, shift)
        return float((torch.logdet(width) - torch.logdet(width + covariance) - square).div(2).exp())

    shift = _shift(p, q)
    within = sum(mean(0 * shift, 2 * s.covariance) for s in (p, q))
    return within - 2 * mean(shift, p.covariance + q.covariance)


def mmd_squared_polynomial(p: Gaussian, q: Gaussian, degree: int) -> float:
    """Return MMD² with the kernel (x·y / d + 1)^degree, exactly: only moments matter.

    Raises:
        SparringError: the degree is not positive.
    """
    (x, p_weight), (y, q_weight) = (atoms(s, degree // 2 + 1) for s in (p, q))
    _shift(p, q)
    at_p = torch.cat([p_weight, torch.zeros_like(q_weight)])
    at_q = torch.cat([torch.zeros_like(p_weight), q_weight])
    return kernel.mmd_squared(torch.cat([x, y]), at_p, at_q, kernel.polynomial(degree))


def atoms(p: Gaussian, count: int) -> tuple[Tensor, Tensor]:
    """Return points (countᵈ, d) and probabilities with the Gaussian's moments below 2·count.

    Gauss–Hermite quadrature in each coordinate of x = m + C^½ z.
    """
    node, weight = np.polynomial.hermite_e.hermegauss(count)
    z = torch.tensor(list(product(node, repeat=p.dimensions)), dtype=torch.float64)
    raw = [prod(combination) for combination in product(weight, repeat=p.dimensions)]
    probability = torch.tensor(raw, dtype=torch.float64)
    return p.mean + z @ _root(p.covariance), probability / probability.sum()


def line(p: Gaussian) -> Line:
    """Return a Gaussian on the line for quadrature.

    Raises:
        SparringError: it has more dimensions.
    """
    if p.dimensions != 1 or p.sigma is None:
        raise SparringError(f"this Gaussian has {p.dimensions} dimensions; expected one")
    return quadrature.normal(float(p.mean), p.sigma)


def _lines(p: Gaussian, q: Gaussian) -> tuple[Line, Line]:
    """Return densities on the line that have the same f-divergences."""
    if p.dimensions > 1 and torch.equal(p.covariance, q.covariance):
        return quadrature.normal(0.0, 1.0), quadrature.normal(_separation(p, q), 1.0)
    _shift(p, q)
    if p.dimensions > 1:
        raise SparringError(
            f"covariances differ in {p.dimensions} dimensions; "
            "expected equal ones or the line: kl, pearson and squared_hellinger take any"
        )
    return line(p), line(q)


def _shift(p: Gaussian, q: Gaussian) -> Tensor:
    if p.dimensions != q.dimensions:
        raise SparringError(
            f"p has {p.dimensions} dimensions and q has {q.dimensions}; expected the same space"
        )
    return q.mean - p.mean


def _separation(p: Gaussian, q: Gaussian) -> float:
    """Return δ, the Mahalanobis distance of the means."""
    shift = _shift(p, q)
    return sqrt(float(shift @ torch.linalg.solve(p.covariance, shift)))


def _sigmas(distance: str, p: Gaussian, q: Gaussian) -> tuple[float, float]:
    p_sigma, q_sigma = p.sigma, q.sigma
    if p_sigma is None or q_sigma is None:
        raise SparringError(f"{distance} needs covariances σ²I; expected `isotropic` Gaussians")
    return p_sigma, q_sigma


def _identity(d: int) -> Tensor:
    return torch.eye(d, dtype=torch.float64)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root


def _mean_norm(mean: Tensor, sigma: float) -> float:
    """Return E‖x‖ of N(mean, σ²I): σ√2 Γ((d+1)/2)/Γ(d/2) ₁F₁(−½; d/2; −‖mean‖²/2σ²)."""
    square, d = float(mean @ mean), len(mean)
    scale = sigma * sqrt(2) * gamma((d + 1) / 2) / gamma(d / 2)
    return scale * float(hyp1f1(-0.5, d / 2, -square / (2 * sigma**2)))
