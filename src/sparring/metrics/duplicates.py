"""How alike samples are among themselves: the share of them that has a near-duplicate."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring.metrics.neighbours import nearest_others

MIN_SAMPLES = 20  # that say something of the rest
NEAREST_SHARE = 0.02  # of reals, whose distance to their neighbours makes two samples duplicates
MAX_REPEATED = 0.5  # share of reals with a duplicate, beyond which fakes' say nothing

Vectors = NDArray[Any] | Tensor  # features or encoded points, (n, d)


def near_duplicate_share(real: Vectors, fake: Vectors) -> float | None:
    """Return the share of fakes that have a near-duplicate: 0.02 of reals have, by definition.

    A near-duplicate is another sample as near as those of the closest fiftieth of as many reals. It
    adapts to the data: to how distances are distributed, and to repeated items. Where a larger
    share of reals is as near as that (equal ones), it is told on a scale on which that share is
    0.02 and everything is 1; None where it is most of them, or there are fewer than 20 samples.

    Args:
        real, fake: in no particular order; of the longer only as many are used as of the other.
    """
    n = min(len(real), len(fake))
    if n < MIN_SAMPLES:
        return None
    of_reals, of_fakes = (nearest_others(side[:n]).distances[:, 0] for side in (real, fake))
    near = np.quantile(of_reals, NEAREST_SHARE)
    among_reals, share = float((of_reals <= near).mean()), float((of_fakes <= near).mean())
    if among_reals > MAX_REPEATED:
        return None
    if share < among_reals:
        return NEAREST_SHARE * share / among_reals
    return 1 - (1 - share) * (1 - NEAREST_SHARE) / (1 - among_reals)
