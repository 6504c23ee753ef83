"""Made tables at equal CPU-seconds: ours, the game, other packages' generators, and the floor.

python -m benchmarks.table_rivals [diamonds flights …] [--only "ours,ctgan"] [--seconds 60]
    [--seeds 3] [--environments FOLDER] [--results results.jsonl]

Each generator is a process of its own, on one thread, one after the other for each seed; what
learns by epochs is stopped after so many CPU-seconds. `table_judge` says what the columns are; the
seconds are of training and sampling together. With --results every verdict becomes a line of JSON,
and what the file has already is not made again.

FOLDER holds a virtual environment for each of the other packages (what it has not is left out):

    python -m venv FOLDER/sdv && FOLDER/sdv/bin/pip install torch==2.13.0 sdv==2.0.0 pyarrow
    python -m venv FOLDER/arf && FOLDER/arf/bin/pip install arfpy==0.1.1 "numpy<2.3" "pandas<3" \\
        pyarrow
    python -m venv FOLDER/mostly && FOLDER/mostly/bin/pip install torch==2.13.0 pandas pyarrow \\
        accelerate joblib scikit-learn "psutil<6" opacus json-repair transformers peft datasets &&
        FOLDER/mostly/bin/pip install --no-deps mostlyai-engine==2.7.3

SDV runs CTGAN (Xu 2019), TVAE (the same) and a Gaussian copula.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from benchmarks.quality import print_on_one_thread
from benchmarks.table_judge import JUDGED, Split, floor, judge
from benchmarks.table_sets import names, real_table

ROOT = Path(__file__).parents[1]
HARD_LIMIT = 10  # times the seconds asked for; then a process is ended


@dataclass(frozen=True)
class Contender:
    """A generator, and the environment that runs it; none is this one."""

    title: str
    environment: str = ""


CONTENDERS = {
    "ours": Contender("sparring"),
    "game": Contender("sparring, the game"),
    "trees": Contender("trees in sequence"),
    "copula": Contender("Gaussian copula", "sdv"),
    "ctgan": Contender("CTGAN", "sdv"),
    "tvae": Contender("TVAE", "sdv"),
    "arf": Contender("adversarial forests", "arf"),
    "argn": Contender("mostlyai ARGN", "mostly"),
}
FLOOR = "real test rows"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every generator on every table with every seed, and print the tables."""
    parser = argparse.ArgumentParser(description="Made tables, ours and other packages'.")
    parser.add_argument("names", nargs="*", default=names(), help=", ".join(names()))
    parser.add_argument("--only", default=",".join(CONTENDERS), help="separated by commas")
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU-seconds of each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--environments", type=Path, help="a folder of virtual environments")
    parser.add_argument("--results", type=Path, help="a file of JSON lines, which grows")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the tables' lines as they become known."""
    known = read_results(asked.results)
    for name in asked.names:
        yield f"\n{name}"
        yield heading()
        for contender in (FLOOR, *asked.only.split(",")):
            records = [
                record
                for seed in range(asked.seeds)
                if (record := _record(known, name, contender, seed, asked))
            ]
            yield line(contender, records)


def _record(
    known: dict[tuple[str, str, int, float], dict[str, Any]],
    name: str,
    contender: str,
    seed: int,
    asked: argparse.Namespace,
) -> dict[str, Any]:
    """Return what one run of a generator comes to; empty where its environment is not there."""
    key = (name, contender, seed, asked.seconds)
    if key in known:
        return known[key]
    split = real_table(name, seed)
    if contender == FLOOR:
        record = floor(split, seed).as_record() | {"cpu_seconds": 0.0}
    else:
        python = interpreter(CONTENDERS[contender], asked.environments)
        if not python:
            return {}
        record = contested(contender, python, split, asked.seconds, seed)
    record |= {"table": name, "contender": contender, "seed": seed, "seconds": asked.seconds}
    if asked.results:
        with asked.results.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(record) + "\n")
    return record


