"""What is measured of a generator while it trains: a quick look that costs little.

With a known density it is the truth itself; with images the kernel distance on the features of a
fixed random network, which is always there. `assessment` measures with care.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data import kinds
from sparring.data.dataset import Dataset
from sparring.data.vectors import decode, encode
from sparring.densities import Density, density
from sparring.draws import permutation
from sparring.features.choose import choose
from sparring.features.extractor import Extractor, Features
from sparring.metrics import known
from sparring.metrics.estimate import LEVEL, Estimate
from sparring.metrics.kernels import kid, kid_difference
from sparring.metrics.trend import Trend, Worse, choice, trend
from sparring.objectives import Objective
from sparring.reference import part_of, reference
from sparring.sampling import sample
from sparring.spec import AudioSpec, ImageSpec, Spec, TableSpec, TextSpec, VectorSpec
from sparring.symptoms import ASKED, ranking, twins
from sparring.training.state import State, latent_width

SAMPLES = 10_000  # of points; drawn in no time
POINTS = 500  # whose neighbours are looked for
ON_EACH_SIDE = 2000
SEED = 1  # other latents than the pictures'
MOST, FEWEST = 1000, 100  # items of one look, by their size
LARGEST_LOOK = 2**20  # pixels of all images, or samples of all sounds
KEPT = 12  # looks whose features are remembered
Found = dict[str, float | Estimate]
Look = tuple[int, Estimate]  # images seen, and the kernel distance then


class Observer:
    """Compares a generator with its data, quickly, again and again."""

    def __init__(self, data: Dataset, objective: Objective, cache: Path) -> None:
        self.data = data
        self.objective = objective
        self.cache = cache
        self.eye: tuple[Extractor, Features] | None = None  # and features of real images
        self.fakes: dict[int, Features] = {}  # of the last looks, by the images seen then

    def __call__(self, state: State) -> Found:
        """Return what can be told of the generator, and of the discriminator, as they are."""
        labels = labels_as_in(self.data, ASKED)
        return {**self._generator(state), **ranking(state, self.data, labels)}

    def _generator(self, state: State) -> Found:
        match self.data.spec:
            case VectorSpec(density="") as spec:
                return {**self._twins_of_points(state, spec)}
            case VectorSpec() as spec:
                found = self._against_density(state, spec)
                return {**found, **self._twins_of_points(state, spec)}
            case ImageSpec() | TableSpec() | AudioSpec() | TextSpec():
                distance, fake, real = self._kid(state)
                return {"kid": distance, **twins(real, fake)}

    def _twins_of_points(self, state: State, spec: VectorSpec) -> dict[str, float]:
        some = part_of(self.data, "train", POINTS)
        real = encode(torch.from_numpy(self.data.items[some]), spec)
        return twins(real, torch.cat(list(sample(state.ema, POINTS, seed=SEED))))

    def _against_density(self, state: State, spec: VectorSpec) -> Found:
        truth = density(spec.density)
        fake = _points(state.ema, spec)
        found: Found = {
            "high_quality": known.high_quality(truth, fake),
            "reverse_kl": known.reverse_kl(truth, fake),
        }
        if truth.modes:
            found["modes"] = float(known.modes_covered(truth, fake))
        if self.objective.log_ratio:
            found["log_ratio_error"] = _log_ratio_error(
                state, self.data, spec, truth, self.objective
            )
        return found

    def _kid(self, state: State) -> tuple[Estimate, Features, Features]:
        """Return the kernel distance of some samples from held-out items, and their features."""
        spec = self.data.spec
        n = min(max(LARGEST_LOOK // _numbers(spec), FEWEST), MOST)
        eye, real = self.eye = self.eye or self._open_eye(n)
        labels = labels_as_in(self.data, n)
        drawn = sample(state.ema, n, seed=SEED, labels=labels)
        fake = np.concatenate([eye.run(kinds.decode(part, spec).numpy()) for part in drawn])
        self.fakes[state.images] = fake
        self.fakes = dict(sorted(self.fakes.items())[-KEPT:])
        return kid(real, fake), fake, real[permutation(SEED, "observe/real", len(real))]

    def surely_worse(self, first: Look, second: Look) -> bool:
        """Tell whether one look is worse than another: paired where both are remembered."""
        (a, at_a), (b, at_b) = first, second
        if self.eye and a in self.fakes and b in self.fakes:
            level = 1 - (1 - LEVEL) / len(self.fakes)  # the best of many is compared (Bonferroni)
            return kid_difference(self.eye[1], self.fakes[a], self.fakes[b], level=level).low > 0
        return at_a.low > at_b.high

    def trend(self, looks: Sequence[Look]) -> Trend:
        """Say whether the samples are still improving."""
        return trend(*self._compared(looks))

    def choice(self, looks: Sequence[Look]) -> Look:
        """Return the latest look that cannot be told from the best."""
        return looks[choice(*self._compared(looks))]

    def _compared(self, looks: Sequence[Look]) -> tuple[list[float], Worse]:
        values = [distance.value for _, distance in looks]
        return values, lambda a, b: a != b and self.surely_worse(looks[a], looks[b])

    def _open_eye(self, n: int) -> tuple[Extractor, Features]:
        images = isinstance(self.data.spec, ImageSpec)
        eye = choose("random-convolutions" if images else "auto", self.data, cache=self.cache)
        part = "held_out" if len(self.data.held_out) >= FEWEST else "train"
        return eye, reference(eye, self.data, part, self.cache / "features", most=2 * n)


def labels_as_in(data: Dataset, n: int) -> Tensor | None:
    """Return labels in the proportions of the training data, None when unconditional.

    In random order: data often come sorted by class, and the first labels must stand for all.
    """
    if data.labels is None:
        return None
    mixed = data.train[permutation(SEED, "labels", len(data.train))]
    return torch.from_numpy(data.labels[mixed[np.arange(n) % len(mixed)]])


def in_words(found: Found, data: Dataset) -> str:
    """Say in one line what was observed."""
    parts = []
    if "modes" in found and isinstance(data.spec, VectorSpec):
        centres = len(density(data.spec.density).centres)
        parts.append(f"{found['modes']:.0f} of {centres} modes")
    if isinstance(distance := found.get("kid"), Estimate):
        parts.append(f"kernel distance {distance}, on {_features(data.spec)}")
    if isinstance(share := found.get("high_quality"), Estimate):
        parts.append(f"{share.value:.1%} within 4σ [{share.low:.1%}, {share.high:.1%}]")
    if isinstance(kl := found.get("reverse_kl"), Estimate):
        parts.append(f"reverse KL {kl.value:.3g} nats [{kl.low:.3g}, {kl.high:.3g}]")
    if "log_ratio_error" in found:
        parts.append(f"logit {found['log_ratio_error']:.2g} nats from ln(p/q)")
    return ", ".join(parts)


def _features(spec: Spec) -> str:
    """Name what the looks while training look at."""
    match spec:
        case ImageSpec():
            return "random convolutions"
        case AudioSpec():
            return "log-mel components"
        case TextSpec():
            return "n-grams"
        case _:
            return "encoded columns"


def _numbers(spec: Spec) -> int:
    """Return how large an item is that takes long to draw and to look at."""
    match spec:
        case ImageSpec():
            return spec.height * spec.width
        case AudioSpec():
            return spec.framing.samples
        case _:
            return 1


def advice(found: Trend) -> str:
    """Say what a trend of the kernel distance means for someone who waits."""
    match found:
        case "still improving":
            return "the samples are still improving: `sparring resume --budget +…` will pay"
        case "getting worse":
            return "the samples have been getting worse: an earlier checkpoint is marked best"
        case _:
            return f"the samples' distance from the data is {found}"


def _points(generator: nn.Module, spec: VectorSpec) -> NDArray[np.float64]:
    samples = torch.cat(list(sample(generator, SAMPLES, seed=SEED)))
    return decode(samples, spec).double().numpy()


def _log_ratio_error(
    state: State, data: Dataset, spec: VectorSpec, truth: Density, objective: Objective
) -> float:
    """Compare the discriminator with ln(p/q) on points of both; q is the live generator's."""
    generator = deepcopy(state.generator).eval()
    fake = _points(generator, spec)
    some = data.items[data.train[:ON_EACH_SIDE]].astype(np.float64)
    at = np.concatenate([some, fake[:ON_EACH_SIDE]])
    if latent_width(generator) == spec.size == 1:
        log_q = known.log_density_through(*_curve(generator, spec), at)
    else:
        log_q = known.log_density_near(fake[ON_EACH_SIDE:], at)
    assert objective.log_ratio
    logits = torch.from_numpy(discriminator_logits(state.discriminator, at, spec))
    told = objective.log_ratio(logits).nan_to_num().numpy()
    free = objective.generator_sees_real
    return known.log_ratio_error(truth, log_q, at, told, up_to_constant=free)


@torch.no_grad()
def _curve(generator: nn.Module, spec: VectorSpec) -> tuple[NDArray[np.float64], Any]:
    """Return a fine line of latents and where a generator from ℝ to ℝ takes them."""
    z = torch.linspace(-6, 6, 4001)
    device = next(generator.parameters()).device
    made = generator(z[:, None].to(device)).cpu()
    return z.double().numpy(), decode(made, spec).double().numpy()[:, 0]


@torch.no_grad()
def discriminator_logits(
    discriminator: nn.Module, points: NDArray[Any], spec: VectorSpec
) -> NDArray[np.float64]:
    """Return the logits (n,) of points (n, d) that are not yet encoded."""
    x = encode(torch.from_numpy(np.asarray(points, np.float32)), spec)
    logits: Tensor = discriminator(x.to(next(discriminator.parameters()).device))
    return logits.double().cpu().numpy()
