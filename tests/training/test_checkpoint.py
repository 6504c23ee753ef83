"""Checkpoints: bit-exact, atomic under a crash anywhere, distrustful of what lies on the disk."""

import errno
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from sparring import objectives, penalties
from sparring.errors import SparringError
from sparring.kinds.images.augmentation import AMOUNTS, ImageAugmentation
from sparring.penalties import Penalty
from sparring.schedules import constant, linear
from sparring.training.augmentation import Adaptive
from sparring.training.checkpoint import (
    Damaged,
    latest_intact,
    load_latest,
    load_model,
    save,
    verify,
)
from sparring.training.state import State
from sparring.training.step import Game, train_step

GAME = Game(objectives.hinge, generator_lr=constant(0.01), discriminator_lr=constant(0.01))
OBJECTIVES = {
    "minimax": objectives.minimax,
    "non-saturating": objectives.non_saturating,
    "mean-squared": objectives.mean_squared,
    "least-squares": objectives.least_squares,
    "hinge": objectives.hinge,
    "wasserstein": objectives.wasserstein,
    "relativistic": objectives.relativistic,
}


def at(state: State, images: int, mark: float) -> State:
    """Return the state as if it stood at `images`, recognisable by a mark in its weights."""
    state.samples_seen = images
    with torch.no_grad():
        next(state.ema.parameters()).view(-1)[0] = mark
        next(state.generator.parameters()).view(-1)[0] = mark
    return state


def mark_of(state: State) -> float:
    marks = {float(next(n.parameters()).view(-1)[0].detach()) for n in (state.ema, state.generator)}
    assert len(marks) == 1, "the average and the live generator come from two checkpoints"
    return marks.pop()


# ---- exactness


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum"])
@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_a_checkpoint_comes_back_bit_for_bit(
    make_state: Any,
    make_batch: Any,
    everything: Any,
    differing: Any,
    tmp_path: Path,
    network: str,
    optimizer: str,
    steps: int,
) -> None:
    state = make_state(network, optimizer=optimizer, conditional=True, seed=1)
    for k in range(steps):
        train_step(state, GAME, make_batch(4, start=4 * k, conditional=True))
    state.attempt, state.augment_probability, state.augment_sign = 1, 0.1, -0.3
    path = save(state, tmp_path)
    assert path == tmp_path / f"{4 * steps:09d}"
    other = make_state(network, optimizer=optimizer, conditional=True, seed=2)
    assert load_latest(other, tmp_path) == path
    assert differing(everything(state), everything(other)) == []
    model = load_model(latest_intact(tmp_path))
    assert model.keys() == state.ema.state_dict().keys()
    assert all(torch.equal(model[name], t) for name, t in state.ema.state_dict().items())


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_a_resumed_game_ends_where_an_unbroken_one_does(
    make_state: Any,
    make_batch: Any,
    everything: Any,
    differing: Any,
    tmp_path: Path,
    objective: objectives.Objective,
    order: Any,
) -> None:
    moves = 2 if order == "alternating" else 1
    game = Game(
        objective,
        (
            Penalty(penalties.r1, linear(1.0, 0.1, 0, 40), every=3),
            Penalty(penalties.r2, constant(0.1), every=3),
        ),
        order=order,
        discriminator_moves=moves,
        generator_lr=linear(0.01, 0.0, 0, 60),
        discriminator_lr=constant(0.01),
    )

    def play(state: State, steps: int) -> None:
        for _ in range(steps):
            batch = make_batch(4 * moves, start=state.samples_seen, conditional=True)
            train_step(state, game, batch)

    def fresh(seed: int) -> State:
        kind = {"optimizer": "adam", "conditional": True}
        state: State = make_state("convolutional", seed=seed, **kind)
        return state

    unbroken, broken, resumed = fresh(1), fresh(1), fresh(2)
    play(unbroken, 7)
    play(broken, 4)
    save(broken, tmp_path)
    play(broken, 1)  # a later state must not leak into the file
    load_latest(resumed, tmp_path)
    play(resumed, 3)
    assert differing(everything(unbroken), everything(resumed)) == []


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_a_game_that_adapts_its_augmentation_resumes_exactly(
    make_state: Any, make_batch: Any, everything: Any, differing: Any, tmp_path: Path, order: Any
) -> None:
    """Between two corrections too: broken at each of ten steps, a correction at each fourth."""
    augment = ImageAugmentation(
        tuple(AMOUNTS), Adaptive(target=-0.9, horizon_images=51.0), limit=0.7
    )
    game = Game(
        objectives.relativistic,
        (Penalty(penalties.r1, constant(0.1), every=3),),
        order=order,
        augment=augment,
        generator_lr=constant(0.01),
        discriminator_lr=constant(0.01),
    )

    def play(state: State, steps: int) -> State:
        for _ in range(steps):
            train_step(state, game, make_batch(4, start=state.samples_seen))
        return state

    unbroken = play(make_state("convolutional", optimizer="adam", seed=1), 10)
    assert 0 < unbroken.augment_probability < 0.7
    broken = make_state("convolutional", optimizer="adam", seed=1)
    for step in range(10):
        save(broken, tmp_path)
        broken = make_state("convolutional", optimizer="adam", seed=2)
        load_latest(broken, tmp_path)
        assert broken.step == step
        play(broken, 1)
    assert differing(everything(unbroken), everything(broken)) == []


