"""How a number becomes a cell and a place in it, and back, so that round values stay what they are.

Inside: `fit_cells`, which finds the cells of training values, and `NumberCode`, which codes by
them. Not inside: cells of data frames (`columns`), categories.

A cell holds an interval of values. Those that at least three rows share are drawn as often as they
occur; of rarer ones none is given back: they are drawn on the column's grid within the cell, with
the endings that the column has (.99, 000, midnights, weekdays). Values that no row has are so drawn
where a column is of rare values.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor, nn

from sparring.kinds.tables.spec import Cells

Floats = NDArray[np.float64]

SHARED = 3  # rows of a value, from which on it is given back as it is
COARSE, FINE = 48, 32  # coarse cells, and cells in one of these
SMALL = 3_000  # training rows, as in `presets`; a table of fewer has √rows cells a column
SINGLE = 64  # distinct values, up to which each has a coarse cell of its own
MIN_ROWS = 8  # of a cell of many values
MAX_SHARED = 8_000  # values that are given back
DECADE = 10.0  # a cell of rare values that spans more is cut at its powers
MIN_SHARE, MIN_LIFT, MIN_UNEVEN = 0.02, 3.0, 0.05  # of an ending; of the last ones together
MAX_ENDINGS = 16
FEATURES = 2  # numbers that networks are told of a value
MAX_SCORE = 6.0  # deviations from the mean
MIN_RANK = 1e-7
MARGIN = 0.02  # of the ranks that a value holds, kept free of float32's rounding


class Grid(NamedTuple):
    """The values that a column may have: whole numbers over `per_unit`, if `lies` says so."""

    lies: bool
    per_unit: float = 1.0
    moduli: tuple[int, ...] = ()  # of endings, each a multiple of the next
    weekly: int = 0  # seven days, of dates

    def whole(self, values: Floats) -> Floats:
        """Return values in units of the grid."""
        return np.round(values * self.per_unit) if self.lies else values


def decimal_grid(decimals: int | None) -> Grid:
    """Return the grid of multiples of 10^-decimals; None: of all numbers."""
    if decimals is None:
        return Grid(False)
    unit = 10 ** max(-decimals, 0)
    return Grid(True, 10.0 ** max(decimals, 0), tuple(unit * 10**k for k in (4, 3, 2, 1)))


def clock_grid() -> Grid:
    """Return the grid of minutes of a day."""
    return Grid(True, 1.0, (60, 30, 15, 5))


def date_grid(step: int) -> Grid:
    """Return the grid of whole steps of so many microseconds."""
    periods = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000]
    moduli = tuple(p // step for p in periods if p > step and p % step == 0)
    week = 7 * periods[0]
    return Grid(True, 1.0, moduli, week // step if week % step == 0 else 0)


def month_grid(step: int) -> Grid:
    """Return the grid of whole steps of so many months."""
    return Grid(True, 1.0, (12 // step,) if step < 12 and 12 % step == 0 else ())


class Counts(NamedTuple):
    """How many cells a column has, at most."""

    coarse: int = COARSE  # of equal mass
    fine: int = FINE  # in each of these
    single: int = SINGLE  # distinct values, up to which each is a coarse cell


def cell_counts(rows: int) -> Counts:
    """Return how many cells a column of a table of so many training rows has."""
    few = max(round(rows**0.5), 2)
    return Counts(few, 1, few) if rows < SMALL else Counts()


def fit_cells(
    values: Floats,
    grid: Grid,
    counts: Counts = Counts(),
    *,
    private: bool = False,
) -> Cells:
    """Find the cells of values (n,), none missing; of no value those of a zero.

    Args:
        values: of training rows.
        grid: on which they lie.
        counts: of cells.
        private: whether no value is given back because rows share it: all are drawn on the grid
            within √n cells.
    """
    values = np.sort(values) if len(values) else np.zeros(1)
    whole, rows = np.unique(grid.whole(values), return_counts=True)
    shared = np.zeros(len(whole), bool) if private else _shared(rows)
    known = grid.lies and not private
    endings = _endings(whole[~shared], rows[~shared], grid) if known else []
    if private:
        few = max(min(counts.coarse, round(rows.sum() ** 0.5)), 1)
        counts = Counts(few, 1, 0)
    counts = counts._replace(fine=max(counts.fine // (1 + len(endings) // 4), 1))
    outer, leaves = _cells(whole, rows, shared, counts)
    lattice = float(grid.lies) if private else _lattice(whole, grid)
    parts = _Parts(whole, rows, shared, leaves, lattice, endings, private)
    starts, strides, terms, weights, of = (
        np.concatenate(p) for p in zip(*parts.all(), strict=True)
    )
    return Cells(
        starts=tuple(starts.tolist()),
        strides=tuple(strides.tolist()),
        terms=tuple(terms.astype(int).tolist()),
        rows=tuple(np.round(weights, 3).tolist()),
        leaves=tuple(of.astype(int).tolist()),
        coarse=tuple(outer.tolist()),
        per_unit=grid.per_unit,
        mean=float(values.mean()),
        deviation=float(values.std()) or 1.0,
    )


def _shared(rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which values are given back: those of three rows, and of the most, if they are many."""
    least = SHARED
    if (rows >= SHARED).sum() > MAX_SHARED:
        least = max(SHARED, int(np.partition(rows, -MAX_SHARED)[-MAX_SHARED]) + 1)
    return np.asarray(rows >= least, bool)


