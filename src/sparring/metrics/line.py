"""A line of the card: a metric of samples, the same of real data against real data, and words.

Inside: the value that all kinds of data give for their card. Not inside: which lines there are.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sparring.metrics.estimate import Estimate

Direction = Literal["lower", "higher", "as real"]  # what is better
Note = Callable[[str], None]  # takes a sentence that people should know

SIGNIFICANT_P = 0.01  # below it a test is said to have found something
MIN_COPYING = 0.2  # preference for training data that only copies explain
DISTANCES = "kid", "frechet"  # without bias: 0 between two samples of one distribution


@dataclass(frozen=True)
class CardLine:
    """One line of the card: a metric, and what it is for real data against real data."""

    key: str
    name: str
    estimate: Estimate
    real_vs_real: Estimate | None  # p = q at the same sizes
    direction: Direction

    @property
    def words(self) -> str:
        """Say how the estimate stands to that of real data."""
        if self.estimate.p_value is not None:
            return _test_words(self.key, self.estimate.value, self.estimate.p_value)
        if self.real_vs_real is None:
            return ""
        fake, real = self.estimate, self.real_vs_real
        if fake.low <= real.high and real.low <= fake.high:
            far = self.key in DISTANCES and real.low > 0
            return "no further than the training data" if far else "cannot be told from real data"
        return "above real data" if fake.low > real.high else "below real data"

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, the words included."""
        return {
            "key": self.key,
            "name": self.name,
            "estimate": asdict(self.estimate),
            "at_truth": self.real_vs_real and asdict(self.real_vs_real),
            "aim": self.direction,
            "words": self.words,
        }


def _test_words(key: str, value: float, p: float) -> str:
    if key == "memorization" and p < SIGNIFICANT_P:
        return (
            "copies its training data"
            if value > MIN_COPYING
            else "nearer to its training data than to data it never saw"
        )
    if key == "copies":
        return "copies whole rows" if p < SIGNIFICANT_P else "no more copies than by nature"
    if key == "memorization":
        return "no sign of copying"
    return "can be told from real data" if p < SIGNIFICANT_P else "cannot be told from real data"
