"""The intervals of the distances hold the truth, and their tests err as seldom as they say.

The long ones draw afresh what `python -m benchmarks.coverage_distances` prints.
"""

from importlib import import_module
from itertools import product
from math import sqrt
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sparring.metrics.estimate import Estimate
from sparring.metrics.gaussians import frechet_distance
from sparring.metrics.kernels import cubic, mmd_unbiased
from sparring.metrics.moments import Moments

ROOT = Path(__file__).parents[2]
FAMILIES = ("gaussian", "t8", "relu")
SIZES = ((16, 64), (16, 256), (64, 128))  # n/d of 4, 16 and 2
MEASURES = ("Fréchet", "KID", "MMD, rbf", "energy", "sliced W₂²")
ROUNDS = 250


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Return a function that imports a benchmark, which lies beside the package, not in it."""
    monkeypatch.syspath_prepend(ROOT)

    def load(name: str) -> ModuleType:
        return import_module(f"benchmarks.{name}")

    return load


def allowance(share: float, rounds: int) -> float:
    """Return how far a count of so many rounds may be off by chance, one time in two hundred."""
    return 2.58 * sqrt(share * (1 - share) / rounds)


# ---- the experiment itself


def test_the_truth_of_a_population_is_that_of_its_law(load) -> None:
    """Of 3 points each: moments with all weights, and MMD² with every pair, itself included."""
    experiment = load("coverage_distances")
    x, y = np.random.default_rng(0).normal(size=(2, 3, 2)) + 1
    population = experiment.Population(x, y)
    laws = [Moments(2, s.mean(0), np.cov(s, rowvar=False, ddof=0)) for s in (x, y)]
    assert frechet_distance(experiment.law(x), experiment.law(y)) == pytest.approx(
        frechet_distance(*laws)
    )
    signs = np.repeat([1 / 3, -1 / 3], 3)
    pool = np.concatenate([x, y])
    truth = experiment.squared_mmd(population, cubic)
    assert truth == pytest.approx(signs @ cubic(pool, pool) @ signs)
    drawn = [mmd_unbiased(x[list(i)], y[list(j)], cubic) for i, j in product(PAIRS, PAIRS)]
    assert np.mean(drawn) == pytest.approx(truth)  # over every sample of two a side


PAIRS = tuple(product(range(3), repeat=2))


def test_the_fakes_of_no_strength_are_the_reals(load) -> None:
    experiment = load("coverage_distances")
    for family in FAMILIES:
        same = experiment.make_population(family, 4, 0.0, samples=100)
        assert same.real is same.fake
        other = experiment.make_population(family, 4, 0.5, samples=100)
        assert not np.array_equal(other.real, other.fake)
    assert (other.real >= 0).all()
    assert (other.real == 0).any()


def test_misses_are_counted_on_their_side(load) -> None:
    experiment = load("coverage_distances")
    population = experiment.make_population("gaussian", 2, 0.0, samples=50)

    def estimate(x, y) -> Estimate:
        value = float(x[0, 0] > 0) + x[1, 0] * 1e-9
        return Estimate(value, value - 0.5, value + 0.5, len(x), "")

    found = experiment.coverage(experiment.Measure("", estimate, 0.0), population, 5, 200)
    positive = (population.real[:, 0] > 0).mean()
    assert found.too_high == pytest.approx(positive, abs=allowance(positive, 200))
    assert found.too_low == 0
    assert found.covered == pytest.approx(1 - found.too_high)
    spread = sqrt(found.too_high * (1 - found.too_high) * 200 / 199)
    assert found.width == pytest.approx(0.5 / 1.96 / spread, rel=1e-3)


def test_both_tables_are_printed(load, capsys) -> None:
    tiny = ["--rounds", "3", "--families", "t8", "--sizes", "2x20", "--strengths", "0.5"]
    load("coverage_distances").main([*tiny, "--pool", "60"])
    out = capsys.readouterr().out
    assert all(f"\n{name:10}" in out for name in MEASURES)
    assert "permutation, cubic kernel" in out
    assert out.count("difference, near") == out.count("difference, far") == 2


def test_the_benchmark_against_peers_runs_without_them(load, capsys) -> None:
    benchmark = load("metrics_distances")
    benchmark.main(["--width", "12", "--samples", "60", "--rounds", "2"])
    out = capsys.readouterr().out
    assert out.count("1.00x") == 4
    for title in ("given moments", "distance of features", "from itself", "KID, n = 60"):
        assert title in out


def test_the_formulas_that_stand_for_peers_are_right(load) -> None:
    benchmark = load("metrics_distances")
    real, fake = benchmark.features(80, 5)
    given = [(s.mean(0, dtype=float), np.cov(s, rowvar=False)) for s in (real, fake)]
    ours = frechet_distance(*(Moments(2, *one) for one in given))
    assert benchmark.by_square_root(*given) == pytest.approx(ours, rel=1e-8)
    assert benchmark.by_eigenvalues(*given) == pytest.approx(ours, rel=1e-8)
    assert benchmark.subsets(real, fake) == pytest.approx(mmd_unbiased(real, fake, cubic), rel=1e-4)


def test_a_peers_function_is_taken_out_of_its_file_alone(load, tmp_path: Path) -> None:
    (tmp_path / "peer").mkdir()
    (tmp_path / "peer" / "score.py").write_text(
        "import not_installed\n\ndef twice(x):\n    return 2 * helper(x)\n"
    )
    take = load("metrics_distances").taken
    found = take("peer/score.py", ["twice"], {"helper": lambda x: x + 1}, tmp_path)
    assert found["twice"](3) == 8
    assert take("peer/score.py", ["twice"], {}, None) is None


# ---- what it finds


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_intervals_hold_the_truth_at_least_93_times_in_100(load, family: str) -> None:
    experiment = load("coverage_distances")
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for (width, n), strength in product(SIZES, (0.0, 0.2, 1.0)):
        population = experiment.make_population(family, width, strength, samples=4000)
        for measure in experiment.measures(population):
            one = experiment.coverage(measure, population, n, ROUNDS)
            assert one.covered >= 0.93 - allowance(0.93, ROUNDS), (measure.name, width, strength)
            assert one.width < 1.75, (measure.name, width, strength)
            if strength == 1:
                assert one.width < 1.25, (measure.name, width, strength)
                assert abs(one.bias) < 0.4, (measure.name, width, strength)
            found[measure.name].append(one.covered)
    assert {name: np.mean(shares) >= 0.93 for name, shares in found.items()} == dict.fromkeys(
        MEASURES, True
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_tests_reject_what_is_true_at_most_7_times_in_100(load, family: str) -> None:
    experiment = load("coverage_distances")
    found = [experiment.levels(family, width, n, 2 * ROUNDS) for width, n in SIZES]
    for name in found[0]:
        shares = [one[name] for one in found]
        assert max(shares) <= 0.07 + allowance(0.07, 2 * ROUNDS), (name, shares)
        assert np.mean(shares) <= 0.07, (name, shares)
        if name.startswith("permutation"):
            assert np.mean(shares) >= 0.03, (name, shares)
