"""A line of the card: a metric of samples, the same of real data against real data, and a verdict.

Inside: the value that all kinds of data give for their card. Not inside: which lines there are, and
how their tests are corrected for their number (`evaluation.verdict`).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import inf, isinf
from typing import Any, Literal

from sparring.metrics.estimate import CARD_DIGITS, Estimate

Direction = Literal["lower", "higher", "as real"]  # what is better
Accusation = Literal["differs", "copies"]
Verdict = Literal["differs", "copies", "no difference seen", "not tested"]
Note = Callable[[str], None]  # takes a sentence that people should know

ESTIMATE_ONLY = "an estimate without a test; held against real data by eye"


@dataclass(frozen=True)
class CardLine:
    """One line of the card: a metric, and what it is for real data against real data.

    Where the estimate has a p-value, it is of a test whose level is valid at every size when the
    generator is perfect; `accuses` and `found` say what it means if it finds something. The verdict
    is the card's, which knows how many tests it has.
    """

    key: str
    name: str
    estimate: Estimate
    real_vs_real: Estimate | None  # p = q at the same sizes
    direction: Direction
    accuses: Accusation = "differs"
    found: str = "can be told from real data"
    reason: str = ESTIMATE_ONLY  # why it is not tested, where it is not
    verdict: Verdict = "not tested"
    could_see: float | None = None  # the least value that shows in 80 % of cases; inf: none does

    @property
    def words(self) -> str:
        """Say what the test has found; nothing of what is not tested."""
        if self.verdict == "not tested":
            return ""
        if self.verdict != "no difference seen":
            return self.found
        if self.could_see is None:
            return self.verdict
        if isinf(self.could_see):
            return f"{self.verdict}; with so few, none would have shown"
        return f"{self.verdict}; {self.could_see:.{CARD_DIGITS}g} would have shown"

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, the words included."""
        return {
            "key": self.key,
            "name": self.name,
            "estimate": asdict(self.estimate),
            "at_truth": self.real_vs_real and asdict(self.real_vs_real),
            "aim": self.direction,
            "verdict": self.verdict,
            "reason": self.reason if self.verdict == "not tested" else "",
            "could_see": None if self.could_see == inf else self.could_see,
            "words": self.words,
        }


@dataclass(frozen=True)
class Untested:
    """What a card should tell and cannot, and why."""

    key: str
    name: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return a line without an estimate."""
        return {
            "key": self.key,
            "name": self.name,
            "estimate": None,
            "at_truth": None,
            "verdict": "not tested",
            "reason": self.reason,
            "could_see": None,
            "words": f"not tested: {self.reason}",
        }
