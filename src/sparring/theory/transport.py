"""Optimal transport between finite distributions, exactly: Kantorovich's problem and its duals.

The programs are solved by scipy's HiGHS: fit for hundreds of points.

Not here: distances of densities on the line (`quadrature`), of Gaussians (`gaussian`).

Notation: c the cost of moving a unit of mass, (n, m); p (n,) and q (m,) what is to be moved from
and to; F and G distribution functions; D(x) a critic.
"""

from math import pi
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, eye_array, kron, vstack
from torch import Tensor

from sparring.errors import SparringError
from sparring.theory.finite import as_distribution
from sparring.theory.kernel import as_points

TOLERANCE = 1e-10  # of the solver, on both sides of the program


class Plan(NamedTuple):
    """The cheapest transport: its cost, and how much goes from where to where, (n, m)."""

    cost: float
    plan: Tensor


class Prices(NamedTuple):
    """The dual: what to charge for picking up (n,) and putting down (m,), and the revenue."""

    value: float
    pick_up: Tensor
    put_down: Tensor


class Critic(NamedTuple):
    """The best 1-Lipschitz critic D, (n,), and E_p D − E_q D."""

    value: float
    logits: Tensor


def primal(cost: Tensor, p: Tensor, q: Tensor) -> Plan:
    """Return min Σ c π over plans π ≥ 0 with marginals p and q (Villani 2009, chapter 4).

    Raises:
        SparringError: p or q is not a distribution on the rows or columns of the cost.
    """
    p, q = _marginals(cost, p, q)
    solution = _solve(cost.flatten(), equal=_marginal_sums(*cost.shape), to=torch.cat([p, q]))
    return Plan(solution.value, solution.at.reshape(cost.shape))


def dual(cost: Tensor, p: Tensor, q: Tensor) -> Prices:
    """Return max E_p φ + E_q ψ over prices with φᵢ + ψⱼ ≤ cᵢⱼ (Villani 2009, theorem 5.10).

    Raises:
        SparringError: p or q is not a distribution on the rows or columns of the cost.
    """
    p, q = _marginals(cost, p, q)
    solution = _solve(-torch.cat([p, q]), below=_marginal_sums(*cost.shape).T, by=cost.flatten())
    return Prices(-solution.value, solution.at[: len(p)], solution.at[len(p) :])


def lipschitz_dual(distance: Tensor, p: Tensor, q: Tensor) -> Critic:
    """Return max E_p D − E_q D over critics with D(x) − D(y) ≤ distance (Kantorovich–Rubinstein).

    The best critic of `objectives.wasserstein`; it is 0 at the first point.

    Args:
        distance: a metric on one space, (n, n).
        p: probabilities of the data, (n,).
        q: probabilities of the fakes, (n,).

    Raises:
        SparringError: p or q is not a distribution on this space.
    """
    p, q = _marginals(distance, p, q)
    n = len(p)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    pair = np.arange(len(i))
    rows = csr_matrix((np.ones(len(i)), (pair, i)), (len(i), n))
    rows = rows - csr_matrix((np.ones(len(i)), (pair, j)), (len(i), n))
    solution = _solve(q - p, below=rows, by=distance[i, j])
    return Critic(-solution.value, solution.at - solution.at[0])


def w1_on_line(x: Tensor, p: Tensor, q: Tensor) -> float:
    """Return ∫|F − G| over points (n,) on the line (Vallender 1974).

    Raises:
        SparringError: p or q is not a distribution on the points.
    """
    p, q = as_distribution("p", p, x), as_distribution("q", q, x)
    x, order = x.double().sort()
    gap = (p - q)[order].cumsum(0)[:-1]
    return float(gap.abs() @ x.diff())


def w2_squared_on_line(x: Tensor, p: Tensor, q: Tensor) -> float:
    """Return ∫₀¹ (F⁻¹ − G⁻¹)² over points (n,) on the line: the rising plan is the best.

    Raises:
        SparringError: p or q is not a distribution on the points.
    """
    p, q = as_distribution("p", p, x), as_distribution("q", q, x)
    x, order = x.double().sort()
    above_p, above_q = p[order].cumsum(0), q[order].cumsum(0)
    levels = torch.cat([torch.zeros(1), above_p, above_q, torch.ones(1)]).clamp(0, 1).sort().values
    middle = (levels[:-1] + levels[1:]) / 2
    last = len(x) - 1
    at_p = x[torch.searchsorted(above_p, middle).clamp_max(last)]
    at_q = x[torch.searchsorted(above_q, middle).clamp_max(last)]
    return float(levels.diff() @ (at_p - at_q).square())


def sliced_w2_squared(x: Tensor, p: Tensor, q: Tensor, directions: Tensor) -> float:
    """Return the mean of W2² over projections onto unit vectors (Rabin 2012; Deshpande 2018).

    Args:
        x: points, (n, d).
        p: probabilities of the data, (n,).
        q: probabilities of the fakes, (n,).
        directions: unit vectors, (k, d), for example `circle(k)`.

    Raises:
        SparringError: p or q is not a distribution on the points.
    """
    projected = as_points(x) @ directions.double().T
    return float(np.mean([w2_squared_on_line(column, p, q) for column in projected.T]))


def circle(count: int) -> Tensor:
    """Return unit vectors of the plane in directions equally far apart over half a turn."""
    angle = torch.arange(count, dtype=torch.float64) * pi / count
    return torch.stack([angle.cos(), angle.sin()], 1)


class _Solution(NamedTuple):
    value: float
    at: Tensor


def _solve(
    objective: Tensor,
    equal: csr_matrix | None = None,
    to: Tensor | None = None,
    below: csr_matrix | None = None,
    by: Tensor | None = None,
) -> _Solution:
    """Minimise; variables are positive where equalities bind them, and free otherwise."""
    result = linprog(
        objective.double().numpy(),
        A_eq=equal,
        b_eq=_plain(to),
        A_ub=below,
        b_ub=_plain(by),
        bounds=(None, None) if equal is None else (0, None),
        method="highs-ds",
        options={
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
        },
    )
    if not result.success:
        raise SparringError(
            f"no optimal transport was found ({result.message}); is a cost infinite?"
        )
    return _Solution(float(result.fun), torch.from_numpy(result.x))


def _plain(values: Tensor | None) -> NDArray[np.float64] | None:
    return None if values is None else values.double().numpy()


def _marginal_sums(n: int, m: int) -> csr_matrix:
    """Return the matrix that takes a flat plan to its row sums, then its column sums."""
    to_rows = kron(eye_array(n), np.ones((1, m)))
    to_columns = kron(np.ones((1, n)), eye_array(m))
    return csr_matrix(vstack([to_rows, to_columns]))


def _marginals(cost: Tensor, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    if cost.ndim != 2:
        raise SparringError(f"the cost has shape {tuple(cost.shape)}; expected (n, m)")
    return as_distribution("p", p, cost[:, 0]), as_distribution("q", q, cost[0])
