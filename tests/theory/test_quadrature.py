"""Quadrature on the line, against scipy's adaptive one and closed forms."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor

from sparring import divergences
from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.theory import finite, quadrature
from sparring.theory.optimal import OPTIMA, loss_at_best
from sparring.theory.quadrature import Line, normal

STANDARD, SHIFTED, WIDE = normal(0.0, 1.0), normal(1.0, 1.0), normal(1.0, 2.0)


def mixture(*parts: tuple[float, float]) -> Line:
    """Return an equal mixture of normal densities."""
    lines = [normal(mean, sigma) for mean, sigma in parts]
    ends = [end for line in lines for end in line.interval]

    def log_density(x: Tensor) -> Tensor:
        return torch.logsumexp(torch.stack([line.log_density(x) for line in lines]), 0) - math.log(
            len(lines)
        )

    def cdf(x: Tensor) -> Tensor:
        return torch.stack([line.cdf(x) for line in lines]).mean(0)

    return Line(log_density, cdf, (min(ends), max(ends)), 24 * 8)


def uniform(low: float, high: float) -> Line:
    def log_density(x: Tensor) -> Tensor:
        inside = (x >= low) & (x <= high)
        return torch.where(inside, -math.log(high - low), -math.inf)

    return Line(log_density, lambda x: ((x - low) / (high - low)).clamp(0, 1), (low, high))


TWO_MODES = mixture((-2.0, 0.3), (2.0, 0.4))
PAIRS = {
    "shifted": (STANDARD, SHIFTED),
    "wider": (STANDARD, WIDE),
    "narrower": (WIDE, normal(0.9, 1.5)),
    "two modes": (TWO_MODES, STANDARD),
}
every_pair = pytest.mark.parametrize("pair", PAIRS)


def adaptive(integrand: Callable[[float], float], p: Line, q: Line, kinks: list[float]) -> float:
    low, high = min(*p.interval, *q.interval), max(*p.interval, *q.interval)
    ends = [low, *sorted({-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, *kinks}), high]
    parts = [quad(integrand, a, b, epsabs=1e-13, limit=200)[0] for a, b in pairwise(ends)]
    return math.fsum(parts)


def at(function: Callable[[Tensor], Tensor], x: float) -> float:
    return float(function(torch.tensor(x, dtype=torch.float64)))


@every_pair
def test_both_densities_sum_to_one_on_the_grid_and_have_their_moments(pair: str) -> None:
    p, q = PAIRS[pair]
    x, ps, qs = quadrature.on_grid(p, q)
    assert bool((x.diff() > 0).all())
    assert float(ps.sum()) == pytest.approx(1, abs=1e-13)
    assert float(qs.sum()) == pytest.approx(1, abs=1e-13)
    if pair == "wider":
        assert float(qs @ x) == pytest.approx(1, abs=1e-13)
        assert float(qs @ (x - 1) ** 2) == pytest.approx(4, abs=1e-12)


@every_pair
@pytest.mark.parametrize("name", ["total_variation", "kl", "reverse_kl", "jensen_shannon"])
def test_divergences_agree_with_adaptive_quadrature(pair: str, name: str) -> None:
    p, q = PAIRS[pair]
    kind: Divergence = getattr(divergences, name)
    kinks = quadrature.crossings(quadrature.log_ratio(p, q), quadrature.nodes(p, q)[0])

    def integrand(x: float) -> float:
        log_p, log_q = at(p.log_density, x), at(q.log_density, x)
        ratio = math.exp(max(-700, min(700, log_p - log_q)))
        return math.exp(log_q) * at(kind.f, ratio)

    expected = adaptive(integrand, p, q, kinks)
    assert quadrature.divergence(kind, p, q) == pytest.approx(expected, abs=1e-10)


def test_panels_end_where_the_densities_cross() -> None:
    found = quadrature.crossings(
        quadrature.log_ratio(TWO_MODES, STANDARD), quadrature.nodes(TWO_MODES, STANDARD)[0]
    )
    assert len(found) == 4
    for x in found:
        assert at(TWO_MODES.log_density, x) == pytest.approx(at(STANDARD.log_density, x), abs=1e-12)
    inside = quadrature.nodes(STANDARD, SHIFTED, quadrature.log_ratio(STANDARD, SHIFTED))[0]
    assert quadrature.crossings(quadrature.log_ratio(STANDARD, SHIFTED), inside) == [0.5]


def test_rounding_is_no_crossing() -> None:
    def ripple(x: Tensor) -> Tensor:
        return 1e-14 * (40 * x).sin()

    x = quadrature.nodes(STANDARD, STANDARD)[0]
    assert quadrature.crossings(ripple, x) == []
    assert len(quadrature.crossings(lambda x: 1e3 * ripple(x), x)) > 100


def test_without_the_crossings_total_variation_would_lose_digits() -> None:
    exact = 2 * norm.cdf(0.5) - 1
    x, weight = quadrature.nodes(STANDARD, SHIFTED)
    gap = (STANDARD.log_density(x).exp() - SHIFTED.log_density(x).exp()).abs()
    assert abs(float(weight @ gap) / 2 - exact) > 1e-8
    found = quadrature.divergence(divergences.total_variation, STANDARD, SHIFTED)
    assert found == pytest.approx(exact, abs=1e-14)


@pytest.mark.parametrize(
    ("kind", "value"), [(divergences.total_variation, 0.5), (divergences.squared_hellinger, 1.0)]
)
def test_densities_that_end_abruptly_are_integrated_exactly(kind: Divergence, value: float) -> None:
    found = quadrature.divergence(kind, uniform(0, 2), uniform(1, 3))
    assert found == pytest.approx(value, abs=1e-12)
    assert quadrature.divergence(divergences.kl, uniform(0, 2), uniform(1, 3)) == math.inf
    assert quadrature.divergence(divergences.kl, uniform(0, 1), uniform(0, 4)) == pytest.approx(
        math.log(4), abs=1e-12
    )


def test_densities_side_by_side_have_nothing_in_common() -> None:
    beside = uniform(0, 1), uniform(1, 2)
    assert quadrature.divergence(divergences.total_variation, *beside) == pytest.approx(1)
    assert quadrature.w1(*beside) == pytest.approx(1)
    assert quadrature.divergence(divergences.reverse_kl, *beside) == math.inf


def test_an_infinite_divergence_is_refused_and_a_finite_one_beside_it_is_not() -> None:
    """∫p²/q of variances s² and 1 is finite for s² < 2 only."""
    near = quadrature.divergence(divergences.pearson, normal(0.0, 1.2), STANDARD)
    assert near == pytest.approx(1 / (1.2 * math.sqrt(2 - 1.44)) - 1, abs=1e-9)
    with pytest.raises(SparringError, match=r"still .* where both densities have ended"):
        quadrature.divergence(divergences.pearson, normal(0.0, 1.6), STANDARD)
    with pytest.raises(SparringError, match="finite divergence"):
        quadrature.divergence(divergences.neyman, STANDARD, normal(0.0, 1.6))


@pytest.mark.parametrize("mean", [0.3, 1.0, -2.5])
def test_the_values_of_the_games_are_the_closed_forms_for_a_shift(mean: float) -> None:
    _, p, q = quadrature.on_grid(STANDARD, normal(mean, 1.0))
    square = mean**2
    tv = 2 * norm.cdf(abs(mean) / 2) - 1
    for name, loss in {
        "hinge": 2 * (1 - tv),
        "total_variation": -tv,
        "kl": -square / 2,
        "reverse_kl": -square / 2,
        "pearson": -math.expm1(square),
        "neyman": -math.expm1(square),
        "squared_hellinger": 2 * math.expm1(-square / 8),
    }.items():
        assert float(loss_at_best(OPTIMA[name], p, q)) == pytest.approx(loss, rel=1e-11), name


def test_p_and_q_keep_their_sides() -> None:
    assert quadrature.divergence(divergences.kl, STANDARD, WIDE) == pytest.approx(
        math.log(2) - 0.25, abs=1e-13
    )
    assert quadrature.divergence(divergences.kl, WIDE, STANDARD) == pytest.approx(
        2 - math.log(2), abs=1e-13
    )


def test_w1_of_a_shift_and_of_a_mixture() -> None:
    assert quadrature.w1(STANDARD, SHIFTED) == pytest.approx(1, abs=1e-13)

    def gap(x: float) -> float:
        return abs(at(TWO_MODES.cdf, x) - at(STANDARD.cdf, x))

    expected = adaptive(gap, TWO_MODES, STANDARD, [0.0])
    assert quadrature.w1(TWO_MODES, STANDARD) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("mean", "sigma"), [(1.0, 2.0), (0.0, 0.5), (-3.0, 1.0)])
def test_w2_of_normals_and_that_it_is_symmetric(mean: float, sigma: float) -> None:
    other, exact = normal(mean, sigma), mean**2 + (sigma - 1) ** 2
    assert quadrature.w2_squared(STANDARD, other) == pytest.approx(exact, abs=1e-11)
    assert quadrature.w2_squared(other, STANDARD) == pytest.approx(exact, abs=1e-11)


def test_w2_of_uniforms_is_the_mean_square_of_the_quantiles_gap() -> None:
    found = quadrature.w2_squared(uniform(0, 1), uniform(2, 5))
    assert found == pytest.approx(28 / 3, abs=1e-12)  # ∫(2 + 2t)² dt


def test_the_energy_distance_is_twice_the_squared_gap() -> None:
    def gap(x: float) -> float:
        return 2 * (at(TWO_MODES.cdf, x) - at(STANDARD.cdf, x)) ** 2

    found = quadrature.energy_distance(TWO_MODES, STANDARD)
    assert found == pytest.approx(adaptive(gap, TWO_MODES, STANDARD, []), abs=1e-11)


def test_the_inverse_of_a_distribution_function_is_its_quantile() -> None:
    level = torch.tensor([1e-6, 0.1, 0.5, 0.975], dtype=torch.float64)
    found = quadrature.inverse(WIDE.cdf, level, WIDE.interval)
    torch.testing.assert_close(found, torch.from_numpy(norm.ppf(level.numpy(), 1, 2)))


def test_the_rule_integrates_polynomials_of_degree_47_on_each_panel_exactly() -> None:
    x, weight = quadrature.nodes(uniform(0, 1), uniform(0, 1))
    for degree in (0, 1, 12, 47):
        assert float(weight @ x**degree) == pytest.approx(1 / (degree + 1), rel=1e-13)
    assert len(x) == len(np.unique(x.numpy())) == 24 * 24


def test_a_density_far_narrower_than_the_other_is_still_seen() -> None:
    p, q = normal(0.3, 1e-3), STANDARD
    closed = math.log(1e3) + (1e-6 + 0.09) / 2 - 0.5
    assert quadrature.divergence(divergences.kl, p, q) == pytest.approx(closed, abs=1e-11)
    assert finite.jensen_shannon(*quadrature.on_grid(p, q)[1:]) < math.log(2)


def test_swapping_the_sides_of_a_loss_moves_its_value() -> None:
    grid = quadrature.on_grid(STANDARD, WIDE)
    values = [float(loss_at_best(OPTIMA["kl"], *sides)) for sides in (grid[1:], grid[:0:-1])]
    assert values == pytest.approx([0.25 - math.log(2), math.log(2) - 2], abs=1e-12)


def test_the_log_density_of_a_normal_can_be_differentiated_in_its_mean() -> None:
    x = torch.tensor([0.3, 2.0], dtype=torch.float64)
    slope = torch.func.grad(lambda m: quadrature.normal_log_density(x, m, 2.0).sum())
    found = slope(torch.tensor(1.0, dtype=torch.float64))
    assert float(found) == pytest.approx((-0.7 + 1.0) / 4, abs=1e-15)
    np.testing.assert_allclose(
        quadrature.normal_log_density(x, 1.0, 2.0).numpy(), partial(norm.logpdf, loc=1, scale=2)(x)
    )
