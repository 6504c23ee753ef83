"""Rules that all rows keep, as people write them: `start<=end`, `total=net+tax`, `city,country`.

Inside: reading and refusing them, and which rows break them. Not inside: how they are kept
(`keeping`) and offered (`offers`).

A comparison is kept by rows that miss one of its cells. Dates are numbers of microseconds, and
numbers beside dates are days; times of day are minutes, and so are numbers added to them.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sparring.errors import SparringError, nearest
from sparring.kinds.tables.columns import (
    Frame,
    Series,
    minutes,
    numbers,
    pandas,
    plain_numbers,
    to_digits,
)
from sparring.kinds.tables.spec import Column, TableSpec

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Sign = Literal["<", "<=", "="]
Term = tuple[float, tuple[str, ...]]  # a weight, and the columns that are multiplied
Token = tuple[str, str]

DAY = 86_400_000_000  # microseconds
MINUTES = 1440.0  # of a day
DIGITS = 15  # significant ones, that a float64 holds
NOISE, SLACK = 1e-13, 1e-6  # of values, of steps: rounding of float64
MAX_BROKEN_SHARE = 0.05  # of the rows, that may be dropped
NAMED_ROWS = 3
FORMS = "a<b, a<=b, total=a+b, 0<=x<=1, city,country or unique(id)"
_CONSTANT = re.compile(
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?|\d{1,2}:\d{2}(:\d{2})?"
)
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SIGN = re.compile(r"<=|>=|==|=<|=>|<|>|=|≤|≥")
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'|`([^`]*)`")
_UNIQUE = re.compile(r"unique\s*\(")
_WORD = re.compile(r"[^\s<>=≤≥+\-*/,()]+")
_SIGNS = {"≤": "<=", "=<": "<=", "≥": ">=", "=>": ">=", "==": "="}


@dataclass(frozen=True)
class Sum:
    """Weighted products of columns and a constant, or the text of a date."""

    terms: tuple[Term, ...]
    constant: float = 0.0
    date: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns, each once."""
        return tuple(dict.fromkeys(name for _, names in self.terms for name in names))

    @property
    def column(self) -> str:
        """The one column that it is; "" if it is more or less than that."""
        alone = len(self.terms) == 1 and self.terms[0][0] == 1 and not self.constant
        return self.terms[0][1][0] if alone and len(self.terms[0][1]) == 1 else ""


