"""A generator that draws the cells of a row one after another, each by softmaxes of its own.

Every softmax is a multilayer perceptron of the cells drawn before, and of later ones that are
revealed. As a likelihood model it gives the probabilities of a row's tokens; as a generator it
turns uniform numbers into tokens by the inverse distribution function, so that a row is a function
of its latent. Several members may stand side by side, whose probabilities are averaged.

A row is taken in by steps, one for each token: the coarse one of a column, then the fine one. All
softmaxes read sums of what the steps before them tell, so that the cost is linear in columns
(after NADE, Larochelle 2011, section 3).

Notation: G members, n rows of k cells (float64, see `codes`), T steps, S of them with a softmax.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import nll_loss, silu
from torch.special import ndtr

from sparring.kinds.tables.autoregressive.codes import (
    FEATURES,
    ColumnCode,
    NumberTokens,
    Reading,
    drawing_order,
    token_rows,
)
from sparring.kinds.tables.autoregressive.heads import FineHead, MixtureHead, SoftmaxHead
from sparring.kinds.tables.autoregressive.layers import (
    Embeddings,
    StepLinears,
    sums_after,
    sums_before,
)
from sparring.kinds.tables.spec import TableSpec

EMBEDDING = 16  # numbers of a token
LEAST = 2.0**-24  # that uniform numbers keep from 0 and 1
MIN_LAWS = 8  # tokens of a number, from which on logistic laws stand beside its softmax


Later = Sequence[Tensor | None]  # what revealed cells tell each step, (G, n, ·)
Head = SoftmaxHead | FineHead | MixtureHead


class Rows(NamedTuple):
    """What a network is told of n rows."""

    drawn: Tensor  # embedded tokens of the steps, (n, T)
    shown: Tensor  # those of the cells themselves, (n, T)
    features: Tensor  # numbers beside them, float32 (n, T, FEATURES)
    chosen: Tensor  # tokens as the softmaxes number them, (n, S)

    def part(self, start: int, stop: int | None = None) -> "Rows":
        """Return some of the rows."""
        return Rows(*(tensor[start:stop] for tensor in self))


class Step(NamedTuple):
    """A token of a row: the coarse or the fine one of a column."""

    column: int  # in the order of drawing
    is_fine: bool
    is_last: bool  # of its column
    has_softmax: bool  # else it follows from others
    drawn: int  # where its tokens begin among the embedded ones
    shown: int  # and those of the cell itself


class AutoregressiveGenerator(nn.Module):
    """latent (n, `latent`) of normal numbers, given cells and mask (n, 2k) → rows (n, k).

    Steps tell `sums` numbers, which each softmax reads through a layer of `width` and `depth`
    residual ones. With `laws`, numbers have as many logistic laws beside their softmax.
    """

    def __init__(
        self,
        spec: TableSpec,
        width: int,
        depth: int,
        *,
        members: int = 1,
        laws: int = 0,
        sums: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.members, self.width, self.dropout = members, width, dropout
        self.sums = sums
        self.codes = [ColumnCode(spec.learned, at) for at in drawing_order(spec.learned)]
        self.tables = nn.ModuleList(self.codes)  # their buffers go where the network goes
        self.steps, tokens = _steps(self.codes)
        self.steps_of = [
            [at for at, step in enumerate(self.steps) if step.column == column]
            for column in range(len(self.codes))
        ]
        self.asked = [at for at, step in enumerate(self.steps) if step.has_softmax]
        self.modelled = [self.codes[self.steps[at].column].place for at in self.asked]
        self.latent = len(self.asked) + sum(code.has_places for code in self.codes)
        self.embed = Embeddings(members, tokens, EMBEDDING)
        count, cue, softmaxes = len(self.steps), EMBEDDING + FEATURES, len(self.asked)
        self.before = StepLinears(members, count, cue, sums, scale=cue * count)
        self.after = StepLinears(members, count, cue + 1, sums, scale=cue * count)
        self.first = StepLinears(members, softmaxes, sums, width)
        self.middle = nn.ModuleList(
            StepLinears(members, softmaxes, width, width) for _ in range(depth)
        )
        total = max(float(code.shown.rows.sum()) for code in self.codes)
        self.heads = nn.ModuleList(
            _head(
                self.codes[self.steps[at].column],
                self.steps[at].is_fine,
                members,
                width,
                laws,
                total,
            )
            for at in self.asked
        )

    def read(self, items: Tensor) -> Rows:
        """Return what is told of rows (n, ≥ k)."""
        return self._told([code.read(items) for code in self.codes])

    def _told(self, readings: Sequence[Reading]) -> Rows:
        drawn, shown, features, chosen = [], [], [], []
        for step in self.steps:
            tokens, of_cells, numbers = readings[step.column]
            drawn.append(tokens[:, int(step.is_fine)] + step.drawn)
            shown.append(of_cells[:, int(step.is_fine)] + step.shown)
            features.append(numbers * step.is_last)
            if step.has_softmax:
                chosen.append(tokens[:, int(step.is_fine)])
        return Rows(*(torch.stack(parts, 1) for parts in (drawn, shown, features, chosen)))

    def log_likelihood(
        self, rows: Rows, mask: Tensor | None = None, kept: Tensor | None = None
    ) -> Tensor:
        """Return ln p of the tokens of rows, (G, S, n); 0 of what is unseen.

        Args:
            rows: as they are read.
            mask: (m, k), which cells of the last m rows are revealed; the others reveal none.
            kept: (G, S, n, width), by which hidden units are multiplied: dropout.
        """
        sums = sums_before(self.before(self._cues(rows.drawn, rows.features)))
        if mask is not None:
            rest = len(rows.drawn) - len(mask)
            later = self._later(rows.part(rest), mask)
            sums = torch.cat([sums[:, :, :rest], sums[:, :, rest:] + later], 2)
        if len(self.asked) < len(self.steps):
            sums = sums[:, self.asked]
        h = silu(self.first(silu(sums)))
        h = h if kept is None else h * kept
        for layer in self.middle:
            h = h + silu(layer(h))
        chosen = rows.chosen.unbind(1)
        found = []
        for softmax, (head, hidden) in enumerate(zip(self.heads, h.unbind(1), strict=True)):
            log_p = head(hidden, chosen[softmax - 1])
            found.append(_at(log_p, chosen[softmax]))
        return torch.stack(found, 1)

    def _cues(self, tokens: Tensor, features: Tensor) -> Tensor:
        """Return what networks see of tokens (n, T), (G, T, n, ·)."""
        told = features.expand(self.members, -1, -1, -1)
        return torch.cat([self.embed(tokens), told], 3).transpose(1, 2)

    def _later(self, rows: Rows, mask: Tensor) -> Tensor:
        """Return what revealed cells tell the softmaxes before them, (G, T, n, ·)."""
        told = mask[:, [self.codes[step.column].place for step in self.steps]]
        told = told.float().T[None, :, :, None]
        cues = self._cues(rows.shown, rows.features) * told
        return sums_after(self.after(torch.cat([cues, told.expand(self.members, -1, -1, -1)], 3)))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        u = ndtr(latent).clamp(LEAST, 1 - LEAST).double()
        items = torch.full_like(u[:, :1], torch.nan).repeat(1, len(self.codes))
        sums = torch.zeros_like(latent[None, :, :1]).repeat(self.members, 1, self.sums)
        later: tuple[Tensor | None, ...] = (None,) * len(self.steps)
        given, mask = label.chunk(2, 1) if label is not None else (items, None)
        if mask is not None:
            alone = self._told([code.read_alone(given) for code in self.codes])
            later = self._later(alone, mask).unbind(1)
        numbers = iter(u.unbind(1))
        for column, code in enumerate(self.codes):
            cells = self._cells(column, sums, later, numbers, items)
            if mask is not None:
                cells = torch.where(mask[:, code.place] > 0, given[:, code.place], cells)
            items[:, code.place] = cells
            if column + 1 < len(self.codes):
                sums = self._extended(column, sums, code.read(items))
        return items

    def _cells(
        self, column: int, sums: Tensor, later: Later, u: Iterator[Tensor], items: Tensor
    ) -> Tensor:
        """Draw the cells (n,) of a column by the next uniform numbers, or let them follow."""
        code, steps = self.codes[column], self.steps_of[column]
        if not self.steps[steps[0]].has_softmax:
            return code.followed(items)
        coarse = self._token(steps[0], sums, later, next(u), None)
        fine = torch.zeros_like(coarse)
        if len(steps) > 1 and self.steps[steps[1]].has_softmax:
            told = torch.zeros_like(sums[0, :, :FEATURES])
            fine = self._token(
                steps[1], self._added(steps[0], sums, coarse, told), later, next(u), coarse
            )
        return code.cells(coarse, fine, next(u) if code.has_places else None, items)

    def _token(
        self, at: int, sums: Tensor, later: Later, u: Tensor, coarse: Tensor | None
    ) -> Tensor:
        """Draw the token (n,) of a step."""
        softmax, revealed = self.asked.index(at), later[at]
        h = silu(self.first.at(softmax, silu(sums if revealed is None else sums + revealed)))
        for layer in self.middle:
            assert isinstance(layer, StepLinears)
            h = h + silu(layer.at(softmax, h))
        return _chosen(self.heads[softmax](h, coarse), u)

    def _extended(self, column: int, sums: Tensor, reading: Reading) -> Tensor:
        """Take the cells of a column in."""
        for at in self.steps_of[column]:
            step = self.steps[at]
            tokens = reading.drawn[:, int(step.is_fine)]
            sums = self._added(at, sums, tokens, reading.features * step.is_last)
        return sums

    def _added(self, at: int, sums: Tensor, tokens: Tensor, features: Tensor) -> Tensor:
        """Take the tokens (n,) of a step in."""
        told = features.expand(self.members, -1, -1)
        cue = torch.cat([self.embed(tokens + self.steps[at].drawn), told], 2)
        return sums + self.before.at(at, cue)


def _steps(codes: Sequence[ColumnCode]) -> tuple[list[Step], int]:
    """Return the steps of columns, and how many tokens are embedded in all."""
    steps: list[Step] = []
    tokens = 0
    for column, code in enumerate(codes):
        fine = max(code.drawn.n_fine, code.shown.n_fine) > 1
        for is_fine in (False, True)[: 1 + fine]:
            drawn, shown = (
                of.n_fine if is_fine else of.n_tokens for of in (code.drawn, code.shown)
            )
            asked = code.is_modelled and (not is_fine or code.drawn.n_fine > 1)
            first = tokens
            tokens += drawn
            second = tokens if code.is_residual else first
            tokens += shown * code.is_residual
            steps.append(Step(column, is_fine, is_fine == fine, asked, first, second))
    return steps, tokens


def _head(
    code: ColumnCode, is_fine: bool, members: int, width: int, laws: int, total: float
) -> Head:
    drawn = code.drawn
    if is_fine:
        assert isinstance(drawn, NumberTokens)
        return FineHead(members, width, drawn.rows_fine(), drawn.missing)
    rows = token_rows(drawn, total)
    if laws and isinstance(drawn, NumberTokens) and len(rows) >= MIN_LAWS:
        return MixtureHead(members, width, rows, drawn.missing, laws)
    return SoftmaxHead(members, width, rows)


def _at(log_p: Tensor, tokens: Tensor) -> Tensor:
    """Return ln p (G, n) of tokens (n,) by their softmax (G, n, K); 0 of the one beyond."""
    members, n, count = log_p.shape
    flat = tokens.expand(members, n).reshape(-1)
    ln_p = -nll_loss(log_p.flatten(0, 1), flat, ignore_index=count, reduction="none")
    return ln_p.view(members, n)


def _chosen(log_p: Tensor, u: Tensor) -> Tensor:
    """Return tokens (n,) where the distribution function, averaged over members, passes u."""
    reached = log_p.exp().double().mean(0).cumsum(1)
    below = (reached < u[:, None] * reached[:, -1:]).sum(1)
    return below.clamp(max=log_p.shape[2] - 1)
