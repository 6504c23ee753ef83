"""Curves of a run that was really trained, whose events of all kinds lie between each other."""

import json
import math
import shutil
import xml.etree.ElementTree as Tree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import sparring
from sparring.report.curves import draw_curves, read_measurements
from sparring.runs import device
from sparring.runs.folder import EventLog, Json

SVG = "{http://www.w3.org/2000/svg}"
SETTINGS = {"size": "tiny", "threads": 1, "budget": "640-samples", "batch": 32}
OFTEN = {"checkpoint.ticks": 10, "checkpoint.samples_every_ticks": 2, "checkpoint.every_ticks": 5}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sparring.Run]:
    """A healthy run on digits: ten ticks, and a look after each second one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "PROBE_SECONDS", 0.02)
        root = tmp_path_factory.mktemp("runs")
        yield sparring.train("digits", root=root, **SETTINGS, **OFTEN)


@pytest.fixture
def events(trained: sparring.Run) -> list[Json]:
    return list(trained.folder.read_events())


def charts(events: list[Json]) -> dict[str, Tree.Element]:
    drawn = draw_curves(read_measurements(events), "non-saturating", "image")
    return {curve.title: Tree.fromstring(curve.svg) for curve in drawn}


def pieces(chart: Tree.Element) -> list[list[int]]:
    """Return how many points each piece of each curve has; a lone point is a piece of one."""
    lines = [
        path.attrib["d"]
        for path in chart.iter(f"{SVG}path")
        if path.attrib.get("stroke-width") == "1.8"
    ]
    found = [[piece.count("L") + 1 for piece in line[1:].split("M")] for line in lines]
    dots = [[1] for _ in chart.iter(f"{SVG}circle")]
    return found + dots


def bands(chart: Tree.Element) -> int:
    return sum(path.attrib["d"].endswith("Z") for path in chart.iter(f"{SVG}path"))


def test_every_curve_of_a_healthy_run_is_one_piece_with_all_its_points(events: list[Json]) -> None:
    n = Counter(event["event"] for event in events)
    assert (n["tick"], n["observed"]) == (10, 5)
    drawn = charts(events)
    assert {title: pieces(chart) for title, chart in drawn.items()} == {
        "Distance from the data": [[5]],
        "Repeated samples": [[5]],
        "Losses": [[10], [10]],
        "How sure the discriminator is": [[5], [5]],
        "What the discriminator thinks": [[10], [10]],
        "Gradient norms": [[10], [10]],
        "Penalty": [[10]],
        "Learning rate": [[10]],
        "Speed": [[10]],
    }


def test_intervals_are_bands_in_one_piece(trained: sparring.Run, events: list[Json]) -> None:
    drawn = charts(events)
    assert bands(drawn["Distance from the data"]) == 1
    assert bands(drawn["How sure the discriminator is"]) == 2
    assert bands(drawn["Losses"]) == 0
    assert "its 95 % interval" in trained.folder.report.read_text()


def test_a_run_that_goes_on_has_no_seam(trained: sparring.Run, tmp_path: Path) -> None:
    copy = sparring.load(shutil.copytree(trained.path, tmp_path / "runs" / trained.path.name))
    EventLog(copy.folder.events)("tick", images=700, metrics={"generator/loss": 9.0})  # not saved
    copy.resume(budget="+320-samples")
    drawn = charts(list(copy.folder.read_events()))
    assert {len(curve) for chart in drawn.values() for curve in pieces(chart)} == {1}
    assert pieces(drawn["Losses"]) == [[14], [14]]
    assert "highest 9" not in Tree.tostring(drawn["Losses"], "unicode")


def test_a_gap_is_where_a_number_is_missing_and_only_in_its_own_curve(events: list[Json]) -> None:
    ticks = [event for event in events if event["event"] == "tick"]
    ticks[3]["metrics"]["generator/loss"] = None
    del ticks[6]["metrics"]["discriminator/loss"]  # not asked for then: nothing is missing
    looks = [event for event in events if event["event"] == "observed"]
    looks[2]["metrics"]["separation"] = math.nan
    looks[2]["intervals"]["memory"] = [None, None]
    drawn = charts(events)
    assert pieces(drawn["Losses"]) == [[9], [3, 6]]
    assert pieces(drawn["How sure the discriminator is"]) == [[2, 2], [5]]
    assert pieces(drawn["Gradient norms"]) == [[10], [10]]
    assert pieces(drawn["Distance from the data"]) == [[5]]


def test_a_rollback_begins_a_new_piece(events: list[Json]) -> None:
    at = next(i for i, event in enumerate(events) if event.get("images") == 384)
    again = [json.loads(json.dumps(event)) for event in events[at:]]
    rollback = {"event": "rollback", "images": 320, "reason": "not finite", "attempt": 1}
    drawn = charts([*events[: at + 1], rollback, *again])
    assert pieces(drawn["Losses"]) == [[6, 5], [6, 5]]


def test_events_of_a_phase_before_the_game_have_an_axis_of_their_own(events: list[Json]) -> None:
    phase = [
        {"event": "preparation", "prepared": 9_000 * i, "metrics": {"loss": 2.0 - i, "odd": 1.0}}
        for i in range(3)
    ]
    phase[1]["metrics"]["held_out_loss"] = phase[2]["metrics"]["held_out_loss"] = 1.5
    drawn = charts([*phase, *events])
    assert pieces(drawn["Loss before the game"]) == [[3], [2]]
    assert pieces(drawn["Odd before the game"]) == [[3]]  # which nobody foresaw
    for title in ("Loss before the game", "Odd before the game"):
        assert "images learned before the game" in Tree.tostring(drawn[title], "unicode")
    assert pieces(drawn["Losses"]) == [[10], [10]]
    assert "images seen" in Tree.tostring(drawn["Losses"], "unicode")
