"""The border of the metrics: features come in as any array and are checked once, here."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sparring.errors import SparringError

Features = NDArray[np.float64]  # (n, d)


def as_features(name: str, array: ArrayLike | Tensor, minimum: int = 2) -> Features:
    """Return features as a float64 array of shape (n, d).

    Args:
        name: of the argument, for the error: `real`, `fake`.
        array: numpy or torch, any real dtype.
        minimum: how many samples the caller needs.

    Raises:
        SparringError: another shape, too few samples, NaN or infinity.
    """
    plain = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
    if plain.ndim != 2 or plain.shape[1] == 0 or plain.dtype.kind not in "fiub":
        raise SparringError(
            f"{name} is {plain.dtype} of shape {plain.shape}; expected features, (samples, width)"
        )
    if len(plain) < minimum:
        raise SparringError(
            f"{name} has {len(plain)} samples; this metric needs at least {minimum}"
        )
    values: Features = np.ascontiguousarray(plain, np.float64)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(1).sum())
        raise SparringError(f"{bad} of {len(values)} samples of {name} hold NaN or infinity")
    return values


def as_pair(
    real: ArrayLike | Tensor, fake: ArrayLike | Tensor, minimum: int = 2
) -> tuple[Features, Features]:
    """Return both sets of features, checked to have the same width."""
    x, y = as_features("real", real, minimum), as_features("fake", fake, minimum)
    if x.shape[1] != y.shape[1]:
        raise SparringError(
            f"real has {x.shape[1]} features and fake has {y.shape[1]}; expected the same width"
        )
    return x, y
