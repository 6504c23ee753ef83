"""Pictures of windows of series: tiles of lines, and what dynamics real and generated ones have.

matplotlib is slow to import: import this module where it is used.
"""

from collections.abc import Iterator
from itertools import cycle, islice

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw
from torch import Tensor

from sparring.plotting import BLUE, DPI, FAKE, GREEN, ORANGE, PALE, REAL, SLATE, figure_png, style
from sparring_series.spec import SeriesSpec
from sparring_series.statistics import autocorrelations

COLOURS = (BLUE, ORANGE, GREEN, SLATE)  # of channels, in turn
WIDTH, HEIGHT = 96, 64  # pixels of a tile
FINER = 4  # times; lines are drawn so much larger, then made smooth
REACH = 3.5  # standard deviations from the middle of a tile to its edge
MAX_CHANNELS = 6  # that have panels of their own
PANEL_WIDTH, PANEL_HEIGHT = 2.2, 1.7  # inches
FONT_SIZE = 7


def tiles(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a picture (n, 64, 96, 3) of each sample (n, channels, steps), a line a channel."""
    return np.stack([_tile(sample) for sample in samples])


def _tile(sample: NDArray[np.float32]) -> NDArray[np.uint8]:
    image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), "#ffffff")
    draw = ImageDraw.Draw(image)
    middle = image.height / 2
    draw.line([(0, middle), (image.width, middle)], PALE, FINER)
    x = np.linspace(0, image.width - 1, sample.shape[1])
    for line, colour in zip(sample, colours(len(sample)), strict=True):
        y = middle * (1 - np.nan_to_num(line).clip(-REACH, REACH) / REACH)
        draw.line(np.stack([x, y], 1).ravel().tolist(), ImageColor.getrgb(colour), 5, "curve")
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def colours(channels: int) -> Iterator[str]:
    """Return the colour of each channel."""
    return islice(cycle(COLOURS), channels)


def draw_dynamics(real: Tensor, fake: Tensor, spec: SeriesSpec) -> bytes:
    """Return a PNG: each channel's values and autocorrelations, real and generated.

    Args:
        real: standardised windows (n, channels, steps).
        fake: likewise.
        spec: of both.
    """
    names = spec.channels[:MAX_CHANNELS]
    with mpl.rc_context(style(FONT_SIZE)):
        size = (PANEL_WIDTH * max(len(names), 2), 2 * PANEL_HEIGHT + 0.3)
        figure = Figure(size, dpi=DPI, layout="constrained")
        panels = figure.subplots(2, len(names), squeeze=False)
        both = [(real, REAL, "real"), (fake, FAKE, "generated")]
        for i, (name, colour) in enumerate(zip(names, colours(len(names)), strict=True)):
            panels[0, i].set_title(name, color=colour, fontweight="bold")
            for of, shade, label in both:
                _draw_values(panels[0, i], of[:, i], shade, label)
                _draw_autocorrelations(panels[1, i], of[:, i : i + 1], shade)
        panels[0, 0].set_ylabel("density")
        panels[1, 0].set_ylabel("autocorrelation")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        return figure_png(figure)


def _draw_values(axes: Axes, values: Tensor, colour: str, label: str) -> None:
    bins = np.linspace(-REACH, REACH, 41).tolist()
    filled = label == "real"
    axes.hist(
        values.flatten().clamp(-REACH, REACH).numpy(),
        bins,
        density=True,
        histtype="stepfilled" if filled else "step",
        alpha=0.6 if filled else 1.0,
        color=colour,
        label=label,
    )
    axes.set_yticks([])


def _draw_autocorrelations(axes: Axes, x: Tensor, colour: str) -> None:
    means = autocorrelations(x).mean((0, 1)).numpy()
    axes.plot(range(1, len(means) + 1), means, "o-", color=colour, ms=3, lw=1.2)
    axes.axhline(0, color=PALE, lw=0.8)
    axes.set(ylim=(-1, 1), xlabel="steps later")
