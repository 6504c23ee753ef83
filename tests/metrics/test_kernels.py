"""KID and its kin: against the plain formulas, exact means over small spaces, and refusals.

Unbiasedness over every sample of a small space is row 20 of the theory (`test_evaluation`).
Coverage of the intervals is measured in `test_coverage_distances`.
"""

import tracemalloc
from itertools import product

import numpy as np
import pytest
import torch

from sparring.errors import SparringError
from sparring.metrics import kernels
from sparring.metrics.kernels import (
    BLOCK,
    at_median,
    between,
    block_pairs,
    cubic,
    kid,
    kid_difference,
    linear,
    median_distance,
    mmd,
    mmd_biased,
    mmd_unbiased,
    rbf,
    squared_distances,
    within,
)
from sparring.metrics.normal import quantile

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)) + 0.5
Y = RNG.normal(size=(45, 5)) * 1.2
ALL = {"cubic": cubic, "linear": linear, "rbf": rbf(2.0)}
each_kernel = pytest.mark.parametrize("kernel", ALL.values(), ids=ALL.keys())


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into blocks that divide neither 60 nor 45."""
    monkeypatch.setattr(kernels, "BLOCK", 17)


def error_of(estimate) -> float:
    """Return the standard error: the interval solves (F̂ − F)² = z² (V + b (F − F̂))."""
    reach = np.sqrt((estimate.value - estimate.low) * (estimate.high - estimate.value))
    return float(reach / quantile(0.95))


# ---- kernels


def test_kernels_are_their_formulas() -> None:
    for i, j in product(range(4), range(3)):
        x, y = X[i], Y[j]
        assert cubic(X, Y)[i, j] == pytest.approx((x @ y / 5 + 1) ** 3)
        assert linear(X, Y)[i, j] == pytest.approx(x @ y)
        assert squared_distances(X, Y)[i, j] == pytest.approx(np.square(x - y).sum())
        assert rbf(0.7)(X, Y)[i, j] == pytest.approx(np.exp(-np.square(x - y).sum() / 0.98))


def test_distances_keep_their_digits_far_from_the_origin() -> None:
    far = np.array([[1e6, 1e6], [1e6 + 1e-3, 1e6]])
    assert squared_distances(far, far)[0, 1] == pytest.approx(1e-6, rel=1e-6)
    assert (squared_distances(far, far) >= 0).all()


def test_the_median_distance_is_that_of_the_pool_and_knows_no_labels() -> None:
    pool = np.concatenate([X, Y])
    apart = np.sqrt(squared_distances(pool, pool)[np.triu_indices(105, 1)])
    assert median_distance(X, Y) == pytest.approx(np.median(apart))
    assert median_distance(pool[:20], pool[20:]) == pytest.approx(median_distance(X, Y))
    many = np.random.default_rng(1).normal(size=(5000, 2))
    assert median_distance(many[:4000], many[4000:]) == pytest.approx(1.66, rel=0.05)


# ---- sums over blocks


@pytest.mark.parametrize("n", [1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_block_pairs_visit_each_pair_once(n: int) -> None:
    seen = np.zeros((n, n), np.int8)
    for i, j in block_pairs(n):
        seen[i, j] += 1
    above = np.triu_indices(n)
    assert (seen[above] == 1).all()


@each_kernel
@pytest.mark.usefixtures("small_blocks")
def test_means_within_and_between_are_those_of_the_whole_matrix(kernel) -> None:
    k = kernel(X, X)
    np.fill_diagonal(k, 0)
    own, cross = within(X, kernel), between(X, Y, kernel)
    np.testing.assert_allclose(own.first, k.sum(1) / 59, rtol=1e-12)
    assert own.mean == pytest.approx(k.sum() / (60 * 59), rel=1e-12)
    k = kernel(X, Y)
    np.testing.assert_allclose(cross.first, k.mean(1), rtol=1e-12)
    np.testing.assert_allclose(cross.second, k.mean(0), rtol=1e-12)
    assert cross.mean == pytest.approx(k.mean(), rel=1e-12)


@each_kernel
@pytest.mark.usefixtures("small_blocks")
def test_the_value_is_the_u_statistic_written_at_length(kernel) -> None:
    value = mmd(X, Y, kernel=kernel).value
    assert value == pytest.approx(mmd_unbiased(X, Y, kernel), rel=1e-11)
    at_length = (
        sum(kernel(X[[i]], X[[j]])[0, 0] for i in range(60) for j in range(60) if i != j) / 3540
        + sum(kernel(Y[[i]], Y[[j]])[0, 0] for i in range(45) for j in range(45) if i != j) / 1980
        - 2 * sum(kernel(X[[i]], Y[[j]])[0, 0] for i in range(60) for j in range(45)) / 2700
    )
    assert value == pytest.approx(at_length, rel=1e-10)


@each_kernel
def test_the_v_statistic_is_the_distance_of_the_two_samples(kernel) -> None:
    signs = np.concatenate([np.full(60, 1 / 60), np.full(45, -1 / 45)])
    pool = np.concatenate([X, Y])
    expected = signs @ kernel(pool, pool) @ signs
    assert mmd_biased(X, Y, kernel) == pytest.approx(expected, rel=1e-10)
    assert mmd_biased(X, X, kernel) == pytest.approx(0, abs=1e-12)


def test_the_linear_kernel_measures_the_squared_distance_of_the_means() -> None:
    step = X.mean(0) - Y.mean(0)
    noise = X.var(0, ddof=1).sum() / 60 + Y.var(0, ddof=1).sum() / 45
    assert mmd(X, Y, kernel=linear).value == pytest.approx(step @ step - noise)


def test_kid_is_the_mean_over_equal_subsets_that_others_print() -> None:
    """torch-fidelity's and clean-fid's formula on the one subset that is everything."""
    x, y = X[:45], Y
    k11, k22, k12 = cubic(x, x), cubic(y, y), cubic(x, y)
    m = 45
    others = (k11.sum() - np.trace(k11) + k22.sum() - np.trace(k22)) / (m * (m - 1))
    others -= 2 * k12.sum() / m**2
    assert kid(x, y).value == pytest.approx(others, rel=1e-10)


def test_float32_features_of_a_large_mean_have_the_distance_of_the_same_numbers() -> None:
    """Products taken in float32 gave 2.6 times the value, a fifth of an interval away elsewhere."""
    rng = np.random.default_rng(2)
    x, y = ((1000 + 0.1 * rng.normal(size=(200, 64))).astype(np.float32) for _ in range(2))
    assert kid(torch.from_numpy(x), y) == kid(x.astype(np.float64), y.astype(np.float64))
    assert kid_difference(x, y, x[:100]) == kid_difference(
        *(s.astype(float) for s in (x, y, x[:100]))
    )


def test_memory_is_linear_in_the_number_of_samples() -> None:
    def peak(n: int) -> int:
        x = np.random.default_rng(0).normal(size=(n, 2))
        tracemalloc.start()
        kid(x, x + 1)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4 * BLOCK) < 1.3 * peak(2 * BLOCK)


# ---- the variance


def exact_moments(points: np.ndarray, n: int, m: int) -> tuple[float, float, float]:
    """Return the variance of the U-statistic, and the mean of its estimate, over all samples."""
    total = square = estimated = 0.0
    for x in product(points, repeat=n):
        for y in product(points + 0.5, repeat=m):
            found = mmd(np.stack(x), np.stack(y), kernel=cubic)
            total += found.value
            square += found.value**2
            estimated += error_of(found) ** 2
    count = len(points) ** (n + m)
    return square / count - (total / count) ** 2, estimated / count, total / count


def test_the_variance_and_the_mean_of_its_estimate_are_those_of_hoeffdings_decomposition() -> None:
    """Over all 2⁸ samples of a two-point space: the second-order term counts twice."""
    x, n = np.array([[-1.0], [0.8]]), 4
    y = x + 0.5
    variance, estimated, mean = exact_moments(x, n, n)
    kxx, kyy, kxy = cubic(x, x), cubic(y, y), cubic(x, y)
    assert mean == pytest.approx(kxx.mean() + kyy.mean() - 2 * kxy.mean())
    ways = ((kxx.mean(1), kxy.mean(1)), (kyy.mean(1), kxy.mean(0)))
    rests = [k - k.mean(0) - k.mean(1)[:, None] + k.mean() for k in (kxx, kyy, kxy)]
    txx, tyy, txy = (np.square(rest).mean() for rest in rests)
    first = 4 / n * sum((own - cross).var() for own, cross in ways)
    second = 2 * (txx + tyy) / (n * (n - 1)) + 4 * txy / n**2
    assert variance == pytest.approx(first + second, rel=1e-9)
    left = (n - 2) / (n - 1)  # of a sample's own effect, which its fellows' mean contains too
    first = 4 / n * sum((left * own - cross).var() for own, cross in ways)
    second = 4 / n * (left * (txx + tyy) / (n - 1) + 2 * txy / n)
    assert estimated == pytest.approx(first + second, rel=1e-9)


def test_the_error_is_that_of_a_mean_where_the_kernel_is_a_product() -> None:
    """With few fakes far off, MMD² with the linear kernel is nearly linear in the samples."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(400, 2)), rng.normal(size=(300, 2)) * 2 + 50
    step = x.mean(0) - y.mean(0)
    expected = (2 * x @ step).var(ddof=1) / 400 + (2 * y @ step).var(ddof=1) / 300
    assert error_of(mmd(x, y, kernel=linear)) == pytest.approx(np.sqrt(expected), rel=5e-3)


