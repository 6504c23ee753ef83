"""The plug-in in `series/`, as if it were installed: a folder on the path that says it is."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SERIES = Path(__file__).parent / "series"
# What a kind of another package may build on; of `sparring.kinds` the protocol alone.
PUBLIC = re.compile(
    r"sparring(\.(data|features|metrics|networks|recipes|training|testing)(\.\w+)*"
    r"|\.(draws|errors|plotting|sampling|schedules|spec)|\.kinds\.kind|\.runs\.folder)?"
)


def declare(folder: Path, package: str, kind: str) -> None:
    """Write what `pip install` would write of a package that brings a kind."""
    about = folder / f"{package}-1.dist-info"
    about.mkdir(parents=True)
    about.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    about.joinpath("entry_points.txt").write_text(f"[sparring.kinds]\n{package} = {kind}\n")


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which the plug-in is installed."""
    declare(tmp_path / "site", "series", "sparring_series:SERIES")
    paths = [str(SERIES / "src"), str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def python(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], env=environment, check=False, capture_output=True, text=True
    )


def test_its_options_are_told_without_torch_and_broken_ones_beside_it_in_a_line(
    installed: dict[str, str], tmp_path: Path
) -> None:
    declare(tmp_path / "site", "gone", "no_such_package:KIND")
    code = (
        "import sys, sparring.cli\n"
        "try:\n    sparring.cli.main(['train', '--help'])\nexcept SystemExit as end:\n"
        "    assert not end.code\nassert 'torch' not in sys.modules"
    )
    ended = python(installed, "-c", code)
    assert ended.returncode == 0, ended.stderr
    told = " ".join(ended.stdout.replace("│", " ").split())
    assert "windows: with --data.kind series a .csv or .npy" in told
    assert "Data sets: us-macro, fertility." in told
    assert "--data.window --window INT" in told
    assert "temporal" in told
    assert "amplitude]" in told
    assert ended.stderr == (
        "warning: the plug-in 'gone' is left out: no_such_package:KIND cannot be loaded "
        "(ModuleNotFoundError: No module named 'no_such_package')\n"
    )


RECORD = """
import sparring_series  # before anything of sparring
import json
from sparring.kinds import kind_named, KINDS
from sparring.recipes.recipe import AUGMENTATIONS, NETWORKS, resolve, to_toml
import tomllib
recorded = {
    name: tomllib.loads(to_toml(resolve({"data": {"kind": name, "window": window}})))["data"]
    for name, window in (("auto", 16), ("series", 16), ("image", 9))
}
print(json.dumps({"kinds": [k.name for k in KINDS], "recorded": recorded}))
assert kind_named("series") is sparring_series.SERIES
assert AUGMENTATIONS[-1] == "amplitude" and NETWORKS[-1] == "temporal"
"""


def test_a_run_of_another_kind_does_not_need_it(installed: dict[str, str]) -> None:
    """What only the plug-in can be asked for is in a recipe where it was asked, or is its own."""
    ended = python(installed, "-W", "error", "-c", RECORD)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["kinds"] == ["series", "vector", "text", "table", "audio", "image"]
    recorded = told["recorded"]
    assert recorded["series"] | {"window": 16, "stride": 1} == recorded["series"]
    assert not {"window", "stride"} & recorded["auto"].keys()
    assert recorded["image"].keys() - recorded["auto"].keys() == {"window"}  # it was asked for


def test_it_is_built_on_what_is_public_and_names_no_other_kind() -> None:
    imported = set()
    for path in SERIES.glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sparring":
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                assert not [name for name in names if name.rpartition(".")[2].startswith("_")]
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {a.name for a in node.names if a.name.split(".")[0] == "sparring"}
    of_tests = {"sparring.kinds"}  # its tests open data as users do
    assert not {name for name in imported - of_tests if not PUBLIC.fullmatch(str(name))}
    assert "sparring.kinds.kind" in imported


def test_the_page_on_plug_ins_counts_its_lines_as_they_are() -> None:
    docs = next(p for p in SERIES.parents if (p / "docs").is_dir()) / "docs"
    table = runpy.run_path(str(docs / "make_plugins.py"))["table"]()
    assert table in (docs / "plugins.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_passes_its_own_quick_tests(installed: dict[str, str]) -> None:
    """All of the contract runs where it is installed: `test_series_wheel.py`."""
    long = ["exported", "json", "recipe_of", "starts_from", "size", "card", "stopped"]
    quick = " and ".join(f"not {word}" for word in long)
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", "-k", quick)
    ended = python(installed, "-m", "pytest", *options, str(SERIES / "tests"))
    assert ended.returncode == 0, ended.stdout
