"""The order in which training sees the data, as a function of the seed and the position alone.

Position k of the endless stream is item k mod n of epoch k div n, each epoch shuffled afresh.
Nothing is remembered between batches, so resume is exact and workers may run ahead.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparring.draws import permutation

T = TypeVar("T")


def positions(items: int, seed: int, start: int, count: int) -> NDArray[np.int64]:
    """Return which items stand at positions `start` … `start + count − 1` of the stream."""
    if count == 0:
        return np.empty(0, np.int64)
    first, last = start // items, (start + count - 1) // items
    order = np.concatenate([_epoch(items, seed, epoch) for epoch in range(first, last + 1)])
    return order[start - first * items :][:count]


@lru_cache(maxsize=4)  # batches follow each other within an epoch
def _epoch(items: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return permutation(seed, f"data/epoch-{epoch}", items)


class Prefetcher(Generic[T]):
    """Calls a pure function of (start, count) ahead of time, in `workers` threads."""

    def __init__(self, fetch: Callable[[int, int], T], workers: int) -> None:
        self.fetch = fetch
        self.workers = workers
        self.pool = ThreadPoolExecutor(workers, "sparring-data")
        self.ahead: dict[tuple[int, int], Future[T]] = {}

    def __call__(self, start: int, count: int) -> T:
        """Return `fetch(start, count)` and begin the ones that would come next."""
        next_calls = [(start + k * count, count) for k in range(self.workers + 1)]
        self.ahead = {
            key: self.ahead.get(key) or self.pool.submit(self.fetch, *key) for key in next_calls
        }
        return self.ahead.pop(next_calls[0]).result()

    def close(self) -> None:
        """Drop what was begun."""
        self.pool.shutdown(cancel_futures=True)
