"""What a person sees: lines behind a pipe, bars on a terminal, signals, help."""

import fcntl
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import EXECUTABLE, PATIENCE_SECONDS, QUICK, TINY, CommandLine, Ended, events

from sparring.cli.terminal import Terminal

SLOW = (*TINY, "--budget", "30-steps", "--checkpoint.ticks", "30", "--checkpoint.every-ticks", "1")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = b"\x03"


class Screen:
    """A pseudo-terminal, read by a thread as a terminal would."""

    def __init__(self, columns: int) -> None:
        self.ours, self.theirs = pty.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)
        self.seen = b""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    @property
    def text(self) -> str:
        """All that was written, without colours and movements."""
        return ESCAPES.sub("", self.seen.decode("utf-8", "replace"))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.ours, keys)

    def until(self, condition: Callable[[str], bool]) -> None:
        """Wait until the text satisfies a condition."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.text):
            assert time.monotonic() < end, self.text
            time.sleep(0.005)

    def close(self) -> None:
        """Stop reading once all is read."""
        os.close(self.theirs)
        self.reader.join()
        os.close(self.ours)

    def _read(self) -> None:
        try:
            while content := os.read(self.ours, 4096):
                self.seen += content
        except OSError:  # the other side is closed
            return


@contextmanager
def screen(columns: int = 100) -> Iterator[Screen]:
    """Yield a terminal of this width."""
    made = Screen(columns)
    try:
        yield made
    finally:
        made.close()


def on(terminal: Screen) -> dict[str, tuple[int | None, int, int]]:
    """Return the streams of a command on a terminal."""
    return {"streams": (terminal.theirs, terminal.theirs, terminal.theirs)}


def run_alone(*arguments: str, **environment: str) -> Ended:
    """Run the installed command as a process of its own."""
    ended = subprocess.run(
        [EXECUTABLE, *arguments],
        capture_output=True,
        env=os.environ | environment,
        timeout=PATIENCE_SECONDS,
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def test_behind_a_pipe_each_tick_is_one_plain_line(cli: CommandLine) -> None:
    ended = cli("train", "digits", *QUICK)
    lines = [line for line in ended.err.splitlines() if "D(real)" in line]
    assert len(lines) == 5
    assert all(re.match(r" *\d+%  [\d,]+ seen  [\d,]+/s  D\(real\) [-+]", line) for line in lines)
    assert "\x1b" not in ended.err
    assert "\r" not in ended.err


def test_on_a_terminal_a_bar_shows_images_time_left_and_logits(cli: CommandLine) -> None:
    with screen() as terminal:
        command = cli.start("train", "digits", *SLOW, TERM="xterm", **on(terminal))
        assert command.wait().code == 0
    assert "━" in terminal.text
    assert re.search(r"training .*1920/1920", terminal.text)
    assert "D(real)" in terminal.text
    assert re.search(r"\d:\d\d", terminal.text)
    assert "100%  1,920 seen" not in terminal.text


def test_ctrl_c_once_saves_and_prints_the_command_to_go_on(cli: CommandLine) -> None:
    with screen() as terminal:
        command = cli.start("train", "digits", *SLOW, TERM="xterm", **on(terminal))
        terminal.until(lambda text: "D(real)" in text)
        terminal.type(CTRL_C)
        assert command.wait().code == 130
    assert "go on with: sparring resume 0001-digits-tiny" in terminal.text
    (run,) = (cli.folder / "runs").glob("0*")
    (end,) = events(run, "interrupted")
    saved = (run / "checkpoints/latest").read_text().strip()
    assert int(saved) == end["images"] < 1920
    assert cli("resume", "latest").code == 0


HANG_IN_CHECKPOINT = """
import time, sparring.training.checkpoint as checkpoint
save = checkpoint.save
def slow(state, *rest, **spare):
    if state.samples_seen > 64 * 5:
        time.sleep(3600)
    return save(state, *rest, **spare)
checkpoint.save = slow
"""


def test_ctrl_c_twice_stops_at_once(cli: CommandLine) -> None:
    with screen() as terminal:
        how = on(terminal) | {"prelude": HANG_IN_CHECKPOINT, "TERM": "xterm"}
        command = cli.start("train", "digits", *SLOW, **how)
        terminal.until(lambda text: "384/1920" in text)
        terminal.type(CTRL_C)
        time.sleep(0.2)
        assert command.running
        terminal.type(CTRL_C)
        assert command.wait().code == 130
    assert "Traceback" not in terminal.text
    assert "sparring: stopped" in terminal.text
    resumed = cli("resume", "latest")
    assert resumed.code == 0, resumed.err
    assert "resuming '0001-digits-tiny' at 320" in resumed.err


HANG_IN_READING = """
import sys, time, sparring.runs.plan as plan
def hang(*arguments, **named):
    print("reading", file=sys.stderr, flush=True)
    time.sleep(3600)
