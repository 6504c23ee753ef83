"""What changes while training: exactly what a checkpoint holds, as tensors and counters."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
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
    prepared: int
    preparing: bool


def latent_width(generator: nn.Module) -> int:
    """Return how many numbers a generator's latent has; every generator says so in `latent`."""
    return cast(int, generator.latent)


@dataclass(frozen=True)
class Preparing:
    """What changes only while the phase before the game lasts; its tensors change in place."""

    optimizer: Optimizer  # of the generator
    memory: Tensors = field(default_factory=dict)  # what else the phase remembers, by name


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
    prepared: int = 0  # samples that the generator has learned before the game
    preparing: Preparing | None = None  # None: that phase is over, or there is none

    @property
    def images(self) -> int:
        """Samples seen, by the name of version 0.1."""
        return self.samples_seen

    @property
    def rate_factor(self) -> float:
        """What learning rates are multiplied by: each recovery has halved them."""
        return 0.5**self.attempt

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


def begin_preparing(
    state: State, optimizer: Optimizer, memory: Mapping[str, Tensor] | None = None
) -> None:
    """Give a state what the phase before the game needs: an optimiser of its generator."""
    _allocate_moments(optimizer)
    state.preparing = Preparing(optimizer, dict(memory or {}))


def end_preparing(state: State) -> None:
    """Drop what only the phase needed; the game starts from the average that the phase has left."""
    copy_exactly(state.generator.state_dict(), state.ema.state_dict(), "average")
    state.preparing, state.attempt = None, 0


def refuse_batch_statistics(discriminator: nn.Module) -> None:
    """Raise if one sample's logit could depend on another: penalties and pairing assume not."""
    for name, module in discriminator.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise SparringError(
                f"the discriminator's '{name}' is {type(module).__name__}: batch statistics leak "
                "between real and fake; use a network without them"
            )


def counters(state: State) -> Counters:
    """Return all that a state holds beside tensors."""
    return {
        "seed": state.seed,
        "step": state.step,
        "images": state.samples_seen,
        "attempt": state.attempt,
        "augment_probability": state.augment_probability,
        "augment_sign": state.augment_sign,
        "prepared": state.prepared,
        "preparing": state.preparing is not None,
    }


def model_tensors(state: State) -> Tensors:
    """Return the averaged generator: all that sampling needs."""
    return {name: tensor.contiguous() for name, tensor in state.ema.state_dict().items()}


def train_tensors(state: State) -> Tensors:
    """Return both live networks and both optimisers' moments, by name."""
    return {name: tensor.contiguous() for name, tensor in _live(state).items()}


def restore(state: State, model: Tensors, train: Tensors, counts: Counters) -> None:
    """Overwrite a state of the same shapes in place; a phase that was over then is over now.

    Raises:
        SparringError: tensors are missing, superfluous or of another shape or type.
    """
    if not counts["preparing"]:
        state.preparing = None
    ema, live = state.ema.state_dict(), _live(state)
    _check_same(ema, model, "model")
    _check_same(live, train, "training state")
    copy_exactly(ema, model, "model")
    copy_exactly(live, train, "training state")
    state.seed, state.step = counts["seed"], counts["step"]
    state.samples_seen, state.attempt = counts["images"], counts["attempt"]
    state.augment_probability = counts["augment_probability"]
    state.augment_sign = counts["augment_sign"]
    state.prepared = counts["prepared"]


def restore_networks(state: State, model: Tensors, train: Tensors) -> None:
    """Overwrite both networks and the average alone; optimisers and counters stay as they are.

    Raises:
        SparringError: tensors are missing, superfluous or of another shape or type.
    """
    for player, network in _players(state).items():
        prefix = f"{player}."
        named = {k.removeprefix(prefix): v for k, v in train.items() if k.startswith(prefix)}
        copy_exactly(network.state_dict(), named, player)
    copy_exactly(state.ema.state_dict(), model, "model")


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
        **{
            f"{player}.{k}": v
            for player, network in _players(state).items()
            for k, v in network.state_dict().items()
        },
        **_moments("generator", state.generator, state.generator_optimizer),
        **_moments("discriminator", state.discriminator, state.discriminator_optimizer),
        **_of_preparing(state),
    }


def _players(state: State) -> dict[str, nn.Module]:
    return {"generator": state.generator, "discriminator": state.discriminator}


def _of_preparing(state: State) -> Tensors:
    if state.preparing is None:
        return {}
    memory = {f"preparing.{name}": value for name, value in state.preparing.memory.items()}
    return {**_moments("preparing", state.generator, state.preparing.optimizer), **memory}


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
