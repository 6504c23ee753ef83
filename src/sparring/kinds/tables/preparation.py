"""The phase before the game on tables: an autoregressive generator learns rows by likelihood.

A part of the training rows is set aside, and tells which weights are the best and when to end. Of
several members each has a part of its own, which it does not learn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Adam

from sparring.data.dataset import Dataset
from sparring.data.stream import positions
from sparring.draws import Draw, permutation
from sparring.kinds.tables.autoregressive.network import AutoregressiveGenerator, Rows
from sparring.kinds.tables.autoregressive.revealing import kept_units, revealed
from sparring.recipes.sections import GeneratorRecipe
from sparring.training.state import State, Tensors, begin_preparing
from sparring.training.step import Logs, differentiate

WARM_UP, WARM_UP_SHARE = 100, 0.1  # steps in which the rate rises, and of all of them at most
JUDGED_TOGETHER = 256  # rows
REVEALING = 0.5  # of the rows of a batch
SET_ASIDE, MAX_SET_ASIDE = 0.05, 2_500  # share and number of rows that it is stopped by
LOOKS, PATIENCE = 20, 5  # at these, in the whole phase; without gain, until it ends
MAX_LOOKING = 0.3  # of the samples are looked at, which cost a third of those that are learned
DECAY, RAMP = 0.99, 10  # of the average, and the steps in which it comes to that
READ_TOGETHER = 500_000  # steps of rows that are read at once, as reading a batch costs as much
NOBODY = -1
SEED = 0


@dataclass(frozen=True)
class Pace:
    """How fast is learned."""

    batch: int
    rate: float  # after the warm-up; it falls to zero
    epochs: int  # of the training rows, at most


ALONE, TOGETHER = Pace(256, 4e-3, 60), Pace(64, 2e-3, 120)  # one member; several, on few rows


@dataclass(frozen=True, eq=False)
class Folds:
    """Which training rows a member learns from: all but those of its own fold."""

    train: NDArray[np.int64]
    members: int

    @cached_property
    def fold(self) -> NDArray[np.int64]:
        """The member by whose fold each training row is set aside, or nobody."""
        order = permutation(SEED, "table/set aside", len(self.train))
        if self.members > 1:
            return order % self.members
        count = max(min(round(SET_ASIDE * len(order)), MAX_SET_ASIDE), 1)
        return np.where(order < count, 0, NOBODY)

    @cached_property
    def learned(self) -> NDArray[np.int64]:
        """Places of the training rows that some member learns from."""
        return np.flatnonzero((self.fold == NOBODY) | (self.members > 1))

    @cached_property
    def aside(self) -> NDArray[np.int64]:
        """Places of those that judge a member."""
        return np.flatnonzero(self.fold != NOBODY)

    def owned(self, places: NDArray[np.int64]) -> Tensor:
        """Tell which members' folds training rows are in, (members, n)."""
        return torch.arange(self.members)[:, None] == torch.from_numpy(self.fold[places])


