"""Series cut into windows, of which some are held out: no step is in windows of both parts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sparring.data import split
from sparring.data.dataset import no_progress

MANY_SERIES = split.MIN_ITEMS_TO_SPLIT  # from which on whole series are held out
MAX_PARTS = 8  # of one series that are held out
MIN_WINDOWS_OF_A_PART = 4  # end to end
Series = NDArray[np.float32]  # (steps, channels)


class Windows(NamedTuple):
    """Windows (n, steps, channels) of all series in order, and which are held out."""

    items: NDArray[np.float32]
    held_out: NDArray[np.bool_]  # (n,)


def cut(series: Sequence[Series], steps: int, stride: int, share: float) -> Windows:
    """Cut series into windows, a new one each `stride` steps, and hold out a share.

    Of many series whole ones are held out, by their content. Of few, parts of each, evenly spread
    over it; windows that lie in such a part and beside it are left out.
    """
    marked = [
        np.concatenate([one, mark[:, None]], 1) for one, mark in _marked(series, steps, share)
    ]
    views = [sliding_window_view(one, steps, axis=0)[::stride] for one in marked]
    windows = np.concatenate(views).transpose(0, 2, 1)  # (n, steps, channels and mark)
    marks = windows[..., -1].mean(1)
    whole = (marks == 0) | (marks == 1)
    return Windows(np.ascontiguousarray(windows[whole, :, :-1]), marks[whole] == 1)


def _marked(
    series: Sequence[Series], steps: int, share: float
) -> list[tuple[Series, NDArray[np.float32]]]:
    """Return each series that a window fits into, with 1 at each step that is held out."""
    long = [one for one in series if len(one) >= steps]
    if len(long) < MANY_SERIES:
        return [(one, held_out_steps(len(one), steps, share)) for one in long]
    hashes = np.concatenate([split.digests(one[None], no_progress) for one in long])
    chosen = split.divide(hashes, share, None).held_out
    return [(one, np.full(len(one), i in chosen, np.float32)) for i, one in enumerate(long)]


def held_out_steps(length: int, steps: int, share: float) -> NDArray[np.float32]:
    """Return 1 for each step of a series that is held out: parts that are evenly spread."""
    mark = np.zeros(length, np.float32)
    room = int(share * length)
    if room < steps:
        return mark
    parts = min(max(room // (MIN_WINDOWS_OF_A_PART * steps), 1), MAX_PARTS)
    size = room // parts
    for part in range(parts):
        first = (2 * part + 1) * length // (2 * parts) - size // 2
        mark[first : first + size] = 1
    return mark
