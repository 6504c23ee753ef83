"""Rows on conditions, and as many of each category: chosen among rows, or revealed to a generator.

A generator that draws cells by their exact law proposes rows freely, and those that satisfy all
conditions are taken. Where fewer than one in 50 does, conditions are revealed to it; to one that
plays, at once: values that they fix, and the one column of a single range, drawn from its own law.
Further ranges are filtered, and only where hardly any row hits, each is revealed by itself. What
follows from other columns is revealed last, for the rest of such rows fits it less well.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, groupby
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.draws import Draw
from sparring.errors import RequestWarning, SparringError
from sparring.kinds.tables.codec import decode
from sparring.kinds.tables.condition_sampler import condition_vector, revealing
from sparring.kinds.tables.conditions import (
    Condition,
    allowed,
    draw_satisfying,
    is_one_value,
    satisfying,
    together,
)
from sparring.kinds.tables.rules import obeyed
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.kinds.tables.where import categories, read_where
from sparring.networks.mlp import MLPGenerator
from sparring.sampling import MICRO_BATCH
from sparring.sampling import sample as draw_samples

PROPOSED = 1024  # rows at once
MIN_HIT_SHARE = 1 / 50  # of proposed rows; if fewer satisfy all, more is revealed
MIN_WEAK_SHARE = 1 / 500  # the same, before what follows from other columns is revealed
MAX_FRUITLESS = 20  # proposals without a single row
MAX_REMEMBERED = 64  # proposals, for the categories that rows are balanced by
MANY = 8 * PROPOSED  # rows made freely, of which none has what training rows may not have either
APART = 2**36  # samples between those of one category and the next
Groups = Mapping[str, Sequence[Condition]]  # by the column that they are on


@dataclass(frozen=True, eq=False)
class Proposals:
    """What a generator proposes: rows (n, k) as functions of a seed and their number."""

    generator: nn.Module
    spec: TableSpec
    seed: int = 0
    truncation: float = 1.0
    remembered: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    @property
    def heeds(self) -> bool:
        """Tell whether the generator takes conditions."""
        return not isinstance(self.generator, MLPGenerator)

    def rows(self, n: int, start: int, condition: Tensor | None = None) -> Tensor:
        """Return rows number `start`, a multiple of 64, and those after it, on a condition."""
        many = n >= PROPOSED and self.spec.makes == "cells"
        parts = draw_samples(
            self.generator,
            n,
            seed=self.seed,
            labels=condition,
            truncation=self.truncation,
            start=start,
            batch=PROPOSED if many else MICRO_BATCH,
        )
        return decode(torch.cat([*parts]), self.spec)

    def free(self, n: int, start: int) -> Tensor:
        """Return rows without any condition; the first ones are remembered."""
        rows = self.remembered.get((n, start))
        if rows is None:
            rows = self.rows(n, start)
            if len(self.remembered) < MAX_REMEMBERED:
                self.remembered[n, start] = rows
        return rows

    def revealed(self, groups: Groups, start: int, n: int = PROPOSED) -> Tensor:
        """Return rows to which cells are revealed that satisfy conditions, each by itself."""
        if not groups:
            return self.free(n, start)
        draw, spec = Draw(self.seed, start), self.spec
        given = {
            name: draw_satisfying(spec.by_name[name], of, draw, n) for name, of in groups.items()
        }
        rows = self.rows(n, start, condition_vector(spec, given, n))
        for name, cells in given.items():
            _keep_rare(rows[:, spec.places[name]], torch.from_numpy(cells), spec.by_name[name])
        return rows

    def completed(self, cells: Tensor, mask: Tensor, start: int) -> Tensor:
        """Return rows that reveal these cells (n, k) where the mask is true."""
        return self.rows(len(cells), start, revealing(cells, mask, self.spec))


def sample_where(
    generator: nn.Module,
    spec: TableSpec,
    where: Any,
    n: int,
    *,
    seed: int = 0,
    truncation: float = 1.0,
    balance: str = "",
    data: Callable[[], Dataset] | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Return n rows (n, k) that all satisfy the conditions, see `where.read_where`.

    Row i is a function of the seed, the conditions, i and the truncation. It warns of what no
    training row has, and of rows that fit their conditions less well than others.

    Args:
        generator: of the table.
        spec: of its rows.
        where: what people write.
        n: how many.
        seed: of the latents.
        truncation: of the latents.
        balance: a column of whose categories there are to be as many rows each, in turn.
        data: opens what was trained on, if it is there.
        progress: told how many there are.

    Raises:
        SparringError: a condition cannot be read, or no row satisfies them.
    """
    conditions = read_where(where, spec)
    _warn_of_rare(conditions)
    proposals = Proposals(generator, spec, seed, truncation)
    if not balance:
        return _rows_on(conditions, n, proposals, data, progress)
    each = _of_each(categories(balance, spec), conditions)
    parts: list[Tensor] = []
    for place, one in enumerate(each[:n]):
        count, before = (n + len(each) - 1 - place) // len(each), sum(map(len, parts))
        told = partial(_add, progress, before)
        parts += [_rows_on((*conditions, one), count, proposals, data, told, place * APART)]
    return _in_turn(parts)


