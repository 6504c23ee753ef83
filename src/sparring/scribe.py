"""What is written while a run trains: ticks, samples, checkpoints, the report, and how it ended.

Every file lands atomically. A failed write (a full disk) is told once and survived: training goes
on from memory, and what was saved before stays.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from sparring import gallery, report
from sparring.build import build_objective
from sparring.data.dataset import Dataset
from sparring.metrics.estimate import Estimate
from sparring.observe import in_words, observe
from sparring.plan import Audience
from sparring.recipe import Recipe
from sparring.runs import EventLog, RunFolder
from sparring.training import checkpoint
from sparring.training.loop import MAX_ATTEMPTS, Callback, Progress, Rollback
from sparring.training.state import State


@dataclass
class Scribe:
    """Writes down what happens while a run trains."""

    folder: RunFolder
    data: Dataset
    recipe: Recipe
    log: EventLog
    audience: Audience
    seconds_before: float
    saved_images: int
    observed: dict[str, float | Estimate] = field(default_factory=dict)
    unwritten: set[str] = field(default_factory=set)  # said once, until it works again

    def callbacks(self) -> tuple[Callback, ...]:
        """Return what the loop calls, in order."""
        often = self.recipe.checkpoint
        return (
            Callback(1, self.tick),
            Callback(often.samples_every_ticks, self.samples),
            Callback(often.every_ticks, self.checkpoint),
            Callback(often.every_ticks, self.report),
        )

    def tick(self, state: State, progress: Progress) -> None:
        """Log the means of the step's scalars."""
        self.log(
            "tick",
            step=progress.step,
            images=progress.images,
            seconds=round(self.seconds_before + progress.seconds, 3),
            images_per_second=round(progress.images_per_second, 1),
            learning_rate=state.generator_optimizer.param_groups[0]["lr"],
            metrics=progress.metrics,
        )
        self.audience.tick(progress, self.recipe.images)
        if self.log.failure and "log" not in self.unwritten:
            self.unwritten.add("log")
            self.audience.say(f"the log is no longer written: {self.log.failure.strerror}")

    def samples(self, state: State, progress: Progress) -> None:
        """Draw the fixed latents."""

        def draw() -> None:
            path = gallery.write_fake(self.folder.samples, state, self.data, self.recipe.seed)
            self.log("samples", images=progress.images, path=path.name)
            self.observe(state)

        self._survive("samples", draw)

    def observe(self, state: State) -> None:
        """Log what can be measured of the generator."""
        found = observe(state, self.data, build_objective(self.recipe))
        if found:
            values = {k: v.value if isinstance(v, Estimate) else v for k, v in found.items()}
            self.log("observed", images=state.images, metrics=values)
            self.observed = found

    def checkpoint(self, state: State, progress: Progress) -> None:
        """Save the state."""

        def save() -> None:
            path = checkpoint.save(state, self.folder.checkpoints, self.recipe.checkpoint.keep)
            self.saved_images = state.images
            self.log("checkpoint", images=progress.images, path=path.name)

        self._survive("checkpoint", save)

    def report(self, state: State, progress: Progress) -> None:
        """Write the report and the card from the files so far."""
        self._survive("report", lambda: write_report(self.folder))

    def rollback(self, rollback: Rollback) -> None:
        """Say that a step was refused."""
        self.log("rollback", **asdict(rollback))
        self.audience.say(
            f"{rollback.reason} at {rollback.failed_at:,} images: back to {rollback.images:,}, "
            f"learning rate halved (attempt {rollback.attempt} of {MAX_ATTEMPTS})"
        )

    def end(self, state: State, status: str, reason: str) -> None:
        """Write down how it ended; what was not saved yet, is not claimed to be."""
        self.log(status, images=state.images, reason=reason)
        if self.observed:
            self.audience.say(in_words(self.observed, self.data))
        ticked = seconds_so_far(self.folder)

        def write() -> None:
            self.folder.update_run(status=status, reason=reason, ended=time.time(), seconds=ticked)
            write_report(self.folder)

        self._survive("run.json", write)

    def _survive(self, what: str, write: Callable[[], None]) -> None:
        try:
            write()
            self.unwritten.discard(what)
        except OSError as error:
            self.log("unwritten", what=what, reason=str(error))
            if what not in self.unwritten:
                self.unwritten.add(what)
                self.audience.say(f"could not write the {what}: {error.strerror}; training goes on")


def write_report(folder: RunFolder) -> None:
    """Write `report.html` and `README.md` from the files of a run."""
    report.write_report(folder)
    report.write_card(folder)


def seconds_so_far(folder: RunFolder) -> float:
    """Return how long a run has trained, up to its last tick."""
    ticks = [event for event in folder.read_events() if event["event"] == "tick"]
    return float(ticks[-1]["seconds"]) if ticks else 0.0
