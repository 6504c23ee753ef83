"""Draw `pictures/house.png` from the source: which folder imports which, foundations at the bottom.

python docs/make_house.py [FILE]

Boxes are the names of the order of imports (`ORDER` in tests/test_import_order.py), arrows are read
off the source by that test's own functions. An arrow is left out where a longer way says as much.
"""

import runpy
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve
from PIL import Image
from scipy.optimize import linprog

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "house.png"
KINDS = "kinds."  # the name of all folders of kinds in the order
NOT_DRAWN = ("__init__", "__main__")  # they import the rest and hold nothing

INK, GREY, EDGE = "#20262c", "#5a626b", "#8a929a"
PAPER, ROOM, SLAB = "#f4f6f8", "#e3eef7", "#eceae2"
LETTER, LINE, MARGIN = 0.07, 0.155, 0.09  # inches
GAP, ROW_GAP, FOOT, LEGEND = 0.2, 0.42, 1.2, 4.6  # inches
WRAP, ROOM_WRAP = 22, 15  # letters in a line
DPI, COLOURS, SWEEPS = 130, 64, 100
STRAIGHTNESS = (1.0, 2.0, 8.0)  # weights of links with no, one or two ends between boxes

Edges = Mapping[str, frozenset[str]]  # name -> the names that it imports


@dataclass(frozen=True)
class House:
    """Names in the order of imports, which imports which, and the modules of each."""

    names: tuple[str, ...]
    first_row: frozenset[str]
    edges: Edges
    modules: Mapping[str, tuple[str, ...]]

    @cached_property
    def foundation(self) -> tuple[str, ...]:
        """Names that import at most those of the first row; any other may import them."""
        return tuple(name for name in self.names if self.edges[name] <= self.first_row)

    @cached_property
    def arrows(self) -> Edges:
        """Imports between the other names that no longer way implies."""
        upper = {
            name: self.edges[name] - {*self.foundation}
            for name in self.names
            if name not in self.foundation
        }
        return {
            name: frozenset(
                target
                for target in targets
                if not any(target in reached(upper, other) for other in targets - {target})
            )
            for name, targets in upper.items()
        }


def read_house() -> House:
    """Read names and imports off the source, through the test that holds the order."""
    test = runpy.run_path(str(next((ROOT / "tests").rglob("test_import_order.py"))))
    names = tuple(n for row, _ in test["ORDER"] for n in row if n not in NOT_DRAWN)
    edges: dict[str, set[str]] = {name: set() for name in names}
    modules: dict[str, list[str]] = {name: [] for name in names}
    for module in test["MODULES"]:
        if (own := test["part"](module)) in names:
            modules[own].append(module)
            # what still points upwards is an offence that the test names
            above = {test["part"](target) for target, _ in test["imports"](module)} & {*names}
            edges[own] |= {n for n in above if names.index(n) < names.index(own)}
    return House(
        names,
        frozenset(test["ORDER"][0][0]),
        {name: frozenset(targets) for name, targets in edges.items()},
        {name: tuple(found) for name, found in modules.items()},
    )


def reached(edges: Edges, start: str) -> frozenset[str]:
    """Return all names to which imports lead from one."""
    return edges[start].union(*(reached(edges, name) for name in edges[start]))


# ---- layout: rows by the longest way down, then places in the rows that cross few arrows


@dataclass(frozen=True)
class Box:
    """What is drawn for a name, or the place where an arrow passes a row."""

    title: str
    lines: tuple[str, ...] = ()
    rooms: tuple["Box", ...] = ()

    @property
    def width(self) -> float:
        """Inches."""
        if self.rooms:
            return sum(room.width + MARGIN for room in self.rooms) + MARGIN
        letters = max(len(self.title) * 1.25, *map(len, self.lines), 0)
        return letters * LETTER + 2 * MARGIN if self.title else 0.0

    @property
    def height(self) -> float:
        """Inches."""
        inner = max((room.height for room in self.rooms), default=0.0)
        return 2 * MARGIN + LINE * (bool(self.title) * 1.2 + len(self.lines)) + inner


