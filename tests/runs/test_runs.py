"""Run folders: claimed once, found again, written whole, and logged until the disk is full."""

import errno
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from sparring.errors import SparringError
from sparring.runs import folder as runs
from sparring.runs.folder import (
    EventLog,
    RunFolder,
    claim,
    find,
    read_json,
    write_bytes,
    write_json,
    write_text,
)


def full_disk(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def made(root: Path, name: str = "cats") -> RunFolder:
    run = claim(root, name)
    run.update_run(status="running")
    return run


def refused(run: str | Path, root: Path) -> str:
    with pytest.raises(SparringError) as caught:
        find(run, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- claiming


def test_runs_are_numbered_one_after_the_other(tmp_path: Path) -> None:
    names = [claim(tmp_path / "runs", name).name for name in ("cats", "dogs", "cats")]
    assert names == ["0001-cats", "0002-dogs", "0003-cats"]
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == names


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Cats & Dogs", "cats-dogs"),
        ("../../etc", "etc"),
        ("---", "run"),
        ("", "run"),
        ("猫", "run"),
        ("a/b\\c\n", "a-b-c"),
        (".hidden", "hidden"),
    ],
)
def test_a_name_becomes_one_plain_folder_name(tmp_path: Path, name: str, slug: str) -> None:
    run = claim(tmp_path, name)
    assert run.path == tmp_path / f"0001-{slug}"
    assert run.samples.is_dir()
    assert run.checkpoints.is_dir()


def test_a_very_long_name_still_gets_a_folder(tmp_path: Path) -> None:
    run = claim(tmp_path, "x" * 300)
    assert run.path.is_dir()
    assert run.name.startswith("0001-xxx")
    assert [p.name for p in tmp_path.iterdir()] == [run.name]


def test_a_number_in_use_is_never_given_again(tmp_path: Path) -> None:
    for name in ("0007-old", "0003", "12000-many", "notes", "99-not-ours"):
        (tmp_path / name).mkdir()
    (tmp_path / "20000-file").touch()
    assert claim(tmp_path, "new").name == "12001-new"


def test_what_a_killed_claim_left_over_does_no_harm(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / ".0002").mkdir()
    assert claim(tmp_path, "next").name == "0003-next"
    (tmp_path / ".0009").mkdir()
    assert find("latest", tmp_path).name == "0003-next"
    assert "no run '9'" in refused("9", tmp_path)


def test_eight_at_once_get_eight_numbers(tmp_path: Path) -> None:
    start = Barrier(8)

    def work(worker: int) -> list[str]:
        start.wait()
        return [claim(tmp_path, f"run {worker % 2}").name for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        names = [name for part in pool.map(work, range(8)) for name in part]
    numbers = sorted(int(name.split("-")[0]) for name in names)
    assert len(names) == 40
    assert len(set(numbers)) == 40
    assert len([p for p in tmp_path.iterdir() if not p.name.startswith(".")]) == 40


@pytest.mark.parametrize("other", ["cats", "dogs"])
def test_a_claim_by_another_between_looking_and_taking_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    look = runs._numbered
    rivals: list[RunFolder] = []

    def slow_look(root: Path, *, reserved: bool = False) -> Any:
        seen = look(root, reserved=reserved)
        if not rivals:
            rivals.append(RunFolder(tmp_path))
            rivals[0] = claim(tmp_path, other)
        return seen

    monkeypatch.setattr(runs, "_numbered", slow_look)
    mine = claim(tmp_path, "cats")
    assert {mine.name.split("-")[0], rivals[0].name.split("-")[0]} == {"0001", "0002"}


# ---- finding


def test_a_run_is_found_by_folder_number_name_and_as_the_latest(tmp_path: Path) -> None:
    first, second = made(tmp_path, "cats"), made(tmp_path, "dogs")
    for name in (first.path, str(first.path), "1", "0001", "0001-cats"):
        assert find(name, tmp_path).path == first.path
    assert find("latest", tmp_path).path == second.path


def test_the_latest_is_the_highest_number_also_beyond_four_digits(tmp_path: Path) -> None:
    for name in ("9999-a", "10000-b"):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "run.json", {})
    assert find("latest", tmp_path).name == "10000-b"
    assert find("9999", tmp_path).name == "9999-a"


def test_a_file_is_no_run(tmp_path: Path) -> None:
    made(tmp_path)
    file = tmp_path / "photo.png"
    file.touch()
    assert "is a file" in refused(file, tmp_path)


def test_another_programs_folder_is_no_run(tmp_path: Path) -> None:
    made(tmp_path)
    folder = tmp_path / "other"
    folder.mkdir()
    assert "not a run" in refused(folder, tmp_path)


