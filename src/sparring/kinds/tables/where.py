"""Conditions as people write them: `cut=Fair`, `18<=age<30`, `city in (A, B)`, or a dictionary.

Values are read as the column's cells are written, and as Python writes them. Not inside: which
cells satisfy conditions (`conditions`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from sparring.errors import SparringError, nearest
from sparring.kinds.tables.columns import numbers, pandas, write_cells
from sparring.kinds.tables.conditions import Condition, Sign, in_order
from sparring.kinds.tables.number_forms import read_as
from sparring.kinds.tables.spec import Column, TableSpec

SIGNS: Mapping[str, Sign] = {
    "<=": "<=",
    "≤": "<=",
    ">=": ">=",
    "≥": ">=",
    "!=": "not in",
    "≠": "not in",
    "<>": "not in",
    "==": "in",
    "=": "in",
    "<": "<",
    ">": ">",
}
MIRRORED: Mapping[Sign, Sign] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "in": "in"}
_SIGN = re.compile("|".join(SIGNS))
_AMONG = re.compile(r"(not\s+)?in\b\s*(?=[(\[{])", re.IGNORECASE)
_BEGINS = re.compile(rf"\s*(?:{'|'.join(SIGNS)})|\s+{_AMONG.pattern}", re.IGNORECASE)
_AND = re.compile(r"\s+(?:and|&&?)\s+", re.IGNORECASE)
_QUOTED = re.compile(r"(['\"`])(.*)\1", re.DOTALL)
_LISTED = re.compile(r"""\s*('[^']*'|"[^"]*"|[^,]+)""")
TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
MAX_NAMED = 20  # categories, in a message
OF_DAY = re.compile(r"(\d{1,2}):(\d{2})")


def read_where(where: Any, spec: TableSpec) -> tuple[Condition, ...]:
    """Return the conditions in a text, a dictionary of columns, or a list of these.

    In a dictionary, a value is one that the column has, or a comparison as text, `">5"`; a list
    holds values of which a row has one, and a pair in round brackets the ends of a range, None
    where it is open.

    Raises:
        SparringError: what is there is not a condition, or not on a learned column.
    """
    match where:
        case None:
            return ()
        case str():
            return tuple(_of_text(where, spec))
        case Mapping():
            return tuple(c for name, value in where.items() for c in _of_item(name, value, spec))
        case Iterable():
            return tuple(condition for part in where for condition in read_where(part, spec))
    raise SparringError(
        f"conditions cannot be {type(where).__name__}; write 'column=value', a list of such, or a "
        "dictionary of columns"
    )


def categories(name: str, spec: TableSpec) -> Column:
    """Return a column by its name; refuse one that holds no categories."""
    column = _learned(name, name, spec)
    if column.is_number or len(column.labels) < 2:
        raise SparringError(
            f"'{name}' is {column.kind}; rows are balanced by a column of categories"
        )
    return column


def parse_condition(text: str, spec: TableSpec) -> Condition:
    """Read one condition on a learned column.

    Raises:
        SparringError: it is not a condition, names no learned column, or no row could satisfy it.
    """
    column, rest = _column(text, spec)
    if among := _AMONG.match(rest):
        inside = rest[among.end() :].strip()[1:].rstrip(")]} \t")
        values = [value.strip() for value in _LISTED.findall(inside)]
        sign: Sign = "not in" if among[1] else "in"
        return _condition(column, sign, [v for v in values if v], text)
    found = _SIGN.match(rest)
    assert found
    return _condition(column, SIGNS[found[0]], [rest[found.end() :].strip()], text)


def _of_text(text: str, spec: TableSpec) -> list[Condition]:
    """Read the conditions of a text, between which there may be `and`."""
    pieces = _AND.split(text)
    parts = [pieces[0]]
    for joint, piece in zip(_AND.findall(text), pieces[1:], strict=True):
        if _has_sign(parts[-1]) and _has_sign(piece):
            parts.append(piece)
        else:  # the word is of a value or of a column's name
            parts[-1] += joint + piece
    return [condition for part in parts for condition in _chained(part, spec)]


