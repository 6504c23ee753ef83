"""Which columns follow from others: exact functions as tables, numbers as sums and products.

Not inside: what is predicted and what is left (`relations`), what people demand (`rules`).

Notation: a target y follows from sources; h is an entropy in nats, of values in steps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.kinds.tables.relations import predicted, residual
from sparring.kinds.tables.spec import Column, Form, Relation

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

DAY = 1440.0  # minutes
FUNCTION_ROWS = 2_000  # on which functions are refuted, before they are checked on all
ROWS_PER_KEY = 20  # at least, on average: a table of fewer would know rows by heart
SHARED = 3  # rows of a number, from which on a table may hold it
MAX_RARE = 0.01  # of the rows, whose numbers are too rare for a table
MAX_POOLED = 0.1  # of the rows, that share a place of a category which others are to follow
CHANCE = -14.0  # log probability, above which a function may be chance
MAX_PAIRS = 300  # of categories
SEARCH_ROWS, REFINE_ROWS = 400, 1_200
MIN_ROWS = 100  # in which no cell is missing
MANY = 64  # distinct values, up to which a column is drawn at once and has little to gain
MAX_SHARE, MAX_SHARE_OF_FEW = 0.6, 0.1  # of a column's entropy, that its residual may have
GAIN = 0.05  # of entropy, that makes a longer relation worth it
MAX_SOURCES = 3
MAX_CANDIDATES, MAX_ALONE = 8, 3  # sources that are combined, some for what they tell alone
MIN_LEFT = 1e-6  # of a source's variance, beside others
MAX_TARGETS = 40  # that are searched
KEPT, STARTS, ROUNDS = 0.7, 4, 5  # share of rows that fit best; random starts; rounds of trimming
MIN_SPREAD = 0.3  # of all candidates' residual over the column's, above which none is searched
MAX_NOT_POSITIVE = 0.02  # of the rows, for logarithms
SNAP = 0.02  # to halves
MIN_TOLD = 0.5  # of the rows, of which it is said that a relation holds
REFINED = 4  # combinations that are fitted on more rows
MAX_APART = 0.25  # of a column's variance, that a difference may have which keeps extremes together


class _Cells(NamedTuple):
    """Training cells (n, k), and what their columns are."""

    cells: Floats
    columns: Sequence[Column]

    def sample(self, rows: int) -> Floats:
        """Return at most so many rows, the same whenever asked."""
        chosen = np.random.default_rng(0).permutation(len(self.cells))[:rows]
        return self.cells[np.sort(chosen)]


def find_relations(
    cells: Floats, columns: Sequence[Column], known: Mapping[str, Relation] | None = None
) -> dict[str, Relation]:
    """Return which columns follow from which, without a cycle; tables of functions come first.

    Args:
        cells: of training rows, (n, k).
        columns: the k learned ones.
        known: relations that are decided already; their targets are left alone.
    """
    table, known = _Cells(cells, columns), dict(known or {})
    found = {**known, **_functions(table, known)}
    found |= _numbers(table, found)
    return {name: relation for name, relation in found.items() if name not in known}


def describe(name: str, relation: Relation, cells: Floats, columns: Sequence[Column]) -> str:
    """Say in words how a column follows from others, and in which share of rows (n, k)."""
    if relation.form == "lookup":
        return f"{name} follows from {' and '.join(relation.sources)}"
    left = _left(relation, _of(cells, columns, (name, *relation.sources)))
    left = np.abs(left[~np.isnan(left)])
    share = float(np.mean(left == 0))
    if share >= MIN_TOLD:
        return f"{name} ~ {formula(relation)} in {share:.0%} of rows"
    within = f"{np.median(left) * (relation.step or 1):.3g}"
    return f"{name} ~ {formula(relation)}, within {within} in half of the rows"


def formula(relation: Relation) -> str:
    """Return the prediction as people write it: `sched_arr_time + arr_delay`."""
    *weights, constant = relation.weights
    if relation.form == "log":
        factors = [
            source + f"^{weight:.3g}" * (weight != 1)
            for source, weight in zip(relation.sources, weights, strict=True)
            if weight
        ]
        scale = float(np.exp(constant))
        return " * ".join([f"{scale:.4g}"] * (abs(scale - 1) > 1e-3) + factors)
    names = [_product(relation.sources, powers) for powers in relation.powers] or relation.sources
    terms = [*zip(weights, names, strict=True), (constant, "")]
    written = "".join(_term(weight, of) for weight, of in terms if weight)
    return written.removeprefix(" + ").replace(" - ", "-", written.startswith(" - "))


def _product(sources: Sequence[str], powers: Sequence[int]) -> str:
    return "*".join(s for s, power in zip(sources, powers, strict=True) for _ in range(power))


def _term(weight: float, name: str) -> str:
    size = f"{abs(weight):.4g}"
    body = size if not name else name if abs(weight) == 1 else f"{size}*{name}"
    return f" {'-' if weight < 0 else '+'} {body}"


def _of(cells: Floats, columns: Sequence[Column], names: Iterable[str]) -> Floats:
    places = [column.name for column in columns]
    return cells[:, [places.index(name) for name in names]]


def _left(relation: Relation, cells: Floats) -> Floats:
    """Return residuals (n,) of cells (n, 1 + s) of the target and its sources."""
    values = torch.from_numpy(cells)
    left: Floats = residual(relation, values[:, 0], predicted(relation, values[:, 1:])).numpy()
    return left


# Exact functions


def _functions(table: _Cells, known: Mapping[str, Relation]) -> dict[str, Relation]:
    """Find columns that are functions of one other, or of two categories."""
    sample = table.sample(FUNCTION_ROWS)
    codes = np.stack([_codes(values) for values in sample.T], 1)
    distinct = codes.max(0) + 1
    names = [column.name for column in table.columns]
    free = [place for place, name in enumerate(names) if name not in known]
    found: dict[str, Relation] = {}
    used = {names.index(source) for relation in known.values() for source in relation.sources}
    pooled = {place for place, column in enumerate(table.columns) if _is_pooled(column)}
    for source, targets in _candidates(codes, distinct, table.columns):
        if {*source} & pooled:
            continue
        for target in targets:
            chosen = target in free and names[target] not in found and target not in used
            if not chosen or any(names[place] in found for place in source):
                continue
            if relation := _table_of(table, source, target):
                found[names[target]] = relation
                used |= {*source}
    return found


def _is_pooled(column: Column) -> bool:
    """Tell whether many rows hold rare categories, which networks cannot tell from each other."""
    rare, frequent = sum(column.rest_counts), sum(column.counts)
    return rare > MAX_POOLED * (rare + frequent)


def _codes(values: Floats) -> Codes:
    return np.unique(values, return_inverse=True)[1].astype(np.intp)


def _candidates(
    codes: Codes, distinct: Codes, columns: Sequence[Column]
) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """Yield sources with the targets that no sampled row refutes, most distinct values first.

    Numbers are rather looked up by categories than the reverse, which people ask for.
    """
    order = np.argsort(-distinct, kind="stable").tolist()
    few = [place for place in order if columns[place].kind in ("category", "boolean")]
    numbers = [place for place in order if columns[place].is_number]
    pairs = [*combinations(few, 2)][:MAX_PAIRS]
    single = {place: _unrefuted(codes, codes[:, place]) for place in order}
    both = {(a, b): _unrefuted(codes, codes[:, a] * distinct[b] + codes[:, b]) for a, b in pairs}
    for place in few:
        yield (place,), [target for target in numbers if target in single[place]]
    for pair in pairs:
        yield pair, [target for target in numbers if target in both[pair]]
    for at, place in enumerate(order):
        yield (place,), [target for target in order[at + 1 :] if target in single[place]]
    for pair in pairs:
        yield pair, [target for target in few if target in both[pair] and target not in pair]


def _unrefuted(codes: Codes, key: Codes) -> list[int]:
    """Return the columns of codes (n, k) that are equal wherever the key (n,) is."""
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(np.diff(key[order]) == 0)
    if not len(same):
        return []
    equal = codes[order[same]] == codes[order[same + 1]]
    return [int(place) for place in np.flatnonzero(equal.all(0))]


def _table_of(table: _Cells, sources: Sequence[int], target: int) -> Relation | None:
    """Return the target as a table of its sources, if it is one in all rows and not by chance."""
    values = table.cells[:, target]
    fill = [_below(table.cells[:, place]) for place in sources]
    filled = np.stack(
        [np.nan_to_num(table.cells[:, s], nan=f) for s, f in zip(sources, fill, strict=True)], 1
    )
    key, first = _key(filled)
    looked = values[first][key]
    if len(first) * ROWS_PER_KEY > len(values) or not np.array_equal(looked, values, True):
        return None
    rows = np.unique(values, return_inverse=True, return_counts=True)
    frequent = rows[2].max() / len(values)
    trials = len(table.columns) ** (1 + len(sources))
    if (len(values) - len(first)) * np.log(frequent + 1e-300) > CHANCE - np.log(trials):
        return None
    kept = np.ones(len(first), bool)
    if table.columns[target].is_number:  # a table tells what hardly any row has
        rare = rows[2][rows[1]] < SHARED
        if rare.mean() > MAX_RARE:
            return None
        kept = ~rare[first]
    first = first[kept]
    return Relation(
        sources=tuple(table.columns[place].name for place in sources),
        form="lookup",
        fill=tuple(fill),
        keys=tuple(map(tuple, filled[first].tolist())),
        values=tuple(None if np.isnan(value) else value for value in values[first].tolist()),
    )


def _below(values: Floats) -> float:
    """Return a number that stands for missing cells: less than all, and than unknown ones'."""
    present = values[~np.isnan(values)]
    return float(np.floor(present.min() if len(present) else 0.0) - 2)


