"""From a source and options to a plan: what will be trained on what, for how long, and where.

Everything that is decided, is decided here and written down before the first step: the recipe
comes out with nothing left open, so that a resume or a rerun decides nothing anew.
"""

import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from sparring import engine
from sparring.build import autocast_type, build_game, build_state, formed, with_depths
from sparring.data.dataset import Dataset
from sparring.data.kinds import Source, describe, encode, open_data, questions, thing
from sparring.data.stream import positions
from sparring.data.tables import reveal
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.notation import Budget, parse_budget
from sparring.presets import data_options, preset
from sparring.recipe import Options, Recipe, penalties_in_use, resolve
from sparring.schedules import constant
from sparring.training.loop import Batches, Progress
from sparring.training.state import State
from sparring.training.step import Batch, Game, train_step

Rows = tuple[tuple[str, str], ...]

TICKS, TICK_SECONDS = 100, 30  # in a short run; at most so far apart in a long one
FEW = 2  # images of a batch that only tells how dear one image is; fewer have no statistics
TIME_FOR_STEPS = 0.93  # of a time budget; the rest goes to samples, checkpoints and the report


class Audience(Protocol):
    """Who is told how it goes; a terminal, or nobody."""

    def say(self, message: str) -> None:
        """Tell something worth a line."""

    def reading(self, what: str, done: int, total: int) -> None:
        """Show how far reading the data is."""

    def plan(self, rows: Rows) -> None:
        """Show the plan, before the first step."""

    def advance(self, images: int, total: int) -> None:
        """Show how far training is; called before each step, so it must be quick."""

    def tick(self, progress: Progress, total: int) -> None:
        """Show what was measured since the last tick."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be done; `recipe` has every value filled in."""

    source: Source
    data: Dataset
    recipe: Recipe
    images_per_second: float  # measured by the probe
    rows: Rows  # for people

    @property
    def name(self) -> str:
        """Name of the run unless another is given."""
        return f"{self.data.name}-{self.recipe.size}"


def make_plan(source: Source, options: Options, root: Path, audience: Audience) -> Plan:
    """Read the data, choose what is left open, and measure how fast it will go.

    Args:
        source: see `data.kinds.open_data`.
        options: nested options, laid over the preset they name.
        root: the folder of runs, where a pack of large data may be kept.
        audience: told about the reading of many files.
    """
    asked = resolve(options)
    asked = resolve(data_options(asked.preset), options)
    engine.check_device(asked.device)
    data = open_data(source, asked.data, cache=root, progress=audience.reading)
    chosen = preset(asked.preset, asked.size, data.spec, len(data.train))
    recipe = with_depths(resolve(chosen, options), data.spec)
    data = formed(data, recipe)
    with engine.memory_guard():
        recipe, speed = _timed(recipe, data)
    return Plan(source, data, recipe, speed, _rows(data, recipe, speed))


def batches(data: Dataset, recipe: Recipe) -> Batches:
    """Return the endless stream of encoded training batches, a pure function of the position."""

    asked = questions(data)

    def fetch(start: int, count: int) -> Batch:
        index = data.train[positions(len(data.train), recipe.seed, start, count)]
        if asked:
            index, mask = asked(index, Draw(recipe.seed, start))
        x = encode(torch.from_numpy(data.items[index]).to(recipe.device), data.spec)
        if asked:
            return Batch(x, reveal(x, mask.to(recipe.device), asked.spec))
        if data.labels is None:
            return Batch(x)
        return Batch(x, torch.from_numpy(data.labels[index]).to(recipe.device))

    return fetch


def _timed(recipe: Recipe, data: Dataset) -> tuple[Recipe, float]:
    """Fill in threads, images and ticks: a probe of real steps on a state then thrown away."""
    step = _probe_step(recipe, data)
    if recipe.threads:
        speed = engine.speed_with(step, recipe.threads)
    else:
        threads, speed = engine.fastest_threads(step)
        recipe = replace(recipe, threads=threads)
    budget = parse_budget(recipe.budget)
    _refuse_less_than_a_step(budget, recipe, speed)
    images = recipe.images or images_in(budget, recipe, speed)
    ticks = recipe.checkpoint.ticks or max(TICKS, round(images / speed / TICK_SECONDS))
    often = replace(recipe.checkpoint, ticks=ticks)
    return replace(recipe, images=images, checkpoint=often), speed


def _refuse_less_than_a_step(budget: Budget, recipe: Recipe, speed: float) -> None:
    seconds = images_per_round(recipe) / speed
    if not recipe.images and budget.unit == "seconds" and budget.amount < seconds / 2:
        raise SparringError(
            f"one step of {images_per_round(recipe)} takes about {duration(seconds)} on this "
            f"{recipe.device}, more than the budget of {recipe.budget}; use a smaller --size or "
            "--batch, a longer --budget, or a GPU (--device cuda)"
        )


