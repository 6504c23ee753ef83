"""Rows 10–13: the f-divergences and the games that estimate them.

Notation: u = p/q, t a value in dom f*, v a logit, T = activation(v), T* = f′(p/q); ρ = ln u.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from math import expm1, log

import torch
from torch import Tensor

from sparring import divergences
from sparring.divergences import Divergence
from sparring.theory import finite, gaussian, quadrature
from sparring.theory.optimal import OPTIMA, best_logits, loss_at_best, steepest
from sparring.theory.shift import pull, shifted, slope
from sparring.theory.statements.statement import Check, Statement

DIVERGENCES: Mapping[str, Divergence] = {
    "total_variation": divergences.total_variation,
    "kl": divergences.kl,
    "reverse_kl": divergences.reverse_kl,
    "pearson": divergences.pearson,
    "neyman": divergences.neyman,
    "squared_hellinger": divergences.squared_hellinger,
    "jensen_shannon": divergences.jensen_shannon,
    "gan": divergences.gan,
}
# f is smooth at 1, and a frozen discriminator that is smooth can be followed.
SMOOTH = {name: kind for name, kind in DIVERGENCES.items() if name != "total_variation"}

P = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
Q = torch.tensor([0.3, 0.4, 0.25, 0.05], dtype=torch.float64)
RATIOS = torch.logspace(-2, 2, 81, dtype=torch.float64)
LOGITS = torch.linspace(-8, 8, 65, dtype=torch.float64)
EPSILON = 0.02


def young_gap(kind: Divergence) -> float:
    """Return the largest |u f′(u) − f(u) − f*(f′(u))|, relative to its terms."""
    t = kind.derivative(RATIOS)
    sup = RATIOS * t - kind.f(RATIOS)
    return float(((sup - kind.conjugate(t)).abs() / (1 + sup.abs())).max())


def young_excess(kind: Divergence) -> float:
    """Return the largest ut − f(u) − f*(t) over many u and t: 0, for f* is their supremum."""
    t = kind.activation(LOGITS)[:, None]
    return float((RATIOS * t - kind.f(RATIOS) - kind.conjugate(t)).max().clamp_min(0))


def fused_gap(kind: Divergence) -> float:
    """Return the largest difference of `conjugate_of_activation` from the two in turn."""
    fused, composed = kind.conjugate_of_activation(LOGITS), kind.conjugate(kind.activation(LOGITS))
    return float(((fused - composed).abs() / (1 + fused.abs())).max())


def outside(kind: Divergence) -> float:
    """Return by how much activations leave the domain of f*, or fail to rise: 0."""
    t, (low, high) = kind.activation(LOGITS), kind.domain
    return float(torch.stack([low - t.min(), t.max() - high, -t.diff().min()]).max().clamp_min(0))


def curvature(kind: Divergence) -> float:
    """Return f″(1)."""
    return float(torch.func.grad(kind.derivative)(torch.tensor(1.0, dtype=torch.float64)))


def best_activation_gap(name: str) -> float:
    """Return the largest |activation(v*) − f′(u)|, relative to it."""
    activation = DIVERGENCES[name].activation(OPTIMA[name].logit(RATIOS.log()))
    expected = DIVERGENCES[name].derivative(RATIOS)
    return float(((activation - expected).abs() / (1 + expected.abs())).max())


def value_gap(name: str, p: Tensor, q: Tensor) -> float:
    """Return how far the value of a game at v* is from its divergence."""
    return -float(loss_at_best(OPTIMA[name], p, q) + finite.divergence(DIVERGENCES[name], p, q))


def local_ratio(kind: Divergence, epsilon: float) -> float:
    """Return D_f(N(0,1), N(ε,1)) − f(1), over f″(1)ε²/2."""
    pair = quadrature.normal(0.0, 1.0), quadrature.normal(epsilon, 1.0)
    level = float(kind.f(torch.ones((), dtype=torch.float64)))  # not zero for Goodfellow's
    return (quadrature.divergence(kind, *pair) - level) / (curvature(kind) * epsilon**2 / 2)


def _table() -> tuple[Check, ...]:
    kinds = DIVERGENCES.values()
    return (
        Check("Fenchel–Young at t = f′(u): largest gap", 0, _largest(map(young_gap, kinds)), 1e-12),
        Check(
            "largest ut − f(u) − f*(t), if above 0", 0, _largest(map(young_excess, kinds)), 1e-12
        ),
        Check("how far activations leave dom f*", 0, _largest(map(outside, kinds)), 0.0),
        Check("fused f*(activation): largest gap", 0, _largest(map(fused_gap, kinds)), 1e-10),
    )


def _tight_bound() -> tuple[Check, ...]:
    grid = quadrature.on_grid(quadrature.normal(0.0, 1.0), quadrature.normal(1.0, 2.0))
    value = -float(loss_at_best(OPTIMA["kl"], grid.p, grid.q))
    gaps = [value_gap(name, *pair) for name in DIVERGENCES for pair in ((P, Q), shifted()[1:])]
    at_best = [best_activation_gap(name) for name in DIVERGENCES]
    optima = [OPTIMA[name] for name in DIVERGENCES]
    slopes = [steepest(o.objective, best_logits(o, P, Q), P, Q) for o in optima]
    frozen = [
        pull(OPTIMA[name]) - slope(partial(finite.divergence, d)) for name, d in SMOOTH.items()
    ]
    return (
        Check("value of the KL game, N(0,1) vs N(1,4)", log(2) - 0.25, value),
        Check("largest |value of the game − D_f|", 0, _largest(gaps), 1e-10),
        Check("largest |activation(v*) − f′(p/q)|", 0, _largest(at_best), 1e-12),
        Check("steepest slope of E L_D at v*", 0, _largest(slopes), 1e-12),
        Check("|d/dμ of E L_G, frozen T* − of D_f|, without TV", 0, _largest(frozen), 1e-9),
    )


def _gaussian_shift() -> tuple[Check, ...]:
    p, q = gaussian.normal(0.0, 1.0), gaussian.normal(1.0, 1.0)
    _, on_p, on_q = shifted()
    exact = {"kl": 1 / 2, "pearson": expm1(1), "squared_hellinger": -2 * expm1(-1 / 8)}
    closed = gaussian.kl(p, q), gaussian.pearson(p, q), gaussian.squared_hellinger(p, q)
    values = [-float(loss_at_best(OPTIMA[name], on_p, on_q)) for name in exact]
    return (
        *(
            Check(f"{n}: value of the game", e, v)
            for (n, e), v in zip(exact.items(), values, strict=True)
        ),
        *(
            Check(f"{n}: closed form", e, c, 1e-12)
            for (n, e), c in zip(exact.items(), closed, strict=True)
        ),
    )


def _local() -> tuple[Check, ...]:
    return tuple(
        Check(f"{name}, over f″(1)ε²/2", 1, local_ratio(kind, EPSILON), 1e-3)
        for name, kind in SMOOTH.items()
    )


def _largest(values: Iterable[float]) -> float:
    """Return the largest size, NaN if there is one."""
    return float(torch.tensor(list(values), dtype=torch.float64).abs().max())


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        10,
        "f*(t) = sup over u of ut − f(u), reached at t = f′(u); activations map ℝ into dom f*",
        "Nowozin 2016, tables 1, 2 and 6",
        _table,
    ),
    Statement(
        11,
        "The variational bound E_p T − E_q f*(T) is tight at T* = f′(p/q), and a generator follows "
        "the gradient of D_f there, where T* is smooth",
        "Nguyen 2010; Nowozin 2016, section 2",
        _tight_bound,
    ),
    Statement(
        12,
        "N(0,1) and N(1,1): KL is ½, χ² e − 1, squared Hellinger 2(1 − e^(−1/8))",
        "completing squares",
        _gaussian_shift,
    ),
    Statement(
        13,
        "All smooth f-divergences agree locally: D_f(N(0,1), N(ε,1)) ≈ f″(1)ε²/2, at ε = .02",
        "Shannon 2020",
        _local,
    ),
)
