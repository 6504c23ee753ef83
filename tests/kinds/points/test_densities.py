"""Known densities: that they integrate to one, and that the sampler draws from them."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from sparring.errors import SparringError
from sparring.kinds.points.densities import density
from sparring.kinds.points.spec import DENSITIES

every_density = pytest.mark.parametrize("name", DENSITIES)


@every_density
def test_a_density_integrates_to_one(name: str) -> None:
    """By the trapezoid rule, exact to rounding for sums of Gaussians on so fine a grid."""
    truth = density(name)
    low, high = truth.centres.min(0) - 8 * truth.sigma, truth.centres.max(0) + 8 * truth.sigma
    steps = [np.arange(a, b, truth.sigma / 1.5) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*steps), -1).reshape(-1, truth.dimensions)
    cell = float(np.prod([step[1] - step[0] for step in steps]))
    assert np.exp(truth.log_density(points)).sum() * cell == pytest.approx(1, abs=1e-3)


@every_density
def test_samples_have_the_density(name: str) -> None:
    """E[1/p · 1{near}] over samples is the area where the data are; here by the mean of ln p."""
    truth = density(name)
    first, second = truth.sample(40_000, 1), truth.sample(40_000, 2)
    assert first.shape == (40_000, truth.dimensions)
    means = [float(truth.log_density(points).mean()) for points in (first, second)]
    spread = float(truth.log_density(first).std()) / 200
    assert means[0] == pytest.approx(means[1], abs=6 * spread)


def test_the_line_s_samples_pass_a_test_against_its_distribution() -> None:
    truth = density("gaussian1d")
    assert kstest(truth.sample(20_000, 0)[:, 0], norm(4, 1.25).cdf).pvalue > 1e-3
    x = np.array([[1.0], [4.0]])
    np.testing.assert_allclose(truth.log_density(x), norm(4, 1.25).logpdf(x[:, 0]), rtol=1e-12)


@every_density
def test_the_same_seed_draws_the_same_points_and_another_seed_others(name: str) -> None:
    truth = density(name)
    assert np.array_equal(truth.sample(50, 3), truth.sample(50, 3))
    assert not np.array_equal(truth.sample(50, 3), truth.sample(50, 4))


@pytest.mark.parametrize(("name", "modes", "sigma"), [("ring", 8, 0.02), ("grid", 25, 0.05)])
def test_modes_are_those_of_the_literature_and_far_apart(
    name: str, modes: int, sigma: float
) -> None:
    truth = density(name)
    assert (len(truth.centres), truth.sigma, truth.modes) == (modes, sigma, True)
    between = np.linalg.norm(truth.centres[:, None] - truth.centres, axis=2)
    assert between[~np.eye(modes, dtype=bool)].min() > 20 * sigma


@every_density
def test_nearly_all_of_the_data_is_of_high_quality(name: str) -> None:
    """In the plane 1 − e^{−8} = 0.99966 of one Gaussian lies within 4σ."""
    truth = density(name)
    centre, good = truth.nearest(truth.sample(20_000, 5))
    assert good.mean() > 0.999
    assert set(centre) == set(range(len(truth.centres)))


def test_a_point_counts_as_good_up_to_four_sigma_and_no_further() -> None:
    ring = density("ring")
    out = ring.centres[0] * (1 + np.array([[3.9], [4.1]]) * ring.sigma / 2)
    assert ring.nearest(out)[1].tolist() == [True, False]


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(SparringError, match="ring, grid"):
        density("rings")
