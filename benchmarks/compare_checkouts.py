"""Two checkouts side by side: do they still do the same?

python -m benchmarks.compare_checkouts BEFORE AFTER [--only points,images/digits] [--jobs 1]

Every kind of data, default recipe, named preset, network and augmentation, and on points every
objective with every penalty in both orders, is trained a few seeded steps in both, and used: every
tensor of the checkpoints, the samples, the card, the report's words, what commands print and what
is refused must be the same to the last bit. What may differ is in `compare_checkouts.toml`, with
the reason. Exits with 1 if anything else does.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

ROOT = Path(__file__).resolve().parents[1]
if __package__ in (None, ""):  # called by its path, from anywhere
    sys.path[0] = str(ROOT)

from benchmarks.checkouts.cases import all_cases  # noqa: E402
from benchmarks.checkouts.differences import Verdict, compare  # noqa: E402
from benchmarks.checkouts.folders import Values, read_folder  # noqa: E402
from benchmarks.checkouts.rules import Rules, read_rules  # noqa: E402
from benchmarks.checkouts.sources import write_sources  # noqa: E402
from benchmarks.checkouts.work import CRASHED, FINISHED, REFUSED, case_folder, work  # noqa: E402

MAP = Path(__file__).with_suffix(".toml")
PARTS = ROOT / "benchmarks/checkouts"
DECIDING = ("cases.py", "sources.py", "work.py")  # what BEFORE is asked to do
SIDES = ("before", "after")
MOST_SHOWN = 12  # differences of a case
POLL_SECONDS = 0.1
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
STEADY = {"PYTHONHASHSEED": "0", "COLUMNS": "160", "NO_COLOR": "1", "MPLBACKEND": "Agg"}


@dataclass(frozen=True)
class Asked:
    """What is compared, where, and by how many processes."""

    checkouts: tuple[Path, Path]
    names: Sequence[str]
    folder: Path
    jobs: int
    keep: bool
    map: Path = MAP

    @property
    def shared(self) -> Path:
        """The folder of data."""
        return self.folder / "data"


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print a line for each case, and exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(description="Do two checkouts do the same?")
    parser.add_argument("before", type=Path, help="a checkout of the repository")
    parser.add_argument("after", type=Path, help="another one")
    parser.add_argument(
        "--only", default="", help="cases whose names hold one of these, with commas"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes of each checkout")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument(
        "--keep", type=Path, help="a folder for what both do; BEFORE does nothing twice in it"
    )
    parser.add_argument("--all", action="store_true", help="print all differences of each case")
    parser.add_argument("--map", type=Path, default=MAP, help="what may differ")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    names = [name for name in all_cases() if any(part in name for part in asked.only.split(","))]
    if asked.worker:
        chosen = sys.stdin.read().split()
        work(chosen, asked.worker, asked.after, asked.before, read_rules(asked.map))
    elif asked.list:
        print("\n".join(names))
    elif not names:
        raise SystemExit(f"no case holds '{asked.only}'; --list prints their names")
    else:
        _compare_in(asked, names)


def _compare_in(asked: argparse.Namespace, names: Sequence[str]) -> None:
    checkouts = asked.before.resolve(), asked.after.resolve()
    for checkout in checkouts:
        if not (checkout / "src/sparring").is_dir():
            raise SystemExit(f"'{checkout}' is no checkout: it has no src/sparring")
    with TemporaryDirectory() as temporary:
        folder = (asked.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            _prepare(folder, checkouts[0])
            work = Asked(checkouts, names, folder, max(asked.jobs, 1), bool(asked.keep), asked.map)
            raise SystemExit(report(work, shows_all=asked.all))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder against another comparison."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SystemExit(f"another comparison is at work in '{folder}'") from None
    try:
        yield
    finally:
        lock.release()


def _prepare(folder: Path, before: Path) -> None:
    """Empty a folder of all but what BEFORE, as it is now, has done there in the same cases."""
    stamp, parts = folder / "stamp", [*(before / "src").rglob("*"), *(PARTS / f for f in DECIDING)]
    digest = hashlib.sha256()
    for path in sorted(part for part in parts if part.suffix in (".py", ".jinja")):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    if not stamp.exists() and [path.name for path in folder.iterdir()] != [".lock"]:
        raise SystemExit(f"'{folder}' holds other things; give a new folder")
    known = stamp.exists() and stamp.read_text() == digest.hexdigest()
    for name in ("after",) if known else (*SIDES, "data"):
        shutil.rmtree(folder / name, ignore_errors=True)
    stamp.write_text(digest.hexdigest())


def report(asked: Asked, *, shows_all: bool = False) -> int:
    """Print what is the same and what is not; return the exit code."""
    began, rules = time.monotonic(), read_rules(asked.map)
    differing: list[str] = []
    same = ignored = 0
    print(f"{'':36}{'same':>7}{'may differ':>12}{'differ':>8}")
    for name, verdict, refused in verdicts(asked, rules):
        same, ignored = same + verdict.same, ignored + verdict.ignored
        count = len(verdict.differing)
        mark = f"  {refused}" if refused else ""
        print(f"{name:36}{verdict.same:7,}{verdict.ignored:12,}{count or '':>8}{mark}", flush=True)
        differing += [name] if count else []
        _print_differences(verdict, len(verdict.differing) if shows_all else MOST_SHOWN)
    print(f"\n{same:,} values are the same, {ignored:,} may differ", end="; ")
    print(f"{len(differing)} of {len(asked.names)} cases differ: {', '.join(differing) or 'none'}")
    if list(asked.names) == list(all_cases()):
        for entry in rules.unused():
            print(f"not needed: {entry}")
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if differing else 0


def _print_differences(verdict: Verdict, most: int) -> None:
    for key in list(verdict.differing)[:most]:
        first, *others = verdict.differing[key]
        print(f"    {key}: {first}")
        for line in others:
            print(f"        {line}")
    if (more := len(verdict.differing) - most) > 0:
        print(f"    and {more:,} more")


def verdicts(asked: Asked, rules: Rules) -> Iterator[tuple[str, Verdict, str]]:
    """Yield each case's name, what was found, and the line in which both refuse it, if they do."""
    if not asked.shared.exists():
        write_sources(asked.shared)
    parts = [asked.names[i :: asked.jobs] for i in range(asked.jobs)]
    with ThreadPoolExecutor(2 * asked.jobs) as pool:
        futures = {
            side: [pool.submit(_work_through, asked, side, part) for part in parts]
            for side in SIDES
        }
        for name in asked.names:
            folders = [case_folder(asked.folder / side, name) for side in SIDES]
            for side, folder in zip(SIDES, folders, strict=True):
                _wait_for(folder, futures[side])
            yield _verdict(name, folders, asked, rules)


