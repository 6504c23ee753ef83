"""A generator that only shifts: q = N(μ, 1) against p = N(0, 1), exactly.

`pull` is the gradient such a generator receives from a frozen discriminator, `slope` that of what
theory says it descends.

Notation: x = μ + z a fake, z ~ N(0, 1); ρ(x) = ln(p/q) = μ²/2 − μx.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sparring.theory import finite, quadrature
from sparring.theory.optimal import Optimum
from sparring.theory.quadrature import Grid, normal


def shifted(mean: float = 1.0) -> Grid:
    """Return N(0, 1) and N(μ, 1) as probabilities of the nodes of a quadrature."""
    return quadrature.on_grid(normal(0.0, 1.0), normal(mean, 1.0))


def pull(optimum: Optimum, mean: float = 1.0) -> float:
    """Return d/dμ of E L_G while the best discriminator stays as it is: E[∂L_G/∂f · v*′(x)].

    A discriminator that jumps (hinge, total variation) pulls at no sample.
    """

    def logit(x: Tensor) -> Tensor:
        return optimum.logit(mean**2 / 2 - mean * x)

    grid = shifted(mean)
    rise: Tensor = torch.func.grad(lambda x: logit(x).sum())(grid.x)
    return float(rise @ finite.fake_logit_gradient(optimum.objective, logit(grid.x), *grid[1:]))


def slope(functional: Callable[[Tensor, Tensor], Tensor], mean: float = 1.0) -> float:
    """Return d/dμ of a functional of (p, q) on a finite space, such as `finite.divergence`."""
    p, q = normal(0.0, 1.0), normal(mean, 1.0)
    x, weight = quadrature.nodes(p, q, quadrature.log_ratio(p, q))

    def value(mu: Tensor) -> Tensor:
        fake = weight * quadrature.normal_log_density(x, mu, 1.0).exp()
        return functional(weight * p.log_density(x).exp(), fake)

    return float(torch.func.grad(value)(torch.tensor(mean, dtype=torch.float64)))
