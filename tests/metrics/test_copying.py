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
from sparring.metrics.exchangeable import pool_of
from sparring.metrics.repeats import repeats_of

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
    ("share", "noise"),
    [(1, 0.5), (1, 0), (1, 3), (0.05, 0.5)],
    ids=["copies", "exact copies", "noisy copies", "one copy in twenty"],
)
def test_a_generator_that_copies_training_digits_is_caught(share: float, noise: float) -> None:
    fakes = copies(share, noise)
    found = memorization(fakes, TRAIN, HELD_OUT)
    for name in ("copying", "preference"):
        assert found[name].p_value < 0.01
    assert found["preference"].low > 0
    near = 0 if noise > 1 else share  # farther copies are found, and are not counted
    assert found["copying"].value == pytest.approx(near, abs=0.01)
    assert found["duplicates"].value == pytest.approx(near, abs=0.01)


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
    assert swapped["preference"].value == pytest.approx(-1, abs=0.05)
    assert swapped["preference"].p_value == 1


# ---- by definition

NO_REPEATS = repeats_of(*(np.arange(4.0)[:, None] + 4 * side for side in range(3)))
SMALL = [RNG.normal(size=(size, 3)) for size in (31, 25, 25)]  # fake, train, held-out


def relative(fake: np.ndarray, train: np.ndarray, held: np.ndarray, k: int) -> np.ndarray:
    a, b = (np.sort(cdist(fake, side), axis=1)[:, k - 1] for side in (held, train))
    return (a - b) / (a + b)


def test_preference_and_copying_are_their_formulas() -> None:
    """Twice as many trained on as held out: what is nearer by number is no preference."""
    fake, train, held = SMALL[0].copy(), np.concatenate([SMALL[1], SMALL[2] + 1]), SMALL[2]
    fake[:5] = train[:5] + 0.01
    found = memorization(fake, train, held)
    pool, is_train = np.concatenate([train, held]), np.arange(75) < 50
    means = [relative(fake, train, held, 1).mean()]
    for seed in range(300):
        sides = np.random.default_rng(seed).permutation(is_train)
        means.append(relative(fake, pool[sides], pool[~sides], 1).mean())
    expected = (means[0] - np.mean(means[1:])) / (1 - np.mean(means[1:]))
    assert found["preference"].value == pytest.approx(expected, abs=0.02)
    deviation = np.std(means[1:]) / (1 - np.mean(means[1:]))
    assert found["preference"].under_null.deviation == pytest.approx(deviation, rel=0.15)
    distances = np.sort(cdist(fake, pool), axis=1)
    near = distances[:, 0] <= distances[:, 4] / 3
    from_train = cdist(fake, pool).argmin(1) < 50
    expected = (near & from_train).mean() - 2 * (near & ~from_train).mean()
    assert found["copying"].value == pytest.approx(expected)
    to_train = np.sort(cdist(fake, train), axis=1)
    repeats = (to_train[:, 0] <= to_train[:, 4] / 3).mean()
    assert found["duplicates"].value == pytest.approx(repeats)


def test_nearness_is_as_strict_as_the_data_are_narrow() -> None:
    """In the plane a third of all points lie within a third; hardly any within a tenth."""
    rng = np.random.default_rng(3)
    fake, train, held = (rng.normal(size=(n, 2)) for n in (100, 400, 100))
    fake[:20] = train[:20]
    to_train = [np.sort(cdist(side, train), axis=1) for side in (fake, held)]
    repeats = [(near[:, 0] <= near[:, 4] / 10).mean() for near in to_train]
    assert repeats[1] <= 0.05 < (to_train[1][:, 0] <= to_train[1][:, 4] / 3).mean()
    found = memorization(fake, train, held, permutations=9)
    assert found["duplicates"].value == pytest.approx(repeats[0])
    assert found["duplicates_held_out"].value == pytest.approx(repeats[1])
    assert "within 0.1 of the fifth-nearest's distance" in found["copying"].method


