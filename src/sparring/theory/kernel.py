"""Maximum mean discrepancies and the energy distance of finite distributions, by enumeration.

Not here: their estimates from samples (`metrics`), closed forms for Gaussians (`gaussian`).

Notation: x the points, (n, d), or (n,) on the line; p and q their probabilities, (n,); k a kernel;
x′ and y′ independent copies.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sparring.errors import SparringError
from sparring.theory.finite import as_distribution

Kernel = Callable[[Tensor, Tensor], Tensor]  # (n, d), (m, d) -> (n, m)


def rbf(bandwidth: float) -> Kernel:
    """Return the kernel exp(−‖x − y‖² / (2 bandwidth²)).

    Raises:
        SparringError: the bandwidth is not positive.
    """
    if not bandwidth > 0:
        raise SparringError(f"bandwidth is {bandwidth}; expected a positive distance")
    return lambda x, y: (-distances(x, y).square() / (2 * bandwidth**2)).exp()


def polynomial(degree: int) -> Kernel:
    """Return the kernel (x·y / d + 1)^degree; KID's has degree 3 (Bińkowski 2018, section 4).

    Raises:
        SparringError: the degree is not positive.
    """
    if degree < 1:
        raise SparringError(f"degree is {degree}; expected a positive whole number")
    return lambda x, y: (x @ y.T / x.shape[1] + 1) ** degree


def mmd_squared(x: Tensor, p: Tensor, q: Tensor, kernel: Kernel) -> float:
    """Return E k(x, x′) + E k(y, y′) − 2 E k(x, y) = Σ (pᵢ − qᵢ)(pⱼ − qⱼ) k(xᵢ, xⱼ).

    Gretton 2012, lemma 6. Distributions on different points are given on the union of both.

    Raises:
        SparringError: p or q is not a distribution on the points.
    """
    x, gap = _on_points(x, p, q)
    return float(gap @ kernel(x, x).double() @ gap)


def energy_distance(x: Tensor, p: Tensor, q: Tensor) -> float:
    """Return 2 E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖ (Székely 2013); scipy returns its root.

    Raises:
        SparringError: p or q is not a distribution on the points.
    """
    x, gap = _on_points(x, p, q)
    return float(-gap @ distances(x, x) @ gap)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Return ‖x − y‖ between points (n, d) and (m, d), as (n, m), from their differences."""
    norms: Tensor = torch.linalg.vector_norm(x[:, None].double() - y.double(), dim=2)
    return norms


def as_points(x: Tensor) -> Tensor:
    """Return points as (n, d) in float64; points of shape (n,) lie on the line."""
    return (x[:, None] if x.ndim == 1 else x).double()


def _on_points(x: Tensor, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    points = as_points(x)
    return points, as_distribution("p", p, points[:, 0]) - as_distribution("q", q, points[:, 0])
