"""Memorisation on real digits and by definition: who is caught, who is not, and how exactly."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu, norm
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from sparring.errors import SparringError
from sparring.metrics import copying as module
from sparring.metrics.copying import memorization

RNG = np.random.default_rng(0)
DIGITS = load_digits().data[RNG.permutation(1797)]  # 8 × 8 pixels from 0 to 16
TRAIN, HELD_OUT, FRESH = DIGITS[:600], DIGITS[600:1200], DIGITS[1200:1700]


def copies(share: float, noise: float = 0.5) -> np.ndarray:
    """Return fresh digits with this share of them replaced by training digits and small noise."""
    fakes = FRESH.copy()
    some = int(share * len(fakes))
    fakes[:some] = TRAIN[RNG.integers(0, 600, some)] + noise * RNG.normal(size=(some, 64))
    return fakes


def fitted_gaussian(components: int = 15) -> np.ndarray:
    """Return samples of a Gaussian that was fitted to the training digits, and copies none."""
    fit = PCA(components).fit(TRAIN)
    codes = RNG.normal(size=(500, components)) * np.sqrt(fit.explained_variance_)
    rest = (TRAIN - fit.inverse_transform(fit.transform(TRAIN))).std(0)
    return fit.inverse_transform(codes) + rest * RNG.normal(size=(500, 64))


# ---- who is caught


@pytest.mark.parametrize(
    "fakes",
    [copies(1), copies(1, 0), copies(1, 3), copies(0.05)],
    ids=["copies", "exact copies", "noisy copies", "one copy in twenty"],
)
def test_a_generator_that_copies_training_digits_is_caught(fakes: np.ndarray) -> None:
    found = memorization(fakes, TRAIN, HELD_OUT)
    for name in ("copying", "preference"):
        assert found[name].p_value < 0.01
        assert found[name].low > 0


def test_fresh_digits_and_a_fitted_gaussian_are_not_caught() -> None:
    for fakes in (FRESH, fitted_gaussian()):
        found = memorization(fakes, TRAIN, HELD_OUT)
        assert found["copying"].p_value > 0.05
        assert found["copying"].low < 0
        assert abs(found["preference"].value) < 0.02
        assert found["authenticity_gap"].p_value > 0.05


def test_held_out_digits_are_as_far_from_the_training_set_as_fresh_ones() -> None:
    found = memorization(FRESH, TRAIN, HELD_OUT)
    assert abs(found["c_t"].value) < 2
    gap = found["authenticity_gap"]
    assert gap.low < 0 < gap.high
    assert gap.value == pytest.approx(
        found["authenticity_held_out"].value - found["authenticity"].value
    )


def test_all_measures_see_plain_copies() -> None:
    found = memorization(copies(1), TRAIN, HELD_OUT)
    for name in ("copying", "preference", "c_t", "authenticity_gap"):
        assert found[name].p_value < 0.01, name
    assert found["c_t"].value < -10
    assert found["authenticity"].value == 0 < found["authenticity"].high < 0.01
    assert found["preference"].value > 0.5


def test_blurred_copies_escape_c_t_and_authenticity_but_not_preference() -> None:
    """They are farther from the training set than real digits are, yet nearer to their sources."""
    found = memorization(copies(1, 4), TRAIN, HELD_OUT)
    assert found["c_t"].p_value > 0.99
    assert found["authenticity_gap"].p_value > 0.99
    assert found["preference"].p_value < 0.01
    assert found["copying"].p_value < 0.01


def test_exact_copies_prefer_the_training_set_altogether() -> None:
    found = memorization(TRAIN[:200], TRAIN, HELD_OUT)
    assert found["preference"].value == found["preference"].high == 1
    assert found["authenticity"].value == 0
    swapped = memorization(TRAIN[:200], HELD_OUT, TRAIN)
    assert swapped["preference"].value == -1
    assert swapped["preference"].p_value == 1


# ---- by definition

SMALL = [RNG.normal(size=(size, 3)) for size in (31, 25, 25)]  # fake, train, held-out


def relative(fake: np.ndarray, train: np.ndarray, held: np.ndarray, k: int) -> np.ndarray:
    a, b = (np.sort(cdist(fake, side), axis=1)[:, k - 1] for side in (held, train))
    return (a - b) / (a + b)


def test_preference_and_copying_are_their_formulas() -> None:
    found = memorization(*SMALL)
    assert found["preference"].value == pytest.approx(relative(*SMALL, 1).mean())
    expected = relative(*SMALL, 1).mean() - relative(*SMALL, 5).mean()
    assert found["copying"].value == pytest.approx(expected)
    fake, train, held = SMALL
    swapped = memorization(fake, held, train)
    assert swapped["copying"].value == pytest.approx(-expected)


def test_the_p_values_are_exact_over_the_labelings_of_one_pool() -> None:
    """Whatever the fakes are: P(p ≤ α) ≤ α when each labeling is as likely as any other.

    The fakes sit on part of the pool, so that the measure varies much with the labels.
    """
    fake, pool = SMALL[0].copy(), np.concatenate(SMALL[1:])
    fake[:15] = pool[::4][:13].repeat(2, axis=0)[:15]
    p_values = np.empty((200, 2))
    for turn in range(len(p_values)):
        order = np.random.default_rng(turn).permutation(50)
        found = module._preferences(fake, pool[order[:25]], pool[order[25:]], 19, 0.95, turn)
        p_values[turn] = found["copying"].p_value, found["preference"].p_value
    for level in (0.05, 0.25, 0.5):
        share = (p_values <= level).mean(0)
        assert (np.abs(share - level) < 3.5 * np.sqrt(level * (1 - level) / 200)).all()


def test_c_t_is_the_mann_whitney_score_in_one_cell_and_their_weighted_mean_in_more() -> None:
    fake, train, held = SMALL
    a, b = (cdist(side, train).min(1) for side in (held, fake))
    exact = mannwhitneyu(a, b, method="asymptotic", use_continuity=False)
    z = (exact.statistic - 25 * 31 / 2) / np.sqrt(25 * 31 * 57 / 12)
    found = memorization(*SMALL)["c_t"]
    assert found.value == pytest.approx(-z)  # larger if fakes are farther
    assert found.p_value == pytest.approx(norm.cdf(-z))


def test_cells_are_weighted_by_held_out_samples_and_standardised() -> None:
    """Meehan's average of N(0, 1) scores over cells has variance Σw², not 1."""
    rng = np.random.default_rng(1)
    held = module._Near(np.repeat([0, 1], [90, 30]), rng.normal(size=120))
    fakes = module._Near(np.repeat([0, 1, 2], [40, 50, 10]), rng.normal(size=100))
    found = module._c_t(held, fakes, np.arange(3), 0.95)
    scores = []
    for cell in (0, 1):
        x, y = held.distance[held.owner == cell], fakes.distance[fakes.owner == cell]
        n, m = len(x), len(y)
        below = (x[:, None] < y).sum()
        scores.append((below - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))
    expected = (0.75 * scores[0] + 0.25 * scores[1]) / np.hypot(0.75, 0.25)
    assert found.value == pytest.approx(expected)
    assert "2 cells" in found.method
    assert found.low == pytest.approx(expected - 1.96, abs=0.35)


