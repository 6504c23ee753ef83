"""Distances between Gaussians, against quadrature, scipy and the laws that they obey."""

import math

import pytest
import scipy.linalg
import torch
from scipy.integrate import quad
from torch import Tensor

from sparring import divergences
from sparring.errors import SparringError
from sparring.theory import gaussian, kernel, quadrature
from sparring.theory.gaussian import Gaussian, isotropic, normal
from sparring.theory.transport import circle

LINES = {
    "shift": (normal(0.0, 1.0), normal(1.0, 1.0)),
    "both": (normal(0.0, 1.0), normal(1.0, 1.3)),
    "narrower": (normal(-0.5, 1.2), normal(0.7, 1.0)),
}
on_lines = pytest.mark.parametrize("pair", LINES)

FAMILY = {
    "kl": gaussian.kl,
    "reverse_kl": gaussian.reverse_kl,
    "pearson": gaussian.pearson,
    "squared_hellinger": gaussian.squared_hellinger,
    "total_variation": gaussian.total_variation,
}


def diagonal(*parts: Gaussian) -> Gaussian:
    """Return independent coordinates."""
    mean = torch.cat([part.mean for part in parts])
    return Gaussian(mean, torch.diag(torch.cat([part.covariance[0] for part in parts])))


def turned(p: Gaussian, basis: Tensor) -> Gaussian:
    covariance = basis @ p.covariance @ basis.T
    return Gaussian(basis @ p.mean, (covariance + covariance.T) / 2)


BASIS = torch.linalg.qr(torch.vander(torch.arange(1.0, 4, dtype=torch.float64))).Q
P3, Q3 = (turned(diagonal(*(pair[side] for pair in LINES.values())), BASIS) for side in (0, 1))


@on_lines
@pytest.mark.parametrize("name", FAMILY)
def test_f_divergences_on_the_line_agree_with_quadrature(pair: str, name: str) -> None:
    p, q = LINES[pair]
    found = quadrature.divergence(getattr(divergences, name), gaussian.line(p), gaussian.line(q))
    assert FAMILY[name](p, q) == pytest.approx(found, rel=1e-9)


@on_lines
def test_transport_energy_and_kernels_on_the_line_agree_with_quadrature(pair: str) -> None:
    p, q = LINES[pair]
    lines = gaussian.line(p), gaussian.line(q)
    x, ps, qs = quadrature.on_grid(*lines)
    rbf, cubic = kernel.rbf(0.7), kernel.polynomial(3)
    for found, expected in (
        (gaussian.w1(p, q), quadrature.w1(*lines)),
        (gaussian.w2_squared(p, q), quadrature.w2_squared(*lines)),
        (gaussian.sliced_w2_squared(p, q), quadrature.w2_squared(*lines)),
        (gaussian.energy_distance(p, q), quadrature.energy_distance(*lines)),
        (gaussian.mmd_squared_rbf(p, q, 0.7), kernel.mmd_squared(x, ps, qs, rbf)),
        (gaussian.mmd_squared_polynomial(p, q, 3), kernel.mmd_squared(x, ps, qs, cubic)),
    ):
        assert found == pytest.approx(expected, rel=1e-10)


def test_the_jensen_shannon_divergence_of_the_default_pair() -> None:
    assert gaussian.jensen_shannon(*LINES["shift"]) == pytest.approx(0.1114214822, abs=5e-11)


def test_kl_of_independent_coordinates_adds_up_in_any_basis() -> None:
    expected = sum(gaussian.kl(*pair) for pair in LINES.values())
    assert gaussian.kl(P3, Q3) == pytest.approx(expected, rel=1e-12)
    assert gaussian.reverse_kl(P3, Q3) == gaussian.kl(Q3, P3)


def test_one_plus_chi_squared_of_independent_coordinates_multiplies() -> None:
    expected = math.prod(1 + gaussian.pearson(*pair) for pair in LINES.values()) - 1
    assert gaussian.pearson(P3, Q3) == pytest.approx(expected, rel=1e-11)


