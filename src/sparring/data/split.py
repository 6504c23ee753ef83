"""Which items training never sees, and the data's fingerprint.

By content and occurrence, or by groups of items that belong together; the order of the items does
not matter. Not inside: what belongs together (each kind's reader), near-copies (`copies`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.pack import CHUNK, Progress

MIN_ITEMS_TO_SPLIT = 20  # items below which none are held out
MAX_HELD_OUT = 10_000  # items held out at most
MAX_SHARE = 0.5  # of the items, that one draw of groups may hold out
MIN_REPEATED = 20  # different items, from which on their repeats may be told to be copies
REGULAR = 0.25  # of the variance of chance: repeats that vary less are copies
PART, MIN_PARTS = 10, 20  # items that follow each other in a part; parts
DIGEST_BYTES = 16
FEW_GROUPS = 20  # of which those held out stand for the rest by chance only
BY_GROUP = "; intervals are by group"  # of data of which none is held out


@dataclass(frozen=True, eq=False)
class Split:
    """Indices that training may see, indices it never sees, and what to say about them.

    Items of one group lie on one side, and judge as one; without groups each stands alone.
    """

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    notes: tuple[str, ...]
    groups: NDArray[np.int64] | None = None  # (n,), numbered from 0


def digests(items: NDArray[Any], progress: Progress) -> NDArray[np.uint8]:
    """Return one hash (n, 16) for each item of an array (n, ...)."""
    hashes = bytearray()
    for start in range(0, len(items), CHUNK):
        for item in np.ascontiguousarray(items[start : start + CHUNK]):
            hashes += blake2b(item.data, digest_size=DIGEST_BYTES).digest()
        progress("hashing", min(start + CHUNK, len(items)), len(items))
    return np.frombuffer(bytes(hashes), np.uint8).reshape(-1, DIGEST_BYTES)


def digests_of(contents: Iterable[bytes]) -> NDArray[np.uint8]:
    """Return one hash (n, 16) for each content."""
    hashes = b"".join(blake2b(of_one, digest_size=DIGEST_BYTES).digest() for of_one in contents)
    return np.frombuffer(hashes, np.uint8).reshape(-1, DIGEST_BYTES)


def among(split: Split, used: Sequence[int]) -> Split:
    """Return the split of the items that are used, given by their numbers among all, ascending."""
    chosen = np.asarray(used, np.int64)

    def kept(part: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(chosen, part))

    groups = split.groups
    if groups is not None:
        groups = stated(groups[chosen].tolist())
    return replace(split, train=kept(split.train), held_out=kept(split.held_out), groups=groups)


def hold_out(
    hashes: NDArray[np.uint8],
    share: float,
    *,
    groups: NDArray[np.int64] | None = None,
    test_from: int | None = None,
) -> Split:
    """Hold out a share of the groups: those whose hash is lowest.

    Without groups, items are rows of which equal ones are as good as others: each is told by its
    content and by how many equal ones come before it. Where rows repeat so regularly that no
    chance does it, all copies of one are a group.

    A source's own test part, its items from `test_from` on, is held out instead.

    Args:
        hashes: one for each item, see `digests`.
        share: to hold out.
        groups: (n,) which items belong together.
        test_from: where the source's own test part begins.
    """
    count = len(hashes)
    if groups is None:
        groups = _regular_copies(hashes)
    if test_from is not None:
        return _by_source(np.arange(count) >= test_from, groups)
    few = f"fewer than {MIN_ITEMS_TO_SPLIT} items: none are held out"
    if share == 0 or count < MIN_ITEMS_TO_SPLIT:
        none = _split(np.zeros(count, bool), *(few,) * (share > 0))
        return none if groups is None else _grouped(none, _numbered(groups)[0])
    if groups is None:
        fractions = _fractions(_with_occurrence(hashes))
        return _split(_lowest(fractions, np.ones(count, np.int64), share))
    owner, sizes = _numbered(groups)
    held_out = _lowest(_of_groups(owner, sizes, hashes), sizes, share)[owner]
    together = ("most items belong together: none are held out",) * (not held_out.any())
    return _grouped(_split(held_out, *together), owner)


def divide(hashes: NDArray[np.uint8], share: float, test_from: int | None) -> Split:
    """Hold out the items whose hash, as a fraction of the largest, is below `share`.

    The rule of version 0.1, which its runs keep: all copies of a row lie on one side, so that
    held-out rows of a table with many equal ones are another population. See `hold_out`.

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
    """Return a hex digest of shape, items (by their hashes), labels, split and groups."""
    digest = blake2b(repr(shape).encode(), digest_size=DIGEST_BYTES)
    label_bytes = b"unlabelled" if labels is None else labels.tobytes()
    group_bytes = () if split.groups is None else (split.groups.tobytes(),)
    for part in (hashes.tobytes(), label_bytes, split.held_out.tobytes(), *group_bytes):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def duplicates(hashes: NDArray[np.uint8]) -> int:
    """Count the items that repeat an earlier one exactly."""
    return len(hashes) - len(np.unique(content(hashes)))


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


