"""The real command line on real data: run it, start it, send it signals, look at what it left."""

import array
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXECUTABLE = Path(sys.executable).with_name("sparring")
TINY = ("--size", "tiny", "--threads", "1")
QUICK = (*TINY, "--budget", "640-images", "--checkpoint.ticks", "5")
PATIENCE_SECONDS = 300  # after which a command is taken to hang, on a busy machine too
NUMBER_BYTES = 12  # of a message from the server


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that tells what is wrong; there must be exactly one, and no traceback."""
        assert "Traceback" not in self.err, self.err
        lines = [line for line in self.err.splitlines() if line.startswith("sparring: ")]
        assert len(lines) == 1, self.err
        assert self.err.splitlines()[-1] == lines[0], self.err
        assert self.code != 0, self.err
        return lines[0]


@dataclass
class Command:
    """A command that runs; its streams are files, so that it never waits for us."""

    pid: int
    out: Path
    err: Path
    connection: socket.socket
    code: int | None = None

    @property
    def said(self) -> str:
        """What it has written to standard error so far."""
        return self.err.read_text(encoding="utf-8", errors="replace")

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.running:
            os.kill(self.pid, number)

    @property
    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        return not self._ended(0)

    def until(self, condition: Callable[[str], bool]) -> None:
        """Wait until what it has said satisfies a condition."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.said):
            assert self.running, f"it ended before that: {self.said}"
            assert time.monotonic() < end, f"it did not happen: {self.said}"
            time.sleep(0.005)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        """Wait for its end."""
        assert self._ended(seconds), f"it does not end: {self.said}"
        assert self.code is not None
        out = self.out.read_text(encoding="utf-8", errors="replace")
        return Ended(self.code, out, self.said)

    def _ended(self, seconds: float) -> bool:
        if self.code is not None:
            return True
        self.connection.settimeout(seconds or 0.001)
        try:
            received = self.connection.recv(NUMBER_BYTES)
        except TimeoutError:
            return False
        self.code = int(received)
        self.connection.close()
        return True


@dataclass
class CommandLine:
    """Runs `sparring` in a folder, through the server of `cli_server.py`."""

    address: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    started: list[Command] = field(default_factory=list)

    def __call__(self, *arguments: Any, **how: Any) -> Ended:
        """Run a command to its end."""
        return self.start(*arguments, **how).wait()

    def start(
        self,
        *arguments: Any,
        folder: Path | None = None,
        prelude: str = "",
        streams: Sequence[int | None] = (None, None, None),
        **environment: str,
    ) -> Command:
        """Start a command.

        Args:
            arguments: of `sparring`.
            folder: to run it in, else the test's own.
            prelude: Python that the process runs first, to break something in it.
            streams: descriptors instead of an empty input and files for the output.
            environment: variables to add.
        """
        kept = Path(tempfile.mkdtemp(dir=self.folder.parent, prefix="streams-"))
        out, err = kept / "out", kept / "err"
        opened = [os.open(os.devnull, os.O_RDONLY), *map(_created, (out, err))]
        used = [own if given is None else given for given, own in zip(streams, opened, strict=True)]
        request = {
            "arguments": [str(argument) for argument in arguments],
            "folder": str(folder or self.folder),
            "environment": os.environ | self.environment | environment,
            "prelude": prelude,
        }
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(self.address)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", used))]
        connection.sendmsg([json.dumps(request).encode()], rights)
        for stream in opened:
            os.close(stream)
        pid = int(connection.recv(NUMBER_BYTES))
        command = Command(pid, out, err, connection)
        self.started.append(command)
        return command

    def train(self, *arguments: Any, **how: Any) -> Path:
        """Train, which must succeed; return the run folder."""
        ended = self("train", *arguments, **how)
        assert ended.code == 0, ended.err
        return (how.get("folder") or self.folder) / ended.out.strip()


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def final(run: Path) -> dict[str, bytes]:
    """Return the tensors' files of a run's last checkpoint, to be compared bit for bit."""
    last = run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip()
    return {path.name: path.read_bytes() for path in sorted(last.glob("*.safetensors"))}


def strictly(text: str) -> Any:
    """Return what JSON says, as readers take it that know no NaN and no infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind, in the order they were logged."""
    lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def files_below(folder: Path) -> set[str]:
    """Return all that is below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
