"""How often a card accuses, and whom: level and power of its verdict, for every kind of data.

python -m benchmarks.verdicts [--kinds tables,texts] [--minutes 180] [--jobs 2] [--kept FILE]

Each card is what `sparring evaluate` makes of samples. Data and samples come from one large pool of
real items without replacement: a perfect generator returns real items that nobody has seen (with
replacement would plant copies). Others return training items, leave out a mode, or add noise. The
rows grow in turns; each card is kept in FILE when it is done, and the command goes on where it was
stopped. Brackets are binomial intervals of 95 % (Clopper & Pearson 1934).
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.api import NullReporter
from sparring.data.dataset import Dataset
from sparring.draws import permutation
from sparring.evaluation.assess import (
    Samples,
    extract_reference,
    judge,
    reference_of,
)
from sparring.evaluation.extractors import choose
from sparring.features.reference import ReferenceSet
from sparring.kinds import DataOptions, kind_of, open_data
from sparring.kinds.kind import EvaluatedRun
from sparring.metrics.proportions import exact_share

SIZES = 100, 500, 2_000
LARGE = 20_000
CARDS, FEW_CARDS = 200, 50  # of a perfect generator, and of one that is not
FAULTY = "5% copies", "20% copies", "100% copies", "one mode missing", "noise"
COPIES = 5  # of an item, where items are repeated
SAID = "differs", "copies"
Source = Any  # what `open_data` reads: an array, a data frame, texts, waves
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pool:
    """Real items of one kind, any of which make data of their own."""

    take: Callable[[Index], Source]
    mode: NDArray[np.bool_]  # (n,), the items that one mode has
    noisy: Callable[[Source, np.random.Generator], Source]
    tied: Callable[[Source], Source] | None = None  # coarser, so that items coincide
    options: DataOptions = field(default_factory=lambda: DataOptions(labels="none"))

    def __len__(self) -> int:
        return len(self.mode)


@dataclass(frozen=True, order=True)
class Row:
    """One row of the table: what generator, judged on how much data."""

    kind: str
    size: int
    generator: str  # "perfect", "5 % copies", "one mode missing", "noise", "perfect, …"

    @property
    def cards(self) -> int:
        """How many cards it takes."""
        if self.size == LARGE:
            return FEW_CARDS // 5
        return CARDS if self.generator.startswith("perfect") else FEW_CARDS


def rows(kinds: Sequence[str]) -> Iterator[Row]:
    """Yield all rows of some kinds."""
    for kind in kinds:
        pool = POOLS[kind]()
        for size in SIZES:
            yield from (Row(kind, size, generator) for generator in ("perfect", *FAULTY))
        yield Row(kind, 500, "perfect, items five times")
        if pool.tied:
            yield Row(kind, 500, "perfect, ties")
        if len(pool) >= 2 * LARGE:
            yield Row(kind, LARGE, "perfect")


def judged(row: Row, seed: int) -> dict[str, Any]:
    """Make one card, and return what it said."""
    torch.set_num_threads(1)
    began = time.process_time()
    pool = POOLS[row.kind]()
    order = permutation(seed, f"verdicts/{row.size}/{row.generator}", len(pool))
    rng = np.random.default_rng(seed)
    own = (
        order[: row.size // COPIES].repeat(COPIES) if "five" in row.generator else order[: row.size]
    )
    fresh = order[row.size :]
    if "mode" in row.generator:
        fresh = fresh[~pool.mode[fresh]]
    tie = pool.tied if "ties" in row.generator and pool.tied else lambda source: source
    with tempfile.TemporaryDirectory() as folder:
        data = open_data(tie(pool.take(own)), pool.options, cache=Path(folder))
        made = fresh[: row.size]
        if row.generator.endswith("copies"):
            share = float(row.generator.partition(" ")[0].rstrip("%")) / 100
            copied = rng.choice(own[data.train], round(share * row.size))
            made = np.concatenate([copied, made[len(copied) :]])
        source = tie(pool.take(rng.permutation(made)))
        if row.generator == "noise":
            source = pool.noisy(source, rng)
        options = replace(pool.options, held_out=0.0)
        fake = open_data(source, options, spec=data.spec, cache=Path(folder))
        found = card(data, fake, Path(folder))
    accusing = [line.key for line in found.lines if line.verdict in SAID]
    seconds = round(time.process_time() - began, 2)
    return {"verdict": found.verdict, "accusing": accusing, "seconds": seconds}


def card(data: Dataset, made: Dataset, cache: Path) -> Any:
    """Return the card of samples of a generator that was trained on these data."""
    reference, audience = reference_of(data), NullReporter()
    extractor = choose("auto", reference.data, cache=cache)
    kind = kind_of(data.spec)
    extractors = kind.measures.with_companions(extractor, reference.data, cache)
    train = ReferenceSet(reference.data, "train")
    copying = ReferenceSet(data, "held_out", whole=True), ReferenceSet(data, "train")
    fake = np.asarray(made.items)
    features = extract_reference((reference, train), copying, extractors, cache, audience)
    quality = extractors.quality.run(fake)
    memorization = quality
    if extractors.memorization is not extractors.quality:
        memorization = extractors.memorization.run(fake)
    samples = Samples(quality, memorization.astype(np.float64), fake, None, None)
    run = EvaluatedRun(
        spec=data.spec,
        train=train,
        reference=reference,
        extractor=extractor.name,
        real_features=features.real,
        fake_features=quality,
        fake=fake,
        trained=None,
        given=ReferenceSet(made, "all", whole=True),
        pictures=None,
        options=kind.judging(),
        progress=audience.reading,
        notes=[],
    )
    return judge(run, features, samples, extractors, "verdicts")


# --- pools


@cache
def images() -> Pool:
    """Return pictures of clothes."""
    data = open_data("fashion-mnist", DataOptions(labels="yes"), cache=Path(tempfile.gettempdir()))
    assert data.labels is not None

    def noisy(source: Source, rng: np.random.Generator) -> Source:
        return np.clip(source + rng.normal(0, 25, source.shape), 0, 255).astype(np.uint8)

    return Pool(lambda index: np.asarray(data.items[index]), data.labels == 0, noisy)


@cache
def tables() -> Pool:
    """Return prices, sizes and grades of diamonds; what is no test of them is not measured."""
    from sparring.kinds.tables import card as card_of_tables
    from sparring.kinds.tables.files import read_delimited
    from sparring.kinds.tables.named import named_table

    card_of_tables.MAX_TRIED = 0
    frame = read_delimited(named_table("diamonds"), "diamonds").frame
    frame = frame.drop(columns="", errors="ignore").reset_index(drop=True)
    numbers = list(frame.select_dtypes("number"))
    digits = {name: 0 if frame[name].dtype.kind == "i" else 2 for name in numbers}

    def noisy(source: Source, rng: np.random.Generator) -> Source:
        spread = 0.2 * frame[numbers].std().to_numpy()
        noise = rng.normal(size=(len(source), len(numbers))) * spread
        changed = (source[numbers] + noise).clip(lower=0).round(digits).to_numpy().T
        return source.assign(**dict(zip(numbers, changed, strict=True)))

    def tied(source: Source) -> Source:
        return source[["cut", "color", "clarity"]].assign(carat=source["carat"].round())

    return Pool(
        lambda index: frame.iloc[index].reset_index(drop=True),
        (frame["color"] == "I").to_numpy(),
        noisy,
        tied,
        DataOptions(),
    )


@cache
def texts() -> Pool:
    """Return people's names."""
    from sparring.kinds.texts.codec import texts_of

    data = open_data("names", DataOptions(), cache=Path(tempfile.gettempdir()))
    names = texts_of(data.items, data.spec)
    letters = sorted({letter for name in names for letter in name})

    def noisy(source: Source, rng: np.random.Generator) -> Source:
        return [
            "".join(rng.choice(letters) if rng.random() < 0.1 else letter for letter in name)
            for name in source
        ]

    return Pool(
        lambda index: [names[i] for i in index],
        np.array([name.startswith("M") for name in names]),
        noisy,
        options=DataOptions(units="characters"),
    )


