"""Which runs follow the same recipe: seeds, machines and speeds make no difference, budgets do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparring.api import NullReporter
from sparring.recipes.identity import identity
from sparring.recipes.recipe import Recipe, nested, resolve
from sparring.runs import device
from sparring.runs.plan import make_plan

POINTS = np.random.default_rng(0).normal(size=(50, 2))


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that plans a run on a machine of this speed, in samples a second."""

    def plan(speed: float, **options: Any) -> Recipe:
        monkeypatch.setattr(device, "speed_once", lambda step, threads: speed)
        monkeypatch.setattr(device, "speed_with", lambda step, threads: speed)
        monkeypatch.setattr(device, "fastest_threads", lambda step: (round(speed / 1000), speed))
        asked = nested({"size": "tiny", **options})
        return make_plan(POINTS, asked, tmp_path, NullReporter()).recipe

    return plan


@pytest.mark.parametrize("budget", ["2h", "20M-samples", "500k-steps"])
def test_two_seeds_on_machines_of_two_speeds_follow_one_recipe(budget: str, planned: Any) -> None:
    slow, fast = (
        planned(speed, budget=budget, seed=seed) for seed, speed in enumerate((3900, 5200))
    )
    assert slow.threads != fast.threads
    assert (slow.checkpoint.ticks != fast.checkpoint.ticks) is (budget != "2h")
    assert (slow.images != fast.images) is (budget == "2h")
    assert identity(slow) == identity(fast)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"budget": "30k-samples"}, {"budget": "120k-samples"}),
        ({"budget": "5m"}, {"budget": "10m"}),
        ({"budget": "5m"}, {"budget": "30k-samples"}),
        ({"budget": "5m"}, {"budget": "5m", "optimizer.lr": "3e-4"}),
        ({"budget": "5m"}, {"budget": "5m", "checkpoint.keep": 5}),
        ({"budget": "5m"}, {"budget": "5m", "data.held_out": 0.2}),
        ({"budget": "5m"}, {"budget": "5m +5m"}),  # as a resume writes it
        ({"budget": "10m"}, {"budget": "5m +5m"}),  # its rates fell before they rose again
        ({"budget": "20k-samples"}, {"budget": "10k-samples +10k-samples"}),
    ],
)
def test_what_was_asked_for_makes_another_recipe(one: Any, other: Any, planned: Any) -> None:
    assert identity(planned(4000, **one)) != identity(planned(4000, **other))


@pytest.mark.parametrize(
    ("one", "other"), [("90s", "1.5m"), ("20k-images", "20000-samples"), ("2k-steps", "2000-steps")]
)
def test_it_does_not_matter_how_a_budget_is_written(one: str, other: str) -> None:
    first, second = (resolve({"budget": budget, "images": 4}) for budget in (one, other))
    assert identity(first) == identity(second)


def test_steps_are_samples_at_the_recipe_s_batch() -> None:
    steps = resolve({"budget": "10-steps", "batch": 8, "images": 80})
    assert identity(steps) == identity(replace(steps, budget="80-samples"))


def test_where_labels_lie_is_no_part_of_a_recipe_but_whether_there_are_any_is() -> None:
    here, there, none = (
        resolve({"data": {"labels": labels}}) for labels in ("runs/1/a.csv", "b.csv", "none")
    )
    assert identity(here) == identity(there) != identity(none)
