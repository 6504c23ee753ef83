"""Encoded rows and what networks see of them; data frames for people.

Not inside: how cells become numbers and back (`columns`).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.kinds.tables import columns
from sparring.kinds.tables.columns import Frame
from sparring.kinds.tables.spec import COLUMN_KINDS, TableSpec


def frame_of(items: NDArray[np.float32], spec: TableSpec, start: int = 0) -> Frame:
    """Turn items (n, d) into rows; `start` is the first one's number, for identifiers."""
    return columns.decode(items, spec.columns, start=start)


def reveal(items: Tensor, mask: Tensor, spec: TableSpec) -> Tensor:
    """Return the condition (n, d + c) that reveals these columns, (n, c), of rows (n, d)."""
    mask = mask.to(items)
    return torch.cat([items * mask[:, spec.owners], mask], 1)


def encode(items: Tensor, spec: TableSpec) -> Tensor:
    """Return the items: rows are encoded when they are read."""
    return items


def decode(samples: Tensor, spec: TableSpec) -> Tensor:
    """Return the samples: they become rows when people want them."""
    return samples


def view(samples: Tensor, spec: TableSpec) -> Tensor:
    """Return what a discriminator sees: the samples."""
    return samples


def to_user_type(items: Tensor, spec: TableSpec) -> Frame:
    """Return rows as a data frame."""
    return frame_of(items.numpy(), spec)


def describe(spec: TableSpec) -> str:
    """Say how many columns of which types a row has."""
    kinds = [column.kind for column in spec.columns]
    parts = [f"{kinds.count(kind)} {kind}" for kind in COLUMN_KINDS if kind in kinds]
    return f"{len(kinds)} columns: {', '.join(parts)}"


def facts(spec: TableSpec) -> list[tuple[str, str]]:
    """Return nothing: the notes say what each column is."""
    return []