@dataclass(frozen=True)
class Comparison:
    """Two sums, of which one is less, at most, or equal to the other."""

    text: str  # as it was written
    left: Sum
    sign: Sign
    right: Sum

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns, each once."""
        return tuple(dict.fromkeys((*self.left.names, *self.right.names)))

    @property
    def is_order(self) -> bool:
        """Tell whether it puts two columns in order."""
        return bool(self.sign != "=" and self.left.column and self.right.column)

    @property
    def is_range(self) -> bool:
        """Tell whether it compares one column with a constant."""
        sides = (self.left, self.right)
        return any(side.column for side in sides) and any(not side.terms for side in sides)


@dataclass(frozen=True)
class Together:
    """Columns of which only combinations occur that the data have."""

    text: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Unique:
    """Columns of which no two rows hold the same."""

    text: str
    names: tuple[str, ...]


Rule = Comparison | Together | Unique


def parse_rules(texts: Sequence[str], names: Sequence[str]) -> tuple[Rule, ...]:
    """Read rules on columns of these names; a chain of comparisons becomes one for each sign.

    Raises:
        SparringError: a text is not a rule, names another column, or contradicts another one.
    """
    rules = dict.fromkeys(rule for text in texts for rule in _parsed(text.strip(), names))
    _refuse_circles([rule for rule in rules if isinstance(rule, Comparison) and rule.is_order])
    return tuple(rules)


def broken(rule: Rule, cells: Floats, columns: Sequence[Column], *, rounding: bool = False) -> Mask:
    """Tell which rows of cells (n, k) of fitted columns break a rule.

    Args:
        rule: what is to hold. Of combinations that occur, rows do not tell: none breaks that.
        cells: of the rows.
        columns: the k learned ones.
        rounding: whether equal sides may differ by what all their columns are rounded.
    """
    place = {column.name: place for place, column in enumerate(columns)}
    match rule:
        case Comparison():
            own = {name: columns[place[name]] for name in rule.names}
            return _apart(rule, {n: cells[:, place[n]] for n in rule.names}, own, rounding)
        case Unique() if {*rule.names} <= {*place}:  # others are numbered anew
            part = pandas().DataFrame(cells[:, [place[name] for name in rule.names]])
            repeated: Mask = (part.duplicated() & part.notna().any(axis=1)).to_numpy()
            return repeated
        case _:
            return np.zeros(len(cells), bool)


def with_numbers(
    columns: Sequence[Column], frame: Frame, rules: Sequence[Rule], chosen: Collection[str] = ()
) -> tuple[Column, ...]:
    """Return what columns are: numbers or dates those that rules compare, made up anew sole keys.

    Args:
        columns: not fitted yet.
        frame: their cells.
        rules: of these columns.
        chosen: names of the columns of which people have chosen the type; keys keep it.

    Raises:
        SparringError: a column cannot be compared, or is not learned where rules need it.
    """
    by_name = {column.name: column for column in columns}
    for rule in rules:
        for name in rule.names:
            column = by_name[name]
            match rule:
                case Comparison():
                    by_name[name] = _comparable(column, frame[name], rule)
                case Unique() if rule.names == (name,) and name not in chosen:
                    anew = frame[name].is_unique and not column.missing
                    by_name[name] = replace(column, kind="identifier") if anew else column
                case Together() if column.kind in ("identifier", "text", "empty"):
                    raise SparringError(
                        f"rule '{rule.text}': column '{name}' is {column.kind}, which is not "
                        f"learned; choose a type by --column {name}=category, or leave it out"
                    )
    return tuple(by_name[column.name] for column in columns)


def on_sources(rules: Sequence[Rule], columns: Sequence[Column]) -> tuple[Rule, ...]:
    """Return rules with columns that repeat others replaced by these; without what then holds."""
    source = {c.name: c.source for c in columns if c.kind == "duplicate-of"}
    return tuple(renamed for rule in rules if (renamed := _renamed(rule, source)) is not None)


def check(
    rules: Sequence[Rule], cells: Floats, columns: Sequence[Column], *, drop: bool
) -> tuple[Mask, list[str]]:
    """Return which rows of cells (n, k) of learned columns are left out, and notes.

    Raises:
        SparringError: rows break a rule, and are not to be dropped or are too many.
    """
    left_out, notes = np.zeros(len(cells), bool), []
    for rule in rules:
        rows = broken(rule, cells, columns)
        if rows.any() and not broken(rule, cells, columns, rounding=True).any():
            notes.append(f"rule '{rule.text}': {rows.sum():,} rows keep it but for rounding")
            continue
        if rows.any():
            _refuse(rule, rows, cells, columns, drop)
            notes.append(f"rule '{rule.text}': left out {_told(rows)} that break it")
        left_out |= rows
    return left_out, notes


def _refuse_circles(order: Sequence[Comparison]) -> None:
    """Refuse columns of which each would have to be less than the next, round a circle."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for rule in order:
        sorter.add(rule.right.column, rule.left.column)
    try:
        sorter.prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        circle = [r for r in order if r.left.column in names and r.right.column in names]
        texts = " and ".join(dict.fromkeys(f"'{rule.text}'" for rule in circle))
        if all(rule.sign == "<=" for rule in circle):
            wanted = "=".join(dict.fromkeys(names))
            raise SparringError(f"rules {texts} form a circle; write '{wanted}'") from None
        raise SparringError(f"rules {texts} contradict each other; leave one out") from None


