"""From a source and options to a plan: what will be trained on what, for how long, and where.

Everything that is decided, is decided here and written down before the first step: the recipe
comes out with nothing left open, so that a resume or a rerun decides nothing again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from sparring.build import (
    autocast_type,
    begin_phase,
    build_game,
    build_state,
    device_of,
    generator_plays,
    where_it_can_run,
    with_depths,
    with_representation,
)
from sparring.data.dataset import Dataset
from sparring.data.sources import with_absolute_paths
from sparring.data.stream import positions
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds import Source, decided, describe, encode, kind_of, open_data
from sparring.recipes.named import data_options, preset
from sparring.recipes.notation import Budget, parse_budgets
from sparring.recipes.recipe import Recipe, penalties_in_use, resolve
from sparring.recipes.sections import Options
from sparring.report.words import duration
from sparring.runs import device
from sparring.schedules import constant
from sparring.training.loop import Batches
from sparring.training.phase import Phase
from sparring.training.reporter import PlanRows, ProgressReporter
from sparring.training.state import State
from sparring.training.step import Batch, Game, train_step

MIN_TICKS, MAX_TICK_SECONDS = 100, 30  # of a whole run; between two of a long one
PROBE_BATCH = 2  # samples that only tell how dear one is; fewer have no statistics
PROBE_GROWTH = 8  # of these, while it may be the step that is dear and not the samples
LEARNING_SHARE = 0.9  # of a budget, where generators learn before the game alone
PROBED = 10_000  # samples of a phase of which only the speed is asked
TRAINING_SHARE = 0.93  # of a time budget; the rest goes to previews, checkpoints and the report


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be done; `recipe` has every value filled in."""

    source: Source
    data: Dataset
    recipe: Recipe
    images_per_second: float  # measured by the probe
    rows: PlanRows  # for people

    @property
    def name(self) -> str:
        """Name of the run unless another is given."""
        return f"{self.data.name}-{self.recipe.size}"


@dataclass(frozen=True, eq=False)
class TimedPhase:
    """The phase before the game, and how long it will take."""

    phase: Phase
    seconds: float


def make_plan(
    source: Source,
    options: Options,
    root: Path,
    reporter: ProgressReporter,
    weights_from: str = "",
) -> Plan:
    """Read the data, choose what is left open, and measure how fast it will go.

    Args:
        source: see `kinds.open_data`.
        options: nested options, laid over the preset they name.
        root: the folder of runs, where a pack of large data may be kept.
        reporter: shows the reading of many files.
        weights_from: the name of a run whose networks are the starting point, if there is one.
    """
    named = resolve(data_options(resolve(options).preset), options)
    chosen = device_of(named)
    device.check_device(chosen)
    reading = with_absolute_paths(named.data)
    data = open_data(source, reading, cache=root, progress=reporter.reading)
    defaults = preset(named.preset, named.size, data.spec, len(data.train))
    recipe = with_depths(resolve(defaults, options, {"device": chosen}), data.spec)
    recipe = where_it_can_run(recipe, data.spec)
    data = with_representation(data, recipe)
    recipe = replace(recipe, data=decided(with_absolute_paths(recipe.data), data.spec))
    with device.memory_guard():
        recipe, speed, phase = _timed(recipe, data, fresh=not weights_from)
    before = _before_the_game(data, recipe, phase, weights_from)
    rows = _rows(data, recipe, speed, before, phase.seconds if phase else 0.0)
    return Plan(source, data, recipe, speed, rows)


def batches(data: Dataset, recipe: Recipe) -> Batches:
    """Return the endless stream of encoded training batches, a pure function of the position.

    They are encoded on the CPU: what networks see is the same on every device.
    """
    place = device_of(recipe)
    sampler = kind_of(data.spec).play.condition_sampler(data)

    def fetch(start: int, count: int) -> Batch:
        index = data.train[positions(len(data.train), recipe.seed, start, count)]
        if sampler:
            index, revealed = sampler(index, Draw(recipe.seed, start))
        x, label = encode(torch.from_numpy(data.items[index]), data.spec), None
        if sampler:
            label = sampler.condition(x, revealed)
        elif data.labels is not None:
            label = torch.from_numpy(data.labels[index])
        return Batch(x.to(place), None if label is None else label.to(place))

    return fetch