def _key(filled: Floats) -> tuple[Codes, Codes]:
    """Return the place of each row's key (n,) among all keys, ascending, and a row of each."""
    key = np.zeros(len(filled), np.int64)
    for column in filled.T:
        levels, codes = np.unique(column, return_inverse=True)
        key = key * len(levels) + codes
    _, first, places = np.unique(key, return_index=True, return_inverse=True)
    return places.astype(np.intp), first.astype(np.intp)


# Relations of numbers


@dataclass(frozen=True, eq=False)
class _Target:
    """A number whose sources are searched: y and candidates in rows without a missing cell."""

    relation: Relation  # without sources and weights
    names: tuple[str, ...]  # of the candidates
    values: Floats  # (n,)
    sources: Floats  # (n, s)
    entropy: float
    logarithms: bool  # whether all are positive

    @property
    def most(self) -> float:
        """The entropy below which residuals are worth it."""
        few = len(np.unique(self.values)) <= MANY
        return self.entropy * (MAX_SHARE_OF_FEW if few else MAX_SHARE)

    def of(self, form: Form, combination: Sequence[int], weights: Floats) -> Relation:
        """Return the relation with these sources."""
        return replace(
            self.relation,
            form=form,
            sources=tuple(self.names[place] for place in combination),
            weights=tuple(weights.tolist()),
            fill=tuple(float(np.median(self.sources[:, place])) for place in combination),
        )

    def left(self, relation: Relation) -> Floats:
        """Return residuals (n,) of a relation of the candidates."""
        places = [self.names.index(name) for name in relation.sources]
        return _left(relation, np.column_stack([self.values, self.sources[:, places]]))


