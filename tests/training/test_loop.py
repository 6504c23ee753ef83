"""The loop: when it looks, when it ends, what it means, and how it gets up again."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from sparring import objectives
from sparring.objectives import Objective
from sparring.schedules import constant
from sparring.training import loop
from sparring.training.loop import Callback, Diverged, Meter, Progress, Rollback, train
from sparring.training.state import State
from sparring.training.step import Batch, Game, train_step

GAME = Game(objectives.hinge, generator_lr=constant(0.01), discriminator_lr=constant(0.01))
NAN = float("nan")


@pytest.fixture
def batches(make_batch: Any) -> Callable[[int, int], Batch]:
    def fetch(start: int, count: int) -> Batch:
        batch: Batch = make_batch(count, start=start)
        return batch

    return fetch


def recorder(every: int = 1) -> tuple[list[Progress], Callback]:
    seen: list[Progress] = []
    return seen, Callback(every, lambda state, progress: seen.append(progress))


@pytest.fixture
def instant_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the step by one that only counts, and reports the images before it."""

    def count(state: State, game: Game, batch: Batch) -> dict[str, Tensor]:
        logs = {"images": torch.tensor(float(state.samples_seen))}
        state.step += 1
        state.samples_seen += len(batch.x)
        return logs

    monkeypatch.setattr(loop, "train_step", count)


@pytest.mark.parametrize(("batch", "end"), [(4, 20), (7, 21), (32, 32)])
def test_the_loop_ends_at_the_first_step_that_reaches_its_goal(
    make_state: Any, batches: Any, batch: int, end: int
) -> None:
    state = make_state()
    assert train(state, GAME, batches, batch=batch, until_images=20, tick_images=10)
    assert state.samples_seen == end


def test_a_goal_that_is_already_reached_needs_no_step(make_state: Any, batches: Any) -> None:
    state, (seen, callback) = make_state(), recorder()
    state.samples_seen = 20
    assert train(
        state, GAME, batches, batch=4, until_images=20, tick_images=10, callbacks=[callback]
    )
    assert (state.step, seen) == (0, [])


def test_batches_are_asked_for_one_after_the_other(make_state: Any, make_batch: Any) -> None:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, count: int) -> Batch:
        asked.append((start, count))
        batch: Batch = make_batch(count, start=start)
        return batch

    game = replace(GAME, discriminator_moves=2)
    train(make_state(), game, fetch, batch=4, until_images=30, tick_images=10)
    assert asked == [(0, 8), (8, 8), (16, 8), (24, 8)]


@pytest.mark.parametrize(
    ("batch", "tick", "expected"),
    [
        (5, 10, [10, 20, 30, 40]),
        (4, 10, [12, 20, 32, 40]),
        (7, 10, [14, 21, 35, 42]),
        (10, 10, [10, 20, 30, 40]),
        (15, 10, [15, 30, 45]),
        (40, 10, [40]),
    ],
)
@pytest.mark.usefixtures("instant_steps")
def test_a_tick_comes_with_the_step_that_passes_a_multiple(
    make_state: Any, batches: Any, batch: int, tick: int, expected: list[int]
) -> None:
    seen, callback = recorder()
    train(
        make_state(),
        GAME,
        batches,
        batch=batch,
        until_images=40,
        tick_images=tick,
        callbacks=[callback],
    )
    assert [progress.samples_seen for progress in seen] == expected


@pytest.mark.usefixtures("instant_steps")
def test_a_callback_acts_at_its_own_ticks_and_once_at_the_end(
    make_state: Any, batches: Any
) -> None:
    recorders = {every: recorder(every) for every in (1, 2, 3, 10)}
    train(
        make_state(),
        GAME,
        batches,
        batch=5,
        until_images=42,
        tick_images=10,
        callbacks=[callback for _, callback in recorders.values()],
    )
    images = {every: [p.samples_seen for p in seen] for every, (seen, _) in recorders.items()}
    assert images == {1: [10, 20, 30, 40, 45], 2: [20, 40, 45], 3: [30, 45], 10: [45]}


@pytest.mark.usefixtures("instant_steps")
def test_a_callback_that_acted_at_the_last_step_does_not_act_again(
    make_state: Any, batches: Any
) -> None:
    seen, callback = recorder(2)
    train(
        make_state(),
        GAME,
        batches,
        batch=5,
        until_images=40,
        tick_images=10,
        callbacks=[callback],
    )
    assert [progress.samples_seen for progress in seen] == [20, 40]


