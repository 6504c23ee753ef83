"""The loop around steps: ticks, when to stop, and what to do when a step blows up.

Time is counted in samples seen (`images` in files and recipes, whatever the data are). The loop
writes nothing: callbacks do. What it repeats is a `Stage`: the game here, or the phase before it
(`phase`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from torch import Tensor
from torch.optim import Optimizer

from sparring.errors import SparringError
from sparring.training.origin import origin
from sparring.training.state import Snapshot, State, is_finite, restore, take_snapshot
from sparring.training.step import Batch, Game, Logs, NonFinite, train_step

MAX_ATTEMPTS = 3

Batches = Callable[[int, int], Batch]  # (start, count) -> those items of the endless stream


@dataclass(frozen=True)
class Progress:
    """Where training stands and what was measured since the last tick."""

    step: int
    samples_seen: int
    seconds: float  # of training since the loop began
    samples_per_second: float
    metrics: dict[str, float]  # means

    @property
    def images(self) -> int:
        """Samples seen, by the name of version 0.1."""
        return self.samples_seen

    @property
    def images_per_second(self) -> float:
        """Samples per second, by the name of version 0.1."""
        return self.samples_per_second


@dataclass(frozen=True)
class Rollback:
    """A step was refused and the state set back."""

    images: int  # where it was set back to
    failed_at: int
    reason: str
    attempt: int
    origin: str = ""  # in what the step first was not finite, and what stood out before
    learning_rate: float = 0.0  # of the generator in the refused step


class Callback(NamedTuple):
    """What to do at each `every_ticks`-th tick, and at the end."""

    every_ticks: int
    act: Callable[[State, Progress], None]


class Diverged(SparringError):
    """Training produced NaN or infinity again and again, at ever smaller learning rates."""


class Stage(Protocol):
    """What a loop repeats."""

    @property
    def advice(self) -> str:
        """What to try where its steps are not finite again and again."""

    def seen(self, state: State) -> int:
        """Return how many samples it has used up."""

    def is_over(self, state: State) -> bool:
        """Tell whether its end is reached."""

    def take_step(self, state: State) -> Logs:
        """Take one step and count it; return detached scalars.

        Raises:
            NonFinite: a loss or gradient is NaN or infinite.
        """

    def optimizer(self, state: State) -> Optimizer:
        """Return the generator's optimiser."""

    def origin(self, state: State, before: Mapping[str, float]) -> str:
        """Say where a refused step first was not finite, given the scalars of the one before."""


@dataclass
class Rounds:
    """The rounds of a game, on so many samples each."""

    game: Game
    batches: Batches
    count: int
    until_images: int
    real: Batch | None = None  # of the last round
    advice: str = (
        "try a lower --optimizer.lr or a larger --penalties.r1.weight, and look for extreme "
        "values in the data"
    )

    def seen(self, state: State) -> int:
        """Return the samples seen."""
        return state.samples_seen

    def is_over(self, state: State) -> bool:
        """Tell whether as many samples have been seen as there should be."""
        return state.samples_seen >= self.until_images

    def take_step(self, state: State) -> Logs:
        """Play one round."""
        self.real = self.batches(state.samples_seen, self.count)
        return train_step(state, self.game, self.real)

    def optimizer(self, state: State) -> Optimizer:
        """Return the generator's optimiser."""
        return state.generator_optimizer

    def origin(self, state: State, before: Mapping[str, float]) -> str:
        """Look for it in both networks, on the reals of the last round."""
        return origin(state, self.real, before) if self.real else ""


def train(
    state: State,
    game: Game,
    batches: Batches,
    *,
    batch: int,
    until_images: int,
    tick_images: int,
    callbacks: Sequence[Callback] = (),
    snapshot_ticks: int = 1,
    stop: Callable[[State], bool] = lambda state: False,
    on_rollback: Callable[[Rollback], None] = lambda rollback: None,
) -> bool:
    """Play until `until_images`, or until `stop` says so; tell whether the end was reached.

    See `repeat` for when callbacks act and what happens when a step is not finite.
    """
    rounds = Rounds(game, batches, batch * game.discriminator_moves, until_images)
    return repeat(
        state,
        rounds,
        tick_samples=tick_images,
        callbacks=callbacks,
        snapshot_ticks=snapshot_ticks,
        stop=stop,
        on_rollback=on_rollback,
    )


