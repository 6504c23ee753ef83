"""Rows 1–9 and 30–32: the best discriminators of the games that training plays, and their values.

Every number comes from `sparring.objectives` itself: an objective's losses are summed over a
finite space, or over N(0, 1) against N(μ, 1) by quadrature, at the logits that theory names; there
its gradient must vanish.

Notation: p data density, q generator density, ρ = ln(p/q), v* the best logit, D* = σ(v*),
m = (p + q)/2, Φ the normal distribution function.
"""

from collections.abc import Sequence
from itertools import product
from math import erf, log, prod, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom, norm
from torch import Tensor

from sparring import divergences
from sparring.theory import finite, optimal, quadrature
from sparring.theory.optimal import OPTIMA, Optimum, best_logits, loss_at_best, steepest
from sparring.theory.shift import pull, shifted, slope
from sparring.theory.statements.statement import Check, Statement

P = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
Q = torch.tensor([0.3, 0.4, 0.25, 0.05], dtype=torch.float64)
EXACT = 1e-12  # for sums of a few terms

# Of N(0, 1) and N(1, 1); no closed forms are known but for TV = 2Φ(½) − 1.
JSD, TWICE_JSD_SLOPE = 0.1114214822, 0.397973
MINIMAX_VALUE = -1.1634513968
TRIANGULAR = 0.4081085313  # ∫(p − q)²/(p + q)
TV = erf(1 / sqrt(8))

COIN_TOSSES = 10_000
COIN = (True, False)


def twice_jsd(p: Tensor, q: Tensor) -> Tensor:
    """Return 2 JSD(p, q)."""
    return 2 * finite.jensen_shannon(p, q)


def kl_less_twice_jsd(p: Tensor, q: Tensor) -> Tensor:
    """Return KL(q‖p) − 2 JSD(p, q)."""
    return finite.divergence(divergences.kl, q, p) - twice_jsd(p, q)


def kl_less_chi_squared(p: Tensor, q: Tensor) -> Tensor:
    """Return KL(p‖m) − ¼ χ²(p‖m), whose derivative in q is ½ (q/(p+q))² up to a constant.

    In full, E L_G pulls with ½(1 − D*)², D* = p/(p+q), and that is the derivative in q of
    ½ Σ [q − 2p ln(p+q) − p²/(p+q)].
    """
    middle = (p + q) / 2
    chi_squared = finite.divergence(divergences.pearson, p, middle)
    return finite.divergence(divergences.kl, p, middle) - chi_squared / 4


def steepest_at_best(optimum: Optimum, p: Tensor, q: Tensor) -> float:
    """Return the slope of E L_D at v*, 0 if v* is right."""
    return steepest(optimum.objective, best_logits(optimum, p, q), p, q)


def least_rise(optimum: Optimum, p: Tensor, q: Tensor, step: float) -> float:
    """Return the least that E L_D gains when one logit leaves v* by ± a step."""
    best = best_logits(optimum, p, q)
    steps = step * torch.cat([torch.eye(len(p)), -torch.eye(len(p))])
    moved = [finite.discriminator_loss(optimum.objective, best + s, p, q) for s in steps]
    return float(torch.stack(moved).min() - loss_at_best(optimum, p, q))


def law_of_hits(
    v: Tensor, p: Sequence[float], labels: Sequence[Sequence[bool]]
) -> NDArray[np.float64]:
    """Return the law of the number of hits of a classifier on samples when p = q.

    By enumerating all samples.

    Args:
        v: its logits, none of them 0.
        p: the probabilities of the points, under either label.
        labels: those that each sample has with equal chances: `COIN`, or the one that is fixed.
    """
    law = np.zeros(len(labels) + 1)
    outcomes = [
        [(share / len(may), bool(v[i] > 0) == real) for i, share in enumerate(p) for real in may]
        for may in labels
    ]
    for sample in product(*outcomes):
        law[sum(hit for _, hit in sample)] += prod(chance for chance, _ in sample)
    return law


