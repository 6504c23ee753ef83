"""What is written while a run trains: ticks, samples, checkpoints, the report, and how it ended.

Every file lands atomically. A failed write (a full disk) is told once and survived: training goes
on from memory, and what was saved before stays.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sparring import gallery, report
from sparring.data.dataset import Dataset
from sparring.densities import density
from sparring.diagnosis import Finding, Setting, diagnose, history
from sparring.errors import SparringError
from sparring.metrics.estimate import Estimate
from sparring.metrics.trend import BACK
from sparring.observe import Found, Look, Observer, advice, in_words
from sparring.plan import Audience
from sparring.recipe import Recipe, penalties_in_use
from sparring.runs import EventLog, Json, RunFolder
from sparring.spec import ImageSpec, VectorSpec
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
    observer: Observer
    looks: list[Look]
    events: list[Json]  # those that a diagnosis reads, of the whole run
    findings: tuple[Finding, ...] | None = None  # none yet
    told: dict[str, int] = field(default_factory=dict)  # findings, and the images seen then
    observed: Found = field(default_factory=dict)
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
        self._keep(
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
            self.diagnose(state.images)

        self._survive("samples", draw)

    def observe(self, state: State) -> None:
        """Log what can be measured of the generator; a measure that fails stops nothing."""
        try:
            self.observed = self.observer(state)
        except SparringError as error:  # samples that are not finite, on their way to a rollback
            self.log("unobserved", images=state.images, reason=str(error))
            return
        if self.observed:
            sure = {k: v for k, v in self.observed.items() if isinstance(v, Estimate)}
            self._keep(
                "observed",
                images=state.images,
                metrics=self.observed | {key: one.value for key, one in sure.items()},
                intervals={key: [one.low, one.high] for key, one in sure.items()},
            )
        if isinstance(distance := self.observed.get("kid"), Estimate):
            self.looks.append((state.images, distance))

    def diagnose(self, images: int, *, last: bool = False) -> None:
        """Log what is wrong with the run whenever that changes, and at the end; tell it once."""
        found = diagnose(history(self.events, setting(self.recipe, self.data)))
        named = [finding.name for finding in found]
        before = None if self.findings is None else [finding.name for finding in self.findings]
        if last or named != before:
            self.log("diagnosis", images=images, findings=[asdict(finding) for finding in found])
        self.findings = found
        for finding in found:
            if finding.name not in self.told or (last and self.told[finding.name] < images):
                self.told[finding.name] = images
                self.audience.say(str(finding))

    def checkpoint(self, state: State, progress: Progress) -> None:
        """Save the state."""

        def save() -> None:
            best = self._best(state.images)
            keep = self.recipe.checkpoint.keep
            path = checkpoint.save(state, self.folder.checkpoints, keep, spare=best)
            self.saved_images = state.images
            self.log("checkpoint", images=progress.images, path=path.name)
            if best:
                checkpoint.mark_best(self.folder.checkpoints, best)

        self._survive("checkpoint", save)

    def report(self, state: State, progress: Progress) -> None:
        """Write the report and the card from the files so far."""
        self._survive("report", lambda: write_report(self.folder))

    def rollback(self, rollback: Rollback) -> None:
        """Say that a step was refused."""
        self._keep("rollback", **asdict(rollback))
        self.audience.say(
            f"{rollback.reason} at {rollback.failed_at:,} images: back to {rollback.images:,}, "
            f"learning rate halved (attempt {rollback.attempt} of {MAX_ATTEMPTS}); "
            f"{rollback.origin}"
        )

    def end(self, state: State, status: str, reason: str) -> None:
        """Write down how it ended; what was not saved yet, is not claimed to be."""
        if self.events:
            self.diagnose(state.images, last=True)
        self.log(status, images=state.images, reason=reason)
        if words := in_words(self.observed, self.data):
            self.audience.say(words)
        if len(self.looks) > BACK:
            self.audience.say(advice(self.observer.trend(self.looks)))
        ticked = seconds_so_far(self.folder)

        def write() -> None:
            self.folder.update_run(status=status, reason=reason, ended=time.time(), seconds=ticked)
            write_report(self.folder)

        self._survive("run.json", write)

    def _keep(self, event: str, **fields: Any) -> None:
        """Log an event that a diagnosis reads."""
        self.log(event, **fields)
        self.events.append({"event": event, **fields})

    def _best(self, now: int) -> str:
        """Return the newest checkpoint that the looks cannot tell from the best of those kept."""
        names = {int(path.name) for path in checkpoint.kept(self.folder.checkpoints)} | {now}
        looked = [(images, distance) for images, distance in self.looks if images in names]
        if not looked:
            return ""
        return f"{self.observer.choice(looked)[0]:09d}"

    def _survive(self, what: str, write: Callable[[], None]) -> None:
        try:
            write()
            self.unwritten.discard(what)
        except OSError as error:
            self.log("unwritten", what=what, reason=str(error))
            if what not in self.unwritten:
                self.unwritten.add(what)
                self.audience.say(f"could not write the {what}: {error.strerror}; training goes on")


def setting(recipe: Recipe, data: Dataset) -> Setting:
    """Return what a diagnosis should know of the recipe and the data."""
    modes = 0
    if isinstance(data.spec, VectorSpec) and data.spec.density:
        known = density(data.spec.density)
        modes = len(known.centres) if known.modes else 0
    augment = recipe.augment
    return Setting(
        objective=recipe.objective,
        penalised=bool(penalties_in_use(recipe)),
        discriminator_lr_factor=recipe.optimizer.discriminator_lr_factor,
        modes=modes,
        images=isinstance(data.spec, ImageSpec),
        augmented=bool(augment.kinds),
        augment_limit=augment.limit if augment.probability == "adaptive" else None,
    )


def write_report(folder: RunFolder) -> None:
    """Write `report.html` and `README.md` from the files of a run."""
    report.write_report(folder)
    report.write_card(folder)


def looks_so_far(folder: RunFolder) -> list[Look]:
    """Return the kernel distances that a run has logged, with the images seen then."""
    found = []
    for event in folder.read_events():
        interval = event.get("intervals", {}).get("kid") if event["event"] == "observed" else None
        if interval:
            value, (low, high) = event["metrics"]["kid"], interval
            found.append((event["images"], Estimate(value, low, high, 0, "logged")))
    return found


def seconds_so_far(folder: RunFolder) -> float:
    """Return how long a run has trained, up to its last tick."""
    ticks = [event for event in folder.read_events() if event["event"] == "tick"]
    return float(ticks[-1]["seconds"]) if ticks else 0.0
