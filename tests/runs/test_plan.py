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