def _has_sign(text: str) -> bool:
    return bool(_SIGN.search(text) or re.search(r"\sin\s*[(\[{]", text, re.IGNORECASE))


def _chained(text: str, spec: TableSpec) -> list[Condition]:
    """Read a condition, also one that begins with a value: `18<=age<30`."""
    signs, terms = _SIGN.findall(text), [term.strip() for term in _SIGN.split(text)]
    names = {column.name for column in spec.columns if not column.hidden}
    bare = [_unquoted(term) for term in terms]
    if len(terms) not in (2, 3) or bare[0] in names or bare[1] not in names:
        return [parse_condition(text, spec)]
    column = _learned(bare[1], text, spec)
    mirrored = MIRRORED.get(SIGNS[signs[0]])
    if mirrored is None:
        raise SparringError(f"'{text}' is not a condition; write {bare[1]}{signs[0]}{terms[0]}")
    first = _condition(column, mirrored, [terms[0]], text)
    more = [
        _condition(column, SIGNS[s], [v], text) for s, v in zip(signs[1:], terms[2:], strict=True)
    ]
    return [first, *more]


def _of_item(name: Any, value: Any, spec: TableSpec) -> list[Condition]:
    """Return the conditions that an item of a dictionary says."""
    column = _learned(str(name), str(name), spec)
    pool = (*column.labels, *column.rest)
    if isinstance(value, str) and (sign := _SIGN.match(value)) and value not in pool:
        return [_condition(column, SIGNS[sign[0]], [value[sign.end() :].strip()], name + value)]
    if isinstance(value, tuple) and len(value) == 2 and (column.is_number or in_order(column)):
        ends = [(sign, _cell(end)) for sign, end in zip((">=", "<="), value, strict=True)]
        return [
            _condition(column, SIGNS[sign], [end], f"{name}{sign}{end}")
            for sign, end in ends
            if end
        ]
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        cells = [_cell(one) for one in value]
        return [_condition(column, "in", cells, f"{name} in ({', '.join(cells)})")]
    return [_condition(column, "in", [_cell(value)], f"{name}={_cell(value)}")]


def _cell(value: Any) -> str:
    """Return a value of Python as a cell of text; what is missing is empty."""
    return "" if value is None or value is pandas().NaT or value != value else str(value)


def _column(text: str, spec: TableSpec) -> tuple[Column, str]:
    """Return the learned column that a condition begins with, and the rest of it."""
    stripped = text.strip()
    seen = sorted((c.name for c in spec.columns if not c.hidden), key=len, reverse=True)
    for name in seen:
        for written in (name, *(f"{mark}{name}{mark}" for mark in "`'\"")):
            rest = stripped[len(written) :]
            if stripped.startswith(written) and _BEGINS.match(rest):
                return _learned(name, text, spec), rest.lstrip()
    if not (sign := _SIGN.search(text)):
        raise SparringError(f"'{text}' is not a condition; write column=value or column>5")
    return _learned(text[: sign.start()].strip(), text, spec), ""


def _learned(name: str, text: str, spec: TableSpec) -> Column:
    """Return a column of this name that people see; refuse one that is not learned."""
    seen = {column.name: column for column in spec.columns if not column.hidden}
    if name not in seen:
        lower = {other.lower(): other for other in seen}
        hint = nearest(lower.get(name.lower(), name), seen)
        raise SparringError(f"'{text}': no column '{name}'{hint}")
    if not seen[name].is_learned:
        raise SparringError(
            f"'{text}': column '{name}' is {seen[name].kind}, which is not learned; "
            "rows cannot be asked for by it"
        )
    return seen[name]


