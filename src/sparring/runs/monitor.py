"""What is measured of a generator while it trains: a quick look that costs little.

Most kinds of data are compared by the kernel distance on features that are always there; what a
kind measures instead, or knows of its data, it says itself. `assess` measures with care.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from sparring.data.dataset import Dataset
from sparring.data.labels import labels_in_proportion
from sparring.draws import permutation
from sparring.evaluation.extractors import choose
from sparring.features.extractor import Extractor, Features
from sparring.features.reference import Part, part_features
from sparring.kinds import decode, kind_of
from sparring.kinds.kind import QuickFeatures
from sparring.metrics.duplicates import near_duplicate_share
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.kernels import kid, kid_difference
from sparring.metrics.trend import Trend, Worse, choice, trend
from sparring.objectives import Objective
from sparring.runs.looks import Look, Looks
from sparring.runs.symptoms import MAX_SCORED, discriminator_aucs
from sparring.sampling import sample
from sparring.spec import Spec
from sparring.training.state import State

SEED = 1  # other latents than the pictures'
MIN_SAMPLES, MAX_SAMPLES = 100, 1000  # of one look, by the size of an item
MAX_NUMBERS = 2**20  # pixels of all images, or samples of all sounds
MAX_REMEMBERED = 12  # looks whose features are remembered
Metrics = dict[str, float | Estimate]
QuickEvaluation = tuple[int, Estimate]  # samples seen, and the kernel distance then


class Monitor:
    """Compares a generator with its data, quickly, again and again."""

    def __init__(
        self, data: Dataset, objective: Objective, cache: Path, looks: Looks | None = None
    ) -> None:
        """Begin with the last looks of a run that goes on, if there were some."""
        self.data = data
        self.objective = objective
        self.cache = cache
        self.looks = dict(looks or {})  # the last ones, at most `MAX_REMEMBERED`

    def __call__(self, state: State) -> Metrics:
        """Return what can be told of the generator, and of the discriminator, as they are."""
        labels = labels_in_proportion(self.data, MAX_SCORED)
        return {**self._of_generator(state), **discriminator_aucs(state, self.data, labels)}

    def _of_generator(self, state: State) -> Metrics:
        kind = kind_of(self.data.spec)
        if kind.quick:
            return kind.quick.quick_metrics(state, self.data, self.objective)
        return self._kernel_distance(state)

    def _kernel_distance(self, state: State) -> Metrics:
        """Return the distance of some samples from held-out items, and how alike they are."""
        spec = self.data.spec
        n = samples_of_a_look(self._quick, spec)
        extractor, real = self._reference
        parts = sample(state.ema, n, seed=SEED, labels=labels_in_proportion(self.data, n))
        fake = np.concatenate([extractor.run(decode(part, spec).numpy()) for part in parts])
        self.looks[state.samples_seen] = Look(extractor.digest, fake)
        self.looks = dict(sorted(self.looks.items())[-MAX_REMEMBERED:])
        metrics: Metrics = {"kid": kid(real, fake)}
        some_real = real[permutation(SEED, "observe/real", len(real))]
        share = near_duplicate_share(some_real, fake)
        return metrics if share is None else {**metrics, "twins": share}

    @property
    def _quick(self) -> QuickFeatures:
        quick = kind_of(self.data.spec).quick_features
        assert quick
        return quick

    @cached_property
    def _reference(self) -> tuple[Extractor, Features]:
        """The extractor of looks, and features of real items."""
        extractor = choose(self._quick.extractor, self.data, cache=self.cache)
        enough = len(self.data.held_out) >= MIN_SAMPLES
        part: Part = "held_out" if enough else "train"
        limit = 2 * samples_of_a_look(self._quick, self.data.spec)
        folder = self.cache / "features"
        return extractor, part_features(extractor, self.data, part, folder, limit=limit)

    def forget_after(self, samples_seen: int) -> None:
        """Forget looks at states that were taken back."""
        self.looks = {seen: look for seen, look in self.looks.items() if seen <= samples_seen}

    def surely_worse(self, first: QuickEvaluation, second: QuickEvaluation) -> bool:
        """Tell whether one look is worse than another: paired where both are remembered."""
        (a, at_a), (b, at_b) = first, second
        if a in self.looks and b in self.looks:
            extractor, real = self._reference
            one, other = self.looks[a], self.looks[b]
            if one.digest == other.digest == extractor.digest:  # others were fitted to other data
                level = 1 - (1 - LEVEL) / len(self.looks)  # the best of many (Bonferroni)
                return kid_difference(real, one.features, other.features, level=level).low > 0
        return at_a.low > at_b.high

    def trend(self, looks: Sequence[QuickEvaluation]) -> Trend:
        """Say whether the samples are still improving."""
        return trend(*self._compared(looks))

    def choice(self, looks: Sequence[QuickEvaluation]) -> QuickEvaluation:
        """Return the latest look that cannot be told from the best."""
        return looks[choice(*self._compared(looks))]

    def _compared(self, looks: Sequence[QuickEvaluation]) -> tuple[list[float], Worse]:
        values = [distance.value for _, distance in looks]
        return values, lambda a, b: a != b and self.surely_worse(looks[a], looks[b])


def samples_of_a_look(quick: QuickFeatures, spec: Spec) -> int:
    """Return how many samples a look takes: fewer of large items."""
    size = quick.item_size(spec) if quick.item_size else 1
    return min(max(MAX_NUMBERS // size, MIN_SAMPLES), MAX_SAMPLES)


def quick_words(metrics: Mapping[str, float | Estimate], spec: Spec) -> str:
    """Say in one line what was measured."""
    kind = kind_of(spec)
    if kind.quick:
        return ", ".join(kind.quick.quick_words(metrics, spec))
    assert kind.quick_features
    distance = metrics.get("kid")
    if not isinstance(distance, Estimate):
        return ""
    return f"kernel distance {distance}, on {kind.quick_features.words}"


def advice(direction: Trend) -> str:
    """Say what a trend of the kernel distance means for someone who waits."""
    match direction:
        case "still improving":
            return "the samples are still improving: `sparring resume --budget +…` will pay"
        case "getting worse":
            return "the samples have been getting worse: an earlier checkpoint is marked best"
        case _:
            return f"the samples' distance from the data is {direction}"
