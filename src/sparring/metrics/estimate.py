"""What every metric returns: a value with an interval, and how it was made."""

from dataclasses import dataclass

LEVEL = 0.95


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
        tested = "" if self.p_value is None else f", p = {self.p_value:.2g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]{tested}"