def _cells(
    whole: Floats,
    rows: NDArray[np.intp],
    shared: NDArray[np.bool_],
    counts: Counts,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the coarse cell of each cell, and the cell of each value."""
    if len(whole) <= counts.single:
        by_value = np.arange(len(whole)) if shared.all() else _pooled(rows, shared)
        return np.arange(by_value[-1] + 1), by_value
    outer = _even(rows, counts.coarse)
    leaves, count = np.zeros(len(whole), np.intp), 0
    of_leaf: list[int] = []
    for number in range(outer[-1] + 1):
        inside = np.flatnonzero(outer == number)
        few = len(inside) <= counts.fine and shared[inside].all()
        parts = min(counts.fine, max(int(rows[inside].sum()) // MIN_ROWS, 1))
        leaves[inside] = count + (np.arange(len(inside)) if few else _even(rows[inside], parts))
        count = int(leaves[inside[-1]]) + 1
        of_leaf += [number] * (count - len(of_leaf))
    return np.array(of_leaf, np.intp), leaves


def _pooled(rows: NDArray[np.intp], shared: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return a cell for each of a few values; rare neighbours share one."""
    rare = ~shared
    begins = np.ones(len(rows), bool)
    begins[1:] = shared[1:] | shared[:-1]
    runs = np.cumsum(begins) - 1
    size = np.bincount(runs, rows)
    for run in np.flatnonzero(size >= 2 * SHARED):  # a long run of rare values is cut
        inside = np.flatnonzero((runs == run) & rare)
        if len(inside) > 1:
            begins[inside[1:]] = np.diff(_even(rows[inside], int(size[run]) // SHARED)) > 0
    return np.cumsum(begins) - 1


def _even(rows: NDArray[np.intp], parts: int) -> NDArray[np.intp]:
    """Return for each of the values in their order one of so many parts of about equal mass."""
    middle = (np.cumsum(rows) - rows / 2) / rows.sum()
    part = np.minimum((middle * parts).astype(np.intp), parts - 1)
    return np.unique(part, return_inverse=True)[1].astype(np.intp)


def _lattice(whole: Floats, grid: Grid) -> float:
    """Return the distance of neighbouring values on the grid; 0 without one."""
    if not grid.lies:
        return 0.0
    largest = np.abs(whole).max() < 2**62
    return float(max(np.gcd.reduce((whole - whole[0]).astype(np.int64)), 1)) if largest else 1.0


class Ending(NamedTuple):
    """Values that are `residue` modulo `modulus`, and the share of rows that they hold."""

    modulus: int
    residue: int
    share: float


def _endings(whole: Floats, rows: NDArray[np.intp], grid: Grid) -> list[Ending]:
    """Return the endings that rare values have more often than by chance."""
    if len(whole) < 20 or np.abs(whole).max() > 2**53:
        return []
    values, left, total = whole.astype(np.int64), rows.astype(float), rows.sum()
    found: list[Ending] = []
    for modulus, finer in pairwise((*grid.moduli, 1)):
        if modulus > values[-1] - values[0]:
            continue
        residues, at = np.unique(values % modulus, return_inverse=True)
        share = np.bincount(at, left) / total
        wider = np.unique(residues % finer, return_inverse=True)[1]
        within = share / np.maximum(np.bincount(wider, share)[wider], 1e-12)
        chosen = (share >= MIN_SHARE) & (within >= MIN_LIFT * finer / modulus)
        for k in np.flatnonzero(chosen)[: MAX_ENDINGS - len(found)]:
            found.append(Ending(modulus, int(residues[k]), float(share[k])))
            left[at == k] = 0
    for last in (grid.moduli[-1] if grid.moduli else 0, grid.weekly):
        if last and last <= 2 * MAX_ENDINGS and len(found) + last <= 2 * MAX_ENDINGS:
            share = np.bincount(values % last, left, last) / total
            if np.abs(share - share.mean()).sum() / 2 > MIN_UNEVEN:
                found += [Ending(last, k, float(share[k])) for k in range(last)]
                return found
    return found


class _Parts(NamedTuple):
    """What the progressions of all cells are made of."""

    whole: Floats  # distinct values, ascending, in units of the grid
    rows: NDArray[np.intp]
    shared: NDArray[np.bool_]
    leaves: NDArray[np.intp]
    lattice: float
    endings: list[Ending]
    private: bool

    def all(self) -> list[tuple[Floats, ...]]:
        """Return starts, strides, terms, rows and cell of progressions, cell by cell."""
        ends = np.flatnonzero(np.diff(self.leaves)) + 1
        bounds = [0, *ends.tolist(), len(self.whole)]
        return [self._leaf(*pair) for pair in pairwise(bounds)]

    def _leaf(self, begin: int, end: int) -> tuple[Floats, ...]:
        inside = slice(begin, end)
        whole, rows, shared = self.whole[inside], self.rows[inside], self.shared[inside]
        pairs = zip(whole[shared], rows[shared], strict=True)
        parts: list[tuple[float, ...]] = [(v, 0.0, 1.0, float(r)) for v, r in pairs]
        if not shared.all():
            parts += self._rare(whole[~shared], rows[~shared], begin, end)
        columns = np.array(parts, float).T
        return (*columns, np.full(columns.shape[1], self.leaves[begin], float))

    def _rare(
        self, values: Floats, rows: NDArray[np.intp], begin: int, end: int
    ) -> list[tuple[float, ...]]:
        """Return progressions over the interval of rare values, which are not given back."""
        low, high = self._interval(values, rows, begin, end)
        cuts = _decades(low, high)
        parts: list[tuple[float, ...]] = []
        for a, b in pairwise(cuts):
            last = b == cuts[-1]
            mass = float(rows[(values >= a) & ((values <= b) if last else (values < b))].sum())
            mass += float(rows[values < low].sum()) * (a == low)
            mass += float(rows[values > high].sum()) * last
            if mass:
                parts += self._spread(a, b if last else b - self.lattice, mass)
        return parts

    def _interval(
        self, values: Floats, rows: NDArray[np.intp], begin: int, end: int
    ) -> tuple[float, float]:
        """Return the ends of the interval: of few rows the neighbours; of extremes, less."""
        low, high = float(values[0]), float(values[-1])
        if rows.sum() < SHARED or (self.private and low == high):
            low -= self._half(self.whole[begin - 1], low) if begin else 0.0
            high += self._half(high, self.whole[end]) if end < len(self.whole) else 0.0
        if end == len(self.whole) and values[-1] == self.whole[-1] and len(values) > 1:
            high = max(float(values[-2]), self._rounded(high))
        if begin == 0 and values[0] == self.whole[0] and len(values) > 1:
            low = min(float(values[1]), -self._rounded(-low))
        return low, max(high, low)

    def _half(self, below: float, above: float) -> float:
        """Return at most half the distance of two values, so that neighbours do not overlap."""
        if not self.lattice:
            return (above - below) / 2
        return float(np.ceil((above - below) / self.lattice / 2 - 1) * self.lattice)

    def _rounded(self, value: float) -> float:
        """Return the value rounded down to two digits, on the lattice."""
        unit = 10.0 ** (np.floor(np.log10(abs(value))) - 1) if value else 1.0
        down = float(np.floor(value / unit) * unit)
        if not self.lattice:
            return down
        return float(self.whole[0] + np.floor((down - self.whole[0]) / self.lattice) * self.lattice)

    def _spread(self, low: float, high: float, mass: float) -> list[tuple[float, ...]]:
        """Return progressions over [low, high] that hold so many rows together."""
        if not self.lattice:
            return [(low, high - low, 0.0 if high > low else 1.0, mass)]
        terms = round((high - low) / self.lattice) + 1
        parts, weights = [(low, self.lattice, float(terms))], [0.0]
        rest = 1 - sum(ending.share for ending in self.endings)
        for modulus, residue, share in self.endings:
            if modulus % self.lattice:
                continue
            first = low + (residue - low) % modulus
            if first <= high and (first - low) % self.lattice == 0:
                count = int((high - first) // modulus) + 1
                parts.append((first, float(modulus), float(count)))
                weights.append(share * count * modulus / self.lattice / terms)
        weights[0] = max(rest, 0.0) if sum(weights) else 1.0
        scale = mass / sum(weights)
        return [(*p, w * scale) for p, w in zip(parts, weights, strict=True) if w * scale > 1e-9]


def _decades(low: float, high: float) -> list[float]:
    """Return the ends of an interval, and powers of ten between them where it spans many."""
    if low > 0 and high / low > DECADE:
        return [low, *(low * DECADE**k for k in range(1, 300) if low * DECADE**k < high), high]
    if high < 0 and low / high > DECADE:
        return [-v for v in reversed(_decades(-high, -low))]
    return [low, high]


class NumberCode(nn.Module):
    """Values of a column as cells and places in them; all tensors of values are float64, (n,)."""

    starts: Tensor
    strides: Tensor
    terms: Tensor
    edges: Tensor
    first: Tensor
    bounds: Tensor
    outer: Tensor
    inner: Tensor
    table: Tensor
    valid: Tensor
    rows_coarse: Tensor
    rows_cells: Tensor
    scores: Tensor
    points: Tensor
    point_parts: Tensor
    wide: Tensor
    far: Tensor

    def __init__(self, cells: Cells) -> None:
        super().__init__()
        self.per_unit, self.mean, self.deviation = cells.per_unit, cells.mean, cells.deviation
        outer, leaves = np.array(cells.coarse), np.array(cells.leaves)
        inner = np.arange(len(outer)) - np.searchsorted(outer, outer)
        self.n_coarse, self.n_fine = int(outer[-1]) + 1, int(inner.max()) + 1
        table = np.full((self.n_coarse, self.n_fine), -1)
        table[outer, inner] = np.arange(len(outer))
        first = np.searchsorted(leaves, np.arange(len(outer) + 1))
        edges = np.concatenate([[0.0], np.cumsum(cells.rows)])
        mass = np.diff(edges[first])
        buffers = {
            "starts": np.array(cells.starts),
            "strides": np.array(cells.strides),
            "terms": np.array(cells.terms),
            "edges": edges,
            "first": first,
            "bounds": _between(cells, first),
            "outer": outer,
            "inner": inner,
            "table": table.clip(min=0),
            "valid": table >= 0,
            "rows_coarse": np.bincount(outer, mass),
            "rows_cells": mass,
            "scores": ndtri(
                ((edges[first[:-1]] + mass / 2) / edges[-1]).clip(MIN_RANK, 1 - MIN_RANK)
            ),
            "far": _far(cells),
            **_places(cells, first),
        }
        for name, array in buffers.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)), False)

    def tokens(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coarse cell of each value and the cell in it, int64; NaN is in the last."""
        leaf = self._leaf(values)
        return self.outer[leaf], self.inner[leaf]

    def draw(self, coarse: Tensor, fine: Tensor, u: Tensor) -> Tensor:
        """Return values in cells, at places u from 0 to 1."""
        leaf = self.table[coarse, fine]
        begin, end = self.first[leaf], self.first[leaf + 1]
        low, high = self.edges[begin], self.edges[end]
        return self._at(low + u.double() * (high - low), begin, end - 1)

    def at(self, ranks: Tensor) -> Tensor:
        """Return the values at ranks from 0 to 1."""
        begin = torch.zeros_like(ranks, dtype=torch.int64)
        return self._at(ranks.double() * self.edges[-1], begin, begin + len(self.starts) - 1)

    def ranks(self, values: Tensor, within: Tensor) -> Tensor:
        """Return a rank of each value: the share `within` (0 to 1) of those that it stands for.

        What lies beyond all cells by half their span or more, has rank 0 or 1.
        """
        whole, part = values * self.per_unit, self._progression(values)
        count, stride = self.terms[part], self.strides[part]
        place = (whole - self.starts[part]) / torch.where(stride > 0, stride, 1.0)
        term = torch.minimum(place.round().clamp(min=0), (count - 1).clamp(min=0).double())
        place = torch.where(count > 0, within, place.clamp(0, 1))
        inner = MARGIN + (1 - 2 * MARGIN) * place
        inside = torch.where(count > 0, (term + inner) / count.clamp(min=1), inner)
        low, high = self.edges[part], self.edges[part + 1]
        ranks = (low + inside.clamp(0, 1) * (high - low)) / self.edges[-1]
        return torch.where(whole < self.far[0], 0.0, torch.where(whole > self.far[1], 1.0, ranks))

    def rows_between(self, low: float, high: float) -> float:
        """Return how many rows of training have values from `low` to `high`."""
        begin, end = self._terms_between(low, high)
        return float((self._share(begin, end) * self.edges.diff()).sum())

    def draw_between(self, low: float, high: float, u: Tensor) -> Tensor | None:
        """Return values from `low` to `high`, as often as they occur; None without such."""
        begin, end = self._terms_between(low, high)
        rows = self._share(begin, end) * self.edges.diff()
        edges = rows.cumsum(0)
        if not edges[-1] > 0:
            return None
        mass = u.double() * edges[-1]
        part = torch.searchsorted(edges, mass, right=True).clamp(max=len(edges) - 1)
        inside = 1 - (edges[part] - mass) / rows[part]
        place = begin[part] + inside.clamp(0, 1 - 1e-12) * (end - begin)[part]
        place = torch.where(self.terms[part] > 0, place.floor(), place)
        return (self.starts[part] + self.strides[part] * place) / self.per_unit

    def _terms_between(self, low: float, high: float) -> tuple[Tensor, Tensor]:
        """Return the first term of each progression from `low` on, and the one above `high`."""
        stride = torch.where(self.strides > 0, self.strides, 1.0)
        begin = (low * self.per_unit - self.starts) / stride
        end = (high * self.per_unit - self.starts) / stride
        grid = self.terms > 0
        begin = torch.where(grid, begin.ceil(), begin).clamp(min=0)
        end = torch.where(grid, end.floor() + 1, end)
        return begin, torch.minimum(end, self.terms.clamp(min=1).double())

    def _share(self, begin: Tensor, end: Tensor) -> Tensor:
        """Return the share of each progression that lies between two of its terms."""
        return (end - begin).clamp(min=0) / self.terms.clamp(min=1)

    def features(self, values: Tensor) -> Tensor:
        """Return the normal score of a value's cell and its clipped standard score, float32 (n, 2).

        Both are 0 of a missing value.
        """
        standard = ((values - self.mean) / self.deviation).clamp(-MAX_SCORE, MAX_SCORE)
        both = torch.stack([self.scores[self._leaf(values)], standard], 1)
        return torch.where(values.isnan()[:, None], 0.0, both).float()

    def _leaf(self, values: Tensor) -> Tensor:
        """Return the cell of each value."""
        return torch.searchsorted(self.bounds, (values * self.per_unit).contiguous(), right=True)

    def _at(self, mass: Tensor, begin: Tensor, last: Tensor) -> Tensor:
        """Return the values above so many rows of the table, in these progressions."""
        part = torch.searchsorted(self.edges, mass.contiguous(), right=True) - 1
        part = torch.minimum(torch.maximum(part, begin), last)
        low, high = self.edges[part], self.edges[part + 1]
        share = ((mass - low) / (high - low)).clamp(0, 1)
        count = self.terms[part]
        term = torch.minimum((share * count).floor(), (count - 1).clamp(min=0).double())
        place = torch.where(count > 0, term, share)
        return (self.starts[part] + self.strides[part] * place) / self.per_unit

    def _progression(self, values: Tensor) -> Tensor:
        """Return the progression of a value: a shared one's own, else its cell's densest."""
        whole = values * self.per_unit
        nearest = self._nearest(whole)
        known = (self.terms[nearest] == 1) & (self.starts[nearest] == whole)
        if not self.wide.shape[1]:
            return nearest
        parts = self.wide[self._leaf(values)]  # (n, most of a cell), -1 beyond its last
        count, stride = self.terms[parts], self.strides[parts]
        term = (whole[:, None] - self.starts[parts]) / torch.where(stride > 0, stride, 1.0)
        on_it = (term > -1e-6) & (term < (count - 1).clamp(min=1) + 1e-6)
        on_it &= (count == 0) | ((term - term.round()).abs() < 1e-6)
        dense = (self.edges[parts + 1] - self.edges[parts]) / count.clamp(min=1)
        dense = torch.where(parts < 0, -1.0, torch.where(on_it, dense, -0.5))
        best = parts.gather(1, dense.argmax(1, keepdim=True))[:, 0]
        return torch.where(known | (best < 0), nearest, best)

    def _nearest(self, whole: Tensor) -> Tensor:
        """Return the progression of the nearest value that is given back; any, without such."""
        if not len(self.points):
            return torch.zeros_like(whole, dtype=torch.int64)
        above = torch.searchsorted(self.points, whole.contiguous()).clamp(max=len(self.points) - 1)
        below = (above - 1).clamp(min=0)
        lower = (whole - self.points[below]).abs() < (self.points[above] - whole).abs()
        return self.point_parts[torch.where(lower, below, above)]


def _far(cells: Cells) -> Floats:
    """Return the values beyond which no cell is near."""
    starts, terms = np.array(cells.starts), np.array(cells.terms)
    ends = starts + np.array(cells.strides) * np.where(terms == 0, 1, terms - 1)
    margin = (ends.max() - starts.min()) / 2 + 1
    return np.array([starts.min() - margin, ends.max() + margin])


def _between(cells: Cells, first: NDArray[np.intp]) -> Floats:
    """Return what lies between the values of a cell and those of the next."""
    starts, terms = np.array(cells.starts), np.array(cells.terms)
    ends = starts + np.array(cells.strides) * np.where(terms == 0, 1, terms - 1)
    low, high = np.minimum.reduceat(starts, first[:-1]), np.maximum.reduceat(ends, first[:-1])
    return np.maximum.accumulate((high[:-1] + low[1:]) / 2)


def _places(cells: Cells, first: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Return values that are given back with their progressions, and the others of each cell."""
    starts, terms = np.array(cells.starts), np.array(cells.terms)
    single = np.flatnonzero(terms == 1)
    single = single[np.argsort(starts[single], kind="stable")]
    leaves, parts = np.array(cells.leaves), np.flatnonzero(terms != 1)
    column = np.arange(len(parts)) - np.searchsorted(leaves[parts], leaves[parts])
    wide = np.full((len(first) - 1, int(column.max(initial=-1)) + 1), -1)
    wide[leaves[parts], column] = parts
    return {"points": starts[single], "point_parts": single, "wide": wide}


_CODES: dict[int, tuple[Cells, NumberCode]] = {}
_MAX_CODES = 4096


def number_code(cells: Cells) -> NumberCode:
    """Return the code of these cells, made once."""
    known = _CODES.get(id(cells))
    if known is None or known[0] is not cells:
        if len(_CODES) >= _MAX_CODES:
            _CODES.clear()
        known = _CODES[id(cells)] = cells, NumberCode(cells)
    return known[1]
