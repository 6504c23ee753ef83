"""Line charts as SVG text.

Inside: `line_chart`, and what it is made of: gaps, thinning, axes, legend. Pure functions.
Not inside: which numbers deserve a chart and what they mean (`curves`), the page (`page`).

Colours come from the page's custom properties `--line-0` … `--line-5`, each with a fallback; the
rest is drawn in the colour of the text around the chart, so that it suits a dark page as well.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby
from typing import NamedTuple

from sparring.report.words import number, short, spaced

WIDTH, HEIGHT = 360.0, 230.0  # of the picture, in its own units; it scales with the page
BUCKETS = 120  # neighbouring points are drawn together when there are more
MAX_SIZE, MIN_SIZE = 1e300, 1e-300  # beyond, differences and ratios of floats fail
ROW, LETTER = 15.0, 6.2  # height of a line of text, mean width of a letter
BOTTOM = HEIGHT - 32  # of the plot
COLOURS = ("#0072b2", "#d55e00", "#00795a", "#a8478a", "#5f6368", "#8a6d00")
Interval = tuple[float | None, float | None]  # low and high
DASHES = ("none", "7 3", "none", "2 2.5", "none", "9 3 2 3")


@dataclass(frozen=True)
class Series:
    """A named curve of its own points; what is not a finite number leaves a gap."""

    name: str
    x: Sequence[float | None]
    y: Sequence[float | None]
    style: int | None = None  # colour and dash; by position when not given
    intervals: Sequence[Interval | None] = ()  # around each y; none at all, or one for each


class Point(NamedTuple):
    """A finite point of an unbroken stroke, and the interval around it."""

    stroke: int
    x: float
    low: float
    y: float
    high: float


@dataclass(frozen=True)
class Reference:
    """A horizontal line where theory expects a curve."""

    value: float
    label: str


class Bucket(NamedTuple):
    """Neighbouring points of one unbroken stroke: where, the mean, and the extremes."""

    stroke: int
    x: float
    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Axis:
    """Maps `low..high` of the data to `start..end` of the picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies in the picture; what no logarithm reaches, at the start."""
        inside = max(value, self.low) if self.log else value
        low, high, at = map(math.log10 if self.log else float, (self.low, self.high, inside))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return round values inside the axis, with their labels."""
        if self.log:
            return [(tick, short(tick)) for tick in powers_of_ten(self.low, self.high)]
        values = round_ticks(self.low, self.high)
        return list(zip(values, spaced(values), strict=True))


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    references: Sequence[Reference] = (),
    reach: Sequence[float] = (),
    log: bool = False,
) -> str:
    """Draw curves over a common x, which begins at 0, as one `<svg>` element.

    Args:
        series: the curves, each of its own points.
        title: of the chart, for those who cannot see it.
        x_label: what is counted.
        y_label: what was measured.
        references: where theory expects a curve.
        reach: values that a linear y axis holds, whatever was measured.
        log: asks for a logarithmic y axis; it is used where all values are positive and span two
            powers of ten.

    Intervals are a band; more than `BUCKETS` points are their mean in a band of their extremes.
    """
    curves = [thin(line) for line in series]
    if not any(curves):
        return _frame(title, "no values yet", _text(WIDTH / 2, HEIGHT / 2, "no values yet"))
    legend, top = _legend(series)
    y = _y_axis(curves, references, reach, top + ROW, log)
    left = 12 + _width(label for _, label in y.ticks())
    right = WIDTH - 14 - _width(reference.label for reference in references)
    x = axis_over((0.0, *(bucket.x for curve in curves for bucket in curve)), left, right)
    labels = _text(left, top + 4, f"{y_label} (log scale)" if y.log else y_label, anchor="start")
    labels += _text(right, HEIGHT - 4, x_label, anchor="end")
    styles = _styles(series)
    drawn = (_curve(curve, x, y, style) for curve, style in zip(curves, styles, strict=True))
    body = [legend, labels, _grid(x, y), *drawn, _references(references, x, y)]
    return _frame(title, describe(series), "".join(body))


def _width(labels: Iterable[str]) -> float:
    return LETTER * max(map(len, labels), default=0)


