"""The plug-in as a wheel of its own, in a clean environment: all commands, and life without it."""

import hashlib
import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import sparring

SERIES = Path(__file__).parent / "series"
ROOT = next(p for p in Path(__file__).parents if (p / "requirements.lock").is_file())
QUICK = ("--size", "tiny", "--threads", "1", "--budget", "640-images", "--checkpoint.ticks", "5")
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Clean:
    """An environment in which both wheels are installed, and a folder outside the checkout."""

    programs: Path
    folder: Path
    wheels: dict[str, Path]

    def __call__(self, program: str, *words: object) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [self.programs / program, *map(str, words)],
            cwd=self.folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def run(self, program: str, *words: object) -> str:
        """Run a program, which must succeed; return what it printed."""
        ended = self(program, *words)
        assert ended.returncode == 0, f"{program} {words}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr
        return ended.stdout

    def sparring(self, *words: object) -> str:
        """Run a command, which must succeed; return what it printed."""
        return self.run("sparring", *words)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    folder = tmp_path_factory.mktemp("clean")
    build = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation")
    subprocess.run([*build, "-w", folder / "wheels", ROOT, SERIES], check=True)
    wheels = {path.name.split("-")[0]: path for path in (folder / "wheels").iterdir()}
    venv.create(folder / "environment", with_pip=True)
    programs = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")
    (folder / "work").mkdir()
    made = Clean(programs, folder / "work", wheels)
    made.run("pip", "install", "-q", "-r", ROOT / "requirements.lock")
    made.run("pip", "install", "-q", "--no-deps", *wheels.values())
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheels_hold_their_own_packages_and_the_core_is_as_in_the_checkout(
    clean: Clean,
) -> None:
    series, core = (contents(clean.wheels[name]) for name in ("sparring_series", "sparring"))
    assert {name.split("/")[0].split("-")[0] for name in series} == {"sparring_series"}
    assert "sparring_series/py.typed" in series
    declared = next(text for name, text in series.items() if name.endswith("entry_points.txt"))
    assert declared.decode().strip() == "[sparring.kinds]\nseries = sparring_series:SERIES"
    source = Path(sparring.__file__).parent
    for name, content in core.items():
        if name.startswith("sparring/"):
            assert (source / Path(name).relative_to("sparring")).read_bytes() == content, name
            assert b"sparring_series" not in content, name


def test_the_plug_in_passes_the_contract_where_it_is_installed(clean: Clean) -> None:
    told = clean.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", SERIES / "tests")
    assert re.search(r"\d+ passed", told)
    assert "failed" not in told


def test_a_run_goes_through_every_command(clean: Clean) -> None:
    assert "windows: with --data.kind series" in " ".join(clean.sparring("train", "--help").split())
    described = json.loads(clean.sparring("data", "us-macro", "--json"))
    assert described["kind"] == "series"
    assert described["spec"]["channels"] == ["gdp", "consumption", "investment", "unemployment"]
    run = clean.folder / clean.sparring("train", "us-macro", *QUICK).strip()
    clean.sparring("resume", "latest", "--budget", "+320-samples")
    csv, npy = clean.folder / "quarters.csv", clean.folder / "quarters.npy"
    asked = ("-n", 20, "--start", "gdp=0.8", "--seed", 3)
    clean.sparring("sample", "latest", *asked, "--out", csv)
    clean.sparring("sample", "latest", "-n", 20, "--out", npy)
    clean.sparring("sample", "latest", "-n", 20, "--grid")
    again = json.loads(
        clean.sparring("data", csv, "--data.kind", "series", "--window", 16, "--json")
    )
    assert (again["count"], again["train"] + again["held_out"]) == (20, 20)
    card = json.loads(clean.sparring("evaluate", "latest", "-n", 200, "--json"))
    keys = {line["key"] for line in card["lines"]}
    assert {"values", "autocorrelation", "cross_correlation", "kid"} <= keys
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "Values and autocorrelations of each channel" in report
    assert "gdp, consumption, investment, unemployment" in report
    mlp = ("--generator.network", "mlp", "--discriminator.network", "mlp")
    other = clean.sparring("train", "us-macro", *QUICK, *mlp, "--augment.kinds", "amplitude")
    names = [run.name, Path(other.strip()).name]
    compared = json.loads(clean.sparring("compare", *names, "-n", 200, "--json"))
    assert [(pair["a"], pair["b"]) for pair in compared["runs"]] == [tuple(names)]
    for form in ("onnx", "safetensors"):
        assert (clean.folder / clean.sparring("export", run, "--to", form).strip()).is_file()
    assert "us-macro" in clean.sparring("runs")


PYTHON = """
import numpy as np, pandas as pd, sparring
walk = np.random.default_rng(0).normal(size=(400, 2)).cumsum(0)
asked = {"size": "tiny", "threads": 1, "budget": "640-images", "data.window": 12}
run = sparring.train(walk, root="python", **asked, **{"data.kind": "series"})
assert run.sample(5).shape == (5, 12, 2), run.sample(5).shape
assert run.resume(budget="+64-samples").evaluate(n=100)["autocorrelation"].high > 0
assert sparring.load("latest", "python").dataset().items.shape[1:] == (12, 2)
days = pd.date_range("2026-01-01", periods=400)
frame = pd.DataFrame(walk, columns=["a", "b"], index=days)
gan = sparring.GAN(size="tiny", budget="64-images", options={"threads": 1}).fit(frame)
assert gan.sample(3).shape == (3, 16, 2)
assert gan.spec_.channels == ("a", "b")
"""


def test_it_trains_from_python(clean: Clean) -> None:
    clean.run("python", "-W", "error", "-c", PYTHON)


def digests(run: Path) -> dict[str, str]:
    files = sorted((run / "checkpoints").glob("*/*.safetensors"))
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_without_it_its_runs_are_refused_in_a_line_and_the_rest_works(clean: Clean) -> None:
    series = clean.folder / clean.sparring("train", "us-macro", *QUICK).strip()
    augmented = ("train", "digits", *QUICK, "--augment.kinds", "flip colour")
    pictures = clean.folder / clean.sparring(*augmented).strip()
    with_it = digests(pictures)
    clean.run("pip", "uninstall", "-q", "-y", "sparring-series")
    for command in ("sample", "evaluate", "export", "resume"):
        ended = clean("sparring", command, series)
        assert ended.returncode == 1
        assert ended.stderr == (
            f"sparring: run '{series.name}' is of the kind 'series', which is not known here; is "
            "its plug-in installed?\n"
        )
    ended = clean("sparring", "train", "us-macro")
    assert ended.returncode == 1
    assert "is neither a file nor a named data set" in ended.stderr
    assert "windows" not in clean.sparring("train", "--help")
    clean.sparring("resume", pictures, "--budget", "+64-samples")
    clean.sparring("sample", pictures, "-n", 2)
    alone = digests(clean.folder / clean.sparring(*augmented).strip())
    assert alone
    assert alone == with_it  # its augmentation takes no random numbers from others
