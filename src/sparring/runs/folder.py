"""The run folder: numbered, never overwritten, written atomically, read by every command.

Inside: where each file lies, how a folder is claimed and found again, and the event log.
Not inside: checkpoints (`training.checkpoint`) and what the files mean to a reader (`report`).
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf, isfinite
from pathlib import Path
from typing import Any

from sparring.errors import SparringError

Json = dict[str, Any]
FORMAT = 1  # of how the files are laid out; a run of a newer format is refused
# Of what the files mean and not how they are laid out: how data are read, split and described, what
# networks are built of a recipe. A change that would give a run other data or numbers is a new
# number here, and a run keeps the rules it was made under. Runs of 0.1 record none: theirs are 1.
# 2: rows are split by content and occurrence, other items by groups (`data.split.hold_out`).
RULES = 2
MIN_STEPS = 50  # of training, before which a run shows how it was initialised
RENAMING_PAUSES = (0.01, 0.05, 0.2)  # seconds
RUN_KEYS = {
    "status": str,
    "reason": str,
    "data": dict,
    "versions": dict,
    "images_per_second": int | float,
}


class RunFolder:
    """Paths and small files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.run = path / "run.json"
        self.data = path / "data.json"
        self.events = path / "events.jsonl"
        self.samples = path / "samples"
        self.looks = path / "looks"
        self.checkpoints = path / "checkpoints"
        self.report = path / "report.html"
        self.card = path / "README.md"

    @property
    def name(self) -> str:
        """The folder's own name, such as `0007-cats-small`."""
        return self.path.name

    def read_run(self) -> Json:
        """Return `run.json`, refused unless it has what other commands rely on."""
        about = read_json(self.run)
        for key, kind in RUN_KEYS.items():
            if not isinstance(about.get(key), kind):
                raise SparringError(f"'{self.run}' is damaged: it has no proper '{key}'")
        _refuse_newer(about, self)
        return about

    def refuse_newer(self) -> None:
        """Raise if this version does not know how the files are laid out, or what they mean."""
        _refuse_newer(read_json(self.run), self)

    @property
    def rules(self) -> int:
        """The number of the rules that the run was made under, by which its readers are chosen."""
        about = read_json(self.run)
        _refuse_newer(about, self)
        return int(about.get("rules", 1))

    def changed(self, fingerprint: str) -> str:
        """Say that data with this fingerprint are not those it was trained on; "" if they are.

        Raises:
            SparringError: `run.json` is damaged.
        """
        about = self.read_run()["data"]
        if about.get("fingerprint") == fingerprint:
            return ""
        return (
            f"the data in '{about.get('source')}' has changed: it is not what '{self.name}' was "
            "trained on"
        )

    @property
    def data_source(self) -> str:
        """Where the data are: a path or a named set; what was kept lies in the folder itself."""
        about = self.read_run()["data"]
        if not isinstance(about.get("source"), str):
            raise SparringError(f"'{self.run}' is damaged: its data have no proper 'source'")
        source: str = about["source"]
        return str(self.path.resolve() / source) if about.get("kept") else source

    def update_run(self, **changes: Any) -> None:
        """Rewrite `run.json` with these keys changed."""
        write_json(self.run, (read_json(self.run) if self.run.exists() else {}) | changes)

    def read_events(self) -> Iterator[Json]:
        """Yield the events that stand; a partial last line and superseded events are left out.

        A `resumed` event discards what had been logged past the samples it resumed from, of the
        game (images) and of the phase before it (prepared).
        """
        events: list[Json] = []
        for event in _lines(self.events):
            if event["event"] == "resumed" and isinstance(event.get("images"), int):
                prepared = event.get("prepared", inf)
                events = [
                    e
                    for e in events
                    if e.get("images", 0) <= event["images"] and e.get("prepared", 0) <= prepared
                ]
            events.append(event)
        yield from events


