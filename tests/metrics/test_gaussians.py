"""The Fréchet distance: closed forms, peers' formulas, its bias, its interval, its refusals.

Coverage of the intervals is measured in `test_coverage_distances`.
"""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from sparring.errors import SparringError
from sparring.metrics.estimate import Estimate
from sparring.metrics.gaussians import (
    couple,
    expected_bias,
    frechet,
    frechet_difference,
    frechet_distance,
    frechet_plug_in,
    frechet_streamed,
)
from sparring.metrics.moments import Moments, moments

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(6, 6))
X = RNG.normal(size=(400, 6)) @ MIXING + 1
Y = RNG.normal(size=(300, 6)) @ (MIXING + 0.3 * RNG.normal(size=(6, 6)))


def gaussian(mean: np.ndarray, covariance: np.ndarray) -> Moments:
    return Moments(2, mean, covariance)


def by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    """Return what pytorch-fid and clean-fid compute."""
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    step = x.mean(0) - y.mean(0)
    return float(step @ step + np.trace(s1 + s2 - 2 * np.real(sqrtm(s1 @ s2))))


def by_eigenvalues(x: np.ndarray, y: np.ndarray) -> float:
    """Return what torch-fidelity and torchmetrics compute."""
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    step = x.mean(0) - y.mean(0)
    roots = np.sqrt(np.linalg.eigvals(s1 @ s2).astype(complex)).real.sum()
    return float(step @ step + np.trace(s1 + s2) - 2 * roots)


# ---- the plug-in


def test_the_plug_in_is_that_of_the_formulas_of_others() -> None:
    expected = by_sqrtm(X, Y)
    assert by_eigenvalues(X, Y) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(moments(X), moments(Y)) == pytest.approx(expected, rel=1e-10)
    assert frechet_plug_in(X, Y) == pytest.approx(expected, rel=1e-10)
    assert frechet(X, Y, corrected=False).value == pytest.approx(expected, rel=1e-10)


def test_it_does_not_matter_which_side_is_real() -> None:
    assert frechet_plug_in(Y, X) == pytest.approx(frechet_plug_in(X, Y), rel=1e-10)
    there, back = frechet(X, Y), frechet(Y, X)
    assert back.value == pytest.approx(there.value, rel=1e-10)
    assert (back.low, back.high) == pytest.approx((there.low, there.high), rel=1e-9)


def test_torch_and_float32_features_are_taken_as_they_are() -> None:
    single = X.astype(np.float32)
    expected = frechet(single.astype(np.float64), Y)
    assert frechet(torch.from_numpy(single), torch.from_numpy(Y)) == expected


def test_a_set_is_at_no_distance_from_itself() -> None:
    assert frechet_plug_in(X, X) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(5, 7), (10, 60), (60, 10), (20, 20)])
def test_fewer_samples_than_features_lose_no_digits(n: int, m: int) -> None:
    """With covariances, the square root of rounding would be left: 1e-8 of each feature."""
    wide = np.random.default_rng(1).normal(size=(n, 20)) + 3
    other = np.random.default_rng(2).normal(size=(m, 20))
    if n == m:
        assert abs(frechet_plug_in(wide, wide)) < 1e-12
    a, b = ((s - s.mean(0)) / np.sqrt(len(s) - 1) for s in (wide, other))
    expected = np.square(wide.mean(0) - other.mean(0)).sum() + np.square(a).sum()
    expected += np.square(b).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()
    assert frechet_plug_in(wide, other) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dead", [(0,), (5,), (2, 3), (0, 1, 2, 3, 4, 5)])
def test_dead_features_add_only_their_means_and_the_other_sides_spread(dead: tuple) -> None:
    x = X.copy()
    x[:, dead] = 2
    alive = [i for i in range(6) if i not in dead]
    apart = np.square(2 - Y[:, dead].mean(0)).sum() + Y[:, dead].var(0, ddof=1).sum()
    expected = apart + (by_eigenvalues(x[:, alive], Y[:, alive]) if alive else 0)
    for first, second in ((x, Y), (Y, x)):
        assert frechet_plug_in(first, second) == pytest.approx(expected, rel=1e-8)
        assert frechet(first, second, corrected=False).value == pytest.approx(expected, rel=1e-8)
        assert np.isfinite(frechet(first, second).high)


