"""The command line: arguments in, a command called, one line for each mistake.

torch is imported by the commands that need it, never for `--help`.
"""

import os
import sys
import warnings
from functools import partial
from io import TextIOWrapper
from typing import Any

from cyclopts import CycloptsError

from sparring.cli.output import INTERRUPTED, complain, fail
from sparring.errors import SparringError, SparringWarning


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; mistakes exit with 1 or 2 and one line on standard error."""
    # Threads that spin while waiting cost a busy machine more than they gain (set before torch).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            _escape_unencodable(stream)
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    try:
        try:
            _call([word for word in words if word != "--debug"])
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


def _call(words: list[str]) -> None:
    """Call the command; warnings of the library are told in a line each."""
    with warnings.catch_warnings():
        warnings.showwarning = partial(_show, warnings.showwarning)
        from sparring.cli.commands import app  # asks for the kinds, and so for the plug-ins

        app(words, exit_on_error=False, print_error=False)


def _show(usual: Any, message: Warning | str, category: type[Warning], *where: Any) -> None:
    if issubclass(category, SparringWarning):
        complain(f"warning: {message}")
    else:
        usual(message, category, *where)


def _escape_unencodable(stream: TextIOWrapper) -> None:
    """Have a stream escape what it cannot write; files and pipes hold UTF-8 on Windows too."""
    left_to_locale = os.name == "nt" and "PYTHONIOENCODING" not in os.environ
    encoding = "utf-8" if left_to_locale and not stream.isatty() else None
    stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error) or type(error).__name__


if __name__ == "__main__":
    main()