def repeat(
    state: State,
    stage: Stage,
    *,
    tick_samples: int,
    callbacks: Sequence[Callback] = (),
    snapshot_ticks: int = 1,
    stop: Callable[[State], bool] = lambda state: False,
    on_rollback: Callable[[Rollback], None] = lambda rollback: None,
) -> bool:
    """Take steps of a stage until it is over, or until `stop` says so; tell whether it is over.

    The state to go back to is the one at the last snapshot tick, or at the beginning: a run that
    was stopped between two ticks goes back no further than to where it was resumed.

    Raises:
        Diverged: a step was not finite, and `MAX_ATTEMPTS` recoveries did not help.
    """
    meter, good = Meter(state, stage.seen), take_snapshot(state)
    last_called = [stage.seen(state)] * len(callbacks)
    while not stage.is_over(state) and not stop(state):
        before = stage.seen(state)
        try:
            meter.add(stage.take_step(state))
            if _crosses(before, stage.seen(state), tick_samples * snapshot_ticks):
                good = _finite_snapshot(state)
        except NonFinite as failure:
            first = stage.origin(state, meter.last())
            rate = stage.optimizer(state).param_groups[0]["lr"]
            failed = Rollback(0, before, str(failure), 0, first, rate)
            _recover(state, stage, good, failed, on_rollback)
            meter.drop(state)
            continue
        if _crosses(before, seen := stage.seen(state), tick_samples):
            progress = meter.read(state)
            for i, callback in enumerate(callbacks):
                if _crosses(before, seen, tick_samples * callback.every_ticks):
                    callback.act(state, progress)
                    last_called[i] = seen
    progress = meter.read(state)
    for callback, seen in zip(callbacks, last_called, strict=True):
        if seen < stage.seen(state):
            callback.act(state, progress)
    return stage.is_over(state)


def _crosses(before: int, after: int, every: int) -> bool:
    """Tell whether a multiple of `every` lies in (before, after]."""
    return before // every < after // every


def _finite_snapshot(state: State) -> Snapshot:
    if not is_finite(state):
        raise NonFinite("a parameter is not finite")
    return take_snapshot(state)


def _recover(
    state: State,
    stage: Stage,
    good: Snapshot,
    failed: Rollback,
    on_rollback: Callable[[Rollback], None],
) -> None:
    """Go back to the last good state, with half the learning rate and other random numbers."""
    attempt = state.attempt + 1
    if attempt > MAX_ATTEMPTS:
        raise Diverged(
            f"training diverged at {failed.failed_at:,} samples: {failed.reason} "
            f"({failed.origin}), and {MAX_ATTEMPTS} retries at halved learning rates did not help; "
            f"{stage.advice}"
        )
    restore(state, good.model, good.train, good.counts | {"attempt": attempt})
    on_rollback(replace(failed, images=stage.seen(state), attempt=attempt))


def samples_seen(state: State) -> int:
    """Return the samples that the game has used up."""
    return state.samples_seen


class Meter:
    """Means of the step's scalars, and speed, since the last reading."""

    def __init__(self, state: State, seen: Callable[[State], int] = samples_seen) -> None:
        self.began = time.monotonic()
        self.seen = seen
        self.latest = Progress(state.step, seen(state), 0.0, 0.0, {})
        self._begin_anew(self.began, state)

    def drop(self, state: State) -> None:
        """Forget what was added since the last reading."""
        self._begin_anew(time.monotonic(), state)

    def _begin_anew(self, now: float, state: State) -> None:
        self.since = now, self.seen(state)
        self.sums: dict[str, Tensor] = {}
        self.newest: dict[str, Tensor] = {}
        self.steps = 0

    def add(self, logs: dict[str, Tensor]) -> None:
        """Take in one step's scalars, without waiting for the device."""
        for name, value in logs.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.newest = logs
        self.steps += 1

    def last(self) -> dict[str, float]:
        """Return the scalars of the last step, or the last means where none came since."""
        return {k: float(v) for k, v in self.newest.items()} or self.latest.metrics

    def read(self, state: State) -> Progress:
        """Return the means since the last reading and begin anew; the last ones if none came."""
        now, (then, samples) = time.monotonic(), self.since
        speed, metrics = self.latest.samples_per_second, self.latest.metrics
        if self.steps:
            speed = (self.seen(state) - samples) / max(now - then, 1e-9)
            metrics = {name: float(value) / self.steps for name, value in self.sums.items()}
        self.latest = Progress(state.step, self.seen(state), now - self.began, speed, metrics)
        self._begin_anew(now, state)
        return self.latest