def _timed(
    recipe: Recipe, data: Dataset, *, fresh: bool
) -> tuple[Recipe, float, TimedPhase | None]:
    """Fill in threads, images and ticks: a probe of real steps on a state then thrown away.

    What the phase before the game of a fresh generator takes of a time budget, the game has not.
    """
    step = _probe_step(recipe, data)
    if recipe.threads:
        speed = device.speed_with(step, recipe.threads)
    else:
        threads, speed = device.fastest_threads(step)
        recipe = replace(recipe, threads=threads)
    plays = generator_plays(recipe, data.spec)
    if not plays:
        recipe = _with_learning(recipe, data)
    phase = _timed_phase(recipe, data) if fresh or not plays else None
    before = phase.seconds if phase else 0.0
    budgets = parse_budgets(recipe.budget)
    if plays:
        images = recipe.images or _images_left(budgets, recipe, speed, before)
    else:
        judging = [replace(b, amount=b.amount * (1 - LEARNING_SHARE)) for b in budgets]
        images = recipe.images or sum(images_in(budget, recipe, speed) for budget in judging)
    seconds = max(images / speed, before)
    ticks = recipe.checkpoint.ticks or max(MIN_TICKS, round(seconds / MAX_TICK_SECONDS))
    recipe = replace(recipe, images=images, checkpoint=replace(recipe.checkpoint, ticks=ticks))
    return recipe, speed, phase


def _with_learning(recipe: Recipe, data: Dataset) -> Recipe:
    """Fill in how many samples a generator learns from that does not play, if it is left open."""
    if recipe.generator.warm_start:
        return recipe
    budget = parse_budgets(recipe.budget)[0]
    match budget.unit:
        case "seconds":
            probed = _timed_phase(_learning(recipe, PROBED), data)
            speed = probed.phase.samples / probed.seconds if probed else 0.0
            amount = budget.amount * TRAINING_SHARE * LEARNING_SHARE * speed
        case "images":
            amount = budget.amount
        case "steps":
            amount = budget.amount * images_per_round(recipe)
    return _learning(recipe, max(round(amount), 1))


def _learning(recipe: Recipe, samples: int) -> Recipe:
    return replace(recipe, generator=replace(recipe.generator, warm_start=samples))


def _timed_phase(recipe: Recipe, data: Dataset) -> TimedPhase | None:
    """Probe the phase before the game, if there is one, by its first step again and again."""
    state = build_state(recipe, data.spec)
    if (phase := begin_phase(recipe, data, state)) is None:
        return None

    def step() -> int:
        phase.take_step(state)
        return phase.batch

    return TimedPhase(phase, phase.samples / device.speed_with(step, recipe.threads))


def _images_left(budgets: Sequence[Budget], recipe: Recipe, speed: float, before: float) -> int:
    """Return budgets in samples of the game; the first one has so many seconds less for it."""
    _refuse_less_than_a_step(budgets, recipe, speed)
    first, *more = budgets
    if before and first.unit == "seconds":
        first = replace(first, amount=first.amount - before / TRAINING_SHARE)
        if first.amount < images_per_round(recipe) / speed / 2:
            raise SparringError(
                f"the phase before the game takes about {duration(before)} on this "
                f"{recipe.device}, all of the budget of {recipe.budget}; use a longer --budget or "
                f"fewer samples in it (--generator.warm-start, now {recipe.generator.warm_start:,})"
            )
    return sum(images_in(budget, recipe, speed) for budget in (first, *more))


def _refuse_less_than_a_step(budgets: Sequence[Budget], recipe: Recipe, speed: float) -> None:
    seconds = images_per_round(recipe) / speed
    if all(budget.unit == "seconds" and budget.amount < seconds / 2 for budget in budgets):
        raise SparringError(
            f"one step of {images_per_round(recipe)} takes about {duration(seconds)} on this "
            f"{recipe.device}, more than the budget of {recipe.budget}; use a smaller --size or "
            "--batch, a longer --budget, or a GPU (--device cuda)"
        )


def rehearsal(recipe: Recipe, data: Dataset) -> tuple[State, Game]:
    """Return a fresh state and a game as dear as the run's own, to be thrown away."""
    zero = constant(0.0)  # a rate of zero costs as much and cannot diverge
    game = build_game(recipe, data.spec)
    augment = game.augment and replace(game.augment, probability=constant(game.augment.limit))
    game = replace(game, generator_lr=zero, discriminator_lr=zero, augment=augment)
    return build_state(recipe, data.spec), game


def _probe_step(recipe: Recipe, data: Dataset) -> Callable[[], int]:
    """Return a step to repeat; of a few samples, where a whole one takes very long."""
    state, game = rehearsal(recipe, data)
    fetch, count = batches(data, recipe), images_per_round(recipe)

    def step(images: int) -> int:
        train_step(state, game, fetch(state.samples_seen, images))
        return images

    part, threads = PROBE_BATCH * recipe.discriminator_moves, recipe.threads or device.cores()
    while (part := min(part, count)) < count:
        speed = device.speed_once(partial(step, part), threads)
        if count / speed <= device.LONG_STEP_SECONDS:
            return partial(step, count)
        if part * PROBE_GROWTH / speed > device.LONG_STEP_SECONDS:
            break  # it is the samples that take the time
        part *= PROBE_GROWTH
    return partial(step, part)


def images_per_round(recipe: Recipe) -> int:
    """Return the samples that one generator move uses up."""
    return recipe.batch * recipe.discriminator_moves


