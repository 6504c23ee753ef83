"""Where the time of a training step goes: by operator, by phase, and against the machine's peak.

Inside: timing, tracing and counting a step that is given as a function, and marks that tell a
trace which phase an operator belongs to. Not inside: building a step (`runs.plan`).

Shares are of self CPU time of the thread that trains, as torch's profiler sees it; tracing makes
small operators look dearer than they are, so milliseconds are measured apart, without it.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from sparring.draws import Draw
from sparring.networks.dense import AVAILABLE, Dense
from sparring.penalties import PenaltyFn
from sparring.runs.folder import Json
from sparring.training.augmentation import Augmentation, Change
from sparring.training.loop import Batches
from sparring.training.state import State
from sparring.training.step import Batch, Game

Step = Callable[[], object]

STEPS = 24  # traced; three rounds of the laziest penalties that are common
MATRIX_SIDE = 1024  # side of the square matrices that the peak is measured on
PEAK_SECONDS = 0.3
DATA, GENERATOR, DISCRIMINATOR = "data", "generator forward", "discriminator forward"
PENALTIES, AUGMENTATION = "penalties", "augmentation"
BACKWARD, OPTIMISER, AVERAGE, OTHER = "backward", "optimiser", "averaging", "other"
MARKS = (DATA, PENALTIES, AUGMENTATION, GENERATOR, DISCRIMINATOR)
CONVOLUTION, MATRICES = "convolution", "matrix products"
DENSE = torch.ops.mkldnn._linear_pointwise if AVAILABLE else None  # PyTorch does not count it
POINTWISE = "normalisation and activations"

# Parts of operators' names in small letters, tried in order; the first that occurs decides.
OPERATORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (CONVOLUTION, ("conv",)),
    (MATRICES, ("::mm", "::addmm", "::bmm", "::baddbmm", "::addmv", "::dot", "linear")),
    (AVERAGE, ("lerp",)),
    (OPTIMISER, ("_fused_adam", "_fused_sgd")),
    (AUGMENTATION, ("grid_sampler", "affine_grid", "_sampled", "_spread")),
    (
        POINTWISE,
        ("batch_norm", "relu", "silu", "softplus", "sigmoid", "tanh", "threshold"),
    ),
)


@dataclass(frozen=True)
class Profile:
    """What a step costs; shares sum to 1."""

    milliseconds: float  # of a step, untraced
    gigaflop: float  # of multiplications and additions in matrix products and convolutions
    peak: float  # gigaflop per second of a large single-precision product, same threads
    threads: int
    operators: Mapping[str, float]
    phases: Mapping[str, float]

    @property
    def speed(self) -> float:
        """Gigaflop per second."""
        return self.gigaflop / self.milliseconds * 1e3

    def table(self) -> list[str]:
        """Return lines for people."""
        return [
            f"one step: {self.milliseconds:.3g} ms, {self.gigaflop:.3g} GFLOP, "
            f"{self.speed:.3g} GFLOP/s: {self.speed / self.peak:.0%} of the {self.peak:.3g} that a "
            f"large matrix product reaches here with {_threads(self.threads)}",
            *_shares("by operator (self time)", self.operators),
            *_shares("by phase", self.phases),
        ]

    def as_json(self) -> Json:
        """Return everything."""
        return {**asdict(self), "utilisation": self.speed / self.peak}


def profile_step(step: Step, times: int = STEPS) -> Profile:
    """Time, trace and count a step that can be repeated; it runs about four times `times`."""
    for _ in range(times):
        step()  # warm
    began = time.perf_counter()
    for _ in range(times):
        step()
    seconds = (time.perf_counter() - began) / times
    gigaflop = gigaflop_of(step, times)
    peak, threads = peak_gigaflops(), torch.get_num_threads()
    return Profile(1e3 * seconds, gigaflop, peak, threads, *_traced(step, times))


def gigaflop_of(step: Step, times: int) -> float:
    """Return what a step multiplies and adds in matrix products and convolutions, on average."""
    with _Counter() as counter:  # type: ignore[no-untyped-call]
        for _ in range(times):
            step()
    flop: int = counter.flop
    return flop / times / 1e9


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what matrix products and convolutions multiply and add, backwards too."""

    flop = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        result = func(*args, **named)
        if func.overloadpacket == DENSE:
            self.flop += 2 * result.numel() * args[0].shape[1]
        elif func.overloadpacket == torch.ops.aten.convolution_backward:
            self.flop += _convolution_backward(*args)
        elif formula := flop_registry.get(func.overloadpacket):
            self.flop += formula(*args, **named, out_val=result)
        return result


def _convolution_backward(grad_out: Tensor, x: Tensor, kernel: Tensor, *others: Any) -> int:
    """Count as many products for each gradient as forwards; PyTorch's formula forgets groups."""
    transposed, needed = others[4], others[7]  # needed: gradients of input, kernel, bias
    positions = len(x) * prod((x if transposed else grad_out).shape[2:])
    flop: int = 2 * positions * kernel.numel() * sum(needed[:2])
    return flop


