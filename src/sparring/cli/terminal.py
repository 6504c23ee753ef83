"""What a person sees while a run trains: bars on a terminal, one line a tick elsewhere.

Everything goes to standard error; standard output is for data.
"""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from sparring.report.words import duration
from sparring.training.loop import Progress as Measured
from sparring.training.reporter import PlanRows

REDRAW_SECONDS = 0.2
LINE_SECONDS = 20.0  # between two lines about long work, where a bar cannot be drawn


class Terminal:
    """A progress reporter at a terminal or behind a pipe; close it to leave the screen tidy."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bars: Progress | None = None
        self.tasks: dict[str, TaskID] = {}
        self.drawn = 0.0 if self.console.is_terminal else time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bars:
            self.bars.stop()
            self.bars = None

    def say(self, message: str) -> None:
        """Print a line, above the bars if there are any."""
        if self.console.is_terminal:
            self.console.print(Text(message), soft_wrap=True)
        else:
            print(message, file=sys.stderr, flush=True)  # noqa: T201

    def plan(self, rows: PlanRows) -> None:
        """Print the plan as two columns."""
        if not self.console.is_terminal:
            for name, value in rows:
                self.say(f"{name:>13}  {value}")
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", style="bold cyan")
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(Text(name), Text(value))
        self.console.print(table)

    def reading(self, what: str, done: int, total: int) -> None:
        """Show a bar for long work that is not training; elsewhere a line now and then."""
        if self.console.is_terminal:
            if self._due(REDRAW_SECONDS, last=done == total):
                self._show(what, done, total, "")
        elif self._due(LINE_SECONDS):
            self.say(f"{what}: {done:,} of {total:,}")

    def advance(self, images: int, total: int) -> None:
        """Move the bar of training, a few times a second."""
        if self.console.is_terminal and self._due(REDRAW_SECONDS, last=images >= total):
            self._show("training", images, total, None)

    def tick(self, progress: Measured, total: int) -> None:
        """Show speed and logits beside the bar, or print them as one line."""
        if self.console.is_terminal:
            self._show("training", progress.samples_seen, total, _speed_and_logits(progress))
            return
        left = (total - progress.samples_seen) / max(progress.samples_per_second, 1e-9)
        done = f"{progress.samples_seen / total:4.0%}  {progress.samples_seen:,} seen"
        self.say(f"{done}  {_speed_and_logits(progress)}  {duration(left)} left")

    def _due(self, seconds: float, *, last: bool = False) -> bool:
        """Tell whether so many seconds have passed since something was drawn."""
        now = time.monotonic()
        if not last and now - self.drawn < seconds:
            return False
        self.drawn = now
        return True

    def _show(self, what: str, done: int, total: int, details: str | None) -> None:
        if self.bars is None:
            self.bars = _bars(self.console)
            self.bars.start()
        if what not in self.tasks:
            for task in self.tasks.values():
                self.bars.remove_task(task)
            self.tasks = {what: self.bars.add_task(what, total=total, details="")}
        task = self.tasks[what]
        self.bars.update(task, completed=done, total=total)
        if details is not None:
            self.bars.update(task, details=details)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[details]}", markup=False),
        console=console,
        refresh_per_second=5,
    )


def _speed_and_logits(progress: Measured) -> str:
    real = progress.metrics.get("discriminator/real", float("nan"))
    fake = progress.metrics.get("discriminator/fake", float("nan"))
    return f"{progress.samples_per_second:,.0f}/s  D(real) {real:+.2f}  D(fake) {fake:+.2f}"
