"""Rows through the whole code of tables, to what networks see and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.kinds.tables import codec
from sparring.kinds.tables.columns import read_cells
from sparring.kinds.tables.spec import Column, TableSpec


def items_of(frame: Any, columns: Sequence[Column]) -> NDArray[np.float64]:
    cells = read_cells(frame, columns)
    return np.hstack([cells, codec.spread(len(cells), TableSpec(tuple(columns)))])


def encode(frame: Any, columns: Sequence[Column]) -> NDArray[np.float32]:
    items = torch.from_numpy(items_of(frame, columns))
    return codec.encode(items, TableSpec(tuple(columns))).numpy()


def decode(array: NDArray[Any], columns: Sequence[Column], start: int = 0) -> Any:
    spec = TableSpec(tuple(columns))
    return codec.frame_of(codec.decode(torch.from_numpy(array), spec).numpy(), spec, start)
