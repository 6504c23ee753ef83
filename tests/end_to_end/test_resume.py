"""A run that was stopped, killed or extended: what it ends with, to the last bit."""

import json
import random
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import QUICK, TINY, Command, CommandLine, Ended, events, final

from sparring.recipes.recipe import read_recipe
from sparring.training.checkpoint import latest_intact

# A checkpoint at each tick: slow enough to be interrupted, and mostly busy writing.
THIRTY = (*TINY, "--budget", "30-steps", "--checkpoint.ticks", "30", "--checkpoint.every-ticks")
SLOW = (*THIRTY, "1")
KILL_AT_WRITE = """
import os, signal
flush, calls = os.fsync, 0
def fsync(handle):
    global calls
    calls += 1
    if calls == {n}:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(handle)
os.fsync = fsync
"""


def ticks(count: int) -> Callable[[str], bool]:
    """Tell when so many ticks have been printed."""
    return lambda said: said.count(" seen  ") >= count


def never_warns_of_damage(ended: Ended) -> bool:
    return "damaged" not in ended.err and "manifest" not in ended.err


@pytest.fixture(scope="session")
def whole(server: str, pets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Uninterrupted runs, to compare with."""
    folder = tmp_path_factory.mktemp("whole") / "work"
    folder.mkdir()
    line = CommandLine(server, folder)
    return {source: line.train(source, *SLOW) for source in ("digits", str(pets))}


def stopped(cli: CommandLine, number: int, *arguments: object, after: int = 5) -> Ended:
    """Start a run, send it a signal after some ticks, and wait for its end."""
    command = cli.start("train", *arguments)
    command.until(ticks(after))
    command.send(number)
    return command.wait()


def promised(ended: Ended) -> list[str]:
    """Return the arguments of the command that is said to go on with a run."""
    line = ended.err.splitlines()[-1]
    program, *arguments = shlex.split(line.partition("go on with: ")[2])
    assert program == "sparring", line
    return arguments


@pytest.mark.parametrize("kind", ["digits", "pets"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_goes_on_bit_for_bit_with_the_printed_command(
    number: int, code: int, kind: str, pets: Path, whole: dict[str, Path], cli: CommandLine
) -> None:
    source = str(pets) if kind == "pets" else kind
    ended = stopped(cli, number, source, *SLOW)
    assert ended.code == code, ended.err
    (run,) = (cli.folder / "runs").glob("0*")
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert (cli.folder / ended.out.strip()).samefile(run)
    resumed = cli(*promised(ended))
    assert resumed.code == 0, resumed.err
    assert final(run) == final(whole[source])
    (event,) = events(run, "resumed")
    assert 0 < event["images"] < 30 * 64


@pytest.mark.parametrize("kind", ["digits", "pets"])
def test_a_killed_run_goes_on_bit_for_bit(
    kind: str, pets: Path, whole: dict[str, Path], cli: CommandLine
) -> None:
    source = str(pets) if kind == "pets" else kind
    assert stopped(cli, signal.SIGKILL, source, *SLOW, after=8).code == -signal.SIGKILL
    resumed = cli("resume", "latest")
    assert resumed.code == 0, resumed.err
    assert "resuming '0001" in resumed.err
    assert final(cli.folder / resumed.out.strip()) == final(whole[source])


@pytest.mark.parametrize("objective", ["hinge", "wasserstein", "least-squares"])
def test_lazy_penalties_and_other_objectives_go_on_bit_for_bit(
    objective: str, cli: CommandLine
) -> None:
    lazy = ("--penalties.r1.every", "7", "--penalties.finite-difference-r2.weight", "0.3")
    game = (*THIRTY, "5", "--objective", objective, *lazy)
    without = cli.train("digits", *game)
    stopped(cli, signal.SIGKILL, "digits", *game, after=12)
    cli("resume", "latest")
    assert final(cli.folder / "runs/0002-digits-tiny") == final(without)


def test_the_printed_command_works_whatever_the_folder_s_name(cli: CommandLine) -> None:
    ended = stopped(cli, signal.SIGINT, "digits", *SLOW, "--runs", "my [/b] rüns & co")
    resumed = cli(*promised(ended))
    assert resumed.code == 0, resumed.err


def test_the_printed_command_works_for_a_run_given_as_a_path(
    cli: CommandLine, tmp_path: Path
) -> None:
    stopped(cli, signal.SIGINT, "digits", *SLOW)
    (run,) = (cli.folder / "runs").glob("0*")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = cli.start("resume", run, folder=elsewhere)
    command.until(ticks(3))
    command.send(signal.SIGINT)
    resumed = cli(*promised(command.wait()), folder=elsewhere)
    assert resumed.code == 0, resumed.err


def test_data_workers_do_not_change_the_outcome(whole: dict[str, Path], cli: CommandLine) -> None:
    workers = ("--data.workers", "2")
    assert stopped(cli, signal.SIGTERM, "digits", *SLOW, *workers).code == 143
    resumed = cli("resume", "latest")
    assert resumed.code == 0, resumed.err
    assert final(cli.folder / resumed.out.strip()) == final(whole["digits"])


def test_a_finished_run_is_not_resumed_unless_extended(run: Path, cli: CommandLine) -> None:
    before = final(run)
    told = cli("resume", "latest").complaint
    assert "is finished" in told
    assert "--budget +5m" in told
    assert final(run) == before


def test_a_finished_run_is_extended_by_a_budget(run: Path, cli: CommandLine) -> None:
    resumed = cli("resume", "latest", "--budget", "+0.5k-images")
    assert resumed.code == 0, resumed.err
    assert read_recipe(run / "recipe.toml")["images"] == 640 + 512
    assert [end["images"] for end in events(run, "finished")] == [640, 640 + 512]
    assert (run / "samples/000001152.png").is_file()


def test_an_extension_can_itself_be_killed_and_goes_on_bit_for_bit(
    run: Path, cli: CommandLine, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other / run.name)
    more = ("--budget", "+40-steps")
    assert cli("resume", "latest", *more).code == 0
    command = cli.start("resume", "latest", *more, "--runs", other)
    command.until(ticks(1))
    command.send(signal.SIGKILL)
    command.wait()
    assert cli("resume", "latest", "--runs", other).code == 0
    assert final(other / run.name) == final(run)


@pytest.mark.parametrize("n", range(1, 6))
def test_a_kill_while_an_extension_begins_neither_loses_nor_doubles_it(
    n: int, run: Path, cli: CommandLine
) -> None:
    more = ("resume", "latest", "--budget", "+10-steps")
    assert cli(*more, prelude=KILL_AT_WRITE.format(n=n)).code == -signal.SIGKILL
    cli("resume", "latest")
    if read_recipe(run / "recipe.toml")["images"] == 640:  # it had not been written down yet
        assert cli(*more).code == 0
    assert [end["images"] for end in events(run, "finished")][-1] == 640 + 10 * 64


@pytest.mark.parametrize("budget", ["5m", "+", "+0s", "+5", "-5m", "+5m+5m"])
def test_a_bad_extension_is_refused(budget: str, run: Path, cli: CommandLine) -> None:
    before = (run / "recipe.toml").read_bytes()
    assert budget.lstrip("+") in cli("resume", "latest", f"--budget={budget}").complaint
    assert (run / "recipe.toml").read_bytes() == before


@pytest.fixture
def own_pets(pets: Path, cli: CommandLine) -> Path:
    """A copy of the images, below the test's folder."""
    return Path(shutil.copytree(pets, cli.folder / "pets"))


def test_changed_data_is_refused_unless_it_is_allowed(own_pets: Path, cli: CommandLine) -> None:
    run = cli.train(own_pets, *QUICK)
    shutil.copy(own_pets / "cat/0.png", own_pets / "dog/0.png")
    more = ("resume", "latest", "--budget", "+3-steps")
    told = cli(*more).complaint
    assert str(own_pets) in told
    assert "--changed-data" in told
    assert events(run, "resumed") == []
    allowed = cli(*more, "--changed-data")
    assert allowed.code == 0, allowed.err
    assert "has changed" in allowed.err


def test_data_that_vanished_is_named(own_pets: Path, cli: CommandLine) -> None:
    cli.train(own_pets, *QUICK)
    shutil.rmtree(own_pets)
    assert str(own_pets) in cli("resume", "latest", "--budget", "+3-steps").complaint


def test_data_may_vanish_while_training(own_pets: Path, cli: CommandLine) -> None:
    command = cli.start("train", own_pets, *SLOW)
    command.until(ticks(2))
    shutil.rmtree(own_pets)
    assert command.wait().code == 0


def test_a_second_process_is_kept_off_a_run_that_trains(
    whole: dict[str, Path], cli: CommandLine
) -> None:
    command = cli.start("train", "digits", *SLOW)
    command.until(ticks(2))
    assert "another process" in cli("resume", "latest").complaint
    assert cli("sample", "latest", "-n", "2").code == 0
    ended = command.wait()
    assert ended.code == 0
    assert final(cli.folder / ended.out.strip()) == final(whole["digits"])


def test_two_runs_can_begin_at_once(cli: CommandLine) -> None:
    commands = [cli.start("train", "digits", *QUICK, "--run-name", f"r{i}") for i in range(4)]
    assert [command.wait().code for command in commands] == [0] * 4
    names = sorted(path.name for path in (cli.folder / "runs").glob("[0-9]*"))
    assert [name[:4] for name in names] == ["0001", "0002", "0003", "0004"]


def test_a_kill_at_any_write_leaves_a_checkpoint_to_go_on_from(
    whole: dict[str, Path], cli: CommandLine
) -> None:
    stopped(cli, signal.SIGKILL, "digits", *SLOW, after=2)
    (run,) = (cli.folder / "runs").glob("0*")
    for n in range(1, 19):
        killed = cli("resume", "latest", prelude=KILL_AT_WRITE.format(n=n))
        assert killed.code == -signal.SIGKILL, killed.err
        assert never_warns_of_damage(killed), killed.err
        latest_intact(run / "checkpoints")
    resumed = cli("resume", "latest")
    assert resumed.code == 0, resumed.err
    assert final(run) == final(whole["digits"])
    hidden = [path.name for path in (run / "checkpoints").iterdir() if path.name[0] == "."]
    assert hidden == []


@pytest.mark.parametrize(
    ("kills", "steps"), [(6, 100), pytest.param(20, 240, marks=pytest.mark.slow)]
)
def test_kills_at_random_moments_change_nothing(kills: int, steps: int, cli: CommandLine) -> None:
    often = ("--checkpoint.ticks", steps, "--checkpoint.every-ticks", "1")
    long = (*TINY, "--budget", f"{steps}-steps", *often)
    without = cli.train("digits", *long)
    moments = random.Random(20)
    command: Command = cli.start("train", "digits", *long)
    command.until(ticks(1))
    run = cli.folder / "runs/0002-digits-tiny"
    reached = []
    for _ in range(kills):
        command.until(ticks(moments.randrange(4)))  # at none it may still be starting
        time.sleep(moments.uniform(0, 0.03))
        command.send(signal.SIGKILL)
        assert command.wait().code == -signal.SIGKILL
        reached.append(int(latest_intact(run / "checkpoints").name))
        command = cli.start("resume", "latest")
    ended = command.wait()
    assert ended.code == 0, ended.err
    assert never_warns_of_damage(ended), ended.err
    assert reached == sorted(reached)
    assert len(set(reached)) > kills // 4, "hardly any kill came while it trained"
    assert final(run) == final(without)