def test_chi_squared_is_infinite_where_the_first_is_too_wide() -> None:
    assert gaussian.pearson(normal(0.0, 1.5), normal(0.0, 1.0)) == math.inf
    assert math.isfinite(gaussian.pearson(normal(0.0, 1.0), normal(0.0, 1.5)))


def test_the_affinity_of_independent_coordinates_multiplies() -> None:
    affinities = [1 - gaussian.squared_hellinger(*pair) / 2 for pair in LINES.values()]
    expected = 2 - 2 * math.prod(affinities)
    assert gaussian.squared_hellinger(P3, Q3) == pytest.approx(expected, rel=1e-12)


def test_w2_of_commuting_covariances_adds_up_in_any_basis() -> None:
    expected = sum(gaussian.w2_squared(*pair) for pair in LINES.values())
    assert gaussian.w2_squared(P3, Q3) == pytest.approx(expected, rel=1e-12)


def test_w2_of_any_covariances_has_scipy_s_matrix_root() -> None:
    q = turned(Q3, BASIS)
    cross = scipy.linalg.sqrtm((P3.covariance @ q.covariance).numpy()).trace()
    shift = P3.mean - q.mean
    expected = float(shift @ shift + P3.covariance.trace() + q.covariance.trace()) - 2 * cross
    assert gaussian.w2_squared(P3, q) == pytest.approx(float(expected), rel=1e-10)
    assert abs(expected - gaussian.w2_squared(P3, Q3)) > 0.1


def test_with_equal_covariances_every_f_divergence_is_that_of_a_shift_on_the_line() -> None:
    q = Gaussian(P3.mean + torch.tensor([0.3, -0.8, 0.1]).double(), P3.covariance)
    delta = math.sqrt(
        float((q.mean - P3.mean) @ torch.linalg.solve(P3.covariance, q.mean - P3.mean))
    )
    shift = normal(0.0, 1.0), normal(delta, 1.0)
    for divergence in (*FAMILY.values(), gaussian.jensen_shannon):
        assert divergence(P3, q) == pytest.approx(divergence(*shift), rel=1e-10)
    assert gaussian.w1(P3, q) == pytest.approx(math.sqrt(0.09 + 0.64 + 0.01), rel=1e-6)


def test_w1_of_unequal_spreads_is_the_mean_of_a_folded_normal() -> None:
    found = gaussian.w1(normal(0.0, 1.0), normal(1.0, 3.0))
    folded = quad(lambda z: abs(1 + 2 * z) * math.exp(-z * z / 2), -12, 12, points=[-0.5])[0]
    assert found == pytest.approx(folded / math.sqrt(2 * math.pi), abs=1e-10)
    nearly = gaussian.w1(normal(0.0, 1.0), normal(5.0, 1.0 + 1e-9))
    assert nearly == pytest.approx(5, abs=1e-12)


def test_sliced_w2_is_the_mean_over_the_directions_of_the_plane() -> None:
    mean = torch.tensor([1.0, -2.0]).double()
    p, q = isotropic(0 * mean, 1.0), isotropic(mean, 2.5)
    slices = [
        gaussian.w2_squared(normal(0.0, 1.0), normal(float(u @ mean), 2.5)) for u in circle(7)
    ]
    assert gaussian.sliced_w2_squared(p, q) == pytest.approx(sum(slices) / 7, rel=1e-12)


def test_the_energy_distance_in_space_has_the_mean_length_of_a_gaussian_vector() -> None:
    """In three dimensions E‖N(m, s²I)‖ = s√(2/π) e^(−m²/2s²) + (m + s²/m) erf(m/√2s)."""

    def length(m: float, s: float) -> float:
        tail = s * math.sqrt(2 / math.pi) * math.exp(-(m**2) / (2 * s**2))
        return tail + (m + s**2 / m) * math.erf(m / (s * math.sqrt(2)))

    mean = torch.tensor([0.6, -0.8, 1.0]).double()
    p, q = isotropic(0 * mean, 1.0), isotropic(mean, 2.0)
    still = 2 * math.sqrt(2 / math.pi) * math.sqrt(2)  # E‖N(0, 2I)‖
    expected = 2 * length(math.sqrt(2), math.sqrt(5)) - 3 * still
    assert gaussian.energy_distance(p, q) == pytest.approx(expected, rel=1e-7)


