"""The code of numbers in runs of version 0.1: quantile functions that go straight between knots."""

import numpy as np
import torch
from torch import Tensor

from sparring.kinds.tables.spec import Column

STEP_MARGIN = 0.02  # of a step's rank interval, kept free of float32's rounding


def ranks(values: Tensor, column: Column, within: Tensor) -> Tensor:
    """Return the ranks of values; one is spread over its resolution, a step over its ranks."""
    at_knots, knots = np.array(column.ranks), np.array(column.knots)
    value, place = values.numpy(), within.numpy()
    u = np.interp(value + column.resolution * (place - 0.5), knots, at_knots)
    level = np.flatnonzero((np.diff(knots) == 0) & (np.diff(at_knots) > 0))
    at = level[np.searchsorted(knots[level], value).clip(max=len(level) - 1)]
    width = at_knots[at + 1] - at_knots[at]
    inner = at_knots[at] + width * (STEP_MARGIN + (1 - 2 * STEP_MARGIN) * place)
    return torch.from_numpy(np.where(knots[at] == value, inner, u))


def at(u: Tensor, column: Column) -> Tensor:
    """Return the values at ranks."""
    values = np.interp(u.numpy(), column.ranks, column.knots)
    return torch.from_numpy(
        values if column.decimals is None else np.round(values, column.decimals)
    )