class EventLog:
    """Appends events, one JSON line each; a full disk silences the log, never the training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: OSError | None = None
        try:
            self._end_last_line()
        except OSError as error:
            self.failure = error

    def __call__(self, event: str, **fields: Any) -> None:
        """Append one event with the time of day."""
        if self.failure:
            return
        whole = {"event": event, "time": round(time.time(), 3), **fields}
        line = json.dumps(_plain(whole), allow_nan=False)
        try:
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(line + "\n")
        except OSError as error:
            self.failure = error

    def _end_last_line(self) -> None:
        """End a line that a killed writer left open, so that the next event has its own."""
        if self.path.exists() and not (text := self.path.read_bytes()).endswith(b"\n") and text:
            with self.path.open("ab") as file:
                file.write(b"\n")


def claim(root: Path, name: str) -> RunFolder:
    """Create the next numbered folder `NNNN-name` below `root`; safe against other writers."""
    root.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())[:100].strip("-") or "run"
    while True:
        number = 1 + max(_numbered(root, reserved=True), default=0)
        reservation = root / f".{number:04d}"  # two runs of other names never share a number
        try:
            reservation.mkdir()
        except FileExistsError:
            continue
        try:
            if number in _numbered(root):
                continue  # a rival came between looking and reserving
            folder = RunFolder(root / f"{number:04d}-{slug}")
            folder.path.mkdir()
        finally:
            reservation.rmdir()
        folder.samples.mkdir()
        folder.checkpoints.mkdir()
        return folder


def find(run: str | Path, root: Path) -> RunFolder:
    """Return the run that a folder, a number or `latest` names."""
    if (folder := _folder_at(run)) is not None:
        return folder
    numbered = _numbered(root)
    if not numbered:
        raise SparringError(
            f"no run '{run}': there are no runs in '{root}' yet; try `sparring train`"
        )
    if str(run) == "latest":
        return RunFolder(numbered[max(numbered)])
    named = {name: p for number, p in numbered.items() for name in (str(number), p.name)}
    named |= {f"{number:04d}": p for number, p in numbered.items()}
    if str(run) in named:
        return RunFolder(named[str(run)])
    newest = ", ".join(path.name for _, path in sorted(numbered.items())[-5:])
    raise SparringError(f"no run '{run}' in '{root}'; the newest there: {newest}")


def _folder_at(run: str | Path) -> RunFolder | None:
    """Return the run that a path leads to, None when it leads nowhere."""
    try:
        path = Path(run)
        if (path / "run.json").is_file():
            return RunFolder(path)
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError):  # not a path: too long, or with a NUL
        return None
    if is_folder and str(run):
        raise SparringError(f"'{run}' is a folder but not a run: it has no run.json")
    if is_file:
        raise SparringError(f"'{run}' is a file; a run is a folder, a number or 'latest'")
    return None


def listed(root: Path) -> Iterator[str]:
    """Yield a line for each run below `root`, oldest first."""
    for _, path in sorted(_numbered(root).items()):
        folder = RunFolder(path)
        if folder.run.exists():
            events = [e["images"] for e in folder.read_events() if "images" in e]
            status = read_json(folder.run).get("status", "?")
            yield f"{path.name:32} {status:12} {events[-1] if events else 0:>14,} seen"


def _numbered(root: Path, *, reserved: bool = False) -> dict[int, Path]:
    pattern = re.compile(r"\.?([0-9]{4,})(-.*)?" if reserved else r"([0-9]{4,})(-.*)?")
    paths = root.iterdir() if root.is_dir() else ()
    return {int(m[1]): p for p in paths if (m := pattern.fullmatch(p.name)) and p.is_dir()}


def seconds_trained(folder: RunFolder) -> float:
    """Return how long a run has trained, up to its last tick; the phase before the game counts."""
    ticks = [e for e in folder.read_events() if e["event"] in ("preparation", "tick")]
    return float(ticks[-1]["seconds"]) if ticks else 0.0


def too_early(events: Iterable[Json]) -> str:
    """Say that a run has taken too few steps to tell anything of it; empty where it has not.

    What it shows before is how it was initialised. A generator that does not play, has learned.
    """
    ticks = [event for event in events if event.get("event") == "tick"]
    if ticks and "generator/loss" not in ticks[-1].get("metrics", {"generator/loss": 0.0}):
        return ""
    taken = ticks[-1].get("step") if ticks else 0
    if not isinstance(taken, int) or taken >= MIN_STEPS:
        return ""
    trained = f"trained for {taken} step{'s' * (taken != 1)}" if taken else "not trained yet"
    return f"{trained}: too early to tell what will become of it"


def read_json(path: Path) -> Json:
    """Return the object in a JSON file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SparringError(f"'{path}' is missing; is '{path.parent}' a complete run?") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SparringError(f"'{path}' cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise SparringError(f"'{path}' holds a {type(value).__name__}, expected an object")
    return value


def to_json(value: Any, *, ascii_only: bool = False) -> str:
    """Return JSON that every reader takes: what it cannot say, NaN and infinity, is null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=ascii_only, allow_nan=False)


def write_json(path: Path, value: Json) -> None:
    """Write an object as JSON, atomically."""
    write_text(path, to_json(value) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, atomically."""
    with written_atomically(path) as beside:
        beside.write_bytes(content)


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Give a file beside the target to write; flush it to disk and rename it over the target.

    If the block fails, the target is as it was: there is never half a file.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        flush_to_disk(beside)
        beside.chmod(0o644)
        rename(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def rename(path: Path, target: Path) -> None:
    """Rename a file over another, or a folder to a free name.

    Windows refuses while somebody has one of the files open: wait a little for that to end.
    """
    move = path.rename if path.is_dir() else path.replace
    for pause in RENAMING_PAUSES:
        try:
            move(target)
            return
        except PermissionError:
            time.sleep(pause)
    move(target)


def flush_to_disk(path: Path) -> None:
    """Have the system write out a file, or a folder's names, before going on."""
    try:  # Windows flushes only what may be written
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        if path.is_dir():  # Windows opens no folder: names are in its journal
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_newer(about: Json, folder: RunFolder) -> None:
    """Refuse a run whose format or rules this version does not know; without them, they are 1."""
    for key, known, how in (
        ("format", FORMAT, "written in format"),
        ("rules", RULES, "made under rules"),
    ):
        number = about.get(key, 1)
        if type(number) is not int or number < 1:
            raise SparringError(f"'{folder.run}' is damaged: it has no proper '{key}'")
        if number > known:
            raise SparringError(
                f"run '{folder.name}' was {how} {number} by a newer sparring; "
                f"this one knows up to {known}"
            )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _lines(path: Path) -> Iterator[Json]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue  # cut short by a kill
            if isinstance(event, dict) and "event" in event:
                yield event
