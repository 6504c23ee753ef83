"""What training reveals of rows, so that conditions are learned.

A condition vector reveals some columns of each row, (n, d + k) for k learned columns: the encoded
values, 0 where hidden, then 1 for each column that is revealed.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.dataset import Dataset
from sparring.draws import Draw
from sparring.kinds.tables.codec import category_places, decode, encode, reveal
from sparring.kinds.tables.spec import TableSpec

SHARE_OF_NOTHING = 0.3  # of rows reveal nothing
SHARE_OF_CATEGORY = 0.3  # of rows reveal one category; all others reveal some columns


class ConditionSampler:
    """What each row of a batch reveals, so that conditions of every kind are learned.

    Of ten rows three reveal nothing. Three reveal one category, drawn evenly over the columns and
    by √count within one, and are themselves drawn again among the rows that have it: a rare
    category is revealed often enough, and the law of the rest, given it, stays what it is. Four
    reveal one random column, two, three, … with probability ½, ¼, ⅛, …
    """

    def __init__(self, data: Dataset) -> None:
        assert isinstance(data.spec, TableSpec)
        self.spec = data.spec
        items = data.items
        if items.dtype == np.float32:  # encoded, by a program of version 0.1
            items = decode(torch.from_numpy(items), data.spec).numpy()
        self.groups = [
            (place, _RowsByCategory(category_places(items[data.train, place], column)))
            for block in data.spec.blocks
            if block.kind == "category"
            for place, column in [(data.spec.places[block.column], data.spec.by_name[block.column])]
        ]
        self.train = data.train

    def __call__(self, index: NDArray[np.int64], draw: Draw) -> tuple[NDArray[np.int64], Tensor]:
        """Return the rows that take the place of these, and which columns each reveals (n, c)."""
        n, count = len(index), len(self.spec.learned)
        u = draw.uniform("table/revealed", (n, 4)).double()
        order = draw.uniform("table/columns", (n, count)).argsort(1).argsort(1)
        others = 1 - SHARE_OF_NOTHING - SHARE_OF_CATEGORY
        several = (u[:, 0] - SHARE_OF_NOTHING - SHARE_OF_CATEGORY) / others
        revealed = torch.where(several > 0, -several.clamp(min=1e-9).log2().floor(), 0)
        mask = order < revealed[:, None]
        by_category = ((u[:, 0] >= SHARE_OF_NOTHING) & (several <= 0)).numpy()
        chosen = (u[:, 1] * len(self.groups)).long().numpy()
        rows = index.copy()
        for number, (place, group) in enumerate(self.groups):
            redrawn = np.flatnonzero(by_category & (chosen == number))
            rows[redrawn] = self.train[group.draw(u[redrawn, 2].numpy(), u[redrawn, 3].numpy())]
            mask[redrawn, place] = True
        return rows, mask

    def condition(self, samples: Tensor, revealed: Tensor) -> Tensor:
        """Return the condition (n, d + c) that reveals these columns, (n, c), of rows (n, d)."""
        return reveal(samples, revealed, self.spec)


class _RowsByCategory:
    """Rows by their category, to be drawn from."""

    def __init__(self, category: NDArray[np.int64]) -> None:
        self.sorted = np.argsort(category, kind="stable")
        self.sizes = np.bincount(category)
        self.starts = np.cumsum(self.sizes) - self.sizes
        weights = np.sqrt(self.sizes)
        self.edges = np.cumsum(weights / weights.sum())

    def draw(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return for uniform numbers (n,) a category each, and for others a row of it."""
        category = np.searchsorted(self.edges, u).clip(max=len(self.edges) - 1)
        inside = (v * self.sizes[category]).astype(np.int64)
        rows: NDArray[np.int64] = self.sorted[self.starts[category] + inside]
        return rows


def condition_vector(
    spec: TableSpec, given: Mapping[str, NDArray[np.float64]], rows: int
) -> Tensor:
    """Return the condition that reveals cells (rows,) by their columns, as the generator takes it.

    That is (rows, d + k) of one of encoded rows, and (rows, 2k), cells and mask, of one of cells.
    """
    cells = torch.full((rows, len(spec.learned)), torch.nan, dtype=torch.float64)
    mask = torch.zeros(rows, len(spec.learned), dtype=torch.bool)
    for name, of in given.items():
        cells[:, spec.places[name]] = torch.from_numpy(of)
        mask[:, spec.places[name]] = True
    return revealing(cells, mask, spec)


def revealing(cells: Tensor, mask: Tensor, spec: TableSpec) -> Tensor:
    """Return the condition that reveals those cells, float64 (n, k), where the mask (n, k) is true.

    See `condition_vector`.
    """
    if spec.makes == "cells":
        return torch.cat([cells, mask.double()], 1)
    within = torch.full((len(cells), len(spec.number_places)), 0.5).double()
    filled = torch.cat([torch.where(mask, cells, _some_row(spec)), within], 1)
    return reveal(encode(filled, spec), mask, spec)


def _some_row(spec: TableSpec) -> Tensor:
    """Return cells that can be encoded, to stand where nothing is revealed."""
    return torch.tensor([c.span[0] if c.is_number else 0.0 for c in spec.learned]).double()