def _refuse(rule: Rule, rows: Mask, cells: Floats, columns: Sequence[Column], drop: bool) -> None:
    """Refuse data of which rows break a rule, unless they are few and to be dropped."""
    few = rows.sum() <= MAX_BROKEN_SHARE * len(rows)
    if drop and few:
        return
    advice = "mend them, or leave them out by --breaking drop" if few else "is the rule right?"
    if isinstance(rule, Comparison) and rule.is_order and not few:
        turned = replace(rule, left=rule.right, sign="<=", right=rule.left)
        if not broken(turned, cells, columns).any():
            advice = f"all rows keep '{rule.right.column}<={rule.left.column}'"
    clocks = [c.name for c in columns if c.clock and c.name in rule.names]
    if clocks and isinstance(rule, Comparison) and not rule.is_order:
        advice += f" times of day, as in '{clocks[0]}', count as minutes"
    raise SparringError(f"rule '{rule.text}': {_told(rows)} of {len(rows):,} break it; {advice}")


def _told(rows: Mask) -> str:
    """Say how many rows these are, and name the first."""
    count, first = int(rows.sum()), np.flatnonzero(rows)[:NAMED_ROWS].tolist()
    more = ", …" * (count > len(first))
    return f"{count:,} row{'s' * (count > 1)} ({', '.join(map(str, first))}{more})"


def _comparable(column: Column, series: Series, rule: Comparison) -> Column:
    """Return a column as one of numbers or dates."""
    if column.is_number or column.kind == "duplicate-of":
        return column
    values = plain_numbers(series)
    if column.kind in ("empty", "text") or (np.isnan(values) & series.notna().to_numpy()).any():
        raise SparringError(
            f"rule '{rule.text}': column '{column.name}' is {column.kind}; numbers and dates are "
            "compared"
        )
    whole = (values[~np.isnan(values)] % 1 == 0).all()
    return replace(column, kind="integer" if whole else "real")


def _renamed(rule: Rule, source: Mapping[str, str]) -> Rule | None:
    """Return a rule of other columns; None if it holds of itself."""
    if not {*rule.names} & {*source}:
        return rule
    if isinstance(rule, Comparison):
        left, right = (
            replace(
                side,
                terms=tuple((w, tuple(source.get(n, n) for n in names)) for w, names in side.terms),
            )
            for side in (rule.left, rule.right)
        )
        return None if left == right else replace(rule, left=left, right=right)
    names = tuple(dict.fromkeys(source.get(name, name) for name in rule.names))
    return replace(rule, names=names) if len(names) > 1 or isinstance(rule, Unique) else None


def obeyed(cells: Floats, spec: TableSpec) -> Mask:
    """Tell which rows of cells (n, k) keep all rules of a table; of rows that repeat a key, one."""
    rules = on_sources(parse_rules(spec.rules, [c.name for c in spec.columns]), spec.columns)
    cells = cells[:, : len(spec.learned)].copy()
    for place, column in enumerate(spec.learned):
        if column.significant:  # as they will be written
            cells[:, place] = to_digits(cells[:, place], column.significant)
    broke = [broken(rule, cells, spec.learned) for rule in rules]
    return ~np.any(broke, 0) if broke else np.ones(len(cells), bool)


def scaled(column: Column, dates: bool) -> tuple[float, float]:
    """Return scale and offset of a column's cells beside dates, in microseconds, or without."""
    if not dates:
        return 1.0, 0.0
    return (column.step, column.origin) if column.kind == "datetime" else (DAY, 0.0)


def has_dates(rule: Comparison, columns: Mapping[str, Column]) -> bool:
    """Tell whether a comparison is one of dates."""
    return any(columns[name].kind == "datetime" for name in rule.names)


def goes_round(rule: Comparison, columns: Mapping[str, Column]) -> bool:
    """Tell whether an equation is of a time of day, to which midnight is the end and the begin."""
    alone = rule.left.column or rule.right.column
    return rule.sign == "=" and bool(alone) and columns[alone].clock


