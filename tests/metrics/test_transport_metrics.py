"""Sliced Wasserstein and energy distance: closed forms on lines, scipy's values, refusals.

Coverage of the intervals is measured in `test_coverage_distances`.
"""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import energy_distance, norm

from sparring.errors import SparringError
from sparring.metrics import transport
from sparring.metrics.kernels import mmd_biased, mmd_unbiased
from sparring.metrics.transport import (
    energy,
    frames,
    negative_distance,
    sliced,
    sliced_wasserstein,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)) + 1
Y = RNG.normal(size=(25, 3)) * 1.5
LINE = np.ones((1, 1))


def plan(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return W₂² of two samples on a line and its potentials, by linear programming."""
    n, m = len(x), len(y)
    cost = np.square(x - y.T)
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    marginals = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    found = linprog(cost.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=marginals)
    return found.fun, found.eqlin.marginals[:n], found.eqlin.marginals[n:]


# ---- on a line


@pytest.mark.parametrize(("n", "m"), [(7, 7), (6, 4), (5, 9), (1, 3), (12, 8)])
def test_on_a_line_it_is_the_optimal_plan(n: int, m: int) -> None:
    x, y = RNG.normal(size=(n, 1)), RNG.normal(size=(m, 1)) + 1
    assert sliced(x, y, LINE).value == pytest.approx(plan(x, y)[0], rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(6, 4), (5, 9), (12, 7)])
def test_the_potentials_are_those_of_the_dual_programme(n: int, m: int) -> None:
    """They are determined up to a constant if no partial sums of weights meet; else averaged."""
    x, y = RNG.normal(size=(n, 1)), RNG.normal(size=(m, 1)) + 1
    found = sliced(x, y, LINE)
    _, phi, psi = plan(x, y)
    if np.gcd(n, m) == 1:
        np.testing.assert_allclose(found.real - found.real.mean(), phi - phi.mean(), atol=1e-7)
        np.testing.assert_allclose(found.fake - found.fake.mean(), psi - psi.mean(), atol=1e-7)
    gap = found.real[:, None] + found.fake - np.square(x - y.T)
    slack = found.real.mean() + found.fake.mean() - found.value
    assert gap.max() == pytest.approx(slack, abs=1e-9)  # feasible and optimal, but for a constant


def test_gaussians_on_a_line_have_the_distance_of_their_parameters() -> None:
    """W₂² = Δμ² + Δσ² at their quantiles."""
    quantiles = norm.ppf((np.arange(20_000) + 0.5) / 20_000)[:, None]
    assert sliced(quantiles, 2 * quantiles + 1, LINE).value == pytest.approx(2, rel=1e-3)


def test_equal_samples_are_at_no_distance_and_scaling_squares() -> None:
    along = frames(3, 8, np.random.default_rng(0))
    assert sliced(X, X[::-1], along).value == pytest.approx(0, abs=1e-15)
    assert sliced(3 * X, 3 * Y, along).value == pytest.approx(9 * sliced(X, Y, along).value)


# ---- over directions


@pytest.mark.parametrize(
    ("width", "asked", "given"), [(5, 3, 3), (5, 5, 5), (5, 12, 15), (1, 4, 4)]
)
def test_directions_are_orthogonal_unit_vectors_in_frames(
    width: int, asked: int, given: int
) -> None:
    found = frames(width, asked, np.random.default_rng(1))
    assert found.shape == (given, width)
    for start in range(0, given, width):
        frame = found[start : start + width]
        np.testing.assert_allclose(frame @ frame.T, np.eye(len(frame)), atol=1e-12)


def test_a_shift_is_seen_exactly_by_whole_frames() -> None:
    shift = np.array([1.0, -2, 0.5])
    along = frames(3, 3, np.random.default_rng(2))
    assert sliced(X, X + shift, along).value == pytest.approx(shift @ shift / 3)


def test_the_mean_over_many_directions_is_the_mean_of_each(monkeypatch) -> None:
    monkeypatch.setattr(transport, "BLOCK", 7)
    along = frames(3, 30, np.random.default_rng(3))
    found = sliced(X, Y, along)
    alone = [sliced(X @ one[:, None], Y @ one[:, None], LINE) for one in along]
    assert found.value == pytest.approx(np.mean([one.value for one in alone]))
    np.testing.assert_allclose(found.real, np.mean([one.real for one in alone], 0), atol=1e-12)
    np.testing.assert_allclose(found.fake, np.mean([one.fake for one in alone], 0), atol=1e-12)


def test_the_plug_in_is_biased_and_the_estimate_hardly() -> None:
    rng = np.random.default_rng(4)
    along = frames(4, 8, rng)
    pairs = rng.normal(size=(150, 2, 40, 4))
    plug_in = np.array([sliced(x, y, along).value for x, y in pairs])
    found = np.array([sliced_wasserstein(x, y, directions=8).value for x, y in pairs])
    assert plug_in.mean() > 0.06
    assert abs(found.mean()) < plug_in.mean() / 8


@pytest.mark.parametrize("swap", [False, True])
def test_the_error_is_that_of_a_mean_where_one_side_is_a_point(swap: bool) -> None:
    """Then W₂² is the mean of |x − y₀|² / d over the other side."""
    point = np.full((40, 3), 30.0)
    found = sliced_wasserstein(*((point, X) if swap else (X, point)), directions=3)
    each = np.square(X - 30).sum(1) / 3
    error = np.sqrt((found.high - found.value) * (found.value - found.low)) / 1.96
    assert error == pytest.approx(each.std(ddof=1) / np.sqrt(40), rel=1e-3)


def test_an_estimate_says_what_it_is_and_repeats_itself() -> None:
    found = sliced_wasserstein(X, Y, directions=32)
    assert found.method == "sliced W₂², 33 directions, bias removed"
    assert found.low < found.value < found.high
    assert found.n == 25
    assert sliced_wasserstein(X, Y, directions=32) == found
    assert sliced_wasserstein(X, Y, directions=32, seed=1) != found


# ---- the energy distance


def test_the_kernel_is_the_negative_distance() -> None:
    expected = -np.sqrt(np.square(X[:, None] - Y).sum(2))
    np.testing.assert_allclose(negative_distance(X, Y), expected, rtol=1e-12)


def test_on_a_line_the_plug_in_is_the_square_of_scipys() -> None:
    x, y = X[:, :1], Y[:, :1]
    assert mmd_biased(x, y, negative_distance) == pytest.approx(
        energy_distance(x[:, 0], y[:, 0]) ** 2, rel=1e-9
    )


def test_the_value_is_the_u_statistic() -> None:
    found = energy(X, Y)
    assert found.value == pytest.approx(mmd_unbiased(X, Y, negative_distance), rel=1e-10)
    assert found.low < found.value < found.high
    assert (found.n, found.method) == (25, "energy distance, all pairs")


def test_the_energy_distance_of_far_points_is_twice_their_distance() -> None:
    assert energy(X, Y + 1e5).value == pytest.approx(2e5 * np.sqrt(3), rel=1e-3)


# ---- refusals


@pytest.mark.parametrize("function", [energy, sliced_wasserstein])
@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (X[:3], Y, "real has 3 samples; this metric needs at least 4"),
        (X, Y[:, :2], "real has 3 features and fake has 2"),
        (X, np.where(Y > 0, np.inf, Y), "samples of fake hold NaN or infinity"),
    ],
)
def test_what_cannot_be_measured_is_refused(function, real, fake, message: str) -> None:
    with pytest.raises(SparringError, match=message):
        function(real, fake)


def test_no_direction_is_refused() -> None:
    with pytest.raises(SparringError, match="directions is 0"):
        sliced_wasserstein(X, Y, directions=0)
