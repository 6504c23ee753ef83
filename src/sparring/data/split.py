"""Which items training never sees, by their content alone, and the data's fingerprint."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.pack import CHUNK, Progress

MIN_ITEMS_TO_SPLIT = 20  # items below which none are held out
MAX_HELD_OUT = 10_000  # items held out at most
DIGEST_BYTES = 16


@dataclass(frozen=True, eq=False)
class Split:
    """Indices that training may see, indices it never sees, and what to say about them."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    notes: tuple[str, ...]


def digests(items: NDArray[Any], progress: Progress) -> NDArray[np.uint8]:
    """Return one hash (n, 16) for each item of an array (n, ...)."""
    hashes = bytearray()
    for start in range(0, len(items), CHUNK):
        for item in np.ascontiguousarray(items[start : start + CHUNK]):
            hashes += blake2b(item.data, digest_size=DIGEST_BYTES).digest()
        progress("hashing", min(start + CHUNK, len(items)), len(items))
    return np.frombuffer(bytes(hashes), np.uint8).reshape(-1, DIGEST_BYTES)


def divide(hashes: NDArray[np.uint8], share: float, test_from: int | None) -> Split:
    """Hold out the items whose hash, as a fraction of the largest, is below `share`.

    Duplicates share a hash, so they stay together, and the order of the items does not matter.
    A source's own test part, its items from `test_from` on, is held out instead.
    """
    count = len(hashes)
    if test_from is not None:
        return _split(np.arange(count) >= test_from)
    none = np.zeros(count, bool)
    if share == 0:
        return _split(none)
    if count < MIN_ITEMS_TO_SPLIT:
        return _split(none, f"fewer than {MIN_ITEMS_TO_SPLIT} items: none are held out")
    held_out = _below(_fractions(hashes), share)
    if held_out.all():
        return _split(none, "all items fall into the held-out part: none are held out")
    if not held_out.any():
        return _split(none, "no item fell into the held-out part by its content")
    return _split(held_out)


def fingerprint(
    hashes: NDArray[np.uint8],
    shape: tuple[int, ...],
    labels: NDArray[np.int64] | None,
    split: Split,
) -> str:
    """Return a hex digest of shape, items (by their hashes), labels and split."""
    digest = blake2b(repr(shape).encode(), digest_size=DIGEST_BYTES)
    label_bytes = b"unlabelled" if labels is None else labels.tobytes()
    for part in (hashes.tobytes(), label_bytes, split.held_out.tobytes()):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def duplicates(hashes: NDArray[np.uint8]) -> int:
    """Count the items that repeat an earlier one exactly."""
    return len(hashes) - len(np.unique(hashes, axis=0))


def note_duplicates(hashes: NDArray[np.uint8], plural: str) -> list[str]:
    """Return a note on items that repeat an earlier one, if there are any."""
    repeated = duplicates(hashes)
    note = f"{repeated} of {len(hashes)} {plural} repeat an earlier one exactly"
    return [note] if repeated else []


def _fractions(hashes: NDArray[np.uint8]) -> NDArray[np.float64]:
    # 48 bits: a float64 holds them exactly, so the fraction never rounds up to 1.
    digits = hashes[:, :6].astype(np.float64)
    fractions: NDArray[np.float64] = digits @ (256.0 ** -np.arange(1, 7))
    return fractions


def _below(fractions: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    # A strict threshold: equal fractions, that is duplicates, are never separated by the limit.
    limit = np.sort(fractions)[MAX_HELD_OUT] if len(fractions) > MAX_HELD_OUT else 1.0
    return fractions < min(share, limit)


def _split(held_out: NDArray[np.bool_], *notes: str) -> Split:
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out), notes)
