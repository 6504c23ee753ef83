"""The pictures of an evaluation: samples and data that say most, chosen by features, not by hand.

How near a sample is to the data is told in units of the data's own distances there: the plain
distance would call every simple item near (of handwritten digits, the ones).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.landscapes import draw_most_different
from sparring.metrics.arrays import Features
from sparring.metrics.neighbours import Neighbours, nearest, nearest_others
from sparring.metrics.tables import coded
from sparring.runs import write_bytes
from sparring.saving import picture_of
from sparring.sound_card import DISTRIBUTIONS, Properties
from sparring.spec import Spec, TableSpec
from sparring.table_card import MOST, Rows, first_columns

SHOWN, COLUMNS = 32, 8
NEIGHBOURS = 5
Items = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Seen:
    """Some rows of items, and the features of these rows."""

    items: Items
    rows: NDArray[np.int64]
    features: Features

    def at(self, chosen: NDArray[np.int64]) -> Items:
        """Return the items with these features."""
        return np.asarray(self.items[self.rows[chosen]])


def write_exhibits(
    folder: Path, fake: Seen, real: Seen, witnessed: tuple[Seen, Seen], spec: Spec
) -> None:
    """Write `evaluation-*.png`: typical, untypical, nearest, missed, feature.

    Args:
        folder: of the run's samples.
        fake: samples.
        real: data to judge by.
        witnessed: samples and training data, by features that no training data taught.
        spec: of all of them.
    """
    to_real = _relative(nearest(fake.features, real.features, _k(real)), real.features)
    order = np.argsort(to_real)
    to_fake = nearest(real.features, fake.features, _k(fake)).distances.mean(1)
    missed = np.argsort(-to_fake / _own(real.features))[:SHOWN]
    chosen = {
        "typical": fake.at(order[:SHOWN]),
        "untypical": fake.at(order[::-1][:SHOWN]),
        "nearest": _twins(*witnessed),
        "missed": real.at(missed),
    }
    for name, items in chosen.items():
        picture_of(items, spec, folder / f"evaluation-{name}.png", COLUMNS)
    picture = draw_most_different(real.features, fake.features)
    write_bytes(folder / "evaluation-feature.png", picture)


def write_table_exhibits(folder: Path, rows: Rows, spec: TableSpec) -> None:
    """Write `evaluation-columns.png` and `-associations.png`: held-out rows and samples."""
    from sparring.marginals import draw_associations, draw_columns

    picture = draw_columns(spec, rows.held_out, rows.fake)
    write_bytes(folder / "evaluation-columns.png", picture)
    some = first_columns(rows)
    pairs = draw_associations(*coded(some.held_out.head(MOST), some.fake.head(MOST)))
    write_bytes(folder / "evaluation-associations.png", pairs)


def write_sound_exhibit(folder: Path, real: Properties, fake: Properties) -> None:
    """Write `evaluation-properties.png`: how bright, loud and long real sounds and samples are."""
    from sparring.sonograms import draw_properties

    shown = ({name: one[name] for name in DISTRIBUTIONS} for one in (real, fake))
    write_bytes(folder / "evaluation-properties.png", draw_properties(*shown))


def _twins(fake: Seen, train: Seen) -> Items:
    """Return a row of the samples nearest to training data, above a row of that data."""
    found = nearest(fake.features, train.features)
    apart = found.distances[:, 0] / _own(train.features)[found.indices[:, 0]]
    closest = np.argsort(apart)[:COLUMNS]
    return np.concatenate([fake.at(closest), train.at(found.indices[closest, 0])])


def _relative(found: Neighbours, reference: Features) -> NDArray[np.float64]:
    """Return mean distances to neighbours, over what these neighbours are from each other."""
    apart: NDArray[np.float64] = (found.distances / _own(reference)[found.indices]).mean(1)
    return apart


def _own(features: Features) -> NDArray[np.float64]:
    """Return how far each row is from its neighbours among the others; never 0."""
    apart = nearest_others(features, min(NEIGHBOURS, len(features) - 1)).distances.mean(1)
    floor: np.float64 = np.median(apart) / 100 + np.finfo(float).tiny
    return np.asarray(np.maximum(apart, floor))


def _k(seen: Seen) -> int:
    return min(NEIGHBOURS, len(seen.features))
