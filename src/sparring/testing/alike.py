"""Whether samples that took another way are the same: arrays, frames, lists."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def alike(a: Any, b: Any, tolerance: float = 0.0) -> bool:
    """Tell whether two sets of samples agree; numbers may differ by so much."""
    if hasattr(a, "columns") or hasattr(b, "columns"):
        names = list(a.columns) == list(b.columns)
        return names and all(alike(a[name].array, b[name].array, tolerance) for name in a)
    left, right = _values(a), _values(b)
    if left.shape != right.shape:
        return False
    if np.issubdtype(left.dtype, np.number) and np.issubdtype(right.dtype, np.number):
        gap = np.abs(left.astype(np.float64) - right.astype(np.float64))
        return bool(
            (np.isnan(left) == np.isnan(right)).all() and (np.nan_to_num(gap) <= tolerance).all()
        )
    return all(str(x) == str(y) for x, y in zip(left.ravel(), right.ravel(), strict=True))


def _values(samples: Any) -> Any:
    if isinstance(samples, Sequence):
        return np.array(
            [*samples], dtype=object if samples and isinstance(samples[0], str) else None
        )
    values = np.asarray(samples)
    return values.astype(np.float64) if values.dtype.kind == "f" else values
