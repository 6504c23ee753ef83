"""Columns together with how they follow from others, of training rows: what networks then learn.

Not inside: finding relations (`dependence`), reading rules (`rules`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.kinds.tables.dependence import MAX_SHARE, describe, entropies, find_relations
from sparring.kinds.tables.numbers import cell_counts, decimal_grid, fit_cells
from sparring.kinds.tables.relations import predicted, residual
from sparring.kinds.tables.spec import Column, Relation

Floats = NDArray[np.float64]

TOLD_ROWS = 1_200  # on which entropies are compared
MAX_VALUES = 500  # of a column on one side of others, that it may become


def with_relations(
    columns: Sequence[Column],
    cells: Floats,
    known: Mapping[str, Relation] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[Column, ...]:
    """Return columns, each with the relation that it follows others by, if one is known or found.

    Args:
        columns: fitted ones.
        cells: of the learned ones in training rows, (n, k).
        known: relations by the names of their columns, such as rules demand.
        bounds: of columns, in steps.
    """
    learned = [column for column in columns if column.is_learned]
    known = known or {}
    found = find_relations(cells, learned, known)
    public = {column.name for column in columns if not column.private}
    relations = {**known, **{name: found[name] for name in found if name in public}}
    place = {column.name: place for place, column in enumerate(learned)}
    related = []
    for column in columns:
        if relation := relations.get(column.name):
            relation = _within(relation, *(bounds or {}).get(column.name, (-np.inf, np.inf)))
            own = cells[:, place[column.name]]
            if relation.period:  # midnight is 0, or the day's end
                relation = replace(relation, low=float((own == relation.period).any()))
            sources = cells[:, [place[source] for source in relation.sources]]
            column = _fitted(column, relation, own, sources)
        related.append(column)
    return tuple(related)


def _within(relation: Relation, low: float, high: float) -> Relation:
    """Return a relation of numbers whose values keep to bounds, in steps."""
    if relation.form == "lookup" or relation.period:
        return relation
    lows = [bound for bound in (low, relation.low) if bound is not None]
    highs = [bound for bound in (high, relation.high) if bound is not None]
    low, high = max(lows), min(highs)
    return replace(
        relation,
        low=None if np.isinf(low) else float(low),
        high=None if np.isinf(high) else float(high),
    )


def notes(columns: Sequence[Column], cells: Floats) -> list[str]:
    """Say which columns follow from which, and in which share of rows, given learned cells."""
    learned = [column for column in columns if column.is_learned]
    relations = [(c.name, c.relation) for c in learned if c.relation and not c.relation.rule]
    return [describe(name, relation, cells, learned) for name, relation in relations]


def _fitted(column: Column, relation: Relation, values: Floats, sources: Floats) -> Column:
    """Return a column that follows others by a relation, and how its residuals lie.

    It has none if values are what is predicted, missing ones too. Beside others on whose side it
    is to stay, but which tell little of it, it is drawn by its own values.
    """
    if relation.form == "lookup":
        return replace(column, relation=relation)
    at = predicted(relation, torch.from_numpy(sources))
    left: Floats = residual(relation, torch.from_numpy(values), at).numpy()
    if relation.side and not _tells(left, values):
        bound = replace(relation, form="bound", values=_shared(column))
        return replace(column, relation=bound, residual=column.cells)
    if relation.exact:
        nowhere = at.isnan().numpy()
        left = np.where(nowhere | np.isnan(left), left, 0.0)
        if np.array_equal(nowhere, np.isnan(values)):
            return replace(column, relation=relation)
    grid = decimal_grid(0 if relation.step else None)
    left = left[~np.isnan(left)]
    cells = fit_cells(left, grid, cell_counts(len(values)), private=column.private)
    return replace(column, relation=relation, residual=cells)


def _tells(left: Floats, values: Floats) -> bool:
    """Tell whether residuals (n,) have much less entropy than values."""
    known = np.flatnonzero(~np.isnan(values))
    rows = known[np.linspace(0, len(known) - 1, min(len(known), TOLD_ROWS)).astype(np.intp)]
    own, rest = entropies(np.stack([values[rows], left[rows]]))
    return bool(rest < MAX_SHARE * own)


def _shared(column: Column) -> tuple[float, ...]:
    """Return values that several rows share, ascending, at most some hundreds."""
    if column.cells is None or column.private:
        return ()
    single = np.array(column.cells.terms) == 1
    values = np.unique(np.array(column.cells.starts)[single]) / column.cells.per_unit
    chosen = np.linspace(0, len(values) - 1, min(len(values), MAX_VALUES)).astype(np.intp)
    return tuple(values[chosen].tolist())
