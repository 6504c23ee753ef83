"""What may differ between two checkouts: the committed map `compare_checkouts.toml`.

Every entry says why. An entry that nothing needed is told, so that the map does not outlive its
reasons.
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from benchmarks.checkouts.folders import Lines, Value

FIELDS = {  # of the entries in each table of the map, beside `why`
    "option": ("before", "after"),
    "value": ("before", "after"),
    "argument": ("before", "after"),
    "key": ("pattern", "to"),
    "word": ("pattern", "to"),
    "volatile": ("pattern",),
    "ignored": ("key",),
    "gone": ("key",),
    "new": ("key",),
    "line": ("pattern",),
}
REQUESTS = ("option", "value", "argument")  # what is asked of a checkout, used by the worker


@dataclass(frozen=True)
class Entry:
    """One line of the map."""

    table: str
    fields: Mapping[str, str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of a key or of a text."""
        return re.compile(self.fields.get("pattern", self.fields.get("key", "")))

    def __str__(self) -> str:
        told = ", ".join(f"{name} {self.fields[name]!r}" for name in FIELDS[self.table])
        return f"{self.table}: {told}"


@dataclass
class Rules:
    """All entries, and those that were needed."""

    entries: tuple[Entry, ...]
    used: set[int] = field(default_factory=set)  # their places

    def __post_init__(self) -> None:
        self.steady = lru_cache(maxsize=None)(self._steady)  # the same lines come again and again

    def of(self, *tables: str) -> Iterator[tuple[int, Entry]]:
        """Yield the entries of these tables, with their places."""
        return ((i, one) for i, one in enumerate(self.entries) if one.table in tables)

    def unused(self) -> list[Entry]:
        """Return the entries that no comparison needed."""
        return [
            one
            for i, one in enumerate(self.entries)
            if i not in self.used and one.table not in REQUESTS
        ]

    def names(self, key: str) -> Iterator[str]:
        """Yield what a key of BEFORE may be called in AFTER, the most likely first."""
        yield key
        renamed = self._replaced(key, "key")
        if renamed != key:
            yield renamed
        reworded = self._replaced(renamed, "word")
        if reworded != renamed:
            yield reworded

    def name(self, key: str, known: Collection[str]) -> str | None:
        """Return which of the keys of AFTER a key of BEFORE is; None if it is gone."""
        for i, name in enumerate(self.names(key)):
            if name in known:
                if i:
                    self._use(key, "key", "word")
                return name
        return None

    def allows(self, table: str, key: str) -> bool:
        """Tell whether an entry of the table, one with keys, covers a key."""
        for i, one in self.of(table):
            if one.pattern.search(key):
                self.used.add(i)
                return True
        return False

    def same(self, before: Value, after: Value) -> bool:
        """Tell whether two texts or numbers are the same, words and what is volatile apart."""
        if not isinstance(before, str) or not isinstance(after, str):
            return repr(before) == repr(after)
        return before == after or self._same_line(before, after)

    def changed_lines(self, before: Lines, after: Lines) -> tuple[list[str], list[str]]:
        """Return the lines that only one of two texts has, the volatile and the allowed left out.

        Lines are paired by place within what changed, so that a new one moves no other.
        """
        mine, theirs = list(before), list(after)
        if len(mine) == len(theirs) and all(map(self.same, mine, theirs)):
            return [], []
        left = [self.steady(line) for line in theirs]
        known = set(left)
        right = [self._as_after(line, known) for line in mine]
        gone, new = _unshared(right, left)
        return (
            [mine[i] for i in gone if not self._allows_line(mine[i])],
            [theirs[i] for i in new if not self._allows_line(theirs[i])],
        )

    def _same_line(self, before: str, after: str) -> bool:
        steady = self.steady(after)
        return self._as_after(before, {steady}) == steady

    def _as_after(self, line: str, known: Collection[str]) -> str:
        """Return a line of BEFORE as AFTER would write it; as it is where AFTER has it so."""
        steady = self.steady(line)
        if steady in known:
            return steady
        reworded = self._replaced(steady, "word")
        if reworded in known:
            self._use(steady, "word")
        return reworded

    def _allows_line(self, line: str) -> bool:
        allowing = {i for i, one in self.of("line") if one.pattern.search(line)}
        self.used |= allowing
        return bool(allowing)

    def _steady(self, line: str) -> str:
        """Return a line without what differs from one run to the next."""
        for i, one in self.of("volatile"):
            line, count = one.pattern.subn("…", line)
            if count:
                self.used.add(i)
        return line

    def _replaced(self, text: str, table: str) -> str:
        for _, one in self.of(table):
            text = one.pattern.sub(one.fields["to"], text)
        return text

    def _use(self, text: str, *tables: str) -> None:
        """Remember the entries that change a text."""
        for i, one in self.of(*tables):
            changed = one.pattern.sub(one.fields["to"], text)
            if changed != text:
                self.used.add(i)
            text = changed


def _unshared(mine: list[str], theirs: list[str]) -> tuple[list[int], list[int]]:
    """Return the places of lines beyond the longest common part of both, in order."""
    from difflib import SequenceMatcher

    gone: list[int] = []
    new: list[int] = []
    for tag, a, b, c, d in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += range(a, b)
            new += range(c, d)
    return gone, new


def read_rules(path: Path) -> Rules:
    """Read the map, and refuse an entry without a reason or with other fields than its table's."""
    tables: dict[str, list[dict[str, Any]]] = tomllib.loads(path.read_text(encoding="utf-8"))
    entries = []
    for table, rows in tables.items():
        for row in rows:
            expected = {*FIELDS.get(table, ()), "why"}
            if table not in FIELDS or set(row) != expected or not row["why"]:
                raise SystemExit(
                    f"{path.name}: an entry of [[{table}]] has {sorted(row)}; "
                    f"expected {sorted(expected)}, each with a text"
                )
            entries.append(Entry(table, {name: str(text) for name, text in row.items()}))
    return Rules(tuple(entries))
