"""What is measured of points while training: nearness to a known density, and near-duplicates.

With a known density it is the truth itself. Not inside: the measures (`known`).
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.features.reference import Part, part_indices
from sparring.kinds.points import known
from sparring.kinds.points.codec import decode, encode
from sparring.kinds.points.densities import Density, density
from sparring.kinds.points.spec import VectorSpec
from sparring.metrics.duplicates import near_duplicate_share
from sparring.metrics.estimate import Estimate
from sparring.metrics.kernels import kid_with_influence
from sparring.objectives import Objective
from sparring.sampling import sample
from sparring.training.state import State, latent_width

SAMPLES = 10_000  # drawn in no time
COMPARED = 500  # points whose neighbours are looked for
MAX_COMPARED = 1000  # samples whose distance from held-out points is taken
MIN_HELD_OUT = 100  # else training points stand in
MAX_LOGITS = 2000  # points of each side that the discriminator scores
SEED = 1  # other latents than the pictures'
Metrics = dict[str, float | Estimate]


def quick_metrics(state: State, data: Dataset, objective: Objective) -> Metrics:
    """Return what is known of the samples, and of the discriminator where the density is known."""
    spec = data.spec
    assert isinstance(spec, VectorSpec)
    metrics = (
        _against_density(state, data, spec, objective)
        if spec.density
        else _against_held_out(state, data, spec)
    )
    real = encode(torch.from_numpy(data.items[part_indices(data, "train", COMPARED)]), spec)
    fake = torch.cat(list(sample(state.ema, COMPARED, seed=SEED)))
    share = near_duplicate_share(real, fake)
    return metrics if share is None else {**metrics, "twins": share}


def quick_words(metrics: Mapping[str, float | Estimate], spec: VectorSpec) -> Iterator[str]:
    """Yield what is known of the samples in a few words each."""
    if isinstance(distance := metrics.get("kid"), Estimate):
        yield f"kernel distance {distance}, on coordinates"
    if "modes" in metrics:
        yield f"{metrics['modes']:.0f} of {len(density(spec.density).centres)} modes"
    if isinstance(share := metrics.get("high_quality"), Estimate):
        yield f"{share.value:.1%} within 4σ [{share.low:.1%}, {share.high:.1%}]"
    if isinstance(kl := metrics.get("reverse_kl"), Estimate):
        yield f"reverse KL {kl.value:.3g} nats [{kl.low:.3g}, {kl.high:.3g}]"
    if "log_ratio_error" in metrics:
        yield f"logit {metrics['log_ratio_error']:.2g} nats from ln(p/q)"


def known_modes(spec: VectorSpec) -> int:
    """Return the modes of the known density; 0 of a curve, and of points of unknown density."""
    if not spec.density:
        return 0
    truth = density(spec.density)
    return len(truth.centres) if truth.modes else 0


@torch.no_grad()
def discriminator_logits(
    discriminator: nn.Module, points: NDArray[Any], spec: VectorSpec
) -> NDArray[np.float64]:
    """Return the logits (n,) of points (n, d) that are not yet encoded."""
    x = encode(torch.from_numpy(np.asarray(points, np.float32)), spec)
    logits: Tensor = discriminator(x.to(next(discriminator.parameters()).device))
    return logits.cpu().double().numpy()


def _against_density(
    state: State, data: Dataset, spec: VectorSpec, objective: Objective
) -> Metrics:
    truth = density(spec.density)
    fake = _points(state.ema, spec)
    metrics: Metrics = {
        "high_quality": known.high_quality(truth, fake),
        "reverse_kl": known.reverse_kl_with_influence(truth, fake),
    }
    if truth.modes:
        metrics["modes"] = float(known.modes_covered(truth, fake))
    if objective.log_ratio:
        metrics["log_ratio_error"] = _log_ratio_error(state, data, spec, truth, objective)
    return metrics


def _against_held_out(state: State, data: Dataset, spec: VectorSpec) -> Metrics:
    """Return the distance of samples from held-out points, as networks see both."""
    part: Part = "held_out" if len(data.held_out) >= MIN_HELD_OUT else "train"
    index = part_indices(data, part, 2 * MAX_COMPARED)
    real = encode(torch.from_numpy(data.items[index]), spec)
    fake = torch.cat(list(sample(state.ema, MAX_COMPARED, seed=SEED)))
    return {"kid": kid_with_influence(real, fake)}


def _points(generator: nn.Module, spec: VectorSpec) -> NDArray[np.float64]:
    samples = torch.cat(list(sample(generator, SAMPLES, seed=SEED)))
    return decode(samples, spec).double().numpy()


def _log_ratio_error(
    state: State, data: Dataset, spec: VectorSpec, truth: Density, objective: Objective
) -> float:
    """Compare the discriminator with ln(p/q) on points of both; q is the live generator's."""
    generator = deepcopy(state.generator).eval()
    fake = _points(generator, spec)
    real = data.items[data.train[:MAX_LOGITS]].astype(np.float64)
    at = np.concatenate([real, fake[:MAX_LOGITS]])
    if latent_width(generator) == spec.size == 1:
        log_q = known.log_density_through(*_curve(generator, spec), at)
    else:
        log_q = known.log_density_near(fake[MAX_LOGITS:], at)
    assert objective.log_ratio
    logits = torch.from_numpy(discriminator_logits(state.discriminator, at, spec))
    log_ratio = objective.log_ratio(logits).nan_to_num().numpy()
    free = objective.generator_sees_real
    return known.log_ratio_error(truth, log_q, at, log_ratio, up_to_constant=free)


@torch.no_grad()
def _curve(generator: nn.Module, spec: VectorSpec) -> tuple[NDArray[np.float64], Any]:
    """Return a fine line of latents and where a generator from ℝ to ℝ takes them."""
    z = torch.linspace(-6, 6, 4001)
    device = next(generator.parameters()).device
    fake = generator(z[:, None].to(device)).cpu()
    return z.double().numpy(), decode(fake, spec).double().numpy()[:, 0]
