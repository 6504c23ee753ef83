"""What people write for budgets, schedules and horizons: `10m`, `1e-3 to 0 linear`, `25%`.

Each parser returns plain values or a function of the budget in samples, or refuses in one line.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from sparring.errors import SparringError
from sparring.schedules import Schedule, constant, cosine, linear


@dataclass(frozen=True)
class Budget:
    """How long to train: an amount of one unit."""

    amount: float
    unit: Literal["seconds", "images", "steps"]


MAX_BUDGET = 1e15  # samples; more than anyone will train
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)([kM]?)-?(s|m|h|samples?|images?|steps?)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_MULTIPLE = {"": 1, "k": 1_000, "M": 1_000_000}


def parse_budget(text: str) -> Budget:
    """Read `90s`, `10m`, `2h`, `20k-samples` (or images), `5k-steps`.

    Raises:
        SparringError: it is none of these, or nothing at all.
    """
    match = _BUDGET.fullmatch(text.strip())
    amount = float(match[1]) * _MULTIPLE[match[2]] if match else 0.0
    seconds = _SECONDS.get(match[3]) if match else None
    smallest = 1.0 if seconds is None else 0.1
    if match is None or not smallest <= amount <= MAX_BUDGET or (seconds and match[2]):
        raise SparringError(
            f"budget '{text}' is not a time or amount; write 90s, 10m, 2h, 20k-samples or 5k-steps"
        )
    if seconds:
        return Budget(amount * seconds, "seconds")
    return Budget(amount, "steps" if match[3].startswith("step") else "images")


def parse_budgets(text: str) -> tuple[Budget, ...]:
    """Read a budget and what resumes have added to it: `5m`, `5m +10m`, `5m +20k-samples`.

    Raises:
        SparringError: one of them is not a budget.
    """
    return tuple(map(parse_budget, text.split(" +")))


_NUMBER = r"\+?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_WHEN = r"\d+(?:\.\d+)?[kM%]?"
_SCHEDULE = re.compile(
    rf"({_NUMBER})(?:\s+to\s+({_NUMBER})\s+(linear|cosine)(?:\s+({_WHEN})\.\.({_WHEN}))?)?"
)


def parse_schedule(text: str) -> Callable[[int], Schedule]:
    """Read `1e-3` or `1e-3 to 0 linear 50%..100%`; return a function of the budget in samples.

    The range says when, as shares of the budget or as samples (`0..20M`); without one it is all.

    Raises:
        SparringError: it is not a schedule.
    """
    match = _SCHEDULE.fullmatch(text.strip())
    if match is None or not _in_order(match):
        raise SparringError(
            f"'{text}' is not a schedule; write 1e-3, or '1e-3 to 0 linear 50%..100%', "
            "or '0.05 to 0.005 cosine 0..20M'"
        )
    start, end, shape, begin, until = match.groups()
    if end is None:
        return lambda images: constant(float(start))
    curve = linear if shape == "linear" else cosine
    return lambda images: curve(
        float(start), float(end), _when(begin or "0", images), _when(until or "100%", images)
    )


def parse_horizon(text: str) -> Callable[[int], float]:
    """Read `500k` (samples) or `25%`; return a function of the budget in samples.

    Raises:
        SparringError: it is neither, or nothing.
    """
    if not re.fullmatch(_WHEN, text.strip()) or not _when(text.strip(), MAX_BUDGET):
        raise SparringError(
            f"augment.horizon '{text}' is not a number of samples; write 500k, or 25% of the budget"
        )
    return lambda images: max(_when(text.strip(), images), 1)


def _in_order(match: re.Match[str]) -> bool:
    """Tell whether a schedule's values are finite and its range does not run backwards."""
    start, end, _, begin, until = match.groups()
    same_unit = begin is not None and begin.endswith("%") == until.endswith("%")
    backwards = same_unit and _when(begin, MAX_BUDGET) > _when(until, MAX_BUDGET)
    return isfinite(float(start)) and isfinite(float(end or 0)) and not backwards


def _when(text: str, images: float) -> int:
    if text.endswith("%"):
        return round(float(text[:-1]) / 100 * images)
    multiple = _MULTIPLE.get(text[-1], 1)
    return round(float(text.rstrip("kM")) * multiple)