def test_authenticity_is_the_share_beyond_the_training_samples_own_distance() -> None:
    fake, train, held = SMALL
    between = (cdist(train, train) + np.diag(np.full(25, np.inf))).min(1)
    found = memorization(*SMALL)
    for name, side in (("authenticity", fake), ("authenticity_held_out", held)):
        to_train = cdist(side, train)
        assert found[name].value == (to_train.min(1) > between[to_train.argmin(1)]).mean()


def test_the_gap_in_authenticity_counts_clusters_not_samples() -> None:
    """Ten fakes at each of twelve training samples, all or none of them authentic."""
    flags, owners = np.repeat(RNG.integers(0, 2, 12), 10), np.repeat(np.arange(12), 10)
    apart = np.array([1, 0, 1, 1] * 10), np.arange(12, 52)
    fakes, held = module._Near(owners, flags + 0.5), module._Near(apart[1], apart[0] + 0.5)
    found = module._authenticity(held, fakes, np.ones(60), 0.95)["authenticity_gap"]
    share = flags.mean()
    variance = (np.sum((flags[::10] - share) ** 2) / 144 + 0.75 * 0.25 / 40) * 52 / 51
    assert found.value == pytest.approx(0.75 - share)
    assert found.high - found.value == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)
    assert found.p_value == pytest.approx(norm.sf(found.value / np.sqrt(variance)))
    lone = module._Near(np.arange(40), np.ones(40))
    never = module._authenticity(lone, lone, np.ones(60), 0.95)["authenticity_gap"]
    plus_four = 1 / 42 * 41 / 42 / 42  # one more of each kind on each side
    assert never.high == pytest.approx(1.959964 * np.sqrt(2 * plus_four), rel=1e-6)


# ---- how it is called


def test_of_a_larger_training_set_as_many_are_taken_as_are_held_out() -> None:
    found = memorization(copies(1)[:100], TRAIN, HELD_OUT[:150])
    assert "150 training against 150 held-out" in found["preference"].method
    assert found["preference"].p_value < 0.01
    assert found["preference"].value < 0.5  # three copies in four lost their source
    assert found["authenticity"].value == 0  # where the whole set is asked


def test_samples_that_are_all_alike_are_no_preference() -> None:
    one = np.ones((30, 2))
    found = memorization(one, one, one)
    assert (found["preference"].value, found["preference"].p_value) == (0, 1)
    assert found["copying"].p_value == 1
    assert found["authenticity_gap"].value == 0


def test_seed_and_level_and_tensors() -> None:
    found = memorization(*SMALL)
    assert memorization(*map(torch.from_numpy, SMALL)) == found
    other = memorization(*SMALL, seed=1)
    assert other["preference"].value == pytest.approx(found["preference"].value)
    assert other["preference"].low != found["preference"].low
    narrow = memorization(*SMALL, level=0.5)
    for name, one in found.items():
        assert narrow[name].high < one.high
        assert {type(v) for v in (one.value, one.low, one.high)} == {float}
    assert memorization(*SMALL, permutations=9)["copying"].p_value * 10 % 1 == 0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: memorization(FRESH, TRAIN, HELD_OUT[:19]), "held_out has 19 samples"),
        (lambda: memorization(FRESH[:, :9], TRAIN, HELD_OUT), "9 of fake, 64 of train, 64 of"),
        (
            lambda: memorization(FRESH, np.full_like(TRAIN, np.nan), HELD_OUT),
            "600 of 600 samples of train hold NaN or infinity",
        ),
        (lambda: memorization(*SMALL, permutations=0), "permutations is 0; expected at least 1"),
        (lambda: memorization(*SMALL, level=2), "level is 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, told: str) -> None:
    with pytest.raises(SparringError, match=told):
        call()
