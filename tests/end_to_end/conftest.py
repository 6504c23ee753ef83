"""Fixtures of the end-to-end tests: the command line, real data, runs that were trained once."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import QUICK, CommandLine
from PIL import Image
from sklearn.datasets import load_digits


@pytest.fixture(autouse=True)
def brief_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the estimate of speed is the worse for it; the server does so too."""
    monkeypatch.setattr("sparring.runs.device.PROBE_SECONDS", 0.02)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server that has imported everything once."""
    with tempfile.TemporaryDirectory(prefix="sparring-cli-") as folder:
        address = f"{folder}/socket"
        command = [sys.executable, str(Path(__file__).with_name("cli_server.py")), address]
        quiet = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=quiet) as process:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield address
            process.terminate()


@pytest.fixture
def cli(server: str, tmp_path: Path) -> Iterator[CommandLine]:
    """The command line in an empty folder; what still runs at the end is killed."""
    folder = tmp_path / "work"
    folder.mkdir()
    line = CommandLine(server, folder)
    yield line
    for command in line.started:
        command.send(9)
        command.connection.close()


@pytest.fixture(scope="session")
def trained(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on digits; copy it before changing it."""
    folder = tmp_path_factory.mktemp("trained") / "work"
    folder.mkdir()
    return CommandLine(server, folder).train("digits", *QUICK)


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real digits, colour, 12 high and 8 wide, as PNG files in the folders cat and dog."""
    folder = tmp_path_factory.mktemp("data") / "pets"
    images = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
    for name, tint, start in (("cat", (1.0, 0.5, 0.2), 0), ("dog", (0.2, 0.5, 1.0), 60)):
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(images[start : start + 60]):
            tall = np.pad(image, ((2, 2), (0, 0)))
            colour = np.rint(tall[..., None] * tint).astype(np.uint8)
            Image.fromarray(colour).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def trained_on_pets(server: str, pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished conditional run on `pets`; copy it before changing it."""
    folder = tmp_path_factory.mktemp("trained-on-pets") / "work"
    folder.mkdir()
    return CommandLine(server, folder).train(pets, *QUICK)


@pytest.fixture
def run(trained: Path, cli: CommandLine) -> Path:
    """A copy of the finished run, below `runs` of the test's folder."""
    return _copied(trained, cli.folder)


@pytest.fixture
def pets_run(trained_on_pets: Path, cli: CommandLine) -> Path:
    """A copy of the conditional run, below `runs` of the test's folder."""
    return _copied(trained_on_pets, cli.folder)


def _copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "runs" / run.name))
