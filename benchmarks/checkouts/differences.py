"""Two flat mappings of values beside each other: what is the same, and what is not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile, zip_longest

import numpy as np
from numpy.typing import NDArray

from benchmarks.checkouts.folders import Bytes, Lines, Value, Values
from benchmarks.checkouts.rules import Rules

WIDEST = 70  # characters of a value that is shown
MOST_LINES = 6  # of a text that are shown


@dataclass
class Verdict:
    """How many values of a case are the same, how many may differ, and which do differ."""

    same: int = 0
    ignored: int = 0
    differing: dict[str, list[str]] = field(default_factory=dict)  # a key, and lines that say how


def compare(before: Values, after: Values, rules: Rules) -> Verdict:
    """Compare what a case left in BEFORE with what it left in AFTER."""
    verdict, met = Verdict(), set()
    for key, value in before.items():
        name = rules.name(key, after)
        if name is None:
            _lone(verdict, rules, "gone", key, value)
            continue
        met.add(name)
        if how := list(_differences(value, after[name], rules)):
            if rules.allows("ignored", name):
                verdict.ignored += 1
            else:
                verdict.differing[name] = how
        else:
            verdict.same += 1
    for name in after.keys() - met:
        _lone(verdict, rules, "new", name, after[name])
    return verdict


def _lone(verdict: Verdict, rules: Rules, side: str, key: str, value: Value) -> None:
    if rules.allows(side, key) or rules.allows("ignored", key):
        verdict.ignored += 1
    else:
        verdict.differing[key] = [f"{side}: {_shown(value)}"]


def _differences(before: Value, after: Value, rules: Rules) -> Iterator[str]:
    """Yield lines that say how two values differ; none where they do not."""
    if isinstance(before, Lines) and isinstance(after, Lines):
        gone, new = rules.changed_lines(before, after)
        for one, other in zip_longest(gone[:MOST_LINES], new[:MOST_LINES]):
            shared = _shared(one or "", other or "")
            yield from (f"- {_short(line, shared)}" for line in (one,) if line is not None)
            yield from (f"+ {_short(line, shared)}" for line in (other,) if line is not None)
        if (more := max(len(gone), len(new)) - MOST_LINES) > 0:
            yield f"and {more} lines more"
    elif isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        yield from _of_arrays(before, after)
    elif not rules.same(before, after):
        shared = _shared(repr(before), repr(after)) if isinstance(before, str) else 0
        yield f"{_shown(before, shared)} → {_shown(after, shared)}"


def _of_arrays(before: NDArray[np.generic], after: NDArray[np.generic]) -> Iterator[str]:
    if before.shape != after.shape or before.dtype != after.dtype:
        yield f"{_shown(before)} → {_shown(after)}"
    elif before.tobytes() != after.tobytes():
        yield _how_far(before, after)


def _how_far(before: NDArray[np.generic], after: NDArray[np.generic]) -> str:
    """Say how many numbers differ, and by how much at most."""
    try:
        a, b = before.astype(np.float64), after.astype(np.float64)
    except (TypeError, ValueError):
        return f"{_shown(before)} of other contents"
    apart = np.abs(a - b)
    count = int(((a != b) & ~(np.isnan(a) & np.isnan(b))).sum())
    most = float(np.nanmax(apart)) if np.isfinite(apart).any() else float("nan")
    scale = float(np.nanmax(np.abs(a))) if np.isfinite(a).any() else float("nan")
    return f"{_shown(before)}: {count:,} differ, by up to {most:.3g}; the largest is {scale:.3g}"


def _shown(value: Value, shared: int = 0) -> str:
    match value:
        case Bytes(size, digest):
            return f"{size:,} bytes, {digest}"
        case Lines():
            return f"{len(value)} lines: {_short(' / '.join(value))}"
        case np.ndarray():
            return f"{'x'.join(map(str, value.shape)) or 'one'} {value.dtype}"
    return _short(repr(value), shared)


def _shared(before: str, after: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = zip(before, after, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _short(text: str, shared: int = 0) -> str:
    """Return a piece of a long text, from shortly before where it differs from another."""
    start = max(min(shared - WIDEST // 3, len(text) - WIDEST), 0)
    piece = text[start : start + WIDEST]
    return "…" * (start > 0) + piece + "…" * (start + WIDEST < len(text))
