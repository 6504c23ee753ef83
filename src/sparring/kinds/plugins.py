"""Kinds of data that installed packages bring: the entry points of the group `sparring.kinds`.

Each leads to a `Kind`. One that cannot be used is left out, and a warning says why in one line.
Inside: finding and checking them. Not inside: what a kind is (`kind`), how to write one
(docs/plugins.md).
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from sparring.data.options import CommonOptions, NoOptions, Short
from sparring.errors import PluginWarning
from sparring.kinds.kind import Kind

GROUP = "sparring.kinds"
PARTS = ("reader", "codec", "presets", "play", "measures", "output")  # of every kind
# What commands and functions take whatever the kinds are: no short option can have such a name.
OF_ALL_KINDS = """
    audience augment batch between budget changed_data checkpoint compile data debug device
    discriminator discriminator_moves dry_run ema extractor fake from generator grid groups help
    images
    json kind label label_smoothing labels n number objective optimizer order out penalties
    precision preset profile real recipe run run_name runs samples seconds seed size source
    start_from threads to train truncation version
"""
TAKEN = frozenset(OF_ALL_KINDS.split())


class Option(NamedTuple):
    """What an option is, apart from the words that people read."""

    hint: Any
    default: Any
    words: str
    short: bool

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What two kinds must agree on if both have it."""
        bounds = [extra for extra in get_args(self.hint)[1:] if not isinstance(extra, str)]
        return (*get_args(self.hint)[:1], *bounds, self.default)


def found() -> tuple[EntryPoint, ...]:
    """Return what installed packages say leads to kinds."""
    try:
        return tuple(entry_points(group=GROUP))
    except Exception as error:  # the metadata of some package is damaged
        _warn(f"no plug-in is used: installed packages cannot be listed ({_words(error)})")
        return ()


def plugged_in(
    points: Iterable[EntryPoint], built_in: Sequence[Kind[Any]]
) -> tuple[Kind[Any], ...]:
    """Return the kinds that entry points lead to, in the order of their names.

    Args:
        points: as of `found`.
        built_in: kinds that no plug-in may get in the way of.
    """
    kinds: list[Kind[Any]] = []
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        try:
            kind = point.load()
            fault = next(_faults(kind, (*built_in, *kinds)), None)
        except (Exception, SystemExit) as error:  # whatever a stranger's code may raise
            fault = f"{point.value} cannot be loaded ({_words(error)})"
        if fault:
            _warn(f"the plug-in '{point.name}' is left out: {fault}")
        else:
            kinds.append(kind)
    return tuple(kinds)


def recognises(kind: Kind[Any], source: Any, others: frozenset[str]) -> bool:
    """Tell whether a plug-in recognises a source; one that fails does not, and is named."""
    try:
        return kind.reader.recognises(source, others)
    except Exception as error:
        _warn(f"the plug-in '{kind.name}' is not asked for this source: {_words(error)}")
        return False


def _faults(kind: Any, others: Sequence[Kind[Any]]) -> Iterator[str]:
    """Yield why this is not a kind, or cannot stand beside the others."""
    if not isinstance(kind, Kind):
        yield f"it leads to a {type(kind).__name__}, not to a sparring.kinds.kind.Kind"
        return
    further = ["quick"] * (kind.quick_features is None) + ["preparation"] * kind.prepares
    for part in (*PARTS, *further):
        if find_spec(f"{kind.home}.{part}") is None:
            yield f"the module {kind.home}.{part} is missing"
    if kind.name == "auto" or not is_dataclass(kind.spec):
        yield f"its name is '{kind.name}' and its spec {kind.spec!r}; expected a dataclass"
    for other in others:
        yield from _clashes(kind, other)
    for table, base in (("options", CommonOptions), ("requests", object), ("judging", object)):
        yield from _faults_of_options(kind, table, base)
        for other in (CommonOptions, NoOptions, *(getattr(other, table) for other in others)):
            yield from _contradictions(getattr(kind, table), other)


def _clashes(kind: Kind[Any], other: Kind[Any]) -> Iterator[str]:
    """Yield what must be a kind's own and is another's."""
    for key in ("name", "plural", "spec", "home"):
        if (value := getattr(kind, key)) == getattr(other, key):
            yield f"its {key}, {value}, is that of the {other.plural}"
    if shared := sorted({*kind.named} & {*other.named}):
        yield f"its data set '{shared[0]}' is one of the {other.plural}"


def _faults_of_options(kind: Kind[Any], table: str, base: type) -> Iterator[str]:
    """Yield why the fields of a dataclass cannot be options of the command line."""
    options: type = getattr(kind, table)
    if not is_dataclass(options) or not issubclass(options, base):
        yield f"its {table} are not a dataclass that extends {base.__name__}"
        return
    for name, option in _described(options).items():
        if get_origin(option.hint) is not Annotated or not option.words:
            yield f"its option '{name}' is not Annotated with words for --help"
        if option.default is MISSING:
            yield f"its option '{name}' has no default"
        shown_plainly = option.short or table != "options"
        if shown_plainly and name in TAKEN and name not in _described(base):
            yield f"its option '{name}' has the name of one that is there for every kind"


def _contradictions(options: type, others: type) -> Iterator[str]:
    own = _described(options)
    for name, option in _described(others).items():
        if name in own and own[name].meaning != option.meaning:
            yield f"its option '{name}' is there already, with another type or default"


def _described(options: type) -> dict[str, Option]:
    """Return the fields of a dataclass as options; none of anything else."""
    if not is_dataclass(options):
        return {}
    hints = get_type_hints(options, include_extras=True)
    return {field.name: _option(hints[field.name], field.default) for field in fields(options)}


def _option(hint: Any, default: Any) -> Option:
    extras = get_args(hint)[1:]
    words = [extra for extra in extras if isinstance(extra, str)]
    return Option(hint, default, words[-1] if words else "", Short in extras)


def _warn(line: str) -> None:
    warnings.warn(line, PluginWarning, stacklevel=2)


def _words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