def test_a_missing_run_is_refused_with_the_newest_there_are(tmp_path: Path) -> None:
    for k in range(7):
        made(tmp_path, f"n{k}")
    message = refused("42", tmp_path)
    assert "0007-n6" in message
    assert "0001-n0" not in message


def test_without_any_run_the_way_to_the_first_is_told(tmp_path: Path) -> None:
    for run in ("latest", "1", "cats"):
        assert "sparring train" in refused(run, tmp_path / "missing")


@pytest.mark.parametrize("run", ["²", "٣x", "x" * 300, "9" * 300, "a\x00b", "", "two\nlines", "-1"])
def test_an_odd_name_of_a_run_is_one_line(tmp_path: Path, run: str) -> None:
    made(tmp_path)
    refused(run, tmp_path)


# ---- events


def logged(run: RunFolder) -> list[dict[str, Any]]:
    return [{k: v for k, v in event.items() if k != "time"} for event in run.read_events()]


def test_events_come_back_in_order_with_their_time(tmp_path: Path) -> None:
    run = made(tmp_path)
    log = EventLog(run.events)
    log("started", seed=1)
    log("tick", images=10, loss=0.5)
    assert logged(run) == [
        {"event": "started", "seed": 1},
        {"event": "tick", "images": 10, "loss": 0.5},
    ]
    times = [event["time"] for event in run.read_events()]
    assert times == sorted(times)
    assert times[0] > 1.6e9


def test_no_log_is_no_events(tmp_path: Path) -> None:
    assert logged(made(tmp_path)) == []


def test_a_last_line_cut_short_is_left_out_and_mended_by_the_next_writer(tmp_path: Path) -> None:
    run = made(tmp_path)
    EventLog(run.events)("tick", images=10)
    with run.events.open("ab") as file:
        file.write(b'{"event": "tick", "ima')
    assert logged(run) == [{"event": "tick", "images": 10}]
    EventLog(run.events)("tick", images=20)
    assert logged(run) == [{"event": "tick", "images": 10}, {"event": "tick", "images": 20}]


def test_lines_that_are_no_events_are_left_out(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.events.write_bytes(
        b'[1]\n7\nnull\n\n{"no": "event"}\n\xff\xfe\n{"event": "tick", "images": 1}\n'
    )
    assert logged(run) == [{"event": "tick", "images": 1}]


def test_a_resume_discards_what_came_after_it(tmp_path: Path) -> None:
    run = made(tmp_path)
    log = EventLog(run.events)
    log("started")
    for images in (10, 20, 30):
        log("tick", images=images)
    log("resumed", images=20)
    log("tick", images=25)
    log("resumed", images=20)
    log("tick", images=27)
    assert [(e["event"], e.get("images")) for e in logged(run)] == [
        ("started", None),
        ("tick", 10),
        ("tick", 20),
        ("resumed", 20),
        ("resumed", 20),
        ("tick", 27),
    ]


def test_a_resume_within_the_phase_before_the_game_discards_what_came_after_it(
    tmp_path: Path,
) -> None:
    run = made(tmp_path)
    log = EventLog(run.events)
    for prepared in (128, 256, 384):
        log("preparation", images=0, prepared=prepared)
    log("resumed", images=0, prepared=256)
    log("preparation", images=0, prepared=384)
    log("tick", images=10)
    log("resumed", images=10, prepared=384)
    standing = [(e["event"], e.get("prepared")) for e in logged(run)]
    assert standing == [
        ("preparation", 128),
        ("preparation", 256),
        ("resumed", 256),
        ("preparation", 384),
        ("tick", None),
        ("resumed", 384),
    ]


@pytest.mark.parametrize("line", ['{"event": "resumed"}', '{"event": "resumed", "images": "x"}'])
def test_a_resume_that_does_not_say_from_where_discards_nothing(tmp_path: Path, line: str) -> None:
    run = made(tmp_path)
    EventLog(run.events)("tick", images=10)
    with run.events.open("a") as file:
        file.write(line + "\n")
    assert logged(run)[0] == {"event": "tick", "images": 10}


def test_a_full_disk_silences_the_log_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)
    log = EventLog(run.events)
    log("tick", images=10)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full_disk)
        log("tick", images=20)
    assert log.failure is not None
    assert log.failure.errno == errno.ENOSPC
    log("tick", images=30)
    assert logged(run) == [{"event": "tick", "images": 10}]


