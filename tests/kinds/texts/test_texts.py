"""Texts as data: files of any script to symbols and back, with every fault named by line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sparring.data import split
from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import DataOptions, decode, describe, encode, kind_of, open_data
from sparring.kinds.texts.codec import texts_of
from sparring.kinds.texts.lines import TextSource, parse_source
from sparring.kinds.texts.reader import open_data as open_texts
from sparring.kinds.texts.spec import TextSpec

WORDS = [
    f"{a}{b}{c}" for a in "bdgk" for b in ("ar", "el", "in") for c in ("o", "us", "ia", "ette")
]


def opened(source: Any, **options: Any) -> Dataset:
    return open_texts(source, DataOptions(**options))


def told(data: Dataset) -> list[str]:
    assert isinstance(data.spec, TextSpec)
    return texts_of(data.items, data.spec)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_file_s_lines_come_back_as_they_were(tmp_path: Path) -> None:
    data = opened(write(tmp_path / "w.txt", WORDS))
    assert told(data) == WORDS
    assert (kind_of(data.spec).name, kind_of(data.spec).noun) == ("text", "text")
    assert data.items.dtype == np.int16
    x = encode(torch.from_numpy(data.items), data.spec)
    assert x.shape == (len(WORDS), *data.spec.shape)
    assert torch.equal(x.sum(1), torch.ones(len(WORDS), data.spec.shape[1]))
    assert kind_of(data.spec).codec.to_user_type(decode(x, data.spec), data.spec) == WORDS
    assert describe(data.spec) == "up to 7 characters, 14 different characters"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,word\n" + "".join(f"{i},{w}\n" for i, w in enumerate(WORDS))),
        ("a.tsv", "id\tword\n" + "".join(f"{i}\t{w}\n" for i, w in enumerate(WORDS))),
        ("a.jsonl", "".join(json.dumps({"word": w, "n": 1}) + "\n" for w in WORDS)),
    ],
)
def test_a_column_or_a_key_is_read_too(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    source = f"{tmp_path / name}:word"
    assert told(opened(source)) == WORDS
    assert kind_of(open_data(source, DataOptions(), cache=tmp_path).spec).name == "text"
    with pytest.raises(SparringError, match=r"has no 'wort'; did you mean 'word'\?"):
        opened(f"{tmp_path / name}:wort")


def test_a_csv_without_a_column_stays_a_table(tmp_path: Path) -> None:
    assert parse_source(tmp_path / "a.csv") is None
    assert parse_source("a.csv:text:label") == TextSource(Path("a.csv"), "text", "label")
    assert parse_source("some/folder") is None


def test_labels_come_from_a_second_column_or_from_files_of_a_folder(tmp_path: Path) -> None:
    rows = "".join(f"{w},{'end' if w.endswith('a') else 'go'}\n" for w in WORDS)
    (tmp_path / "a.csv").write_text("word,sort\n" + rows)
    data = opened(f"{tmp_path / 'a.csv'}:word:sort")
    assert data.spec.classes == ("end", "go")
    assert data.labels is not None
    assert data.labels.tolist() == [0 if w.endswith("a") else 1 for w in WORDS]
    folder = tmp_path / "both"
    folder.mkdir()
    write(folder / "one.txt", WORDS[:24])
    write(folder / "two.txt", WORDS[24:])
    data = opened(folder)
    assert data.spec.classes == ("one", "two")
    assert opened(folder, labels="none").labels is None
    with pytest.raises(SparringError, match="labels 'yes', but these texts have none"):
        opened(write(tmp_path / "w.txt", WORDS), labels="yes")


def test_a_folder_of_images_beside_a_text_file_is_no_text(tmp_path: Path) -> None:
    write(tmp_path / "readme.txt", WORDS)
    (tmp_path / "a.png").write_bytes(b"")
    assert parse_source(tmp_path) is None


def test_every_faulty_line_is_named_and_none_is_used(tmp_path: Path) -> None:
    path = tmp_path / "w.txt"
    lines = [w.encode() for w in WORDS]
    lines[2] = b"caf\xe9"
    lines[5] = b"nul\0here"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n\r\n")
    data = opened(path)
    assert [(one.path, one.reason) for one in data.skipped] == [
        ("w.txt, line 3", "not UTF-8: byte 0xe9 at 4"),
        ("w.txt, line 6", "holds a NUL character"),
    ]
    assert told(data) == [w for i, w in enumerate(WORDS) if i not in (2, 5)]
    assert "1 of 47 lines are empty" in data.notes


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ('{"word": 3}', "no text under 'word'"),
    ],
)
def test_every_faulty_object_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"word": w}) + "\n" for w in WORDS) + line + "\n")
    data = opened(f"{path}:word")
    assert [(one.path, one.reason) for one in data.skipped] == [("a.jsonl, line 49", reason)]
    assert len(data.items) == 48


def test_repeated_texts_are_used_once_so_that_none_is_on_both_sides() -> None:
    data = opened(WORDS * 3, held_out=0.3)
    assert told(data) == WORDS
    assert "96 of 144 texts repeat an earlier one and are left out" in data.notes
    sides = [{told(data)[i] for i in side} for side in (data.train, data.held_out)]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_symbols_and_length_are_those_of_training_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1 counted symbols of held-out texts too, and gave places to the longest of them."""
    held_out = split.Split(np.arange(len(WORDS)), len(WORDS) + np.arange(4), ())
    monkeypatch.setattr(split, "hold_out", lambda *_, **__: held_out)
    data = opened([*WORDS, "elette", "żar", "ż", "gargargar"], length=20)
    assert data.spec == opened(WORDS, held_out=0.0).spec
    assert [len(data.train), len(data.held_out)] == [len(WORDS), 1]
    assert data.notes[1:] == (
        "1 texts of more than 7 are left out; --length changes it",
        "2 texts with characters that few or no training texts have are left out, 2 of them held "
        "out",
    )


