"""The machine: how many threads pay, and that finding out takes no longer than it must."""

import time
from collections.abc import Callable, Iterator

import pytest
import torch

from sparring.errors import SparringError
from sparring.runs import device


class Clock:
    """A clock that only steps move on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0

    def step(self, seconds: Callable[[], float], images: int = 8) -> Callable[[], int]:
        def take() -> int:
            self.now += seconds()
            self.steps += 1
            return images

        return take


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    threads, clock = torch.get_num_threads(), Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    yield clock
    torch.set_num_threads(threads)


def test_speed_is_images_by_seconds_after_two_steps_to_warm_up(clock: Clock) -> None:
    speed = device.speed_with(clock.step(lambda: 5.0 if clock.steps < 2 else 0.1), 1)
    assert speed == pytest.approx(80)


def test_a_step_of_many_seconds_is_not_tried_again(clock: Clock) -> None:
    """Large networks on a slow machine: three more steps would be minutes of silence."""
    assert device.speed_with(clock.step(lambda: 40.0), 1) == pytest.approx(8 / 40)
    assert clock.steps == 1


@pytest.mark.parametrize(("gain", "expected"), [(1.9, 2), (1.1, 1)])
def test_more_threads_are_taken_only_where_they_pay(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, gain: float, expected: int
) -> None:
    monkeypatch.setattr(device, "cores", lambda: 2)
    step = clock.step(lambda: 0.1 / gain ** (torch.get_num_threads() - 1))
    threads, speed = device.fastest_threads(step)
    assert threads == torch.get_num_threads() == expected
    assert speed == pytest.approx(80 * (gain if expected == 2 else 1), rel=0.01)


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "MPS backend out of memory (MPS allocated: 5 GB)",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 40 bytes.",  # on Windows
    ],
)
def test_memory_that_runs_out_is_told_in_a_line(message: str) -> None:
    with pytest.raises(SparringError, match="do not fit into memory"), device.memory_guard():
        raise RuntimeError(message)
    with pytest.raises(SparringError, match="do not fit into memory"), device.memory_guard():
        torch.empty(10**15)


def test_other_faults_that_speak_of_memory_are_not_hidden() -> None:
    """Such as writing to a number twice: a mistake of ours, which no smaller size would mend."""
    with pytest.raises(RuntimeError, match="single memory location"), device.memory_guard():
        torch.zeros(1).expand(2).add_(1)


def test_the_second_step_tells_the_speed_where_one_must_do(clock: Clock) -> None:
    speed = device.speed_once(clock.step(lambda: 5.0 if clock.steps < 1 else 0.1), 1)
    assert speed == pytest.approx(80)
    assert clock.steps == 2