def _numbers(table: _Cells, found: Mapping[str, Relation]) -> dict[str, Relation]:
    """Find numbers that are sums or products of others, but for a residual."""
    sample = table.sample(REFINE_ROWS)
    distinct = [len(np.unique(values)) for values in table.sample(5_000).T]
    looked_up = {name for name, relation in found.items() if relation.form == "lookup"}
    numbers = [
        place
        for place in np.argsort(distinct, kind="stable").tolist()
        if table.columns[place].is_number and table.columns[place].name not in looked_up
    ]
    likeness = _likeness(sample[:, numbers])
    targets: list[tuple[float, str, _Target]] = []
    for at, place in enumerate(numbers):
        column = table.columns[place]
        if column.decimals is None or column.name in found or column.hidden:
            continue
        allowed = [b for b in range(at) if not _follows(table.columns[numbers[b]], column, found)]
        likely = [numbers[b] for b in _likely(likeness, at, allowed)]
        if target := _target(sample, table.columns, place, likely):
            targets.append((_spread(target), column.name, target))
    likely_first = sorted((t for t in targets if t[0] < MIN_SPREAD), key=lambda t: t[0])
    searched = {name: _search(target) for _, name, target in likely_first[:MAX_TARGETS]}
    searched |= {name: _difference(target) for _, name, target in targets if not searched.get(name)}
    return {
        name: _settled(name, relation, table) for name, relation in searched.items() if relation
    }


