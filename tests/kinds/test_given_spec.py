"""Data opened under the spec of a run: its own are the same, others are read in its code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from names import FILES
from palmerpenguins import load_penguins
from PIL import Image
from sklearn.datasets import load_digits

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import DataOptions, decided, encode, kind_of, open_data
from sparring.kinds.tables.reader import open_data as open_tables
from sparring.recipes.recipe import nested, read_recipe, resolve, to_toml

NEVER = 1e-15  # share of memory that forces a pack
RATE = 4000

# ---- small real data of each kind, and the same once more in another shape

DIGITS = load_digits()
PENGUINS = load_penguins().drop(columns="year")
BODIES = PENGUINS[["flipper_length_mm", "body_mass_g"]].dropna().to_numpy()
NAMES = [line.split()[0].lower() for line in Path(FILES["first:male"]).read_text().splitlines()]


def pictures(folder: Path, *, classes: tuple[int, ...] = (0, 1, 2), wide: int = 1) -> Path:
    """Write digits by class, each `wide` times as wide as high, in two colours if wider."""
    for i, (image, label) in enumerate(zip(DIGITS.images, DIGITS.target, strict=True)):
        if label in classes and i < 120:
            pixels = np.rint(np.kron(image, np.ones((wide, 2 * wide - 1))) * (255 / 16))
            path = folder / "digits" / str(label) / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            tint = (1.0, 0.5, 0.2) if wide > 1 else (1.0, 1.0, 1.0)
            Image.fromarray(np.uint8(pixels[..., None] * tint)).save(path)
    return folder / "digits"


def bodies(folder: Path, *, count: int = 300, moved: float = 0.0) -> Path:
    np.save(folder / "bodies.npy", BODIES[-count:] + moved)
    return folder / "bodies.npy"


def birds(folder: Path, frame: Any = PENGUINS) -> Path:
    frame.to_csv(folder / "birds.csv", index=False)
    return folder / "birds.csv"


def names(folder: Path, texts: Any = NAMES[:600]) -> Path:
    (folder / "names.txt").write_text("".join(f"{text}\n" for text in texts))
    return folder / "names.txt"


def strings(folder: Path, *, rate: int = RATE, seconds: float = 0.1, count: int = 40) -> Path:
    """Write struck strings, high ones and low ones."""
    time = np.arange(round(seconds * rate)) / rate
    for i in range(count):
        pitch = 150 + 10 * i
        wave = np.exp(-20 * time) * sum(np.sin(2 * np.pi * k * pitch * time) / k for k in (1, 2))
        path = folder / "strings" / ("low" if pitch < 300 else "high") / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave / np.abs(wave).max(), rate, subtype="FLOAT")
    return folder / "strings"


@dataclass(frozen=True)
class Sources:
    """Data of one kind: a run's, and others that differ in form but mean the same."""

    kind: str
    own: Callable[[Path], Path]
    other: Callable[[Path], Path]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return self.kind


SOURCES = [
    Sources("image", pictures, lambda f: pictures(f, classes=(2, 1), wide=2), {}),
    Sources("vector", bodies, lambda f: bodies(f, count=100, moved=500.0), {}),
    Sources(
        "table",
        birds,
        lambda f: birds(f, PENGUINS[PENGUINS.species != "Gentoo"].dropna().iloc[:, ::-1]),
        {},
    ),
    Sources(
        "text",
        names,
        lambda f: names(f, [name[:5] for name in NAMES[600:900] if not {*"qxz"} & {*name}]),
        {},
    ),
    Sources(
        "audio",
        strings,
        lambda f: strings(f, rate=8000, seconds=0.07, count=12),
        {"seconds": 0.1},
    ),
]
each = pytest.mark.parametrize("sources", SOURCES, ids=str)


def opened(source: Any, folder: Path, **options: Any) -> Dataset:
    spec = options.pop("spec", None)
    return open_data(source, DataOptions(**options), spec=spec, cache=folder / "cache")


