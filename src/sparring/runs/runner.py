"""A plan becomes a run folder, and a run folder goes on: start, resume, stop.

Inside: who may write a run, what is written before the first step, and how a run ends.
Not inside: what is written on the way (`logger`).
"""

import os
import platform
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from math import ceil
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from filelock import FileLock, SoftFileLock, Timeout

from sparring.build import (
    begin_phase,
    build_game,
    build_objective,
    build_state,
    device_of,
    generator_plays,
    where_it_can_run,
)
from sparring.data.dataset import Dataset
from sparring.data.stream import Prefetcher
from sparring.errors import SparringError
from sparring.kinds import keep, kind_of, open_data, read_spec
from sparring.recipes.notation import parse_budget
from sparring.recipes.recipe import Recipe, read_recipe, resolve, to_toml
from sparring.runs import previews
from sparring.runs.device import check_device
from sparring.runs.folder import (
    FORMAT,
    RULES,
    EventLog,
    Json,
    RunFolder,
    claim,
    read_json,
    seconds_trained,
    write_json,
    write_text,
)
from sparring.runs.logger import RunLogger, looks_so_far, reached
from sparring.runs.looks import read_looks
from sparring.runs.monitor import Monitor
from sparring.runs.plan import Plan, batches, images_in, images_per_round, rehearsal
from sparring.spec import Spec
from sparring.training import checkpoint
from sparring.training.loop import train
from sparring.training.phase import Phase, prepare
from sparring.training.profile import marked, profile_step
from sparring.training.reporter import ProgressReporter
from sparring.training.state import State
from sparring.training.step import train_step

LOCK_SECONDS = 0.2  # to wait for a run that another process writes


def start(
    plan: Plan,
    root: Path,
    name: str,
    command: Sequence[str],
    reporter: ProgressReporter,
    weights_from: RunFolder | None = None,
    *,
    profile: bool = False,
) -> RunFolder:
    """Claim a run folder, write down what is about to happen, and train: first the phase before
    the game, where there is one.

    Args:
        plan: from `plan.make_plan`.
        root: the folder of runs.
        name: of the run; the folder is called `NNNN-name`.
        command: how the run was asked for, kept in `run.json`.
        reporter: told how it goes.
        weights_from: a run whose networks are the starting point instead of fresh ones.
        profile: first measure where the time of a step goes; tell it, and write it down.
    """
    state = build_state(plan.recipe, plan.data.spec)
    if weights_from:
        _take_networks(state, weights_from, reporter)
    plays = generator_plays(plan.recipe, plan.data.spec)
    phase = None if weights_from and plays else begin_phase(plan.recipe, plan.data, state)
    folder = claim(root, name)
    with _locked(folder):
        _write_beginning(folder, plan, command)
        checkpoint.save(state, folder.checkpoints, plan.recipe.checkpoint.keep)
        previews.write_fake(folder.samples, state, plan.data, plan.recipe.seed)
        log = EventLog(folder.events)
        log("started", images=0, target_images=plan.recipe.images)
        reporter.say(f"run folder: {folder.path}")
        if profile:
            _write_profile(folder, plan, reporter)
        _run_training(folder, plan.data, plan.recipe, state, phase, log, reporter)
    return folder


def trained_state(plan: Plan) -> State:
    """Carry out a plan without a run folder; return what it comes to."""
    recipe, data = plan.recipe, plan.data
    state = build_state(recipe, data.spec)
    if phase := begin_phase(recipe, data, state):
        prepare(state, phase, tick_samples=phase_tick_samples(recipe, phase))
    train(
        state,
        build_game(recipe, data.spec),
        batches(data, recipe),
        batch=recipe.batch,
        until_images=recipe.images,
        tick_images=tick_images(recipe),
    )
    return state


