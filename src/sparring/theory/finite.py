"""Games and divergences on a finite space, exactly: every expectation is a sum.

Any objective can be played here, relativistic ones included: the expected loss is the sum over
all pairs of a real and a fake point. `quadrature.on_grid` makes such a space of two densities on
the line, so that all of this holds there too. Results are tensors of no dimension in float64 that
`torch.func.grad` can differentiate.

Not here: the best discriminator (`optimal`), distances that know how far points lie from each
other (`transport`, `kernel`).

Notation: p and q the probabilities of n points under the data and the generator, v the logits of
a discriminator on these points, all of shape (n,); r ~ p and f ~ q independent.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sparring import divergences
from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.objectives import Objective, PairLoss

SUM_TOLERANCE = 1e-6  # probabilities may come in float32


def discriminator_loss(objective: Objective, v: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return E L_D = Σᵢⱼ pᵢ qⱼ L_D(vᵢ, vⱼ).

    Logits may be infinite where only one of p and q has mass.

    Raises:
        SparringError: p or q is not a distribution, or not on as many points as v.
    """
    return _expected(objective.discriminator, v, v, p, q)


def generator_loss(objective: Objective, v: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return E L_G = Σᵢⱼ pᵢ qⱼ L_G(vᵢ, vⱼ); raises as `discriminator_loss` does."""
    return _expected(objective.generator, v, v, p, q)


def logit_gradient(objective: Objective, v: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return ∂E L_D/∂v, of shape (n,): zero at the best discriminator of a smooth game."""
    gradient: Tensor = torch.func.grad(discriminator_loss, argnums=1)(objective, v.double(), p, q)
    return gradient


def fake_logit_gradient(objective: Objective, v: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return ∂E L_G/∂f at each point, of shape (n,): what pulls a sample along ∇D.

    The logits of reals, which a relativistic generator reads as well, stay where they are.
    """

    def loss(fake: Tensor) -> Tensor:
        return _expected(objective.generator, v, fake, p, q)

    gradient: Tensor = torch.func.grad(loss)(v.double())
    return gradient


def divergence(kind: Divergence, p: Tensor, q: Tensor) -> Tensor:
    """Return D_f(p‖q) = Σ q f(p/q), and f(u)/u at infinity, the end of dom f*, where q = 0.

    Raises:
        SparringError: p or q is not a distribution, or they are on different spaces.
    """
    p, q = as_distribution("p", p), as_distribution("q", q, p)
    covered, missed = q > 0, (q == 0) & (p > 0)
    inside = q[covered] * kind.f(p[covered] / q[covered])
    return inside.sum() + (p[missed] * kind.domain[1]).sum()


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Return JSD = ½ KL(p‖m) + ½ KL(q‖m), m = (p + q)/2: between 0 and ln 2 (Lin 1991)."""
    return divergence(divergences.jensen_shannon, p, q) / 2


def triangular(p: Tensor, q: Tensor) -> Tensor:
    """Return Σ (p − q)²/(p + q), between 0 and 2 (Vincze 1981; Le Cam 1986)."""
    p, q = as_distribution("p", p), as_distribution("q", q, p)
    support = p + q > 0
    return ((p - q)[support].square() / (p + q)[support]).sum()


def accuracy(v: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return how often the sign of the logit tells real from fake, both equally frequent.

    The best there is equals (1 + TV)/2 (Lopez-Paz & Oquab 2017). A logit of 0 is a coin toss.
    """
    p, q = as_distribution("p", p, v), as_distribution("q", q, v)
    says_real = (1 + v.double().sign()) / 2
    return (p @ says_real + q @ (1 - says_real)) / 2


class Accepted(NamedTuple):
    """What rejection sampling lets through, and which share of the samples that is."""

    distribution: Tensor
    rate: float


def reject(log_ratio: Tensor, q: Tensor) -> Accepted:
    """Accept a fake with probability (p/q) / max(p/q); return what is left (Azadi 2019).

    Args:
        log_ratio: ln(p/q) as a discriminator estimates it, (n,), bounded above where q has mass.
        q: what the generator makes, (n,).

    Raises:
        SparringError: q is not a distribution, or the ratio is unbounded.
    """
    q = as_distribution("q", q, log_ratio)
    top = log_ratio[q > 0].max()
    if not top.isfinite():
        raise SparringError(f"the largest ln(p/q) is {float(top)}; expected a bounded ratio")
    accepted = q * torch.where(q > 0, (log_ratio.double() - top).exp(), 0)
    return Accepted(accepted / accepted.sum(), float(accepted.sum()))


def as_distribution(name: str, p: Tensor, like: Tensor | None = None) -> Tensor:
    """Return probabilities in float64, checked.

    Args:
        name: for the error: `p`, `q`.
        p: probabilities of shape (n,).
        like: what must have as many points.

    Raises:
        SparringError: another shape, a negative or not finite number, a sum that is not one.
    """
    if p.ndim != 1 or (like is not None and p.shape != like.shape):
        expected = "(n,)" if like is None else str(tuple(like.shape))
        raise SparringError(f"{name} has shape {tuple(p.shape)}; expected {expected}")
    total, minimum = float(p.detach().double().sum()), float(p.detach().min())
    if not (abs(total - 1) <= SUM_TOLERANCE and minimum >= 0):
        raise SparringError(
            f"{name} sums to {total:.10g}, its minimum is {minimum:.3g}; "
            "expected probabilities: divide by the sum"
        )
    return p.double()


def _expected(loss: PairLoss, real: Tensor, fake: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return the mean over independent pairs; logits count only where there is mass."""
    p, q = as_distribution("p", p, real), as_distribution("q", q, fake)
    at_real, at_fake = p > 0, q > 0
    r, f = real.double()[at_real], fake.double()[at_fake]
    losses = loss(r[:, None].expand(-1, len(f)), f.expand(len(r), -1))
    return p[at_real] @ losses @ q[at_fake]