def made(make: Callable[..., Path], folder: Path, **how: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return make(folder, **how)


@each
def test_its_own_data_are_the_same(sources: Sources, tmp_path: Path) -> None:
    source = made(sources.own, tmp_path)
    own = opened(source, tmp_path, **sources.options)
    again = opened(source, tmp_path, **sources.options, spec=own.spec)
    assert again.spec == own.spec
    assert again.fingerprint == own.fingerprint
    np.testing.assert_array_equal(again.items, own.items)
    np.testing.assert_array_equal(again.held_out, own.held_out)
    if own.labels is not None:
        np.testing.assert_array_equal(again.labels, own.labels)


@each
def test_data_of_another_form_get_the_shape_of_the_run(sources: Sources, tmp_path: Path) -> None:
    own = opened(made(sources.own, tmp_path / "own"), tmp_path, **sources.options)
    source = made(sources.other, tmp_path / "other")
    other = opened(source, tmp_path, **sources.options, spec=own.spec)
    assert opened(source, tmp_path).spec != own.spec
    assert other.spec == own.spec
    assert other.items.shape[1:] == own.items.shape[1:]
    assert other.items.dtype == own.items.dtype
    assert not other.skipped


@each
def test_what_was_decided_reads_the_same(sources: Sources, tmp_path: Path) -> None:
    """A recipe leaves nothing of its kind open, and of other kinds says nothing."""
    source = made(sources.own, tmp_path)
    own = opened(source, tmp_path, **sources.options)
    options = decided(DataOptions(**sources.options), own.spec)
    (tmp_path / "recipe.toml").write_text(to_toml(replace(resolve({}), data=options)))
    written = read_recipe(tmp_path / "recipe.toml")
    assert resolve(written).data == options
    kind = kind_of(own.spec)
    assert written["data"].keys() == {"kind", *(field.name for field in fields(kind.options))}
    decisions = {k: v for k, v in written["data"].items() if k not in ("workers", "column")}
    assert not [value for value in decisions.values() if value in ("auto", 0)]
    again = open_data(source, options, cache=tmp_path / "cache")
    assert (again.spec, again.fingerprint) == (own.spec, own.fingerprint)
    assert decided(options, again.spec) == options
    np.testing.assert_array_equal(again.items, own.items)


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_a_pack_is_found_again_by_what_was_decided(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = next(one for one in SOURCES if one.kind == kind)
    source = made(sources.own, tmp_path)
    asked = DataOptions(memory_share=NEVER)
    own = open_data(source, asked, cache=tmp_path)
    assert isinstance(own.items, np.memmap)

    def read(*_: Any) -> None:
        raise AssertionError("it is read anew")

    monkeypatch.setattr("sparring.kinds.images.files.read_header", read)
    monkeypatch.setattr("sparring.kinds.sounds.files.read_header", read)
    ways = [(decided(asked, own.spec), None), (asked, own.spec)]
    for options, spec in ways:
        again = open_data(source, options, spec=spec, cache=tmp_path)
        assert again.fingerprint == own.fingerprint
    assert len(list((tmp_path / "packs").iterdir())) == 1
    monkeypatch.undo()
    smaller = nested({"image": {"resolution": "6x6"}, "audio": {"seconds": 0.05}})[kind]
    other = open_data(source, replace(asked, **smaller), cache=tmp_path)
    assert other.items.shape != own.items.shape


# ---- labels


def labelled_names(folder: Path, labels: str) -> str:
    frame = pd.DataFrame({"name": NAMES[:120], "label": (labels.split() * 120)[:120]})
    frame.to_csv(folder / "names.csv", index=False)
    return f"{folder / 'names.csv'}:name:label"


def test_labels_of_pictures_are_matched_by_name(tmp_path: Path) -> None:
    own = opened(pictures(tmp_path / "own"), tmp_path)
    assert own.spec.classes == ("0", "1", "2")
    fewer = opened(pictures(tmp_path / "fewer", classes=(2, 1)), tmp_path, spec=own.spec)
    assert fewer.spec == own.spec
    assert fewer.labels is not None
    targets = [label for label in DIGITS.target[:120] if label in (1, 2)]
    assert sorted(fewer.labels.tolist()) == sorted(targets)
    more = pictures(tmp_path / "more", classes=(1, 3))
    with pytest.raises(SparringError, match="labels that the run does not know: 3; its classes"):
        opened(more, tmp_path, spec=own.spec)
    assert opened(more, tmp_path, labels="none", spec=own.spec).labels is None
    unconditional = replace(own.spec, classes=())
    assert opened(more, tmp_path, spec=unconditional).labels is None


def test_labels_of_texts_are_matched_by_name(tmp_path: Path) -> None:
    own = opened(labelled_names(tmp_path, "b a c"), tmp_path)
    other = opened(labelled_names(tmp_path, "c b"), tmp_path, spec=own.spec)
    assert other.labels is not None
    assert [own.spec.classes[label] for label in other.labels[:4]] == ["c", "b", "c", "b"]
    single = opened(labelled_names(tmp_path, "c"), tmp_path, spec=own.spec)
    assert set(np.unique(single.labels)) == {2}
    with pytest.raises(SparringError, match="does not know: d, e; its classes are a, b, c"):
        opened(labelled_names(tmp_path, "d a e"), tmp_path, spec=own.spec)


# ---- tables


def people(count: int = 400, mean: float = 0.0, jobs: str = "smith baker king") -> Any:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "pay": rng.normal(mean, 1, count).round(3),
            "age": rng.integers(18, 80, count),
            "job": rng.choice(jobs.split(), count),
            "rank": rng.choice([1, 2, 3], count),
            "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 900, count), "D"),
            "land": "DE",
        }
    )


