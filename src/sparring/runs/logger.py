"""What is written while a run trains: ticks, samples, checkpoints, the report, and how it ended.

Every file lands atomically. A failed write (a full disk) is told once and survived: training goes
on from memory, and what was saved before stays.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from sparring import report
from sparring.build import generator_plays
from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import kind_of
from sparring.metrics.estimate import Estimate
from sparring.metrics.trend import Verdict
from sparring.recipes.named import preset
from sparring.recipes.notation import parse_schedule
from sparring.recipes.recipe import Recipe, penalties_in_use
from sparring.recipes.sections import OptimizerRecipe
from sparring.runs import previews
from sparring.runs.diagnosis import Setting, diagnose, history
from sparring.runs.folder import EventLog, Json, RunFolder, seconds_trained, too_early
from sparring.runs.looks import write_looks
from sparring.runs.monitor import (
    DISTANCES,
    Metrics,
    Monitor,
    QuickEvaluation,
    advice,
    distance_in,
    quick_words,
)
from sparring.training import checkpoint
from sparring.training.loop import MAX_ATTEMPTS, Callback, Progress, Rollback
from sparring.training.phase import Phase
from sparring.training.reporter import ProgressReporter
from sparring.training.state import State


@dataclass
class RunLogger:
    """Writes down what happens while a run trains."""

    folder: RunFolder
    data: Dataset
    recipe: Recipe
    log: EventLog
    audience: ProgressReporter
    seconds_before: float
    saved: tuple[int, int]  # samples before the game, and in it
    monitor: Monitor
    looks: list[QuickEvaluation]
    events: list[Json]  # those that a diagnosis reads, of the whole run
    found: list[str] | None = None  # names of findings at the last diagnosis; None: none yet
    announced: dict[str, int] = field(default_factory=dict)  # findings, and the images seen then
    metrics: Metrics = field(default_factory=dict)
    seconds: float = 0.0  # of the phase before the game, at its last tick
    unwritten: set[str] = field(default_factory=set)  # said once, until it works again
    checkpointed: set[int] = field(default_factory=set)  # samples seen at each that was written

    def __post_init__(self) -> None:
        """Take up what the run has found and told before."""
        for event in self.events:
            match event["event"]:
                case "diagnosis":
                    self.found = [str(finding["name"]) for finding in event["findings"]]
                    self.announced |= dict.fromkeys(self.found, int(event["images"]))
                case "checkpoint":
                    self.checkpointed.add(int(event["images"]))
                case "rollback":
                    taken_back = int(event["images"])
                    self.checkpointed = {n for n in self.checkpointed if n <= taken_back}

    def callbacks(self) -> tuple[Callback, ...]:
        """Return what the loop calls, in order."""
        often = self.recipe.checkpoint
        samples = Callback(often.samples_every_ticks, self.samples)
        return (
            Callback(1, self.tick),
            *([samples] if self.plays else []),
            Callback(often.every_ticks, self.checkpoint),
            Callback(often.every_ticks, self.report),
        )

    @property
    def plays(self) -> bool:
        """Whether the generator changes in the game, so that there is something to look at."""
        return generator_plays(self.recipe, self.data.spec)

    def phase_callbacks(self, phase: Phase) -> tuple[Callback, ...]:
        """Return what is called in the phase before the game, in order."""
        often = self.recipe.checkpoint.every_ticks
        return (
            Callback(1, partial(self.phase_tick, phase)),
            Callback(often, self.checkpoint),
            Callback(often, self.report),
        )

    def phase_tick(self, phase: Phase, state: State, progress: Progress) -> None:
        """Log the means of the phase's scalars."""
        assert state.preparing
        self.seconds = round(self.seconds_before + progress.seconds, 3)
        self.log(
            "preparation",
            **reached(state),
            of=phase.samples,
            method=phase.method,
            seconds=self.seconds,
            samples_per_second=round(progress.samples_per_second, 1),
            learning_rate=state.preparing.optimizer.param_groups[0]["lr"],
            metrics=progress.metrics,
        )

    def phase_ended(self, state: State) -> None:
        """Keep what the game starts from, and go on counting time."""
        self.seconds_before = max(self.seconds_before, self.seconds)

        def draw() -> None:
            previews.write_fake(self.folder.samples, state, self.data, self.recipe.seed)

        self._try_to_write("samples", draw)
        self._save(state)

    def phase_rollback(self, rollback: Rollback) -> None:
        """Say that a step of the phase was refused."""
        fields = asdict(rollback) | {"images": 0, "prepared": rollback.images}
        self.log("preparation_rollback", **fields)
        self._tell(rollback)

    def tick(self, state: State, progress: Progress) -> None:
        """Log the means of the step's scalars."""
        self._record(
            "tick",
            step=progress.step,
            images=progress.samples_seen,
            seconds=round(self.seconds_before + progress.seconds, 3),
            images_per_second=round(progress.samples_per_second, 1),
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
            path = previews.write_fake(self.folder.samples, state, self.data, self.recipe.seed)
            self.log("samples", images=progress.samples_seen, path=path.name)
            self.observe(state)
            self.diagnose(state.samples_seen)

        self._try_to_write("samples", draw)

    def observe(self, state: State) -> None:
        """Log what can be measured of the generator; a measure that fails stops nothing."""
        try:
            self.metrics = self.monitor(state)
        except SparringError as error:  # samples that are not finite, on their way to a rollback
            self.log("unobserved", images=state.samples_seen, reason=str(error))
            return
        if self.metrics:
            estimates = {k: v for k, v in self.metrics.items() if isinstance(v, Estimate)}
            self._record(
                "observed",
                images=state.samples_seen,
                metrics=self.metrics | {key: estimate.value for key, estimate in estimates.items()},
                intervals={
                    key: [estimate.low, estimate.high] for key, estimate in estimates.items()
                },
            )
        if self.plays and (distance := distance_in(self.metrics)):
            self.looks.append((state.samples_seen, distance))
            self._try_to_write("looks", lambda: write_looks(self.folder.looks, self.monitor.looks))

    def diagnose(self, images: int, *, last: bool = False) -> None:
        """Log what is wrong with the run whenever that changes, and at the end; tell it once."""
        findings = diagnose(history(self.events, setting(self.recipe, self.data)))
        names = [finding.name for finding in findings]
        if last or names != self.found:
            self.log("diagnosis", images=images, findings=[asdict(finding) for finding in findings])
        self.found = names
        for finding in findings:
            if finding.name not in self.announced or (
                last and self.announced[finding.name] < images
            ):
                self.announced[finding.name] = images
                self.audience.say(str(finding))

    def checkpoint(self, state: State, progress: Progress) -> None:
        """Save the state."""
        self._save(state)

    def _save(self, state: State) -> None:
        def save() -> None:
            folder, now = self.folder.checkpoints, state.samples_seen
            stored = {int(path.name) for path in checkpoint.paths(folder)}
            kept = sorted({count for count in stored if count < now} | {now})
            keep, spare = self.recipe.checkpoint.keep, self._spared(kept)
            path = checkpoint.save(state, folder, keep, spare)
            self.saved = state.prepared, now
            self.checkpointed.add(now)
            self.log("checkpoint", **reached(state), path=path.name)
            if (best := self._best(kept, now)) is not None:
                checkpoint.mark_best(folder, checkpoint.name_of(best))

        self._try_to_write("checkpoint", save)

    def report(self, state: State, progress: Progress) -> None:
        """Write the report and the card from the files so far."""
        self._try_to_write("report", lambda: write_report(self.folder))

    def rollback(self, rollback: Rollback) -> None:
        """Say that a step was refused."""
        self._record("rollback", **asdict(rollback))
        self.looks = [look for look in self.looks if look[0] <= rollback.images]
        self.checkpointed = {count for count in self.checkpointed if count <= rollback.images}
        self.monitor.forget_after(rollback.images)
        self._tell(rollback)

    def _tell(self, rollback: Rollback) -> None:
        self.audience.say(
            f"{rollback.reason} at {rollback.failed_at:,} samples: back to {rollback.images:,}, "
            f"learning rate halved (attempt {rollback.attempt} of {MAX_ATTEMPTS}); "
            f"{rollback.origin}"
        )

    def end(self, state: State, status: str, reason: str) -> None:
        """Write down how it ended; what was not saved yet, is not claimed to be."""
        if self.events and self.plays:
            self.diagnose(state.samples_seen, last=True)
        if not self.plays and state.preparing is None:
            self.observe(state)
        verdict = self.verdict()
        trend = verdict.trend if verdict else ""
        self.log(status, images=state.samples_seen, reason=reason, trend=trend)
        if words := quick_words(self.metrics, self.data.spec):
            self.audience.say(words)
        if verdict:
            self.audience.say(advice(verdict, self.folder.name, state.samples_seen))
        if words := self._best_words():
            self.audience.say(words)
        ending = {"status": status, "reason": reason, "ended": time.time(), "trend": trend}
        ticked = seconds_trained(self.folder)

        def write() -> None:
            self.folder.update_run(**ending, seconds=ticked)
            write_report(self.folder)

        self._try_to_write("run.json", write)

    def verdict(self) -> Verdict | None:
        """Say whether the samples are still improving; None where nothing tells."""
        if not self.looks:
            return None
        if too_early(self.events):
            return Verdict("too early to tell")
        return self.monitor.verdict(self.looks)

    def _best_words(self) -> str:
        """Say which checkpoint samples come from, where it is not the last."""
        marked = checkpoint.marked_best(self.folder.checkpoints)
        if marked in ("", checkpoint.name_of(self.saved[1])):
            return ""
        return (
            f"samples come from the checkpoint at {int(marked):,}, marked best; not from the last"
        )

    def _record(self, event: str, **fields: Any) -> None:
        """Log an event that a diagnosis reads."""
        self.log(event, **fields)
        self.events.append({"event": event, **fields})

    def saved_words(self) -> str:
        """Say what the last checkpoint that was written holds."""
        (prepared, seen), items = self.saved, kind_of(self.data.spec).plural
        before = prepared and not seen
        return f"{prepared:,} {items} before the game" if before else f"{seen:,} {items}"

    def _best(self, kept: Collection[int], until: int) -> int | None:
        """Return which checkpoint was the best after so many samples, by the samples it has seen.

        It is chosen among all looks at a checkpoint, those at dropped ones as well. Only where the
        chosen one was lost, the choice is among those that are kept.
        """
        at_checkpoints = self.checkpointed | {until}
        looks = [look for look in self.looks if look[0] <= until and look[0] in at_checkpoints]
        left = [look for look in looks if look[0] in kept]
        if not left:
            return None
        chosen, _ = self.monitor.choice(looks)
        return chosen if chosen in kept else self.monitor.choice(left)[0]

    def _spared(self, kept: Sequence[int]) -> set[str]:
        """Return the names of older checkpoints to keep, of those there are.

        For each of the last ones, to which a run may have to go back, the one that was best then;
        and the one that looked best of all.
        """
        spared = {self._best(kept, count) for count in kept[-self.recipe.checkpoint.keep :]}
        looks = [look for look in self.looks if look[0] in kept]
        if looks:
            spared.add(min(looks, key=lambda look: look[1].value)[0])
        return {checkpoint.name_of(count) for count in spared if count is not None}

    def _try_to_write(self, what: str, write: Callable[[], None]) -> None:
        try:
            write()
            self.unwritten.discard(what)
        except OSError as error:
            self.log("unwritten", what=what, reason=str(error))
            if what not in self.unwritten:
                self.unwritten.add(what)
                self.audience.say(f"could not write the {what}: {error.strerror}; training goes on")


def reached(state: State) -> dict[str, int]:
    """Return how far a state has come, as events say it."""
    before = {"prepared": state.prepared} if state.prepared or state.preparing else {}
    return {"images": state.samples_seen, **before}


def setting(recipe: Recipe, data: Dataset) -> Setting:
    """Return what a diagnosis should know of the recipe and the data."""
    augment, kind = recipe.augment, kind_of(data.spec)
    return Setting(
        objective=recipe.objective,
        penalised=bool(penalties_in_use(recipe)),
        batch=recipe.batch,
        items=len(data.train),
        learning_rate=parse_schedule(recipe.optimizer.lr)(recipe.images)(0),
        usual=_usual_rate(recipe, data),
        discriminator_lr_factor=recipe.optimizer.discriminator_lr_factor,
        modes=kind.quick.known_modes(data.spec) if kind.quick else 0,
        advised=kind.advised_augmentations,
        augmented=bool(augment.kinds),
        augment_limit=augment.limit if augment.probability == "adaptive" else None,
    )


def _usual_rate(recipe: Recipe, data: Dataset) -> tuple[float, str]:
    """Return the learning rate that the default recipe starts with for such data, and all of it."""
    options = preset("default", recipe.size, data.spec, len(data.train))
    schedule = str(options.get("optimizer", {}).get("lr", OptimizerRecipe.lr))
    return parse_schedule(schedule)(recipe.images)(0), schedule


def write_report(folder: RunFolder) -> None:
    """Write `report.html` and `README.md` from the files of a run."""
    report.write_report(folder)
    report.write_card(folder)


def looks_so_far(events: Iterable[Json]) -> list[QuickEvaluation]:
    """Return the distances that a run has logged, with the samples seen then.

    Those that a rollback took back are left out.
    """
    looks: list[QuickEvaluation] = []
    for event in events:
        match event["event"]:
            case "rollback":
                looks = [look for look in looks if look[0] <= event["images"]]
            case "observed":
                intervals = event.get("intervals", {})
                if name := next((name for name in DISTANCES if name in intervals), ""):
                    value, (low, high) = event["metrics"][name], intervals[name]
                    looks.append((event["images"], Estimate(value, low, high, 0, "logged")))
    return looks
