"""The likelihood model that texts are judged beside: a recurrent network of as many parameters.

Trained by maximum likelihood for a given time, stopped where held-out texts stop gaining. It also
gives a recurrent generator its warm start.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from torch.optim import Adam

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.draws import Draw
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.spec import TextSpec
from sparring.runs.folder import write_bytes
from sparring.sampling import MICRO_BATCH
from sparring.training.state import State, copy_exactly

BATCH, LEARNING_RATE = 128, 4e-3
LOOKS = 20  # at held-out texts, in the whole time
MAX_HELD_OUT = 1_000
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
    """Train for so many seconds of a clock; return the state that held-out texts liked best.

    The rate falls from its start to zero over the time; at least one step is made.
    """
    optimizer = Adam(model.parameters(), LEARNING_RATE, betas=(0.9, 0.99))
    held_out = _some_held_out(data)
    best_likelihood, best_weights = -np.inf, _copied(model)
    began, step, looks = clock(), 0, 0
    while (share := (clock() - began) / max(seconds, 1e-9)) < 1 or not step:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * max(1 - share, 0.01)
        likelihood_step(model, optimizer, data, step)
        step += 1
        if share * LOOKS > looks:
            looks += 1
            progress("training the likelihood model", looks, LOOKS)
            likelihood = _mean_likelihood(model, data, held_out)
            if likelihood > best_likelihood:
                best_likelihood, best_weights = likelihood, _copied(model)
    if _mean_likelihood(model, data, held_out) < best_likelihood:
        model.load_state_dict(best_weights)
    return model.eval()


def _some_held_out(data: Dataset) -> NDArray[np.int64]:
    """Return at most 1,000 held-out texts, from all over; of training where none are held out."""
    index = data.held_out if len(data.held_out) else data.train
    step = max(1, len(index) // MAX_HELD_OUT)
    return index[: MAX_HELD_OUT * step : step]


def _copied(model: RecurrentGenerator) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def warm_start(state: State, data: Dataset, texts: int, progress: Progress) -> None:
    """Let a recurrent generator first learn so many texts by likelihood; its average starts there.

    Other generators are left as they are.
    """
    model = state.generator
    if not isinstance(model, RecurrentGenerator):
        return
    optimizer = Adam(model.parameters(), LEARNING_RATE, betas=(0.9, 0.99))
    steps = -(-texts // BATCH)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / steps)
        likelihood_step(model, optimizer, data, step)
        progress("learning by likelihood first", step + 1, steps)
    copy_exactly(state.ema.state_dict(), model.state_dict(), "warm start")


def likelihood_step(
    model: RecurrentGenerator, optimizer: Adam, data: Dataset, step: int, batch: int = BATCH
) -> None:
    """Take one step up the likelihood of a batch of training texts."""
    index = Draw(SEED, step * batch).integers("likelihood/batch", batch, len(data.train)).numpy()
    chosen = data.train[index]
    label = None
    if data.labels is not None and model.conditioning.embed is not None:
        label = torch.from_numpy(data.labels[chosen])
    optimizer.zero_grad()
    loss = -model.log_likelihood(torch.from_numpy(data.items[chosen]), label).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
    optimizer.step()


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
    """Return the model kept in a file; trained now, and kept, if there is none of this shape."""
    spec = data.spec
    assert isinstance(spec, TextSpec)
    model = of_size(spec, parameters)
    try:
        model.load_state_dict(load(path.read_bytes()))
        return model.eval()
    except (OSError, RuntimeError, ValueError, SafetensorError):
        pass  # not trained yet, or damaged, or of other data
    fit(model, data, seconds, progress)
    write_bytes(path, save({n: t.contiguous() for n, t in model.state_dict().items()}))
    return model


def _numbers(spec: TextSpec, width: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in RecurrentGenerator(spec, 1, width).parameters())


@torch.no_grad()
def _mean_likelihood(model: RecurrentGenerator, data: Dataset, index: NDArray[np.int64]) -> float:
    return float(_likelihoods(model, data.items[index]).mean())


def _likelihoods(model: RecurrentGenerator, items: NDArray[np.int16]) -> Tensor:
    whole = torch.from_numpy(np.ascontiguousarray(items))
    return torch.cat([model.log_likelihood(part) for part in torch.split(whole, SCORING_BATCH)])