PEOPLE = open_tables(people(), DataOptions())


def judged(frame: Any) -> Dataset:
    return open_tables(frame, DataOptions(), spec=PEOPLE.spec)


def test_rows_keep_their_numbers_in_the_code_of_the_run() -> None:
    """0.1 fitted quantiles to the rows that judge, which then could not be told from any others."""
    pay = PEOPLE.spec.blocks[0].start

    def scores(data: Any) -> Any:
        return encode(torch.from_numpy(data.items), data.spec)[:, pay]

    assert abs(scores(PEOPLE).mean()) < 0.03
    assert scores(judged(people(mean=1.0))).mean() == pytest.approx(1 / 3, abs=0.06)
    far = judged(people(mean=100.0))
    assert scores(far).min() > 0.5
    assert far.notes == (
        "column 'pay': 400 of 400 values lie beyond all that the run was trained on and count as "
        "its extremes",
    )


def test_columns_are_found_by_name_and_others_ignored() -> None:
    frame = people().assign(more=range(400)).iloc[:, ::-1]
    other = judged(frame)
    np.testing.assert_array_equal(other.items, PEOPLE.items)
    assert other.notes == ("the run has no column 'more': not used",)


def test_fewer_categories_keep_their_places() -> None:
    places = judged(people(jobs="king baker")).items[:, PEOPLE.spec.places["job"]]
    assert PEOPLE.spec.columns[2].labels == ("baker", "king", "smith")
    assert set(places) == {0, 1}


@pytest.mark.parametrize("dtype", ["float64", "Int64", "str", "category"])
def test_a_category_is_the_same_however_its_column_is_typed(dtype: str) -> None:
    frame = people().astype({"rank": dtype})
    np.testing.assert_array_equal(judged(frame).items, PEOPLE.items)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"job": "cook"}, "column 'job' holds cook, which the run does not know"),
        ({"rank": 1.5}, "column 'rank' holds 1.5, which the run does not know"),
        ({"pay": "much"}, "column 'pay' holds much, expected numbers"),
        ({"pay": np.inf}, "column 'pay' holds inf, expected numbers"),
        ({"age": 20.5}, "column 'age' holds 20.5, expected whole numbers"),
        ({"born": "long ago"}, "column 'born' holds long ago, expected dates"),
        ({"born": 1990}, "column 'born' holds 1990, expected dates"),
        ({"job": None}, "column 'job' has 400 missing cells, the run's has none"),
        ({"age": np.nan}, "column 'age' has 400 missing cells, the run's has none"),
    ],
)
def test_what_a_run_has_no_code_for_is_refused_by_name(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SparringError) as refusal:
        judged(people().assign(**change))
    assert str(refusal.value) == f"the data frame does not fit the run: {complaint}"


def test_every_difference_is_named_in_the_one_line(tmp_path: Path) -> None:
    frame = people().drop(columns=["rank", "born"]).assign(job="cook", age=None)
    with pytest.raises(SparringError) as refusal:
        judged(birds(tmp_path, frame))
    assert str(refusal.value) == (
        f"'{tmp_path / 'birds.csv'}' does not fit the run: it has no column 'rank', 'born'; column "
        "'age' has 400 missing cells, the run's has none; column 'job' holds cook, which the run "
        "does not know"
    )


def test_a_few_odd_rows_are_left_out_and_named() -> None:
    frame = people().astype({"age": float})
    frame.loc[[3, 7], "age"] = np.nan
    frame.loc[7, "born"] = pd.NaT
    other = judged(frame)
    kept = np.delete(np.arange(400), [3, 7])
    np.testing.assert_array_equal(other.items[:3], PEOPLE.items[:3])
    assert len(other.items) == len(kept)
    assert other.notes == (
        "left out 2 of 400 rows: column 'age' has 2 missing cells, the run's has none; column "
        "'born' has 1 missing cell, the run's has none",
    )
    assert [skipped.path for skipped in other.skipped] == ["row 3", "row 7", "row 7"]
    frame = people().astype({"age": float})
    frame.loc[:19, "age"] = np.nan
    assert len(judged(frame).items) == 380
    frame.loc[20, "age"] = np.nan  # more than one in twenty
    with pytest.raises(SparringError, match="column 'age' has 21 missing cells"):
        judged(frame)