def _best_discriminator() -> tuple[Check, ...]:
    grid, best = shifted(), OPTIMA["minimax"]
    rho = quadrature.log_ratio(quadrature.normal(0.0, 1.0), quadrature.normal(1.0, 1.0))
    logit = best.logit(rho(torch.tensor(1.7, dtype=torch.float64)))
    d = best_logits(best, P, Q).sigmoid()
    on_line = steepest_at_best(best, grid.p, grid.q)
    return (
        Check("logit at x = 1.7, N(0,1) vs N(1,1)", -1.2, float(logit), EXACT),
        Check("steepest slope of E L_D there", 0, on_line, 1e-9),
        Check("largest |D* − p/(p+q)| on four points", 0, _largest(d - P / (P + Q)), EXACT),
        Check("steepest slope of E L_D there", 0, steepest_at_best(best, P, Q), EXACT),
    )


def _minimax_value() -> tuple[Check, ...]:
    grid, best = shifted(), OPTIMA["minimax"]
    jsd = float(finite.jensen_shannon(P, Q))
    on_line = float(finite.jensen_shannon(grid.p, grid.q))
    return (
        Check("JSD of N(0,1) and N(1,1)", JSD, on_line, 1e-10),
        Check("V at D*", MINIMAX_VALUE, -float(loss_at_best(best, grid.p, grid.q)), 1e-10),
        Check("V at D* on four points", 2 * jsd - log(4), -float(loss_at_best(best, P, Q)), EXACT),
    )


def _equal_densities() -> tuple[Check, ...]:
    best = OPTIMA["minimax"]
    return (
        Check("largest |D* − ½|", 0, _largest(best_logits(best, P, P).sigmoid() - 0.5), EXACT),
        Check("loss of the discriminator", log(4), float(loss_at_best(best, P, P)), EXACT),
        Check("steepest slope of E L_D", 0, steepest_at_best(best, P, P), EXACT),
    )


def _disjoint_supports() -> tuple[Check, ...]:
    p, q = torch.tensor([[0.4, 0.6, 0, 0], [0, 0, 0.3, 0.7]], dtype=torch.float64)
    best = OPTIMA["minimax"]
    pulls = finite.fake_logit_gradient(best.objective, best_logits(best, p, q), p, q)
    distant = pull(OPTIMA["non_saturating"], 20.0)
    return (
        Check("JSD", log(2), float(finite.jensen_shannon(p, q)), EXACT),
        Check("loss of the discriminator", 0, float(loss_at_best(best, p, q)), EXACT),
        Check("largest saturating |∂L_G/∂f|", 0, _largest(pulls), 0.0),
        Check("saturating d/dμ, N(0,1) vs N(20,1)", 0, pull(best, 20.0), 1e-18),
        Check("non-saturating d/dμ: that of KL alone", 20, distant, 1e-9),
    )


def _saturating_gradient() -> tuple[Check, ...]:
    best = OPTIMA["minimax"]
    return (
        Check("d/dμ of E L_G, frozen D*, μ = 1", TWICE_JSD_SLOPE, pull(best), 5e-7),
        Check("d/dμ of 2 JSD, μ = 1", slope(twice_jsd), pull(best), 1e-10),
        Check("the same, μ = 2.5", slope(twice_jsd, 2.5), pull(best, 2.5), 1e-10),
    )


def _non_saturating_gradient() -> tuple[Check, ...]:
    best = OPTIMA["non_saturating"]
    distant = slope(kl_less_twice_jsd, 2.5)
    return (
        Check("d/dμ of E L_G, frozen D*, μ = 1", 1 - TWICE_JSD_SLOPE, pull(best), 5e-7),
        Check("d/dμ of KL(q‖p) − 2 JSD, μ = 1", slope(kl_less_twice_jsd), pull(best), 1e-10),
        Check("the same, μ = 2.5", distant, pull(best, 2.5), 1e-10),
    )


def _least_squares() -> tuple[Check, ...]:
    _, p, q = shifted()
    mao, ours = optimal.least_squares(-1, 1, 0), OPTIMA["least_squares"]
    cost = 2 * finite.generator_loss(mao.objective, best_logits(mao, p, q), p, q)
    chi_squared = 2 * finite.divergence(divergences.pearson, q, (p + q) / 2)
    value = (2 - TRIANGULAR) / 8
    return (
        Check("(−1,1,0): 2C(G), N(0,1) vs N(1,1)", TRIANGULAR, float(cost), 1e-10),
        Check("χ² of p+q against 2q, over p+q", TRIANGULAR, float(chi_squared), 1e-10),
        Check("(−1,1,0): steepest slope of E L_D", 0, steepest_at_best(mao, p, q), 1e-9),
        Check("(0,1,1): ½ Σ pq/(p+q) as E L_D", value, float(loss_at_best(ours, p, q)), 1e-10),
        Check("(0,1,1): d/dμ, frozen D*", slope(kl_less_chi_squared), pull(ours), 1e-10),
    )