def _follows(column: Column, other: Column, found: Mapping[str, Relation]) -> bool:
    """Tell whether a column follows from another, by however many steps."""
    on = [column.name]
    while on:
        if (name := on.pop()) == other.name:
            return True
        on += found[name].sources if name in found else ()
    return False


def _likeness(sample: Floats) -> Floats:
    """Return correlations (k, k) of columns (n, k), extremes drawn in; 0 for constant ones."""
    known = [values[~np.isnan(values)] for values in sample.T]
    middle = [np.median(values) if len(values) else 0.0 for values in known]
    filled = np.where(np.isnan(sample), middle, sample)
    standard = (filled - filled.mean(0)) / (filled.std(0) + 1e-300)
    clipped = standard.clip(-4, 4)
    clipped = (clipped - clipped.mean(0)) / (clipped.std(0) + 1e-300)
    return np.asarray(clipped.T @ clipped / len(sample))


def _likely(likeness: Floats, place: int, allowed: Sequence[int]) -> list[int]:
    """Return which columns tell most of one: each beside those before it, then by itself."""
    if len(allowed) <= MAX_CANDIDATES:
        return [*allowed]
    alone = np.argsort(-np.abs(likeness[allowed, place]))
    left, chosen = likeness[np.ix_([*allowed, place], [*allowed, place])], list[int]()
    while len(chosen) < MAX_CANDIDATES - MAX_ALONE:
        spread = np.diag(left)[:-1]
        told = np.where(spread > MIN_LEFT, left[:-1, -1] ** 2 / spread.clip(MIN_LEFT), 0)
        best = int(told.argmax())
        if best in chosen:
            break
        chosen.append(best)
        left = left - np.outer(left[:, best], left[best]) / left[best, best]
    others = [at for at in alone.tolist() if at not in chosen]
    return sorted(allowed[at] for at in [*chosen, *others][:MAX_CANDIDATES])


def _target(
    sample: Floats, columns: Sequence[Column], place: int, likely: Sequence[int]
) -> _Target | None:
    """Return what is searched for a column's sources; None if there are too few rows or values."""
    present = ~np.isnan(sample)
    likely = [
        b for b in likely if 2 * present[:, [b, place]].all(1).sum() > present[:, place].sum()
    ]
    rows = sample[present[:, [*likely, place]].all(1)]
    column = columns[place]
    values, sources = rows[:, place], rows[:, likely]
    if not likely or len(rows) < MIN_ROWS or len(np.unique(values)) < 3:
        return None
    relation = Relation(
        sources=(),
        form="linear",
        step=column.resolution,
        period=DAY if column.clock else 0.0,
    )
    dates = any(columns[b].kind == "datetime" for b in [*likely, place])
    positive = max((rows[:, [*likely, place]] <= 0).mean(0)) <= MAX_NOT_POSITIVE
    return _Target(
        relation=relation,
        names=tuple(columns[b].name for b in likely),
        values=values,
        sources=sources,
        entropy=entropies(np.round(values / column.resolution)[None])[0],
        logarithms=positive and not dates and not column.clock,
    )


