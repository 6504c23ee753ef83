"""The discriminator's last word on rows: how well it tells them from real ones, and by what.

It has played against this generator and knows its training rows; held-out rows and fresh samples
it has never seen.

Notation: x real and y made rows, encoded; a column's drop is what the area loses when its cells
change rows.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from torch import Tensor, nn

from sparring.draws import permutation
from sparring.kinds.tables.codec import UNKNOWN, encode
from sparring.kinds.tables.spec import TableSpec
from sparring.metrics.classifier import auc_estimate
from sparring.metrics.estimate import Estimate

CHUNK = 1024  # rows at once
PERMUTED = 2_000  # rows a side whose cells change places
PERMUTATIONS = 4  # of each column
LEVEL = 0.05  # of naming any column where none gives rows away
LEAST_DROP = 0.005  # of the area, that is worth naming
MAX_NAMED = 3
Floats = NDArray[np.float64]


class Drop(NamedTuple):
    """What the area under the curve loses without a column, and its standard error."""

    column: str
    value: float
    error: float


def told_apart(discriminator: nn.Module, spec: TableSpec, real: Tensor, fake: Tensor) -> Estimate:
    """Return the probability that a discriminator finds a real row more real than a made one.

    Args:
        discriminator: of the table.
        spec: of its rows.
        real, fake: items that it was not trained on; rows with categories that training has never
            seen are left out, for they have no code.
    """
    x, y = (scores(discriminator, encode(known(side, spec), spec)) for side in (real, fake))
    return auc_estimate(x, y)


def given_away_by(
    discriminator: nn.Module, spec: TableSpec, real: Tensor, fake: Tensor
) -> list[str]:
    """Return the columns by which a discriminator knows made rows, the most telling first.

    Those without whose cells its area under the curve is smaller by more than chance, corrected for
    the number of columns.
    """
    drops = permutation_drops(discriminator, spec, real, fake)
    least = norm.ppf(1 - LEVEL / max(len(drops), 1))
    telling = [d for d in drops if d.value > max(least * d.error, LEAST_DROP)]
    return [d.column for d in sorted(telling, key=lambda d: -d.value)][:MAX_NAMED]


def permutation_drops(
    discriminator: nn.Module, spec: TableSpec, real: Tensor, fake: Tensor
) -> list[Drop]:
    """Return the drop of each column that networks see (Breiman 2001).

    Its cells change rows among real and made rows together. The error is that of the difference of
    two areas on the same rows (DeLong 1988).
    """
    sides = [known(side, spec)[:PERMUTED] for side in (real, fake)]
    n, rows = len(sides[0]), encode(torch.cat(sides), spec)
    before = _placements(scores(discriminator, rows), n)
    drops = []
    for name in dict.fromkeys(block.column for block in spec.blocks):
        places = [p for p, at in enumerate(spec.owners) if at == spec.places[name]]
        after = np.mean(
            [
                _placements(scores(discriminator, _permuted(rows, places, name, seed)), n)
                for seed in range(PERMUTATIONS)
            ],
            axis=0,
        )
        lost = before - after
        error = sqrt(lost[:n].var(ddof=1) / n + lost[n:].var(ddof=1) / (len(rows) - n))
        drops.append(Drop(name, float(lost[:n].mean()), error))
    return drops


def known(items: Tensor, spec: TableSpec) -> Tensor:
    """Return the rows (n, k) all of whose categories have a code."""
    categories = [place for place, column in enumerate(spec.learned) if not column.is_number]
    return items[(items[:, categories] != UNKNOWN).all(1)]


@torch.inference_mode()
def scores(discriminator: nn.Module, rows: Tensor) -> Floats:
    """Return logits (n,) of encoded rows, above 0 for what looks real."""
    parts = [discriminator(part, None) for part in torch.split(rows, CHUNK)]
    return np.asarray(torch.cat(parts).double().numpy())


def _permuted(rows: Tensor, places: Sequence[int], name: str, seed: int) -> Tensor:
    order = torch.from_numpy(permutation(seed, f"table importance {name}", len(rows)))
    changed = rows.clone()
    changed[:, places] = rows[order][:, places]
    return changed


def _placements(logits: Floats, n: int) -> Floats:
    """Return for each of n real rows the share of made ones below it, for these that of real ones
    above; ties count half. The mean of either is the area under the curve.
    """
    x, y = logits[:n], logits[n:]
    ranks = rankdata(logits)
    below = (ranks[:n] - rankdata(x)) / len(y)
    above = 1 - (ranks[n:] - rankdata(y)) / n
    return np.concatenate([below, above])