def box_of(name: str, house: House) -> Box:
    """Return the box of a name: its path, and the modules in it."""
    if name == KINDS:
        folders = dict.fromkeys(module.split(".")[1] for module in house.modules[name])
        rooms = tuple(
            Box(f"{folder}/", wrapped(inside(f"kinds.{folder}", house.modules[name]), ROOM_WRAP))
            for folder in folders
            if f"kinds.{folder}.__init__" in house.modules[name]
        )
        return Box("kinds/  one folder for each kind of data; none imports another", (), rooms)
    path = name.replace(".", "/")
    if f"{name}.__init__" not in house.modules[name]:
        return Box(f"{path}.py")
    own = wrapped(inside(name, house.modules[name]))
    return Box(f"{path}/" if own else f"{path}/__init__.py", own)


def inside(package: str, modules: Iterable[str]) -> tuple[str, ...]:
    """Return the modules and folders that lie directly in a package."""
    rest = (module.removeprefix(f"{package}.") for module in modules if module.startswith(package))
    found = (name.partition(".")[0] + "/" * ("." in name) for name in rest)
    return tuple(dict.fromkeys(name for name in found if name != "__init__"))


def wrapped(words: Iterable[str], width: int = WRAP) -> tuple[str, ...]:
    """Return words as lines of at most so many letters."""
    return tuple(textwrap.wrap(" ".join(words), width, break_long_words=False))


def rows_of(arrows: Edges) -> dict[str, int]:
    """Return each name's row, 0 at the bottom: above all that it imports, arrows short."""
    users = {name: [user for user in arrows if name in arrows[user]] for name in arrows}
    rows: dict[str, int] = {}
    for name in sorted(arrows, key=lambda name: len(reached(arrows, name))):
        rows[name] = max((rows[target] + 1 for target in arrows[name]), default=0)
    for name in sorted(arrows, key=rows.__getitem__, reverse=True):
        if len(users[name]) > len(arrows[name]):
            rows[name] = min(rows[user] for user in users[name]) - 1
    return rows


def paths_of(arrows: Edges, rows: Mapping[str, int]) -> list[list[str]]:
    """Return each arrow as the places it passes, one in each row; those to one name may join."""
    return [
        [name, *(f"{target}<{row}" for row in range(rows[name] - 1, rows[target], -1)), target]
        for name, targets in arrows.items()
        for target in sorted(targets)
    ]


def ordered(paths: list[list[str]], rows: Mapping[str, int]) -> list[list[str]]:
    """Return the places of each row, bottom first, in an order in which few arrows cross."""
    places = dict(rows)
    for path in paths:
        places |= {place: rows[path[0]] - i for i, place in enumerate(path)}
    layers = [[p for p in places if places[p] == row] for row in range(max(places.values()) + 1)]
    links = {(upper, lower) for path in paths for upper, lower in pairwise(path)}
    best, fewest = layers, crossings(layers, links)
    for sweep in range(SWEEPS):
        layers = swept(layers, links, upwards=bool(sweep % 2))
        if (count := crossings(layers, links)) < fewest:
            best, fewest = layers, count
    return best


def swept(
    layers: list[list[str]], links: set[tuple[str, str]], *, upwards: bool
) -> list[list[str]]:
    """Order each row by the mean place of its neighbours in the row before it."""
    result = [list(layer) for layer in layers]
    for row in range(1, len(layers)) if upwards else range(len(layers) - 2, -1, -1):
        before = result[row - 1 if upwards else row + 1]
        place = {name: i / len(before) for i, name in enumerate(before)}
        own = {name: i / len(result[row]) for i, name in enumerate(result[row])}

        def mean(
            name: str, place: Mapping[str, float] = place, own: Mapping[str, float] = own
        ) -> float:
            pairs = ((lower, upper) if upwards else (upper, lower) for upper, lower in links)
            near = [place[other] for other, me in pairs if me == name and other in place]
            return sum(near) / len(near) if near else own[name]

        result[row].sort(key=mean)
    return result


