"""What a run decides by its looks, it decides after a resume as it would have without."""

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import sparring
from sparring.api import NullReporter
from sparring.metrics.estimate import Estimate
from sparring.metrics.trend import Verdict
from sparring.runs import device, logger, looks, monitor
from sparring.runs.diagnosis import Finding
from sparring.runs.folder import RunFolder
from sparring.runs.logger import RunLogger, looks_so_far
from sparring.runs.looks import Look, read_looks, thinned, write_looks
from sparring.runs.monitor import Monitor
from sparring.training import checkpoint
from sparring.training.loop import Rollback

EVERY, LOOKS, REMEMBERED = 640, 9, 8
SETTINGS: dict[str, Any] = {
    "size": "tiny",
    "threads": 1,
    "batch": 64,
    "budget": f"{LOOKS * EVERY}-samples",
    "checkpoint.ticks": LOOKS,
    "checkpoint.samples_every_ticks": 1,
    "checkpoint.every_ticks": 1,
    "optimizer.lr": "5e-3",
}
Decisions = dict[int, tuple[int | None, Verdict]]  # by samples seen: best checkpoint, trend


class Stop(NullReporter):
    """Presses Ctrl-C at each so many samples; collects what is said."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.last = 0
        self.said: list[str] = []

    def advance(self, images: int, total: int) -> None:
        if images != self.last and images % self.every == 0:
            self.last = images
            signal.raise_signal(signal.SIGINT)

    def say(self, message: str) -> None:
        self.said.append(message)


def watch(patch: pytest.MonkeyPatch) -> Decisions:
    """Return what is decided from now on, at each checkpoint, by looks that are cheap."""
    made: Decisions = {}
    save = RunLogger._save

    def saved(self: RunLogger, state: Any) -> None:
        save(self, state)
        now = state.samples_seen
        made[now] = self._best(self.checkpointed, now), self.monitor.verdict(self.looks)

    patch.setattr(RunLogger, "_save", saved)
    patch.setattr(device, "PROBE_SECONDS", 0.02)
    patch.setattr(monitor, "MAX_SAMPLES", 100)
    patch.setattr(looks, "MAX_REMEMBERED", REMEMBERED)
    patch.setattr(logger, "write_report", lambda folder: None)
    return made


@pytest.fixture(autouse=True)
def decisions(monkeypatch: pytest.MonkeyPatch) -> Decisions:
    return watch(monkeypatch)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Decisions:
    """The decisions of a run that nobody stopped."""
    with pytest.MonkeyPatch.context() as patch:
        made = watch(patch)
        train(tmp_path_factory.mktemp("runs"))
    assert len({best for best, _ in made.values()}) > 2
    assert len({verdict.trend for _, verdict in made.values()}) > 1
    assert len({verdict for _, verdict in made.values()}) >= LOOKS - 5
    return made


def train(root: Path, **how: Any) -> sparring.Run:
    return sparring.train("digits", root=root, **SETTINGS, **how)


def test_a_run_that_is_stopped_after_every_look_decides_the_same(
    uninterrupted: Decisions, decisions: Decisions, tmp_path: Path
) -> None:
    audience = Stop(EVERY)
    run = train(tmp_path, audience=audience)
    while run.status == "interrupted":
        run.resume(audience=audience)
    assert decisions == uninterrupted
    assert len(list(run.folder.looks.iterdir())) == REMEMBERED


def test_looks_that_a_kill_left_beyond_the_last_checkpoint_are_forgotten(
    uninterrupted: Decisions,
    decisions: Decisions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save = checkpoint.save

    def killed_before(state: Any, *how: Any, **more: Any) -> Path:
        if state.samples_seen == 5 * EVERY:
            raise KeyboardInterrupt
        return save(state, *how, **more)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", killed_before)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    run = sparring.load("latest", tmp_path)
    left = {int(path.name[:9]): path for path in run.folder.looks.iterdir()}
    assert max(left) == 5 * EVERY
    whole = left[5 * EVERY].read_bytes()
    left[5 * EVERY].write_bytes(left[EVERY].read_bytes())  # of no use to anybody
    run.resume()
    assert decisions == uninterrupted
    assert left[5 * EVERY].read_bytes() == whole  # taken again, written again


def test_what_was_found_is_told_once_and_again_at_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding("oscillation", "it swings", "theory", "try less")
    monkeypatch.setattr(logger, "diagnose", lambda history: (finding,))
    audience = Stop(3 * EVERY)
    run = train(tmp_path, audience=audience)
    while run.status == "interrupted":
        run.resume(audience=audience)
    events = [e["images"] for e in run.folder.read_events() if e["event"] == "diagnosis"]
    assert events == [EVERY, 3 * EVERY, 6 * EVERY, 9 * EVERY]
    assert audience.said.count(str(finding)) == len(events)


def test_a_rollback_takes_looks_back_now_and_in_what_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_back = Rollback(2 * EVERY, 4 * EVERY, "not finite", 1, "", 0.1)
    tick = RunLogger.tick
    seen = []

    def ticked(self: RunLogger, state: Any, progress: Any) -> None:
        if state.samples_seen == 5 * EVERY:
            self.rollback(taken_back)
            seen.append(([images for images, _ in self.looks], list(self.monitor.looks)))
        tick(self, state, progress)

    monkeypatch.setattr(RunLogger, "tick", ticked)
    run = train(tmp_path)
    assert seen == [([EVERY, 2 * EVERY],) * 2]
    kept = [EVERY * n for n in range(1, LOOKS + 1) if n not in (3, 4)]
    assert [images for images, _ in looks_so_far(run.folder.read_events())] == kept


def look(value: float, digest: str = "aa", shift: float = 0.0) -> Look:
    """Return a look whose samples move it all alike, but for a shift of the first."""
    influence = np.random.default_rng(0).normal(size=100).astype(np.float32)
    influence[0] += shift
    return Look(digest, value, (influence,))


def test_looks_by_other_features_are_compared_by_their_intervals() -> None:
    watcher = watching({10: look(0.6), 20: look(0.5, "bb", 0.1)})
    first, second = (
        (seen, Estimate(v, 0.0, 1.0, 0, "logged")) for seen, v in ((10, 0.6), (20, 0.5))
    )
    assert not watcher.surely_worse(first, second)
    assert watcher.verdict([first, second] * 4).trend == "too early to tell"
    watcher.looks[20] = look(0.5, "aa", 0.1)
    assert watcher.surely_worse(first, second)


def watching(remembered: dict[int, Look]) -> Monitor:
    watcher = Monitor(None, None, Path(), remembered)  # type: ignore[arg-type]
    watcher.__dict__["_digest"] = "aa"
    return watcher


class Kept:
    """A logger on empty checkpoints, and the looks that it is told of."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, keep: int = 3) -> None:
        patch.setattr(checkpoint, "_fill", lambda folder, state: None)
        self.said: list[str] = []
        recipe: Any = SimpleNamespace(checkpoint=SimpleNamespace(keep=keep))
        audience: Any = SimpleNamespace(say=self.said.append)
        log: Any = lambda event, **fields: None  # noqa: E731
        self.folder = RunFolder(folder)
        self.logger = RunLogger(
            self.folder,
            None,
            recipe,
            log,
            audience,
            0.0,
            (0, 0),
            watching({}),
            [],
            [],  # type: ignore[arg-type]
        )

    def see(self, value: float, reach: float = 1.0) -> None:
        """Look, and save."""
        now = 10 + max([seen for seen, _ in self.logger.looks], default=0)
        self.logger.looks.append((now, Estimate(value, value - reach, value + reach, 0, "test")))
        state: Any = SimpleNamespace(samples_seen=now, prepared=0, preparing=None)
        RunLogger._save(self.logger, state)

    @property
    def names(self) -> list[int]:
        return [int(path.name) for path in checkpoint.paths(self.folder.checkpoints)]

    @property
    def best(self) -> int:
        return int(checkpoint.marked_best(self.folder.checkpoints))


