"""Adversarial objectives: what the discriminator and the generator each minimise.

An objective is a pair of pure functions of the discriminator's logits. Both take the logits on a
batch of reals and on a batch of fakes, paired by position, and return one loss per sample.
Nothing here knows about networks, autograd or logging: `training.step` takes the mean and
differentiates.

Notation: r = D(x), f = D(G(z)), logits (not probabilities), both of shape (batch,);
L_D and L_G the two losses, sigma the logistic function, softplus(t) = ln(1 + e^t).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from sparring import divergences
from sparring.divergences import Divergence

PairLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """The two losses of a game.

    `ratio` is (dL_G/df) / (dL_D/df), given where it is finite for all finite logits: then one
    backward pass through a shared forward serves both players (see `training.step`).

    `log_ratio` is ln(p/q) as a function of the best discriminator's logit, given where that logit
    determines it; for a relativistic game, up to a constant that is the same for all samples.
    """

    discriminator: PairLoss
    generator: PairLoss
    generator_sees_real: bool = False  # does L_G read r at all?
    ratio: PairLoss | None = None
    log_ratio: Callable[[Tensor], Tensor] | None = None


def cross_entropy(target: float = 1.0) -> PairLoss:
    """Return L_D = −ln σ(r) − ln(1 − σ(f)), the discriminator of the first three games.

    A `target` below 1 smooths the real label only (Salimans 2016, section 3.4).
    """

    def loss(r: Tensor, f: Tensor) -> Tensor:
        return target * softplus(-r) + (1 - target) * softplus(r) + softplus(f)

    def unsmoothed(r: Tensor, f: Tensor) -> Tensor:
        return softplus(-r) + softplus(f)

    return unsmoothed if target == 1 else loss


# Goodfellow 2014, eq. 1: both players share V(D, G).
minimax = Objective(
    cross_entropy(),
    lambda r, f: -softplus(f),
    ratio=lambda r, f: -torch.ones_like(f),
    log_ratio=lambda v: v,
)

# ibid., section 3: the generator maximises ln D(G(z)) instead.
non_saturating = Objective(
    cross_entropy(),
    lambda r, f: softplus(-f),
    ratio=lambda r, f: -torch.sigmoid(-f) / torch.sigmoid(f),
    log_ratio=lambda v: v,
)

# The article: cross-entropy against a mean-squared generator on probabilities.
# dL_G/df = −2 σ(f) (1 − σ(f))² vanishes as σ(f) → 0: it saturates, as minimax does.
mean_squared = Objective(
    cross_entropy(),
    lambda r, f: (torch.sigmoid(f) - 1).square(),
    ratio=lambda r, f: -2 * torch.sigmoid(-f).square(),
    log_ratio=lambda v: v,
)

# Mao 2017, eq. 9 (a = 0, b = c = 1).
least_squares = Objective(
    lambda r, f: ((r - 1).square() + f.square()) / 2,
    lambda r, f: (f - 1).square() / 2,
    log_ratio=torch.logit,  # its best output is p/(p + q) itself
)

# Lim & Ye 2017; Miyato 2018, eq. 16 and 17.
hinge = Objective(
    lambda r, f: relu(1 - r) + relu(1 + f),
    lambda r, f: -f,
)

# Arjovsky 2017, eq. 2 and 3; the discriminator is a critic and wants a Lipschitz penalty.
wasserstein = Objective(
    lambda r, f: f - r,
    lambda r, f: -f,
    ratio=lambda r, f: -torch.ones_like(f),
)


def relativistic_pairing(
    h: Callable[[Tensor], Tensor],
    ratio: PairLoss | None = None,
    log_ratio: Callable[[Tensor], Tensor] | None = None,
) -> Objective:
    """Return the game in which only differences of logits matter (Jolicoeur-Martineau 2019)."""
    return Objective(
        lambda r, f: h(f - r),
        lambda r, f: h(r - f),
        generator_sees_real=True,
        ratio=ratio,
        log_ratio=log_ratio,
    )


# Huang 2024 (R3GAN): h = softplus.
relativistic = relativistic_pairing(
    softplus,
    ratio=lambda r, f: -torch.sigmoid(r - f) / torch.sigmoid(f - r),
    log_ratio=lambda v: v,
)


def f_gan(divergence: Divergence) -> Objective:
    """Return the game whose value is an f-divergence (Nowozin 2016, eq. 4 and 6).

    The discriminator raises E_p T − E_q f*(T), T = activation(v), to D_f(p‖q); the generator
    descends the same bound.
    """
    activation, conjugate = divergence.activation, divergence.conjugate_of_activation
    return Objective(
        lambda r, f: conjugate(f) - activation(r),
        lambda r, f: -conjugate(f),
        ratio=lambda r, f: -torch.ones_like(f),
        log_ratio=divergence.log_ratio,
    )


total_variation = f_gan(divergences.total_variation)
kl = f_gan(divergences.kl)
reverse_kl = f_gan(divergences.reverse_kl)
pearson = f_gan(divergences.pearson)
neyman = f_gan(divergences.neyman)
squared_hellinger = f_gan(divergences.squared_hellinger)
jensen_shannon = f_gan(divergences.jensen_shannon)
gan = f_gan(divergences.gan)