def _hinge() -> tuple[Check, ...]:
    _, p, q = shifted()
    best = OPTIMA["hinge"]
    tv = float(finite.divergence(divergences.total_variation, p, q))
    rises = torch.tensor([least_rise(best, P, Q, step) for step in (1e-3, 0.5, 2.5)])
    return (
        Check("TV of N(0,1) and N(1,1)", TV, tv),
        Check("E L_D at sign(p − q)", 2 * (1 - TV), float(loss_at_best(best, p, q))),
        Check(
            "the least gain by leaving it, if below 0", 0, float(rises.clamp_max(0).min()), EXACT
        ),
    )


def _accuracy() -> tuple[Check, ...]:
    _, p, q = shifted()
    on_line = finite.accuracy(best_logits(OPTIMA["hinge"], p, q), p, q)
    classifiers = torch.tensor(list(product([-1.0, 1.0], repeat=len(P))))
    best = max(float(finite.accuracy(signs, P, Q)) for signs in classifiers)
    tv = float(finite.divergence(divergences.total_variation, P, Q))
    classifier, shares, share_real = torch.tensor([1.0, -2.0, 0.5]), (0.2, 0.3, 0.5), 0.7
    hits = law_of_hits(classifier, shares, [COIN] * 4)
    fixed = law_of_hits(classifier, shares, [COIN[:1]] * 2 + [COIN[1:]] * 2)
    spread = float(fixed @ (np.arange(5) / 4 - 0.5) ** 2)
    n, count = COIN_TOSSES, np.arange(COIN_TOSSES + 1)
    chance, share = binom.pmf(count, n, 0.5), count / n
    normal = norm.cdf((count + 0.5) / n, 0.5, sqrt(1 / (4 * n)))
    return (
        Check("accuracy of sign(p − q), N(0,1) vs N(1,1)", (1 + TV) / 2, float(on_line)),
        Check("best of all 16 on four points", (1 + tv) / 2, best, EXACT),
        Check(
            "p = q: largest |hits − binomial|", 0, _gap(hits, binom.pmf(range(5), 4, 0.5)), EXACT
        ),
        Check("p = q: mean accuracy", 0.5, float(chance @ share)),
        Check("p = q: 4n · variance", 1, float(4 * n * chance @ (share - 0.5) ** 2)),
        Check("p = q: largest |law − normal|", 0, _gap(binom.cdf(count, n, 0.5), normal), 1e-5),
        Check(
            "labels fixed, half and half: n · variance, a(1 − a) at a = .7",
            share_real * (1 - share_real),
            4 * spread,
            EXACT,
        ),
    )


def _relativistic() -> tuple[Check, ...]:
    best = OPTIMA["relativistic"]
    v, pairs = best_logits(best, P, Q), torch.outer(P, Q)
    slopes = [steepest(best.objective, v + constant, P, Q) for constant in (0.0, -3.0, 7.0)]
    value = float(finite.jensen_shannon(pairs.flatten(), pairs.T.flatten())) - log(2)
    return (
        Check(
            "steepest slope of E L_D at ln(p/q) + 0, −3, 7",
            0,
            _largest(torch.tensor(slopes)),
            EXACT,
        ),
        Check("value at p = q", -log(2), -float(loss_at_best(best, P, P)), EXACT),
        Check("−ln 2 + JSD(p⊗q, q⊗p)", value, -float(loss_at_best(best, P, Q)), EXACT),
    )


