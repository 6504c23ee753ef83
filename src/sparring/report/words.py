"""Numbers, times, counts and commands as people read them.

Inside: pure functions from values to a short text, and `number`, which accepts nothing else.
Not inside: escaping, which belongs to the file format (`charts`, `card`, the page's template).
"""

import math
import os
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: Any) -> float | None:
    """Return a finite number as a float, and None for all else (NaN, text, booleans)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond any float
        return None


def command_line(words: Sequence[str]) -> str:
    """Return words as one types them, quoted as this system's shell wants it."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def short(value: float) -> str:
    """Return three digits and a unit: `0.0123`, `1.5k`, `20M`, `1e30`."""
    size = abs(value)
    if size and (size >= 1e12 or size < 1e-4):
        return _exponent(f"{value:.2e}")
    # 999.6 is already "1k" in three digits.
    divisor, unit = next((u for u in UNITS if size >= u[0] * 0.9995), (1.0, ""))
    return _minus(_trimmed(f"{value / divisor:.{_decimals(size / divisor)}f}")) + unit


def spaced(ticks: list[float]) -> list[str]:
    """Return equally spaced ticks with one unit and as many decimals as their step needs."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else largest
    if not step:
        return [short(tick) for tick in ticks]
    digits = max(0, _power(largest) - _power(step))
    if not 1e-4 <= largest < 1e12:
        return [_exponent(f"{tick:.{digits}e}") if tick else "0" for tick in ticks]
    divisor, unit = next((u for u in UNITS if largest >= u[0]), (1.0, ""))
    decimals = max(0, -_power(step / divisor))
    return [_minus(f"{tick / divisor:.{decimals}f}") + unit if tick else "0" for tick in ticks]


def count(value: float) -> str:
    """Return a whole number with separators: `4,500`."""
    return f"{round(value):,}"


def counted(value: float, noun: str) -> str:
    """Return a count with its noun, in the plural unless there is one: `4,500 images`."""
    return f"{count(value)} {noun}" + ("" if round(value) == 1 else "s")


def duration(seconds: float) -> str:
    """Return a time span in its two largest units: `3 h 12 min`."""
    whole = max(0, round(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s")]
    first = next((i for i, part in enumerate(parts) if part[0]), len(parts) - 1)
    return " ".join(f"{n} {unit}" for n, unit in parts[first : first + 2] if n) or "0 s"


def moment(unix_seconds: Any) -> str:
    """Return a time of day in UTC, or an empty text when there is none."""
    seconds = number(unix_seconds)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC" if seconds else ""
    except (OverflowError, OSError, ValueError):  # no such year
        return ""


def encodable(text: str) -> str:
    """Return text that UTF-8 can hold; file names may bring lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _power(value: float) -> int:
    """Return the power of ten of the first digit; steps are never quite their decimal value."""
    return math.floor(math.log10(abs(value)) + 1e-6)


def _decimals(size: float) -> int:
    return max(0, 2 - _power(size)) if size else 0


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def _exponent(text: str) -> str:
    mantissa, power = text.split("e")
    return _minus(f"{_trimmed(mantissa)}e{int(power)}")