def rehearsal(recipe: Recipe, data: Dataset) -> tuple[State, Game]:
    """Return a fresh state and a game as dear as the run's own, to be thrown away."""
    still = constant(0.0)  # a rate of zero costs as much and cannot diverge
    built = build_game(recipe, data.spec)
    often = built.augment and replace(built.augment, probability=constant(built.augment.limit))
    game = replace(built, generator_lr=still, discriminator_lr=still, augment=often)
    return build_state(recipe, data.spec), game


def _probe_step(recipe: Recipe, data: Dataset) -> Callable[[], int]:
    """Return a step to repeat; of a few images, where one of as many as asked takes very long."""
    state, game = rehearsal(recipe, data)
    fetch, count = batches(data, recipe), images_per_round(recipe)

    def step(images: int) -> int:
        train_step(state, game, fetch(state.images, images))
        return images

    few = min(recipe.batch, FEW) * recipe.discriminator_moves
    speed = engine.speed_once(lambda: step(few), recipe.threads or engine.cores())
    return partial(step, few if count / speed > engine.LONG_STEP_SECONDS else count)


def images_per_round(recipe: Recipe) -> int:
    """Return the images that one generator move uses up."""
    return recipe.batch * recipe.discriminator_moves


def images_in(budget: Budget, recipe: Recipe, images_per_second: float) -> int:
    """Return a budget in images, a whole number of rounds and at least one."""
    per_round = images_per_round(recipe)
    rounds = {
        "seconds": budget.amount * TIME_FOR_STEPS * images_per_second / per_round,
        "images": budget.amount / per_round,
        "steps": budget.amount,
    }[budget.unit]
    return max(round(rounds), 1) * per_round


def _rows(data: Dataset, recipe: Recipe, speed: float) -> Rows:
    state = build_state(recipe, data.spec)
    seconds = recipe.images / speed / TIME_FOR_STEPS
    things = f"{thing(data.spec)}s"
    return (
        *data_rows(data),
        ("generator", f"{recipe.generator.network}, {_size(state.generator)}, {_shape(recipe)}"),
        ("discriminator", f"{recipe.discriminator.network}, {_size(state.discriminator)}"),
        ("game", _game(recipe)),
        *_augmentation(recipe),
        ("descent", _descent(recipe)),
        (
            "budget",
            f"{recipe.images:,} {things}, about {duration(seconds)} at {_rate(speed)} {things}/s",
        ),
        ("machine", f"{recipe.device}, {_arithmetic(recipe)}, about {_memory()}"),
    )


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"


def data_rows(data: Dataset) -> Rows:
    """Return what a person should know of the data."""
    return (
        ("data", f"{data.name}: {_counted(data)}, {describe(data.spec)}"),
        *(("", note) for note in data.notes),
        *_skipped(data),
    )


def duration(seconds: float) -> str:
    """Write a time as people do: `45 s`, `5 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _counted(data: Dataset) -> str:
    held_out = f", {len(data.held_out):,} held out" if len(data.held_out) else ""
    return f"{len(data.train):,} {thing(data.spec)}s{held_out}"


def _skipped(data: Dataset, most: int = 5) -> Rows:
    named = tuple(("skipped", f"{s.path}: {s.reason}") for s in data.skipped[:most])
    more = len(data.skipped) - most
    return (*named, ("", f"and {more:,} more; data.json names all")) if more > 0 else named


def _size(network: torch.nn.Module) -> str:
    parameters = sum(p.numel() for p in network.parameters())
    return f"{parameters / 1e6:.2f} M parameters"


def _shape(recipe: Recipe) -> str:
    return f"latent {recipe.generator.latent}"


def _game(recipe: Recipe) -> str:
    on = [
        f"{name.replace('_', ' ')} {one.weight} every {one.every}"
        for name, one in penalties_in_use(recipe).items()
    ]
    moves = f", {recipe.discriminator_moves} to 1" if recipe.discriminator_moves > 1 else ""
    return f"{recipe.objective}, {recipe.order}{moves}; penalties: {', '.join(on) or 'none'}"


def _augmentation(recipe: Recipe) -> Rows:
    augment = recipe.augment
    if not augment.kinds:
        return ()
    held = f", sign {augment.target:g}, at most {augment.limit:g}"
    chance = augment.probability + (held if augment.probability == "adaptive" else "")
    return (("augmentation", f"{augment.kinds}; probability {chance}"),)


def _descent(recipe: Recipe) -> str:
    optimizer = recipe.optimizer
    details = (
        f"betas {optimizer.beta1:g}, {optimizer.beta2}"
        if optimizer.name == "adam"
        else f"momentum {optimizer.momentum:g}"
    )
    return f"{optimizer.name}, learning rate {optimizer.lr}, {details}, batch {recipe.batch}"


def _arithmetic(recipe: Recipe) -> str:
    half = ", forward passes in bfloat16" if autocast_type(recipe) else ""
    compiled = ", compiled" if recipe.compile == "on" else ""
    return f"{recipe.threads} thread{'s' * (recipe.threads > 1)}{half}{compiled}"


def _memory() -> str:
    """Return the peak memory of this process, the probe's steps included."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kB on Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"{peak / 2**20:,.0f} MB of memory"