def test_a_few_unknown_categories_are_kept_as_what_they_are() -> None:
    frame = people()
    frame.loc[[7, 9], "job"] = "cook"
    other = judged(frame)
    assert set(other.items[[7, 9], PEOPLE.spec.places["job"]]) == {-1}
    assert other.originals["job"].equals(frame["job"])
    assert other.notes == (
        "column 'job': 2 of 400 rows hold cook, which no training row has: encoded as no known "
        "category, judged as they are",
    )


def test_a_rare_category_that_is_new_counts_among_the_rest() -> None:
    towns = np.array([f"town {i}" for i in range(150)])
    frame = pd.DataFrame({"town": np.repeat(towns, np.arange(150) + 1), "x": 0.5})
    own = open_tables(frame, DataOptions())
    assert own.spec.columns[0].rest
    new = open_tables(frame.assign(town="elsewhere"), DataOptions(), spec=own.spec)
    encoded = encode(torch.from_numpy(new.items), own.spec)
    assert (encoded[:, len(own.spec.columns[0].labels)] == 1).all()


def test_a_constant_that_differs_is_told() -> None:
    other = judged(people().assign(land=["DE", "FR"] * 200))
    assert other.notes == ("column 'land' holds FR, the run makes only DE: not used",)


# ---- texts


def test_texts_are_spelled_with_the_symbols_of_the_run(tmp_path: Path) -> None:
    """0.1 numbered the symbols of the texts that judge by themselves: z counted as a."""
    own = opened(names(tmp_path), tmp_path)
    strange = [name.replace("a", "ż") for name in NAMES[600:900]]
    other = opened(names(tmp_path, strange), tmp_path, spec=own.spec)
    known = {*own.spec.symbols}
    expected = [t for t in strange if {*t} <= known and len(t) < own.spec.shape[1]]
    kind = kind_of(own.spec)
    assert [*kind.codec.to_user_type(other.items, own.spec)] == expected
    unknown = sum(not {*text} <= known for text in strange)
    start = f"left out {unknown} of 300 texts: the run does not know the characters ż"
    assert any(note.startswith(start) for note in other.notes)
    assert {one.reason for one in other.skipped} >= {"unknown characters"}
    with pytest.raises(SparringError, match=r"holds 0 usable texts of 60; .* the characters я"):
        opened(names(tmp_path, ["я" * (i + 1) for i in range(60)]), tmp_path, spec=own.spec)


def test_texts_are_read_at_the_length_of_the_run(tmp_path: Path) -> None:
    own = opened(names(tmp_path), tmp_path)
    places = own.spec.shape[1]
    short = opened(names(tmp_path, {n[:4] for n in NAMES[600:]}), tmp_path, spec=own.spec)
    assert short.items.shape[1] == places
    long = [n[:3] * 4 for n in NAMES[:30]]
    mixed = opened(names(tmp_path, [*NAMES[:100], *long]), tmp_path, spec=own.spec)
    left_out = len({n for n in long if len(n) >= places}) + sum(
        len(n) >= places for n in NAMES[:100]
    )
    assert any(
        note.endswith(f"longer than the {places - 1} characters that the run makes")
        and note.startswith(f"left out {left_out} of ")
        for note in mixed.notes
    )


# ---- the rest


def test_points_of_another_width_are_refused(tmp_path: Path) -> None:
    own = opened(bodies(tmp_path), tmp_path)
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).normal(size=(50, 3)))
    with pytest.raises(SparringError, match="'wide' have 3 coordinates; those of the run have 2"):
        opened(tmp_path / "wide.npy", tmp_path, spec=own.spec)


def test_waves_of_another_length_are_cut_or_followed_by_silence(tmp_path: Path) -> None:
    own = opened(strings(tmp_path), tmp_path)
    waves = np.random.default_rng(0).uniform(-0.5, 0.5, (30, 1000)).astype(np.float32)
    length = own.items.shape[1]
    for count in (1000, 100):
        other = opened(waves[:, :count], tmp_path, spec=replace(own.spec, classes=()))
        assert other.items.shape == (30, length)
        assert np.abs(other.items[:, : min(count, length) - 60]).mean() > 5000
        assert not other.items[:, count:].any()
