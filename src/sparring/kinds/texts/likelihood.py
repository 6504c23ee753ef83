"""The likelihood model that texts are judged beside: a recurrent network of as many parameters.

Trained by maximum likelihood for a given time, stopped where a part of the training texts that it
does not learn stops gaining: what it is judged on, it has not seen. By the same steps a recurrent
generator learns before the game (`preparation`).
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Adam

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.draws import Draw, permutation
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.spec import TextSpec
from sparring.runs.folder import write_bytes
from sparring.sampling import MICRO_BATCH
from sparring.training.step import Logs, NonFinite, refuse_non_finite

BATCH, LEARNING_RATE = 128, 4e-3
LOOKS = 20  # at the texts set aside, in the whole time
SET_ASIDE, MAX_SET_ASIDE = 0.1, 1_000  # share and number of training texts that it is stopped by
SCORING_BATCH = 256  # texts that are scored together
MAX_GRADIENT_NORM = 1.0  # of a gradient
SEED = 0
Clock = Callable[[], float]


def of_size(spec: TextSpec, parameters: int, seed: int = SEED) -> RecurrentGenerator:
    """Return an untrained model of at most about this many numbers, unconditional."""
    plain = replace(spec, classes=())
    sizes = [w for w in range(8, 1025, 4) if _numbers(plain, w) <= parameters] or [8]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RecurrentGenerator(plain, 1, sizes[-1])


def fit(
    model: RecurrentGenerator,
    data: Dataset,
    seconds: float,
    progress: Progress,
    clock: Clock = time.monotonic,
) -> RecurrentGenerator:
    """Train for so many seconds of a clock; return the state that texts set aside liked best.

    Those are a part of the training texts, which it does not learn from. The rate falls from its
    start to zero over the time; at least one step is made.
    """
    optimizer = ascent(model)
    learned, aside = _set_aside(data.train)
    data = replace(data, train=learned)
    best_likelihood, best_weights = -np.inf, _copied(model)
    began, step, looks = clock(), 0, 0
    while (share := (clock() - began) / max(seconds, 1e-9)) < 1 or not step:
        rate = LEARNING_RATE * max(1 - share, 0.01)
        try:
            likelihood_step(model, optimizer, data, Draw(SEED, step * BATCH), rate)
        except NonFinite:
            break  # it is judged as it was before that step
        step += 1
        if share * LOOKS > looks:
            looks += 1
            progress("training the likelihood model", looks, LOOKS)
            likelihood = _mean_likelihood(model, data, aside)
            if likelihood > best_likelihood:
                best_likelihood, best_weights = likelihood, _copied(model)
    if _mean_likelihood(model, data, aside) < best_likelihood:
        model.load_state_dict(best_weights)
    return model.eval()


def _set_aside(train: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which training texts are learned from, and at most 1,000 to stop by."""
    order = train[permutation(SEED, "likelihood/set aside", len(train))]
    count = min(int(SET_ASIDE * len(train)), MAX_SET_ASIDE) or 1
    return np.sort(order[count:]), np.sort(order[:count])


def _copied(model: RecurrentGenerator) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def ascent(model: nn.Module) -> Adam:
    """Return the optimiser by which a model climbs its likelihood."""
    return Adam(model.parameters(), LEARNING_RATE, betas=(0.9, 0.99))


def likelihood_step(
    model: RecurrentGenerator, optimizer: Adam, data: Dataset, draw: Draw, rate: float
) -> Logs:
    """Take one step up the likelihood of a batch of training texts; return detached scalars.

    Raises:
        NonFinite: the loss or its gradient is NaN or infinite, and has not been applied.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    chosen = data.train[draw.integers("likelihood/batch", BATCH, len(data.train)).numpy()]
    device, label = model.head.weight.device, None
    if data.labels is not None and model.conditioning.embed is not None:
        label = torch.from_numpy(data.labels[chosen]).to(device)
    optimizer.zero_grad()
    loss = -model.log_likelihood(torch.from_numpy(data.items[chosen]).to(device), label).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
    refuse_non_finite("generator", loss, norm)
    optimizer.step()
    return {"loss": loss.detach(), "gradient_norm": norm}


@torch.inference_mode()
def draw(
    model: RecurrentGenerator, n: int, seed: int, temperature: float = 1.0
) -> Iterator[Tensor]:
    """Yield numbers of symbols of n texts; the driving latent is zero, as in training."""
    for done in range(0, n, MICRO_BATCH):
        latent = Draw(seed, done).normal("likelihood/noise", (MICRO_BATCH, model.latent))
        latent[:, : model.latent_size] = 0
        symbols = model(latent, None, temperature)
        yield symbols.argmax(1).to(torch.int16)[: n - done]


def load_or_fit(
    path: Path, data: Dataset, parameters: int, seconds: float, progress: Progress
) -> RecurrentGenerator:
    """Return the model kept in a file, if it is of this size and learned these data in this time.

    Otherwise it is trained now, and kept.
    """
    spec = data.spec
    assert isinstance(spec, TextSpec)
    model = of_size(spec, parameters)
    basis = {
        "seconds": f"{seconds:.3f}",
        "data": data.fingerprint,
        "stopped by": "training texts",  # of version 0.1: those that it was judged on
        "spec": json.dumps(asdict(spec), ensure_ascii=False),
    }
    try:
        with safe_open(path, "pt") as kept:
            if kept.metadata() == basis:
                model.load_state_dict({name: kept.get_tensor(name) for name in model.state_dict()})
                return model.eval()
    except (OSError, RuntimeError, SafetensorError):
        pass  # not trained yet, or damaged
    fit(model, data, seconds, progress)
    write_bytes(path, save({n: t.contiguous() for n, t in model.state_dict().items()}, basis))
    return model


def _numbers(spec: TextSpec, width: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in RecurrentGenerator(spec, 1, width).parameters())


def _mean_likelihood(model: RecurrentGenerator, data: Dataset, index: NDArray[np.int64]) -> float:
    return float(log_likelihoods(model, data.items[index]).mean())


@torch.no_grad()
def log_likelihoods(model: RecurrentGenerator, items: NDArray[np.int16]) -> Tensor:
    """Return ln p of texts given as numbers of symbols, ends included, (n,)."""
    whole = torch.from_numpy(np.ascontiguousarray(items))
    return torch.cat([model.log_likelihood(part) for part in torch.split(whole, SCORING_BATCH)])
