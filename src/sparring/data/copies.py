"""What belongs together by content: pictures that are nearly the same, and groups that share one.

A picture's perceptual hash is what is left of it at 16 × 16 when brightness and contrast are taken
out: a vector of length 1. Copies that were compressed, resized or made brighter have nearly the
same one; two pictures are near-copies when theirs correlate by 0.995 or more.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.spatial import cKDTree

from sparring.data.pack import CHUNK, Progress

SIDE = 16  # pixels, at most
MAX_DISTANCE = 0.1  # of two perceptual hashes: √(2 (1 − 0.995))
MIN_PIXELS = 64  # of a picture, below which likeness is chance
MIN_CONTRAST = 2 / 255  # deviation of pixels, below which a picture says nothing
WAVES = 16  # of lowest frequency, by which near-copies are looked for
NEAREST = 8  # others that each picture is compared with
MAX_COMPARED = 100_000  # different pictures
MAX_CLUSTER, MAX_CLUSTER_SHARE = 16, 0.02  # pictures of one group; the larger holds

Pairs = NDArray[np.int64]  # (k, 2)


def joined(*groupings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the groups (n,) of items that share a group of any of these, or a chain of such."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(groupings[0])
    offsets = np.cumsum([n, *(int(groups.max()) + 1 for groups in groupings)])
    rows = np.tile(np.arange(n), len(groupings))
    columns = np.concatenate([g + o for g, o in zip(groupings, offsets, strict=False)])
    edges = coo_array((np.ones(len(rows)), (rows, columns)), shape=(offsets[-1], offsets[-1]))
    found: NDArray[np.int32] = connected_components(edges, directed=False)[1]
    return found[:n].astype(np.int64)


def with_near_copies(
    pictures: NDArray[np.uint8],
    hashes: NDArray[np.uint8],
    groups: NDArray[np.int64],
    progress: Progress,
) -> tuple[NDArray[np.int64], list[str]]:
    """Return groups that near-copies are joined to, the nearest first, and notes.

    No group grows by this beyond 2 % of the pictures, or 16: chains of like glyphs, each near the
    next, would swallow the set.

    Args:
        pictures: (n, height, width, channels).
        hashes: of their contents, see `split.digests`.
        groups: (n,) that copies are in already.
        progress: told how far it is.
    """
    _, firsts = np.unique(hashes, axis=0, return_index=True)  # in the order of contents
    if np.prod(pictures.shape[1:3]) < MIN_PIXELS:
        return groups, []
    if len(firsts) > MAX_COMPARED:
        return groups, [f"near-copies are not looked for in more than {MAX_COMPARED:,} pictures"]
    pairs = firsts[near_pairs(pictures, firsts, progress)]
    limit = max(MAX_CLUSTER, round(MAX_CLUSTER_SHARE * len(pictures)))
    return _merged(groups, pairs, limit)


def near_pairs(pictures: NDArray[np.uint8], index: Pairs, progress: Progress) -> Pairs:
    """Return pairs of near-copies, as places in `index`, the nearest first.

    Each picture is compared with the eight that are nearest to it by its slowest waves, which is
    a lower bound of the distance.
    """
    waves = np.empty((len(index), WAVES), np.float32)
    for start in range(0, len(index), CHUNK):
        part = index[start : start + CHUNK]
        waves[start : start + CHUNK] = _slowest_waves(perceptual_hashes(pictures[part]))
        progress("looking for near-copies", start + len(part), len(index))
    clear = np.flatnonzero(waves.any(1))
    if len(clear) < 2:
        return np.empty((0, 2), np.int64)
    nearest = min(NEAREST + 1, len(clear))
    found = cKDTree(waves[clear]).query(
        waves[clear], nearest, distance_upper_bound=1.001 * MAX_DISTANCE
    )[1]
    places = np.append(clear, -1)  # there is none so near
    pairs = np.stack([np.repeat(clear, nearest), places[found].ravel()], 1)
    pairs = np.unique(np.sort(pairs[(pairs[:, 1] >= 0) & (pairs[:, 0] != pairs[:, 1])], 1), axis=0)
    distances = _distances(pictures, index, pairs)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], distances))
    return pairs[order[distances[order] <= MAX_DISTANCE]]


def perceptual_hashes(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return vectors (n, h, w, c) of length 1 and mean 0; 0 of pictures without contrast."""
    pixels = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2) / 255
    size = min(pixels.shape[2], SIDE), min(pixels.shape[3], SIDE)
    small = torch.nn.functional.adaptive_avg_pool2d(pixels, size).permute(0, 2, 3, 1)
    centred = small - small.mean((1, 2, 3), keepdim=True)
    length = centred.square().sum((1, 2, 3), keepdim=True).sqrt()
    clear = length > MIN_CONTRAST * centred[0].numel() ** 0.5
    hashes: NDArray[np.float32] = torch.where(clear, centred / length, 0).numpy()
    return hashes


def _slowest_waves(hashes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return coefficients (n, WAVES) of the cosine transform of all channels' mean."""
    grey = hashes.sum(3) / hashes.shape[3] ** 0.5
    waves = dctn(grey, axes=(1, 2), norm="ortho")
    height, width = waves.shape[1:]
    slowest = sorted((y + x, y, x) for y in range(height) for x in range(width))[:WAVES]
    chosen: NDArray[np.float32] = np.stack([waves[:, y, x] for _, y, x in slowest], 1)
    return np.pad(chosen, ((0, 0), (0, WAVES - len(slowest))))


def _distances(pictures: NDArray[np.uint8], index: Pairs, pairs: Pairs) -> NDArray[np.float64]:
    distances = np.empty(len(pairs))
    for start in range(0, len(pairs), CHUNK):
        part = slice(start, start + CHUNK)
        a, b = (perceptual_hashes(pictures[index[side]]) for side in pairs[part].T)
        distances[part] = np.sqrt(np.square(a - b, dtype=np.float64).sum((1, 2, 3)))
    return distances


def _merged(
    groups: NDArray[np.int64], pairs: Pairs, limit: int
) -> tuple[NDArray[np.int64], list[str]]:
    """Return groups merged pair by pair, as long as none grows beyond the limit."""
    parent = np.arange(int(groups.max()) + 1)
    sizes = np.bincount(groups)

    def root(group: int) -> int:
        while parent[group] != group:
            parent[group] = group = parent[parent[group]]
        return group

    refused = 0
    for a, b in groups[pairs]:
        one, other = root(a), root(b)
        if one != other and sizes[one] + sizes[other] <= limit:
            parent[other] = one
            sizes[one] += sizes[other]
        elif one != other:
            refused += 1
    merged = np.array([root(group) for group in range(len(parent))])[groups]
    note = f"chains of near-copies are cut where a group would have more than {limit} pictures"
    return merged.astype(np.int64), [note] * bool(refused)
