"""How good a generator is: features of its samples against data that it never saw.

Inside: which metrics make the card, what each is for a perfect generator at the same sizes, the
words, and the file. Not inside: drawing samples, extracting features, pictures (`assessment`).

Notation: real are held-out features (n, d), fake the generator's (m, d), train those it saw.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.arrays import Features
from sparring.metrics.classes import FAIR_SHARE, mode_coverage
from sparring.metrics.classifier import c2st
from sparring.metrics.copying import memorization
from sparring.metrics.diversity import vendi
from sparring.metrics.estimate import LEVEL, Estimate, told_p
from sparring.metrics.gaussians import frechet_streamed
from sparring.metrics.kernels import kid
from sparring.metrics.neighbours import prdc, prdc_baseline

Aim = Literal["lower", "higher", "as real"]
Tell = Callable[[str], None]
Given = NDArray[np.float32] | Features

FORMAT = 1
SEED = 0
MOST = 10_000  # samples on a side that metrics of all pairs look at
BATCH = 1_000
CERTAIN = 0.01  # p-value below which a test is said to have found something
BLATANT = 0.2  # preference for training data that only copies explain
TESTED = 2_000  # of each side; the classifier's time grows with the square


@dataclass(frozen=True)
class Line:
    """One line of the card: a metric, and what it is for real data against real data."""

    key: str
    name: str
    estimate: Estimate
    at_truth: Estimate | None  # p = q at the same sizes
    aim: Aim

    @property
    def words(self) -> str:
        """Say how the estimate stands to the truth's."""
        if self.estimate.p_value is not None:
            return _tested(self.key, self.estimate.value, self.estimate.p_value)
        if self.at_truth is None:
            return ""
        found, truth = self.estimate, self.at_truth
        if found.low <= truth.high and truth.low <= found.high:
            return "cannot be told from real data"
        return "above real data" if found.low > truth.high else "below real data"


@dataclass(frozen=True)
class Evaluation:
    """The whole card of one generator; `evaluation["kid"]` is an estimate."""

    run: str
    checkpoint: str
    images: int
    data: str  # judged by
    part: str  # of it: held_out, all, or train where nothing is held out
    fingerprint: str
    extractor: str
    digest: str
    width: int
    real: int  # samples
    fake: int
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    def __getitem__(self, key: str) -> Estimate:
        return self.estimates[key]

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every estimate by its key."""
        return {line.key: line.estimate for line in self.lines}

    def table(self) -> Iterator[str]:
        """Yield the card as lines of text: what, value and interval, the same for real, words."""
        yield (
            f"{self.run} at {self.images:,}: {self.fake:,} samples against {self.real:,} of "
            f"{self.data} ({self.part.replace('_', ' ')})"
        )
        yield f"features: {self.extractor} {self.digest}, {self.width} wide; 95 % intervals"
        yield ""
        yield f"{'':26}{'samples':>36}{'real against real':>33}"
        for line in self.lines:
            truth = "" if line.at_truth is None else shown(line.at_truth)
            yield f"{line.name:26}{shown(line.estimate):>36}{truth:>33}  {line.words}"
        yield from self.notes

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, the words included."""
        lines = [asdict(line) | {"words": line.words} for line in self.lines]
        return {"format": FORMAT} | asdict(self) | {"lines": lines, "notes": list(self.notes)}


def shown(estimate: Estimate) -> str:
    """Write an estimate and its interval."""
    value, low, high = (f"{x:.3g}" for x in (estimate.value, estimate.low, estimate.high))
    tested = "" if estimate.p_value is None else f", {told_p(estimate.p_value)}"
    return f"{value} [{low}, {high}]{tested}"


def measure(
    real: Given,
    fake: Given,
    train: Given,
    *,
    is_fid: bool,
    tell: Tell,
    skip: Tell,
) -> Iterator[Line]:
    """Yield the lines of the card; a metric that these features do not allow is left out.

    The Fréchet distance reads all features, batch by batch; the other metrics 10,000 of a side.

    Args:
        real: features to judge by, (n, d); the array may be mapped from a file.
        fake: the generator's, (m, d).
        train: of data that it was trained on, (l, d); as p = q, m of them at random stand in
            for the generator.
        is_fid: the features are those of the standard Inception network.
        tell: told the name of each metric in turn.
        skip: told which metric is left out, and why.
    """
    x, y = _some(real, MOST, "reals"), fake[:MOST].astype(np.float64)
    truth = _some(train, len(fake), "truth")
    steps: tuple[tuple[str, Callable[[], Iterator[Line]]], ...] = (
        ("kernel distance", lambda: _kernel(x, y, truth, is_fid)),
        ("Fréchet distance", lambda: _frechet(real, fake, truth, is_fid)),
        ("precision, recall, density, coverage", lambda: _neighbours(x, y)),
        ("Vendi diversity", lambda: _diversity(x, y)),
        ("classifier two-sample test", lambda: _told_apart(x, y)),
    )
    for name, lines in steps:
        tell(name)
        try:
            yield from list(lines())
        except SparringError as error:
            skip(f"{name} is left out: {error}")


