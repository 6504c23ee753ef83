"""Differences of KL divergences: on known densities, and of densities made of samples."""

import numpy as np
import pytest
from scipy.stats import norm, t

from sparring.errors import SparringError
from sparring.metrics import likelihoods
from sparring.metrics.likelihoods import feature_likelihood_divergence, relative_kl

RNG = np.random.default_rng(0)


def gaussian(n: int, shift: float = 0.0, width: int = 3) -> np.ndarray:
    return RNG.normal(shift, 1, (n, width))


def log_kernel(x: np.ndarray, centre: np.ndarray, sigma: float) -> float:
    return float(norm.logpdf(x, centre, sigma).sum())


# ---- of two models


def test_relative_kl_is_the_difference_of_two_gaussians_divergences() -> None:
    """KL(N(0, 1)‖N(μ, 1)) = μ²/2: of 0.6 it is .18, of 1 it is .5."""
    x = RNG.normal(size=4000)
    found = relative_kl(norm.logpdf(x, 0.6), norm.logpdf(x, 1.0))
    assert found.low < 0.18 - 0.5 < found.high < 0
    assert found.value == pytest.approx(np.mean(norm.logpdf(x, 1) - norm.logpdf(x, 0.6)))
    assert found.p_value is not None
    assert found.p_value < 1e-6


def test_the_other_order_turns_everything_over() -> None:
    a, b = RNG.normal(size=50), RNG.gamma(0.5, size=50)
    there, back = relative_kl(a, b), relative_kl(b, a)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low)
    )
    assert there.p_value == pytest.approx(back.p_value)


def test_without_skewness_the_interval_is_students() -> None:
    differences = np.concatenate([np.arange(-10.0, 11.0)])
    found = relative_kl(np.zeros(21), differences)
    reach = t.ppf(0.975, 20) * differences.std(ddof=1) / 21**0.5
    assert (found.low, found.high) == pytest.approx((-reach, reach))
    assert found.p_value == pytest.approx(1)


def test_the_interval_is_where_the_test_ends() -> None:
    """Moved by either end of its 95 % interval, the difference has a p-value of 5 %."""
    b = RNG.exponential(size=30)
    found = relative_kl(np.zeros(30), b)
    assert found.high - found.value > found.value - found.low  # the long tail is above
    for end in (found.low, found.high):
        assert relative_kl(np.full(30, end), b).p_value == pytest.approx(0.05)


def test_models_that_agree_on_every_item_are_equal() -> None:
    assert relative_kl(np.ones(20), np.ones(20)).p_value == 1
    assert relative_kl(np.ones(20), np.zeros(20)).p_value == 0


# ---- of samples


def test_the_value_is_that_of_mixtures_written_longhand() -> None:
    real, fake, train = gaussian(40), gaussian(40, 0.5), gaussian(60)
    found = feature_likelihood_divergence(real, fake, train)
    real = real[likelihoods.permutation(0, "halves that change places", 40)]

    def nearest(x: np.ndarray, others: np.ndarray) -> np.ndarray:
        far = np.linalg.norm(x[:, None] - others, axis=2)
        return np.where(far > 0, far, np.inf).min(1)

    some = train[likelihoods.permutation(0, "as many as centres", 60)[:20]]
    usual, sparse = np.median(nearest(train, train)), np.median(nearest(some, some))
    middle, broad = train.mean(0), train.var(0).mean() ** 0.5

    def explained(centres: np.ndarray, items: np.ndarray) -> float:
        reach = np.maximum(nearest(centres, train), usual / 4) * sparse / usual
        each = [
            [log_kernel(x, c, r / 3**0.5) for c, r in zip(centres, reach, strict=True)]
            + [log_kernel(x, middle, broad)]
            for x in items
        ]
        return float((np.log(np.exp(each).sum(1)) - np.log(21)).mean())

    halves = (real[:20], real[20:])
    losses = [
        explained(here, there) - explained(some, there)
        for here, there in (halves, halves[::-1])
        for some in (fake[:20], fake[20:])
    ]
    assert found.value == pytest.approx(100 / 3 * np.mean(losses), rel=1e-9)


@pytest.fixture(scope="module")
def sets() -> tuple[np.ndarray, ...]:
    """Return three samples of ten modes in eight dimensions, and which mode the last are of."""
    modes, which = 4 * RNG.normal(size=(10, 8)), RNG.integers(10, size=(3, 500))
    real, train, fresh = modes[which] + RNG.normal(size=(3, 500, 8))
    return real, train, fresh, which[2]


def test_a_perfect_generator_is_at_zero(sets) -> None:
    real, train, fresh, _ = sets
    found = feature_likelihood_divergence(real, fresh, train)
    assert found.low < 0 < found.high


@pytest.mark.parametrize("fault", ["noise", "bad", "dropped", "copies"])
def test_noise_missing_modes_and_copies_all_raise_it(sets, fault: str) -> None:
    real, train, fresh, modes = sets
    fake = {
        "noise": fresh + RNG.normal(size=fresh.shape),
        "bad": np.concatenate([fresh[:250], RNG.permuted(fresh[250:], axis=0)]),
        "dropped": fresh[modes > 4],
        "copies": np.concatenate([fresh[:250], train[:250]]),
    }[fault]
    assert feature_likelihood_divergence(real, fake, train).low > 0


def test_far_samples_cost_no_more_than_the_broad_gaussian_leaves(sets) -> None:
    real, train, *_ = sets
    away, farther = (
        feature_likelihood_divergence(real, real * 0 + far + 1e-3 * gaussian(500, 0, 8), train)
        for far in (1e3, 1e6)
    )
    assert away.value == pytest.approx(farther.value, abs=1)
    assert 0 < away.value < 300


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: relative_kl(np.ones(9), np.ones(9)), "9 items to compare models by"),
        (lambda: relative_kl(np.ones(10), np.ones(11)), r"shapes \(10,\) and \(11,\)"),
        (lambda: relative_kl(np.full(10, np.inf), np.ones(10)), "10 of 10 items differ by no"),
        (
            lambda: feature_likelihood_divergence(gaussian(50), gaussian(39), gaussian(50)),
            "fake has 39 samples",
        ),
        (
            lambda: feature_likelihood_divergence(*[gaussian(50, width=w) for w in (2, 3, 3)]),
            "are 2, 3 and 3 wide",
        ),
        (
            lambda: feature_likelihood_divergence(gaussian(50), gaussian(50), np.ones((50, 3))),
            "repeat another",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(call, told: str) -> None:
    with pytest.raises(SparringError, match=told):
        call()
