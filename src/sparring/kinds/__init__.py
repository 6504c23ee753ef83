"""The kinds of data, each in a folder of its own; the one list of them.

Nothing outside a kind's folder names it: what differs between kinds is asked of `kind_of(spec)`.
Installed packages extend the list (`plugins`).
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass, make_dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from sparring.data.options import CommonOptions
from sparring.errors import SparringError, nearest
from sparring.kinds import plugins
from sparring.kinds.images import IMAGES
from sparring.kinds.kind import Kind
from sparring.kinds.points import POINTS
from sparring.kinds.sounds import SOUNDS
from sparring.kinds.tables import TABLES
from sparring.kinds.texts import TEXTS
from sparring.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

    from sparring.data.dataset import Dataset
    from sparring.data.pack import Progress

# In the order in which they are asked whether they recognise a source; the last takes what is left.
BUILT_IN: tuple[Kind[Any], ...] = (POINTS, TEXTS, TABLES, SOUNDS, IMAGES)
PLUGGED_IN = plugins.plugged_in(plugins.found(), BUILT_IN)
KINDS = (*PLUGGED_IN, *BUILT_IN)
LISTED = (*BUILT_IN[::-1], *PLUGGED_IN)  # in help and messages
NAMED = tuple(name for kind in LISTED for name in kind.named)  # all data sets that have a name

Source = Any  # a path, a named set, or what a kind's reader takes: an array, a frame, a list

if TYPE_CHECKING:
    DataOptions = CommonOptions
else:
    DataOptions = make_dataclass(
        "DataOptions",
        [
            (
                "kind",
                Annotated[
                    Literal[("auto", *(kind.name for kind in LISTED))],
                    "kind of data; auto: by what the files are",
                ],
                "auto",
            )
        ],
        bases=tuple(kind.options for kind in KINDS if kind.options is not CommonOptions),
        frozen=True,
        namespace={
            "__doc__": "How data is read: the options of all kinds.",
            "__module__": __name__,
        },
    )


def kind_of(spec: Spec) -> Kind[Any]:
    """Return the kind whose spec this is."""
    return next(kind for kind in KINDS if type(spec) is kind.spec)


def read_spec(about: Mapping[str, Any]) -> Spec:
    """Return the spec in what `data.json` holds.

    Raises:
        SparringError: it does not hold a proper one.
    """
    from pydantic import TypeAdapter, ValidationError  # slow to load, and not for `--help`

    try:
        kind = kind_named(str(about.get("kind")))
        spec: Spec = TypeAdapter(kind.spec).validate_python(about.get("spec"))
        return spec
    except (ValidationError, SparringError):
        raise SparringError("it has no proper spec") from None


def kind_named(name: str) -> Kind[Any]:
    """Return the kind of this name; refuse a name that no kind has."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    names = [kind.name for kind in KINDS]
    raise SparringError(
        f"no kind of data is called '{name}'{nearest(name, names)}; expected one of "
        f"{', '.join(names)}, or that of a plug-in: is it installed?"
    )


def open_data(
    source: Source, options: CommonOptions, *, cache: Path, progress: "Progress | None" = None
) -> "Dataset":
    """Read data of whatever kind it is; see `Reader.open_data` of each kind.

    Args:
        source: a path, the name of a data set, or what a kind takes: an array, a frame, a list.
        options: its kind, if it is not to be recognised, and how it is read.
        cache: a folder, for packs of data beyond memory and sets that are made.
        progress: called with what is being done, how many are done, of how many.
    """
    kind = recognised(source) if options.kind == "auto" else kind_named(options.kind)
    reported = {"progress": progress} if progress else {}
    return kind.reader.open_data(source, options, cache=cache, sets=NAMED, **reported)


def recognised(source: Source) -> Kind[Any]:
    """Return the first kind that recognises a source."""
    *before, last = KINDS
    for place, kind in enumerate(before, 1):
        others = frozenset[str]().union(*(other.suffixes for other in KINDS[place:]))
        ask = kind.reader.recognises if kind in BUILT_IN else partial(plugins.recognises, kind)
        if ask(source, others):
            return kind
    return last


