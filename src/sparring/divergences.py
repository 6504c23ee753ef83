"""The f-divergences that a GAN can estimate: each one's f, its conjugate and its activation.

D_f(p‖q) = E_q f(p/q), and by convexity D_f(p‖q) ≥ E_p T − E_q f*(T) for every function T with
values in dom f* (Nguyen 2010, lemma 1). `objectives.f_gan` makes a game of the right-hand side.

Notation: u = p/q a ratio of densities, t a value in dom f*, v a logit (any real number; larger
means more real), T = activation(v). `conjugate_of_activation` is f*(activation(v)) in a form
that loses nothing to overflow or cancellation. Natural logarithms. The table is that of Nowozin
2016 (tables 1, 2 and 6), with ½ tanh for total variation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log

import torch
from torch import Tensor
from torch.nn.functional import softplus

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Divergence:
    """An f-divergence; all functions act on each element."""

    f: Function
    derivative: Function  # f′(u), the best T where p/q = u
    conjugate: Function  # f*(t) = sup over u of ut − f(u)
    domain: tuple[float, float]  # the ends of dom f*
    activation: Function
    conjugate_of_activation: Function
    log_ratio: Function | None  # ln u from the best v; None where v does not determine it


total_variation = Divergence(
    f=lambda u: (u - 1).abs() / 2,
    derivative=lambda u: (u - 1).sign() / 2,
    conjugate=lambda t: t,
    domain=(-0.5, 0.5),
    activation=lambda v: v.tanh() / 2,
    conjugate_of_activation=lambda v: v.tanh() / 2,
    log_ratio=None,
)

kl = Divergence(
    f=lambda u: torch.special.xlogy(u, u),
    derivative=lambda u: 1 + u.log(),
    conjugate=lambda t: (t - 1).exp(),
    domain=(-inf, inf),
    activation=lambda v: v,
    conjugate_of_activation=lambda v: (v - 1).exp(),
    log_ratio=lambda v: v - 1,
)

reverse_kl = Divergence(
    f=lambda u: -u.log(),
    derivative=lambda u: -1 / u,
    conjugate=lambda t: -1 - (-t).log(),
    domain=(-inf, 0.0),
    activation=lambda v: -(-v).exp(),
    conjugate_of_activation=lambda v: v - 1,
    log_ratio=lambda v: v,
)

pearson = Divergence(
    f=lambda u: (u - 1).square(),
    derivative=lambda u: 2 * (u - 1),
    conjugate=lambda t: t.square() / 4 + t,
    domain=(-inf, inf),
    activation=lambda v: v,
    conjugate_of_activation=lambda v: v.square() / 4 + v,
    log_ratio=lambda v: (v / 2).log1p(),
)

neyman = Divergence(
    f=lambda u: (1 - u).square() / u,
    derivative=lambda u: 1 - u**-2,
    conjugate=lambda t: 2 - 2 * (1 - t).sqrt(),
    domain=(-inf, 1.0),
    activation=lambda v: -(-v).expm1(),
    conjugate_of_activation=lambda v: -2 * (-v / 2).expm1(),
    log_ratio=lambda v: v / 2,
)

squared_hellinger = Divergence(
    f=lambda u: (u.sqrt() - 1).square(),
    derivative=lambda u: 1 - u.rsqrt(),
    conjugate=lambda t: t / (1 - t),
    domain=(-inf, 1.0),
    activation=lambda v: -(-v).expm1(),
    conjugate_of_activation=lambda v: v.expm1(),
    log_ratio=lambda v: 2 * v,
)

# This f gives twice the Jensen–Shannon divergence of information theory.
jensen_shannon = Divergence(
    f=lambda u: torch.special.xlogy(u, u) - (u + 1) * ((1 + u) / 2).log(),
    derivative=lambda u: (2 * u / (1 + u)).log(),
    conjugate=lambda t: -(2 - t.exp()).log(),
    domain=(-inf, log(2)),
    activation=lambda v: log(2) - softplus(-v),
    conjugate_of_activation=lambda v: softplus(v) - log(2),
    log_ratio=lambda v: v,
)

# Goodfellow's value: jensen_shannon − ln 4, so f(1) = −ln 4 and not 0.
gan = Divergence(
    f=lambda u: torch.special.xlogy(u, u) - (u + 1) * (u + 1).log(),
    derivative=lambda u: (u / (1 + u)).log(),
    conjugate=lambda t: -(1 - t.exp()).log(),
    domain=(-inf, 0.0),
    activation=lambda v: -softplus(-v),
    conjugate_of_activation=softplus,
    log_ratio=lambda v: v,
)
