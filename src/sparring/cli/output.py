"""What commands print: results on standard output, everything else on standard error."""

import codecs
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from sparring.api import Run
    from sparring.evaluation.card import Evaluation
    from sparring.evaluation.compare import Comparisons

INTERRUPTED, TERMINATED = 130, 143  # exit codes


def print_lines(lines: Iterable[object]) -> None:
    """Print a line each."""
    for line in lines:
        print(line)  # noqa: T201


def print_json(value: Any) -> None:
    """Print a value as JSON, of letters that the stream has."""
    from sparring.runs.folder import to_json

    encoding = codecs.lookup(sys.stdout.encoding or "utf-8").name
    print(to_json(value, ascii_only=encoding != "utf-8"))  # noqa: T201


def print_result(result: "Evaluation | Comparisons", *, as_json: bool) -> None:
    """Print a card as a table, or all of it as JSON."""
    if as_json:
        print_json(result.as_json())
    else:
        print_lines(result.table())


def print_end(run: "Run", root: Path) -> None:
    """Print the run folder; exit with how to go on if training was stopped early."""
    from sparring.report.words import command_line

    print_lines([run.path])
    if run.status == "finished":
        complain(f"report: {run.folder.report}")
        return
    below = run.path.resolve().parent == root.resolve()
    command = ["sparring", "resume", run.path.name if below else str(run.path)]
    if below and root != Path("runs"):
        command += ["--runs", str(root)]
    complain(f"saved; go on with: {command_line(command)}")
    reason = run.folder.read_run()["reason"]
    raise SystemExit(TERMINATED if "SIGTERM" in reason else INTERRUPTED)


def complain(line: str) -> None:
    """Print a line on standard error."""
    print(line, file=sys.stderr)  # noqa: T201


def fail(message: str, code: int) -> NoReturn:
    """Exit with a code and one line on standard error."""
    complain("sparring: " + " ".join(message.split()))
    raise SystemExit(code)