def crossings(layers: list[list[str]], links: set[tuple[str, str]]) -> int:
    """Return how many pairs of arrows cross between rows."""
    place = {name: i for layer in layers for i, name in enumerate(layer)}
    row = {name: i for i, layer in enumerate(layers) for name in layer}
    ends = sorted((row[lower], place[upper], place[lower]) for upper, lower in links)
    return sum(
        a[0] == b[0] and (a[1] - b[1]) * (a[2] - b[2]) < 0
        for i, a in enumerate(ends)
        for b in ends[i + 1 :]
    )


def centres(
    layers: list[list[str]], paths: list[list[str]], boxes: Mapping[str, Box]
) -> dict[str, float]:
    """Return the middle of each place along its row, in inches: arrows short, long ones straight.

    A linear program minimises the weighted sideways lengths of all links, while boxes stay apart
    (Gansner 1993, section 4).
    """
    column = {name: i for i, name in enumerate(name for layer in layers for name in layer)}
    width = {name: boxes[name].width if name in boxes else 0.0 for name in column}
    links = sorted({link for path in paths for link in pairwise(path)})
    count, rows, limits = len(column), [], []
    for layer in layers:
        for left, right in pairwise(layer):
            rows.append({column[left]: 1.0, column[right]: -1.0})
            limits.append(-(width[left] + width[right]) / 2 - GAP)
    for i, (upper, lower) in enumerate(links):
        for sign in (1.0, -1.0):
            rows.append({column[upper]: sign, column[lower]: -sign, count + i: -1.0})
            limits.append(0.0)
    table = np.zeros((len(rows), count + len(links)))
    for row, entries in zip(table, rows, strict=True):
        row[list(entries)] = list(entries.values())
    passing = [sum(name not in boxes for name in link) for link in links]
    costs = [0.0] * count + [STRAIGHTNESS[number] for number in passing]
    bounds = [(None, None)] * count + [(0, None)] * len(links)
    found = linprog(costs, A_ub=table, b_ub=limits, bounds=bounds)
    return {name: float(found.x[i]) for name, i in column.items()}


# ---- drawing


def draw(house: House, path: Path) -> None:
    """Write the picture as PNG."""
    rows = rows_of(house.arrows)
    paths = paths_of(house.arrows, rows)
    layers = ordered(paths, rows)
    boxes = {name: box_of(name, house) for name in rows}
    x, y = centres(layers, paths, boxes), heights(layers, boxes)
    left = min(x[name] - box.width / 2 for name, box in boxes.items()) - 2 * MARGIN
    right = max(x[name] + box.width / 2 for name, box in boxes.items()) + 2 * MARGIN
    top = max(y[name] + box.height / 2 for name, box in boxes.items()) + 2 * MARGIN
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(right - left, top + FOOT), dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(left, right), ylim=(-FOOT, top))
        axes.set_axis_off()
        draw_arrows(axes, paths, boxes, x, y)
        for name, box in boxes.items():
            draw_box(axes, box, x[name], y[name], ROOM if name == KINDS else PAPER)
        draw_foundation(axes, house, left, right)
        roof = min(x[name] for name in layers[-1])
        free = left + 2 * MARGIN if roof > (left + right) / 2 else right - LEGEND
        draw_legend(axes, free, top - 2 * MARGIN)
        file = BytesIO()
        figure.savefig(file, format="png")
    Image.open(file).convert("RGB").quantize(COLOURS).save(path, format="PNG", optimize=True)


def heights(layers: list[list[str]], boxes: Mapping[str, Box]) -> dict[str, float]:
    """Return the middle of each place across the rows, in inches."""
    y: dict[str, float] = {}
    bottom = 0.0
    for layer in layers:
        high = max(boxes[name].height for name in layer if name in boxes)
        y |= dict.fromkeys(layer, bottom + high / 2)
        bottom += high + ROW_GAP
    return y