def images_in(budget: Budget, recipe: Recipe, images_per_second: float) -> int:
    """Return a budget in samples, a whole number of rounds and at least one."""
    per_round = images_per_round(recipe)
    rounds = {
        "seconds": budget.amount * TRAINING_SHARE * images_per_second / per_round,
        "images": budget.amount / per_round,
        "steps": budget.amount,
    }[budget.unit]
    return max(round(rounds), 1) * per_round


def _rows(
    data: Dataset, recipe: Recipe, speed: float, before: PlanRows, seconds_before: float
) -> PlanRows:
    state = build_state(recipe, data.spec)
    seconds = (seconds_before + recipe.images / speed) / TRAINING_SHARE
    items = kind_of(data.spec).plural
    return (
        *data_rows(data),
        (
            "generator",
            f"{recipe.generator.network}, {_size(state.generator)}, "
            f"latent {recipe.generator.latent}",
        ),
        ("discriminator", f"{recipe.discriminator.network}, {_size(state.discriminator)}"),
        *before,
        ("game", _game(recipe, alone=not generator_plays(recipe, data.spec))),
        *_augmentation(recipe),
        ("descent", _descent(recipe)),
        (
            "budget",
            f"{recipe.images:,} {items}, about {duration(seconds)} at {_rate(speed)} {items}/s",
        ),
        ("machine", f"{recipe.device}, {_arithmetic(recipe)}{_memory()}"),
    )


def _before_the_game(
    data: Dataset, recipe: Recipe, timed: TimedPhase | None, weights_from: str
) -> PlanRows:
    """Say what a generator learns before it plays, or why it does not."""
    if timed:
        phase, items = timed.phase, kind_of(data.spec).plural
        what = f"{phase.samples:,} {items} {phase.method}, about {duration(timed.seconds)}"
    elif weights_from and begin_phase(recipe, data, build_state(recipe, data.spec)):
        what = f"nothing: the networks are those of '{weights_from}'"
    else:
        return ()
    return (("before the game", what),)


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"


def data_rows(data: Dataset) -> PlanRows:
    """Return what a person should know of the data."""
    return (
        ("data", f"{data.name}: {_counted(data)}, {describe(data.spec)}"),
        *(("", note) for note in data.notes),
        *_skipped(data),
    )


def _counted(data: Dataset) -> str:
    held_out = f", {len(data.held_out):,} held out" if len(data.held_out) else ""
    return f"{len(data.train):,} {kind_of(data.spec).plural}{held_out}"


def _skipped(data: Dataset, limit: int = 5) -> PlanRows:
    rows = tuple(("skipped", f"{s.path}: {s.reason}") for s in data.skipped[:limit])
    more = len(data.skipped) - limit
    return (*rows, ("", f"and {more:,} more; data.json names all")) if more > 0 else rows


def _size(network: torch.nn.Module) -> str:
    parameters = sum(p.numel() for p in network.parameters())
    return f"{parameters / 1e6:.2f} M parameters"


def _game(recipe: Recipe, *, alone: bool) -> str:
    penalties = [
        f"{name.replace('_', ' ')} {penalty.weight} every {penalty.every}"
        for name, penalty in penalties_in_use(recipe).items()
    ]
    moves = f", {recipe.discriminator_moves} to 1" if recipe.discriminator_moves > 1 else ""
    against = "the discriminator alone, against the finished generator: " * alone
    order = "" if alone else f", {recipe.order}{moves}"
    return f"{against}{recipe.objective}{order}; penalties: {', '.join(penalties) or 'none'}"


def _augmentation(recipe: Recipe) -> PlanRows:
    augment = recipe.augment
    if not augment.kinds:
        return ()
    bounds = f", sign {augment.target:g}, at most {augment.limit:g}"
    probability = augment.probability + (bounds if augment.probability == "adaptive" else "")
    return (("augmentation", f"{augment.kinds}; probability {probability}"),)


def _descent(recipe: Recipe) -> str:
    optimizer = recipe.optimizer
    details = (
        f"betas {optimizer.beta1:g}, {optimizer.beta2}"
        if optimizer.name == "adam"
        else f"momentum {optimizer.momentum:g}"
    )
    return f"{optimizer.name}, learning rate {optimizer.lr}, {details}, batch {recipe.batch}"


def _arithmetic(recipe: Recipe) -> str:
    bfloat16 = ", forward passes in bfloat16" if autocast_type(recipe) else ""
    compiled = ", compiled" if recipe.compile == "on" else ""
    return f"{recipe.threads} thread{'s' * (recipe.threads > 1)}{bfloat16}{compiled}"


def _memory() -> str:
    """Say the peak memory of this process, the probe's steps included, where it can be had."""
    peak = device.peak_memory()
    return f", about {peak / 2**20:,.0f} MB of memory" if peak else ""