def test_a_disk_full_from_the_start_silences_the_log_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)
    run.events.write_bytes(b'{"event": "ti')
    monkeypatch.setattr(Path, "open", full_disk)
    log = EventLog(run.events)
    log("tick", images=10)
    assert log.failure is not None


def test_hostile_text_stays_on_its_line(tmp_path: Path) -> None:
    run = made(tmp_path)
    EventLog(run.events)("skipped", name="a\nb\u2028c\udce9")
    assert logged(run) == [{"event": "skipped", "name": "a\nb\u2028c\udce9"}]
    assert run.events.read_bytes().count(b"\n") == 1


def test_numbers_that_json_does_not_know_do_not_spoil_the_log(tmp_path: Path) -> None:
    """Other readers than Python's refuse a bare NaN."""
    run = made(tmp_path)
    EventLog(run.events)("tick", images=1, loss=float("nan"), rate=float("inf"))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(run.events.read_text(), parse_constant=refuse)


# ---- files


@pytest.mark.parametrize("owner", [(os, "fsync"), (Path, "replace"), (Path, "chmod")], ids=str)
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=repr)
def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, fault: BaseException
) -> None:
    path = tmp_path / "run.json"
    write_text(path, "before")

    def fail(*_: Any, **__: Any) -> None:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(*owner, fail)
        with pytest.raises(type(fault)):
            write_text(path, "after")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    write_text(path, "after")
    assert path.read_text() == "after"


def test_a_written_file_can_be_read_by_others(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == b"\x00\xff"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_run_json_is_changed_key_by_key(tmp_path: Path) -> None:
    run = claim(tmp_path, "cats")
    run.update_run(status="running", data="猫")
    run.update_run(status="finished")
    assert read_json(run.run) == {"status": "finished", "data": "猫"}
    assert "猫" in run.run.read_text(encoding="utf-8")


# ---- rules


def ruled(root: Path, **rules: Any) -> RunFolder:
    """Return a run with all that `read_run` asks for, and these rules."""
    run = made(root)
    needed = {"reason": "", "data": {}, "versions": {}, "images_per_second": 1.0}
    run.update_run(**needed, **rules)
    return run


def test_a_run_without_a_number_of_rules_has_those_of_version_0_1(tmp_path: Path) -> None:
    assert ruled(tmp_path).rules == 1


def test_a_run_keeps_the_rules_it_was_made_under(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RULES", 3)
    older, newest = ruled(tmp_path, rules=2), ruled(tmp_path, rules=3)
    older.update_run(status="finished")
    assert (older.rules, newest.rules) == (2, 3)
    assert older.read_run()["rules"] == 2


@pytest.mark.parametrize(
    ("key", "words", "known"),
    [("rules", "made under rules", runs.RULES), ("format", "written in format", runs.FORMAT)],
)
def test_rules_and_format_of_a_newer_version_are_refused_in_one_line(
    tmp_path: Path, key: str, words: str, known: int
) -> None:
    run = ruled(tmp_path, **{key: 7})
    for read in (lambda: run.rules, run.read_run, run.refuse_newer):
        with pytest.raises(SparringError) as caught:
            read()
        assert str(caught.value) == (
            f"run '0001-cats' was {words} 7 by a newer sparring; this one knows up to {known}"
        )


@pytest.mark.parametrize("key", ["rules", "format"])
@pytest.mark.parametrize("number", [0, -1, 1.0, True, "1", None, [1]])
def test_a_damaged_number_of_rules_or_format_is_refused(
    tmp_path: Path, key: str, number: Any
) -> None:
    run = ruled(tmp_path, **{key: number})
    for read in (lambda: run.rules, run.read_run, run.refuse_newer):
        with pytest.raises(
            SparringError, match=rf"run\.json' is damaged: it has no proper '{key}'"
        ):
            read()


def test_a_run_of_a_newer_version_is_still_listed(tmp_path: Path) -> None:
    ruled(tmp_path, rules=7)
    ruled(tmp_path)
    assert [line.split()[0] for line in runs.listed(tmp_path)] == ["0001-cats", "0002-cats"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: None, "is missing"),
        (lambda path: path.write_bytes(b"{"), "cannot be read"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda path: path.write_bytes(b"[1]"), "expected an object"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b"[" * 10**5), "cannot be read"),
    ],
    ids=["missing", "cut", "binary", "list", "folder", "nested"],
)
def test_json_that_cannot_be_read_is_one_line(
    tmp_path: Path, harm: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "run.json"
    harm(path)
    with pytest.raises(SparringError, match=re.escape(said)) as caught:
        read_json(path)
    assert "\n" not in str(caught.value)
    assert "run.json" in str(caught.value)