def test_a_feature_given_twice_is_no_trouble() -> None:
    x, y = (np.concatenate([s, s[:, :1]], 1) for s in (X, Y))
    turn = np.eye(7)
    turn[[0, 0, 6, 6], [0, 6, 0, 6]] = np.array([1, 1, 1, -1]) / np.sqrt(2)
    turned = frechet((x @ turn)[:, :6], (y @ turn)[:, :6])
    whole = frechet(x, y)
    assert whole.value == pytest.approx(turned.value, rel=1e-6)
    assert whole.high == pytest.approx(turned.high, rel=1e-6)


def test_a_generator_that_repeats_one_sample_is_at_the_distance_of_its_point() -> None:
    fake = np.tile(Y[0], (50, 1))
    expected = np.square(X.mean(0) - Y[0]).sum() + X.var(0, ddof=1).sum()
    assert frechet_plug_in(X, fake) == pytest.approx(expected)
    found = frechet(X, fake)  # here the distance is E|x − y₀|², whose mean is unbiased
    truth = np.square(X - Y[0]).sum(1)
    assert found.value == pytest.approx(truth.mean(), rel=1e-10)
    assert found.high - found.low == pytest.approx(
        2 * 1.96 * truth.std(ddof=1) / np.sqrt(len(X)), rel=0.05
    )


# ---- the coupling


def test_the_coupling_makes_both_sides_white_and_maps_one_to_the_other() -> None:
    first, second = moments(X), moments(Y)
    coupling = couple(first, second)
    for side, one in enumerate((first, second)):
        w = coupling.whiteners[side]
        np.testing.assert_allclose(w.T @ one.covariance @ w, np.eye(6), atol=1e-9)
    v = coupling.whiteners[0]
    transport = v @ np.diag(coupling.gains) @ v.T
    np.testing.assert_allclose(
        transport @ first.covariance @ transport, second.covariance, rtol=1e-8, atol=1e-8
    )


def test_the_curvature_of_a_sample_is_its_weighted_sum_of_fourth_powers() -> None:
    first, second = moments(X), moments(Y)
    coupling = couple(first, second)
    g = coupling.gains
    weights = np.outer(g, g) / np.add.outer(g, g)
    z = np.square((Y - second.mean) @ coupling.whiteners[1])
    expected = np.einsum("ni,ij,nj->n", z, weights, z)
    np.testing.assert_allclose(coupling.influence(1, Y)[:, 1], expected, rtol=1e-8)


@pytest.mark.parametrize("side", [0, 1])
def test_the_influence_is_the_derivative_of_the_distance_in_a_samples_weight(side: int) -> None:
    """Tilt one side's law towards one sample by ε; the distance changes by ε times influence."""
    sets, epsilon = (X, Y), 1e-6
    laws = [gaussian(s.mean(0), np.cov(s, rowvar=False, ddof=0)) for s in sets]
    coupling = couple(*laws)
    influence = coupling.influence(side, sets[side])[:, 0]
    for sample in (0, 17, 113):
        distances = []
        for step in (epsilon, -epsilon):
            weights = np.full(len(sets[side]), (1 - step) / len(sets[side]))
            weights[sample] += step
            mean = weights @ sets[side]
            centred = sets[side] - mean
            tilted = [*laws]
            tilted[side] = gaussian(mean, centred.T @ (weights[:, None] * centred))
            distances.append(frechet_distance(*tilted))
        slope = (distances[0] - distances[1]) / (2 * epsilon)
        assert influence[sample] - influence.mean() == pytest.approx(slope, rel=1e-5, abs=1e-5)


# ---- the bias


def grid(weights: dict[float, int], width: int) -> np.ndarray:
    """Return a design: each point of a product grid as often as its integer weight."""
    line = np.repeat(list(weights), list(weights.values()))
    return np.stack(np.meshgrid(*[line] * width), -1).reshape(-1, width)


