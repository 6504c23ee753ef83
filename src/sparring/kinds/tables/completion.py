"""Partly filled rows made whole: given cells stay as they are, empty ones are drawn given those.

Given cells are revealed to the generator, and those that follow from others tell these where they
can. What cannot be revealed is chosen for among several drawings of a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError, listed
from sparring.kinds.tables.codec import followed
from sparring.kinds.tables.columns import Floats, Frame, Series, numbers, pandas, write_cells
from sparring.kinds.tables.conditional import PROPOSED, Proposals, warn
from sparring.kinds.tables.conditions import Condition, satisfying, together
from sparring.kinds.tables.rules import obeyed
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.kinds.tables.where import label_of

ATTEMPTS = 40  # drawings of a row, of which one is to agree with all that is given
GUESSED = 20  # of these, after which cells that given ones leave open are revealed by their counts
CLOSE = 1e-9  # of a number that follows from others, and may be off by rounding


def completed(frame: Frame, proposals: Proposals, conditions: Sequence[Condition] = ()) -> Tensor:
    """Return rows (n, k) in which the given cells of a frame stay, and conditions hold.

    Raises:
        SparringError: a cell is not one of its column, the frame has no column of the table's, the
            generator takes no conditions, or a row cannot satisfy them.
    """
    spec = proposals.spec
    _refuse_strange(frame, proposals)
    given, mask = given_cells(frame, spec)
    _warn_of_weak(mask, spec)
    told, shown = _revealed(given, mask, spec, None)
    rows = torch.empty(len(given), len(spec.learned) + len(spec.number_places)).double()
    pending, start = torch.arange(len(given)), 0
    for attempt in range(ATTEMPTS):
        if attempt == GUESSED:
            told, shown = _revealed(given, mask, spec, Draw(proposals.seed))
        made, at = proposals.completed(told[pending], shown[pending], start), mask[pending]
        made[:, : at.shape[1]] = torch.where(at, given[pending], made[:, : at.shape[1]])
        rows[pending] = made
        start += -(-len(pending) // PROPOSED) * PROPOSED
        pending = pending[~(satisfying(made, spec, conditions) & _agrees(made, at, spec))]
        if not len(pending):
            return rows
    _tell_of(pending, satisfying(rows[pending], spec, conditions), conditions)
    return rows


def filled(given: Frame, drawn: Frame, spec: TableSpec) -> Frame:
    """Return given rows with drawn cells where theirs are empty, and columns that they lack."""
    columns: dict[str, Series] = {}
    for name in given.columns:
        cells = given[name].reset_index(drop=True)
        column = spec.by_name.get(name)
        if name not in drawn.columns:
            columns[name] = cells
        elif column is not None and column.kind == "identifier":
            columns[name] = _merged(cells, _new_identifiers(cells, column))
        else:
            columns[name] = _merged(cells, drawn[name])
    absent = {name: drawn[name] for name in drawn.columns if name not in given.columns}
    return pandas().DataFrame(columns | absent)


def given_cells(frame: Frame, spec: TableSpec) -> tuple[Tensor, Tensor]:
    """Return the cells (n, k) that are not empty, and where they are.

    Raises:
        SparringError: a cell is not one of its column.
    """
    cells = np.full((len(frame), len(spec.learned)), np.nan)
    for place, column in enumerate(spec.learned):
        if column.name in frame.columns and not column.hidden:
            cells[:, place] = _cells(frame[column.name].reset_index(drop=True), column)
    return torch.from_numpy(cells), torch.from_numpy(~np.isnan(cells))


def _refuse_strange(frame: Frame, proposals: Proposals) -> None:
    seen = [column.name for column in proposals.spec.learned if not column.hidden]
    if not {*frame.columns} & {*seen}:
        raise SparringError(f"the rows to complete have no column of the run's: {listed(seen)}")
    if not proposals.heeds:
        raise SparringError("the network mlp takes no conditions; train another to complete rows")


def _cells(series: Series, column: Column) -> Floats:
    """Return the cells (n,) of a column, NaN where empty."""
    absent = _empty(series)
    if column.is_number:
        values = numbers(series.where(~absent), replace(column, missing=True))
        if (odd := np.isnan(values) & ~absent).any():
            row = int(np.argmax(odd))
            raise SparringError(
                f"column '{column.name}', row {row}: '{series.iloc[row]}' cannot be read as "
                f"{column.kind}"
            )
        return values
    pool = (*column.labels, *column.rest)
    codes, unique = pandas().factorize(series.where(~absent))
    places = []
    for code, value in enumerate(unique):
        where = f"{column.name}={value}, row {int(np.argmax(codes == code))}"
        places.append(float(pool.index(label_of(str(value), column, pool, where))))
    cells: Floats = np.array([*places, np.nan])[codes]
    return cells


def _empty(series: Series) -> NDArray[np.bool_]:
    """Tell which cells are to be drawn."""
    if series.dtype.kind in "biufcmM":
        return np.asarray(series.isna())
    blank = series.map(lambda cell: isinstance(cell, str) and not cell.strip())
    return np.asarray(series.isna() | blank.astype(bool))


def _revealed(
    given: Tensor, mask: Tensor, spec: TableSpec, draw: Draw | None
) -> tuple[Tensor, Tensor]:
    """Return what of given cells, and of what these tell, is revealed to the generator, and where.

    What they leave open is drawn by its counts, if a draw is given.
    """
    told, shown = given.clone(), mask.clone()
    for column in spec.learned:
        if column.is_modelled or column.relation is None:
            continue
        if column.relation.form == "linear" and not column.relation.powers:
            _solve(column, told, shown, spec)
    for name in dict.fromkeys(_sources(spec)):
        _find(spec.by_name[name], told, shown, spec, draw)
    for place, column in enumerate(spec.learned):
        if column.relation is not None and (spec.makes != "cells" or not column.is_modelled):
            shown[:, place] = False
    return told, shown


def _sources(spec: TableSpec) -> Iterator[str]:
    """Yield the columns from which alone others are looked up."""
    for column in spec.learned:
        relation = column.relation
        if relation is not None and relation.form == "lookup" and len(relation.sources) == 1:
            yield relation.sources[0]


def _solve(column: Column, told: Tensor, shown: Tensor, spec: TableSpec) -> None:
    """Put in the one summand that a given sum and all other summands tell."""
    relation = column.relation
    assert relation is not None
    places = [spec.places[name] for name in relation.sources]
    weights = torch.tensor(relation.weights, dtype=torch.float64)
    for place, weight in zip(places, relation.weights, strict=False):
        others = [other for other in places if other != place]
        rows = shown[:, spec.places[column.name]] & ~shown[:, place] & shown[:, others].all(1)
        known = torch.where(shown[:, places], told[:, places], 0.0) @ weights[:-1] + weights[-1]
        value = (told[:, spec.places[column.name]] - known) / weight
        decimals = spec.learned[place].decimals
        value = value if decimals is None else torch.round(value, decimals=decimals)
        told[rows, place], shown[rows, place] = value[rows], True


def _find(source: Column, told: Tensor, shown: Tensor, spec: TableSpec, draw: Draw | None) -> None:
    """Put in the cell of a column that those tell which are looked up from it."""
    at = spec.places[source.name]
    looked_up = [c for c in spec.learned if c.relation and c.relation.sources == (source.name,)]
    looked_up = [c for c in looked_up if c.relation and c.relation.form == "lookup"]
    places = [spec.places[column.name] for column in looked_up]
    rows = torch.nonzero(~shown[:, at] & shown[:, places].any(1))[:, 0]
    if not len(rows):
        return
    keys = torch.tensor(sorted({k for c in looked_up if c.relation for (k,) in c.relation.keys}))
    items = torch.full((len(keys), len(spec.learned)), torch.nan, dtype=torch.float64)
    items[:, at] = keys.double()
    known = torch.stack([followed(items, column, spec) for column in looked_up], 1)
    asked = torch.where(shown[rows][:, places], told[rows][:, places], torch.nan)
    unique, which = torch.unique(asked.nan_to_num(nan=-np.inf), dim=0, return_inverse=True)
    fits = ((unique[:, None] == known) | (unique[:, None] == -np.inf)).all(2)
    weights = fits * torch.tensor([_rows_of(source, float(key)) for key in keys])
    chosen = weights.argmax(1)[which]
    certain = (fits.sum(1) == 1)[which]
    if draw is not None:
        u = draw.uniform(f"table/complete {source.name}", (len(rows),)).double()
        edges = weights.cumsum(1)[which]
        chosen = (edges <= u[:, None] * edges[:, -1:]).sum(1).clamp(max=len(keys) - 1)
        certain = fits.any(1)[which]
    told[rows[certain], at], shown[rows[certain], at] = keys.double()[chosen[certain]], True


def _rows_of(column: Column, cell: float) -> float:
    """Return the training rows of a category; 1 of a number."""
    counts = (*column.counts, *column.rest_counts)
    return max(float(counts[int(cell)]), 1e-9) if counts else 1.0


def _agrees(made: Tensor, mask: Tensor, spec: TableSpec) -> Tensor:
    """Tell which rows (n, k) have given cells that follow from others, and keep the rules."""
    good = torch.ones(len(made), dtype=torch.bool)
    for place, column in enumerate(spec.learned):
        if not column.is_modelled and mask[:, place].any():
            cells, due = made[:, place], followed(made, column, spec)
            reach = column.resolution / 2 + CLOSE * cells.abs()
            good &= ~mask[:, place] | ((cells - due).abs() <= reach)
    if spec.rules:
        good &= torch.from_numpy(obeyed(made.numpy(), spec))
    return good


def _warn_of_weak(mask: Tensor, spec: TableSpec) -> None:
    """Warn of given cells that follow from others that are to be drawn."""
    for place, column in enumerate(spec.learned):
        if column.relation is None or not column.is_modelled:
            continue
        sources = [spec.places[name] for name in column.relation.sources]
        if (mask[:, place] & ~mask[:, sources].all(1)).any():
            warn(
                f"'{column.name}' follows from {' and '.join(column.relation.sources)}: where it "
                "is given without these, what is drawn fits it less well"
            )


def _tell_of(pending: Tensor, fine: Tensor, conditions: Sequence[Condition]) -> None:
    """Warn of rows that do not agree with what is given; refuse those that satisfy nothing."""
    if not fine.all():
        row = int(pending[~fine][0])
        raise SparringError(
            f"row {row} cannot be completed so that {together(conditions)} holds; relax it, or "
            "change what is given"
        )
    warn(
        f"{len(pending):,} rows, the first of them row {int(pending[0])}, cannot be completed so "
        "that all cells go together; what is given stays, the rest may not fit it"
    )


def _new_identifiers(given: Series, column: Column) -> Series:
    """Return identifiers (n,) that are not given, numbered as the table's."""
    possible = write_cells(np.empty((2 * len(given), 0)), [column])[column.name]
    taken = {str(cell) for cell in given.dropna()}
    free = possible[~possible.map(str).isin(taken)]
    return free.iloc[: len(given)].reset_index(drop=True)


def _merged(given: Series, drawn: Series) -> Series:
    """Return given cells, drawn ones where these are empty; of the drawn type if that can be."""
    absent = _empty(given)
    if not absent.any():
        return given
    cells = given.astype(object).where(~absent, drawn.astype(object))
    try:
        typed = cells.astype(drawn.dtype)
    except (ValueError, TypeError):
        return cells
    same = (typed.astype(object) == cells) | (typed.isna() & cells.isna())
    return typed if same.all() else cells
