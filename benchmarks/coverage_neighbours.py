"""How often the intervals of the neighbour metrics hold the truth, and how often their tests err.

python -m benchmarks.coverage_neighbours [--rounds 400] [--measures prdc,c2st,…] [--families t8,…]

Each measure is taken of many independent samples of a known law. A row names its estimand. Where
that is an expectation at these sizes, it is the mean of the values over the rounds; where it
depends on the round (a classifier, a quantiser), it is found with 20,000 fresh samples. A wide
interval is no virtue: `width` is its mean over that of a normal one of the true spread.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from sparring.metrics.classifier import c2st, train_classifier
from sparring.metrics.clipped import clipped_density_coverage
from sparring.metrics.copying import memorization
from sparring.metrics.diversity import vendi
from sparring.metrics.estimate import Estimate
from sparring.metrics.frontiers import mauve, quantiser, score
from sparring.metrics.likelihoods import feature_likelihood_divergence, relative_kl
from sparring.metrics.neighbours import prdc, prdc_baseline

Samples = NDArray[np.float64]
NORMAL = 1.959963984540054
ALPHA = 0.05
WIDTH = 8
FRESH = 20_000
PERMUTATIONS = 99
FAMILIES = ("gaussian", "t8", "relu")
MIXING = np.random.default_rng(7).normal(size=(6, WIDTH)) / np.sqrt(6)
SCALES = np.arange(1, WIDTH + 1) ** -0.5


def draw(family: str, rng: np.random.Generator, n: int, difference: float = 0.0) -> Samples:
    """Draw n samples; a difference shifts them and takes part of their variety."""
    squeeze, shift = 1 - 0.4 * difference, 0.5 * difference
    match family:
        case "gaussian":
            return (rng.normal(size=(n, WIDTH)) * squeeze + shift) * SCALES
        case "t8":
            return (rng.standard_t(8, size=(n, WIDTH)) * squeeze + shift) * SCALES
    hidden = rng.normal(size=(n, len(MIXING))) * squeeze + shift
    return np.maximum(hidden @ MIXING + 0.3 * rng.normal(size=(n, WIDTH)) + 0.5, 0.01)


@dataclass(frozen=True)
class Found:
    """One estimate of one round; `truth` None for the mean of the values over all rounds."""

    estimate: Estimate
    truth: float | str | None = None  # a name: the mean of that measure's values
    interval: bool = True  # else only the test counts


Round = Mapping[str, Found]
Experiment = Callable[[str, int], Round]  # of a family and a seed


@dataclass(frozen=True)
class Row:
    """What came of all rounds of one measure."""

    measure: str
    family: str
    truth: float
    rounds: int
    held: int | None  # intervals that hold the truth
    rejected: int | None  # p-values up to 5 %; None for what is no test
    width: float

    def __str__(self) -> str:
        held = f"{'':17}"
        if self.held is not None:
            held = f"{self.held / self.rounds:10.1%}{self.width:7.2f}"
        rejects = "" if self.rejected is None else f"{self.rejected / self.rounds:9.1%}"
        return f"{self.measure:60}{self.family:9}{self.truth:9.4f}{held}{rejects}"


def neighbours(difference: float) -> Experiment:
    """200 reals, 300 fakes; the baseline is held against precision and recall at p = q."""

    def once(family: str, seed: int) -> Round:
        rng = np.random.default_rng(seed)
        x, y = draw(family, rng, 200), draw(family, rng, 300, difference)
        found = {name: Found(one) for name, one in prdc(x, y, seed=seed).items()}
        if difference:
            return found
        for name in ("precision", "recall"):
            found[f"baseline of {name}"] = Found(prdc_baseline(x, 300, seed=seed)[name], name)
        return found

    return once


def linear(difference: float, bad: float = 0) -> Experiment:
    """200 reals, 300 fakes, a share of them far from all; at p = q both scores are 1."""

    def once(family: str, seed: int) -> Round:
        rng = np.random.default_rng(seed)
        x, y = draw(family, rng, 200), draw(family, rng, 300, difference)
        y[rng.random(300) < bad] += 100
        truth = None if difference or bad else 1.0
        return {
            name: Found(one, truth)
            for name, one in clipped_density_coverage(x, y, seed=seed).items()
        }

    return once


def explained(difference: float, copied: float = 0) -> Experiment:
    """120 reals, 200 fakes, a share of them copies; the training set stays, and is given."""

    def once(family: str, seed: int) -> Round:
        trained = draw(family, np.random.default_rng(10**6), 300)
        rng = np.random.default_rng(seed)
        x, y = draw(family, rng, 120), draw(family, rng, 200, difference)
        copies = rng.random(200) < copied
        y[copies] = trained[rng.integers(0, 300, copies.sum())]
        truth = None if difference or copied else 0.0
        return {"divergence": Found(feature_likelihood_divergence(x, y, trained, seed=seed), truth)}

    return once


def models(items: int) -> Experiment:
    """So many items; the estimand is the difference of two known models' divergences."""

    def once(family: str, seed: int) -> Round:
        x = draw(family, np.random.default_rng(seed), items)
        found = relative_kl(*log_models(family, x))
        return {f"{items} items": Found(found, relative_kl_of(family))}

    return once


