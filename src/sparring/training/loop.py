"""The loop around the step: ticks, when to stop, and what to do when a step blows up.

Time is counted in samples seen (`images` in files and recipes, whatever the data are). The loop
writes nothing: callbacks do.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from sparring.errors import SparringError
from sparring.training.origin import origin
from sparring.training.state import Snapshot, State, is_finite, restore, take_snapshot
from sparring.training.step import Batch, Game, NonFinite, train_step

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

    The state to go back to is the one at the last snapshot tick, or at the beginning: a run that
    was stopped between two ticks goes back no further than to where it was resumed.

    Raises:
        Diverged: a step was not finite, and `MAX_ATTEMPTS` recoveries did not help.
    """
    count = batch * game.discriminator_moves
    meter, good = Meter(state), take_snapshot(state)
    last_called = [state.samples_seen] * len(callbacks)
    while state.samples_seen < until_images and not stop(state):
        before, real = state.samples_seen, batches(state.samples_seen, count)
        try:
            meter.add(train_step(state, game, real))
            if _crosses(before, state.samples_seen, tick_images * snapshot_ticks):
                good = _finite_snapshot(state)
        except NonFinite as failure:
            first = origin(state, real, meter.last())
            rate = state.generator_optimizer.param_groups[0]["lr"]
            failed = Rollback(0, before, str(failure), 0, first, rate)
            _recover(state, good, failed, on_rollback)
            meter.drop(state)
            continue
        if _crosses(before, state.samples_seen, tick_images):
            progress = meter.read(state)
            for i, callback in enumerate(callbacks):
                if _crosses(before, state.samples_seen, tick_images * callback.every_ticks):
                    callback.act(state, progress)
                    last_called[i] = state.samples_seen
    progress = meter.read(state)
    for callback, images in zip(callbacks, last_called, strict=True):
        if images < state.samples_seen:
            callback.act(state, progress)
    return state.samples_seen >= until_images


def _crosses(before: int, after: int, every: int) -> bool:
    """Tell whether a multiple of `every` lies in (before, after]."""
    return before // every < after // every


def _finite_snapshot(state: State) -> Snapshot:
    if not is_finite(state):
        raise NonFinite("a parameter is not finite")
    return take_snapshot(state)


def _recover(
    state: State, good: Snapshot, failed: Rollback, on_rollback: Callable[[Rollback], None]
) -> None:
    """Go back to the last good state, with half the learning rate and other random numbers."""
    attempt = state.attempt + 1
    if attempt > MAX_ATTEMPTS:
        raise Diverged(
            f"training diverged at {failed.failed_at:,} samples: {failed.reason} "
            f"({failed.origin}), and {MAX_ATTEMPTS} retries at halved learning rates did not help; "
            "try a lower --optimizer.lr or a larger --penalties.r1.weight, and look for extreme "
            "values in the data"
        )
    restore(state, good.model, good.train, good.counts | {"attempt": attempt})
    on_rollback(replace(failed, images=state.samples_seen, attempt=attempt))


class Meter:
    """Means of the step's scalars, and speed, since the last reading."""

    def __init__(self, state: State) -> None:
        self.began = time.monotonic()
        self.latest = Progress(state.step, state.samples_seen, 0.0, 0.0, {})
        self._begin_anew(self.began, state)

    def drop(self, state: State) -> None:
        """Forget what was added since the last reading."""
        self._begin_anew(time.monotonic(), state)

    def _begin_anew(self, now: float, state: State) -> None:
        self.since = now, state.samples_seen
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
        now, (then, images) = time.monotonic(), self.since
        speed, metrics = self.latest.samples_per_second, self.latest.metrics
        if self.steps:
            speed = (state.samples_seen - images) / max(now - then, 1e-9)
            metrics = {name: float(value) / self.steps for name, value in self.sums.items()}
        self.latest = Progress(state.step, state.samples_seen, now - self.began, speed, metrics)
        self._begin_anew(now, state)
        return self.latest
