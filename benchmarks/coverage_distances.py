"""How often the intervals of the distances hold the truth, and how often their tests err.

python -m benchmarks.coverage_distances [--rounds 400] [--families relu,…] [--sizes 64x256,…]

A population is a finite pool of samples of each side, drawn once; a sample is drawn from it with
replacement. So the truth is not estimated: it is the same formula on the pools. A wide interval
is no virtue: its mean width is printed as a multiple of that of a normal one of the true spread.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sparring.metrics.estimate import Estimate
from sparring.metrics.gaussians import frechet, frechet_difference, frechet_distance
from sparring.metrics.kernels import Kernel, at_median, between, cubic, kid, kid_difference, mmd
from sparring.metrics.moments import Moments, moments
from sparring.metrics.permutation import two_sample_test
from sparring.metrics.transport import (
    energy,
    frames,
    negative_distance,
    sliced,
    sliced_wasserstein,
)

Pool = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, int]], Pool]
Estimator = Callable[[Pool, Pool], Estimate]
Setting = tuple[str, int, int]  # family, width, samples

SAMPLES = 10_000  # of a pool
DIRECTIONS = 32
SIZES = ((2, 100), (16, 64), (16, 256), (64, 128), (64, 512), (128, 256))  # width, samples
STRENGTHS = (0.0, 0.2, 0.5, 1.0)  # of the difference; 0 is p = q
NORMAL = 1.959963984540054

NOISES: Mapping[str, Noise] = {
    "gaussian": lambda rng, shape: rng.normal(size=shape),
    "t8": lambda rng, shape: rng.standard_t(8, size=shape) * np.sqrt(6 / 8),
    "relu": lambda rng, shape: rng.normal(size=shape),
}


@dataclass(frozen=True, eq=False)
class Population:
    """Two laws, each uniform over a pool."""

    real: Pool
    fake: Pool

    def draw(self, rng: np.random.Generator, n: int, fakes: int = 1) -> list[Pool]:
        """Return n reals and, so many times, n fakes."""
        pools = (self.real, *[self.fake] * fakes)
        return [pool[rng.integers(len(pool), size=n)] for pool in pools]


@dataclass(frozen=True)
class Measure:
    """An estimator and what it estimates."""

    name: str
    estimate: Estimator
    truth: float


@dataclass(frozen=True)
class Coverage:
    """What came of many samples."""

    truth: float
    rounds: int
    too_high: float  # share of intervals that lie above the truth
    too_low: float
    bias: float  # of the value, in its standard deviations
    width: float  # of the interval, relative to a normal one of the true spread

    @property
    def covered(self) -> float:
        """The share of intervals that hold the truth."""
        return 1 - self.too_high - self.too_low


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, measure and print both tables."""
    parser = argparse.ArgumentParser(description="Coverage of intervals and level of tests.")
    parser.add_argument("--rounds", type=int, default=400, help="samples drawn of each kind")
    parser.add_argument("--families", default=",".join(NOISES))
    parser.add_argument("--sizes", default=",".join(f"{d}x{n}" for d, n in SIZES))
    parser.add_argument("--strengths", default=",".join(map(str, STRENGTHS)))
    parser.add_argument("--pool", type=int, default=SAMPLES, help="samples that make a law")
    asked = parser.parse_args(arguments)
    sizes = [tuple(map(int, size.split("x"))) for size in asked.sizes.split(",")]
    settings = [(family, *size) for family in asked.families.split(",") for size in sizes]
    strengths = [float(one) for one in asked.strengths.split(",")]
    for line in coverage_table(settings, strengths, asked.rounds, asked.pool):
        print(line, flush=True)
    for line in level_table(settings, asked.rounds, asked.pool):
        print(line, flush=True)


def coverage_table(
    settings: Sequence[Setting], strengths: Sequence[float], rounds: int, samples: int
) -> Iterator[str]:
    """Yield a row for each measure of each population."""
    columns = "".join(f"{one:>8}" for one in ("truth", "bias/sd", "covers", "above", "below"))
    yield f"{'95 % intervals':34}{columns}{'width':>7}"
    for (family, width, n), strength in product(settings, strengths):
        population = make_population(family, width, strength, samples)
        for measure in measures(population):
            found = coverage(measure, population, n, rounds)
            yield (
                f"{measure.name:10}{family:>9}{f'{width} x {n}':>9}{strength:>6.1f}"
                f"{found.truth:8.4f}{found.bias:8.2f}{found.covered:8.1%}{found.too_high:8.1%}"
                f"{found.too_low:8.1%}{found.width:7.2f}"
            )