plan.open_data = hang
"""


def test_ctrl_c_before_training_stops_at_once_and_leaves_no_run(cli: CommandLine) -> None:
    command = cli.start("train", "digits", *SLOW, prelude=HANG_IN_READING)
    command.until(lambda said: "reading" in said)
    command.send(signal.SIGINT)
    ended = command.wait()
    assert ended.code == 130
    assert ended.complaint == "sparring: stopped"
    assert not (cli.folder / "runs").exists()


@pytest.mark.parametrize("columns", [1, 20, 300])
@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_terminal_of_any_width_and_kind_will_do(
    columns: int, term: str, cli: CommandLine
) -> None:
    with screen(columns) as terminal:
        assert cli.start("train", "digits", *QUICK, TERM=term, **on(terminal)).wait().code == 0
    assert "Traceback" not in terminal.text
    if term == "dumb":
        assert b"\x1b" not in terminal.seen


@pytest.mark.parametrize("columns", ["1", "0", "-5", "x"])
def test_the_width_in_the_environment_may_be_anything(columns: str, cli: CommandLine) -> None:
    ended = cli("train", "digits", *QUICK, COLUMNS=columns)
    assert ended.code == 0, ended.err
    assert sum("D(real)" in line for line in ended.err.splitlines()) == 5


COMMANDS = ("train", "resume", "sample", "data", "runs")


def test_the_help_lists_the_commands() -> None:
    ended = run_alone("--help")
    assert ended.code == 0
    assert all(name in ended.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_examples(command: str, cli: CommandLine) -> None:
    ended = cli(command, "--help")
    assert ended.code == 0
    assert re.search(rf"Examples:\s+sparring {command}", ended.out)


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help"), ("--version",), ("runs",)])
def test_help_imports_no_torch(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", EXECUTABLE, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=tmp_path,
    )
    assert ended.returncode == 0
    modules = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "sparring.cli.app" in modules
    assert modules.isdisjoint({"torch", "sklearn", "scipy", "pandas"})


def test_help_costs_well_under_half_of_importing_torch() -> None:
    """In seconds of the processor, which other processes cost little of."""

    def seconds(*command: str | Path) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    rounds = [
        (seconds(EXECUTABLE, "--help"), seconds(sys.executable, "-c", "import torch"))
        for _ in range(2)
    ]
    ours, torchs = (min(column) for column in zip(*rounds, strict=True))
    assert ours < 0.45 * torchs


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
@pytest.mark.parametrize(
    "arguments", [("--help",), ("train", "--help"), ("runs", "--runs", "rüns")]
)
def test_a_terminal_that_knows_only_ascii_will_do(
    environment: dict[str, str], arguments: tuple[str, ...], trained: Path, tmp_path: Path
) -> None:
    ended = run_alone(*arguments, **environment)
    assert "Traceback" not in ended.err
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_names_that_stdout_cannot_encode_are_printed_all_the_same(
    encoding: str, cli: CommandLine
) -> None:
    ended = cli("train", "digits", *QUICK, "--runs", "rüns 日本", PYTHONIOENCODING=encoding)
    assert "Traceback" not in ended.err
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    "arguments", [("data", "digits", "--json"), ("sample", "latest", "-n", "1")]
)
def test_a_reader_that_has_gone_is_no_traceback(
    arguments: tuple[str, ...], run: Path, cli: CommandLine
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = cli.start(*arguments, streams=(None, writing, None))
    os.close(writing)
    ended = command.wait()
    assert ended.err == ""


def test_a_pipe_closed_early_is_no_traceback(trained: Path) -> None:
    command = f"set -o pipefail; {EXECUTABLE} runs --runs {trained.parent} 2>&1 >&3 3>&- | cat"
    ended = subprocess.run(
        ["bash", "-c", f"exec 3> >(exec true); sleep 0.3; {command}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.stdout == ""


def test_without_a_terminal_long_work_says_how_far_it_is_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("sparring.cli.terminal.time.monotonic", lambda: now)
    with Terminal() as terminal:
        for done in range(101):
            terminal.reading("learning by likelihood", 1_000 * done, 100_000)
            now += 0.7
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "learning by likelihood: 29,000 of 100,000"
    assert len(said) == 3
