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
from sparring.runs import device, logger, monitor
from sparring.runs.diagnosis import Finding
from sparring.runs.logger import RunLogger, looks_so_far
from sparring.runs.looks import Look, read_looks, write_looks
from sparring.runs.monitor import Monitor
from sparring.training import checkpoint
from sparring.training.loop import Rollback

EVERY, LOOKS, REMEMBERED = 640, 9, 5
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
# By samples seen: which checkpoint is the best, the trend, and the differences that told.
Decisions = dict[int, tuple[str, str, list[float]]]


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
    differences: list[float] = []
    best, difference = RunLogger._best, monitor.kid_difference

    def compared(*features: Any, level: float) -> Estimate:
        found = difference(*features, level=level)
        differences.append(found.low)
        return found

    def decided(self: RunLogger, now: int) -> str:
        differences.clear()
        name = best(self, now)
        made[now] = name, self.monitor.trend(self.looks), differences.copy()
        return name

    patch.setattr(monitor, "kid_difference", compared)
    patch.setattr(RunLogger, "_best", decided)
    patch.setattr(device, "PROBE_SECONDS", 0.02)
    patch.setattr(monitor, "MAX_SAMPLES", 100)
    patch.setattr(monitor, "MAX_REMEMBERED", REMEMBERED)
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
    assert len({best for best, _, _ in made.values()}) > 2
    assert len({trend for _, trend, _ in made.values()}) > 1
    assert all(differences for _, _, differences in list(made.values())[1:])
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


def test_looks_by_other_features_are_compared_by_their_intervals() -> None:
    rng: Any = np.random.default_rng(0)
    real, near, far = (rng.normal(mean, size=(100, 4)) for mean in (0, 0, 3))
    looks = {10: Look("aa", far), 20: Look("bb", near)}
    watcher = Monitor(None, None, Path(), looks)  # type: ignore[arg-type]
    watcher.__dict__["_reference"] = SimpleNamespace(digest="aa"), real
    first, second = ((seen, Estimate(0.5, 0.0, 1.0, 0, "logged")) for seen in looks)
    assert not watcher.surely_worse(first, second)
    watcher.looks[20] = Look("aa", near)
    assert watcher.surely_worse(first, second)


def test_looks_are_read_as_they_were_written_and_a_damaged_one_costs_only_itself(
    tmp_path: Path,
) -> None:
    folder, rng = tmp_path / "looks", np.random.default_rng(0)
    looks = {n: Look("00ff", rng.normal(size=(4, 3)).astype(np.float32)) for n in (10, 20, 30)}
    assert read_looks(folder, [10]) == {}
    write_looks(folder, looks)
    read = read_looks(folder, [10, 30, 40])
    assert list(read) == [10, 30]
    assert all(np.array_equal(read[n].features, looks[n].features) for n in read)
    assert {look.digest for look in read.values()} == {"00ff"}
    (folder / "000000010-00ff.npy").write_bytes(b"\x93NUMPY")
    assert list(read_looks(folder, [10, 20])) == [20]
    del looks[20]
    write_looks(folder, looks)
    assert sorted(path.name[:9] for path in folder.iterdir()) == ["000000010", "000000030"]