def rewrite_counters(path: Path, **changed: Any) -> None:
    """Edit a checkpoint's counters, and let its manifest vouch for them; None drops one."""
    file, manifest = path / "state.json", json.loads((path / "manifest.json").read_text())
    counts = json.loads(file.read_text()) | changed
    content = json.dumps({k: v for k, v in counts.items() if v is not None}).encode()
    file.write_bytes(content)
    manifest["files"]["state.json"] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_a_checkpoint_from_before_augmentation_has_none(make_state: Any, tmp_path: Path) -> None:
    rewrite_counters(save(make_state(), tmp_path), augment_probability=None, augment_sign=None)
    state = make_state()
    state.augment_probability, state.augment_sign = 0.4, 0.3
    load_latest(state, tmp_path)
    assert (state.augment_probability, state.augment_sign) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["augment_probability", "augment_sign"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.5, 1.1, "often", [1]])
def test_an_augmentation_that_cannot_be_is_refused(
    make_state: Any, tmp_path: Path, name: str, value: Any
) -> None:
    rewrite_counters(save(make_state(), tmp_path), **{name: value})
    with pytest.raises(SparringError, match="is not a state") as caught:
        load_latest(make_state(), tmp_path)
    assert "\n" not in str(caught.value)


def test_nothing_is_pickled_and_nothing_unpickled(
    make_state: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("pickle was used")

    state, other = make_state(optimizer="adam"), make_state(optimizer="adam", seed=2)
    for module, names in (
        (torch, ("load", "save")),
        (pickle, ("load", "loads", "dump", "dumps", "Unpickler", "Pickler")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, refuse)
    save(state, tmp_path)
    load_latest(other, tmp_path)
    load_model(latest_intact(tmp_path))


# ---- the folder


def test_a_checkpoint_is_four_files_and_latest_names_it(make_state: Any, tmp_path: Path) -> None:
    path = save(at(make_state(), 100_000, 1.0), tmp_path / "checkpoints")
    names = {"model.safetensors", "train.safetensors", "state.json", "manifest.json"}
    assert {p.name for p in path.iterdir()} == names
    assert path.name == "000100000"
    assert (tmp_path / "checkpoints" / "latest").read_text() == "000100000\n"
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["format"] == 1
    for name, entry in manifest["files"].items():
        content = (path / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_only_the_last_few_are_kept(make_state: Any, tmp_path: Path) -> None:
    state = make_state()
    for images in (10, 20, 30, 40, 1_000_000_000, 2_000_000_000):
        save(at(state, images, images), tmp_path, keep=2)
        stored = sorted(int(p.name) for p in tmp_path.iterdir() if p.is_dir())
        assert stored[-1] == images
        assert len(stored) <= 2
    assert mark_of(state) == 2_000_000_000
    assert {p.name for p in tmp_path.iterdir()} == {"1000000000", "2000000000", "latest"}
    assert load_latest(make_state(), tmp_path).name == "2000000000"


def test_the_newest_is_the_one_of_most_images_not_the_last_by_name(
    make_state: Any, tmp_path: Path
) -> None:
    state = make_state()
    for images in (999_999_999, 1_000_000_000):
        save(at(state, images, images / 1e9), tmp_path)
    assert load_latest(make_state(), tmp_path).name == "1000000000"


def test_saving_twice_at_the_same_images_keeps_the_later(make_state: Any, tmp_path: Path) -> None:
    save(at(make_state(), 10, 1.0), tmp_path)
    save(at(make_state(), 10, 2.0), tmp_path)
    state = make_state()
    load_latest(state, tmp_path)
    assert mark_of(state) == 2.0


def test_what_other_programs_left_in_the_folder_is_ignored(make_state: Any, tmp_path: Path) -> None:
    save(at(make_state(), 10, 1.0), tmp_path)
    for name in ("notes", ".DS_Store", "²", "best"):
        (tmp_path / name).mkdir()
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    assert load_latest(make_state(), tmp_path).name == "000000010"
    save(at(make_state(), 20, 1.0), tmp_path)
    assert (tmp_path / "Thumbs.db").exists()
    assert (tmp_path / "notes").exists()


def test_no_checkpoint_at_all_is_one_line(make_state: Any, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SparringError, match="no intact checkpoint") as caught:
            load_latest(make_state(), folder)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_architecture_is_refused_in_one_line(
    make_state: Any, tmp_path: Path
) -> None:
    save(make_state("mlp"), tmp_path)
    with pytest.raises(SparringError) as caught:
        load_latest(make_state("convolutional"), tmp_path)
    assert not isinstance(caught.value, Damaged)
    assert "\n" not in str(caught.value)


# ---- damage


def rewrite_manifest(path: Path, **changes: Any) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | changes))


def truncate(path: Path) -> None:
    file = path / "train.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def flip(path: Path) -> None:
    file = path / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("/tmp/sparring-test-was-unpickled"),))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated file": truncate,
    "flipped byte": flip,
    "empty file": lambda path: (path / "state.json").write_bytes(b""),
    "missing file": lambda path: (path / "train.safetensors").unlink(),
    "folder in place of a file": lambda path: (
        (path / "state.json").unlink(),
        (path / "state.json").mkdir(),
    ),
    "edited counters": lambda path: (path / "state.json").write_text('{"seed": 1}'),
    "missing manifest": lambda path: (path / "manifest.json").unlink(),
    "cut manifest": lambda path: (path / "manifest.json").write_text('{"format": 1, "fi'),
    "manifest not UTF-8": lambda path: (path / "manifest.json").write_bytes(b"\xff\xfe{}"),
    "manifest a list": lambda path: (path / "manifest.json").write_text("[1, 2]"),
    "manifest a number": lambda path: (path / "manifest.json").write_text("7"),
    "manifest nested without end": lambda path: (path / "manifest.json").write_text("[" * 10**5),
    "manifest without files": lambda path: rewrite_manifest(path, files={}),
    "manifest of a list of files": lambda path: rewrite_manifest(path, files=["state.json"]),
    "manifest of odd entries": lambda path: rewrite_manifest(
        path, files=dict.fromkeys(("model.safetensors", "train.safetensors", "state.json"), 1)
    ),
    "header of 2^60 bytes": lambda path: (path / "model.safetensors").write_bytes(
        (2**60).to_bytes(8, "little") + b"{}"
    ),
    "pickle by another name": lambda path: (path / "model.safetensors").write_bytes(
        pickle.dumps(Bomb())
    ),
    "empty folder": lambda path: [p.unlink() for p in path.iterdir()],
}
damage = pytest.mark.parametrize("harm", DAMAGE.values(), ids=DAMAGE.keys())


