"""Cells of columns as tokens that softmaxes choose among, and the order in which they are drawn.

A cell is a number on its column's scale, or a category's place; NaN where missing, −1 for a
category that training has never seen. It has a coarse token and, of numbers with fine cells, one
within that; after the categories and coarse cells come a token of missing cells, where the column
has such, and one of what is unseen.
"""

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sparring.kinds.tables.numbers import NumberCode
from sparring.kinds.tables.relations import looked_up, predicted, residual, restored
from sparring.kinds.tables.spec import Cells, Column

DAY = 1440  # minutes
FEATURES = 4  # of a number: normal score, standard score; of a clock: sine and cosine
UNSEEN = 0.5  # rows that a missing cell counts for, where training had none


class CategoryTokens(nn.Module):
    """Tokens of places: one of each category, one of all rare ones, one of missing cells."""

    rows: Tensor  # of each coarse token but missing
    rare: Tensor  # shares of the rare categories, added up

    def __init__(self, column: Column) -> None:
        super().__init__()
        known = column.counts if column.labels else (1,)
        self.known, self.n_fine = len(known), 1
        self.has_places, self.missing = bool(column.rest), column.missing
        rows = [*known, *[sum(column.rest_counts)] * self.has_places]
        self.n_coarse = len(rows)
        self.n_tokens = self.n_coarse + self.missing + 1
        rare = np.cumsum(column.rest_counts or (1,))
        self.register_buffer("rows", torch.tensor(rows, dtype=torch.float64), persistent=False)
        self.register_buffer("rare", torch.from_numpy(rare / rare[-1]), persistent=False)

    def tokens(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coarse and the fine token of each cell, int64 (n,)."""
        place = cells.clamp(max=self.n_coarse - 1).nan_to_num(self.n_coarse)
        coarse = torch.where(cells < 0, self.n_coarse + self.missing, place).long()
        return coarse, torch.zeros_like(coarse)

    def draw(self, coarse: Tensor, fine: Tensor, u: Tensor | None) -> Tensor:
        """Return cells (n,); which of the rare categories, u says."""
        cells = coarse.double()
        if u is not None:
            which = (self.rare < u[:, None]).sum(1).clamp(max=len(self.rare) - 1)
            cells = torch.where(coarse == self.known, (self.known + which).double(), cells)
        return torch.where(coarse == self.n_coarse, torch.nan, cells)


class NumberTokens(nn.Module):
    """Tokens of numbers: coarse cells, fine cells in these, one of missing cells."""

    rows: Tensor  # of each coarse token but missing

    def __init__(self, cells: Cells, missing: bool) -> None:
        super().__init__()
        self.code, self.missing = NumberCode(cells), missing
        self.n_coarse, self.n_fine = self.code.n_coarse, self.code.n_fine
        self.n_tokens, self.has_places = self.n_coarse + missing + 1, True
        self.register_buffer("rows", self.code.rows_coarse, persistent=False)

    def tokens(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coarse and the fine token of each cell, int64 (n,)."""
        coarse, fine = self.code.tokens(cells)
        absent = cells.isnan()
        return torch.where(absent, self.n_coarse, coarse), fine.masked_fill(absent, 0)

    def draw(self, coarse: Tensor, fine: Tensor, u: Tensor | None) -> Tensor:
        """Return numbers (n,) of their cell, at the place in it that u says."""
        assert u is not None
        values = self.code.draw(coarse.clamp(max=self.n_coarse - 1), fine, u)
        return torch.where(coarse == self.n_coarse, torch.nan, values)

    def rows_fine(self) -> Tensor:
        """Return the rows of each cell (n_coarse, n_fine), 0 where there is none."""
        return torch.where(self.code.valid, self.code.rows_cells[self.code.table], 0.0)


Tokens = CategoryTokens | NumberTokens


class Reading(NamedTuple):
    """What networks are told of one column of n rows."""

    drawn: Tensor  # tokens that softmaxes choose among, coarse and fine, (n, 2)
    shown: Tensor  # tokens of the cells themselves, (n, 2)
    features: Tensor  # numbers beside tokens, float32 (n, FEATURES)


class ColumnCode(nn.Module):
    """One column of rows (n, k): from cells to tokens, and back where its sources are known.

    The tokens that are drawn are those of the cell, or of what is left of it beside a prediction;
    those of the cell itself, which no other column is needed for, are shown where it is revealed.
    """

    def __init__(self, columns: Sequence[Column], place: int) -> None:
        super().__init__()
        column, places = columns[place], {c.name: index for index, c in enumerate(columns)}
        self.name, self.place, self.relation = column.name, place, column.relation
        self.sources = [places[name] for name in self.relation.sources] if self.relation else []
        self.is_modelled, self.is_clock = column.is_modelled, column.clock
        self.is_residual = column.residual is not None
        self.shown = _tokens(column.cells, column)
        self.drawn = _tokens(column.residual, column) if column.residual else self.shown
        self.has_places = self.is_modelled and self.drawn.has_places

    def read(self, items: Tensor) -> Reading:
        """Return what networks are told of rows of which the sources are known."""
        cells = items[:, self.place]
        drawn = shown = torch.stack(self.shown.tokens(cells), 1)
        if self.is_residual:
            assert self.relation
            left = residual(self.relation, cells, self._predicted(items))
            drawn = torch.stack(self.drawn.tokens(left), 1)
        return Reading(drawn, shown, self._features(cells))

    def read_alone(self, items: Tensor) -> Reading:
        """Return the same of rows of which nothing else is known; what is drawn, is not told."""
        cells = items[:, self.place]
        shown = torch.stack(self.shown.tokens(cells), 1)
        return Reading(shown, shown, self._features(cells))

    def cells(self, coarse: Tensor, fine: Tensor, u: Tensor | None, items: Tensor) -> Tensor:
        """Return the cells (n,) that drawn tokens mean in these rows."""
        cells = self.drawn.draw(coarse, fine, u)
        if self.is_residual:
            assert self.relation
            cells = restored(self.relation, cells, self._predicted(items))
        return cells

    def followed(self, items: Tensor) -> Tensor:
        """Return the cells (n,) of a column that is not drawn, for it follows from the others."""
        assert self.relation
        if self.relation.form == "lookup":
            return looked_up(self.relation, items[:, self.sources])
        at = self._predicted(items)
        return restored(self.relation, at, at)

    def _features(self, cells: Tensor) -> Tensor:
        if not isinstance(self.shown, NumberTokens):
            return cells.new_zeros((cells.shape[0], FEATURES), dtype=torch.float32)
        angle = cells * (2 * math.pi / DAY) if self.is_clock else torch.full_like(cells, torch.nan)
        circle = torch.stack([angle.sin(), angle.cos()], 1).nan_to_num()
        return torch.cat([self.shown.code.features(cells), circle.float()], 1)

    def _predicted(self, items: Tensor) -> Tensor:
        assert self.relation
        return predicted(self.relation, items[:, self.sources])


def _tokens(cells: Cells | None, column: Column) -> Tokens:
    return CategoryTokens(column) if cells is None else NumberTokens(cells, column.missing)


def drawing_order(columns: Sequence[Column]) -> list[int]:
    """Return the places of columns in the order in which they are drawn.

    A column comes after those that it follows from: at once, if nothing is left to draw; the others
    by their number of values, the fewest first.
    """
    places = {column.name: place for place, column in enumerate(columns)}
    waiting = {
        place: {places[name] for name in column.relation.sources} if column.relation else set()
        for place, column in enumerate(columns)
    }
    ready = [(_values(columns[place]), place) for place, sources in waiting.items() if not sources]
    heapify(ready)
    order: list[int] = []
    while ready:
        _, drawn = heappop(ready)
        order.append(drawn)
        for place, sources in waiting.items():
            if drawn in sources:
                sources.remove(drawn)
                if not sources:
                    heappush(ready, (_values(columns[place]), place))
    return order


def _values(column: Column) -> float:
    """Return about how many distinct cells training rows have; 0 of a column that is not drawn."""
    if not column.is_modelled:
        return 0.0
    if column.cells is None:
        return len(column.labels) + len(column.rest) + column.missing
    rows = sum(column.cells.rows)
    return rows if 0 in column.cells.terms else min(sum(column.cells.terms), rows)


def token_rows(tokens: Tokens, total: float) -> Tensor:
    """Return the rows (n,) of each coarse token, missing included, of so many in all."""
    if not tokens.missing:
        return tokens.rows
    missing = max(total - float(tokens.rows.sum()), UNSEEN)
    return torch.cat([tokens.rows, torch.tensor([missing], dtype=torch.float64)])
