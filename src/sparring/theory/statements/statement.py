"""What a checked statement is: a claim with its source, and the numbers it comes down to."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One number that a statement predicts, and what the code computes."""

    what: str
    expected: float
    computed: float
    tolerance: float = 1e-9  # absolute

    @property
    def error(self) -> float:
        """How far off the computed number is."""
        return float(abs(self.computed - self.expected))

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; never for NaN."""
        return bool(self.error <= self.tolerance)  # the numbers may be NumPy's


@dataclass(frozen=True)
class Statement:
    """A statement of the theory; `check` computes everything again."""

    number: int
    claim: str
    source: str  # author, year, place
    check: Callable[[], tuple[Check, ...]]
