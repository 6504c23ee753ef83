"""What is decided before the first step, on machines of any speed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sparring.api import Silent
from sparring.errors import SparringError
from sparring.runs import device
from sparring.runs.plan import PROBE_BATCH, Plan, make_plan


def planned(tmp_path: Path, budget: str) -> Plan:
    options = {"batch": 40, "budget": budget}
    return make_plan("digits", options, tmp_path, Silent())


@pytest.fixture
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pretend that an image takes two seconds; return the batches that were tried."""
    tried: list[int] = []

    def once(step: Callable[[], int], threads: int) -> float:
        tried.append(step())
        return 0.5

    def fastest(step: Callable[[], int]) -> tuple[int, float]:
        return 1, once(step, 1)

    monkeypatch.setattr(device, "speed_once", once)
    monkeypatch.setattr(device, "fastest_threads", fastest)
    return tried


def test_where_an_image_takes_seconds_no_whole_batch_is_tried(
    slow_machine: list[int], tmp_path: Path
) -> None:
    plan = planned(tmp_path, "1h")
    assert slow_machine == [PROBE_BATCH, PROBE_BATCH]
    assert plan.recipe.batch == 40
    assert plan.images_per_second == 0.5
    assert any("at 0.5 images/s" in text for _, text in plan.rows)


def test_a_time_too_short_for_one_step_is_refused(slow_machine: list[int], tmp_path: Path) -> None:
    with pytest.raises(
        SparringError, match=r"one step of 40 takes about 1 min 20 s .* budget of 30s"
    ):
        planned(tmp_path, "30s")
    assert planned(tmp_path, "1-steps").recipe.images == 40


def test_on_a_fast_machine_the_whole_batch_is_tried(tmp_path: Path) -> None:
    plan = planned(tmp_path, "5s")
    assert plan.images_per_second > 100
    assert plan.recipe.images > 400


WORDS = [f"{a}{b}{c}{d}" for a in "abcdef" for b in "aeiou" for c in "klm" for d in "xyz"]


@pytest.fixture
def hundred_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that of everything a hundred samples pass in a second."""

    def speed(step: Callable[[], int], threads: int) -> float:
        step()
        return 100.0

    monkeypatch.setattr(device, "speed_with", speed)


def planned_texts(tmp_path: Path, budget: str, **how: str) -> Plan:
    generator = {"network": "recurrent", "width": 8, "warm_start": 1_000}
    options = {
        "size": "tiny",
        "batch": 40,
        "threads": 1,
        "budget": budget,
        "generator": generator,
    }
    return make_plan(WORDS, options, tmp_path, Silent(), **how)


@pytest.mark.usefixtures("hundred_a_second")
@pytest.mark.parametrize(
    ("budget", "images"),
    [("100s", 8_280), ("100s +50s", 12_920), ("3-steps", 120), ("100s +3-steps", 8_400)],
)
def test_what_the_phase_before_the_game_takes_of_a_time_budget_the_game_has_not(
    budget: str, images: int, tmp_path: Path
) -> None:
    plan = planned_texts(tmp_path, budget)
    assert plan.recipe.images == images
    rows = dict(plan.rows)
    assert rows["before the game"] == "1,024 texts by likelihood, about 10 s"
    if budget == "100s":  # both parts, and what else takes time
        assert rows["budget"] == "8,280 texts, about 1 min 40 s at 100 texts/s"


@pytest.mark.usefixtures("hundred_a_second")
def test_a_budget_that_the_phase_uses_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match=r"takes about 10 s .* all of the budget of 11s; use a"):
        planned_texts(tmp_path, "11s")


@pytest.mark.usefixtures("hundred_a_second")
def test_weights_of_a_run_leave_the_game_all_of_the_budget(tmp_path: Path) -> None:
    plan = planned_texts(tmp_path, "11s", weights_from="0007-words")
    assert plan.recipe.images == 1_040
    assert dict(plan.rows)["before the game"] == "nothing: the networks are those of '0007-words'"
