"""From rows of cells to what the game's networks see, and back; data frames for people.

An item is a row of k exact cells, float64, one of each learned column: a number on its column's
scale, a category's place among its labels and the rest, NaN where missing, -1 for what is unknown.
It goes on with where in its cell each number lies, from 0 to 1, so that equal ones are spread over
their ranks.

Encoded, a number is z = Φ⁻¹(u) / 3 of its rank u and a category a one-hot group, of the columns
that networks make (`TableSpec.blocks`).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.tables import knots
from sparring.kinds.tables.columns import Frame, write_cells
from sparring.kinds.tables.number_forms import in_form
from sparring.kinds.tables.numbers import MIN_RANK, number_code
from sparring.kinds.tables.relations import looked_up, predicted, residual, restored
from sparring.kinds.tables.spec import COLUMN_KINDS, Column, Relation, TableSpec

SCALE = 3.0  # of normal scores, so that networks see numbers below 1
UNKNOWN = -1.0  # the cell of a category that training has not seen
Floats = NDArray[np.float64]


def spread(rows: int, spec: TableSpec) -> Floats:
    """Return where in its cell each number of a table lies, (n, numbers), from 0 to 1."""
    like = torch.empty(0, dtype=torch.float64)
    drawn = [Draw(0).uniform(f"table rank {n}", (rows,), like).numpy() for n in spec.number_places]
    return np.stack(drawn, 1) if drawn else np.empty((rows, 0))


def frame_of(items: NDArray[np.float64], spec: TableSpec, start: int = 0) -> Frame:
    """Turn items (n, k) into rows; `start` is the first one's number, for identifiers."""
    return write_cells(items, spec.columns, start=start)


def reveal(encoded: Tensor, mask: Tensor, spec: TableSpec) -> Tensor:
    """Return the condition (n, d + k) that reveals these columns, (n, k), of rows (n, d)."""
    mask = mask.to(encoded)
    return torch.cat([encoded * mask[:, spec.owners], mask], 1)


def encode(items: Tensor, spec: TableSpec) -> Tensor:
    """Turn items into what discriminators see, float32 (n, d)."""
    encoded = torch.zeros(len(items), spec.size)
    within = items[:, len(spec.learned) :]
    for block in spec.blocks:
        column = spec.by_name[block.column]
        cells = _modelled(items, column, spec)
        part = encoded[:, block.start : block.stop]
        match block.kind:
            case "number":
                part[:, 0] = _scores(cells, column, within[:, spec.number_places[column.name]])
            case "missing":
                _mark(part, cells.isnan().long())
            case "category":
                place = category_places(cells.numpy(), column)
                _mark(part, torch.from_numpy(place))
    return encoded


def decode(samples: Tensor, spec: TableSpec) -> Tensor:
    """Turn what a generator makes into items, float64; the largest of a group counts.

    Raises:
        SparringError: samples of numbers and groups hold NaN.
    """
    within = uniforms(samples, len(spec.number_places))
    cells = samples if spec.makes == "cells" else _decoded(samples, spec)
    return torch.cat([cells, within], 1)


def view(samples: Tensor, spec: TableSpec) -> Tensor:
    """Return what a discriminator sees of what a generator makes."""
    return encode(decode(samples, spec), spec) if spec.makes == "cells" else samples


def _decoded(samples: Tensor, spec: TableSpec) -> Tensor:
    """Return the cells (n, k) of numbers and groups."""
    if samples.isnan().any():
        raise SparringError("the array to decode holds NaN; expected what a generator makes")
    cells = torch.full((len(samples), len(spec.learned)), torch.nan, dtype=torch.float64)
    parts: dict[str, list[Tensor]] = {column.name: [] for column in spec.learned}
    for block in spec.blocks:
        parts[block.column].append(samples[:, block.start : block.stop])
    chosen = uniforms(samples, len(spec.learned))
    for column in spec.in_order:
        place = spec.places[column.name]
        made = _cells(parts[column.name], column, chosen[:, place])
        cells[:, place] = _restored(made, cells, column, spec)
    return cells


def followed(items: Tensor, column: Column, spec: TableSpec) -> Tensor:
    """Return the cells (n,) of a column that networks do not make, of items with its sources."""
    return _restored(items[:, spec.places[column.name]], items, column, spec)


def to_user_type(items: Tensor, spec: TableSpec) -> Frame:
    """Return rows as a data frame."""
    return in_form(frame_of(items.numpy(), spec), spec.columns, files=False)


def describe(spec: TableSpec) -> str:
    """Say how many columns of which types a row has."""
    kinds = [column.kind for column in spec.columns if not column.hidden]
    parts = [f"{kinds.count(kind)} {kind}" for kind in COLUMN_KINDS if kind in kinds]
    return f"{len(kinds)} columns: {', '.join(parts)}"