def constant_of(side: Sum, rule: Comparison, columns: Mapping[str, Column]) -> float:
    """Return a side's constant, beside dates in microseconds.

    Raises:
        SparringError: it is a date that cannot be read, or not beside dates.
    """
    column = next((c for c in columns.values() if c.kind == "datetime" or c.clock), None)
    if not side.date:
        if column and column.clock and rule.is_range:
            return float(minutes(np.array(side.constant)))
        if not side.terms and rule.is_range and has_dates(rule, columns):
            raise SparringError(f"rule '{rule.text}': {side.constant:g} is not a date")
        return side.constant * (DAY if has_dates(rule, columns) else 1)
    try:
        if column is None:
            raise SparringError("of numbers")
        cell = float(numbers(pandas().Series([side.date]), column)[0])
    except SparringError:
        raise SparringError(
            f"rule '{rule.text}': '{side.date}' cannot be compared with column "
            f"'{(rule.names or ('',))[0]}'; write it as the column does"
        ) from None
    scale, offset = scaled(column, has_dates(rule, columns))
    return cell * scale + offset


def _apart(
    rule: Comparison,
    cells: Mapping[str, Floats],
    columns: Mapping[str, Column],
    rounding: bool,
) -> Mask:
    """Tell where a comparison is broken; missing cells break none."""
    left, right = (_value(side, rule, cells, columns) for side in (rule.left, rule.right))
    if rule.sign == "=":
        apart = np.abs(left - right)
        if goes_round(rule, columns):
            apart = np.minimum(apart % MINUTES, -apart % MINUTES)
        return np.asarray(apart > _tolerance(rule, np.abs(left), columns, rounding), bool)
    alone = all(side.column or not side.terms for side in (rule.left, rule.right))
    noise = 0.0 if alone else NOISE * np.maximum(np.abs(left), np.abs(right))
    apart = left - right
    return np.asarray(apart >= -noise if rule.sign == "<" else apart > noise, bool)


def _value(
    side: Sum, rule: Comparison, cells: Mapping[str, Floats], columns: Mapping[str, Column]
) -> Floats:
    """Return what a side is in each row (n,)."""
    dates = has_dates(rule, columns)
    total: Floats = np.full(len(next(iter(cells.values()))), constant_of(side, rule, columns))
    for weight, names in side.terms:
        product = np.full(len(total), weight)
        for name in names:
            scale, offset = scaled(columns[name], dates)
            product = product * (cells[name] * scale + offset)
        total = total + product
    return total


def _tolerance(
    rule: Comparison, size: Floats, columns: Mapping[str, Column], rounding: bool
) -> Floats:
    """Return how far sides of a size may be apart that are equal but for the form of their cells.

    That is half a step of the one column on a side, and with `rounding` half a step of each one.
    """
    dates = has_dates(rule, columns)
    step = {name: c.resolution * scaled(c, dates)[0] for name, c in columns.items()}
    alone = rule.left.column or rule.right.column
    own = step[alone] if alone else min(step.values())
    digits = [c.significant or DIGITS for c in columns.values() if c.decimals is None]
    noise = 10.0 ** (1 - min(digits)) if digits else NOISE
    parts = len(step) if rounding and own < 1 else 1
    return size * noise + parts * own / 2 * (1 + SLACK)


def _parsed(text: str, names: Sequence[str]) -> Iterator[Rule]:
    tokens = [*_tokens(text, names)]
    signs = [place for place, (kind, _) in enumerate(tokens) if kind == "sign"]
    if not signs:
        yield _listed(text, tokens)
        return
    parts = [tokens[start + 1 : end] for start, end in pairwise([-1, *signs, len(tokens)])]
    sides = [_sum(part, text) for part in parts]
    for place, (left, right) in enumerate(pairwise(sides)):
        sign = tokens[signs[place]][1]
        if sign in (">", ">="):
            left, right = right, left
        yield _comparison(Comparison(text, left, _plain(sign), right))


def _plain(sign: str) -> Sign:
    match sign:
        case "<" | ">":
            return "<"
        case "<=" | ">=":
            return "<="
        case _:
            return "="


def _comparison(rule: Comparison) -> Comparison:
    """Return a comparison, or refuse one without columns, or of a column with itself."""
    if not rule.names:
        raise SparringError(f"rule '{rule.text}' names no column on either side of '{rule.sign}'")
    if rule.left == rule.right:
        raise SparringError(f"rule '{rule.text}' compares '{rule.left.column}' with itself")
    return rule