def test_the_best_checkpoint_does_not_drift_away_from_the_best_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each could not be told from the one before, until .195 was the best, and .095 was gone."""
    kept = Kept(tmp_path, monkeypatch)
    for value in (0.3, 0.095, 0.14, 0.16, 0.175, 0.19, 0.195):
        kept.see(value, reach=0.03)
    assert kept.best == 30  # 0.14, the last that cannot be told from 0.095
    assert kept.names == [20, 30, 50, 60, 70]
    assert "checkpoint at 30" in kept.logger._best_words()
    kept.see(0.1, reach=0.03)
    assert kept.best == 80
    assert kept.logger._best_words() == ""


@pytest.mark.parametrize("keep", [1, 3])
def test_what_was_best_at_each_checkpoint_to_go_back_to_is_still_there(
    keep: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path, monkeypatch, keep)
    random = np.random.default_rng(3)
    for k in range(30):
        kept.see(5 / (k + 1) + random.normal(), reach=0.5)
        looked = kept.logger.looks
        assert kept.best in kept.names
        assert min(looked, key=lambda look: look[1].value)[0] in kept.names
        for now in kept.names[-keep:]:
            until = [look for look in looked if look[0] <= now]
            assert kept.logger.monitor.choice(until)[0] in kept.names
        assert len(kept.names) <= 2 * keep + 1


def test_the_best_is_chosen_for_more_than_luck() -> None:
    """Each look is judged at a level for as many as may have been the best by luck."""
    errors = np.random.default_rng(1).normal(size=(11, 4000)).astype(np.float32)
    values = [0.0] * 10 + [
        2.2 * (2 / 4000) ** 0.5
    ]  # beyond 95 % for one pair, not for the best of ten
    seen = [10 * k for k in range(1, 12)]
    remembered = {n: Look("aa", v, (e,)) for n, v, e in zip(seen, values, errors, strict=True)}
    looked = [(n, Estimate(v, v, v, 0, "logged")) for n, v in zip(seen, values, strict=True)]
    watcher = watching(remembered)
    assert watcher.surely_worse(looked[-1], looked[0])
    assert watcher.choice(looked) == looked[-1]


def test_looks_beyond_a_number_are_thinned_evenly_over_doublings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looks, "MAX_REMEMBERED", 16)
    remembered: dict[int, Look] = {}
    for n in range(1, 201):
        remembered = thinned(remembered | {n: look(abs(n - 90.0))})
    seen = sorted(remembered)
    assert len(seen) == 16
    assert (seen[0], seen[-1]) == (1, 200)
    assert 90 in seen  # the lowest
    assert sum(n >= 50 for n in seen) >= 4


def test_looks_are_read_as_they_were_written_and_a_damaged_one_costs_only_itself(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "looks"
    written = {n: look(n / 7, "00ff", n) for n in (10, 20, 30)}
    assert read_looks(folder, [10]) == {}
    write_looks(folder, written)
    read = read_looks(folder, [10, 30, 40])
    assert list(read) == [10, 30]
    assert all(np.array_equal(read[n].influence, written[n].influence) for n in read)
    assert {(n, one.digest, one.value) for n, one in read.items()} == {
        (n, "00ff", n / 7) for n in (10, 30)
    }
    (folder / "000000010-00ff.npz").write_bytes(b"PK")
    assert list(read_looks(folder, [10, 20])) == [20]
    del written[20]
    write_looks(folder, written)
    assert sorted(path.name[:9] for path in folder.iterdir()) == ["000000010", "000000030"]
