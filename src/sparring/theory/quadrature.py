"""Densities on the line, by quadrature: a fine enough grid is a finite space.

`on_grid` turns two densities into the probabilities of the nodes of a composite Gauss–Legendre
rule; games and divergences (`finite`), best discriminators (`optimal`) and kernels (`kernel`) then
apply to it, to rounding. Panels end where the densities cross, so that |p − q| is smooth inside
each.

Not here: closed forms for Gaussians (`gaussian`).

Notation: p and q densities, F and G their distribution functions, x nodes of shape (n,).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf, log, pi
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.theory import finite

Function = Callable[[Tensor], Tensor]

ORDER = 24  # nodes of a panel
REACH = 12.0  # of a normal density, in sigmas: 1e-32 of its mass lies beyond
MIN_PROBABILITY = 1e-300  # of a node whose density is positive but beneath float64
NEGLIGIBLE = 1e-9  # probability of an end node, and a term of an integral there
ROUNDING = 1e-13  # a difference below it has no sign
HALVINGS = 80  # of an interval, to invert a function


@dataclass(frozen=True)
class Line:
    """A density on the line; `interval` holds all of its mass that counts.

    The log-density is −∞ only where the density is zero, and smooth inside each of the equal
    panels of the interval.
    """

    log_density: Function
    cdf: Function
    interval: tuple[float, float]
    panels: int = 24


def normal(mean: float, sigma: float) -> Line:
    """Return N(mean, sigma²)."""
    return Line(
        lambda x: normal_log_density(x, mean, sigma),
        lambda x: torch.special.ndtr((x - mean) / sigma),
        (mean - REACH * sigma, mean + REACH * sigma),
    )


def normal_log_density(x: Tensor, mean: float | Tensor, sigma: float) -> Tensor:
    """Return ln N(x; mean, sigma²)."""
    return -((x - mean) / sigma).square() / 2 - log(sigma) - log(2 * pi) / 2


class Grid(NamedTuple):
    """Two densities as probabilities of the same nodes, each of shape (n,)."""

    x: Tensor
    p: Tensor
    q: Tensor


def log_ratio(p: Line, q: Line) -> Function:
    """Return ln p − ln q as a function on the line."""
    return lambda x: p.log_density(x) - q.log_density(x)


def on_grid(p: Line, q: Line) -> Grid:
    """Return both densities on nodes fit for them; panels end where they cross."""
    x, weight = nodes(p, q, log_ratio(p, q))

    def probabilities(line: Line) -> Tensor:
        log_density = line.log_density(x)
        return torch.where(
            log_density == -inf, 0, (weight * log_density.exp()).clamp_min(MIN_PROBABILITY)
        )

    return Grid(x, probabilities(p), probabilities(q))


def divergence(kind: Divergence, p: Line, q: Line) -> float:
    """Return D_f(p‖q) = ∫ q f(p/q).

    Raises:
        SparringError: the integrand is not negligible at the ends of the intervals.
    """
    grid = on_grid(p, q)
    total = finite.divergence(kind, grid.p, grid.q)
    ends = torch.stack([grid.p, grid.q])[:, [0, -1]]
    terms = torch.where(ends[1] > 0, ends[1] * kind.f(ends[0] / ends[1]), 0)
    loose = (ends < NEGLIGIBLE).all(0) & (terms.abs() > NEGLIGIBLE * (1 + total.abs()))
    if loose.any():
        raise SparringError(
            f"the divergence's integrand is still {float(terms.abs().max()):.1e} where both "
            "densities have ended; expected a finite divergence, or give wider intervals"
        )
    return float(total)


def w1(p: Line, q: Line) -> float:
    """Return the Wasserstein distance of order 1, ∫|F − G| (Vallender 1974)."""
    gap = _cdf_gap(p, q)
    x, weight = nodes(p, q, gap)
    return float(weight @ gap(x).abs())


def w2_squared(p: Line, q: Line) -> float:
    """Return the squared Wasserstein distance of order 2, ∫ p(x) (x − G⁻¹(F(x)))² dx."""
    x, weight = nodes(p, q)
    moved = x - inverse(q.cdf, p.cdf(x), q.interval)
    return float((weight * p.log_density(x).exp()) @ moved.square())


def energy_distance(p: Line, q: Line) -> float:
    """Return 2 E|x − y| − E|x − x′| − E|y − y′| = 2∫(F − G)² (Székely 2013, section 2)."""
    x, weight = nodes(p, q)
    return float(2 * weight @ _cdf_gap(p, q)(x).square())


def nodes(p: Line, q: Line, difference: Function | None = None) -> tuple[Tensor, Tensor]:
    """Return nodes and weights for integrals of both densities.

    Args:
        p: one density.
        q: the other.
        difference: a function at whose changes of sign panels end.
    """
    panels = {float(x) for line in (p, q) for x in np.linspace(*line.interval, line.panels + 1)}
    x, weight = _legendre(panels)
    kinks = [] if difference is None else crossings(difference, x)
    return _legendre(panels.union(kinks)) if kinks else (x, weight)


def crossings(difference: Function, x: Tensor) -> list[float]:
    """Return where a function changes sign between rising nodes; rounding errors have no sign."""
    values = difference(x)
    values = torch.where(values.abs() > ROUNDING, values, 0)
    zeros = []
    for i in torch.nonzero(values[:-1] * values[1:] < 0).flatten():
        low, high = float(x[i]), float(x[i + 1])
        zeros.append(float(brentq(lambda t: float(difference(_scalar(t))), low, high, xtol=1e-15)))
    return zeros


def inverse(rising: Function, values: Tensor, interval: tuple[float, float]) -> Tensor:
    """Return where a rising function takes these values, by halving the interval."""
    low, high = (torch.full_like(values, end) for end in interval)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = rising(middle) >= values
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (low + high) / 2


def _legendre(edges: Iterable[float]) -> tuple[Tensor, Tensor]:
    """Return the composite Gauss–Legendre rule with `ORDER` nodes between neighbouring edges."""
    ends = torch.tensor(sorted(edges), dtype=torch.float64)
    node, weight = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(ORDER))
    half, middle = ends.diff() / 2, (ends[:-1] + ends[1:]) / 2
    x = middle[:, None] + half[:, None] * node
    return x.flatten(), (half[:, None] * weight).flatten()


def _cdf_gap(p: Line, q: Line) -> Function:
    return lambda x: p.cdf(x) - q.cdf(x)


def _scalar(x: float) -> Tensor:
    return torch.tensor(x, dtype=torch.float64)