class LikelihoodPhase:
    """Steps up the likelihood of training rows, at a rate that falls to zero."""

    method = "by likelihood"

    def __init__(self, model: AutoregressiveGenerator, data: Dataset, samples: int) -> None:
        self.pace = pace = TOGETHER if model.members > 1 else ALONE
        self.batch, self.data = pace.batch, data
        samples = min(samples, pace.epochs * len(data.train))
        self.samples = -(-samples // pace.batch) * pace.batch
        self.folds = Folds(data.train, model.members)
        most = max(min(MAX_SET_ASIDE, round(MAX_LOOKING * samples / LOOKS)), JUDGED_TOGETHER)
        self.judges = self.folds.aside[:most]
        self.read: tuple[tuple[int, int], Rows] | None = None  # the rows of some steps

    def begin(self, state: State) -> None:
        """Give the state an optimiser, a running average, and what it remembers of looks."""
        model = _model(state)
        memory = {f"average.{name}": value.clone() for name, value in model.state_dict().items()}
        memory["loss"] = torch.full((model.members,), torch.inf, dtype=torch.float64)
        memory["fruitless"] = torch.zeros(model.members, dtype=torch.int64)
        optimizer = Adam(model.parameters(), self.pace.rate, betas=(0.9, 0.99), fused=True)
        begin_preparing(state, optimizer, memory)

    def take_step(self, state: State) -> Logs:
        """Take a step; the average follows, and is kept where rows set aside like it better."""
        model, preparing = _model(state), state.preparing
        assert preparing
        step = state.prepared // self.batch
        share = state.prepared / self.samples
        rising = max(min(WARM_UP, WARM_UP_SHARE * self.samples / self.batch), 1)
        rate = self.pace.rate * min(1.0, (step + 1) / rising) * (1 - share)
        for group in preparing.optimizer.param_groups:
            group["lr"] = state.rate_factor * rate
        preparing.optimizer.zero_grad()
        loss = self._loss(model, state)
        norm = differentiate(loss, model, "generator")
        preparing.optimizer.step()
        average = _named(preparing.memory)
        decay = min(DECAY, (step + 1) / (step + 1 + RAMP))
        torch._foreach_lerp_([*average.values()], [*model.state_dict().values()], 1 - decay)
        self._keep(state, average)
        return {"loss": loss.detach() / model.members, "gradient_norm": norm}

    def is_settled(self, state: State) -> bool:
        """Tell whether no member has gained for a while."""
        assert state.preparing
        return bool((state.preparing.memory["fruitless"] >= PATIENCE).all())

    def _loss(self, model: AutoregressiveGenerator, state: State) -> Tensor:
        """Return the loss of a batch, the sum over members."""
        draw = Draw(SEED, state.prepared, state.attempt)
        places, rows = self._batch(model, state)
        count = round(REVEALING * len(places))
        device = rows.drawn.device
        mask = revealed(draw, count, len(model.codes)).to(device)
        shape = (model.members, len(model.asked), len(places), model.width)
        kept = kept_units(draw, shape, model.dropout).to(device) if model.dropout else None
        learned = ~self.folds.owned(places).to(device)[:, None].expand(-1, len(model.asked), -1)
        hidden = learned.clone()
        hidden[:, :, len(places) - count :] &= ~mask[:, model.modelled].T
        ln_p = model.log_likelihood(rows, mask, kept)
        return -(ln_p * hidden).sum() / len(places)

    def _batch(
        self, model: AutoregressiveGenerator, state: State
    ) -> tuple[NDArray[np.int64], Rows]:
        """Return the training rows of a step, by their places and as they are read."""
        together = min(READ_TOGETHER // len(model.steps), len(self.folds.learned))
        size = self.batch * max(together // self.batch, 1)
        chunk, start = divmod(state.prepared, size)
        key = chunk, state.attempt
        seed = SEED + state.attempt
        places = self.folds.learned[positions(len(self.folds.learned), seed, chunk * size, size)]
        if self.read is None or self.read[0] != key:
            self.read = key, self._rows(model, places)
        stop = start + self.batch
        return places[start:stop], self.read[1].part(start, stop)

    def _rows(self, model: AutoregressiveGenerator, places: NDArray[np.int64]) -> Rows:
        items = torch.from_numpy(self.data.items[self.data.train[places]])
        return model.read(items.to(next(model.parameters()).device))

    def _keep(self, state: State, average: Tensors) -> None:
        """Leave in the state's average what rows set aside like best; before any look, the last."""
        assert state.preparing
        memory, kept = state.preparing.memory, state.ema.state_dict()
        before, after = (
            LOOKS * prepared // self.samples
            for prepared in (state.prepared, state.prepared + self.batch)
        )
        if before == after and not memory["loss"].isinf().all():
            return
        earlier = [value.clone() for value in kept.values()]
        for name, value in kept.items():
            value.copy_(average[name])
        if before == after:
            return
        loss = self._judged(state)
        better = loss < memory["loss"]
        for value, old in zip(kept.values(), earlier, strict=True):
            _of_members(value, len(loss))[~better] = _of_members(old, len(loss))[~better]
        memory["loss"].copy_(torch.where(better, loss, memory["loss"]))
        memory["fruitless"].add_(1).mul_(~better)

    @torch.no_grad()
    def _judged(self, state: State) -> Tensor:
        """Return what each member of the average loses on its fold, (members,)."""
        model = state.ema
        assert isinstance(model, AutoregressiveGenerator)
        total = rows = torch.zeros(model.members, dtype=torch.float64)
        for places in _parts(self.judges):
            owned = self.folds.owned(places).double()
            lost = -model.log_likelihood(self._rows(model, places)).sum(1).double().cpu()
            total, rows = total + (lost * owned).sum(1), rows + owned.sum(1)
        return total / rows.clamp(min=1)


def phase(state: State, data: Dataset, recipe: GeneratorRecipe) -> LikelihoodPhase | None:
    """Return the phase on as many rows as the recipe says; None for other generators."""
    model = state.generator
    if not isinstance(model, AutoregressiveGenerator) or not recipe.warm_start:
        return None
    return LikelihoodPhase(model, data, recipe.warm_start)


def _model(state: State) -> AutoregressiveGenerator:
    assert isinstance(state.generator, AutoregressiveGenerator)
    return state.generator


def _named(memory: Tensors) -> Tensors:
    prefix = "average."
    return {k.removeprefix(prefix): v for k, v in memory.items() if k.startswith(prefix)}


def _of_members(tensor: Tensor, members: int) -> Tensor:
    return tensor.view(members, -1)


def _parts(places: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    starts = range(0, len(places), JUDGED_TOGETHER)
    return [places[start : start + JUDGED_TOGETHER] for start in starts]