def log_models(family: str, x: Samples) -> tuple[Samples, Samples]:
    """Return the log-densities of a Gaussian fitted to the law, and of one shifted and wider."""
    mean, covariance = moments_of(family)
    near = multivariate_normal.logpdf(x, mean, covariance)
    return near, multivariate_normal.logpdf(x, mean + 0.1, 1.5 * covariance)


@cache
def moments_of(family: str) -> tuple[Samples, Samples]:
    """Return mean and covariance of the law, as found from 20,000 samples."""
    law = draw(family, np.random.default_rng(1), FRESH)
    return law.mean(0), np.cov(law.T)


@cache
def relative_kl_of(family: str) -> float:
    """Return the difference over 200,000 items: a thirtieth of the error of 200."""
    near, off = log_models(family, draw(family, np.random.default_rng(2), 200_000))
    return float((off - near).mean())


def classifier(difference: float) -> Experiment:
    """200 of each; the estimand is this classifier's accuracy, or area, on all there is."""

    def once(family: str, seed: int) -> Round:
        rng = np.random.default_rng(seed)
        x, y = draw(family, rng, 200), draw(family, rng, 200, difference)
        judge = train_classifier(x, y, seed)
        real = judge.score(draw(family, rng, FRESH // 10))
        fake = judge.score(draw(family, rng, FRESH // 10, difference))
        below = np.searchsorted(np.sort(real), fake).mean() / len(real)
        truths = {"accuracy": ((real <= 0).mean() + (fake > 0).mean()) / 2, "auc": below}
        return {
            name: Found(one, float(truths[name])) for name, one in c2st(x, y, seed=seed).items()
        }

    return once


@cache
def diversity_of(family: str, order: int) -> float:
    """Return the score of a million samples: order 2 unbiased, order 1 by 1e-5 too low."""
    x = draw(family, np.random.default_rng(1), 1_000_000)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    spectrum = np.linalg.eigvalsh(x.T @ x / len(x))
    if order == 1:
        return float(np.exp(-(spectrum * np.log(spectrum)).sum()))
    return float((1 - 1 / len(x)) / (np.square(spectrum).sum() - 1 / len(x)))


def diversity(order: int) -> Experiment:
    """150 samples; the estimand is the population's score."""

    def once(family: str, seed: int) -> Round:
        x = draw(family, np.random.default_rng(seed), 150)
        return {f"order {order}": Found(vendi(x, order, seed=seed), diversity_of(family, order))}

    return once


def memory(copied: float) -> Experiment:
    """200 each of fake, train and held-out; the training set stays, and is given."""

    def once(family: str, seed: int) -> Round:
        trained = draw(family, np.random.default_rng(10**6), 200)
        rng = np.random.default_rng(seed)
        fakes, held = draw(family, rng, 200), draw(family, rng, 200)
        copies = rng.random(200) < copied
        sources = trained[rng.integers(0, 200, copies.sum())]
        fakes[copies] = sources + 0.02 * rng.normal(size=sources.shape)
        found = memorization(fakes, trained, held, permutations=PERMUTATIONS, seed=seed)
        return {
            name: Found(Estimate(one.value, one.low, one.high, one.n, one.method))
            for name, one in found.items()
        }

    return once


def no_memory(difference: float) -> Experiment:
    """150 each, all drawn anew; with a difference, only what compares the same fakes is a test."""

    def once(family: str, seed: int) -> Round:
        rng = np.random.default_rng(seed)
        sides = draw(family, rng, 150, difference), draw(family, rng, 150), draw(family, rng, 150)
        found = memorization(*sides, permutations=PERMUTATIONS, seed=seed)
        tests = ("copying", "preference") + (() if difference else ("c_t", "authenticity_gap"))
        return {name: Found(found[name], 0.0, interval=False) for name in tests}

    return once


def texts(difference: float) -> Experiment:
    """500 of each; the estimand is the score of these buckets' true probabilities."""

    def once(family: str, seed: int) -> Round:
        rng = np.random.default_rng(seed)
        x, y = draw(family, rng, 500), draw(family, rng, 500, difference)
        found = mauve(x, y, permutations=PERMUTATIONS, seed=seed)["mauve"]
        made = quantiser(x, y, int(found.method.split()[1]), seed)
        p = made.histogram(draw(family, rng, FRESH)) / FRESH
        q = made.histogram(draw(family, rng, FRESH, difference)) / FRESH
        return {"mauve": Found(found, score(p, q) if difference else 1.0)}

    return once


EXPERIMENTS: Mapping[str, Mapping[str, Experiment]] = {
    "prdc": {"p = q": neighbours(0), "different": neighbours(1)},
    "clipped": {"p = q": linear(0), "different": linear(1), "half of them bad": linear(0, 0.5)},
    "likelihood": {
        "p = q, given train": explained(0),
        "different, given train": explained(1),
        "half of them copies, given train": explained(0, 0.5),
    },
    "relative_kl": {"two models": models(200), "few": models(30)},
    "c2st": {"p = q": classifier(0), "different": classifier(1)},
    "vendi": {"order 2": diversity(2), "order 1": diversity(1)},
    "memorization": {
        "10 % copies, given train": memory(0.1),
        "none, given train": memory(0),
        "none": no_memory(0),
        "none, and fakes unlike reals": no_memory(1),
    },
    "mauve": {"p = q": texts(0), "different": texts(1), "a little": texts(0.4)},
}


def coverage(experiment: Experiment, title: str, family: str, rounds: int) -> list[Row]:
    """Repeat an experiment with seeds from 0 and count."""
    found: dict[str, list[Found]] = defaultdict(list)
    for seed in range(rounds):
        for name, one in experiment(family, seed).items():
            found[name].append(one)
    means = {name: float(np.mean([f.estimate.value for f in all_])) for name, all_ in found.items()}
    return [_row(f"{title}: {name}", family, all_, means, name) for name, all_ in found.items()]


def _row(title: str, family: str, found: list[Found], means: Mapping[str, float], name: str) -> Row:
    def truth(one: Found) -> float:
        return one.truth if isinstance(one.truth, float) else means[one.truth or name]

    estimates = [one.estimate for one in found]
    truths = [truth(one) for one in found]
    errors = [e.value - true for e, true in zip(estimates, truths, strict=True)]
    width = np.mean([e.high - e.low for e in estimates])
    spread = float(np.sqrt(np.mean(np.square(errors))))
    held = sum(e.low <= true <= e.high for e, true in zip(estimates, truths, strict=True))
    tested = [e.p_value for e in estimates if e.p_value is not None]
    return Row(
        title,
        family,
        float(np.mean(truths)),
        len(found),
        held if found[0].interval else None,
        sum(p <= ALPHA for p in tested) if tested else None,
        float(width / (2 * NORMAL * spread)) if spread else float("inf"),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Coverage of intervals and level of tests.")
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--measures", default=",".join(EXPERIMENTS))
    parser.add_argument("--families", default=",".join(FAMILIES))
    options = parser.parse_args(arguments)
    print(f"{options.rounds} rounds; intervals of 95 %, tests at 5 % (rejections at p ≠ q: power)")
    print(f"{'':60}{'family':9}{'truth':>9}{'coverage':>10}{'width':>7}{'rejects':>9}")
    for measure in options.measures.split(","):
        for situation, experiment in EXPERIMENTS[measure].items():
            for family in options.families.split(","):
                for row in coverage(experiment, f"{measure}, {situation}", family, options.rounds):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
