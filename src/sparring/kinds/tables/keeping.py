"""How rules are kept: as relations, and as hidden columns of combinations that occur.

Each column follows from others by at most one rule, none by a circle. What cannot be put so is
kept by drawing rows again, as are keys that are to be unique.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sparring.errors import SparringError
from sparring.kinds.tables.columns import write_cells
from sparring.kinds.tables.rules import (
    MINUTES,
    Comparison,
    Rule,
    Together,
    Unique,
    constant_of,
    has_dates,
    scaled,
)
from sparring.kinds.tables.spec import Column, Relation, Side

Floats = NDArray[np.float64]

MAX_PLACES = 500  # combinations with a place of their own
MAX_COMBINATIONS = 10_000
ROWS_PER_COMBINATION = 3  # at least, on average: rarer ones would be rows themselves
REDRAWN = "rows that break it are drawn again"
ABSENT = -2.0  # in the place of a missing cell
MARGIN = 1e-6  # of a step
RANK_MARGIN = 1e-9
MIRRORED: Mapping[str, Side] = {"<": ">", "<=": ">="}


@dataclass
class Kept:
    """Columns, hidden ones last, their cells in training rows, and how rules are kept by them."""

    columns: list[Column]
    cells: Floats
    relations: dict[str, Relation] = field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)  # of columns, in steps
    how: dict[str, list[str]] = field(default_factory=dict)  # each rule is kept

    @property
    def learned(self) -> list[Column]:
        """The columns of cells."""
        return [column for column in self.columns if column.is_learned]

    @property
    def by_name(self) -> dict[str, Column]:
        """Columns by their names."""
        return {column.name: column for column in self.columns}

    def notes(self) -> list[str]:
        """Say how each rule is kept."""
        return [f"rule '{text}': {'; '.join(dict.fromkeys(how))}" for text, how in self.how.items()]

    def tell(self, rule: str, how: str) -> None:
        """Note how a rule is kept."""
        self.how.setdefault(rule, []).append(how)

    def follows(self, name: str, other: str) -> bool:
        """Tell whether a column follows from another, by however many steps; itself, too."""
        sources = self.relations[name].sources if name in self.relations else ()
        return name == other or any(self.follows(source, other) for source in sources)


def kept(columns: Sequence[Column], cells: Floats, rules: Sequence[Rule]) -> Kept:
    """Return how rules are kept in rows of these fitted columns, given training cells (n, k).

    Raises:
        SparringError: rules contradict each other, form a circle, or combine too much.
    """
    state = Kept([*columns], cells)
    comparisons = [rule for rule in rules if isinstance(rule, Comparison)]
    order = _without_implied([rule for rule in comparisons if rule.is_order])
    for names, texts in _groups([rule for rule in rules if isinstance(rule, Together)]):
        _combine(state, names, texts)
    for rule in comparisons:
        if rule.sign == "=" and not rule.is_range:
            _equate(state, rule, comparisons)
    others = [r for r in comparisons if r.sign != "=" and not r.is_order and not r.is_range]
    for rule in (*_outwards(order, {*state.relations}), *others):
        if not _place(state, rule):
            state.tell(rule.text, REDRAWN)
    for rule in comparisons:
        if rule.is_range:
            _limit(state, rule)
            state.tell(rule.text, "values are those of the data's range")
    for key in rules:
        if isinstance(key, Unique):
            numbered = state.by_name[key.names[0]].kind == "identifier"
            state.tell(
                key.text, "numbered anew" if numbered else "rows that repeat are drawn again"
            )
    return state


def joint_cells(cells: Floats, columns: Sequence[Column]) -> Floats:
    """Return cells (n, k) of learned columns with those of hidden ones, which their parts tell."""
    cells = cells.copy()
    for place, column in enumerate(columns):
        if column.hidden:
            parts = [
                (at, c.relation)
                for at, c in enumerate(columns)
                if c.relation is not None and c.relation.sources == (column.name,)
            ]
            known = np.array([relation.values for _, relation in parts], np.float64).T
            own = cells[:, [at for at, _ in parts]]
            cells[:, place] = _places(
                np.nan_to_num(own, nan=ABSENT), np.nan_to_num(known, nan=ABSENT)
            )
    return cells


def _places(rows: Floats, known: Floats) -> Floats:
    """Return which of the known rows (m, p) each row (n, p) is, -1 for none."""
    place = {row: float(at) for at, row in enumerate(map(tuple, known.tolist()))}
    return np.array([place.get(row, -1.0) for row in map(tuple, rows.tolist())])


# Combinations


def _groups(rules: Sequence[Together]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield columns that occur together, those of rules that share one joined, with the rules."""
    groups: list[tuple[dict[str, None], list[str]]] = []
    for rule in rules:
        names, texts = dict.fromkeys(rule.names), [rule.text]
        for group in [group for group in groups if {*group[0]} & {*rule.names}]:
            groups.remove(group)
            names, texts = group[0] | names, [*group[1], *texts]
        groups.append((names, texts))
    for names, texts in groups:
        yield tuple(names), texts