def _forms(target: _Target, rows: slice) -> Iterator[tuple[Form, Floats, Floats]]:
    """Yield forms with sources (n, s) and values (n,) that are linear in it, each standardised."""
    both = (target.sources, target.values)
    yield "linear", target.sources[rows], target.values[rows]
    if target.logarithms:
        sources, values = (np.maximum(part[rows], target.relation.step) for part in both)
        yield "log", np.log(sources), np.log(values)


def _spread(target: _Target) -> float:
    """Return how much all candidates leave of a target's spread, in most rows."""
    shares = []
    for _, sources, values in _forms(target, slice(SEARCH_ROWS)):
        weights = _trimmed(sources[None], values, starts=1)[0]
        left = np.abs(_design(sources[None])[0] @ weights - values)
        whole = np.abs(values - np.median(values))
        shares.append(np.quantile(left, KEPT) / (np.quantile(whole, KEPT) + 1e-300))
    return float(min(shares))


def _search(target: _Target) -> Relation | None:
    """Return the shortest relation whose residuals have about the least entropy, if it is small."""
    tried: list[tuple[float, Form, tuple[int, ...], Floats]] = []
    for size in range(1, min(MAX_SOURCES, len(target.names)) + 1):
        chosen = [*combinations(range(len(target.names)), size)]
        for form, sources, values in _forms(target, slice(SEARCH_ROWS)):
            parts = np.stack([sources[:, combination] for combination in chosen])
            weights = _trimmed(parts, values, STARTS)
            left = _rounded_left(target, form, parts, weights, values)
            scores = entropies(left) + GAIN * size
            tried += [*zip(scores, [form] * len(chosen), chosen, weights, strict=True)]
    best: tuple[float, Relation | None] = (target.most, None)
    for _, form, combination, weights in sorted(tried, key=lambda t: t[0])[:REFINED]:
        for relation in _refined(target, form, combination, weights):
            score = entropies(target.left(relation)[None])[0] + GAIN * (len(combination) - 1)
            if score < best[0]:
                best = (score, relation)
    return best[1]


def _difference(target: _Target) -> Relation | None:
    """Return the source whose difference to a column of many values spreads least, if by little.

    Cells of extremes are wide, and what hangs together in them is lost unless it is in a difference
    (a flight that leaves late, and lands as late), though most rows have little from it.
    """
    step = target.relation.step
    if target.relation.period or len(np.unique(target.values)) <= MANY:
        return None
    left = target.values[:, None] - target.sources
    best = int(left.var(0).argmin())
    told = target.entropy - entropies(np.round(left[:, best] / step)[None])[0]
    if told <= 0 or left[:, best].var() > MAX_APART * target.values.var():
        return None
    return target.of("linear", (best,), np.array([1.0, 0.0]))


def _design(sources: Floats) -> Floats:
    """Return sources (b, n, s) with a constant beside them."""
    return np.concatenate([sources, np.ones((*sources.shape[:2], 1))], 2)


