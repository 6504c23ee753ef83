"""The best discriminator of each objective, and what it makes the discriminator's loss.

In every game but the Wasserstein one the best logit at a point depends on nothing but the ratio of
the densities there, so a table of functions of ln(p/q) serves finite spaces and the line alike.

Not here: the best Wasserstein critic, which must know how far points lie from each other
(`transport.lipschitz_dual`).

Notation: ρ = ln(p/q), infinite where only one of them has mass; v* the best logit; σ the logistic
function; Δ = Σ (p − q)²/(p + q), the triangular discrimination.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, log, log1p

import torch
from torch import Tensor

from sparring import divergences, objectives
from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.objectives import Objective, cross_entropy
from sparring.theory import finite

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Optimum:
    """An objective and its best discriminator."""

    objective: Objective
    logit: Callable[[Tensor], Tensor]  # v* from ρ, on each element
    loss: Loss  # E L_D at v*, from p and q on a finite space


def log_ratio(p: Tensor, q: Tensor) -> Tensor:
    """Return ρ = ln p − ln q, 0 where neither has mass."""
    return torch.where((p > 0) | (q > 0), p.double().log() - q.double().log(), 0)


def best_logits(optimum: Optimum, p: Tensor, q: Tensor) -> Tensor:
    """Return v* on a finite space, (n,)."""
    return optimum.logit(log_ratio(p, q))


def loss_at_best(optimum: Optimum, p: Tensor, q: Tensor) -> Tensor:
    """Return E L_D at v* from the objective's own loss; `Optimum.loss` says what it must be.

    Raises:
        SparringError: p or q is not a distribution, or they are on different spaces.
    """
    return finite.discriminator_loss(optimum.objective, best_logits(optimum, p, q), p, q)


def steepest(objective: Objective, v: Tensor, p: Tensor, q: Tensor) -> float:
    """Return the largest |∂E L_D/∂v|/(p + q): 0 at the best logits of a smooth game.

    Raises:
        SparringError: p or q is not a distribution, or not on as many points as v.
    """
    gradient = finite.logit_gradient(objective, v, p, q)
    return float((gradient / (p + q))[p + q > 0].abs().max())


def _identity(rho: Tensor) -> Tensor:
    return rho


def _cross_entropy_loss(p: Tensor, q: Tensor) -> Tensor:
    """Return ln 4 − 2 JSD (Goodfellow 2014, theorem 1)."""
    return log(4) - 2 * finite.jensen_shannon(p, q)


def _relativistic_loss(p: Tensor, q: Tensor) -> Tensor:
    """Return ln 2 − JSD(p⊗q, q⊗p): it tells which of two samples is the real one."""
    pairs = torch.outer(p, q)
    return log(2) - finite.jensen_shannon(pairs.flatten(), pairs.T.flatten())


def of_f_gan(
    objective: Objective, divergence: Divergence, logit: Callable[[Tensor], Tensor]
) -> Optimum:
    """Return the optimum of an f-GAN: activation(v*) = f′(p/q), loss −D_f (Nguyen 2010)."""
    return Optimum(objective, logit, lambda p, q: -finite.divergence(divergence, p, q))


def smoothed(target: float) -> Optimum:
    """Return the optimum under one-sided label smoothing: D* = αp/(p + q) (Salimans 2016).

    The loss is 2(h(w) − w KL(p‖m) − (1 − w) KL(s‖m)), w = α/2, m = (p + q)/2, h the entropy of a
    coin and s what counts as fake, ((1 − α)p + q)/(2 − α); by sorting the cross-entropy.

    Args:
        target: α, the label of reals.

    Raises:
        SparringError: the target is not above 0 and at most 1.
    """
    if not 0 < target <= 1:
        raise SparringError(f"the label of reals is {target}; expected above 0 and at most 1")
    weight, log_rest = target / 2, -inf if target == 1 else log1p(-target)

    def logit(rho: Tensor) -> Tensor:
        return log(target) - torch.logaddexp(-rho, torch.full_like(rho, log_rest))

    def loss(p: Tensor, q: Tensor) -> Tensor:
        middle, fake = (p + q) / 2, ((1 - target) * p + q) / (2 - target)
        coin = -weight * log(weight) - (1 - weight) * log1p(-weight)
        real_part = weight * finite.divergence(divergences.kl, p, middle)
        return 2 * (
            coin - real_part - (1 - weight) * finite.divergence(divergences.kl, fake, middle)
        )

    game = Objective(cross_entropy(target), objectives.non_saturating.generator)
    return Optimum(game, logit, loss)


def least_squares(a: float, b: float, c: float) -> Optimum:
    """Return the least-squares game with targets a (fake), b (real) and c (Mao 2017, section 3.2).

    L_G carries the real term as well, which moves no generator but makes its value a divergence:
    for b − c = 1 and b − a = 2, twice that value is Pearson's χ² between p + q and 2q.
    v* = a + (b − a)σ(ρ), and L_D there is ½(b − a)² Σ pq/(p + q).
    """
    game = Objective(
        lambda r, f: ((r - b).square() + (f - a).square()) / 2,
        lambda r, f: ((r - c).square() + (f - c).square()) / 2,
        generator_sees_real=True,
    )
    return Optimum(
        game,
        lambda rho: a + (b - a) * rho.sigmoid(),
        lambda p, q: (b - a) ** 2 * (2 - finite.triangular(p, q)) / 8,
    )


# A row for each objective of `objectives` but the Wasserstein one. v* = ρ is Goodfellow's
# proposition 1 (2014), D* = p/(p + q).
OPTIMA: Mapping[str, Optimum] = {
    "minimax": Optimum(objectives.minimax, _identity, _cross_entropy_loss),
    "non_saturating": Optimum(objectives.non_saturating, _identity, _cross_entropy_loss),
    "mean_squared": Optimum(objectives.mean_squared, _identity, _cross_entropy_loss),
    "least_squares": Optimum(
        objectives.least_squares,
        torch.sigmoid,
        lambda p, q: (2 - finite.triangular(p, q)) / 8,
    ),
    # Lim & Ye 2017; at equal densities any logit from −1 to 1 is as good.
    "hinge": Optimum(
        objectives.hinge,
        torch.sign,
        lambda p, q: 2 * (1 - finite.divergence(divergences.total_variation, p, q)),
    ),
    # Bradley & Terry 1952: up to one constant for all points.
    "relativistic": Optimum(objectives.relativistic, _identity, _relativistic_loss),
    # ½ tanh v reaches ±½ at infinity only.
    "total_variation": of_f_gan(
        objectives.total_variation,
        divergences.total_variation,
        lambda rho: torch.where(rho == 0, 0, rho.sign() * inf),
    ),
    "kl": of_f_gan(objectives.kl, divergences.kl, lambda rho: 1 + rho),
    "reverse_kl": of_f_gan(objectives.reverse_kl, divergences.reverse_kl, _identity),
    "pearson": of_f_gan(objectives.pearson, divergences.pearson, lambda rho: 2 * rho.expm1()),
    "neyman": of_f_gan(objectives.neyman, divergences.neyman, lambda rho: 2 * rho),
    "squared_hellinger": of_f_gan(
        objectives.squared_hellinger, divergences.squared_hellinger, lambda rho: rho / 2
    ),
    "jensen_shannon": of_f_gan(objectives.jensen_shannon, divergences.jensen_shannon, _identity),
    "gan": of_f_gan(objectives.gan, divergences.gan, _identity),
}
