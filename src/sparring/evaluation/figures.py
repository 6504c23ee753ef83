"""The pictures of an evaluation: samples and data that say most, chosen by features, not by hand.

How near a sample is to the data is told in units of the data's own distances there: the plain
distance would call every simple item near (of handwritten digits, the ones).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from sparring.kinds import kind_of
from sparring.metrics.arrays import Features
from sparring.metrics.neighbours import Neighbours, nearest, nearest_others
from sparring.plotting import DPI, FAKE, SLATE, figure_png, margins, style
from sparring.runs.folder import write_bytes
from sparring.spec import Spec

MAX_SHOWN, COLUMNS = 32, 8
NEIGHBOURS = 5
Items = NDArray[Any]


@dataclass(frozen=True, eq=False)
class FeaturedItems:
    """Some rows of items, and the features of these rows."""

    items: Items
    rows: NDArray[np.int64]
    features: Features

    def at(self, chosen: NDArray[np.int64]) -> Items:
        """Return the items with these features."""
        return np.asarray(self.items[self.rows[chosen]])


def write_figures(
    folder: Path,
    fake: FeaturedItems,
    real: FeaturedItems,
    memorization: tuple[FeaturedItems, FeaturedItems] | None,
    spec: Spec,
) -> None:
    """Write `evaluation-*.png`: typical, untypical, nearest, missed, feature.

    Args:
        folder: that they are written into.
        fake: samples.
        real: data to judge by.
        memorization: samples and training data, by features that no training data taught; None
            where nobody says what these are.
        spec: of all of them.
    """
    to_real = _relative(nearest(fake.features, real.features, _k(real)), real.features)
    order = np.argsort(to_real)
    to_fake = nearest(real.features, fake.features, _k(fake)).distances.mean(1)
    missed = np.argsort(-to_fake / _spacing(real.features))[:MAX_SHOWN]
    chosen = {
        "typical": fake.at(order[:MAX_SHOWN]),
        "untypical": fake.at(order[::-1][:MAX_SHOWN]),
        "missed": real.at(missed),
    }
    if memorization is not None:
        chosen["nearest"] = _nearest_pairs(*memorization)
    for name, items in chosen.items():
        kind_of(spec).output.write_picture(items, spec, folder / f"evaluation-{name}.png", COLUMNS)
    picture = draw_most_different_feature(real.features, fake.features)
    write_bytes(folder / "evaluation-feature.png", picture)


def _nearest_pairs(fake: FeaturedItems, train: FeaturedItems) -> Items:
    """Return a row of the samples nearest to training data, above a row of that data."""
    neighbours = nearest(fake.features, train.features)
    distance = neighbours.distances[:, 0] / _spacing(train.features)[neighbours.indices[:, 0]]
    closest = np.argsort(distance)[:COLUMNS]
    return np.concatenate([fake.at(closest), train.at(neighbours.indices[closest, 0])])


def _relative(neighbours: Neighbours, reference: Features) -> NDArray[np.float64]:
    """Return mean distances to neighbours, over what these neighbours are from each other."""
    distances = neighbours.distances / _spacing(reference)[neighbours.indices]
    return np.asarray(distances.mean(1))


def _spacing(features: Features) -> NDArray[np.float64]:
    """Return how far each row is from its neighbours among the others; never 0."""
    distance = nearest_others(features, min(NEIGHBOURS, len(features) - 1)).distances.mean(1)
    floor: np.float64 = np.median(distance) / 100 + np.finfo(float).tiny
    return np.asarray(np.maximum(distance, floor))


def _k(of: FeaturedItems) -> int:
    return min(NEIGHBOURS, len(of.features))


def draw_most_different_feature(real: NDArray[Any], fake: NDArray[Any]) -> bytes:
    """Return a PNG of the one feature whose laws differ most, by the Kolmogorov distance.

    Args:
        real: features (n, d).
        fake: features (m, d).
    """
    distances = [
        ks_2samp(real[:, j], fake[:, j], method="asymp").statistic for j in range(real.shape[1])
    ]
    worst = int(np.argmax(distances))
    both = np.concatenate([real[:, worst], fake[:, worst]])
    low, high = np.quantile(both, [0.002, 0.998])
    edges = np.linspace(low, high, 50).tolist()
    with mpl.rc_context(style(8)):
        figure = Figure(figsize=(5.44, 3.4), dpi=DPI)
        axes = figure.subplots(gridspec_kw=margins(1))
        axes.hist(real[:, worst], edges, density=True, color=SLATE, alpha=0.35, label="real")
        axes.hist(
            fake[:, worst],
            edges,
            density=True,
            histtype="step",
            color=FAKE,
            label="samples",
            lw=1.4,
        )
        axes.set(
            title=f"feature {worst}: Kolmogorov distance {distances[worst]:.2f}",
            ylabel="density",
            yscale="log",  # many features are mostly 0
        )
        axes.legend(frameon=False)
        return figure_png(figure)
