"""The phase before the game: exact through stops and files, early ends, recovery, no trace left."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import Adam

from sparring.draws import Draw
from sparring.training import checkpoint
from sparring.training.loop import Callback, Diverged, Progress, Rollback
from sparring.training.phase import prepare
from sparring.training.state import State, begin_preparing, copy_exactly, train_tensors
from sparring.training.step import Logs, refuse_non_finite

NAN = float("nan")
TICK = 16


@dataclass(frozen=True)
class Towards:
    """Brings the generator's first bias to a target, and keeps what came nearest to another.

    It settles after `patience` steps that were no nearer to what is `held_out`.
    """

    samples: int = 80
    batch: int = 4
    method: str = "towards a number"
    target: float = 1.0
    held_out: float = 1.0
    patience: int = 100
    bad: tuple[tuple[int, int], ...] = ()  # samples and attempts at which the loss is not a number
    rates: list[float] = field(default_factory=list)

    def begin(self, state: State) -> None:
        memory = {"best": torch.tensor(torch.inf), "since": torch.tensor(0)}
        begin_preparing(state, Adam(state.generator.parameters(), lr=0.0), memory)

    def take_step(self, state: State) -> Logs:
        assert state.preparing
        optimizer, memory = state.preparing.optimizer, state.preparing.memory
        optimizer.param_groups[0]["lr"] = 0.1 * 0.5**state.attempt
        self.rates.append(optimizer.param_groups[0]["lr"])
        bias = next(p for name, p in state.generator.named_parameters() if "bias" in name)
        noise = Draw(3, state.prepared, state.attempt).normal("towards", bias.shape)
        loss = (bias + 0.05 * noise - self.target).square().mean()
        if (state.prepared, state.attempt) in self.bad:
            loss = loss * NAN
        (gradient,) = torch.autograd.grad(loss, bias)
        refuse_non_finite("generator", loss, gradient.norm())
        bias.grad = gradient
        optimizer.step()
        distance = (bias.detach() - self.held_out).square().mean()
        if distance < memory["best"]:
            memory["best"].copy_(distance)
            memory["since"].zero_()
            copy_exactly(state.ema.state_dict(), state.generator.state_dict(), "average")
        else:
            memory["since"] += 1
        return {"loss": loss.detach()}

    def is_settled(self, state: State) -> bool:
        assert state.preparing
        return int(state.preparing.memory["since"]) >= self.patience


@pytest.fixture
def begun(make_state: Any) -> Callable[[Towards], State]:
    def make(phase: Towards) -> State:
        state: State = make_state(optimizer="adam")
        phase.begin(state)
        return state

    return make


def go(state: State, phase: Towards, **how: Any) -> bool:
    return prepare(state, phase, tick_samples=TICK, **how)


@pytest.mark.parametrize(
    "phase", [Towards(), Towards(held_out=0.3, patience=5)], ids=["all", "early"]
)
@pytest.mark.parametrize("after", [4, 16, 20, 28])
def test_a_phase_that_is_stopped_goes_on_from_its_checkpoint_bit_for_bit(
    begun: Any, everything: Any, differing: Any, tmp_path: Path, phase: Towards, after: int
) -> None:
    whole, part, other = begun(phase), begun(phase), begun(phase)
    assert go(whole, phase)
    assert not go(part, phase, stop=lambda state: state.prepared >= after)
    path = checkpoint.save(part, tmp_path)
    assert path.name == "000000000"
    checkpoint.load_latest(other, tmp_path)
    assert (other.prepared, other.preparing is None) == (after, False)
    assert go(other, phase)
    assert differing(everything(whole), everything(other)) == []
    assert other.prepared == whole.prepared


def test_a_phase_that_has_settled_ends_early_and_the_game_starts_from_the_best(begun: Any) -> None:
    phase = Towards(samples=800, held_out=0.3, patience=5)
    state = begun(phase)
    assert go(state, phase)
    assert state.prepared < 400
    for generator, average in zip(
        state.generator.parameters(), state.ema.parameters(), strict=True
    ):
        assert torch.equal(generator, average)
    bias = next(p for name, p in state.generator.named_parameters() if "bias" in name)
    assert float(bias.detach().mean()) == pytest.approx(0.3, abs=0.06)


def test_its_end_leaves_no_trace_but_a_count_in_the_state_and_its_checkpoint(
    begun: Any, make_state: Any, tmp_path: Path
) -> None:
    phase = Towards()
    state = begun(phase)
    assert any("preparing" in name for name in train_tensors(state))
    go(state, phase)
    plain = make_state(optimizer="adam")
    assert train_tensors(state).keys() == train_tensors(plain).keys()
    checkpoint.save(state, tmp_path)
    again = begun(phase)
    checkpoint.load_latest(again, tmp_path)
    assert again.preparing is None
    assert again.prepared == 80
    checkpoint.load_latest(plain, tmp_path)


def test_networks_alone_are_taken_from_within_a_phase(
    begun: Any, make_state: Any, differing: Any, tmp_path: Path
) -> None:
    phase = Towards()
    state, fresh = begun(phase), make_state(optimizer="sgd", seed=4)
    go(state, phase, stop=lambda state: state.prepared >= 40)
    checkpoint.save(state, tmp_path)
    checkpoint.load_networks(fresh, tmp_path)
    for player in ("generator", "discriminator", "ema"):
        pairs = getattr(fresh, player).state_dict(), getattr(state, player).state_dict()
        assert differing(*pairs) == []
    assert (fresh.prepared, fresh.preparing, fresh.seed) == (0, None, 4)


def test_ticks_count_the_samples_of_the_phase(begun: Any) -> None:
    seen: list[Progress] = []
    phase = Towards(samples=40)
    go(begun(phase), phase, callbacks=[Callback(1, lambda state, progress: seen.append(progress))])
    assert [progress.samples_seen for progress in seen] == [16, 32, 40]
    assert all(progress.metrics.keys() == {"loss"} for progress in seen)


def test_a_step_that_is_not_finite_goes_back_with_half_the_rate(begun: Any) -> None:
    back: list[Rollback] = []
    phase = Towards(bad=((40, 0),))
    state = begun(phase)
    assert go(state, phase, on_rollback=back.append)
    (rollback,) = back
    assert (rollback.images, rollback.failed_at, rollback.attempt) == (32, 40, 1)
    assert "not finite" in rollback.reason
    assert phase.rates[10:13] == [0.1, 0.05, 0.05]
    assert state.attempt == 0, "the game starts with its whole rate"


def test_a_phase_that_never_is_finite_ends_in_a_line(begun: Any) -> None:
    phase = Towards(bad=tuple((8, attempt) for attempt in range(4)))
    with pytest.raises(Diverged, match=r"at 8 samples.*--generator.warm-start 0") as caught:
        go(begun(phase), phase)
    assert "\n" not in str(caught.value)
