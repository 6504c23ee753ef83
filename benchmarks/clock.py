"""Training by CPU-seconds: the same loop for every kind of data and every recipe."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sparring.build import (
    begin_phase,
    build_game,
    build_state,
    with_depths,
    with_representation,
)
from sparring.data.dataset import Dataset
from sparring.recipes.named import preset
from sparring.recipes.recipe import Recipe, resolve
from sparring.recipes.sections import Options
from sparring.runs.plan import batches, images_per_round
from sparring.training.phase import prepare
from sparring.training.state import State
from sparring.training.step import train_step

PLANS = 50  # how often the schedules are stretched anew
GUESS = 1_000_000  # items, until the speed is known


class Trained(NamedTuple):
    """What training left: the data in the form that the networks see, and the state."""

    data: Dataset
    recipe: Recipe
    state: State


def trained(
    data: Dataset,
    options: Options,
    seconds: float,
    seed: int,
    watch: Callable[[Trained, float], None] | None = None,
) -> Trained:
    """Train the default recipe, changed by options, for so many CPU-seconds.

    `watch` is called after each step with the seconds spent; its own time does not count.
    """
    below = preset("default", "small", data.spec, len(data.train))
    recipe = with_depths(resolve(below, options, {"seed": seed}), data.spec)
    data = with_representation(data, recipe)
    found = Trained(data, recipe, build_state(recipe, data.spec))
    state, fetch, count = found.state, batches(data, recipe), images_per_round(recipe)
    game = build_game(replace(recipe, images=GUESS), data.spec)
    plans, began = 1, time.process_time()
    if phase := begin_phase(recipe, data, state):
        prepare(state, phase, tick_samples=phase.samples)
    while (spent := time.process_time() - began) < seconds:
        train_step(state, game, fetch(state.samples_seen, count))
        if spent > plans * seconds / PLANS:
            planned = round(state.samples_seen * seconds / spent)
            game = build_game(replace(recipe, images=planned), data.spec)
            plans += 1
        if watch:
            paused = time.process_time()
            watch(found, spent)
            began += time.process_time() - paused
    return found
