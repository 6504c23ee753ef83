"""Who is told how training and what comes before and after it goes: a terminal, a test, or nobody.

The names of the methods are public: people pass objects with them as `audience=`.
"""

from typing import Protocol

from sparring.training.loop import Progress

PlanRows = tuple[tuple[str, str], ...]  # of a plan: what, and its value in words


class ProgressReporter(Protocol):
    """Who is told how it goes; a terminal, or nobody."""

    def say(self, message: str) -> None:
        """Tell something worth a line."""

    def reading(self, what: str, done: int, total: int) -> None:
        """Show how far reading the data is."""

    def plan(self, rows: PlanRows) -> None:
        """Show the plan, before the first step."""

    def advance(self, images: int, total: int) -> None:
        """Show how far training is; called before each step, so it must be quick."""

    def tick(self, progress: Progress, total: int) -> None:
        """Show what was measured since the last tick."""