def _trimmed(sources: Floats, values: Floats, starts: int) -> Floats:
    """Return weights (b, s + 1) of sources (b, n, s) by least squares on the rows that fit best."""
    middle, scale = sources.mean(1, keepdims=True), sources.std(1, keepdims=True) + 1e-300
    center, unit = values.mean(), values.std() + 1e-300
    design, y = _design((sources - middle) / scale), (values - center) / unit
    random = np.random.default_rng(0)
    kept = int(KEPT * len(y))
    best, least = np.zeros((len(design), design.shape[2])), np.full(len(design), np.inf)
    ridge = 1e-9 * np.eye(design.shape[2])
    for start in range(starts):
        inside = np.ones(design.shape[:2], bool)
        if start:
            inside[:] = random.permutation(len(y)) < max(len(y) // 4, 2 * design.shape[2])
        for _ in range(ROUNDS):
            weighted = np.where(inside[:, :, None], design, 0).transpose(0, 2, 1)
            weights = np.linalg.solve(weighted @ design + ridge, (weighted @ y)[:, :, None])[..., 0]
            left = np.abs((design @ weights[:, :, None])[..., 0] - y)
            inside = left <= np.partition(left, kept, axis=1)[:, [kept]]
        spread = np.median(left, 1)
        best[spread < least] = weights[spread < least]
        least = np.minimum(least, spread)
    slopes = best[:, :-1] * unit / scale[:, 0]
    constants = best[:, -1] * unit + center - (slopes * middle[:, 0]).sum(1)
    return np.column_stack([slopes, constants])


def _rounded_left(
    target: _Target, form: Form, sources: Floats, weights: Floats, values: Floats
) -> Floats:
    """Return residuals (b, n) in whole steps, of sources (b, n, s) in the form's scale."""
    at, step = (_design(sources) @ weights[:, :, None])[..., 0], target.relation.step
    if form == "log":
        at, values = np.exp(at.clip(-700, 700)), np.exp(values)
    left = np.round(values / step) - np.round(at / step)
    return left if not target.relation.period else np.mod(left + DAY / 2, DAY) - DAY / 2


def entropies(whole: Floats) -> Floats:
    """Return the entropy of each row (b, n) of whole numbers."""
    ordered = np.sort(whole, 1)
    counts = (np.diff(np.flatnonzero(row), append=len(row)) for row in _begins(ordered))
    return np.array([-(p * np.log(p)).sum() for c in counts for p in [c / whole.shape[1]]])


def _begins(ordered: Floats) -> NDArray[np.bool_]:
    return np.column_stack([np.ones(len(ordered), bool), np.diff(ordered, axis=1) != 0])


def _refined(
    target: _Target, form: Form, combination: Sequence[int], weights: Floats
) -> Iterator[Relation]:
    """Yield a relation with weights that are halves where they nearly are, and as fitted."""
    forms = {name: (sources, values) for name, sources, values in _forms(target, slice(None))}
    sources, values = forms[form][0][:, combination], forms[form][1]
    again = _trimmed(sources[None], values, starts=1)[0]
    for slopes in (_snapped(weights[:-1]), _snapped(again[:-1]), weights[:-1], again[:-1]):
        constant = float(np.median(values - sources @ slopes))
        if form == "linear":
            constant = float(_snapped(np.array([constant]))[0])
        yield target.of(form, combination, np.append(slopes, constant))


def _snapped(weights: Floats) -> Floats:
    halves = np.round(2 * weights) / 2
    return np.where(np.abs(weights - halves) < SNAP, halves, weights)


def _settled(name: str, relation: Relation, table: _Cells) -> Relation:
    """Return the relation as one without a residual, if no row has any; else within bounds."""
    cells = _of(table.cells, table.columns, (name, *relation.sources))
    relation = _bounded(relation, cells[:, 0])
    sure = replace(relation, fill=(), exact=True)
    left = _left(replace(sure, exact=False), cells)
    absent = np.isnan(cells[:, 1:]).any(1)
    if not left[~absent].any() and np.array_equal(absent, np.isnan(cells[:, 0])):
        return sure
    return relation


def _bounded(relation: Relation, values: Floats) -> Relation:
    """Return the relation with bounds a little beyond the column's values (n,)."""
    if relation.period:
        return replace(relation, low=float(np.nanmax(values) == DAY))  # midnight is 0 or a day
    low, high = np.nanmin(values) / relation.step, np.nanmax(values) / relation.step
    unit = 10.0 ** np.floor(np.log10(max(high - low, 10.0)) - 1)
    below, above = np.floor(low / unit) * unit, np.ceil(high / unit) * unit
    return replace(relation, low=float(max(below, 0.0) if low >= 0 else below), high=float(above))
