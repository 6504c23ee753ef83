"""Which items lie together on one side of the split, by kind: `--groups`, copies, recordings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image
from sklearn.datasets import load_digits

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.evaluation.assess import reference_of
from sparring.evaluation.card import measure_copying
from sparring.kinds import DataOptions, open_data
from sparring.kinds.tables.models import table_c2st

RATE = 4000
DIGITS = np.rint(load_digits().images[:120] * (255 / 16)).astype(np.uint8)
PEOPLE = np.arange(120) // 6  # 20 of them


def opened(source: Any, folder: Path, spec: Any = None, rules: int = 2, **options: Any) -> Dataset:
    return open_data(source, DataOptions(**options), spec=spec, cache=folder, rules=rules)


def assert_apart(data: Dataset, groups: int) -> None:
    """No group lies on both sides, and there are as many as said."""
    assert data.groups is not None
    assert len(np.unique(data.groups)) == groups
    assert len(data.held_out)
    assert not {*data.groups[data.train]} & {*data.groups[data.held_out]}


# ---- rows


def passengers(count: int, seed: int = 0) -> Any:
    """Rows of few categories, as those of the Titanic: some 70 different ones."""
    random = np.random.default_rng(seed)
    rank = random.choice(["1st", "2nd", "3rd", "crew"], count, p=[0.15, 0.13, 0.32, 0.4])
    female = random.random(count) < np.where(rank == "crew", 0.03, 0.35)
    return pd.DataFrame(
        {
            "class": rank,
            "sex": np.where(female, "F", "M"),
            "age": random.choice(["child", "adult"], count, p=[0.05, 0.95]),
            "port": random.choice(["S", "C", "Q"], count, p=[0.7, 0.2, 0.1]),
            "survived": np.where(random.random(count) < np.where(female, 0.73, 0.21), "yes", "no"),
        }
    )


def test_held_out_rows_are_of_the_population_of_the_others_where_rows_repeat(
    tmp_path: Path,
) -> None:
    rows = passengers(2000)
    data, older = (opened(rows, tmp_path, rules=rules) for rules in (2, 1))
    train, held_out = rows.iloc[data.train], rows.iloc[data.held_out]
    assert len(held_out) == 200
    assert table_c2st(held_out, train).low < 0.5
    known = held_out.drop_duplicates().merge(train.drop_duplicates())
    assert len(known) > 0.8 * len(held_out.drop_duplicates())
    told = table_c2st(rows.iloc[older.held_out], rows.iloc[older.train])
    assert told.low > 0.9, "by content alone, as runs of 0.1 keep it"
    perfect = opened(passengers(500, seed=1), tmp_path, data.spec).items
    lines = measure_copying(data.items[data.held_out], perfect, data.items[data.train])
    assert min(line.estimate.p_value or 1.0 for line in lines) > 0.05


def test_rows_of_one_person_lie_on_one_side_and_the_column_is_not_learned(tmp_path: Path) -> None:
    rows = passengers(400).assign(person=[f"p{i // 8}" for i in range(400)])
    data = opened(rows, tmp_path, groups="person")
    assert_apart(data, 50)
    assert "person" not in [column.name for column in data.spec.columns]  # type: ignore[attr-defined]
    assert any("50 groups of rows by person; 5 groups held out" in note for note in data.notes)
    again = opened(rows, tmp_path, data.spec, groups="person")
    assert again.fingerprint == data.fingerprint
    other = opened(passengers(50), tmp_path, data.spec, groups="person")
    assert any("cannot be grouped by 'person'" in note for note in other.notes)


# ---- texts


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_texts_of_one_author_lie_on_one_side(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"text": [f"line {i:03d}" for i in range(120)], "author": [f"a{i}" for i in PEOPLE]}
    )
    path = tmp_path / f"texts{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    assert_apart(opened(f"{path}:text", tmp_path, groups="author"), 20)


# ---- files


def pictures(folder: Path) -> Path:
    for i, (person, pixels) in enumerate(zip(PEOPLE, DIGITS, strict=True)):
        path = folder / "set" / f"person {person}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder / "set"


def grouped_csv(folder: Path) -> Path:
    rows = "".join(f"person {p}/{i}.png,{p}\n" for i, p in enumerate(PEOPLE))
    (folder / "groups.csv").write_text(f"file,group\n{rows}", encoding="utf-8")
    return folder / "groups.csv"


@pytest.mark.parametrize("share", [0.4, 1e-15])  # in memory, and from a pack
def test_pictures_of_one_folder_lie_on_one_side(share: float, tmp_path: Path) -> None:
    source = pictures(tmp_path)
    told: dict[str, Any] = {"labels": "none", "memory_share": share}
    by_folder = opened(source, tmp_path, groups="folder", **told)
    by_file = opened(source, tmp_path, groups=str(grouped_csv(tmp_path)), **told)
    for data in (by_folder, by_file, opened(source, tmp_path, groups="folder", **told)):
        assert_apart(data, 20)
        assert np.array_equal(data.held_out, by_folder.held_out)
    assert opened(source, tmp_path, **told).groups is None


def test_pictures_of_an_archive_of_arrays_are_grouped_by_a_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=DIGITS, person=PEOPLE)
    assert_apart(opened(tmp_path / "set.npz", tmp_path, groups="person"), 20)


def test_copies_and_near_copies_of_pictures_are_told(tmp_path: Path) -> None:
    darker = np.uint8(0.8 * DIGITS[:30] + 20)
    data = opened(np.concatenate([DIGITS, DIGITS[:20], darker])[..., None], tmp_path)
    assert_apart(data, 120)
    assert "80 of 170 images are copies or near-copies of others" in " ".join(data.notes)


# ---- sounds


def noise(folder: Path, seconds: float, name: str, seed: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    wave = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE))
    soundfile.write(folder / name, wave, RATE)


def test_windows_of_one_recording_lie_on_one_side(tmp_path: Path) -> None:
    for i in range(12):
        noise(tmp_path / "long", 5 + i % 3, f"{i}.wav", i)
    data = opened(tmp_path / "long", tmp_path)
    assert len(data.items) == 72
    assert_apart(data, 12)
    assert "12 groups of sounds by recording, so few that held-out sounds" in " ".join(data.notes)


def test_a_recording_alone_is_divided_in_parts_with_a_gap(tmp_path: Path) -> None:
    noise(tmp_path / "one", 60, "long.wav")
    data = opened(tmp_path / "one", tmp_path)
    assert_apart(data, 20)
    assert len(data.held_out) == 6
    assert np.abs(data.train[:, None] - data.held_out).min() == 2


# ---- what judges


def test_what_judges_is_one_of_each_group_and_is_told(tmp_path: Path) -> None:
    rows = passengers(4000).assign(person=np.arange(4000) // 4)
    reference = reference_of(opened(rows, tmp_path, groups="person", held_out=0.2))
    assert len(reference.index()) == 200
    assert reference.notes == ("200 of 800 items judge, at most one of each of 200 groups",)


def test_half_of_the_groups_judge_where_few_are_held_out(tmp_path: Path) -> None:
    rows = passengers(600).assign(person=np.arange(600) // 10)
    reference = reference_of(opened(rows, tmp_path, groups="person"))
    assert len(reference.index()) == 27
    assert reference.notes[0].startswith("only 6 groups are held out: judged by half of the")


def test_hardly_any_groups_judge_with_all_their_items_and_test_nothing(tmp_path: Path) -> None:
    rows = passengers(600).assign(person=np.arange(600) // 60)
    reference = reference_of(opened(rows, tmp_path, groups="person"))
    assert reference.groups is not None
    assert len(reference.index()) == 300
    assert reference.notes[-1].startswith("only 5 groups judge: nothing is tested")


# ---- what has no groups


def lines(folder: Path) -> Path:
    (folder / "lines.txt").write_text("".join(f"line {i}\n" for i in range(40)))
    return folder / "lines.txt"


def flat(folder: Path) -> Path:
    noise(folder / "flat", 0.5, "a.wav")
    noise(folder / "flat", 0.5, "b.wav", 1)
    return folder / "flat"


@pytest.mark.parametrize(
    ("source", "groups", "why"),
    [
        (lambda folder: DIGITS, "person", "the array cannot be grouped by 'person'"),
        (lambda folder: np.eye(30), "person", "points are grouped as rows of a table"),
        (lambda folder: passengers(30), "pot", "no such column.*'port'"),
        (lines, "author", "expected a column of FILE.csv:column"),
        (pictures, "person", "groups 'person' is not a choice for files; expected folder"),
        (flat, "folder", "fewer than two groups"),
    ],
)
def test_groups_of_what_has_none_are_refused_in_a_line(
    source: Callable[[Path], Any], groups: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(SparringError, match=why) as refusal:
        opened(source(tmp_path), tmp_path, groups=groups)
    assert "\n" not in str(refusal.value)
