"""The error a user sees: one line that says what came, what was expected and what to do next."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MAX_LISTED = 5  # names in a line


class SparringError(Exception):
    """A user's mistake, said in one line; the command line prints nothing else."""

    def __init__(self, message: str) -> None:
        super().__init__("".join(map(_printable, message)))


class SparringWarning(UserWarning):
    """What people should know, said in one line; everything goes on."""


class PluginWarning(SparringWarning):
    """An installed plug-in cannot be used, said in one line; everything else goes on."""


class RequestWarning(SparringWarning):
    """What was asked for comes with a reservation, said in one line."""


def _printable(character: str) -> str:
    """Keep line breaks and terminal codes, which a name may hold, from the screen."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the candidate closest to `name`, or an empty string."""
    close = get_close_matches(name, list(candidates), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def listed(names: Sequence[str]) -> str:
    """Return names with commas between them, the first few and how many more there are."""
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more:,} more" if more > 0 else "")
