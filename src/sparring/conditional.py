"""Rows and texts that satisfy conditions.

Conditions on rows of a table are revealed to the generator where that is exact.

Values that conditions fix are revealed, and so is the one column of a single range, drawn from its
own law: the generator then has the rest to fit. Further ranges are left to the generator, and rows
that miss them are thrown away; if hardly any row hits, they are revealed too, each drawn by itself.
Texts are drawn until enough are as wanted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import torch
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.kinds import decode
from sparring.data.table_conditions import (
    Condition,
    is_one_value,
    parse_condition,
    revealed,
    satisfied,
)
from sparring.data.tables import condition, frame_of
from sparring.data.texts import normalised, texts_of
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.sampling import sample
from sparring.spec import Column, Spec, TableSpec, TextSpec

PART = 1024  # rows proposed at once
FEWEST = 1 / 50  # of a part must satisfy ranges that are left to the generator
MOST_PARTS = 20  # without a single row, or text


@dataclass(frozen=True)
class Wanted:
    """What texts that are drawn must be like."""

    unique: bool = False  # no text twice
    novel: bool = False  # none of the training texts
    like: str = ""  # what they begin with


def sample_where(
    generator: nn.Module,
    spec: TableSpec,
    texts: Sequence[str],
    n: int,
    *,
    seed: int = 0,
    truncation: float = 1.0,
    told: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Return n encoded rows (n, d) that all satisfy the conditions.

    Row i is a function of the seed, the conditions, i and the truncation.

    Raises:
        SparringError: a condition cannot be read, or no row satisfies them.
    """
    asked = sorted((parse_condition(text, spec) for text in texts), key=_name)
    groups = [(group[0].column, group) for _, items in groupby(asked, _name) if (group := [*items])]
    fixed = [column.name for column, group in groups if is_one_value(column, group)]
    free = [column.name for column, _ in groups if column.name not in fixed]
    shown = fixed if len(free) > 1 or (fixed and free) else [*fixed, *free]
    rows: list[Tensor] = []
    done = tried = 0
    while done < n:
        made = _proposed(generator, spec, groups, shown, seed, PART * tried, truncation)
        good = made[torch.from_numpy(satisfied(frame_of(made.numpy(), spec), asked))]
        tried += 1
        if len(good) < FEWEST * PART and len(shown) < len(groups):
            shown = [*fixed, *free]
            continue
        rows.append(good)
        done += len(good)
        told(min(done, n))
        if not done and tried >= MOST_PARTS:
            raise SparringError(
                f"none of {PART * tried:,} rows satisfied {' and '.join(texts)}; ask for less"
            )
    return torch.cat(rows)[:n]


def sample_texts(
    generator: nn.Module,
    spec: Spec,
    wanted: Wanted,
    n: int,
    *,
    known: Dataset | None,
    seed: int,
    label: Callable[[int], Tensor | None],
    truncation: float,
    told: Callable[[int], None] = lambda done: None,
) -> list[str]:
    """Return n texts that are as wanted, from those that plain sampling gives, in their order.

    Args:
        generator: of texts.
        spec: of the texts.
        wanted: of each.
        n: how many.
        known: data whose training texts are not wanted.
        seed: as of `sampling.sample`.
        label: of so many texts, as of `sampling.sample`.
        truncation: as of `sampling.sample`.
        told: how many there are.

    Raises:
        SparringError: these are no texts, or hardly any is as wanted.
    """
    if not isinstance(spec, TextSpec):
        raise SparringError("unique, novel and like are asked of texts; this run makes none")
    unwanted = set() if known is None else set(texts_of(known.items[known.train], spec))
    begin = normalised(wanted.like, spec.form)
    found: list[str] = []
    tried = useless = 0
    while len(found) < n:
        made = sample(
            generator,
            PART,
            seed=seed,
            labels=label(PART),
            truncation=truncation,
            start=PART * tried,
        )
        before = len(found)
        for text in texts_of(torch.cat([decode(part, spec) for part in made]), spec):
            if text.startswith(begin) and text not in unwanted:
                found.append(text)
                if wanted.unique:
                    unwanted.add(text)
        tried += 1
        useless = 0 if len(found) > before else useless + 1
        told(min(len(found), n))
        if useless == MOST_PARTS:
            raise SparringError(
                f"only {len(found)} of {PART * tried:,} texts are as wanted; ask for fewer, or less"
            )
    return found[:n]


def _proposed(
    generator: nn.Module,
    spec: TableSpec,
    groups: Sequence[tuple[Column, Sequence[Condition]]],
    shown: Sequence[str],
    seed: int,
    start: int,
    truncation: float,
) -> Tensor:
    draw = Draw(seed, start)
    values = {c.name: revealed(c, group, draw, PART) for c, group in groups if c.name in shown}
    labels = condition(spec, values, PART)
    made = sample(generator, PART, seed=seed, labels=labels, truncation=truncation, start=start)
    return torch.cat([*made])


_name = attrgetter("column.name")