def test_an_estimate_says_what_it_is() -> None:
    found = kid(X, Y)
    assert (found.n, found.level, found.method) == (45, 0.95, "KID, all pairs")
    assert found.low < found.value < found.high
    assert kid(X, Y, level=0.5).high < found.high


def test_the_interval_reaches_further_up_than_down() -> None:
    found = mmd(X, Y)
    assert found.high - found.value > found.value - found.low


# ---- two generators on the same reals


def test_the_difference_is_that_of_the_two_kids() -> None:
    b = X[:40] * 0.8
    found = kid_difference(X, Y, b)
    assert found.value == pytest.approx(kid(X, Y).value - kid(X, b).value, rel=1e-9)
    assert found.n == 40
    back = kid_difference(X, b, Y)
    assert back.value == pytest.approx(-found.value)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    assert back.p_value == pytest.approx(found.p_value)


def test_what_the_reals_share_makes_the_difference_more_certain() -> None:
    rng = np.random.default_rng(5)
    real, a, b = rng.normal(size=(60, 4)), *(rng.normal(size=(2, 2000, 4)) + 1)
    quadrature = np.hypot(*(error_of(kid(real, fake)) for fake in (a, b)))
    found = kid_difference(real, a, b)
    assert (found.high - found.low) / 2 / 1.96 < 0.6 * quadrature


