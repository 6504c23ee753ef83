"""Checkpoints: a `State` on disk, written so that a kill at any moment loses nothing.

A checkpoint is a folder `000100000` (images seen) of model.safetensors (the averaged generator),
train.safetensors (the rest), state.json (counters) and, last, manifest.json with the sizes and
SHA-256 of the others. It is written under a temporary name, flushed to disk and renamed; only
what a manifest vouches for is loaded, and a damaged newest one gives way to the one before.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

from sparring.errors import SparringError
from sparring.runs.folder import flush_to_disk, rename
from sparring.training.state import (
    Counters,
    State,
    Tensors,
    counters,
    model_tensors,
    restore,
    restore_networks,
    train_tensors,
)

FORMAT = 1
REPLACED = "~"  # ends the name of a checkpoint whose successor is being renamed
NAME = re.compile(rf"([0-9]+)({REPLACED}?)")
MANIFEST = "manifest.json"
FILES = ("model.safetensors", "train.safetensors", "state.json")


class Damaged(SparringError):
    """A checkpoint that its manifest does not vouch for."""


def save(state: State, folder: Path, keep: int = 3, spare: Collection[str] = ()) -> Path:
    """Write a checkpoint below `folder`, point `latest` at it, and drop all but the last `keep`.

    Whatever lies beyond it is dropped too: a damaged one, or one from before a rewind. Older ones
    whose names are in `spare` stay.
    """
    target = folder / name_of(state.samples_seen)
    temporary = folder / f".{target.name}.{os.getpid()}"
    _remove_leftovers(folder)
    temporary.mkdir(parents=True)
    try:
        _fill(temporary, state)
        if target.exists():  # kept under a name that still counts until the new one is there
            replaced = target.with_name(target.name + REPLACED)
            shutil.rmtree(replaced, ignore_errors=True)
            rename(target, replaced)
        rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush_to_disk(folder)
    _point(folder / "latest", target.name)
    stored = _stored(folder)
    now = stored.index(target)
    old = [path for path in stored[: max(now + 1 - keep, 0)] if path.name not in spare]
    for beyond in stored[now + 1 :]:
        shutil.rmtree(beyond)
    for path in {*old, *folder.glob(f"*{REPLACED}")}:
        with suppress(PermissionError):  # Windows, while one is being read: the next save will
            shutil.rmtree(path)
    return target


def load_latest(
    state: State, folder: Path, warn: Callable[[str], None] = lambda message: None
) -> Path:
    """Restore the newest intact checkpoint into a state of the same shapes; return its folder.

    Raises:
        SparringError: there is none, or it belongs to another architecture.
    """
    path = latest_intact(folder, warn)
    counts = _read_counters(path)
    restore(state, _tensors(path / FILES[0]), _tensors(path / FILES[1]), counts)
    return path


def load_networks(
    state: State, folder: Path, warn: Callable[[str], None] = lambda message: None
) -> Path:
    """Restore only the networks of the newest intact checkpoint; return its folder.

    Raises:
        SparringError: there is none, or it belongs to another architecture.
    """
    path = latest_intact(folder, warn)
    restore_networks(state, _tensors(path / FILES[0]), _tensors(path / FILES[1]))
    return path


def load_model(path: Path) -> Tensors:
    """Return the averaged generator's tensors of a checkpoint."""
    return _tensors(path / FILES[0])


def load_discriminator(path: Path) -> Tensors:
    """Return the tensors of the discriminator that has played longest against this generator.

    That is the newest one beside a checkpoint, if its generator is the same.
    """
    newest = latest_intact(path.parent)
    same = (newest / FILES[0]).read_bytes() == (path / FILES[0]).read_bytes()
    tensors, prefix = _tensors((newest if same else path) / FILES[1]), "discriminator."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def named(folder: Path, name: str, warn: Callable[[str], None] = lambda message: None) -> Path:
    """Return the checkpoint of a name: `latest`, `best`, the images it has seen, or its folder's.

    `best` is the newest where none has been marked.

    Raises:
        SparringError: there is none of this name, or it is damaged.
    """
    marked = marked_best(folder) if name == "best" else name
    if marked in ("", "latest"):
        return latest_intact(folder, warn)
    stored = {path.name: path for path in _stored(folder)}
    stored |= {str(int(label)): path for label, path in stored.items() if label.isdecimal()}
    try:
        if marked in stored:
            verify(stored[marked])
            return stored[marked]
    except Damaged as damage:
        if name != "best":
            raise
        warn(f"{damage}; using the newest")
    if name == "best":
        return latest_intact(folder, warn)
    kept = ", ".join(path.name for path in _stored(folder)) or "none"
    raise SparringError(f"no checkpoint '{name}'; expected best, latest or one of {kept}")


