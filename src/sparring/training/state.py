"""What changes while training: exactly what a checkpoint holds, as tensors and counters."""

from copy import deepcopy
from dataclasses import dataclass
from typing import TypedDict, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparring.draws import Draw
from sparring.errors import SparringError

Tensors = dict[str, Tensor]


class Counters(TypedDict):
    """What a state holds beside tensors."""

    seed: int
    step: int
    images: int
    attempt: int
    augment_probability: float
    augment_sign: float


def latent_width(generator: nn.Module) -> int:
    """Return how many numbers a generator's latent has; every generator says so in `latent`."""
    return cast(int, generator.latent)


@dataclass
class State:
    """Both networks, the averaged generator, both optimisers, and the counters."""

    generator: nn.Module
    discriminator: nn.Module
    ema: nn.Module  # exponential moving average of the generator, used for sampling
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    seed: int
    step: int = 0  # generator updates
    samples_seen: int = 0  # reals shown to the discriminator
    attempt: int = 0  # recoveries from a non-finite step; each halves the learning rate
    augment_probability: float = 0.0  # where it is adaptive
    augment_sign: float = 0.0  # of the reals' logits since it last moved; adds up to a mean

    @property
    def images(self) -> int:
        """Samples seen, by the name of version 0.1."""
        return self.samples_seen

    def draw(self, offset: int = 0) -> Draw:
        """Return the randomness of the samples that come after those seen and `offset` more."""
        return Draw(self.seed, self.samples_seen + offset, self.attempt)


def new_state(
    generator: nn.Module,
    discriminator: nn.Module,
    generator_optimizer: Optimizer,
    discriminator_optimizer: Optimizer,
    seed: int = 0,
) -> State:
    """Return the state before the first step; the average starts at the generator itself."""
    refuse_batch_statistics(discriminator)
    ema = deepcopy(generator).eval().requires_grad_(False)
    _allocate_moments(generator_optimizer)
    _allocate_moments(discriminator_optimizer)
    return State(generator, discriminator, ema, generator_optimizer, discriminator_optimizer, seed)


def refuse_batch_statistics(discriminator: nn.Module) -> None:
    """Raise if one sample's logit could depend on another: penalties and pairing assume not."""
    for name, module in discriminator.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise SparringError(
                f"the discriminator's '{name}' is {type(module).__name__}: batch statistics leak "
                "between real and fake; use a network without them"
            )


def counters(state: State) -> Counters:
    """Return the seed, the counters and the adaptive probability."""
    return {
        "seed": state.seed,
        "step": state.step,
        "images": state.samples_seen,
        "attempt": state.attempt,
        "augment_probability": state.augment_probability,
        "augment_sign": state.augment_sign,
    }


def model_tensors(state: State) -> Tensors:
    """Return the averaged generator: all that sampling needs."""
    return {name: tensor.contiguous() for name, tensor in state.ema.state_dict().items()}


def train_tensors(state: State) -> Tensors:
    """Return both live networks and both optimisers' moments, by name."""
    return {name: tensor.contiguous() for name, tensor in _live(state).items()}


def restore(state: State, model: Tensors, train: Tensors, counts: Counters) -> None:
    """Overwrite a state of the same shapes in place.

    Raises:
        SparringError: tensors are missing, superfluous or of another shape or type.
    """
    ema, live = state.ema.state_dict(), _live(state)
    _check_same(ema, model, "model")
    _check_same(live, train, "training state")
    copy_exactly(ema, model, "model")
    copy_exactly(live, train, "training state")
    state.seed, state.step = counts["seed"], counts["step"]
    state.samples_seen, state.attempt = counts["images"], counts["attempt"]
    state.augment_probability = counts["augment_probability"]
    state.augment_sign = counts["augment_sign"]


@dataclass(frozen=True)
class Snapshot:
    """A copy of a state in memory."""

    model: Tensors
    train: Tensors
    counts: Counters


def take_snapshot(state: State) -> Snapshot:
    """Copy all that changes."""
    return Snapshot(
        {k: v.clone() for k, v in model_tensors(state).items()},
        {k: v.clone() for k, v in train_tensors(state).items()},
        counters(state),
    )


def is_finite(state: State) -> bool:
    """Tell whether every number of both networks and the average is finite."""
    networks = (state.generator, state.discriminator, state.ema)
    tensors = (t for n in networks for t in n.state_dict().values() if t.is_floating_point())
    return all(bool(t.isfinite().all()) for t in tensors)


def _live(state: State) -> Tensors:
    return {
        **{f"generator.{k}": v for k, v in state.generator.state_dict().items()},
        **{f"discriminator.{k}": v for k, v in state.discriminator.state_dict().items()},
        **_moments("generator", state.generator, state.generator_optimizer),
        **_moments("discriminator", state.discriminator, state.discriminator_optimizer),
    }


def _moments(player: str, network: nn.Module, optimizer: Optimizer) -> Tensors:
    return {
        f"{player}_optimizer.{name}.{moment}": value
        for name, parameter in network.named_parameters()
        for moment, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def _allocate_moments(optimizer: Optimizer) -> None:
    """Make the optimiser allocate now what it would fill lazily, so that every state has it all.

    A step of zero gradient at learning rate zero moves no parameter; the moments are then
    zeroed. Their layouts match the parameters', which the fused kernels rely on.
    """
    for group in optimizer.param_groups:
        rate, group["lr"] = group["lr"], 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        group["lr"] = rate
    for moments in optimizer.state.values():
        for value in moments.values():
            if isinstance(value, Tensor):
                value.zero_()


@torch.no_grad()
def copy_exactly(target: Tensors, source: Tensors, what: str) -> None:
    """Overwrite tensors in place by others of the same names, shapes and types, or raise."""
    _check_same(target, source, what)
    for name, tensor in target.items():
        tensor.copy_(source[name])


def _check_same(target: Tensors, source: Tensors, what: str) -> None:
    if missing := sorted(target.keys() - source.keys()):
        raise SparringError(f"the {what} lacks '{missing[0]}' ({len(missing)} missing in all)")
    if extra := sorted(source.keys() - target.keys()):
        raise SparringError(f"the {what} has an unknown '{extra[0]}' ({len(extra)} in all)")
    for name, tensor in target.items():
        if (tensor.shape, tensor.dtype) != (source[name].shape, source[name].dtype):
            came, expected = source[name], tensor
            raise SparringError(
                f"the {what}'s '{name}' is {came.dtype} {tuple(came.shape)}, "
                f"expected {expected.dtype} {tuple(expected.shape)}: another architecture?"
            )