def thin(series: Series) -> list[Bucket]:
    """Return the curve as at most a few hundred buckets; extremes survive, gaps stay gaps."""
    points = _strokes(series)
    size = max(1, math.ceil(len(points) / BUCKETS))
    whole = len({point.stroke for point in points}) > BUCKETS  # more gaps than room: only dots
    groups = groupby(
        enumerate(points), key=lambda p: (p[0] // size, p[0] // size if whole else p[1].stroke)
    )
    return [_bucket(stroke, [point for _, point in group]) for (_, stroke), group in groups]


def _strokes(series: Series) -> list[Point]:
    """Number the unbroken strokes: a gap, or time running backwards, begins a new one."""
    points: list[Point] = []
    stroke, last = 0, -math.inf
    intervals = series.intervals or [None] * len(series.y)
    for x, y, interval in zip(
        map(_drawable, series.x), map(_drawable, series.y), intervals, strict=True
    ):
        if x is None or y is None or x < last:
            stroke += 1
        last = last if x is None else x
        if x is not None and y is not None:
            low, high = map(_drawable, interval or (y, y))
            points.append(Point(stroke, x, _or(low, y), y, _or(high, y)))
    return points


def _or(value: float | None, instead: float) -> float:
    return instead if value is None else value


def _drawable(value: float | None) -> float | None:
    finite = number(value)
    if finite is None or abs(finite) > MAX_SIZE:
        return None
    return finite if abs(finite) > MIN_SIZE else 0.0


def _bucket(stroke: int, points: list[Point]) -> Bucket:
    n = len(points)
    values = [point.y for point in points]
    x = sum(point.x / n for point in points)
    mean = min(max(sum(y / n for y in values), min(values)), max(values))  # despite rounding
    low, high = min(point.low for point in points), max(point.high for point in points)
    return Bucket(stroke, x, min(low, mean), mean, max(high, mean))


def axis_over(values: Iterable[float], start: float, end: float, margin: float = 0.0) -> Axis:
    """Return an axis that holds the values, also where they are all the same."""
    numbers = list(values)
    low, high = min(numbers), max(numbers)
    if low == high == 0:
        return Axis(0.0, 1.0, start, end)  # mostly of shares: nothing lies below
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        space = abs(high) / 10 or 1.0
    else:
        space = margin * (high - low)
    return Axis(low - space, high + space, start, end)


def log_axis_over(values: Iterable[float], start: float, end: float) -> Axis:
    """Return a logarithmic axis that holds these positive values."""
    numbers = list(values)
    return Axis(min(numbers) / 1.3, max(numbers) * 1.3, start, end, log=True)


def _y_axis(
    curves: list[list[Bucket]],
    references: Sequence[Reference],
    reach: Sequence[float],
    top: float,
    log: bool,
) -> Axis:
    buckets = [bucket for curve in curves for bucket in curve]
    values = [b.mean for b in buckets] + [reference.value for reference in references]
    if log and min(values) > 0 and max(values) / min(values) >= 100:
        return log_axis_over([*values, *(b.high for b in buckets)], BOTTOM, top)
    values += [end for b in buckets for end in (b.low, b.high)]
    axis = axis_over([*values, *reach], BOTTOM, top, margin=0.06)
    ends = [end for end in reach if end == min([*values, *reach])]
    return replace(axis, low=ends[0]) if ends and ends[0] < axis.high else axis


def round_ticks(low: float, high: float, target: int = 6) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten that lie in `low..high`."""
    raw = (high - low) / target
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10, 20) if power * m >= raw)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def powers_of_ten(low: float, high: float, target: int = 6) -> list[float]:
    """Return powers of ten in `low..high`, every k-th where there are many."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    return [10.0**n for n in range(first, last + 1, max(1, math.ceil((last - first) / target)))]


def describe(series: Sequence[Series]) -> str:
    """Tell the curves in words, for those who cannot see them."""
    return " ".join(_in_words(line.name, _strokes(line)) for line in series)


def _in_words(name: str, points: list[Point]) -> str:
    if not points:
        return f"{name}: no values."
    values = [point.y for point in points]
    first, last, low, high = map(short, (values[0], values[-1], min(values), max(values)))
    return f"{name}: from {first} to {last}, lowest {low}, highest {high}."


def _frame(title: str, description: str, body: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" font-size="11" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(f"{title}. {description}")}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{body}</svg>"
    )


def _legend(series: Sequence[Series]) -> tuple[str, float]:
    """Return the legend, wrapped to the width, and the height at which it ends."""
    parts: list[str] = []
    x, y = 2.0, 10.0
    for line, style in zip(series, _styles(series), strict=True):
        name = line.name if len(line.name) <= 40 else line.name[:39] + "…"
        points = _strokes(line)
        latest = short(points[-1].y) if points else "none"
        width = 40 + LETTER * (len(name) + len(latest))
        if x > 2 and x + width > WIDTH:
            x, y = 2.0, y + ROW
        parts.append(_legend_entry(x, y, name, latest, style))
        x += width
    return "".join(parts), y + ROW


def _legend_entry(x: float, y: float, name: str, latest: str, style: str) -> str:
    return (
        f'<path d="M{x:.1f} {y - 4:.1f}h20" fill="none" stroke-width="2.2" style="{style}"/>'
        f'<text x="{x + 25:.1f}" y="{y:.1f}" fill="currentColor">{escape(name)}'
        f' <tspan font-weight="600">{escape(latest)}</tspan></text>'
    )


def _styles(series: Sequence[Series]) -> list[str]:
    """Return colour and dash of each curve; one that is alone needs no dashes."""
    chosen = [i if line.style is None else line.style for i, line in enumerate(series)]
    indices = [index % len(COLOURS) for index in chosen]
    dashes = [DASHES[index] if len(series) > 1 else DASHES[0] for index in indices]
    return [
        f"stroke:var(--line-{index},{COLOURS[index]});stroke-dasharray:{dash}"
        for index, dash in zip(indices, dashes, strict=True)
    ]


def _grid(x: Axis, y: Axis) -> str:
    rows = [
        f'<path d="M{x.start:.1f} {y.place(v):.1f}H{x.end:.1f}" stroke="currentColor" '
        f'stroke-opacity=".14"/>' + _text(x.start - 6, y.place(v) + 4, label, anchor="end")
        for v, label in y.ticks()
    ]
    columns = [_tick(x.place(v), label) for v, label in x.ticks()]
    base = f'<path d="M{x.start:.1f} {BOTTOM:g}H{x.end:.1f}" stroke="currentColor"'
    return "".join([*rows, *columns, f'{base} stroke-opacity=".5"/>'])


def _tick(at: float, label: str) -> str:
    mark = f'<path d="M{at:.1f} {BOTTOM:g}v4" stroke="currentColor" stroke-opacity=".5"/>'
    half = LETTER * len(label) / 2
    return mark + _text(min(at, WIDTH - half), BOTTOM + 15, label)


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor" '
        f'fill-opacity=".72">{escape(text)}</text>'
    )


