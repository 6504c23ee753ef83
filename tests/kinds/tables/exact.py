"""A generator of cells whose law is that of a table's own rows, given whatever is revealed."""

import numpy as np
import torch
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.kinds.tables.codec import followed
from sparring.kinds.tables.spec import TableSpec


class Rows(nn.Module):
    """Draws a row of the data, of those that agree most with what is revealed, which it keeps."""

    latent = 1

    def __init__(self, data: Dataset) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        assert isinstance(data.spec, TableSpec)
        self.spec = data.spec
        self.rows = torch.from_numpy(np.array(data.items[data.train, : len(data.spec.learned)]))
        self.revealed: set[tuple[bool, ...]] = set()  # columns, whenever rows were asked for

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        u = torch.special.ndtr(latent[:, 0].double())
        if label is None:
            self.revealed.add((False,) * self.rows.shape[1])
            return self.rows[(u * len(self.rows)).long()].clone()
        given, mask = label.chunk(2, 1)
        self.revealed |= {tuple(row) for row in (mask > 0).tolist()}
        made = []
        for place, cells, shown in zip(u, given, mask > 0, strict=True):
            agree = (self.rows == cells) | (self.rows.isnan() & cells.isnan())
            agreed = (agree | ~shown).sum(1)
            best = torch.nonzero(agreed == agreed.max())[:, 0]
            row = self.rows[best[(place * len(best)).long()]]
            made.append(torch.where(shown, cells, row))
        items = torch.stack(made)
        for column in self.spec.in_order:
            if not column.is_modelled:
                items[:, self.spec.places[column.name]] = followed(items, column, self.spec)
        return torch.where(mask > 0, given, items)