def measure_copying(real: Given, fake: Given, train: Given) -> Iterator[Line]:
    """Yield whether the generator copies what it was trained on.

    The features must not have been learned from `train`: a network finds its own training data
    nearer to anything than data it has not seen, whoever made the samples.
    """
    reals, trained = (_some(one, MOST, "copied") for one in (real, train))
    found = memorization(fake[:MOST].astype(np.float64), trained, reals)
    yield Line("memorization", "prefers training data", found["preference"], None, "lower")
    honest = found["authenticity_held_out"]
    yield Line("authenticity", "authenticity", found["authenticity"], honest, "as real")


def measure_classes(
    asked: NDArray[np.int64], told: NDArray[np.int64], real: NDArray[np.int64], classes: int
) -> Iterator[Line]:
    """Yield what a classifier of the samples tells: classes found, and whether as asked for.

    Args:
        asked: the label that each sample was drawn for, (m,).
        told: the classifier's label of it, (m,).
        real: labels of real data, (n,).
        classes: how many there are.
    """
    right = int((asked == told).sum())
    interval = binomtest(right, len(told)).proportion_ci(LEVEL, "wilson")
    agreed = Estimate(right / len(told), interval.low, interval.high, len(told), "Wilson", LEVEL)
    yield Line("class_agreement", "class as asked for", agreed, None, "higher")
    try:
        found = mode_coverage(told, classes, reference=real)
    except SparringError:  # too few samples for so many classes, or a class that no real has
        return
    yield Line("classes", f"classes found, of {classes}", found.covered, None, "higher")
    yield Line("class_divergence", "KL of class shares", found.divergence, None, "lower")


def missing_classes(told: NDArray[np.int64], real: NDArray[np.int64], classes: int) -> list[int]:
    """Return the classes that get less than a tenth of their share; arguments as above."""
    found, due = (np.bincount(x, minlength=classes) / len(x) for x in (told, real))
    return [int(i) for i in np.flatnonzero(found < FAIR_SHARE * due)]


def _kernel(real: Features, fake: Features, truth: Features, is_fid: bool) -> Iterator[Line]:
    name = "KID" if is_fid else "kernel distance"
    yield Line("kid", name, kid(real, fake), kid(real, truth), "lower")


def _frechet(real: Given, fake: Given, truth: Features, is_fid: bool) -> Iterator[Line]:
    name = "FID, bias removed" if is_fid else "Fréchet distance"
    reals = _batches(real)
    found, perfect = frechet_streamed(reals, _batches(fake)), frechet_streamed(reals, [truth])
    yield Line("frechet", name, found, perfect, "lower")


def _batches(features: Given) -> list[Given]:
    return [features[start : start + BATCH] for start in range(0, len(features), BATCH)]


def _neighbours(real: Features, fake: Features) -> Iterator[Line]:
    found, perfect = prdc(real, fake), prdc_baseline(real, len(fake))
    for key, estimate in found.items():
        yield Line(key, key, estimate, perfect[key], "as real" if key == "density" else "higher")


def _diversity(real: Features, fake: Features) -> Iterator[Line]:
    yield Line("vendi", "Vendi diversity", vendi(fake), vendi(real), "as real")


def _told_apart(real: Features, fake: Features) -> Iterator[Line]:
    found = c2st(_some(real, TESTED, "tested reals"), _some(fake, TESTED, "tested fakes"))
    yield Line("c2st", "told from real, accuracy", found["accuracy"], None, "lower")


def _some(features: Given, most: int, purpose: str) -> Features:
    """Return at most so many rows, at random: data often come sorted by class."""
    chosen = permutation(SEED, f"evaluation/{purpose}", len(features))[:most]
    return features[chosen].astype(np.float64)


def _tested(key: str, value: float, p: float) -> str:
    if key == "memorization" and p < CERTAIN:
        return (
            "copies its training data"
            if value > BLATANT
            else "nearer to its training data than to data it never saw"
        )
    if key == "copies":
        return "copies whole rows" if p < CERTAIN else "no more copies than by nature"
    if key == "memorization":
        return "no sign of copying"
    return "can be told from real data" if p < CERTAIN else "cannot be told from real data"