def test_texts_longer_than_nearly_all_are_left_out_and_named() -> None:
    long = "a" * 60
    data = opened([*WORDS, long])
    assert long not in told(data)
    assert ("1 texts of more than 7 are left out; --length changes it") in data.notes
    assert data.skipped[0].path == long
    assert long in told(opened([*WORDS, long], length=60))


def test_rare_characters_leave_with_their_texts() -> None:
    many = [f"{a}{b}" for a in WORDS for b in WORDS][:600]
    data = opened([*many, "bar☃"])
    assert "☃" not in data.spec.symbols  # type: ignore[union-attr]
    assert "1 characters are rare (in fewer than 5 texts) or too many" in data.notes
    assert [(one.path, one.reason) for one in data.skipped] == [("bar☃", "rare symbols")]


def test_texts_are_brought_to_the_form_of_unicode_that_is_declared() -> None:
    split = [f"cafe\u0301 {w}" for w in WORDS]
    assert told(opened(split))[0] == f"café {WORDS[0]}"
    assert told(opened(split, normalise="as it is"))[0] == split[0]
    wide = [f"Ｗ{w}" for w in WORDS]
    assert told(opened(wide))[0].startswith("Ｗ")
    assert told(opened(wide, normalise="NFKC"))[0].startswith("W")
    assert told(opened([f"  a \t b  {w}" for w in WORDS]))[0] == f"a b {WORDS[0]}"


def test_words_are_units_of_long_lines_and_of_any_when_asked() -> None:
    lines = [f"the {a} sees a {b} and runs" for a in WORDS for b in WORDS]
    data = opened(lines)
    assert isinstance(data.spec, TextSpec)
    assert data.spec.units == "characters"  # of a median below 64
    longer = [f"{line} to the other side of it where the {line[4:8]} was" for line in lines]
    assert opened(longer).spec.units == "words"  # type: ignore[union-attr]
    data = opened(lines, units="words")
    assert told(data)[:3] == lines[:3]
    assert data.spec.shape[1] == 8


def test_pieces_are_learned_and_spell_the_same_texts() -> None:
    pytest.importorskip("tokenizers")
    names = [f"{a}{b}" for a in WORDS for b in WORDS]
    data = opened(names, units="pieces", vocabulary=60, length=20)
    assert set(told(data)) == set(names)
    assert any(len(symbol) > 1 for symbol in data.spec.symbols)  # type: ignore[union-attr]
    assert data.spec.shape[1] < max(map(len, names)) + 1


def test_any_script_will_do() -> None:
    data = open_data("idioms", DataOptions(), cache=Path("unused"))
    texts = told(data)
    assert len(texts) > 20_000
    assert {len(text) for text in texts} == {4}
    assert "一一列举" in texts
    assert len(data.spec.symbols) > 2_000  # type: ignore[union-attr]


def test_named_sets_are_unconditional_unless_asked(tmp_path: Path) -> None:
    assert open_data("first-names", DataOptions(), cache=tmp_path).labels is None
    data = open_data("first-names", DataOptions(labels="yes"), cache=tmp_path)
    assert data.spec.classes == ("female", "male")
    assert len(open_data("names", DataOptions(), cache=tmp_path).items) > 80_000


def test_too_few_texts_are_refused_in_a_line() -> None:
    with pytest.raises(SparringError, match="holds 3 usable texts of 3; expected 20 or more"):
        opened(["a", "b", "c"])
    with pytest.raises(SparringError, match="expected only texts"):
        opened(["a", 3])
    with pytest.raises(SparringError, match=r"cannot read '.*nowhere.txt': No such file"):
        opened("nowhere.txt")