def resume(
    folder: RunFolder,
    reporter: ProgressReporter,
    *,
    budget: str = "",
    changed_data: bool = False,
    device: str = "",
) -> RunFolder:
    """Go on with a run from its last checkpoint, to the end of its budget or a new one.

    Args:
        folder: of the run.
        reporter: told how it goes.
        budget: empty, or `+5m`, `+20k-samples`: how much further than the budget it had.
        changed_data: go on although the data is not what it was.
        device: empty to go on where it was trained, or another one; the checkpoint fits any.
    """
    about, recorded = folder.read_run(), resolve(read_recipe(folder.recipe))
    recipe = _placed(recorded, device or recorded.device)
    if budget:
        recipe = _extended(recipe, budget, float(about["images_per_second"]))
    with _locked(folder):
        data = _same_data(folder, recipe, reporter, changed_data)
        recipe = where_it_can_run(recipe, data.spec)
        torch.set_num_threads(recipe.threads)
        state = build_state(recipe, data.spec)
        phase = begin_phase(recipe, data, state)
        path = checkpoint.load_latest(state, folder.checkpoints, reporter.say)
        if state.samples_seen >= recipe.images:
            raise SparringError(
                f"run '{folder.name}' is finished; "
                f"extend it: sparring resume {folder.name} --budget +5m"
            )
        _warn_of_other_versions(about["versions"], reporter)
        if recipe.device != recorded.device:
            reporter.say(
                f"device was {recorded.device}, is {recipe.device}: the last bits may differ"
            )
        # The recipe goes first: once it says more samples, every resume goes on to them.
        write_text(folder.recipe, to_toml(recipe))
        anew = {"status": "running", "reason": "", "trend": ""}
        folder.update_run(**anew, pid=os.getpid(), device=recipe.device)
        log = EventLog(folder.events)
        log("resumed", **reached(state), target_images=recipe.images, path=path.name)
        reporter.say(f"resuming '{folder.name}' at {_position(state, phase, data, recipe)}")
        if not (generator_plays(recipe, data.spec) or state.preparing):
            reporter.say(
                "the generator has learned before the game, and only the discriminator goes on; "
                f"to learn on, train on the same data with --from {folder.name}"
            )
        _run_training(folder, data, recipe, state, phase, log, reporter)
    return folder


def _position(state: State, phase: Phase | None, data: Dataset, recipe: Recipe) -> str:
    """Say how far a state has come."""
    items = kind_of(data.spec).plural
    if phase and state.preparing:
        return f"{state.prepared:,} of {phase.samples:,} {items} before the game"
    return f"{state.samples_seen:,} of {recipe.images:,} {items}"


def _run_training(
    folder: RunFolder,
    data: Dataset,
    recipe: Recipe,
    state: State,
    phase: Phase | None,
    log: EventLog,
    reporter: ProgressReporter,
) -> None:
    """Train to the end of the budget or an interruption, and write down how it ended."""
    torch.set_num_threads(recipe.threads)
    events = list(folder.read_events())
    looks = looks_so_far(events) if generator_plays(recipe, data.spec) else []
    remembered = read_looks(folder.looks, [seen for seen, _ in looks])
    cache = folder.path.parent / "cache"
    monitor = Monitor(data, build_objective(recipe), cache, remembered)
    logger = RunLogger(
        folder,
        data,
        recipe,
        log,
        reporter,
        seconds_trained(folder),
        (state.prepared, state.samples_seen),
        monitor,
        looks,
        events,
    )
    try:
        stopped_by = _go_through(state, phase, logger)
        if logger.saved < (state.prepared, state.samples_seen):
            raise SparringError(
                f"the last checkpoint could not be written; '{folder.name}' can be resumed from "
                f"{logger.saved_words()} once there is room"
            )
        if stopped_by:
            logger.end(state, "interrupted", f"stopped by {stopped_by}")
        else:
            logger.end(state, "finished", _reason(state, phase, data))
    except BaseException as failure:
        at_once = isinstance(failure, KeyboardInterrupt)
        reason = "stopped at once" if at_once else str(failure) or type(failure).__name__
        logger.end(state, "interrupted" if at_once else "failed", reason)
        raise


def _reason(state: State, phase: Phase | None, data: Dataset) -> str:
    """Say why a run ended that nobody stopped."""
    if phase is None or not 0 < state.prepared < phase.samples:
        return "the budget is used up"
    items = kind_of(data.spec).plural
    return (
        f"nothing more was gained {phase.method} after {state.prepared:,} of {phase.samples:,} "
        f"{items} before the game"
    )