def _add(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


def _of_each(column: Column, conditions: Sequence[Condition]) -> list[Condition]:
    """Return a condition for each category that these conditions leave."""
    own = [condition for condition in conditions if condition.column.name == column.name]
    cells = [int(cell) for cell in allowed(column, own) if cell < len(column.labels)]
    if not cells:
        raise SparringError(f"no category of column '{column.name}' satisfies {together(own)}")
    labels = [column.labels[cell] for cell in cells]
    if column.rest and not own:
        warn(f"the {len(column.rest):,} rare categories of '{column.name}' are left out")
    return [Condition(column, "in", (label,), f"{column.name}={label}") for label in labels]


def _in_turn(parts: Sequence[Tensor]) -> Tensor:
    """Return the first row of each part, then the second of each, and so on."""
    place = torch.cat([torch.arange(len(part)) * len(parts) + i for i, part in enumerate(parts)])
    return torch.cat([*parts])[place.argsort()]


def _rows_on(
    conditions: Sequence[Condition],
    n: int,
    proposals: Proposals,
    data: Callable[[], Dataset] | None,
    progress: Callable[[int], None],
    first: int = 0,
) -> Tensor:
    """Return n rows that satisfy conditions; those to which these are revealed count from `first`.

    Row i does not depend on n: sizes of proposals change nothing but how many are made in vain.
    """
    spec, groups = proposals.spec, _by_column(conditions)
    stages = _stages(_carried(groups, spec), proposals)
    if len(groups) > 1:
        _warn_of_unseen(groups, proposals, data)
    rows: list[Tensor] = []
    done = at = tried = hit = 0  # rows; proposed ones; of this stage, and its hits
    while done < n:
        last = len(stages) == 1 and (hit or not tried)
        size = min(-(-2 * (n - done) // MICRO_BATCH) * MICRO_BATCH, PROPOSED) if last else PROPOSED
        hits = proposals.revealed(stages[0], at + first * bool(stages[0]), size)
        hits = _obeying(hits[satisfying(hits, spec, conditions)], rows, spec)
        at, tried, hit = at + size, tried + size, hit + len(hits)
        if len(stages) > 1 and hit < tried * _least_share(stages[1], spec):
            stages, tried, hit = stages[1:], 0, 0
            _warn_of_weak(stages[0], spec)
            continue
        rows.append(hits)
        done += len(hits)
        progress(min(done, n))
        if not done and at >= MAX_FRUITLESS * PROPOSED:
            asked = together(conditions)
            raise SparringError(f"none of {at:,} rows satisfied {asked}; relax the conditions")
    return torch.cat(rows)[:n]


def _by_column(conditions: Sequence[Condition]) -> dict[str, list[Condition]]:
    name = attrgetter("column.name")
    return {key: [*same] for key, same in groupby(sorted(conditions, key=name), name)}


def _obeying(hits: Tensor, rows: Sequence[Tensor], spec: TableSpec) -> Tensor:
    """Return the rows that keep the table's rules, beside those that are there."""
    if not spec.rules:
        return hits
    kept = obeyed(torch.cat([*rows, hits]).numpy(), spec)
    return hits[torch.from_numpy(kept[sum(map(len, rows)) :])]


def _carried(groups: Groups, spec: TableSpec) -> Groups:
    """Return conditions on columns that can be revealed, instead of what is looked up from one.

    Raises:
        SparringError: no value of that one goes with the conditions.
    """
    carried: dict[str, list[Condition]] = {}
    for name, conditions in groups.items():
        relation = spec.by_name[name].relation
        if relation is None or relation.form != "lookup":
            carried.setdefault(name, []).extend(conditions)
        elif len(relation.sources) == 1:
            source = spec.by_name[relation.sources[0]]
            carried.setdefault(source.name, []).append(_of_source(source, conditions, spec))
    for name, conditions in carried.items():
        if spec.by_name[name].hidden and not allowed(spec.by_name[name], conditions):
            raise SparringError(f"no row of the data satisfies {together(conditions)}")
    return carried


def _of_source(source: Column, conditions: Sequence[Condition], spec: TableSpec) -> Condition:
    """Return what conditions on a column that is looked up from one say of that one."""
    relation = conditions[0].column.relation
    assert relation is not None
    cells = torch.tensor([torch.nan if v is None else v for v in relation.values]).double()
    items = cells[:, None].expand(-1, len(spec.learned))
    fitting = satisfying(items, spec, conditions).tolist()
    good = [key for (key,), fits in zip(relation.keys, fitting, strict=True) if fits]
    names = (*source.labels, *source.rest)
    values = tuple(key if source.is_number else names[int(key)] for key in good)
    return Condition(source, "in", values, together(conditions))


def _stages(groups: Groups, proposals: Proposals) -> list[Groups]:
    """Return what is to be revealed, first as little as promises enough rows, then more."""
    spec = proposals.spec
    if not proposals.heeds:
        return [{}]
    strong = [name for name in groups if spec.by_name[name].relation is None]
    fixed = [name for name in strong if is_one_value(spec.by_name[name], groups[name])]
    free = [name for name in strong if name not in fixed]
    first = fixed if len(free) > 1 or (fixed and free) else strong
    names = [first, strong]
    if spec.makes == "cells":
        weak = [name for name in groups if spec.by_name[name].is_modelled and name not in strong]
        names = [[], first, strong, [*strong, *weak]]
    stages = [{name: groups[name] for name in names_of} for names_of in names]
    return [stage for place, stage in enumerate(stages) if stage not in stages[:place]]


def _least_share(stage: Groups, spec: TableSpec) -> float:
    """Return the share of hits below which one turns to a stage."""
    return MIN_WEAK_SHARE if [*_weak(stage, spec)] else MIN_HIT_SHARE


def _weak(stage: Groups, spec: TableSpec) -> Iterator[Column]:
    """Yield the columns of a stage that follow from others."""
    return (spec.by_name[name] for name in stage if spec.by_name[name].relation is not None)


def _warn_of_rare(conditions: Sequence[Condition]) -> None:
    """Warn of conditions that only rare categories satisfy, of which a generator knows no more."""
    for condition in conditions:
        if condition.sign == "in" and {*condition.values} <= {*condition.column.rest}:
            warn(
                f"{condition}: one of {len(condition.column.rest):,} rare categories that are "
                "learned as one; the rest of such rows is that of all of these"
            )


def _warn_of_weak(stage: Groups, spec: TableSpec) -> None:
    for column in _weak(stage, spec):
        assert column.relation is not None
        warn(
            f"{together(stage[column.name])}: hardly any row has this by itself, and "
            f"'{column.name}' follows from {' and '.join(column.relation.sources)}; the rest of "
            "such rows fits it less well"
        )


def _warn_of_unseen(
    groups: Groups, proposals: Proposals, data: Callable[[], Dataset] | None
) -> None:
    """Warn of what no training row has together, or where these are not there, no row of many."""
    spec, every = proposals.spec, [condition for of in groups.values() for condition in of]
    free = proposals.free(PROPOSED, 0)
    if satisfying(free, spec, every).any():
        return
    free = torch.cat([free, proposals.free(MANY - PROPOSED, PROPOSED)])
    if satisfying(free, spec, every).any():
        return
    rows, whose = free, f"none of {len(free):,} rows made freely has"
    with suppress(SparringError):
        if data is not None:
            known = data()
            rows, whose = torch.from_numpy(known.items[known.train]), "no training row has"
    pairs: list[Sequence[str]] = [*combinations(groups, 2), tuple(groups)]
    for names in pairs:
        of = [condition for name in names for condition in groups[name]]
        if not satisfying(rows, spec, of).any():
            guessed = "such rows are the generator's guess"
            warn(f"{whose} {together(of)}: {guessed}")
            return


def _keep_rare(made: Tensor, given: Tensor, column: Column) -> None:
    """Put in rare categories as given, of which a generator knows only that they are rare."""
    if column.rest and not column.is_number:
        rare = (made >= len(column.labels)) & (given >= len(column.labels))
        made[rare] = given[rare]


def warn(line: str) -> None:
    """Tell people what they should know of the rows they get."""
    warnings.warn(line, RequestWarning, stacklevel=2)