def stated(cells: Sequence[Any]) -> NDArray[np.int64]:
    """Return the group (n,) of each item by what its source says; None and "": it stands alone."""
    numbers: dict[Any, int] = {}
    keys = [(i,) if cell in (None, "") else cell for i, cell in enumerate(cells)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def parts(count: int) -> NDArray[np.int64]:
    """Return parts of up to ten items that follow each other, twenty of them where that can be."""
    return np.arange(count) // max(1, min(PART, count // MIN_PARTS))


def with_gap(split: Split) -> Split:
    """Return a split of items that follow each other, without those next to the held-out ones.

    They are in neither part: what lies close in time is alike.
    """
    held_out = split.held_out
    near = np.concatenate([held_out - 1, held_out + 1])
    return replace(split, train=np.setdiff1d(split.train, near))


def content(hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the rank (n,) of each item's content: equal items have the same, from 0."""
    words = np.ascontiguousarray(hashes).view(">u8").astype(np.uint64)
    order = np.lexsort(words.T[::-1])
    new = np.any(words[order][1:] != words[order][:-1], axis=1)
    ranks = np.empty(len(words), np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(new)])[: len(words)]
    return ranks


def note_groups(split: Split, plural: str, belong: str = "") -> list[str]:
    """Say how items are divided that belong together, if any do.

    Args:
        split: of all items.
        plural: what people call them.
        belong: by what they belong together; by being copies or near-copies, unless given.
    """
    if split.groups is None:
        return []
    n, count = len(split.groups), int(split.groups.max()) + 1
    held_out = len(np.unique(split.groups[split.held_out]))
    if belong:
        how = f"{count:,} groups of {plural} by {belong}"
    elif n >= 1.5 * count:
        how = f"each of the {plural} comes about {n / count:.0f} times: {count:,} groups of copies"
    else:
        sizes = np.bincount(split.groups)
        how = f"{sizes[sizes > 1].sum():,} of {n:,} {plural} are copies or near-copies of others"
    if belong and count < FEW_GROUPS:
        how += f", so few that held-out {plural} may be unlike the others"
    if not held_out:
        return [how + BY_GROUP]
    number = f"{held_out:,} group{'s' * (held_out != 1)}"
    lie = f"{number} held out, " if belong or n >= 1.5 * count else ""
    return [f"{how}; {lie}none lies on both sides, and intervals are by group"]


def _with_occurrence(hashes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return hashes of content and of how many equal items come before."""
    same = content(hashes)
    order = np.argsort(same, kind="stable")
    starts = np.flatnonzero(np.diff(same[order], prepend=-1))
    earlier = np.empty(len(same), np.int64)
    earlier[order] = np.arange(len(same)) - np.repeat(starts, np.diff(starts, append=len(same)))
    told = hashes.copy()
    for i in np.flatnonzero(earlier):
        told[i] = _rehashed(hashes[i].tobytes() + int(earlier[i]).to_bytes(8, "little"))
    return told


def _rehashed(parts: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(blake2b(parts, digest_size=DIGEST_BYTES).digest(), np.uint8)


def _numbered(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each item's group (n,), numbered from 0, and the sizes of the groups."""
    _, owner, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return owner.reshape(-1).astype(np.int64), sizes.astype(np.int64)


def _of_groups(
    owner: NDArray[np.int64], sizes: NDArray[np.int64], hashes: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the fractions of numbered groups; a group is told by all of its contents."""
    order = np.lexsort((content(hashes), owner))
    members = np.split(order, np.cumsum(sizes)[:-1])
    told = np.stack(
        [hashes[i[0]] if len(i) == 1 else _rehashed(hashes[i].tobytes()) for i in members]
    )
    return _fractions(told)


def _lowest(
    fractions: NDArray[np.float64], sizes: NDArray[np.int64], share: float
) -> NDArray[np.bool_]:
    """Mark the lowest `share` of the groups, at least one; too large ones are passed over."""
    fit = np.flatnonzero(sizes <= MAX_SHARE * sizes.sum())
    chosen = fit[fractions[fit].argsort(kind="stable")][: max(1, round(share * len(fit)))]
    beyond = np.cumsum(sizes[chosen]) > min(MAX_HELD_OUT, MAX_SHARE * sizes.sum())
    beyond[:1] = False
    marked = np.zeros(len(sizes), bool)
    marked[chosen[~beyond]] = True
    return marked


def _regular_copies(hashes: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    """Return groups of equal items, if they repeat more regularly than any independent ones do.

    Counts of independent items vary least where all values are as likely: as Poisson's law without
    its zero, whose variance is m (1 + λ − m) at the mean m = λ / (1 − exp(−λ)).
    """
    same = content(hashes)
    counts = np.bincount(same)
    mean = float(counts.mean())
    if len(counts) < MIN_REPEATED or mean < 1.5:
        return None
    rate = mean
    for _ in range(100):  # a contraction: its slope is mean · exp(−rate) < 1 for mean ≥ 1.5
        rate = mean * (1 - np.exp(-rate))
    regular = counts.var() < REGULAR * mean * (1 + rate - mean)
    return same if regular else None


def _by_source(held_out: NDArray[np.bool_], groups: NDArray[np.int64] | None) -> Split:
    """Return a source's own split, of which groups are parted at its limit."""
    if groups is None:
        return _split(held_out)
    both = np.intersect1d(groups[held_out], groups[~held_out])
    crossing = int(np.isin(groups[held_out], both).sum())
    notes = [f"{crossing:,} items of the source's own test part have copies in the rest"]
    parted = np.unique(2 * groups + held_out, return_inverse=True)[1].reshape(-1)
    return _grouped(_split(held_out, *notes * bool(crossing)), parted)


def _grouped(split: Split, groups: NDArray[np.int64]) -> Split:
    """Return a split with its groups, unless each item stands alone."""
    alone = int(groups.max()) + 1 == len(groups)
    return split if alone else replace(split, groups=groups.astype(np.int64))


def _split(held_out: NDArray[np.bool_], *notes: str) -> Split:
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out), notes)
