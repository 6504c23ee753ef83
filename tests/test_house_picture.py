"""The picture of the house: it can be drawn from the source as it is, and no boxes overlap."""

import runpy
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SCRIPT = next(p for p in Path(__file__).parents if (p / "docs").is_dir()) / "docs/make_house.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def house(script: dict[str, Any]) -> Any:
    return script["read_house"]()


def test_every_name_of_the_order_is_in_the_picture(script, house, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert {*house.foundation, *house.arrows} == {*house.names}
    assert all(house.modules[name] for name in house.names)
    script["draw"](house, tmp_path / "house.png")
    with Image.open(tmp_path / "house.png") as picture:
        assert picture.format == "PNG"
        assert 1000 < picture.width < 2000


def test_arrows_lead_down_and_say_all_that_is_imported(script, house) -> None:  # type: ignore[no-untyped-def]
    reached = script["reached"]
    rows = script["rows_of"](house.arrows)
    assert all(rows[name] > rows[to] for name, targets in house.arrows.items() for to in targets)
    for name, targets in house.arrows.items():
        assert reached(house.arrows, name) | {*house.foundation} >= house.edges[name]
        assert not any(reached(house.arrows, other) & targets for other in targets)


def test_no_two_boxes_overlap(script, house) -> None:  # type: ignore[no-untyped-def]
    rows = script["rows_of"](house.arrows)
    paths = script["paths_of"](house.arrows, rows)
    layers = script["ordered"](paths, rows)
    boxes = {name: script["box_of"](name, house) for name in rows}
    x, y = script["centres"](layers, paths, boxes), script["heights"](layers, boxes)
    for a, b in combinations(boxes, 2):
        beside = abs(x[a] - x[b]) >= (boxes[a].width + boxes[b].width) / 2
        apart = abs(y[a] - y[b]) >= (boxes[a].height + boxes[b].height) / 2
        assert beside or apart, (a, b)