def recorded_options(options: CommonOptions) -> dict[str, Any]:
    """Return how data is read as a run keeps it, by name.

    Without what only plug-ins of other kinds can be asked for, and were not: a run must not need a
    package that it has nothing to do with.
    """
    others = [kind for kind in PLUGGED_IN if kind.name != options.kind]
    foreign = {name for kind in others for name in _defaults(kind.options)}
    for kind in (kind for kind in KINDS if kind not in others):
        foreign -= _defaults(kind.options).keys()
    usual = _defaults(type(options))
    values = asdict(options)
    return {k: v for k, v in values.items() if k not in foreign or v != usual[k]}


def own_requests(kind: Kind[Any], requests: Mapping[str, Any]) -> Any:
    """Return what is asked of samples of a kind: an instance of its `requests`.

    What is asked of other kinds may be there too, as long as it asks for nothing.

    Raises:
        SparringError: only samples of other kinds can be asked for this, or none.
    """
    own = {}
    for name, value in _without_dataclasses(requests).items():
        takers = _takers(name, lambda kind: kind.requests)
        if kind in takers:
            own[name] = value
        elif value and value != _defaults(takers[0].requests)[name]:
            raise SparringError(
                f"'{name}' is asked of {takers[0].plural}; this run makes {kind.plural}"
            )
    return kind.requests(**own)


def own_judging(kind: Kind[Any], judging: Mapping[str, Any]) -> Any:
    """Return what is asked of an evaluation of a kind: an instance of its `judging`.

    What only evaluations of other kinds heed is left out.

    Raises:
        SparringError: no evaluation can be asked for this.
    """
    takers = {name: _takers(name, lambda kind: kind.judging) for name in judging}
    return kind.judging(**{name: value for name, value in judging.items() if kind in takers[name]})


def _takers(name: str, options: Callable[[Kind[Any]], type]) -> list[Kind[Any]]:
    """Return the kinds whose options have a field of this name; refuse one that none has."""
    if takers := [kind for kind in KINDS if name in _defaults(options(kind))]:
        return takers
    every = [field for kind in KINDS for field in _defaults(options(kind))]
    raise SparringError(
        f"'{name}' cannot be asked for{nearest(name, every)}; expected one of {', '.join(every)}"
    )


def _defaults(options: type) -> dict[str, Any]:
    return {field.name: field.default for field in fields(options)}


def _without_dataclasses(requests: Mapping[str, Any]) -> dict[str, Any]:
    """Put what a dataclass among the values asks for beside the others, as up to version 0.1."""
    plain = {name: value for name, value in requests.items() if not is_dataclass(value)}
    for name in requests.keys() - plain.keys():
        values, usual = vars(requests[name]), _defaults(type(requests[name]))
        asked = {key: value for key, value in values.items() if value != usual[key]}
        warnings.warn(
            f"'{name}' will go: ask by its fields, {', '.join(values)}",
            DeprecationWarning,
            stacklevel=4,
        )
        plain = asked | plain
    return plain


def encode(items: "Tensor", spec: Spec) -> "Tensor":
    """Turn items into what the networks see, float32."""
    return kind_of(spec).codec.encode(items, spec)


def decode(samples: "Tensor", spec: Spec) -> "Tensor":
    """Turn what a generator makes into items."""
    return kind_of(spec).codec.decode(samples, spec)


def view(samples: "Tensor", spec: Spec) -> "Tensor":
    """Return what a discriminator sees of what a generator makes."""
    return kind_of(spec).codec.view(samples, spec)


def to_user_type(items: "Tensor", spec: Spec) -> Any:
    """Return items as people want them: a tensor, a data frame, a list."""
    return kind_of(spec).codec.to_user_type(items, spec)


def describe(spec: Spec) -> str:
    """Say in a few words what one item is."""
    return kind_of(spec).codec.describe(spec)