def _go_through(state: State, phase: Phase | None, logger: RunLogger) -> str | None:
    """Go through the phase before the game, then the game; return what signal stopped it."""
    with interruptions() as signals:
        if phase and state.preparing and not _prepare(state, phase, logger, signals):
            return signals[0]
        return None if _train(state, logger, signals) else signals[0]


def _prepare(state: State, phase: Phase, logger: RunLogger, signals: list[str]) -> bool:
    """Go through the phase before the game; tell whether its end was reached."""
    recipe = logger.recipe

    def stop(state: State) -> bool:
        logger.audience.reading(f"learning {phase.method}", state.prepared, phase.samples)
        return bool(signals)

    ended = prepare(
        state,
        phase,
        tick_samples=phase_tick_samples(recipe, phase),
        callbacks=logger.phase_callbacks(phase),
        snapshot_ticks=recipe.checkpoint.every_ticks,
        stop=stop,
        on_rollback=logger.phase_rollback,
    )
    if ended:
        logger.phase_ended(state)
    return ended


def _train(state: State, logger: RunLogger, signals: list[str]) -> bool:
    """Train to the end of the budget; tell whether it was reached."""
    data, recipe = logger.data, logger.recipe
    fetch = batches(data, recipe)
    prefetcher = Prefetcher(fetch, recipe.data.workers) if recipe.data.workers else None

    def stop(state: State) -> bool:
        logger.audience.advance(state.samples_seen, recipe.images)
        return bool(signals)

    try:
        return train(
            state,
            build_game(recipe, data.spec),
            prefetcher or fetch,
            batch=recipe.batch,
            until_images=recipe.images,
            tick_images=tick_images(recipe),
            callbacks=logger.callbacks(),
            snapshot_ticks=recipe.checkpoint.every_ticks,
            stop=stop,
            on_rollback=logger.rollback,
        )
    finally:
        if prefetcher:
            prefetcher.close()


def tick_images(recipe: Recipe) -> int:
    """Return how many samples lie between two evaluations."""
    return max(ceil(recipe.images / recipe.checkpoint.ticks), images_per_round(recipe))


def phase_tick_samples(recipe: Recipe, phase: Phase) -> int:
    """Return how many samples lie between two ticks of the phase before the game."""
    return max(ceil(phase.samples / recipe.checkpoint.ticks), phase.batch)