@torch.no_grad()
def peak_gigaflops() -> float:
    """Return what a product of large single-precision matrices reaches, at its best.

    The better of two libraries: `mm` is MKL's, which is half as fast on some processors.
    """
    a, layer = torch.ones(MATRIX_SIDE, MATRIX_SIDE), Dense(MATRIX_SIDE, MATRIX_SIDE, bias=False)
    best, end = 0.0, time.perf_counter() + PEAK_SECONDS
    while not best or time.perf_counter() < end:
        for product in (lambda: torch.mm(a, a), lambda: layer(a)):
            began = time.perf_counter()
            product()
            best = max(best, 2 * MATRIX_SIDE**3 / (time.perf_counter() - began) / 1e9)
    return best


def _traced(step: Step, times: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the shares of kinds of operator, and of phases, the largest first."""
    with _silenced_stderr(), profile(activities=[ProfilerActivity.CPU]) as trace:
        for _ in range(times):
            step()
    operators: dict[str, float] = {}
    phases: dict[str, float] = {}
    for event in trace.events() or ():
        names = list(_names_outwards(event))
        for sums, key in ((operators, operator_kind(names)), (phases, phase(names))):
            sums[key] = sums.get(key, 0.0) + event.self_cpu_time_total
    return _normalised(operators), _normalised(phases)


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Keep what the tracer writes to standard error, past Python, off it."""
    sys.stderr.flush()
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)


def _names_outwards(event: Any) -> Iterator[str]:
    """Yield an event's name and those of the events around it, the innermost first."""
    while event is not None:
        yield event.name
        event = event.cpu_parent


def operator_kind(names: list[str]) -> str:
    """Return the kind of an operator by its own name, then by what it runs in."""
    for name in names:
        for kind, parts in OPERATORS:
            if any(part in name.lower() for part in parts):
                return kind
        if name in (DATA, AUGMENTATION):
            return name
        if name.startswith("Optimizer.step"):
            return OPTIMISER
    return OTHER


def phase(names: list[str]) -> str:
    """Return the phase by the outermost mark; a penalty's own derivatives are the penalty's."""
    for name in reversed(names):
        if name in MARKS:
            return name
        if name.startswith("autograd::engine"):
            return BACKWARD
        if name.startswith("Optimizer.step"):
            return OPTIMISER
        if "_foreach_lerp" in name:
            return AVERAGE
    return OTHER


def _normalised(sums: Mapping[str, float]) -> dict[str, float]:
    total = sum(sums.values()) or 1.0
    return {key: sums[key] / total for key in sorted(sums, key=lambda key: -sums[key])}


def _shares(title: str, shares: Mapping[str, float]) -> list[str]:
    return [f"{title}:", *(f"  {share:6.1%}  {name}" for name, share in shares.items())]


def _threads(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"


@contextmanager
def marked(state: State, game: Game, fetch: Batches) -> Iterator[tuple[Game, Batches]]:
    """Lend a game and its data that mark a trace; the networks mark it too, until the end."""
    hooks = [*_hooks(state.generator, GENERATOR), *_hooks(state.discriminator, DISCRIMINATOR)]

    def marked_fetch(start: int, count: int) -> Batch:
        with record_function(DATA):
            return fetch(start, count)

    penalties = tuple(replace(p, fn=_marked_penalty(p.fn)) for p in game.penalties)
    try:
        yield (
            replace(game, penalties=penalties, augment=_marked_augmentation(game.augment)),
            marked_fetch,
        )
    finally:
        for hook in hooks:
            hook.remove()


def _hooks(network: nn.Module, mark: str) -> list[Any]:
    """Have each forward pass of a network open and close a mark."""
    open_marks: list[record_function] = []

    def before(module: nn.Module, inputs: object) -> None:
        open_marks.append(record_function(mark))
        open_marks[-1].__enter__()  # type: ignore[no-untyped-call]

    def after(module: nn.Module, inputs: object, output: object) -> None:
        open_marks.pop().__exit__(None, None, None)

    return [network.register_forward_pre_hook(before), network.register_forward_hook(after)]


def _marked_penalty(fn: PenaltyFn) -> PenaltyFn:
    def penalty(*arguments: Any) -> Tensor:
        with record_function(PENALTIES):
            return fn(*arguments)

    return penalty


class _Marks:
    """Before an augmentation in the order of inheritance: its drawing and changing are marked."""

    def bind(self, draw: Draw, purpose: str, p: float, like: Tensor) -> Change:
        with record_function(AUGMENTATION):
            change: Change = super().bind(draw, purpose, p, like)  # type: ignore[misc]

        def marked_change(x: Tensor) -> Tensor:
            with record_function(AUGMENTATION):
                return change(x)

        return marked_change


def _marked_augmentation(augment: Augmentation | None) -> Augmentation | None:
    if augment is None:
        return None
    marked_type: type[Augmentation] = type("Marked", (_Marks, type(augment)), {})
    return marked_type(**vars(augment))