def _curve(buckets: list[Bucket], x: Axis, y: Axis, style: str) -> str:
    strokes = [list(group) for _, group in groupby(buckets, key=lambda b: b.stroke)]
    colour = style.split(";")[0]
    fill = colour.replace("stroke", "fill", 1)
    band = "".join(_band(stroke, x, y) for stroke in strokes)
    line = "".join(_line([(b.x, b.mean) for b in s], x, y) for s in strokes if len(s) > 1)
    dots = "".join(_dot(stroke[0], x, y) for stroke in strokes if len(stroke) == 1)
    faint = 'fill-opacity=".16" stroke-opacity=".35" stroke-width=".7"'
    return (
        (band and f'<path d="{band}" style="{fill};{colour}" {faint}/>')
        + (line and f'<path d="{line}" fill="none" stroke-width="1.8" style="{style}"/>')
        + (dots and f'<g style="{fill}">{dots}</g>')
    )


def _line(points: list[tuple[float, float]], x: Axis, y: Axis) -> str:
    return "M" + "L".join(f"{x.place(at):.1f} {y.place(value):.1f}" for at, value in points)


def _band(stroke: list[Bucket], x: Axis, y: Axis) -> str:
    if all(b.low == b.high for b in stroke):
        return ""
    there, back = [(b.x, b.high) for b in stroke], [(b.x, b.low) for b in reversed(stroke)]
    return _line(there + back, x, y) + "Z"


def _dot(bucket: Bucket, x: Axis, y: Axis) -> str:
    return f'<circle cx="{x.place(bucket.x):.1f}" cy="{y.place(bucket.mean):.1f}" r="2.2"/>'


def _references(references: Sequence[Reference], x: Axis, y: Axis) -> str:
    ordered = sorted(references, key=lambda r: y.place(r.value))
    heights = _apart([y.place(reference.value) for reference in ordered])
    return "".join(
        f'<path d="M{x.start:.1f} {y.place(r.value):.1f}H{x.end:.1f}" stroke="currentColor" '
        'stroke-opacity=".8" stroke-dasharray="1 3"/>'
        + _text(x.end + 5, at + 4, r.label, anchor="start")
        for r, at in zip(ordered, heights, strict=True)
    )


def _apart(heights: list[float]) -> list[float]:
    """Move labels up, from the lowest on, so that none covers the next."""
    moved: list[float] = []
    for height in reversed(heights):
        moved.append(min(height, moved[-1] - ROW + 2) if moved else height)
    return moved[::-1]