def test_the_first_order_bias_of_gaussians_is_the_closed_form() -> None:
    """√3 × {−1, 0, 0, 0, 0, 1} has the moments of N(0, 1) up to the fifth; so have its powers."""
    design = np.sqrt(3) * grid({-1.0: 1, 0.0: 4, 1.0: 1}, 3)
    one = gaussian(design.mean(0), np.cov(design, rowvar=False, ddof=0))
    coupling = couple(one, one)
    for side in range(2):
        curved = coupling.influence(side, design)[:, 1].mean()
        bias = np.trace(one.covariance) + (curved - coupling.gains.sum() / 2) / 2
        assert bias == pytest.approx(expected_bias(3, 1, 10**15), rel=1e-9)


def test_on_average_the_plug_in_is_too_large_by_its_expected_bias_and_the_estimate_is_not() -> None:
    width, n, rounds = 4, 60, 400
    draws = np.random.default_rng(3).normal(size=(rounds, 2, n, width))
    plug_in = np.array([frechet_plug_in(x, y) for x, y in draws])
    star = np.array([frechet(x, y).value for x, y in draws])
    bias, error = expected_bias(width, n, n), 3 / np.sqrt(rounds)
    assert plug_in.mean() == pytest.approx(bias, abs=error * plug_in.std() + 0.1 * bias)
    assert abs(star.mean()) < error * star.std() < bias / 4


def test_the_bias_is_removed_where_it_is_several_times_the_distance() -> None:
    """Width 48 and 144 samples: the truth is 0.48, the plug-in more than twice that."""
    rng = np.random.default_rng(4)
    spread, shift = 1 / np.sqrt(np.arange(1, 49)), np.full(48, 0.1)
    values = []
    for _ in range(30):
        x, y = rng.normal(size=(2, 144, 48)) * spread
        values.append((frechet_plug_in(x, y + shift), frechet(x, y + shift).value))
    plug_in, star = np.array(values).T
    assert plug_in.mean() > 2 * 0.48
    assert star.mean() == pytest.approx(0.48, abs=3 * star.std() / np.sqrt(30) + 0.01)
    assert star.std() < 1.2 * plug_in.std()


# ---- the estimate


def test_an_estimate_says_what_it_is() -> None:
    found, plain = frechet(X, Y), frechet(X, Y, corrected=False)
    assert (found.n, found.level) == (300, 0.95)
    assert found.method == "Fréchet distance, bias removed"
    assert "interval is for its mean at these sizes" in plain.method
    for one in (found, plain):
        assert one.low < one.value < one.high
    assert found.value < plain.value


def test_a_higher_level_is_a_wider_interval() -> None:
    usual, sure = frechet(X, Y), frechet(X, Y, level=0.99)
    assert sure.value == usual.value
    assert sure.low < usual.low < usual.high < sure.high


def test_classes_that_come_sorted_or_in_turn_are_shared_out_to_both_halves() -> None:
    """Were the halves the first and the last, each would hold one class and the rest be wrong."""
    rng = np.random.default_rng(5)
    classes = rng.normal(size=(2, 200, 4)) + np.array([[[6.0]], [[-6.0]]])
    fake = rng.normal(size=(400, 4)) + rng.choice([6.0, -6.0], size=(400, 1))
    in_order = frechet(classes.reshape(-1, 4), fake)
    in_turn = frechet(classes.swapaxes(0, 1).reshape(-1, 4), fake)
    plain = frechet(classes.reshape(-1, 4), fake, corrected=False)
    reach = (in_order.high - in_order.low) / 2
    for one in (in_order, in_turn):
        assert abs(one.value - plain.value) < reach


def test_batches_of_any_size_give_the_same_estimate() -> None:
    x, y = X.repeat(12, 0), Y.repeat(12, 0)
    expected = frechet(x, y)
    pieces = [x[start : start + 700] for start in range(0, len(x), 700)]
    assert frechet_streamed(pieces, [y[:1], y[1:]]) == expected


def test_streaming_holds_a_few_blocks_however_long_the_source() -> None:
    class Source:
        def __init__(self, batches: int) -> None:
            self.batches = batches

        def __iter__(self) -> Iterator[np.ndarray]:
            for seed in range(self.batches):
                yield np.random.default_rng(seed).normal(size=(500, 12))

    def peak(batches: int) -> tuple[Estimate, int]:
        tracemalloc.start()
        found = frechet_streamed(Source(batches), Source(12))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, most

    found, most = peak(120)
    assert (found.n, most < 1.2 * peak(12)[1]) == (6000, True)
    whole = np.concatenate(list(Source(120)))
    assert found == frechet(whole, np.concatenate(list(Source(12))))