def level_table(settings: Sequence[Setting], rounds: int, samples: int) -> Iterator[str]:
    """Yield a row for each test in each setting."""
    yield f"\n{'5 % tests of what is true':48}{'rejects':>9}"
    for family, width, n in settings:
        for name, share in levels(family, width, n, rounds, samples).items():
            yield f"{name:30}{family:>9}{f'{width} x {n}':>9}{share:9.1%}"


def make_population(
    family: str, width: int, strength: float, samples: int = SAMPLES, seed: int = 0
) -> Population:
    """Return pools whose features have a falling spectrum, or are the outputs of a ReLU layer.

    With the strength the fakes turn, stretch and shift. Without any they are the same pool.
    """
    rng = np.random.default_rng(seed)
    noise = partial(NOISES[family], rng, (samples, width))
    if family == "relu":
        weights, other = rng.normal(size=(2, width, width)) / np.sqrt(width)
        real = np.maximum(noise() @ weights + 0.2, 0)
        fake = np.maximum(noise() @ (weights + strength * other) + 0.2 + 0.3 * strength, 0)
    else:
        spread = 1 / np.sqrt(np.arange(1, width + 1))
        turn = np.linalg.qr(rng.normal(size=(width, width)))[0]
        real = noise() * spread
        fake = noise() * spread * np.linspace(1 - strength / 2, 1 + strength / 2, width)
        fake = fake + strength / 2 * (fake @ turn - fake) + strength / 5 * spread
    return Population(real, fake if strength else real)


def measures(population: Population) -> tuple[Measure, ...]:
    """Return each distance with its truth on these pools."""
    real, fake = population.real, population.fake
    radial = at_median(real, fake)
    along = frames(real.shape[1], DIRECTIONS, np.random.default_rng(0))  # as the metric draws them
    return (
        Measure("Fréchet", frechet, frechet_distance(law(real), law(fake))),
        Measure("KID", kid, squared_mmd(population, cubic)),
        Measure("MMD, rbf", partial(mmd, kernel=radial), squared_mmd(population, radial)),
        Measure("energy", energy, squared_mmd(population, negative_distance)),
        Measure(
            "sliced W₂²",
            partial(sliced_wasserstein, directions=DIRECTIONS),
            sliced(real, fake, along).value,
        ),
    )


def law(pool: Pool) -> Moments:
    """Return the moments of the law that is uniform over a pool: covariances over n, not n − 1."""
    found = moments(pool)
    return Moments(found.n + 1, found.mean, found.scatter)


def squared_mmd(population: Population, kernel: Kernel) -> float:
    """Return MMD² of the two laws: all pairs, each sample with itself as well."""
    real, fake = population.real, population.fake
    own = (between(pool, pool, kernel).mean for pool in (real, fake))
    return sum(own) - 2 * between(real, fake, kernel).mean


def coverage(measure: Measure, population: Population, n: int, rounds: int) -> Coverage:
    """Draw as often as asked and count what the intervals hold."""
    rng = np.random.default_rng(1)
    found = [measure.estimate(*population.draw(rng, n)) for _ in range(rounds)]
    values, low, high = (
        np.array([getattr(one, end) for one in found]) for end in ("value", "low", "high")
    )
    spread = values.std(ddof=1)
    return Coverage(
        measure.truth,
        rounds,
        float((low > measure.truth).mean()),
        float((high < measure.truth).mean()),
        float((values.mean() - measure.truth) / spread),
        float((high - low).mean() / (2 * NORMAL * spread)),
    )


def levels(
    family: str, width: int, n: int, rounds: int, samples: int = SAMPLES
) -> dict[str, float]:
    """Return how often each test rejects at 5 % what is true.

    The permutation test: p = q. The paired differences: two sets of fakes of one law, close to
    the reals or far from them.
    """
    rng = np.random.default_rng(2)
    same, near, far = (make_population(family, width, one, samples) for one in (0.0, 0.2, 1.0))
    tests: dict[str, Callable[[], Estimate]] = {
        "permutation": lambda: two_sample_test(*same.draw(rng, n), permutations=99),
        "permutation, cubic kernel": lambda: two_sample_test(
            *same.draw(rng, n), kernel=cubic, permutations=99
        ),
    }
    for how, population in (("near", near), ("far", far)):
        for name, test in (("Fréchet", frechet_difference), ("KID", kid_difference)):
            tests[f"{name} difference, {how}"] = partial(
                lambda test, population: test(*population.draw(rng, n, fakes=2)), test, population
            )
    return {name: _rejects(test, rounds) for name, test in tests.items()}


def _rejects(test: Callable[[], Estimate], rounds: int) -> float:
    p_values = [test().p_value for _ in range(rounds)]
    return float(np.mean([p is not None and p <= 0.05 for p in p_values]))


if __name__ == "__main__":
    main()