@pytest.mark.parametrize("held_out", [5, 25])
def test_the_p_values_are_exact_over_the_labelings_of_one_pool(
    held_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the fakes are: P(p ≤ α) ≤ α when each labeling is as likely as any other.

    The fakes sit on part of the pool, so that the measure varies much with the labels; a third of
    the pool are equals, of which the order decides who is nearest.
    """
    monkeypatch.setattr(module, "HALF_SAMPLES", 2)
    fake, pool = SMALL[0].copy(), np.concatenate(SMALL[1:])
    pool[:16] = pool[16]
    fake[:20] = pool[::4][:13].repeat(2, axis=0)[:20]
    p_values = np.empty((150, 2))
    for turn in range(len(p_values)):
        order = np.random.default_rng(turn).permutation(50)
        sides = pool_of(50 - held_out, held_out)
        sources = module._sources(fake, pool[order], sides, turn)
        settings = module._Settings(19, 0.95, turn)
        found = module._copying(sources, NO_REPEATS, 1 / 3, settings)
        p_values[turn] = found.p_value, module._preference(sources, settings).p_value
    for level in (0.05, 0.25, 0.5):
        share = (p_values <= level).mean(0)
        assert (share - level < 3.5 * np.sqrt(level * (1 - level) / 150)).all()
    assert (p_values[:, 1] <= 0.5).mean() > 0.3


def test_few_exact_copies_are_proof_where_nothing_repeats_by_nature() -> None:
    """Twelve of 500 samples, at nine to one: by their labels alone p is .9¹² = .28."""
    fakes = FRESH.copy()
    fakes[:12] = TRAIN[:12]
    found = memorization(fakes, TRAIN[:540], HELD_OUT[:60])
    assert found["copying"].p_value < 0.005
    assert found["duplicates"].value == pytest.approx(12 / 500, abs=0.005)
    assert found["duplicates"].low > found["duplicates_held_out"].value


def test_repeats_are_counted_in_pairs_of_equals() -> None:
    """−MMD² by the kernel 1[x = y]; a perfect generator's p-values are as likely as any."""
    rng = np.random.default_rng(0)
    p_values = []
    for turn in range(150):
        fake, train, held = (rng.integers(0, 60, (n, 1)).astype(float) for n in (50, 80, 20))
        repeats = repeats_of(fake, train, held)
        p_values.append(repeats.p_value(99, turn))
    across, among, of_train = (
        float((a == b.T).mean()) for a, b in ((fake, train), (fake, fake), (train, train))
    )
    expected = 2 * across - (50 * among - 1) / 49 - (80 * of_train - 1) / 79
    assert repeats._statistic(repeats.fakes) == pytest.approx(expected)
    for level in (0.05, 0.25):
        share = np.mean(np.array(p_values) <= level)
        assert share - level < 3.5 * np.sqrt(level * (1 - level) / 150)


def test_a_generator_that_repeats_itself_does_not_copy() -> None:
    """Of its 500 samples 400 are alike, and one training digit is among them by chance."""
    fakes = FRESH.copy()
    fakes[:400] = FRESH[400]
    fakes[0] = TRAIN[0]
    assert memorization(fakes, TRAIN, HELD_OUT)["copying"].p_value > 0.05


def test_groups_change_sides_whole() -> None:
    """Fakes near ten recordings of 30 windows, nine of them trained on: that is chance."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 4))
    windows = (centres[:, None] + 0.1 * rng.normal(size=(20, 30, 4))).reshape(600, 4)
    fakes = centres[rng.integers(9, 19, 300)] + 0.1 * rng.normal(size=(300, 4))
    owner = np.arange(600) // 30
    train, held = owner < 18, owner >= 18
    sides = fakes, windows[train], windows[held]
    alone = memorization(*sides)["preference"]
    together = memorization(*sides, groups=(owner[train], owner[held]))["preference"]
    assert alone.p_value < 0.01 < 0.05 < together.p_value
    assert together.under_null.deviation > 2 * alone.under_null.deviation
    with pytest.raises(SparringError, match="1 groups have training and held-out items"):
        memorization(*sides, groups=(owner[train], owner[held] - 1))
    with pytest.raises(SparringError, match="expected one of each of 540 training and 60"):
        memorization(*sides, groups=(owner[train][1:], owner[held]))


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


def test_the_whole_training_set_is_searched_for_sources() -> None:
    """A generator of nothing but training digits, at nine to one: each of its sources is there."""
    found = memorization(copies(1)[:100], TRAIN, HELD_OUT[:67])
    assert found["preference"].p_value < 0.005
    assert found["copying"].p_value < 0.005
    assert found["preference"].value > 0.25
    assert found["copying"].value > 0.9
    exact = memorization(TRAIN[:300], TRAIN, HELD_OUT[:67])
    assert exact["preference"].value == exact["copying"].value == exact["duplicates"].value == 1


def test_what_share_of_copies_could_not_have_been_seen_is_known() -> None:
    """Nothing repeats: at 9:1 it takes .9^k < .0025, and 60 copies among 500 samples."""
    found = memorization(FRESH, TRAIN, HELD_OUT[:67])["copying"]
    least = found.under_null.deviation * (norm.isf(0.005) + norm.isf(0.2))
    assert 57 / 500 <= least < 0.15


def test_samples_that_are_all_alike_are_no_preference() -> None:
    one = np.ones((30, 2))
    found = memorization(one, one, one)
    assert (found["preference"].value, found["preference"].p_value) == (0, 1)
    assert found["copying"].value == pytest.approx(0, abs=0.2)
    assert found["copying"].p_value == 1
    assert found["authenticity_gap"].value == 0


def test_seed_and_level_and_tensors() -> None:
    found = memorization(*SMALL)
    assert memorization(*map(torch.from_numpy, SMALL)) == found
    other = memorization(*SMALL, seed=1)
    assert other["preference"].value == pytest.approx(found["preference"].value, abs=0.01)
    assert other["preference"].low != found["preference"].low
    narrow = memorization(*SMALL, level=0.5)
    for name, one in found.items():
        assert narrow[name].high < one.high
        assert {type(v) for v in (one.value, one.low, one.high)} == {float}
    assert memorization(*SMALL, permutations=9)["preference"].p_value * 10 % 1 == 0


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
