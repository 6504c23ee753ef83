"""Two checkouts are compared value by value; only what the map explains may differ."""

import json
import shutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[1]
Parts = tuple[ModuleType, ModuleType, ModuleType]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    """Return the modules that read folders, hold the map and compare."""
    monkeypatch.syspath_prepend(ROOT)
    names = ("folders", "rules", "differences")
    folders, rules, differences = (import_module(f"benchmarks.checkouts.{n}") for n in names)
    return folders, rules, differences


def rules_of(parts: Parts, tmp_path: Path, text: str = ""):
    path = tmp_path / "map.toml"
    path.write_text(text)
    return parts[1].read_rules(path)


def left(folder: Path, *, weight: float = 1.0, name: str = "start.weight", **about) -> Path:
    """Write what a case may leave: a tensor, facts, words."""
    folder.mkdir()
    save_file({name: np.full(3, weight, np.float32)}, folder / "model.safetensors")
    (folder / "run.json").write_text(json.dumps({"pid": 1, "notes": ["a note"], **about}))
    (folder / "report.html").write_text("<style>no</style><p>3 points/s</p><text>no</text>")
    return folder


def compared(parts: Parts, tmp_path: Path, rules, **changes):
    before = parts[0].read_folder(left(tmp_path / "before"), tmp_path)
    after = parts[0].read_folder(left(tmp_path / "after", **changes), tmp_path)
    return parts[2].compare(before, after, rules)


def test_what_is_the_same_is_counted_and_nothing_differs(parts, tmp_path: Path) -> None:
    verdict = compared(parts, tmp_path, rules_of(parts, tmp_path))
    assert (verdict.same, verdict.ignored, verdict.differing) == (4, 0, {})


def test_a_tensor_that_moved_by_one_bit_is_told_with_its_distance(parts, tmp_path: Path) -> None:
    near = float(np.nextafter(np.float32(1), np.float32(2)))
    verdict = compared(parts, tmp_path, rules_of(parts, tmp_path), weight=near)
    assert verdict.differing == {
        "model.safetensors:start.weight": [
            "3 float32: 3 differ, by up to 1.19e-07; the largest is 1"
        ]
    }


def test_a_renamed_tensor_is_found_through_the_map_and_missed_without(parts, tmp_path) -> None:
    rules = rules_of(
        parts, tmp_path, "[[key]]\npattern = ':start'\nto = ':stem'\nwhy = 'the usual name'\n"
    )
    assert compared(parts, tmp_path, rules, name="stem.weight").differing == {}
    assert rules.unused() == []
    (tmp_path / "bare").mkdir()
    bare = rules_of(parts, tmp_path / "bare")
    found = compared(parts, tmp_path / "bare", bare, name="stem.weight").differing
    assert list(found) == ["model.safetensors:start.weight", "model.safetensors:stem.weight"]


def test_a_value_may_differ_where_the_map_says_so_and_an_entry_in_vain_is_told(
    parts, tmp_path: Path
) -> None:
    rules = rules_of(
        parts,
        tmp_path,
        "[[ignored]]\nkey = ':pid$'\nwhy = 'a process'\n[[new]]\nkey = 'x'\nwhy = 'nothing'\n",
    )
    verdict = compared(parts, tmp_path, rules, pid=2)
    assert (verdict.ignored, verdict.differing) == (1, {})
    assert [str(entry) for entry in rules.unused()] == ["new: key 'x'"]


def test_a_new_line_moves_no_other_and_is_told_unless_allowed(parts, tmp_path: Path) -> None:
    _, rules, differences = parts
    lines = parts[0].Lines
    before, after = {"told": lines(["a", "b"])}, {"told": lines(["a", "warning: x", "b"])}
    bare = rules.Rules(())
    assert differences.compare(before, after, bare).differing == {"told": ["+ warning: x"]}
    allowed = rules_of(
        parts, tmp_path, "[[line]]\npattern = '^warning'\nwhy = 'it warns of x now'\n"
    )
    assert differences.compare(before, after, allowed).differing == {}


def test_words_and_speeds_are_set_apart_from_what_is_said(parts, tmp_path: Path) -> None:
    rules = rules_of(
        parts,
        tmp_path,
        "[[word]]\npattern = 'colour'\nto = 'color'\nwhy = 'the usual word'\n"
        "[[volatile]]\npattern = '[0-9]+/s'\nwhy = 'speed'\n",
    )
    assert rules.same("colour at 30/s", "color at 45/s")
    assert rules.same("colour at 30/s", "colour at 45/s")  # not renamed here yet
    assert not rules.same("colour at 30/s", "shade at 45/s")


def test_an_entry_without_a_reason_is_refused_and_the_committed_map_is_not(
    parts, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="why"):
        rules_of(parts, tmp_path, "[[volatile]]\npattern = 'x'\n")
    assert parts[1].read_rules(ROOT / "benchmarks/compare_checkouts.toml").entries


def test_only_what_is_read_on_a_page_is_compared(parts, tmp_path: Path) -> None:
    found = parts[0].read_folder(left(tmp_path / "case"), tmp_path)
    assert found["report.html"] == ("3 points/s",)


@pytest.mark.slow
def test_a_changed_loss_and_a_changed_word_are_found(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT)
    compare_checkouts = import_module("benchmarks.compare_checkouts")
    shutil.copytree(ROOT / "src", tmp_path / "src")
    arguments = [str(ROOT), str(tmp_path), "--only", "points/sgd,points/refused-moves"]
    with pytest.raises(SystemExit) as end:
        compare_checkouts.main(arguments)
    assert end.value.code == 0
    for path in (tmp_path / "src/sparring").rglob("*.py"):
        text = path.read_text()
        text = text.replace("softplus(-r) + softplus(f)", "softplus(-r) + 1.001 * softplus(f)")
        path.write_text(text.replace("allows one discriminator move", "allows 1 move"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        compare_checkouts.main(arguments)
    assert end.value.code == 1
    assert "2 of 2 cases differ" in capsys.readouterr().out