@contextmanager
def interruptions() -> Iterator[list[str]]:
    """Collect the first Ctrl-C or SIGTERM as a name in the list; a second Ctrl-C stops at once."""
    caught: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught  # signals belong to the main thread
        return

    def catch(number: int, frame: FrameType | None) -> None:
        if caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        caught.append(signal.Signals(number).name)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Hold the run against a second writer; a killed writer's lock is free again.

    The system frees it. Where there are no such locks, a file names the writer instead, and may
    not be the empty one that a system with locks leaves behind.
    """
    file = ".lock" if FileLock is not SoftFileLock else ".writer"
    lock = FileLock(folder.path / file)
    try:
        lock.acquire(timeout=LOCK_SECONDS, poll_interval=LOCK_SECONDS / 4)
    except Timeout:
        raise SparringError(f"run '{folder.name}' is being trained by another process") from None
    try:
        yield
    finally:
        lock.release()


def _write_beginning(folder: RunFolder, plan: Plan, command: Sequence[str]) -> None:
    source = keep(plan.source, plan.recipe.data, folder.path)
    home = folder.path.resolve()
    kept = Path(source).is_relative_to(home)
    write_text(folder.recipe, to_toml(plan.recipe))
    write_json(folder.data, data_json(plan.data))
    write_json(
        folder.run,
        {
            "format": FORMAT,
            "rules": RULES,
            "name": folder.name,
            "command": list(command),
            "versions": versions(),
            "device": plan.recipe.device,
            "threads": plan.recipe.threads,
            "seed": plan.recipe.seed,
            "status": "running",
            "reason": "",
            "pid": os.getpid(),
            "started": time.time(),
            "images_per_second": plan.images_per_second,
            "plan": [list(row) for row in plan.rows],
            "data": {
                "source": str(Path(source).relative_to(home)) if kept else source,
                "kept": kept,  # in this folder, wherever it is moved
                "name": plan.data.name,
                "fingerprint": plan.data.fingerprint,
            },
        },
    )
    previews.write_real(folder.samples, plan.data, plan.recipe.seed)


def _write_profile(folder: RunFolder, plan: Plan, reporter: ProgressReporter) -> None:
    """Profile steps of a game that is thrown away, so that training starts as it would."""
    torch.set_num_threads(plan.recipe.threads)
    state, game = rehearsal(plan.recipe, plan.data)
    count = images_per_round(plan.recipe)
    with marked(state, game, batches(plan.data, plan.recipe)) as (marked_game, fetch):
        profile = profile_step(
            lambda: train_step(state, marked_game, fetch(state.samples_seen, count))
        )
    for line in profile.table():
        reporter.say(line)
    write_text(folder.path / "profile.txt", "\n".join(profile.table()) + "\n")
    write_json(folder.path / "profile.json", profile.as_json())


def data_json(data: Dataset) -> Json:
    """Return what is known of the data: counts, classes, what was skipped and decided."""
    labels = [] if data.labels is None else np.bincount(data.labels).tolist()
    return {
        "kind": kind_of(data.spec).name,
        "name": data.name,
        "count": len(data.items),
        "train": len(data.train),
        "held_out": len(data.held_out),
        "spec": asdict(data.spec),
        "classes": dict(zip(data.spec.classes, labels, strict=bool(labels))),
        "skipped": [asdict(skipped) for skipped in data.skipped],
        "notes": list(data.notes),
        "fingerprint": data.fingerprint,
    }


def versions() -> dict[str, str]:
    """Return the versions that decide the last bits."""
    return {
        "sparring": version("sparring"),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _placed(recipe: Recipe, device: str) -> Recipe:
    """Return the recipe for this device; refuse one that is not here."""
    placed = replace(recipe, device=device_of(replace(recipe, device=device)))
    check_device(placed.device)
    return placed


def _extended(recipe: Recipe, budget: str, speed: float) -> Recipe:
    if not budget.startswith("+"):
        raise SparringError(f"budget '{budget}' to resume with must say how much more, as +5m")
    more = images_in(parse_budget(budget[1:]), recipe, speed)
    return replace(recipe, budget=f"{recipe.budget} {budget}", images=recipe.images + more)


def recorded_spec(folder: RunFolder) -> Spec:
    """Return what one sample of a run is."""
    try:
        return read_spec(read_json(folder.data))
    except SparringError as error:
        raise SparringError(f"'{folder.data}' is damaged: {error}") from None


def reopen_data(folder: RunFolder, recipe: Recipe, reporter: ProgressReporter) -> Dataset:
    """Open what a run was trained on, as it is now, with the spec and under the name of then."""
    data = open_data(
        folder.data_source,
        recipe.data,
        spec=recorded_spec(folder),
        cache=folder.path.parent,
        progress=reporter.reading,
        rules=folder.rules,
    )
    return replace(data, name=str(folder.read_run()["data"].get("name", data.name)))


def _same_data(
    folder: RunFolder, recipe: Recipe, reporter: ProgressReporter, changed_data: bool
) -> Dataset:
    """Open the run's data again and refuse it if it is not what the run was trained on."""
    data = reopen_data(folder, recipe, reporter)
    if changed := folder.changed(data.fingerprint):
        if not changed_data:
            raise SparringError(f"{changed}; restore it, or go on all the same with --changed-data")
        reporter.say(changed)
    return data


def _warn_of_other_versions(before: dict[str, str], reporter: ProgressReporter) -> None:
    for name, now in versions().items():
        if before.get(name) != now:
            reporter.say(f"{name} was {before.get(name)}, is {now}: the last bits may differ")


def _take_networks(state: State, run: RunFolder, reporter: ProgressReporter) -> None:
    """Let a fresh state start from another run's networks."""
    try:
        checkpoint.load_networks(state, run.checkpoints, reporter.say)
    except SparringError as error:
        raise SparringError(f"cannot start from '{run.name}': {error}") from None