def _listed(text: str, tokens: Sequence[Token]) -> Rule:
    """Read `a,b` or `unique(a,b)`."""
    unique = len(tokens) > 3 and tokens[0] == ("word", "unique") and tokens[1] == ("(", "(")
    inside = tokens[2:-1] if unique and tokens[-1] == (")", ")") else tokens
    listed = [value for kind, value in inside if kind == "name"]
    commas = [("," if place % 2 else "name") for place in range(len(inside))]
    if [kind for kind, _ in inside] != commas or not listed or len(inside) % 2 == 0:
        raise _unreadable(text, tokens)
    if len({*listed}) < max(len(listed), 2 - unique):
        raise SparringError(f"rule '{text}' wants different columns, divided by commas")
    return Unique(text, tuple(listed)) if unique else Together(text, tuple(listed))


def _unreadable(text: str, tokens: Sequence[Token]) -> SparringError:
    return SparringError(f"rule '{text}' cannot be read; write it as {FORMS}")


def _tokens(text: str, names: Sequence[str]) -> Iterator[Token]:
    """Yield names of columns, numbers, dates, signs and operators; the longest name counts.

    Raises:
        SparringError: a word is not the name of a column.
    """
    longest = sorted(names, key=len, reverse=True)
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if unique := _UNIQUE.match(text, at):
            at = unique.end()
            yield from (("word", "unique"), ("(", "("))
            continue
        token, at = _token(text, at, longest)
        if token[0] == "word":
            raise SparringError(
                f"rule '{text}': the table has no column '{token[1]}'{nearest(token[1], names)}"
            )
        yield token


def _token(text: str, at: int, longest: Sequence[str]) -> tuple[Token, int]:
    if quoted := _QUOTED.match(text, at):
        inside = next(group for group in quoted.groups() if group is not None)
        return ("name" if inside in longest else "date", inside), quoted.end()
    for name in longest:
        end = at + len(name)
        if text.startswith(name, at) and not _goes_on(text, end):
            return ("name", name), end
    for kind, form in (("sign", _SIGN), ("date", _CONSTANT), ("number", _NUMBER), ("word", _WORD)):
        found = form.match(text, at)
        if found and not (kind in ("date", "number") and _goes_on(text, found.end())):
            value = found[0]
            return (kind, _SIGNS.get(value, value)), found.end()
    return (text[at], text[at]), at + 1


def _goes_on(text: str, end: int) -> bool:
    """Tell whether a word goes on where a name or a number would end."""
    word = re.compile(r"\w")
    return bool(word.match(text, end) and word.match(text, end - 1))


def _sum(tokens: Sequence[Token], text: str) -> Sum:
    """Read one side: `a + 2*b - c*d + 1`, or a date."""
    if len(tokens) == 1 and tokens[0][0] == "date":
        return Sum((), 0.0, tokens[0][1])
    terms: dict[tuple[str, ...], float] = {}
    for weight, names in _products(tokens, text):
        terms[names] = terms.get(names, 0.0) + weight
    constant = terms.pop((), 0.0)
    return Sum(tuple((weight, names) for names, weight in terms.items() if weight), constant)


def _products(tokens: Sequence[Token], text: str) -> Iterator[Term]:
    """Yield terms, each a weight and the columns that are multiplied, in order of their names."""
    weight, names, operator = 1.0, list[str](), "+"  # what stands before the next factor
    begun = False
    for kind, value in tokens:
        if kind in ("name", "number") and operator:
            if operator == "/" and (kind == "name" or float(value) == 0):
                raise SparringError(f"rule '{text}' divides by '{value}'; write it as a product")
            factor = float(value) if kind == "number" else 1.0
            weight = weight / factor if operator == "/" else weight * factor
            names += [value] * (kind == "name")
            operator, begun = "", True
        elif kind in ("*", "/") and not operator:
            operator = kind
        elif kind in ("+", "-"):
            if begun and not operator:
                yield weight, tuple(sorted(names))
                weight, names, begun = 1.0, [], False
            elif operator != "+":
                raise _unreadable(text, tokens)
            weight, operator = weight * (-1.0 if kind == "-" else 1.0), "+"
        else:
            raise _unreadable(text, tokens)
    if operator:
        raise _unreadable(text, tokens)
    yield weight, tuple(sorted(names))
