"""What is measured of a generator while it trains: a quick look that costs little.

Most kinds of data are compared by the kernel distance on features that are always there; what a
kind measures instead, or knows of its data, it says itself. `assess` measures with care.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
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
from sparring.metrics.estimate import LEVEL, Estimate, InfluenceEstimate
from sparring.metrics.kernels import kid_with_influence
from sparring.metrics.trend import FLAT, Verdict, choice, covariance, difference, verdicts
from sparring.objectives import Objective
from sparring.runs.looks import Look, Looks, thinned
from sparring.runs.symptoms import MAX_SCORED, discriminator_aucs
from sparring.sampling import sample
from sparring.spec import Spec
from sparring.training.state import State

SEED = 1  # other latents than the pictures'
MIN_SAMPLES, MAX_SAMPLES = 100, 1000  # of one look, by the size of an item
MAX_NUMBERS = 2**20  # pixels of all images, or samples of all sounds
DISTANCES = ("kid", "reverse_kl")  # by which looks are compared: the first that was measured
Metrics = dict[str, float | Estimate]
QuickEvaluation = tuple[int, Estimate]  # samples seen, and the distance then


class Monitor:
    """Compares a generator with its data, quickly, again and again."""

    def __init__(
        self, data: Dataset, objective: Objective, cache: Path, looks: Looks | None = None
    ) -> None:
        """Begin with the remembered looks of a run that goes on, if there were some."""
        self.data = data
        self.objective = objective
        self.cache = cache
        self.looks = dict(looks or {})

    def __call__(self, state: State) -> Metrics:
        """Return what can be told of the generator, and of the discriminator, as they are."""
        labels = labels_in_proportion(self.data, MAX_SCORED)
        metrics = self._of_generator(state)
        distance = distance_in(metrics)
        if isinstance(distance, InfluenceEstimate):
            sides = tuple(side.astype(np.float32) for side in distance.influence)
            look = Look(self._digest, distance.value, sides)
            self.looks = thinned({**self.looks, state.samples_seen: look})
        return {**metrics, **discriminator_aucs(state, self.data, labels)}

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
        metrics: Metrics = {"kid": kid_with_influence(real, fake)}
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

    @cached_property
    def _digest(self) -> str:
        """What looks are measured on: influence values of other reals or features do not pair."""
        features = "" if kind_of(self.data.spec).quick else self._reference[0].digest
        measured = f"{features} {self.data.fingerprint} ".encode() + self.data.held_out.tobytes()
        return blake2b(measured, digest_size=8).hexdigest()

    def forget_after(self, samples_seen: int) -> None:
        """Forget looks at states that were taken back."""
        self.looks = {seen: look for seen, look in self.looks.items() if seen <= samples_seen}

    def surely_worse(
        self, first: QuickEvaluation, second: QuickEvaluation, level: float = LEVEL
    ) -> bool:
        """Tell whether one look is worse than another: paired where both are remembered."""
        (a, at_a), (b, at_b) = first, second
        one, other = self.looks.get(a), self.looks.get(b)
        if one and other and one.digest == other.digest == self._digest:
            apart = difference(one.influence, other.influence, at_a.value - at_b.value)
            return apart.low((1 - level) / 2) > 0
        return at_a.low > at_b.high

    def verdict(self, looks: Sequence[QuickEvaluation]) -> Verdict:
        """Say whether the samples are still improving, by the looks that are remembered."""
        paired = [
            (seen, distance.value, self.looks[seen].influence)
            for seen, distance in looks
            if seen in self.looks and self.looks[seen].digest == self._digest
        ]
        if not paired:
            return Verdict("too early to tell")
        seen, values, influence = zip(*paired, strict=True)
        return verdicts(seen, values, covariance(influence))[-1]

    def choice(self, looks: Sequence[QuickEvaluation]) -> QuickEvaluation:
        """Return the latest look that could not be told from the best up to it."""

        def worse(i: int, best: int) -> bool:
            # of i looks any may be the best by luck (Bonferroni)
            return self.surely_worse(looks[i], looks[best], 1 - (1 - LEVEL) / max(i, 1))

        return looks[choice([distance.value for _, distance in looks], worse)]


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


def distance_in(metrics: Mapping[str, float | Estimate]) -> Estimate | None:
    """Return the distance from the data that looks are compared by, if it was measured."""
    measured = (metrics.get(name) for name in DISTANCES)
    return next((found for found in measured if isinstance(found, Estimate)), None)


def advice(verdict: Verdict, run: str, seen: int) -> str:
    """Say how a run stands after so many samples, and what to do."""
    longer = f"`sparring resume {run} --budget +{seen}-samples`"
    rate = "of their present distance from the data for each doubling of the samples seen"
    match verdict.trend:
        case "still improving":
            how = f"about {verdict.improvement:.0%} (surely over {verdict.low:.0%})"
            if verdict.improvement > 1:  # the distance is nearly 0
                how = f"more than all (surely over {min(verdict.low, 1):.0%})"
            return f"still improving, by {how} {rate}: {longer} will pay"
        case "flat":
            return (
                f"flat, changing by surely less than {FLAT:.0%} {rate}: train no longer; "
                "a larger --size, another recipe or more data may bring more"
            )
        case "getting worse":
            return (
                "getting worse, the last look is surely worse than the best: train no longer; "
                "a lower --optimizer.lr or more data may help"
            )
        case "cannot tell yet":
            bounds = f"from {verdict.low:.0%} to {verdict.high:.0%} {rate}"
            return (
                f"cannot tell yet whether the samples improve ({bounds}): {longer} will tell more"
            )
        case "too early to tell":
            return f"too early to tell whether the samples improve: {longer}"
