"""The phase before the game: its generator learns alone first, by whatever a kind of data offers.

Inside: `Phase`, what a kind says of it, and `prepare`, which goes through it as the game is gone
through: ticks, interruption, recovery. Not inside: what is learned in a step (`kinds`).

While it lasts, the average is the best generator so far; at its end the game starts from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch.optim import Optimizer

from sparring.training.loop import Callback, Rollback, repeat
from sparring.training.state import State, end_preparing
from sparring.training.step import Logs


class Phase(Protocol):
    """Steps that a fresh generator takes before it plays."""

    @property
    def method(self) -> str:
        """What people call it, after a verb: `by likelihood`."""

    @property
    def samples(self) -> int:
        """Samples of the whole phase: a multiple of `batch`, at most so many."""

    @property
    def batch(self) -> int:
        """Samples of one step."""

    def begin(self, state: State) -> None:
        """Give a fresh state what the phase needs, by `state.begin_preparing`."""

    def take_step(self, state: State) -> Logs:
        """Take the step that follows `state.prepared` samples; return detached scalars.

        A function of the state and the data alone: draws count from `state.prepared`, other ones in
        each `state.attempt`, and rates are multiplied by `state.rate_factor`. It leaves in the
        average what would be sampled if the phase ended here.

        Raises:
            NonFinite: a loss or gradient is NaN or infinite, and has not been applied.
        """

    def is_settled(self, state: State) -> bool:
        """Tell whether to end before all samples, by what `state.preparing` remembers."""


@dataclass(frozen=True)
class PhaseSteps:
    """A phase as a stage of the loop."""

    phase: Phase
    advice: str = (
        "look for extreme values in the data, or go without the phase before the game: "
        "--generator.warm-start 0"
    )

    def seen(self, state: State) -> int:
        """Return the samples that the phase has used up."""
        return state.prepared

    def is_over(self, state: State) -> bool:
        """Tell whether all samples are used up, or the phase has settled."""
        return state.prepared >= self.phase.samples or self.phase.is_settled(state)

    def take_step(self, state: State) -> Logs:
        """Take a step and count it."""
        logs = self.phase.take_step(state)
        state.prepared += self.phase.batch
        return logs

    def optimizer(self, state: State) -> Optimizer:
        """Return the phase's own optimiser."""
        assert state.preparing
        return state.preparing.optimizer

    def origin(self, state: State, before: Mapping[str, float]) -> str:
        """Say what the step before had."""
        measured = ", ".join(
            f"{name.replace('_', ' ')} {value:.2g}" for name, value in before.items()
        )
        return f"in the phase before the game; the last steps had {measured or 'no values'}"


def prepare(
    state: State,
    phase: Phase,
    *,
    tick_samples: int,
    callbacks: Sequence[Callback] = (),
    snapshot_ticks: int = 1,
    stop: Callable[[State], bool] = lambda state: False,
    on_rollback: Callable[[Rollback], None] = lambda rollback: None,
) -> bool:
    """Go through what is left of a phase, or until `stop` says so; tell whether it is over.

    Raises:
        Diverged: a step was not finite, and recoveries did not help.
    """
    reached = repeat(
        state,
        PhaseSteps(phase),
        tick_samples=tick_samples,
        callbacks=callbacks,
        snapshot_ticks=snapshot_ticks,
        stop=stop,
        on_rollback=on_rollback,
    )
    if reached:
        end_preparing(state)
    return reached
