"""Counter-based randomness: a number depends on where it is used, never on what came before.

A draw is determined by (seed, attempt, purpose, global sample index), so that a resumed run, a
run on more processes and a run with other batch sizes all see the same numbers, and a checkpoint
holds a seed and counters instead of generator objects. The bits come from Philox (Salmon 2011).
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import prod

import numpy as np
import torch
from numpy.random import Generator, Philox
from numpy.typing import NDArray
from torch import Tensor

WORDS_PER_COUNT = 4  # Philox4x64 yields four 64-bit words for each value of its counter


@dataclass(frozen=True)
class Draw:
    """Random numbers for the samples `start`, `start + 1`, … of one run."""

    seed: int
    start: int = 0
    attempt: int = 0  # counts recoveries: a replay with the same numbers would fail again

    def uniform(self, purpose: str, shape: tuple[int, ...], like: Tensor | None = None) -> Tensor:
        """Draw from U(0, 1), ends excluded; row i of the result belongs to sample `start + i`."""
        numbers = _as(like, self._uniform(purpose, shape))
        return numbers.clamp_(max=1 - torch.finfo(numbers.dtype).eps / 2)  # never rounded up to 1

    def normal(self, purpose: str, shape: tuple[int, ...], like: Tensor | None = None) -> Tensor:
        """Draw from N(0, 1) by the inverse distribution function; rows as in `uniform`."""
        return _as(like, torch.special.ndtri(self._uniform(purpose, shape)))

    def integers(self, purpose: str, rows: int, below: int) -> Tensor:
        """Draw `rows` integers from 0 to `below - 1`, int64."""
        return self._uniform(purpose, (rows,)).mul(below).long()

    def _uniform(self, purpose: str, shape: tuple[int, ...]) -> Tensor:
        rows, *rest = shape
        width = prod(rest)
        counts = -(-width // WORDS_PER_COUNT)
        bits = Philox(key=_key(self.seed, self.attempt, purpose), counter=self.start * counts)
        words = bits.random_raw(rows * counts * WORDS_PER_COUNT).reshape(
            rows, counts * WORDS_PER_COUNT
        )
        fraction = (words[:, :width] >> np.uint64(12)).astype(np.float64)  # 52 bits
        return torch.from_numpy(fraction).add_(0.5).mul_(2.0**-52).reshape(shape)


def permutation(seed: int, purpose: str, n: int) -> NDArray[np.int64]:
    """Shuffle 0 … n − 1, as a function of the seed and the purpose."""
    return Generator(Philox(key=_key(seed, 0, purpose))).permutation(n)


@lru_cache(maxsize=1024)
def _key(seed: int, attempt: int, purpose: str) -> int:
    digest = blake2b(f"{seed}/{attempt}/{purpose}".encode(), digest_size=16)
    return int.from_bytes(digest.digest(), "little")


def _as(like: Tensor | None, numbers: Tensor) -> Tensor:
    return numbers.float() if like is None else numbers.to(like)