def _condition(column: Column, sign: Sign, cells: Sequence[str], text: str) -> Condition:
    """Return a condition of what its values say; refuse one that no row could satisfy."""
    among = sign in ("in", "not in")
    cells = ["" if cell == column.missing_word else cell for cell in cells]
    if not cells or ("" in cells and not (column.missing and among)):
        raise SparringError(
            f"'{text}' compares with nothing; column '{column.name}' is never empty"
            if not column.missing
            else f"'{text}' compares with nothing; empty cells are {column.name}="
        )
    if not column.is_number and not among and in_order(column) is None:
        raise SparringError(
            f"'{text}': the categories of '{column.name}' have no order; use = or !="
        )
    values = [_value(cell, column, text, among=among) if cell else "" for cell in cells]
    return Condition(column, sign, tuple(dict.fromkeys(values)), text)


def _value(cell: str, column: Column, text: str, *, among: bool) -> float | str:
    """Return what a cell stands for: a number, or a category; either that it is written as."""
    if column.is_number:
        return _number(cell, column, text)
    if among or column.ordered:
        pool = (*column.labels, *column.rest) if among else column.levels
        return label_of(cell, column, pool, text)
    try:
        return float(_unquoted(cell))
    except ValueError:
        raise SparringError(f"'{text}': {_unknown(cell, column)}") from None


def label_of(cell: str, column: Column, pool: Sequence[str], text: str) -> str:
    """Return the category of a pool that is meant, in whatever case it is written.

    Raises:
        SparringError: it is none; `text` says where that is written.
    """
    for written in (cell, _unquoted(cell)):
        if written in pool:
            return written
        alike = [label for label in pool if _alike(label, written, column)]
        if len(alike) == 1:
            return alike[0]
    raise SparringError(f"'{text}': {_unknown(cell, column)}")


def _alike(label: str, written: str, column: Column) -> bool:
    """Tell whether a category is meant: but for case, as a number, or as a truth."""
    if label.casefold() == written.casefold():
        return True
    truths = [TRUTHS.get(text.casefold()) for text in (label, written)]
    if column.kind == "boolean" and None not in truths:
        return truths[0] == truths[1]
    try:
        return float(label) == float(written)
    except ValueError:
        return False


def _unknown(value: str, column: Column) -> str:
    listed = ", ".join(column.labels[:MAX_NAMED])
    pool = (*column.labels, *column.rest)
    return f"no category '{value}' in the data; known: {listed}{nearest(value, pool)}"


def _number(cell: str, column: Column, text: str) -> float:
    """Return a number or a date, in the column's own form or as Python writes it."""
    written = _unquoted(cell)
    if column.form and (value := read_as(pandas().Series([written]), column.form)[0]) == value:
        return float(value)
    if column.clock and (time := OF_DAY.fullmatch(written)):
        written = time[1] + time[2]
    for form in (column, replace(column, date_format="")):
        with suppress(SparringError, ValueError):
            value = float(numbers(pandas().Series([_moment(written, form)]), form)[0])
            if value == value:
                return value
    raise SparringError(f"'{text}': '{cell}' is not of type {column.kind}{_example(column)}")


def _moment(written: str, column: Column) -> Any:
    """Return a date that is not in the column's own form, in its time zone; all else as it is.

    Raises:
        ValueError: it is not a date, or a span of time without a unit.
    """
    if column.dtype.startswith("timedelta"):
        if written.isdecimal():
            raise ValueError(written)
        return pandas().Timedelta(written)
    if column.kind != "datetime" or column.date_format not in ("", "date"):
        return written
    moment = pandas().to_datetime(written, format="ISO8601")
    zone = getattr(pandas().api.types.pandas_dtype(column.dtype), "tz", None)
    return moment.tz_localize(zone) if zone and moment.tz is None else moment


def _example(column: Column) -> str:
    """Say how a column writes what it holds."""
    first = write_cells(np.array([[column.span[0]]]), [column])[column.name].iloc[0]
    return f"; write it as {first}" if column.kind == "datetime" else ""


def _unquoted(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    return quoted[2] if quoted else text
