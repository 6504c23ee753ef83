"""What is measured of a generator while it trains: with a known density, the truth itself."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.vectors import decode, encode
from sparring.densities import Density, density
from sparring.metrics import known
from sparring.metrics.arrays import Features
from sparring.metrics.estimate import Estimate
from sparring.objectives import Objective
from sparring.sampling import sample
from sparring.spec import VectorSpec
from sparring.training.state import State, latent_width

SAMPLES = 10_000
ON_EACH_SIDE = 2000
SEED = 1  # other latents than the pictures'


def observe(state: State, data: Dataset, objective: Objective) -> dict[str, float | Estimate]:
    """Return what can be told of the generator by comparing it with its data."""
    if not (isinstance(data.spec, VectorSpec) and data.spec.density):
        return {}
    truth = density(data.spec.density)
    fake = _points(state.ema, data.spec)
    found: dict[str, float | Estimate] = {
        "high_quality": known.high_quality(truth, fake),
        "reverse_kl": known.reverse_kl(truth, fake),
    }
    if truth.modes:
        found["modes"] = float(known.modes_covered(truth, fake))
    if objective.log_ratio:
        found["log_ratio_error"] = _log_ratio_error(state, data, data.spec, truth, objective)
    return found


def in_words(found: dict[str, float | Estimate], data: Dataset) -> str:
    """Say in one line what was observed."""
    parts = []
    if "modes" in found and isinstance(data.spec, VectorSpec):
        centres = len(density(data.spec.density).centres)
        parts.append(f"{found['modes']:.0f} of {centres} modes")
    if isinstance(share := found.get("high_quality"), Estimate):
        parts.append(f"{share.value:.1%} within 4σ [{share.low:.1%}, {share.high:.1%}]")
    if isinstance(kl := found.get("reverse_kl"), Estimate):
        parts.append(f"reverse KL {kl.value:.3g} nats [{kl.low:.3g}, {kl.high:.3g}]")
    if "log_ratio_error" in found:
        parts.append(f"logit {found['log_ratio_error']:.2g} nats from ln(p/q)")
    return ", ".join(parts)


def _points(generator: nn.Module, spec: VectorSpec) -> Features:
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