def facts(spec: TableSpec) -> list[tuple[str, str]]:
    """Return nothing: the notes say what each column is."""
    return []


def category_places(cells: Floats, column: Column) -> NDArray[np.int64]:
    """Return the place (n,) of categories in their group, -1 of what is unknown.

    The rest shares one; missing cells have the last.
    """
    others, last = len(column.labels), len(column.labels) + bool(column.rest)
    place = np.where(np.isnan(cells), last, cells.clip(max=others)).astype(np.int64)
    return np.where(cells == UNKNOWN, others if column.rest else -1, place)


def uniforms(rows: Tensor, count: int) -> Tensor:
    """Return so many numbers from 0 to 1 for each row, (n, count), which its content decides."""
    bits = (rows.double() + 0.0).view(torch.int64)
    odd = torch.arange(1, 2 * bits.shape[1], 2) * 0x9E3779B97F4A7C1 + 2
    key = _mixed(_mixed(bits * (odd | 1)).sum(1))
    drawn = _mixed(key[:, None] + torch.arange(1, count + 1) * 0x632BE59BD9B4E019)
    return ((drawn >> 11) & (2**52 - 1)).double().add(0.5) * 2.0**-52


def _mixed(bits: Tensor) -> Tensor:
    """Return bits (int64) scrambled (the finaliser of SplitMix, Steele 2014)."""
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        bits = (bits ^ ((bits >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return bits ^ ((bits >> 31) & ((1 << 33) - 1))


def _modelled(items: Tensor, column: Column, spec: TableSpec) -> Tensor:
    """Return the numbers (n,) that networks make of a column: its cells, or residuals."""
    cells = items[:, spec.places[column.name]]
    if column.relation is None:
        return cells
    at = predicted(column.relation, _sources(items, column.relation, spec))
    return residual(column.relation, cells, at)


def _restored(cells: Tensor, items: Tensor, column: Column, spec: TableSpec) -> Tensor:
    """Return a column's cells of what networks make, once those it follows from are in items."""
    relation = column.relation
    if relation is None:
        return cells
    sources = _sources(items, relation, spec)
    if relation.form == "lookup":
        return looked_up(relation, sources)
    at = predicted(relation, sources)
    made = at if column.residual is None else cells  # missing where the prediction is
    return restored(relation, made, at)


def _sources(items: Tensor, relation: Relation, spec: TableSpec) -> Tensor:
    return items[:, [spec.places[source] for source in relation.sources]]


def _scores(values: Tensor, column: Column, within: Tensor) -> Tensor:
    """Return z of numbers, 0 where missing."""
    known = ~values.isnan()
    filled = values.nan_to_num()
    if column.numbers is None:
        u = knots.ranks(filled, column, within)
    else:
        u = number_code(column.numbers).ranks(filled, within)
    z = torch.from_numpy(ndtri(u.numpy().clip(MIN_RANK, 1 - MIN_RANK)) / SCALE)
    return torch.where(known, z, 0.0).float()


def _mark(part: Tensor, place: Tensor) -> None:
    known = place >= 0
    part[known, place[known]] = 1


def _cells(parts: Sequence[Tensor], column: Column, within: Tensor) -> Tensor:
    """Return the numbers (n,) that networks have made of a column."""
    if not parts:
        return torch.full_like(within, torch.nan)
    absent = parts[-1].argmax(1) == 1 if column.missing and len(parts) > 1 else None
    if column.is_number:
        values = _values(parts[0][:, 0], column)
        return values if absent is None else torch.where(absent, torch.nan, values)
    place = parts[0].argmax(1)
    if column.kind == "constant":
        return torch.where(place == 1, torch.nan, 0.0).double()
    cells = place.double()
    if column.rest:
        cells = torch.where(place == len(column.labels), rest(column, within), cells)
    gone = column.missing & (place == len(column.labels) + bool(column.rest))
    return torch.where(gone, torch.nan, cells)


def rest(column: Column, u: Tensor) -> Tensor:
    """Return places of rare categories, as often as they occur, at u from 0 to 1."""
    edges = torch.tensor(column.rest_counts, dtype=torch.float64).cumsum(0)
    index = torch.searchsorted(edges / edges[-1], u.contiguous()).clamp(max=len(edges) - 1)
    return (len(column.labels) + index).double()


def _values(scores: Tensor, column: Column) -> Tensor:
    u = torch.from_numpy(ndtr(SCALE * scores.double().numpy()))
    return knots.at(u, column) if column.numbers is None else number_code(column.numbers).at(u)


def values_at(ranks: Tensor, column: Column) -> Tensor:
    """Return the numbers of a column at ranks from 0 to 1."""
    return knots.at(ranks, column) if column.cells is None else number_code(column.cells).at(ranks)
