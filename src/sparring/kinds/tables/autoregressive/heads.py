"""From the last layer of a softmax to the probabilities of its tokens.

Notation: G members, n rows, K tokens, missing the last.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.special import ndtri

from sparring.kinds.tables.autoregressive.layers import Linears

SOFTENED = 1e-3  # of the rows, which are spread over all tokens before a softmax starts at them
START = 0.5  # of a layer's own size, where outputs begin near the frequencies
MIN_PROBABILITY = 1e-12
MIN_SCALE = 0.02  # of a logistic law, in deviations of the normal score


class SoftmaxHead(nn.Module):
    """h → ln p of tokens (G, n, K); it starts near the frequencies `rows`, (K,) or none."""

    def __init__(self, members: int, width: int, rows: Tensor) -> None:
        super().__init__()
        self.linear = Linears(members, width, len(rows))
        share = rows / rows.sum() + SOFTENED / len(rows)
        with torch.no_grad():
            self.linear.weight.mul_(START)
            self.linear.bias.copy_((share / share.sum()).log().float().expand_as(self.linear.bias))

    def forward(self, h: Tensor, coarse: Tensor | None = None) -> Tensor:
        log_p: Tensor = self.linear(h).log_softmax(2)
        return log_p


class FineHead(nn.Module):
    """h and coarse tokens → ln p of fine ones, −∞ of those that a coarse cell does not have."""

    prior: Tensor

    def __init__(self, members: int, width: int, rows: Tensor, missing: bool) -> None:
        super().__init__()
        self.linear = Linears(members, width, rows.shape[1])
        with torch.no_grad():
            self.linear.weight.mul_(START)
            self.linear.bias.zero_()
        if missing:
            first = torch.zeros_like(rows[:1])
            first[0, 0] = 1
            rows = torch.cat([rows, first])
        prior = (rows / rows.sum(1, keepdim=True)).log().float()
        self.register_buffer("prior", prior, persistent=False)

    def forward(self, h: Tensor, coarse: Tensor | None = None) -> Tensor:
        assert coarse is not None
        log_p: Tensor = (self.linear(h) + self.prior[coarse]).log_softmax(2)
        return log_p


class MixtureHead(nn.Module):
    """h → ln p of a number's cells: a softmax mixed with logistic laws of the normal score.

    Few rows teach a logistic law where a softmax must see every cell; after the discretised
    mixture of Salimans 2017, eq. 2. Missing is the softmax's alone.
    """

    edges: Tensor

    def __init__(self, members: int, width: int, rows: Tensor, missing: bool, laws: int) -> None:
        super().__init__()
        self.softmax = SoftmaxHead(members, width, rows)
        self.laws, self.cells = laws, len(rows) - missing
        self.linear = Linears(members, width, 3 * laws + 1)  # weights, places, scales
        ranks = rows[: self.cells].cumsum(0)[:-1] / rows[: self.cells].sum()
        with torch.no_grad():
            self.linear.weight.mul_(START)
            self.linear.bias.zero_()
            spread = ndtri((torch.arange(laws) + 0.5) / laws)
            self.linear.bias[:, :, laws + 1 : 2 * laws + 1] = spread
        self.register_buffer("edges", ndtri(ranks).float(), persistent=False)

    def forward(self, h: Tensor, coarse: Tensor | None = None) -> Tensor:
        by_softmax = self.softmax(h).exp()
        weights, places, scales = self.linear(h).split([self.laws + 1, self.laws, self.laws], 2)
        weights, scales = weights.softmax(2), MIN_SCALE + scales.exp()
        at = (self.edges[:, None] - places[..., None, :]) / scales[..., None, :]
        below = logsigmoid(at).exp() @ weights[..., 1:, None]
        total = weights[..., 1:].sum(2)[..., None, None]
        mass = torch.cat([below, total], 2) - torch.cat([torch.zeros_like(total), below], 2)
        present = by_softmax[..., : self.cells].sum(2, keepdim=True)
        cells = weights[..., :1] * by_softmax[..., : self.cells] + present * mass[..., 0]
        p = torch.cat([cells, by_softmax[..., self.cells :]], 2)
        return p.clamp(min=MIN_PROBABILITY).log()
