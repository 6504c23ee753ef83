"""How good a generator is: features of its samples against data that it never saw.

Inside: which metrics make the card, what each is for a perfect generator at the same sizes, the
words, and the file. Not inside: drawing samples, extracting features, pictures (`assess`).

Notation: real are held-out features (n, d), fake the generator's (m, d), train those it saw.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.evaluation.verdict import verdict, verdict_words
from sparring.metrics.arrays import Features
from sparring.metrics.classes import MIN_CLASS_SHARE, mode_coverage
from sparring.metrics.classifier import c2st
from sparring.metrics.clipped import clipped_density_coverage
from sparring.metrics.copying import memorization, repeated_share
from sparring.metrics.diversity import vendi
from sparring.metrics.estimate import CARD_DIGITS, Estimate, Null, format_estimate
from sparring.metrics.gaussians import frechet_streamed
from sparring.metrics.kernels import cubic, kid
from sparring.metrics.likelihoods import feature_likelihood_divergence
from sparring.metrics.line import ESTIMATE_ONLY, CardLine, Note, Untested, Verdict
from sparring.metrics.neighbours import prdc, prdc_baseline
from sparring.metrics.permutation import two_sample_test
from sparring.metrics.proportions import wilson_share

AnyFeatures = NDArray[np.float32] | Features

Groups = NDArray[np.int64]  # which items belong together
Halves = tuple[AnyFeatures, Features]  # two samples of real data

FORMAT = 1
SEED = 0
MAX_SAMPLES = 10_000  # on a side, of metrics that look at all pairs
BATCH = 1_000
BLURRED = "copies its training data, if not exactly"  # where the share of near repeats is 0
MAX_TESTED = 2_000  # of each side; the classifier's time grows with the square
MAX_EXPLAINED = 5_000  # of each side, of densities made of samples
MAX_PERMUTED, PERMUTATIONS = 5_000, 499  # of each side, in the kernel distance's test


@dataclass(frozen=True, eq=False)
class Told:
    """What the classifier of a card says of the classes of real data that it has not seen."""

    labels: NDArray[np.int64]  # (n,)
    predicted: NDArray[np.int64]  # (n,)

    @property
    def accuracy(self) -> Estimate:
        """How often it is right."""
        right = int((self.labels == self.predicted).sum())
        return wilson_share(right, len(self.labels), "classifier, on unseen data; Wilson")

    @property
    def chance(self) -> float:
        """How often it would be right by always saying the commonest class."""
        return float(np.bincount(self.labels).max()) / len(self.labels)

    @property
    def blind(self) -> bool:
        """Whether it may as well be guessing."""
        return self.accuracy.low <= self.chance


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
    untested: tuple[Untested, ...] = ()  # what it should tell and cannot

    def __getitem__(self, key: str) -> Estimate:
        return self.estimates[key]

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every estimate by its key."""
        return {line.key: line.estimate for line in self.lines}

    @property
    def verdict(self) -> Verdict:
        """What all lines say together: any accuses a perfect generator in at most 5 % of cards."""
        return verdict(self.lines)

    @property
    def words(self) -> str:
        """The verdict in a sentence, and what was not tested."""
        said = verdict_words(self.lines)
        names = ", ".join(line.name for line in self.untested)
        return f"{said}; not tested: {names}" if names else said

    def table(self) -> Iterator[str]:
        """Yield the card as lines of text: what, value and interval, the same for real, words."""
        at = f" at {self.images:,}" * bool(self.checkpoint)
        yield (
            f"{self.run}{at}: {self.fake:,} samples against {self.real:,} of "
            f"{self.data} ({self.part.replace('_', ' ')})"
        )
        yield f"features: {self.extractor} {self.digest}, {self.width} wide; 95 % intervals"
        yield f"verdict: {self.words}"
        yield ""
        yield f"{'':26}{'samples':>36}{'real against real':>33}"
        for line in self.lines:
            fake = format_estimate(line.estimate, CARD_DIGITS)
            real = format_estimate(line.real_vs_real, CARD_DIGITS) if line.real_vs_real else ""
            yield f"{line.name:26}{fake:>36}{real:>33}  {line.words}".rstrip()
        yield from (f"{line.name:26}not tested: {line.reason}" for line in self.untested)
        yield from self.notes

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, the words included."""
        lines = [
            *(line.as_json() for line in self.lines),
            *(line.as_json() for line in self.untested),
        ]
        plain = {"format": FORMAT} | asdict(self) | {"lines": lines, "notes": list(self.notes)}
        del plain["untested"]
        return plain | {"verdict": self.verdict, "words": self.words}


def measure(
    real: AnyFeatures,
    fake: AnyFeatures,
    other: AnyFeatures | None,
    *,
    train: AnyFeatures | None = None,
    is_fid: bool,
    begin: Callable[[str], None],
    note: Note,
) -> Iterator[CardLine]:
    """Yield the lines of the card; a metric that these features do not allow is left out.

    The Fréchet distance reads all features, batch by batch; the other metrics 10,000 of a side.

    Args:
        real: features to judge by, (n, d); the array may be mapped from a file.
        fake: the generator's, (m, d).
        other: of more real data, (l, d), of which m at random stand in for the generator as
            p = q; without them, one half of `real` is held against the other.
        train: of what the generator was trained on, (k, d), where that is known.
        is_fid: the features are those of the standard Inception network.
        begin: called with the name of each metric in turn.
        note: called with which metric is left out, and why.
    """
    x, y = _at_random(real, MAX_SAMPLES, "reals"), fake[:MAX_SAMPLES].astype(np.float64)
    halves = _two_samples(real, other, len(fake))
    steps: tuple[tuple[str, Callable[[], Iterator[CardLine]]], ...] = (
        ("kernel distance", lambda: _kernel(x, y, halves, is_fid)),
        ("Fréchet distance", lambda: _frechet(real, fake, halves, is_fid)),
        ("precision, recall, density, coverage", lambda: _neighbours(x, y)),
        ("clipped density and coverage", lambda: _linear(x, y)),
        ("likelihood divergence", lambda: _explained(x, y, train)),
        ("Vendi diversity", lambda: _diversity(x, y)),
        ("classifier two-sample test", lambda: _told_apart(x, y)),
    )
    for name, lines in steps:
        begin(name)
        try:
            yield from list(lines())
        except SparringError as error:
            note(f"{name} is left out: {error}")


def measure_repeats(fake: AnyFeatures, train: AnyFeatures) -> CardLine:
    """Return whether samples repeat what was trained on, where hardly anything is held out.

    Args:
        fake: the generator's features, (m, d).
        train: of what it was trained on, (l, d).
    """
    sides = fake[:MAX_SAMPLES].astype(np.float64), _at_random(train, MAX_SAMPLES, "copied")
    return CardLine(
        "copying",
        "equals a training item",
        repeated_share(*sides),
        None,
        "lower",
        accuses="copies",
        found="copies its training data",
    )


def measure_copying(
    real: AnyFeatures,
    fake: AnyFeatures,
    train: AnyFeatures,
    groups: tuple[Groups | None, Groups | None] = (None, None),
) -> Iterator[CardLine]:
    """Yield whether the generator copies what it was trained on.

    The features must know both sides alike: a network finds its own training data nearer to
    anything than data it has not seen, whoever made the samples.

    Args:
        real: features that judge, (n, d).
        fake: the generator's, (m, d).
        train: of what it was trained on, (l, d).
        groups: of `real` and of `train`, which items belong together; None: each is alone.
    """
    sides = (real, groups[0]), (train, groups[1])
    reals, trained = (_at_random(side, MAX_SAMPLES, "copied") for side, _ in sides)
    copying = memorization(
        fake[:MAX_SAMPLES].astype(np.float64), trained, reals, groups=_joined(sides)
    )
    yield CardLine(
        "memorization",
        "prefers training data",
        copying["preference"],
        None,
        "lower",
        found="nearer to its training data than to data it never saw",
    )
    share = copying["copying"]
    yield CardLine(
        "copying",
        "copies training data",
        share,
        None,
        "lower",
        accuses="copies",
        found="copies its training data" if share.value > 0 else BLURRED,
    )
    for key, reason in (
        ("duplicates", "a count; its test is that of 'copies training data'"),
        ("authenticity", ESTIMATE_ONLY),
    ):
        name = {"duplicates": "repeats a training item"}.get(key, key)
        held_out = copying[f"{key}_held_out"]
        yield CardLine(key, name, copying[key], held_out, "as real", reason=reason)


def _joined(
    sides: tuple[tuple[AnyFeatures, Groups | None], ...],
) -> tuple[Groups, Groups] | None:
    """Return groups of training and of real items, numbered apart, of those that are compared."""
    if all(groups is None for _, groups in sides):
        return None
    numbered = []
    for start, (side, groups) in zip((1, -1), sides, strict=True):
        own = np.arange(len(side)) if groups is None else np.unique(groups, return_inverse=True)[1]
        chosen = permutation(SEED, "evaluation/copied", len(side))[:MAX_SAMPLES]
        numbered.append(start * (1 + own[chosen]))
    real, train = numbered
    return train, real


def measure_classes(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    real: NDArray[np.int64],
    classes: int,
    told: Told | None = None,
) -> Iterator[CardLine]:
    """Yield what a classifier of the samples tells: classes found, and whether as asked for.

    Args:
        labels: the label that each sample was drawn for, (m,).
        predicted: the classifier's label of it, (m,).
        real: labels of real data, (n,).
        classes: how many there are.
        told: what the classifier says of real data that it has not seen, where there are any.
    """
    yield _as_asked_for(labels, predicted, told)
    try:
        coverage = mode_coverage(predicted, classes, reference=real)
    except SparringError:  # too few samples for so many classes, or a class that no real has
        return
    yield CardLine("classes", f"classes found, of {classes}", coverage.covered, None, "higher")
    yield CardLine("class_divergence", "KL of class shares", coverage.divergence, None, "lower")


def _as_asked_for(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], told: Told | None
) -> CardLine:
    """Return how often samples are of the class asked for, beside the same of real data.

    In each class a perfect generator's share is theirs, however often the class is asked for:
    Fisher's exact test (1935) of all classes together, one-sided.
    """
    right, m = labels == predicted, len(labels)
    line = CardLine(
        "class_agreement",
        "class as asked for",
        wilson_share(int(right.sum()), m),
        told.accuracy if told else None,
        "higher",
        found="is of other classes than asked for",
    )
    if told is None:
        return line
    if told.blind:
        return replace(line, reason="the classifier cannot tell the classes of real data either")
    law = _right_by_chance(labels, right, told)
    counts, p_value = np.arange(len(law)), min(1.0, float(law[: int(right.sum()) + 1].sum()))
    mean = float(counts @ law)
    null = Null(mean / m, sqrt(float((counts - mean) ** 2 @ law)) / m, limit=0.0)
    return replace(line, estimate=replace(line.estimate, p_value=p_value, under_null=null))


def _right_by_chance(labels: NDArray[np.int64], right: NDArray[np.bool], told: Told) -> Features:
    """Return the law of the number of right samples, given all that is right in each class."""
    sides = ((labels, right), (told.labels, told.labels == told.predicted))
    classes = 1 + max(int(labels.max()), int(told.labels.max()))
    asked_for, seen = (np.bincount(side, minlength=classes) for side, _ in sides)
    right_of_both = [np.bincount(side[good], minlength=classes) for side, good in sides]
    law = np.ones(1)
    for asked, real, rights in zip(asked_for, seen, np.sum(right_of_both, 0), strict=True):
        law = np.convolve(law, hypergeom(asked + real, rights, asked).pmf(np.arange(asked + 1)))
    return law


def missing_classes(
    predicted: NDArray[np.int64], real: NDArray[np.int64], classes: int
) -> list[int]:
    """Return the classes that get less than a tenth of their share; arguments as above."""
    shares, due = (np.bincount(x, minlength=classes) / len(x) for x in (predicted, real))
    return [int(i) for i in np.flatnonzero(shares < MIN_CLASS_SHARE * due)]


def _two_samples(
    real: AnyFeatures, other: AnyFeatures | None, fakes: int
) -> tuple[AnyFeatures, Features]:
    """Return two samples of real data that share no item."""
    if other is not None:
        return real, _at_random(other, fakes, "truth")
    shuffled = _at_random(real, MAX_SAMPLES, "halves")
    half = len(shuffled) // 2
    return shuffled[:half], shuffled[half:]


def _kernel(real: Features, fake: Features, halves: Halves, is_fid: bool) -> Iterator[CardLine]:
    """Yield the distance of all pairs; its test permutes at most 5,000 of a side."""
    name = "KID" if is_fid else "kernel distance"
    tested = two_sample_test(
        *(side[:MAX_PERMUTED] for side in (real, fake)), kernel=cubic, permutations=PERMUTATIONS
    )
    distance = replace(
        kid(real, fake),
        p_value=tested.p_value,
        under_null=tested.under_null,
        method=f"KID, all pairs; {PERMUTATIONS} permutations, of at most {MAX_PERMUTED:,} a side",
    )
    between_halves = kid(*(_at_random(side, MAX_SAMPLES, "reals") for side in halves))
    yield CardLine("kid", name, distance, between_halves, "lower")


def _frechet(
    real: AnyFeatures, fake: AnyFeatures, halves: Halves, is_fid: bool
) -> Iterator[CardLine]:
    name = "FID, bias removed" if is_fid else "Fréchet distance"
    distance = frechet_streamed(_batches(real), _batches(fake))
    try:
        between_halves = frechet_streamed(*map(_batches, halves))
    except SparringError:  # too few for their width
        between_halves = None
    yield CardLine("frechet", name, distance, between_halves, "lower")


def _batches(features: AnyFeatures) -> list[AnyFeatures]:
    return [features[start : start + BATCH] for start in range(0, len(features), BATCH)]


def _neighbours(real: Features, fake: Features) -> Iterator[CardLine]:
    of_fakes, of_reals = prdc(real, fake), prdc_baseline(real, len(fake))
    for key, estimate in of_fakes.items():
        yield CardLine(
            key, key, estimate, of_reals[key], "as real" if key == "density" else "higher"
        )


def _linear(real: Features, fake: Features) -> Iterator[CardLine]:
    perfect = Estimate(1.0, 1.0, 1.0, min(len(real), len(fake)), "p = q; by calibration")
    for key, estimate in clipped_density_coverage(real, fake).items():
        yield CardLine(key, key.replace("_", " "), estimate, perfect, "higher")


def _explained(real: Features, fake: Features, train: AnyFeatures | None) -> Iterator[CardLine]:
    if train is None:
        return
    sides = real[:MAX_EXPLAINED], fake[:MAX_EXPLAINED], _at_random(train, MAX_SAMPLES, "explained")
    divergence = feature_likelihood_divergence(*sides)
    perfect = Estimate(0.0, 0.0, 0.0, divergence.n, "p = q; exact")
    yield CardLine("likelihood", "likelihood divergence", divergence, perfect, "lower")


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