@pytest.mark.parametrize(("batch", "every"), [(15, 2), (30, 4), (50, 7), (96, 5)])
@pytest.mark.usefixtures("instant_steps")
def test_a_callback_is_not_skipped_when_a_step_spans_several_ticks(
    make_state: Any, batches: Any, batch: int, every: int
) -> None:
    seen, callback = recorder(every)
    train(
        make_state(),
        GAME,
        batches,
        batch=batch,
        until_images=900,
        tick_images=10,
        callbacks=[callback],
    )
    steps = range(0, 900 + batch - 1, batch)
    due = [b for a, b in pairwise(steps) if a // (10 * every) < b // (10 * every)]
    assert [p.samples_seen for p in seen if p.samples_seen < 900] == [
        images for images in due if images < 900
    ]


@pytest.mark.usefixtures("instant_steps")
def test_ticks_do_not_depend_on_where_the_loop_was_taken_up(make_state: Any, batches: Any) -> None:
    seen, callback = recorder()
    state = make_state()
    for goal in (15, 25, 40):
        train(
            state, GAME, batches, batch=5, until_images=goal, tick_images=10, callbacks=[callback]
        )
    assert [p.samples_seen for p in seen] == [10, 15, 20, 25, 30, 40]


@pytest.mark.usefixtures("instant_steps")
def test_metrics_are_means_since_the_last_tick(make_state: Any, batches: Any) -> None:
    seen, callback = recorder()
    train(
        make_state(),
        GAME,
        batches,
        batch=5,
        until_images=45,
        tick_images=20,
        callbacks=[callback],
    )
    assert [p.metrics for p in seen] == [{"images": 7.5}, {"images": 27.5}, {"images": 40.0}]


@pytest.mark.usefixtures("instant_steps")
def test_speed_is_that_of_the_last_stretch_also_at_the_end(
    make_state: Any, batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    each, often = recorder(1)
    last, seldom = recorder(3)
    train(
        make_state(),
        GAME,
        batches,
        batch=5,
        until_images=40,
        tick_images=20,
        callbacks=[often, seldom],
    )
    assert [p.images_per_second for p in each] == [20.0, 20.0]
    assert [p.seconds for p in each] == [1.0, 2.0]
    assert [p.samples_seen for p in last] == [40]
    assert last[0].images_per_second > 0
    assert last[0].metrics == each[-1].metrics


def test_stop_is_heeded_after_the_current_step(make_state: Any, batches: Any) -> None:
    state, (seen, callback) = make_state(), recorder(100)
    finished = train(
        state,
        GAME,
        batches,
        batch=4,
        until_images=400,
        tick_images=10,
        callbacks=[callback],
        stop=lambda state: state.samples_seen >= 8,
    )
    assert not finished
    assert (state.step, state.samples_seen) == (2, 8)
    assert [(p.step, p.samples_seen) for p in seen] == [(2, 8)]


def test_a_stop_at_once_takes_no_step(make_state: Any, batches: Any) -> None:
    state = make_state()
    assert not train(
        state, GAME, batches, batch=4, until_images=8, tick_images=4, stop=lambda state: True
    )
    assert state.step == 0


def test_the_result_does_not_depend_on_how_often_one_looks(
    make_state: Any, batches: Any, everything: Any, differing: Any
) -> None:
    ends = []
    for tick, snapshots in ((4, 1), (13, 1), (1000, 1), (4, 3)):
        state = make_state("convolutional", optimizer="adam")
        train(
            state,
            GAME,
            batches,
            batch=4,
            until_images=40,
            tick_images=tick,
            snapshot_ticks=snapshots,
            callbacks=[recorder()[1]],
        )
        ends.append(everything(state))
    assert all(differing(ends[0], end) == [] for end in ends[1:])


def test_the_result_is_that_of_the_bare_steps(
    make_state: Any, batches: Any, everything: Any, differing: Any
) -> None:
    bare, looped = make_state(), make_state()
    for k in range(5):
        train_step(bare, GAME, batches(4 * k, 4))
    train(looped, GAME, batches, batch=4, until_images=20, tick_images=7)
    assert differing(everything(bare), everything(looped)) == []


# ---- recovery


def failing_objective(fails: Callable[[int], bool]) -> Objective:
    """Return hinge, whose discriminator's loss is NaN at the calls that `fails` picks."""
    calls = [-1]

    def discriminator(r: Tensor, f: Tensor) -> Tensor:
        calls[0] += 1
        loss = objectives.hinge.discriminator(r, f)
        return loss * NAN if fails(calls[0]) else loss

    return replace(objectives.hinge, discriminator=discriminator)


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_a_bad_step_goes_back_to_the_last_look_and_on_at_half_the_rate(
    make_state: Any, batches: Any, everything: Any, differing: Any, order: Any
) -> None:
    told: list[Rollback] = []
    restored: list[dict[str, Tensor]] = []
    state = make_state("convolutional", optimizer="adam")

    def on_rollback(rollback: Rollback) -> None:
        told.append(rollback)
        restored.append(everything(state))

    game = replace(GAME, objective=failing_objective(lambda call: call == 4), order=order)
    finished = train(
        state,
        game,
        batches,
        batch=4,
        until_images=40,
        tick_images=12,
        on_rollback=on_rollback,
    )
    assert finished
    began = "first the gradient of the discriminator's head.linear.bias"
    assert told == [Rollback(12, 16, "the discriminator's loss is not finite", 1, began, 0.01)]

    until_the_look = make_state("convolutional", optimizer="adam")
    for k in range(3):
        train_step(until_the_look, replace(GAME, order=order), batches(4 * k, 4))
    until_the_look.attempt = 1
    assert differing(restored[0], everything(until_the_look)) == []

    assert (state.samples_seen, state.step, state.attempt) == (40, 10, 1)
    assert state.generator_optimizer.param_groups[0]["lr"] == pytest.approx(0.005)
    for k in range(3, 10):
        train_step(until_the_look, replace(GAME, order=order), batches(4 * k, 4))
    assert differing(everything(state), everything(until_the_look)) == []


def test_the_scalars_of_the_last_step_are_those_before_a_refusal(make_state: Any) -> None:
    state = make_state()
    meter = Meter(state)
    for value in (1.0, 3.0):
        meter.add({"loss": torch.tensor(value)})
    assert meter.last() == {"loss": 3.0}
    assert meter.read(state).metrics == {"loss": 2.0}
    assert meter.last() == {"loss": 2.0}  # none came since


def test_a_bad_first_step_goes_back_to_the_start(make_state: Any, batches: Any) -> None:
    told: list[Rollback] = []
    state = make_state()
    game = replace(GAME, objective=failing_objective(lambda call: call == 0))
    train(state, game, batches, batch=4, until_images=8, tick_images=4, on_rollback=told.append)
    assert [(r.images, r.failed_at, r.attempt) for r in told] == [(0, 0, 1)]
    assert state.samples_seen == 8


def test_a_parameter_gone_bad_without_a_bad_gradient_is_noticed_at_the_next_look(
    make_state: Any, batches: Any
) -> None:
    told: list[Rollback] = []
    state = make_state()
    spoilt = [False]

    def fetch(start: int, count: int) -> Batch:
        if start == 8 and not spoilt[0]:  # as an overflow in an optimiser would
            spoilt[0] = True
            with torch.no_grad():
                next(state.ema.parameters()).view(-1)[0] = NAN
        batch: Batch = batches(start, count)
        return batch

    train(state, GAME, fetch, batch=4, until_images=40, tick_images=4, on_rollback=told.append)
    assert [(r.images, r.attempt, r.reason) for r in told] == [(8, 1, "a parameter is not finite")]
    assert all(bool(p.isfinite().all()) for p in state.ema.parameters())


def test_a_game_that_fails_again_and_again_ends_with_advice(make_state: Any, batches: Any) -> None:
    told: list[Rollback] = []
    state = make_state()
    game = replace(GAME, objective=failing_objective(lambda call: call >= 3))
    with pytest.raises(Diverged) as caught:
        train(
            state,
            game,
            batches,
            batch=4,
            until_images=40,
            tick_images=4,
            on_rollback=told.append,
        )
    assert [r.attempt for r in told] == [1, 2, 3]
    message = str(caught.value)
    assert "\n" not in message
    for hint in ("12 samples", "the discriminator's loss", "--optimizer.lr", "data"):
        assert hint in message


def test_recoveries_before_a_resume_count(make_state: Any, batches: Any) -> None:
    state = make_state()
    state.attempt = 3
    game = replace(GAME, objective=failing_objective(lambda call: True))
    with pytest.raises(Diverged):
        train(state, game, batches, batch=4, until_images=40, tick_images=4)


def test_what_was_measured_before_a_bad_step_is_not_mixed_into_what_follows(
    make_state: Any, batches: Any
) -> None:
    seen, callback = recorder()
    game = replace(GAME, objective=failing_objective(lambda call: call == 4))
    train(
        make_state(),
        game,
        batches,
        batch=4,
        until_images=24,
        tick_images=12,
        callbacks=[callback],
    )
    assert [p.samples_seen for p in seen] == [12, 24]
    assert all(value == value for p in seen for value in p.metrics.values())


def test_seconds_go_on_counting_through_a_recovery(
    make_state: Any, batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    seen, callback = recorder()
    game = replace(GAME, objective=failing_objective(lambda call: call == 8))
    train(
        make_state(),
        game,
        batches,
        batch=4,
        until_images=48,
        tick_images=8,
        callbacks=[callback],
    )
    seconds = [p.seconds for p in seen]
    assert [p.samples_seen for p in seen] == [8, 16, 24, 32, 40, 48]
    assert seconds == sorted(set(seconds))


def test_a_callback_at_the_end_after_a_recovery_is_still_told_what_was_last_measured(
    make_state: Any, batches: Any
) -> None:
    seen, callback = recorder(100)
    rollbacks: list[Rollback] = []
    game = replace(GAME, objective=failing_objective(lambda call: call == 3))
    train(
        make_state(),
        game,
        batches,
        batch=4,
        until_images=400,
        tick_images=4,
        callbacks=[callback],
        on_rollback=rollbacks.append,
        stop=lambda state: bool(rollbacks),
    )
    assert [p.samples_seen for p in seen] == [12]
    assert "discriminator/loss" in seen[0].metrics
