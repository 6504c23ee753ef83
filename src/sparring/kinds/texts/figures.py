"""Pictures of texts: quality against diversity, beside what is compared with.

matplotlib is slow to import: import this module where it is used.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparring.kinds.texts.card import (
    GENERATOR,
    GRAMS,
    LIKELIHOOD,
    NGramScorers,
    SamplesAtTemperature,
    TextSets,
)
from sparring.plotting import DPI, FAKE, GREEN, ORANGE, REAL, figure_png, style

COLOURS = {GENERATOR: FAKE, LIKELIHOOD: ORANGE, GRAMS: GREEN}


def draw_curve(sets: TextSets, scorers: NGramScorers) -> bytes:
    """Return a PNG of quality against diversity at several temperatures, with intervals."""
    with mpl.rc_context(style(7)):
        figure = Figure((5.4, 3.8), dpi=2 * DPI, layout="constrained")
        axes = figure.subplots()
        for whose, samples in sets.curves.items():
            _curve(axes, whose, samples, scorers)
        natural = sets.train[: len(sets.fake)]
        real = scorers.quality(sets.held_out).value, scorers.diversity(natural).value
        axes.plot(*real, "*", color=REAL, ms=9, label="real texts")
        if GRAMS in sets.baselines:
            grams = sets.baselines[GRAMS]
            point = scorers.quality(grams).value, scorers.diversity(grams).value
            axes.plot(*point, "s", color=COLOURS[GRAMS], ms=4, label=GRAMS)
        axes.set_xlabel("bits of its texts by a model of real ones (quality: left is better)")
        axes.set_ylabel("bits of real texts by a model of its (diversity: down is better)")
        axes.legend(frameon=False)
        return figure_png(figure)


def _curve(
    axes: Axes, whose: str, samples: Sequence[SamplesAtTemperature], scorers: NGramScorers
) -> None:
    estimates = [(scorers.quality(s.texts), scorers.diversity(s.texts)) for s in samples]
    points = np.array([[estimate.value for estimate in pair] for pair in estimates])
    reach = np.array([[estimate.high - estimate.value for estimate in pair] for pair in estimates])
    look: dict[str, Any] = {"color": COLOURS[whose], "label": whose, "lw": 1, "ms": 3}
    axes.errorbar(points[:, 0], points[:, 1], reach[:, 1], reach[:, 0], "o-", **look)
    for sample, point in zip(samples, points, strict=True):
        axes.annotate(f"{sample.temperature:g}", tuple(point), (3, 3), textcoords="offset points")