@cache
def sounds() -> Pool:
    """Return spoken digits."""
    data = open_data("spoken-digits", DataOptions(labels="yes"), cache=Path(tempfile.gettempdir()))
    assert data.labels is not None
    waves = np.asarray(data.items)
    options = DataOptions(kind="audio", labels="none", rate=data.spec.framing.rate)

    def noisy(source: Source, rng: np.random.Generator) -> Source:
        loudness = source.std(1, keepdims=True)
        loud = source + 0.1 * loudness * rng.normal(size=source.shape)
        return loud.clip(-1, 1).astype(np.float32)

    return Pool(lambda index: waves[index], data.labels == 0, noisy, options=options)


@cache
def points() -> Pool:
    """Return points of eight modes on a ring."""
    rng = np.random.default_rng(0)
    mode = rng.integers(8, size=100_000)
    angle = np.pi / 4 * mode
    centres = np.stack([np.cos(angle), np.sin(angle)], 1)
    drawn = (centres + 0.1 * rng.normal(size=centres.shape)).astype(np.float32)

    def noisy(source: Source, rng: np.random.Generator) -> Source:
        return source + rng.normal(0, 0.1, source.shape).astype(np.float32)

    def tied(source: Source) -> Source:
        return source.round(1)

    return Pool(lambda index: drawn[index], mode == 0, noisy, tied)