def test_the_radial_mmd_in_the_plane_agrees_with_gauss_hermite() -> None:
    p, q = (
        turned(diagonal(*(LINES[n][s] for n in ("shift", "both"))), BASIS[:2, :2]) for s in (0, 1)
    )
    (x, at_x), (y, at_y) = gaussian.atoms(p, 30), gaussian.atoms(q, 30)
    none_x, none_y = torch.zeros_like(at_x), torch.zeros_like(at_y)
    ps, qs = torch.cat([at_x, none_y]), torch.cat([none_x, at_y])
    expected = kernel.mmd_squared(torch.cat([x, y]), ps, qs, kernel.rbf(2.0))
    assert gaussian.mmd_squared_rbf(p, q, 2.0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_polynomial_mmd_on_the_line_is_the_weighted_gap_of_moments(degree: int) -> None:
    mu = 0.7
    moments = [0, mu, mu**2, mu**3 + 3 * mu, mu**4 + 6 * mu**2, mu**5 + 10 * mu**3 + 15 * mu]
    expected = sum(math.comb(degree, k) * moments[k] ** 2 for k in range(1, degree + 1))
    found = gaussian.mmd_squared_polynomial(normal(0.0, 1.0), normal(mu, 1.0), degree)
    assert found == pytest.approx(expected, rel=1e-12)


def test_atoms_have_the_mean_and_covariance() -> None:
    x, weight = gaussian.atoms(P3, 2)
    assert x.shape == (8, 3)
    torch.testing.assert_close(weight @ x, P3.mean)
    centred = x - P3.mean
    torch.testing.assert_close(centred.T @ (weight[:, None] * centred), P3.covariance)


@pytest.mark.parametrize(
    "distance",
    [
        *FAMILY.values(),
        gaussian.jensen_shannon,
        gaussian.w1,
        gaussian.w2_squared,
        gaussian.sliced_w2_squared,
        gaussian.energy_distance,
        lambda p, q: gaussian.mmd_squared_rbf(p, q, 1.0),
        lambda p, q: gaussian.mmd_squared_polynomial(p, q, 3),
    ],
)
def test_every_distance_is_zero_from_a_gaussian_to_itself_and_needs_one_space(distance) -> None:  # type: ignore[no-untyped-def]
    plane = isotropic(torch.tensor([1.0, 2.0]), 0.5)
    assert distance(plane, plane) == pytest.approx(0, abs=1e-12)
    with pytest.raises(SparringError, match="dimensions"):
        distance(plane, normal(0.0, 1.0))


def test_what_has_no_known_form_is_refused() -> None:
    for unknown in (gaussian.total_variation, gaussian.jensen_shannon, gaussian.w1):
        with pytest.raises(SparringError, match="line"):
            unknown(P3, Q3)
    for isotropic_only in (gaussian.sliced_w2_squared, gaussian.energy_distance):
        with pytest.raises(SparringError, match="σ²I"):
            isotropic_only(P3, Q3)
    with pytest.raises(SparringError, match="bandwidth is 0"):
        gaussian.mmd_squared_rbf(P3, Q3, 0)
    with pytest.raises(SparringError, match="3 dimensions; expected one"):
        gaussian.line(P3)


@pytest.mark.parametrize(
    ("mean", "covariance", "told"),
    [
        (torch.zeros(2).double(), torch.eye(3).double(), "shapes"),
        (torch.zeros(2), torch.eye(2), "float64"),
        (torch.zeros(2).double(), torch.tensor([[1, 2], [2, 1]]).double(), "positive definite"),
        (torch.zeros(2).double(), torch.tensor([[1, 0.1], [0, 1]]).double(), "symmetric"),
    ],
)
def test_what_is_no_gaussian_is_refused(mean: Tensor, covariance: Tensor, told: str) -> None:
    with pytest.raises(SparringError, match=told):
        Gaussian(mean, covariance)
