"""Pictures of tables: a panel a column, real rows beside generated ones.

matplotlib is slow to import: import this module where it is used.
"""

from collections.abc import Sequence
from math import ceil

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparring.kinds.tables.codec import values_at
from sparring.kinds.tables.columns import Frame, Series, numbers
from sparring.kinds.tables.metrics import associations, bin_edges
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.metrics.marginals import CodedTable
from sparring.plotting import DPI, FAKE, REAL, figure_png, style

PANEL_WIDTH, PANEL_HEIGHT = 2.5, 1.9  # inches
FONT_SIZE = 7
MAX_ACROSS, MAX_PANELS, MAX_BARS = 4, 24, 10
BINS = 40


def draw_columns(spec: TableSpec, real: Frame | None, fake: Frame | None) -> bytes:
    """Return a PNG with the distribution of each learned column, up to 24 of them.

    Args:
        spec: of both.
        real: rows of the data, or None.
        fake: generated rows, or None.
    """
    columns = spec.shown[:MAX_PANELS]
    across = min(MAX_ACROSS, len(columns))
    down = ceil(len(columns) / across)
    with mpl.rc_context(style(FONT_SIZE)):
        figure = Figure(
            (PANEL_WIDTH * across, PANEL_HEIGHT * down + 0.3), dpi=DPI, layout="constrained"
        )
        panels = np.atleast_1d(figure.subplots(down, across)).ravel()
        for axes, column in zip(panels, columns, strict=False):
            _panel(axes, column, *(f is not None and f[column.name] for f in (real, fake)))
        for axes in panels[len(columns) :]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        return figure_png(figure)


def draw_associations(real: CodedTable, fake: CodedTable) -> bytes:
    """Return a PNG of how strongly each pair of columns is associated, and the difference."""
    edges = bin_edges(real)
    tables = [associations(real, edges), associations(fake, edges)]
    names = [name[:18] for name in real.names]
    side = max(2.6, 0.24 * len(names) + 1.2)
    with mpl.rc_context(style(FONT_SIZE)):
        figure = Figure((3 * side, side), dpi=DPI, layout="constrained")
        for axes, title, values in zip(
            figure.subplots(1, 3, sharey=True),
            ("real rows", "generated rows", "generated − real"),
            (*tables, tables[1] - tables[0]),
            strict=True,
        ):
            signed = title.startswith("generated −")
            image = axes.imshow(
                values, cmap="RdBu_r" if signed else "Blues", vmin=-1 if signed else 0, vmax=1
            )
            axes.set_title(title)
            axes.set_xticks(range(len(names)), names, rotation=90)
            axes.set_yticks(range(len(names)), names)
            figure.colorbar(image, ax=axes, shrink=0.7)
        return figure_png(figure)


def _panel(axes: Axes, column: Column, real: Series | bool, fake: Series | bool) -> None:
    sides = [
        (series, colour, label)
        for series, colour, label in ((real, REAL, "real"), (fake, FAKE, "generated"))
        if series is not False
    ]
    if column.is_number:
        _histograms(axes, column, sides)
    else:
        _bars(axes, column, sides)
    axes.set_title(column.name[:28])
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _histograms(axes: Axes, column: Column, sides: Sequence[tuple[Series, str, str]]) -> None:
    low, high = values_at(torch.tensor([0.002, 0.998]), column).tolist()
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    for series, colour, label in sides:
        values = numbers(series, column)
        missing = float(np.isnan(values).mean())
        inside = values[(values >= edges[0]) & (values <= edges[-1])]
        filled = label == "real"
        axes.hist(
            inside,
            edges.tolist(),
            weights=np.full(len(inside), 1 / len(values)),
            histtype="stepfilled" if filled else "step",
            color=colour,
            alpha=0.45 if filled else 1.0,
            label=label,
        )
        if missing:
            axes.plot([], [], " ", label=f"{label}, {missing:.1%} missing")
    if column.kind == "datetime":
        axes.set_xticks([])


def _bars(axes: Axes, column: Column, sides: Sequence[tuple[Series, str, str]]) -> None:
    cells = [s.astype(object).where(s.notna(), "missing").astype(str) for s, _, _ in sides]
    names = cells[0].value_counts().index[:MAX_BARS]
    at = np.arange(len(names))
    size = 0.8 / len(sides)
    for place, (values, (_, colour, label)) in enumerate(zip(cells, sides, strict=True)):
        shares = values.value_counts(normalize=True).reindex(names).fillna(0).to_numpy()
        axes.bar(at + size * (place + 0.5) - 0.4, shares, size, color=colour, label=label)
    axes.set_xticks(at, [name[:10] for name in names], rotation=30 if len(names) > 3 else 0)
