"""How good a generator is: features of its samples against data that it never saw.

Inside: which metrics make the card, what each is for a perfect generator at the same sizes, the
words, and the file. Not inside: drawing samples, extracting features, pictures (`assess`).

Notation: real are held-out features (n, d), fake the generator's (m, d), train those it saw.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.metrics.arrays import Features
from sparring.metrics.classes import MIN_CLASS_SHARE, mode_coverage
from sparring.metrics.classifier import c2st
from sparring.metrics.copying import memorization
from sparring.metrics.diversity import vendi
from sparring.metrics.estimate import CARD_DIGITS, Estimate, format_estimate
from sparring.metrics.gaussians import frechet_streamed
from sparring.metrics.kernels import kid
from sparring.metrics.line import CardLine, Note
from sparring.metrics.neighbours import prdc, prdc_baseline
from sparring.metrics.proportions import wilson_share

AnyFeatures = NDArray[np.float32] | Features

FORMAT = 1
SEED = 0
MAX_SAMPLES = 10_000  # on a side, of metrics that look at all pairs
BATCH = 1_000
MAX_TESTED = 2_000  # of each side; the classifier's time grows with the square


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
    lines: tuple[CardLine, ...]
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
            fake = format_estimate(line.estimate, CARD_DIGITS)
            real = format_estimate(line.real_vs_real, CARD_DIGITS) if line.real_vs_real else ""
            yield f"{line.name:26}{fake:>36}{real:>33}  {line.words}"
        yield from self.notes

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, the words included."""
        lines = [line.as_json() for line in self.lines]
        return {"format": FORMAT} | asdict(self) | {"lines": lines, "notes": list(self.notes)}


def measure(
    real: AnyFeatures,
    fake: AnyFeatures,
    train: AnyFeatures,
    *,
    is_fid: bool,
    begin: Callable[[str], None],
    note: Note,
) -> Iterator[CardLine]:
    """Yield the lines of the card; a metric that these features do not allow is left out.

    The Fréchet distance reads all features, batch by batch; the other metrics 10,000 of a side.

    Args:
        real: features to judge by, (n, d); the array may be mapped from a file.
        fake: the generator's, (m, d).
        train: of data that it was trained on, (l, d); as p = q, m of them at random stand in
            for the generator.
        is_fid: the features are those of the standard Inception network.
        begin: called with the name of each metric in turn.
        note: called with which metric is left out, and why.
    """
    x, y = _at_random(real, MAX_SAMPLES, "reals"), fake[:MAX_SAMPLES].astype(np.float64)
    truth = _at_random(train, len(fake), "truth")
    steps: tuple[tuple[str, Callable[[], Iterator[CardLine]]], ...] = (
        ("kernel distance", lambda: _kernel(x, y, truth, is_fid)),
        ("Fréchet distance", lambda: _frechet(real, fake, truth, is_fid)),
        ("precision, recall, density, coverage", lambda: _neighbours(x, y)),
        ("Vendi diversity", lambda: _diversity(x, y)),
        ("classifier two-sample test", lambda: _told_apart(x, y)),
    )
    for name, lines in steps:
        begin(name)
        try:
            yield from list(lines())
        except SparringError as error:
            note(f"{name} is left out: {error}")


def measure_copying(real: AnyFeatures, fake: AnyFeatures, train: AnyFeatures) -> Iterator[CardLine]:
    """Yield whether the generator copies what it was trained on.

    The features must not have been learned from `train`: a network finds its own training data
    nearer to anything than data it has not seen, whoever made the samples.
    """
    reals, trained = (_at_random(side, MAX_SAMPLES, "copied") for side in (real, train))
    copying = memorization(fake[:MAX_SAMPLES].astype(np.float64), trained, reals)
    yield CardLine("memorization", "prefers training data", copying["preference"], None, "lower")
    held_out = copying["authenticity_held_out"]
    yield CardLine("authenticity", "authenticity", copying["authenticity"], held_out, "as real")


def measure_classes(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], real: NDArray[np.int64], classes: int
) -> Iterator[CardLine]:
    """Yield what a classifier of the samples tells: classes found, and whether as asked for.

    Args:
        labels: the label that each sample was drawn for, (m,).
        predicted: the classifier's label of it, (m,).
        real: labels of real data, (n,).
        classes: how many there are.
    """
    right = int((labels == predicted).sum())
    agreed = wilson_share(right, len(predicted))
    yield CardLine("class_agreement", "class as asked for", agreed, None, "higher")
    try:
        coverage = mode_coverage(predicted, classes, reference=real)
    except SparringError:  # too few samples for so many classes, or a class that no real has
        return
    yield CardLine("classes", f"classes found, of {classes}", coverage.covered, None, "higher")
    yield CardLine("class_divergence", "KL of class shares", coverage.divergence, None, "lower")


def missing_classes(
    predicted: NDArray[np.int64], real: NDArray[np.int64], classes: int
) -> list[int]:
    """Return the classes that get less than a tenth of their share; arguments as above."""
    shares, due = (np.bincount(x, minlength=classes) / len(x) for x in (predicted, real))
    return [int(i) for i in np.flatnonzero(shares < MIN_CLASS_SHARE * due)]


def _kernel(real: Features, fake: Features, truth: Features, is_fid: bool) -> Iterator[CardLine]:
    name = "KID" if is_fid else "kernel distance"
    yield CardLine("kid", name, kid(real, fake), kid(real, truth), "lower")


def _frechet(
    real: AnyFeatures, fake: AnyFeatures, truth: Features, is_fid: bool
) -> Iterator[CardLine]:
    name = "FID, bias removed" if is_fid else "Fréchet distance"
    reals = _batches(real)
    fake_distance, real_distance = (
        frechet_streamed(reals, _batches(fake)),
        frechet_streamed(reals, [truth]),
    )
    yield CardLine("frechet", name, fake_distance, real_distance, "lower")


def _batches(features: AnyFeatures) -> list[AnyFeatures]:
    return [features[start : start + BATCH] for start in range(0, len(features), BATCH)]


def _neighbours(real: Features, fake: Features) -> Iterator[CardLine]:
    of_fakes, of_reals = prdc(real, fake), prdc_baseline(real, len(fake))
    for key, estimate in of_fakes.items():
        yield CardLine(
            key, key, estimate, of_reals[key], "as real" if key == "density" else "higher"
        )


def _diversity(real: Features, fake: Features) -> Iterator[CardLine]:
    yield CardLine("vendi", "Vendi diversity", vendi(fake), vendi(real), "as real")


def _told_apart(real: Features, fake: Features) -> Iterator[CardLine]:
    accuracies = c2st(
        _at_random(real, MAX_TESTED, "tested reals"), _at_random(fake, MAX_TESTED, "tested fakes")
    )
    yield CardLine("c2st", "told from real, accuracy", accuracies["accuracy"], None, "lower")


def _at_random(features: AnyFeatures, limit: int, purpose: str) -> Features:
    """Return at most so many rows, at random: data often come sorted by class."""
    chosen = permutation(SEED, f"evaluation/{purpose}", len(features))[:limit]
    return features[chosen].astype(np.float64)
