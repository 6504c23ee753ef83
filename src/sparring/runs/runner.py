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

from sparring.build import build_game, build_objective, build_state, with_representation
from sparring.data.dataset import Dataset
from sparring.data.stream import Prefetcher
from sparring.errors import SparringError
from sparring.kinds import kind_of, open_data
from sparring.recipes.notation import parse_budget
from sparring.recipes.recipe import Recipe, read_recipe, resolve, to_toml
from sparring.runs import previews
from sparring.runs.folder import (
    RULES,
    EventLog,
    Json,
    RunFolder,
    claim,
    seconds_trained,
    write_json,
    write_text,
)
from sparring.runs.logger import RunLogger, looks_so_far
from sparring.runs.monitor import Monitor
from sparring.runs.plan import Plan, batches, images_in, images_per_round, rehearsal
from sparring.training import checkpoint
from sparring.training.loop import train
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
    """Claim a run folder, write down what is about to happen, and train.

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
    if (phase := kind_of(plan.data.spec).preparation) is not None:
        phase.prepare(state, plan.data, plan.recipe.generator, reporter.reading)
    if weights_from:
        state = _fine_tuned(state, weights_from, plan, reporter)
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
        _run_training(folder, plan.data, plan.recipe, state, log, reporter)
    return folder


def resume(
    folder: RunFolder, reporter: ProgressReporter, *, budget: str = "", changed_data: bool = False
) -> RunFolder:
    """Go on with a run from its last checkpoint, to the end of its budget or a new one.

    Args:
        folder: of the run.
        reporter: told how it goes.
        budget: empty, or `+5m`, `+20k-samples`: how much further than the budget it had.
        changed_data: go on although the data is not what it was.
    """
    about, recipe = folder.read_run(), resolve(read_recipe(folder.recipe))
    if budget:
        recipe = _extended(recipe, budget, float(about["images_per_second"]))
    with _locked(folder):
        data = with_representation(
            _same_data(folder, about, recipe, reporter, changed_data), recipe
        )
        torch.set_num_threads(recipe.threads)
        state = build_state(recipe, data.spec)
        path = checkpoint.load_latest(state, folder.checkpoints, reporter.say)
        if state.samples_seen >= recipe.images:
            raise SparringError(
                f"run '{folder.name}' is finished; "
                f"extend it: sparring resume {folder.name} --budget +5m"
            )
        _warn_of_other_versions(about["versions"], reporter)
        # The recipe goes first: once it says more samples, every resume goes on to them.
        write_text(folder.recipe, to_toml(recipe))
        folder.update_run(status="running", reason="", pid=os.getpid())
        log = EventLog(folder.events)
        log("resumed", images=state.samples_seen, target_images=recipe.images, path=path.name)
        items = f"{recipe.images:,} {kind_of(data.spec).plural}"
        reporter.say(f"resuming '{folder.name}' at {state.samples_seen:,} of {items}")
        _run_training(folder, data, recipe, state, log, reporter)
    return folder


def _run_training(
    folder: RunFolder,
    data: Dataset,
    recipe: Recipe,
    state: State,
    log: EventLog,
    reporter: ProgressReporter,
) -> None:
    """Train to the end of the budget or an interruption, and write down how it ended."""
    torch.set_num_threads(recipe.threads)
    monitor = Monitor(data, build_objective(recipe), folder.path.parent / "cache")
    logger = RunLogger(
        folder,
        data,
        recipe,
        log,
        reporter,
        seconds_trained(folder),
        state.samples_seen,
        monitor,
        looks_so_far(folder),
        list(folder.read_events()),
    )
    try:
        stopped_by = _train(data, recipe, state, logger, reporter)
        if logger.saved_images < state.samples_seen:
            raise SparringError(
                f"the last checkpoint could not be written; '{folder.name}' can be resumed from "
                f"{logger.saved_images:,} {kind_of(data.spec).plural} once there is room"
            )
        if stopped_by:
            logger.end(state, "interrupted", f"stopped by {stopped_by}")
        else:
            logger.end(state, "finished", "the budget is used up")
    except BaseException as failure:
        at_once = isinstance(failure, KeyboardInterrupt)
        reason = "stopped at once" if at_once else str(failure) or type(failure).__name__
        logger.end(state, "interrupted" if at_once else "failed", reason)
        raise


def _train(
    data: Dataset, recipe: Recipe, state: State, logger: RunLogger, reporter: ProgressReporter
) -> str | None:
    """Train to the end of the budget; return the name of a signal that stopped it before."""
    fetch = batches(data, recipe)
    prefetcher = Prefetcher(fetch, recipe.data.workers) if recipe.data.workers else None
    try:
        with interruptions() as signals:

            def stop(state: State) -> bool:
                reporter.advance(state.samples_seen, recipe.images)
                return bool(signals)

            reached = train(
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
        return None if reached else signals[0]
    finally:
        if prefetcher:
            prefetcher.close()


def tick_images(recipe: Recipe) -> int:
    """Return how many samples lie between two evaluations."""
    return max(ceil(recipe.images / recipe.checkpoint.ticks), images_per_round(recipe))


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
    source = kind_of(plan.data.spec).reader.keep(plan.source, folder.path)
    write_text(folder.recipe, to_toml(plan.recipe))
    write_json(folder.data, data_json(plan.data))
    write_json(
        folder.run,
        {
            "format": 1,
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
                "source": source,
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


def _extended(recipe: Recipe, budget: str, speed: float) -> Recipe:
    if not budget.startswith("+"):
        raise SparringError(f"budget '{budget}' to resume with must say how much more, as +5m")
    more = images_in(parse_budget(budget[1:]), recipe, speed)
    return replace(recipe, images=recipe.images + more)


def _same_data(
    folder: RunFolder, about: Json, recipe: Recipe, reporter: ProgressReporter, changed_data: bool
) -> Dataset:
    """Open the run's data again and refuse it if it is not what the run was trained on."""
    source = about["data"]["source"]
    data = open_data(source, recipe.data, cache=folder.path.parent, progress=reporter.reading)
    if data.fingerprint == about["data"]["fingerprint"]:
        return data
    if not changed_data:
        raise SparringError(
            f"the data in '{source}' is not what '{folder.name}' was trained on; "
            "restore it, or go on all the same with --changed-data"
        )
    reporter.say(f"the data in '{source}' has changed since the run began")
    return data


def _warn_of_other_versions(before: dict[str, str], reporter: ProgressReporter) -> None:
    for name, now in versions().items():
        if before.get(name) != now:
            reporter.say(f"{name} was {before.get(name)}, is {now}: the last bits may differ")


def _fine_tuned(state: State, run: RunFolder, plan: Plan, reporter: ProgressReporter) -> State:
    """Return a fresh state that starts from another run's networks."""
    recipe = plan.recipe
    try:
        checkpoint.load_latest(state, run.checkpoints, reporter.say)
    except SparringError as error:
        raise SparringError(f"cannot start from '{run.name}': {error}") from None
    fresh = build_state(recipe, plan.data.spec)
    for player in ("generator", "discriminator", "ema"):
        getattr(fresh, player).load_state_dict(getattr(state, player).state_dict())
    return fresh