def paths(folder: Path) -> list[Path]:
    """Return the checkpoints kept, oldest first, without looking into them."""
    return [path for path in _stored(folder) if not path.name.endswith(REPLACED)]


def name_of(samples_seen: int) -> str:
    """Return what the folder of a checkpoint is called."""
    return f"{samples_seen:09d}"


def mark_best(folder: Path, name: str) -> None:
    """Point `best` at a checkpoint."""
    _point(folder / "best", name)


def latest_intact(folder: Path, warn: Callable[[str], None] = lambda message: None) -> Path:
    """Return the newest checkpoint whose files are what its manifest says."""
    for path in reversed(_stored(folder)):
        try:
            verify(path)
        except Damaged as damage:
            warn(f"{damage}; using the one before")
        else:
            return path
    raise SparringError(f"no intact checkpoint in '{folder}'; the run must be trained again")


def verify(path: Path) -> None:
    """Raise `Damaged` unless every file has the size and the digest that the manifest states."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        stated = {name: manifest["files"][name] for name in FILES}
        is_known = manifest["format"] == FORMAT
        entries = {name: (entry["bytes"], entry["sha256"]) for name, entry in stated.items()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise Damaged(f"checkpoint '{path}' has no readable manifest") from None
    if not is_known:
        raise SparringError(
            f"checkpoint '{path}' has format {manifest['format']}, expected {FORMAT}; "
            "it was written by another version of sparring"
        )
    for name, (size, digest) in entries.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size or _digest(file) != digest:
            raise Damaged(f"checkpoint '{path}' is damaged: {name} is not what was written")


def _fill(folder: Path, state: State) -> None:
    contents = (
        serialise(model_tensors(state)),
        serialise(train_tensors(state)),
        json.dumps(counters(state)).encode(),
    )
    files = {}
    for name, content in zip(FILES, contents, strict=True):
        _write(folder / name, content)
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    _write(folder / MANIFEST, json.dumps({"format": FORMAT, "files": files}, indent=2).encode())
    flush_to_disk(folder)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    flush_to_disk(path)


def marked_best(folder: Path) -> str:
    """Return the name that `best` points to; "" where none was marked."""
    try:
        return (folder / "best").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _point(pointer: Path, name: str) -> None:
    temporary = pointer.with_name(f".{pointer.name}")
    _write(temporary, f"{name}\n".encode())
    rename(temporary, pointer)


def _stored(folder: Path) -> list[Path]:
    """Return all checkpoints, oldest first; of two with as many images, first the replaced."""
    entries = folder.iterdir() if folder.is_dir() else ()
    found = {p: m for p in entries if (m := NAME.fullmatch(p.name)) and p.is_dir()}
    return sorted(found, key=lambda path: (int(found[path][1]), not found[path][2]))


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(".*.*") if folder.is_dir() else ():
        shutil.rmtree(path, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensors(path: Path) -> Tensors:
    try:
        return parse(path.read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise SparringError(f"'{path}' is not a safetensors file: {error}") from None


def _read_counters(path: Path) -> Counters:
    try:
        stored = json.loads((path / FILES[2]).read_bytes())
        return {
            "seed": int(stored["seed"]),
            "step": int(stored["step"]),
            "images": int(stored["images"]),
            "attempt": int(stored["attempt"]),
            # older checkpoints have none
            "augment_probability": _within(0, stored.get("augment_probability", 0)),
            "augment_sign": _within(-1, stored.get("augment_sign", 0)),
            "prepared": int(stored.get("prepared", 0)),
            "preparing": bool(stored.get("preparing", False)),
        }
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SparringError(f"'{path / FILES[2]}' is not a state: {error!r}") from None


def _within(minimum: float, stored: float) -> float:
    """Return a number from `minimum` to 1 as it is."""
    if not minimum <= float(stored) <= 1:
        raise ValueError(f"{stored} is not from {minimum} to 1")
    return float(stored)