def draw_box(axes: Axes, box: Box, x: float, y: float, colour: str) -> None:
    """Draw a box about its middle, its title in bold, and what is inside."""
    low, left = y - box.height / 2, x - box.width / 2
    shape = FancyBboxPatch(
        (left, low),
        box.width,
        box.height,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=colour,
        edgecolor=EDGE,
        linewidth=0.8,
        zorder=3,
    )
    axes.add_patch(shape)
    top = y + box.height / 2 - MARGIN - LINE * 0.6
    axes.text(
        x, top, box.title, ha="center", va="center", size=9.5, weight="bold", color=INK, zorder=4
    )
    for i, line in enumerate(box.lines):
        at = top - LINE * (i + 1.1)
        axes.text(x, at, line, ha="center", va="center", size=8, color=GREY, zorder=4)
    at = left + MARGIN
    for room in box.rooms:
        high = low + MARGIN / 2 + max(r.height for r in box.rooms) - room.height / 2
        draw_box(axes, room, at + room.width / 2, high, "white")
        at += room.width + MARGIN


def draw_arrows(
    axes: Axes,
    paths: list[list[str]],
    boxes: Mapping[str, Box],
    x: Mapping[str, float],
    y: Mapping[str, float],
) -> None:
    """Draw each arrow as one curve from the box that imports to the box that is imported."""
    out: dict[str, list[str]] = {}
    into: dict[str, list[str]] = {}
    for path in paths:
        out.setdefault(path[0], []).append(path[1])
        into.setdefault(path[-1], []).append(path[-2])

    def port(name: str, neighbours: list[str], neighbour: str) -> float:
        order = sorted(neighbours, key=x.__getitem__)
        share = (order.index(neighbour) + 1) / (len(order) + 1) - 0.5
        return x[name] + share * boxes[name].width * 0.8

    high = {at: max(boxes[n].height for n in boxes if y[n] == at) / 2 for at in {*y.values()}}
    for path in paths:
        first, last = path[0], path[-1]
        start, end = port(first, out[first], path[1]), port(last, into[last], path[-2])
        points = [(start, y[first] - boxes[first].height / 2), (start, y[first] - high[y[first]])]
        for place in path[1:-1]:
            row = y[place]
            points += [(x[place], row + high[row]), (x[place], row - high[row])]
        points += [(end, y[last] + high[y[last]]), (end, y[last] + boxes[last].height / 2)]
        axes.add_patch(
            FancyArrowPatch(
                path=curve(list(dict.fromkeys(points))),
                arrowstyle="-|>,head_length=4,head_width=2",
                color=EDGE,
                linewidth=0.9,
                zorder=2,
            )
        )


def curve(points: list[tuple[float, float]]) -> Curve:
    """Return a curve that leaves and enters every point downwards."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        vertices += [(x0, middle), (x1, middle), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    return Curve(vertices, codes)


def draw_foundation(axes: Axes, house: House, left: float, right: float) -> None:
    """Draw what any name may import as one slab below the rest."""
    files = "   ".join(f"{name.replace('.', '/')}.py" for name in house.foundation)
    width = right - left - 4 * MARGIN
    slab = FancyBboxPatch(
        (left + 2 * MARGIN, -0.95),
        width,
        0.6,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=SLAB,
        edgecolor=EDGE,
        linewidth=0.8,
    )
    axes.add_patch(slab)
    x = (left + right) / 2
    axes.text(x, -0.53, files, ha="center", va="center", size=9.5, weight="bold", color=INK)
    text = "import nothing but each other; any box may import them"
    axes.text(x, -0.77, text, ha="center", va="center", size=8, color=GREY)


def draw_legend(axes: Axes, x: float, y: float) -> None:
    """Say what boxes and arrows mean."""
    text = (
        "A box is a folder or a module of src/sparring, with what lies in it.\n"
        "An arrow leads from what imports to what is imported;\n"
        "it is left out where a longer way says as much."
    )
    axes.text(x, y, text, ha="left", va="top", size=9, color=INK, linespacing=1.5)


if __name__ == "__main__":
    draw(read_house(), Path(sys.argv[1]) if sys.argv[1:] else PICTURE)