POOLS: dict[str, Callable[[], Pool]] = {
    "images": images,
    "tables": tables,
    "texts": texts,
    "sounds": sounds,
    "points": points,
}


# --- turns, and the table


def main(arguments: Sequence[str] | None = None) -> None:
    """Make cards until all are made, or the time is up, and print the table."""
    parser = argparse.ArgumentParser(description="Level and power of the card's verdict.")
    parser.add_argument("--kinds", default=",".join(POOLS))
    parser.add_argument("--minutes", type=float, default=180.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kept", type=Path, default=Path("verdicts.jsonl"))
    asked = parser.parse_args(arguments)
    kept = read(asked.kept)
    with asked.kept.open("a", encoding="utf-8") as file:
        for record in made(asked, kept):
            file.write(json.dumps(record) + "\n")
            file.flush()
            kept.append(record)
    print(*table(kept, asked.kinds.split(",")), sep="\n")


def read(path: Path) -> list[dict[str, Any]]:
    """Return the cards that were made before; a line that was cut off is left out."""
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def made(asked: Any, kept: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield new cards as they are done."""
    end = time.monotonic() + 60 * asked.minutes
    turns = iter(missing(list(rows(asked.kinds.split(","))), kept))
    with ProcessPoolExecutor(asked.jobs) as pool:
        running: dict[Any, dict[str, Any]] = {}
        while True:
            while len(running) < asked.jobs and time.monotonic() < end:
                turn = next(turns, None)
                if turn is None:
                    break
                row, seed = turn
                about = {"kind": row.kind, "size": row.size, "generator": row.generator}
                running[pool.submit(judged, row, seed)] = about | {"seed": seed}
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future) | future.result()


def missing(table: Sequence[Row], kept: Sequence[dict[str, Any]]) -> Iterator[tuple[Row, int]]:
    """Yield the cards that are not made yet, a tenth of each row in turn."""
    done = {(_row(record), record["seed"]) for record in kept}
    for turn in range(10):
        for row in table:
            first, last = (row.cards * part // 10 for part in (turn, turn + 1))
            yield from ((row, seed) for seed in range(first, last) if (row, seed) not in done)


def table(kept: Sequence[dict[str, Any]], kinds: Sequence[str]) -> Iterator[str]:
    """Yield the table as lines of Markdown: who is accused, of copying where it copies."""
    cards: dict[Row, list[str]] = defaultdict(list)
    for record in kept:
        cards[_row(record)].append(record["verdict"])
    yield f"| data | items | perfect: accused | {' | '.join(FAULTY)} |"
    yield f"|---|--:|--:|{'--:|' * len(FAULTY)}"
    for row in rows(kinds):
        if row.generator.startswith("perfect") and (said := cards.get(row)):
            accused = sum(verdict in SAID for verdict in said)
            share = exact_share(accused, len(said), "")
            level = f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}] of {len(said)}"
            faulty = (_found(cards.get(replace(row, generator=one), []), one) for one in FAULTY)
            plain = row.generator == "perfect"
            what = row.kind if plain else f"{row.kind}, {row.generator.partition(', ')[2]}"
            cells = [*faulty] if plain else [""] * len(FAULTY)
            yield f"| {what} | {row.size:,} | {level} | {' | '.join(cells)} |"


def _found(said: Sequence[str], generator: str) -> str:
    """Return in how many of so many cards a generator was told for what it is."""
    right = SAID[1:] if generator.endswith("copies") else SAID
    return f"{sum(verdict in right for verdict in said)}/{len(said)}" if said else ""


def _row(record: dict[str, Any]) -> Row:
    return Row(record["kind"], record["size"], record["generator"])


if __name__ == "__main__":
    main()