def test_a_worse_generator_is_told_from_a_better() -> None:
    rng = np.random.default_rng(6)
    real, near, far = rng.normal(size=(3, 300, 4)) + np.array([0, 0.1, 1.5])[:, None, None]
    found = kid_difference(real, far, near)
    assert found.low > 0
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert kid_difference(real, near, near).p_value == 1


# ---- refusals


@pytest.mark.parametrize("function", [kid, mmd])
@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (X[:3], Y, "real has 3 samples; this metric needs at least 4"),
        (X, Y[:, :2], "real has 5 features and fake has 2"),
        (X, np.where(Y > 0, np.nan, Y), "samples of fake hold NaN"),
        (X, Y[0], r"shape \(5,\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(function, real, fake, message: str) -> None:
    with pytest.raises(SparringError, match=message):
        function(real, fake)


@pytest.mark.parametrize("bandwidth", [0, -1, np.nan])
def test_a_bandwidth_is_a_distance(bandwidth: float) -> None:
    with pytest.raises(SparringError, match="bandwidth is"):
        rbf(bandwidth)


def test_a_median_of_zero_is_refused_with_advice() -> None:
    same = np.ones((20, 3))
    with pytest.raises(SparringError, match="give a kernel"):
        at_median(same, same)
    with pytest.raises(SparringError, match="give a kernel"):
        mmd(same, same)
    assert mmd(same, same, kernel=rbf(1)).value == 0


def test_a_level_is_a_probability() -> None:
    with pytest.raises(SparringError, match="level is 95"):
        kid(X, Y, level=95)