def _density_ratio() -> tuple[Check, ...]:
    log_ratios = [
        best.objective.log_ratio(best_logits(best, P, Q))
        for best in OPTIMA.values()
        if best.objective.log_ratio
    ]
    odds = best_logits(OPTIMA["minimax"], P, Q).exp()
    mass = torch.stack([Q @ log_ratio.exp() for log_ratio in log_ratios])
    accepted = torch.stack([finite.reject(log_ratio, Q).distribution for log_ratio in log_ratios])
    rate = finite.reject(log_ratios[0], Q).rate
    other = P.flip(0)
    kept, apart = finite.reject((other / Q).log(), Q).distribution, _largest(other - P)
    return (
        Check("E_q[D*/(1−D*)]", 1, float(Q @ odds), EXACT),
        Check(
            f"largest |E_q[p/q] − 1| of {len(log_ratios)} objectives", 0, _largest(mass - 1), EXACT
        ),
        Check("rejection by D*: largest |kept − p|", 0, _largest(accepted - P), EXACT),
        Check("share that is kept: 1/max(p/q)", float((Q / P).min()), rate, EXACT),
        Check("mean of a ratio that is p′/q and not p/q", 1, float(Q @ (other / Q)), EXACT),
        Check("what rejection by it keeps: largest |kept − p|", apart, _largest(kept - P), EXACT),
    )


def _label_smoothing() -> tuple[Check, ...]:
    p, q = torch.tensor([[0.3, 0.7], [0.8, 0.2]], dtype=torch.float64)
    best = optimal.smoothed(0.9)
    d = best_logits(best, p, q).sigmoid()
    return (
        Check("D* where p = .3, q = .8, α = .9", 0.27 / 1.1, float(d[0]), EXACT),
        Check("steepest slope of E L_D", 0, steepest_at_best(best, p, q), EXACT),
        Check("E L_D at D*", float(best.loss(p, q)), float(loss_at_best(best, p, q)), EXACT),
    )


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.abs(a - b).max())


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        1,
        "The best discriminator is D* = p/(p+q); its logit is ln(p/q), between N(0,1) and N(μ,1) "
        "μ²/2 − μx",
        "Goodfellow 2014, proposition 1",
        _best_discriminator,
    ),
    Statement(
        2,
        "The value of the game at D* is −ln 4 + 2 JSD(p, q)",
        "Goodfellow 2014, theorem 1",
        _minimax_value,
    ),
    Statement(
        3,
        "At p = q the best discriminator says ½ everywhere, and its loss is ln 4",
        "Goodfellow 2014, theorem 1",
        _equal_densities,
    ),
    Statement(
        4,
        "On disjoint supports JSD = ln 2 and D* gives the saturating generator no gradient",
        "Arjovsky & Bottou 2017, theorems 2.3 and 2.4",
        _disjoint_supports,
    ),
    Statement(
        5,
        "The saturating generator's gradient at a frozen D* is that of 2 JSD(p, q)",
        "Goodfellow 2014, theorem 1; Arjovsky & Bottou 2017, section 2.2",
        _saturating_gradient,
    ),
    Statement(
        6,
        "The non-saturating generator's gradient at a frozen D* is that of KL(q‖p) − 2 JSD(p, q)",
        "Arjovsky & Bottou 2017, theorem 2.5",
        _non_saturating_gradient,
    ),
    Statement(
        7,
        "Least squares with (a,b,c) = (−1,1,0) and the real term: 2C(G) = χ² of p+q against 2q, "
        "over p+q; with (0,1,1) the generator descends KL(p‖m) − ¼ χ²(p‖m), m = (p+q)/2",
        "Mao 2017, section 3.2; the second part derived",
        _least_squares,
    ),
    Statement(
        8,
        "The best hinge discriminator is sign(p − q), and its loss 2(1 − TV)",
        "Lim & Ye 2017",
        _hinge,
    ),
    Statement(
        9,
        "The best accuracy at telling real from fake is (1 + TV)/2; at p = q that of n samples, "
        "labelled by a fair coin, is binomial over n, near N(½, 1/(4n)), and labels fixed half and "
        "half spread it no more",
        "Lopez-Paz & Oquab 2017",
        _accuracy,
    ),
    Statement(
        30,
        "Relativistic pairing: v* = ln(p/q) up to a constant; the value is −ln 2 + JSD(p⊗q, q⊗p), "
        "−ln 2 at p = q",
        "Jolicoeur-Martineau 2019; Bradley & Terry 1952; the value derived",
        _relativistic,
    ),
    Statement(
        31,
        "Where q covers p, E_q[D*/(1−D*)] = 1, as wrong ratios may have it too; rejection by D* "
        "turns q into p where p/q is bounded",
        "Sugiyama 2012; Azadi 2019",
        _density_ratio,
    ),
    Statement(
        32,
        "One-sided label smoothing α makes it D* = αp/(p+q)",
        "Salimans 2016, section 3.4",
        _label_smoothing,
    ),
)
