"""What a generator that shifts receives, against difference quotients of the losses themselves."""

import math

import pytest
from torch import Tensor

from sparring import divergences
from sparring.theory import finite, quadrature
from sparring.theory.optimal import OPTIMA
from sparring.theory.quadrature import normal
from sparring.theory.shift import pull, shifted, slope

SMOOTH = [name for name in OPTIMA if name not in ("hinge", "total_variation")]


def loss_of_moved(name: str, mean: float, by: float) -> float:
    """Return E L_G of N(mean + by, 1) against the best discriminator for N(mean, 1)."""
    best = OPTIMA[name]
    x, p, q = quadrature.on_grid(normal(0.0, 1.0), normal(mean + by, 1.0))
    v = best.logit(mean**2 / 2 - mean * x)
    return float(finite.generator_loss(best.objective, v, p, q))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("mean", [1.0, -0.4])
def test_the_pull_is_the_derivative_of_the_generator_s_loss_at_a_frozen_discriminator(
    name: str, mean: float
) -> None:
    step = 1e-4
    quotient = (loss_of_moved(name, mean, step) - loss_of_moved(name, mean, -step)) / (2 * step)
    assert pull(OPTIMA[name], mean) == pytest.approx(quotient, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", ["hinge", "total_variation"])
def test_a_discriminator_that_is_flat_but_for_a_jump_pulls_at_no_sample(name: str) -> None:
    assert pull(OPTIMA[name]) == 0


def test_the_derivatives_of_divergences_are_those_of_the_closed_forms() -> None:
    def of(kind: divergences.Divergence, mean: float) -> float:
        return slope(lambda p, q: finite.divergence(kind, p, q), mean)

    for m in (0.5, 1.0, -2.0):
        assert of(divergences.kl, m) == pytest.approx(m, abs=1e-12)
        assert of(divergences.reverse_kl, m) == pytest.approx(m, abs=1e-12)
        assert of(divergences.pearson, m) == pytest.approx(2 * m * math.exp(m * m), rel=1e-9)
        hellinger = m / 2 * math.exp(-m * m / 8)
        assert of(divergences.squared_hellinger, m) == pytest.approx(hellinger, abs=1e-12)
        jump = math.copysign(math.exp(-m * m / 8) / math.sqrt(2 * math.pi), m)
        assert of(divergences.total_variation, m) == pytest.approx(jump, abs=1e-12)


def test_with_equal_densities_no_generator_is_pulled() -> None:
    assert [pull(row, 0.0) for row in OPTIMA.values()] == pytest.approx([0.0] * len(OPTIMA))


def test_the_saturating_pull_vanishes_as_the_densities_part_and_the_other_does_not() -> None:
    saturating = [pull(OPTIMA["minimax"], mean) for mean in (2.0, 4.0, 8.0)]
    assert saturating[0] > saturating[1] > saturating[2] > 0
    assert saturating[2] < 1e-3
    assert pull(OPTIMA["non_saturating"], 8.0) == pytest.approx(8 - saturating[2], abs=1e-9)


def test_the_article_s_generator_pulls_twice_as_the_least_squares_one() -> None:
    assert pull(OPTIMA["mean_squared"]) == pytest.approx(2 * pull(OPTIMA["least_squares"]))


def test_the_grid_is_that_of_the_default_pair() -> None:
    x, p, q = shifted()
    assert float(p @ x) == pytest.approx(0, abs=1e-14)
    assert float(q @ x) == pytest.approx(1, abs=1e-14)


def test_a_generator_with_another_s_loss_is_caught() -> None:
    """The saturating loss in the non-saturating game pulls by 0.398 where 0.602 is due."""

    def due(p: Tensor, q: Tensor) -> Tensor:
        return finite.divergence(divergences.kl, q, p) - 2 * finite.jensen_shannon(p, q)

    assert pull(OPTIMA["non_saturating"]) == pytest.approx(slope(due), abs=1e-12)
    assert abs(pull(OPTIMA["minimax"]) - slope(due)) > 0.2
