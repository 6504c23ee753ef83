"""The command line: arguments in, a command called, one line for each mistake.

torch is imported by the commands that need it, never for `--help`.
"""

import os
import sys
from io import TextIOWrapper

from cyclopts import CycloptsError

from sparring.cli.commands import app
from sparring.cli.output import INTERRUPTED, fail
from sparring.errors import SparringError


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; mistakes exit with 1 or 2 and one line on standard error."""
    # Threads that spin while waiting cost a busy machine more than they gain (set before torch).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a path may hold what the locale cannot write
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    try:
        try:
            app(
                [word for word in words if word != "--debug"],
                exit_on_error=False,
                print_error=False,
            )
        finally:
            sys.stdout.flush()
    except CycloptsError as error:
        fail(str(error), 2)
    except KeyboardInterrupt:
        fail("stopped", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (SparringError, OSError, MemoryError) as error:
        if debug:
            raise
        fail(_message(error), 1)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error) or type(error).__name__


if __name__ == "__main__":
    main()