@damage
def test_a_damaged_newest_gives_way_to_the_one_before_with_a_warning(
    make_state: Any, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    save(at(make_state(), 10, 1.0), tmp_path)
    harm(save(at(make_state(), 20, 2.0), tmp_path))
    state, said = make_state(), []
    assert load_latest(state, tmp_path, said.append).name == "000000010"
    assert mark_of(state) == 1.0
    (warning,) = said
    assert "000000020" in warning
    assert "\n" not in warning
    assert latest_intact(tmp_path).name == "000000010"


@damage
def test_when_none_is_intact_it_is_one_line(
    make_state: Any, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    path = save(at(make_state(), 10, 1.0), tmp_path)
    harm(path)
    with pytest.raises(Damaged):
        verify(path)
    with pytest.raises(SparringError, match="no intact checkpoint") as caught:
        load_latest(make_state(), tmp_path)
    assert "\n" not in str(caught.value)


def test_training_goes_on_after_falling_back(make_state: Any, tmp_path: Path) -> None:
    """What is saved next must be what is loaded next, though a damaged one has more images."""
    for keep in (1, 2, 3):
        folder = tmp_path / str(keep)
        for images, mark in ((10, 1.0), (20, 2.0), (40, 3.0)):
            path = save(at(make_state(), images, mark), folder, keep=3)
        flip(path)
        state = make_state()
        load_latest(state, folder)
        assert mark_of(state) == 2.0
        new = save(at(state, 30, 4.0), folder, keep=keep)
        assert new.exists(), f"keep={keep}: what was just saved was dropped at once"
        fresh = make_state()
        load_latest(fresh, folder)
        assert mark_of(fresh) == 4.0


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_a_checkpoint_of_another_format_is_not_taken_for_damage(
    make_state: Any, tmp_path: Path, version: Any
) -> None:
    """Falling back would train on, and overwrite, what a newer version has written."""
    save(at(make_state(), 10, 1.0), tmp_path)
    rewrite_manifest(save(at(make_state(), 20, 2.0), tmp_path), format=version)
    with pytest.raises(SparringError, match="another version of sparring") as caught:
        load_latest(make_state(), tmp_path)
    assert not isinstance(caught.value, Damaged)
    assert "\n" not in str(caught.value)


def forge(path: Path, name: str, content: bytes) -> None:
    """Put content in place of a file and let the manifest vouch for it."""
    (path / name).write_bytes(content)
    files = json.loads((path / "manifest.json").read_text())["files"]
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    rewrite_manifest(path, files=files | {name: entry})


FORGED = {
    "header of 2^60 bytes": ("model.safetensors", (2**60).to_bytes(8, "little") + b"{}"),
    "pickle": ("train.safetensors", pickle.dumps(Bomb())),
    "nothing": ("model.safetensors", b""),
    "tensors beyond the file": (
        "model.safetensors",
        (63).to_bytes(8, "little")
        + b'{"w":{"dtype":"F32","shape":[750000000000],"data_offsets":[0,3000000000000]}}'[:63],
    ),
    "counters a list": ("state.json", b"[]"),
    "counters missing": ("state.json", b'{"seed": 0}'),
    "counters not numbers": (
        "state.json",
        b'{"seed": "x", "step": 0, "images": 0, "attempt": 0}',
    ),
    "counters infinite": (
        "state.json",
        b'{"seed": Infinity, "step": 0, "images": 0, "attempt": 0}',
    ),
}


@pytest.mark.parametrize(("name", "content"), FORGED.values(), ids=FORGED.keys())
def test_a_forged_manifest_gains_nothing_but_one_line(
    make_state: Any, tmp_path: Path, name: str, content: bytes
) -> None:
    witness = Path("/tmp/sparring-test-was-unpickled")
    witness.unlink(missing_ok=True)
    forge(save(make_state(), tmp_path), name, content)
    with pytest.raises(SparringError) as caught:
        load_latest(make_state(), tmp_path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not witness.exists()


# ---- crashes


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the program runs afterwards."""


WATCHED = (
    (os, "fsync"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "unlink"),
    (shutil, "rmtree"),
)


@contextmanager
def failing(nth: int, fault: BaseException) -> Iterator[list[int]]:
    """Let the n-th watched call fail; after `Killed`, all later ones fail as well."""
    calls = [0]
    with pytest.MonkeyPatch.context() as patch:

        def watch(owner: Any, name: str) -> None:
            real = getattr(owner, name)

            def call(*args: Any, **kwargs: Any) -> Any:
                if name == "rmtree" and kwargs.get("ignore_errors") and calls[0] < nth:
                    return real(*args, **kwargs)
                calls[0] += 1
                if calls[0] == nth or (calls[0] > nth and isinstance(fault, Killed)):
                    if name == "rmtree" and not isinstance(fault, Killed):
                        return real(*args, **kwargs)
                    raise fault
                return real(*args, **kwargs)

            patch.setattr(owner, name, call)

        for owner, name in WATCHED:
            watch(owner, name)
        yield calls


FAULTS = {
    "disk full": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "interrupt": KeyboardInterrupt,
    "kill": Killed,
}
SCENES = {  # what is stored before, where the crash happens, how many are kept
    "another exists": ((10,), 20, 3),
    "the oldest is dropped": ((10, 20), 30, 2),
    "one is kept": ((10,), 20, 1),
    "same images": ((10, 20), 20, 3),
    "same images, and no other": ((10,), 10, 1),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize(("stored", "images", "keep"), SCENES.values(), ids=SCENES.keys())
def test_a_crash_at_any_moment_loses_nothing(
    make_state: Any,
    tmp_path: Path,
    stored: tuple[int, ...],
    images: int,
    keep: int,
    fault: Callable[[], BaseException],
) -> None:
    lost = []
    for nth in range(1, 100):
        folder = tmp_path / str(nth)
        for earlier in stored:
            save(at(make_state(), earlier, float(earlier)), folder, keep)
        with failing(nth, fault()) as calls, suppress(OSError, KeyboardInterrupt, Killed):
            save(at(make_state(), images, 99.0), folder, keep)
        state = make_state()
        try:
            load_latest(state, folder)
            assert mark_of(state) in {float(stored[-1]), 99.0}
        except SparringError as error:
            lost.append((nth, str(error)))

        save(at(make_state(), images + 100, 100.0), folder, keep)
        rest = {p.name for p in folder.iterdir() if not p.name.isdigit()}
        assert rest == {"latest"}, f"left behind by a crash at call {nth}"
        load_latest(state, folder)
        assert mark_of(state) == 100.0
        if calls[0] < nth:  # the save went through untouched
            break
    assert nth > 8
    assert lost == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_crash_in_the_first_save_leaves_nothing_that_stands_in_the_way(
    make_state: Any, tmp_path: Path, fault: Callable[[], BaseException]
) -> None:
    for nth in range(1, 100):
        folder = tmp_path / str(nth)
        with failing(nth, fault()) as calls, suppress(OSError, KeyboardInterrupt, Killed):
            save(at(make_state(), 10, 1.0), folder)
        save(at(make_state(), 10, 2.0), folder)
        assert {p.name for p in folder.iterdir()} == {"000000010", "latest"}
        state = make_state()
        load_latest(state, folder)
        assert mark_of(state) == 2.0
        if calls[0] < nth:
            break
    assert nth > 8


def test_a_full_disk_is_told_and_nothing_is_left_lying(make_state: Any, tmp_path: Path) -> None:
    with (
        failing(2, OSError(errno.ENOSPC, "No space left on device")),
        pytest.raises(OSError, match="No space left"),
    ):
        save(make_state(), tmp_path)
    assert list(tmp_path.iterdir()) == []