def read_results(path: Path | None) -> dict[tuple[str, str, int, float], dict[str, Any]]:
    """Return the records of a file of results by table, contender, seed and seconds."""
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
    records = [json.loads(line) for line in lines]
    keys = ("table", "contender", "seed", "seconds")
    return {tuple(record[key] for key in keys): record for record in records}  # type: ignore


def interpreter(contender: Contender, environments: Path | None) -> Path | None:
    """Return the Python that runs a contender, or None where its environment is not there."""
    if not contender.environment:
        return Path(sys.executable)
    python = environments / contender.environment / "bin/python" if environments else None
    return python if python and python.exists() else None


def contested(
    contender: str, python: Path, split: Split, seconds: float, seed: int
) -> dict[str, Any]:
    """Have a process make as many rows as are judged, and judge them; or say why it made none."""
    with TemporaryDirectory() as folder:
        train, made = Path(folder) / "train.parquet", Path(folder) / "made.parquet"
        split.train.to_parquet(train)
        rows = min(JUDGED, len(split.train))
        amounts = ["--rows", str(rows), "--seconds", str(seconds), "--seed", str(seed)]
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [python, "-m", "benchmarks.table_makers", contender, train, made, *amounts],
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_CPU, (round(HARD_LIMIT * seconds),) * 2
            ),
        )
        if done.returncode or not made.exists():
            reason = (done.stderr.strip().splitlines() or [f"ended by {-done.returncode}"])[-1]
            return {"failed": reason[:200]}
        told = json.loads(done.stdout.strip().splitlines()[-1])
        return judge(split, alike(split.train, pd.read_parquet(made)), seed).as_record() | told


def alike(real: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Return made rows in the columns and types of real ones: whole numbers rounded, and so on."""
    columns = {}
    for name, column in real.items():
        cells, types = made[name], pd.api.types
        if types.is_bool_dtype(column.dtype):
            cells = cells.map(str).eq("True")
        elif types.is_numeric_dtype(column.dtype):
            cells = pd.to_numeric(cells).astype(float)
            cells = cells.round() if types.is_integer_dtype(column.dtype) else cells
        elif types.is_datetime64_any_dtype(column.dtype):
            cells = pd.to_datetime(cells)
        columns[name] = cells if types.is_numeric_dtype(cells.dtype) else cells.astype(column.dtype)
    return pd.DataFrame(columns)


COLUMNS = ("told apart", "longer trees", "with relations", "useful", "worst marginal", "noise")
ROWS = ("beyond", "copies", "natural", "nearer", "CPU-s")


def heading() -> str:
    """Return the names of the columns that `line` fills."""
    return (
        f"{'':22}"
        + "".join(f"{name:>22}" for name in COLUMNS)
        + "".join(f"{name:>9}" for name in ROWS)
    )


def line(contender: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Return one generator's line: medians over the seeds, and the least and the greatest."""
    title = CONTENDERS[contender].title if contender in CONTENDERS else contender
    failed = [record["failed"] for record in records if "failed" in record]
    if failed or not records:
        return f"{title:22}{'is not installed' if not failed else failed[0]}"
    marginals = [record["marginals"] for record in records]
    rows = [record["nearness"] for record in records]
    wide = [
        *([r[key]["value"] for r in records] for key in ("told_apart", "longer", "related")),
        [r["useful"]["value"] for r in records],
        *([m[key] for m in marginals] for key in ("total_variation", "noise")),
    ]
    beyond = median(len(m["beyond"]) for m in marginals)
    shares = [f"{median(r[key] for r in rows):.2%}" for key in ("copies", "natural_copies")]
    nearer = f"{median(r['nearer'] for r in rows):.3f}"
    narrow = [f"{beyond:g}", *shares, nearer, f"{median(r['cpu_seconds'] for r in records):.0f}"]
    return (
        f"{title:22}"
        + "".join(f"{ranged(v):>22}" for v in wide)
        + "".join(f"{cell:>9}" for cell in narrow)
    )


def ranged(values: Sequence[float]) -> str:
    """Return the median and, where they differ, the least and the greatest."""
    middle, low, high = (f"{x:.3f}" for x in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} [{low}, {high}]"


if __name__ == "__main__":
    main()