def _verdict(
    name: str, folders: Sequence[Path], asked: Asked, rules: Rules
) -> tuple[str, Verdict, str]:
    before, after = (read_folder(folder, asked.shared) for folder in folders)
    found = compare(before, after, rules)
    for values in (before, after):
        crashes = {key: [_line(values, key)] for key in values if key.startswith(CRASHED)}
        found.differing |= crashes  # what breaks in both is no comparison
    refused = _line(before, f"{REFUSED}/train.txt")
    if not asked.keep:
        for folder in folders:
            shutil.rmtree(folder)
    return name, found, refused


def _line(values: Values, key: str) -> str:
    """Return a text as one line; empty where there is none."""
    return " ".join(values.get(key, ()))


def _wait_for(folder: Path, futures: Sequence[Future[None]]) -> None:
    while not (folder / FINISHED).exists():
        for future in futures:
            if future.done():
                future.result()  # raises what went wrong
        time.sleep(POLL_SECONDS)


def _work_through(asked: Asked, side: str, names: Sequence[str]) -> None:
    """Have a checkout do cases; one that ends the process is noted, and the next ones are done."""
    folder = asked.folder / side
    folder.mkdir(parents=True, exist_ok=True)
    left = [name for name in names if not _is_done(folder, name)]
    for name in left:
        shutil.rmtree(case_folder(folder, name), ignore_errors=True)  # one that was cut short
    while left:
        code, told = _run(asked, side, left)
        left = [name for name in left if not _is_done(folder, name)]
        if left and not case_folder(folder, left[0]).exists():
            raise SystemExit(f"{side} cannot begin: {told}")
        if left:
            own = case_folder(folder, left.pop(0))
            (own / CRASHED).mkdir(exist_ok=True)
            (own / CRASHED / "process.txt").write_text(f"it ended with {code}: {told}\n")
            (own / FINISHED).touch()


def _is_done(folder: Path, name: str) -> bool:
    return (case_folder(folder, name) / FINISHED).exists()


def _run(asked: Asked, side: str, names: Sequence[str]) -> tuple[int, str]:
    """Start a worker, wait for its end, and return its exit code and last line."""
    checkout = asked.checkouts[SIDES.index(side)]
    path = os.pathsep.join([str(checkout / "src"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(Path(__file__).resolve()), str(checkout), str(asked.shared)]
    with (asked.folder / f"{side}.log").open("a") as log:
        ended = subprocess.run(
            [*command, "--worker", str(asked.folder / side), "--map", str(asked.map)],
            input="\n".join(names),
            text=True,
            env={**os.environ, **dict.fromkeys(THREADS, "1"), **STEADY, "PYTHONPATH": path},
            stdout=log,
            stderr=log,
            check=False,
        )
    lines = (asked.folder / f"{side}.log").read_text(errors="replace").splitlines()
    return ended.returncode, lines[-1] if lines else ""


if __name__ == "__main__":
    main()
