"""What every metric returns: a value with an interval, and how it was made."""

from dataclasses import dataclass

LEVEL = 0.95
SMALLEST_P = 1e-6


@dataclass(frozen=True)
class Estimate:
    """A number that was measured, and how sure it is.

    `low` and `high` bound the estimand with probability `level` over the samples that were
    drawn; a different trained model is another question. `p_value` is there when the method
    is a test.
    """

    value: float
    low: float
    high: float
    n: int  # samples of the smaller side
    method: str
    level: float = LEVEL
    p_value: float | None = None

    def __str__(self) -> str:
        tested = "" if self.p_value is None else f", {told_p(self.p_value)}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]{tested}"


def told_p(p: float) -> str:
    """Write a p-value; beyond `SMALLEST_P` no approximation holds."""
    return f"p = {p:.2g}" if p >= SMALLEST_P else f"p < {SMALLEST_P:g}"