def _combine(state: Kept, names: Sequence[str], texts: Sequence[str]) -> None:
    """Add a hidden column of the combinations of columns, which then follow from it."""
    learned = state.learned
    parts = [place for place, column in enumerate(learned) if column.name in names]
    if len(parts) < 2:  # the others are constant
        return
    own = np.nan_to_num(state.cells[:, parts], nan=ABSENT)
    combinations, of, counts = np.unique(own, axis=0, return_inverse=True, return_counts=True)
    most = min(MAX_COMBINATIONS, len(own) // ROWS_PER_COMBINATION)
    if len(combinations) > max(most, MAX_PLACES * (len(own) > MAX_PLACES * 2), 2):
        raise SparringError(
            f"rule '{texts[0]}' has {len(combinations):,} combinations in {len(own):,} rows, which "
            "would give rows back; make columns coarser, or leave the rule out"
        )
    order = np.argsort(-counts, kind="stable")
    combinations, counts = combinations[order], counts[order]
    cells = np.argsort(order)[of.ravel()].astype(np.float64)
    columns = [learned[place] for place in parts]
    hidden = _hidden(columns, combinations, counts.tolist())
    state.columns.append(hidden)
    state.cells = np.column_stack([state.cells, cells])
    for column, values in zip(columns, combinations.T, strict=True):
        state.relations[column.name] = Relation(
            sources=(hidden.name,),
            form="lookup",
            fill=(ABSENT,),
            keys=tuple((float(place),) for place in range(len(combinations))),
            values=tuple(None if value == ABSENT else value for value in values.tolist()),
            rule=texts[0],
        )
    for text in texts:
        state.tell(text, f"{len(combinations):,} combinations occur, and no others are made")


def _hidden(columns: Sequence[Column], combinations: Floats, counts: list[int]) -> Column:
    """Return the hidden category of combinations (m, p), the most frequent first."""
    known = np.where(combinations == ABSENT, np.nan, combinations)
    alone = [replace(column, hidden=False) for column in columns]
    written = write_cells(known, alone).astype(object)
    labels = written.map(str).agg(", ".join, axis=1).tolist()
    labels = [f"{label} ({place})" for place, label in enumerate(labels)]  # all different
    return Column(
        name=" × ".join(column.name for column in columns),
        kind="category",
        dtype="object",
        hidden=True,
        labels=tuple(labels[:MAX_PLACES]),
        counts=tuple(counts[:MAX_PLACES]),
        rest=tuple(labels[MAX_PLACES:]),
        rest_counts=tuple(counts[MAX_PLACES:]),
        note=f"{len(labels):,} combinations",
    )


# Comparisons


def _without_implied(order: Sequence[Comparison]) -> list[Comparison]:
    """Return the rules that do not follow from others: of a<b<c and a<c the first two."""

    def reached(rule: Comparison, name: str, strict: bool, seen: frozenset[str]) -> bool:
        for other in order:
            start, end = other.left.column, other.right.column
            if other is rule or start != name or end in seen:
                continue
            through = strict or other.sign == "<"
            if end == rule.right.column and (through or rule.sign == "<="):
                return not _same(other, rule) or order.index(other) < order.index(rule)
            if reached(rule, end, through, seen | {end}):
                return True
        return False

    return [r for r in order if not reached(r, r.left.column, False, frozenset({r.left.column}))]


def _same(rule: Comparison, other: Comparison) -> bool:
    return (rule.left, rule.sign, rule.right) == (other.left, other.sign, other.right)


def _outwards(order: Sequence[Comparison], placed: set[str]) -> Iterator[Comparison]:
    """Yield rules in an order in which all but circles leave a column free to follow."""
    waiting, placed = [*order], {*placed}
    while waiting:
        ends = {rule.right.column for rule in waiting}
        beside = (r for r in waiting if {r.left.column, r.right.column} & placed)
        first = (r for r in waiting if r.left.column not in ends)
        rule = next(beside, None) or next(first)
        waiting.remove(rule)
        placed |= {rule.left.column, rule.right.column}
        yield rule


def _equate(state: Kept, rule: Comparison, rules: Sequence[Comparison]) -> None:
    """Have a column of an equation follow from the others, unless earlier ones say the same.

    Raises:
        SparringError: each of its columns follows from others already.
    """
    earlier = [r for r in rules[: rules.index(rule)] if r.sign == "=" and not r.is_range]
    if _rank([*earlier, rule], state) == _rank(earlier, state):
        state.tell(rule.text, "follows from the rules before it")
        return
    if _place(state, rule):
        return
    texts = dict.fromkeys(f"'{relation.rule}'" for relation in state.relations.values())
    raise SparringError(
        f"rule '{rule.text}' forms a circle with {' and '.join(texts)}: a column can follow from "
        "others once; leave one out"
    )


def _place(state: Kept, rule: Comparison) -> bool:
    """Have a column follow from the others of a rule, if one is free."""
    preferred = [rule.right.column, rule.left.column][:: -1 if rule.sign == "=" else 1]
    for name in dict.fromkeys([*filter(None, preferred), *reversed(rule.names)]):
        relation = None if name in state.relations else solved(rule, name, state.by_name)
        if relation and not any(state.follows(source, name) for source in relation.sources):
            state.relations[name] = relation
            others = " and ".join(f"'{source}'" for source in relation.sources)
            how = "is calculated from" if relation.exact else "is kept on its side of"
            state.tell(rule.text, f"'{name}' {how} {others}")
            return True
    return False


def solved(rule: Comparison, name: str, columns: Mapping[str, Column]) -> Relation | None:
    """Return a comparison as what a column follows from; None where it is not linear in that.

    Raises:
        SparringError: dates are multiplied.
    """
    terms, constant = _difference(rule, columns)
    own = terms.pop((name,), 0.0)
    sources = tuple(dict.fromkeys(source for names in terms for source in names))
    if not own or not sources or name in sources:
        return None
    side: Side = "" if rule.sign == "=" else rule.sign
    powers = tuple(tuple(names.count(source) for source in sources) for names in terms)
    return Relation(
        sources=sources,
        form="linear",
        weights=(*(-weight / own for weight in terms.values()), -constant / own),
        powers=powers if any(len(names) > 1 for names in terms) else (),
        step=columns[name].resolution,
        side=MIRRORED[side] if side and own > 0 else side,
        exact=rule.sign == "=",
        period=MINUTES if rule.sign == "=" and columns[name].clock else 0.0,
        rule=rule.text,
    )


def _difference(
    rule: Comparison, columns: Mapping[str, Column]
) -> tuple[dict[tuple[str, ...], float], float]:
    """Return the right side less the left one, as weights of products of cells and a constant."""
    own = {name: columns[name] for name in rule.names}
    dates = has_dates(rule, own)
    terms: dict[tuple[str, ...], float] = {}
    constant = 0.0
    for sign, side in ((1.0, rule.right), (-1.0, rule.left)):
        constant += sign * constant_of(side, rule, own)
        for weight, names in side.terms:
            if dates and len(names) > 1:
                raise SparringError(f"rule '{rule.text}' multiplies beside dates; leave it out")
            scale, offset = scaled(own[names[0]], dates)
            terms[names] = terms.get(names, 0.0) + sign * weight * scale
            constant += sign * weight * offset
    return {names: weight for names, weight in terms.items() if weight}, constant


def _rank(equations: Sequence[Comparison], state: Kept) -> int:
    """Return how many equations do not follow from others."""
    parts = [_difference(rule, state.by_name) for rule in equations]
    rows = [{**terms, (): constant} for terms, constant in parts]
    names = list(dict.fromkeys(name for row in rows for name in row))
    matrix = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    size = np.abs(matrix).max(1, keepdims=True) if rows else 1.0
    return int(np.linalg.matrix_rank(matrix / size, tol=RANK_MARGIN)) if rows else 0


def _limit(state: Kept, rule: Comparison) -> None:
    """Note a bound of a column, in steps: what it follows others by may not lead beyond."""
    name = rule.left.column or rule.right.column
    column, below = state.by_name[name], bool(rule.right.column)  # whether the bound is below
    own = {name: column}
    scale, offset = scaled(column, has_dates(rule, own))
    bound = (constant_of(rule.left if below else rule.right, rule, own) - offset) / scale
    steps = bound / column.resolution if column.resolution else bound
    steps = round(steps) if abs(steps - round(steps)) < MARGIN else steps
    if rule.sign == "<":
        inward = 1.0 if below else -1.0
        steps = (
            _beyond(steps, inward) if column.resolution else np.nextafter(steps, inward * np.inf)
        )
    low, high = state.bounds.get(name, (-np.inf, np.inf))
    state.bounds[name] = (max(low, steps), high) if below else (low, min(high, steps))


def _beyond(steps: float, inward: float) -> float:
    """Return the next whole number on one side of a number."""
    return float(np.floor(steps) + 1 if inward > 0 else np.ceil(steps) - 1)