# ---- two generators on the same reals


def test_the_difference_is_that_of_the_two_distances() -> None:
    a, b = Y, Y[:250] * 1.1
    found = frechet_difference(X, a, b)
    assert found.value == pytest.approx(frechet(X, a).value - frechet(X, b).value, rel=1e-9)
    assert found.low < found.value < found.high
    assert found.n == 250
    assert found.p_value is not None
    assert 0 < found.p_value < 1


def test_the_sides_of_a_difference_change_its_sign_only() -> None:
    there, back = frechet_difference(X, Y, X * 0.9), frechet_difference(X, X * 0.9, Y)
    assert back.value == pytest.approx(-there.value)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert back.p_value == pytest.approx(there.p_value)


def test_what_the_reals_share_makes_the_difference_more_certain() -> None:
    """Two generators with the same fault, far from the reals: most of the error is the reals'."""
    rng = np.random.default_rng(6)
    real, a, b = rng.normal(size=(200, 4)), *(rng.normal(size=(2, 2000, 4)) + 2)
    apart = [frechet(real, fake) for fake in (a, b)]
    quadrature = np.hypot(*(one.high - one.low for one in apart))
    found = frechet_difference(real, a, b)
    assert found.high - found.low < 0.5 * quadrature


def test_the_error_of_a_difference_is_that_of_the_differing_influences() -> None:
    """Raised by n / (n − d/2) on each side, for the map was fitted to the same samples."""
    sets = X, Y, Y[:200] * 1.3
    to_a, to_b = (couple(moments(X), moments(fake)) for fake in sets[1:])
    influences = (
        to_a.influence(0, X)[:, 0] - to_b.influence(0, X)[:, 0],
        to_a.influence(1, sets[1])[:, 0],
        to_b.influence(1, sets[2])[:, 0],
    )
    variance = sum(one.var(ddof=1) / (len(one) - 6 / 2) for one in influences)
    found = frechet_difference(*sets)
    assert found.high - found.value == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)


def test_a_worse_generator_is_told_from_a_better() -> None:
    found = frechet_difference(X, X[:200] * 2, X[200:])
    assert found.low > 0
    assert found.p_value is not None
    assert found.p_value < 1e-6


# ---- refusals


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (X[:11], Y, "real has 11 samples of width 6.* at least 12: use kid"),
        (X, Y[:11], "fake has 11 samples of width 6"),
        (X, Y[:, :5], "real has 6 features and fake has 5"),
        (X, np.where(Y > 0, np.nan, Y), "samples of fake hold NaN"),
        (X[0], Y, r"shape \(6,\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    real: np.ndarray, fake: np.ndarray, message: str
) -> None:
    with pytest.raises(SparringError, match=message):
        frechet(real, fake)
    assert frechet(X[:12], Y[:12]).n == 12


@pytest.mark.parametrize("level", [0, 1, -0.5, 95])
def test_a_level_is_a_probability(level: float) -> None:
    with pytest.raises(SparringError, match="level"):
        frechet(X, Y, level=level)


def test_a_source_that_can_be_read_once_is_refused() -> None:
    with pytest.raises(SparringError, match="fake can be read only once"):
        frechet_streamed([X], iter([Y]))


def test_a_source_that_changes_is_refused() -> None:
    class Growing:
        def __init__(self) -> None:
            self.times = 0

        def __iter__(self) -> Iterator[np.ndarray]:
            self.times += 1
            yield from [X] * self.times

    with pytest.raises(SparringError, match="when read again"):
        frechet_streamed(Growing(), [Y])


def test_streams_and_moments_of_other_widths_are_refused() -> None:
    with pytest.raises(SparringError, match="real has 6 features and fake has 5"):
        frechet_streamed([X], [Y[:, :5]])
    with pytest.raises(SparringError, match="real has 6 features and fake has 5"):
        frechet_distance(moments(X), moments(Y[:, :5]))
