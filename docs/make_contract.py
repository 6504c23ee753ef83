"""Write `contract.md`: what holds of every kind of data, as counted by running it.

python docs/make_contract.py [FILE]

Runs the contract (`sparring.testing.contract`) on the kinds that come with the package and on the
plug-in in tests/plugins, which takes a minute or two. Exits with 1 if a clause does not hold.
"""

import inspect
import os
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "contract.md"
PLUGIN = ROOT / "tests" / "plugins" / "series"
MODULES = (
    ROOT / "tests" / "contract" / "test_contract.py",
    PLUGIN / "tests" / "test_contract.py",
)
HEAD = """\
# What holds of every kind of data

Each clause is a test in [`sparring.testing.contract`](../src/sparring/testing/contract.py). It runs
on a small example of each kind ([examples](../tests/contract/examples.py)), and a plug-in inherits
all of them by one import ([how](plugins.md)); `series` is the plug-in that the tests install. A
cell counts the cases that passed: sources, file formats, sizes; an empty one has none.

`python docs/make_contract.py` runs them all and writes this page.

"""


@dataclass(eq=False)
class Tally:
    """A plug-in of pytest that counts what passed, by clause and kind."""

    passed: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def pytest_runtest_logreport(self, report) -> None:  # type: ignore[no-untyped-def]
        """Count one test."""
        if report.passed and report.when == "call" and "[" in report.nodeid:
            clause, _, case = report.nodeid.rpartition("::")[2].rstrip("]").partition("[")
            self.passed[clause, case.partition("-")[0]] += 1


def clauses() -> dict[str, str]:
    """Return the first line of each clause's docstring, by its name."""
    from sparring.testing import contract

    return {
        name: (inspect.getdoc(test) or "").splitlines()[0]
        for name, test in vars(contract).items()
        if name.startswith("test_")
    }


def page(passed: Mapping[tuple[str, str], int]) -> str:
    """Return the page: a row for each clause, a column for each kind."""
    kinds = list(dict.fromkeys(kind for _, kind in passed))
    rows = [["clause", *kinds], ["---", *["---:"] * len(kinds)]]
    for name, says in clauses().items():
        rows.append([says, *(str(passed.get((name, kind), "")) for kind in kinds)])
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def declare_plugin(site: Path) -> None:
    """Write what installing the plug-in would write: that it brings a kind."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = site / f"{project['name']}-{project['version']}.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    ((group, points),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    about.joinpath("entry_points.txt").write_text("\n".join(lines))


def main(path: Path) -> int:
    """Run the contract and write the page."""
    import pytest

    os.chdir(ROOT)
    tally = Tally()
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    with TemporaryDirectory() as site:
        declare_plugin(Path(site))
        sys.path[:0] = [str(PLUGIN / "src"), str(MODULES[0].parent), site]
        failed = pytest.main([*options, *map(str, MODULES)], plugins=[tally])
    if not failed:
        path.write_text(page(tally.passed), encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else PAGE))
