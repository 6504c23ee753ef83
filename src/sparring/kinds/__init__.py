"""The kinds of data, each in a folder of its own or a package that is plugged in.

Nothing outside a kind's folder names it: what differs between kinds is asked of `kind_of(spec)`.
Inside: that, and finding the kind of a source. The lists of all kinds lie in `every`.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sparring.data.options import CommonOptions
from sparring.errors import SparringError, nearest
from sparring.kinds import plugins
from sparring.kinds.kind import Kind
from sparring.runs.folder import RULES
from sparring.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

    from sparring.data.dataset import Dataset
    from sparring.data.pack import Progress
    from sparring.kinds.every import BUILT_IN as BUILT_IN
    from sparring.kinds.every import KINDS as KINDS
    from sparring.kinds.every import LISTED as LISTED
    from sparring.kinds.every import NAMED as NAMED
    from sparring.kinds.every import PLUGGED_IN as PLUGGED_IN
    from sparring.kinds.every import DataOptions as DataOptions

LISTS = ("BUILT_IN", "PLUGGED_IN", "KINDS", "LISTED", "NAMED", "DataOptions")
Source = Any  # a path, a named set, or what a kind's reader takes: an array, a frame, a list

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in LISTS:
            return getattr(import_module("sparring.kinds.every"), name)
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def kind_of(spec: Spec) -> Kind[Any]:
    """Return the kind whose spec this is."""
    from sparring.kinds.every import KINDS

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
    from sparring.kinds.every import KINDS

    for kind in KINDS:
        if kind.name == name:
            return kind
    names = [kind.name for kind in KINDS]
    raise SparringError(
        f"no kind of data is called '{name}'{nearest(name, names)}; expected one of "
        f"{', '.join(names)}, or that of a plug-in: is it installed?"
    )


def open_data(
    source: Source,
    options: CommonOptions,
    *,
    spec: Spec | None = None,
    cache: Path,
    progress: "Progress | None" = None,
    rules: int = RULES,
) -> "Dataset":
    """Read data of whatever kind it is; see `Reader.open_data` of each kind.

    Args:
        source: a path, the name of a data set, or what a kind takes: an array, a frame, a list.
        options: its kind, if it is not to be recognised, and how it is read.
        spec: what an item must be, and thereby the kind; chosen from the data unless given.
        cache: a folder, for packs of data beyond memory and sets that are made.
        progress: called with what is being done, how many are done, of how many.
        rules: those that a run was made under, see `runs.folder`; the newest otherwise.
    """
    from sparring.data.sources import as_source  # loads torch, and not for `--help`
    from sparring.kinds.every import NAMED

    source = as_source(source)
    if spec is not None:
        kind = kind_of(spec)
    else:
        kind = recognised(source, options) if options.kind == "auto" else kind_named(options.kind)
    reported = {"progress": progress} if progress else {}
    return kind.reader.open_data(
        source, options, spec=spec, cache=cache, sets=NAMED, rules=rules, **reported
    )


def open_as_in_0_1(source: Source, options: CommonOptions, **how: Any) -> "Dataset":
    """Read data with items as version 0.1 gave them: those of tables encoded already."""
    data = open_data(source, options, **how)
    reader: Any = kind_of(data.spec).reader
    return cast("Dataset", reader.as_in_0_1(data)) if hasattr(reader, "as_in_0_1") else data


def open_together(
    named: Mapping[str, Source],
    options: CommonOptions,
    *,
    cache: Path,
    progress: "Progress | None" = None,
) -> "dict[str, Dataset]":
    """Read several sources as one kind of item, to be compared; nothing is held out.

    Args:
        named: the sources, by what each of them is; the first decides where a kind has no rule of
            its own, see `Kind.reads_together`.
        options: how they are read.
        cache, progress: as of `open_data`.

    Raises:
        SparringError: they are of different kinds, or one of them does not fit the others.
    """
    from sparring.data.sources import as_source
    from sparring.kinds.every import NAMED

    options = replace(options, held_out=0.0)
    sources = [as_source(source) for source in named.values()]
    kind = _common_kind(dict(zip(named, sources, strict=True)), options)
    told: Any = {"cache": cache, "sets": NAMED} | ({"progress": progress} if progress else {})
    if kind.together:
        return dict(zip(named, kind.together.open_together(sources, options, **told), strict=True))
    first = kind.reader.open_data(sources[0], options, **told)
    others = (
        kind.reader.open_data(other, options, spec=first.spec, **told) for other in sources[1:]
    )
    return dict(zip(named, (first, *others), strict=True))


def _common_kind(named: Mapping[str, Source], options: CommonOptions) -> Kind[Any]:
    """Return the kind of all sources; refuse different ones."""
    if options.kind != "auto":
        return kind_named(options.kind)
    kinds = {name: recognised(source, options) for name, source in named.items()}
    first = next(iter(kinds.values()))  # whose samples may be written in formats of other kinds
    for name, source in named.items():
        if isinstance(source, str | Path) and Path(source).suffix.lower() in first.formats:
            kinds[name] = first
    if len({kind.name for kind in kinds.values()}) > 1:
        for source in named.values():
            if isinstance(source, str | Path) and _is_missing(str(source)):
                raise SparringError(f"'{source}' cannot be read: No such file or directory")
        found = ", ".join(f"{name} holds {kind.plural}" for name, kind in kinds.items())
        raise SparringError(
            f"{found}; expected one kind of data (a column of texts is named: FILE.csv:column)"
        )
    return first


def _is_missing(source: str) -> bool:
    """Tell whether it names a file or folder, not a data set or part of a file, that is absent."""
    is_path = bool(Path(source).suffix) or "/" in source
    return is_path and ":" not in source and not Path(source).exists()


def keep(source: Source, options: CommonOptions, folder: Path) -> str:
    """Return where data of a decided kind is found again, whatever the working folder.

    What has no path is written into `folder`, in a form that gives back what came.
    """
    from sparring.data.sources import as_source

    return kind_named(options.kind).reader.keep(as_source(source), options, folder)


def recognised(source: Source, options: CommonOptions) -> Kind[Any]:
    """Return the first kind that recognises a source; those are asked first whose options say so.

    An array of two dimensions is points, but sounds where their rate is given.
    """
    from sparring.kinds.every import BUILT_IN, KINDS

    *before, last = KINDS
    told = [kind for kind in before if any(getattr(options, name, None) for name in kind.telling)]
    for kind in (*told, *before):
        later = KINDS[KINDS.index(kind) + 1 :]
        others = frozenset[str]().union(*(other.suffixes for other in later))
        ask = kind.reader.recognises if kind in BUILT_IN else partial(plugins.recognises, kind)
        if ask(source, others):
            return kind
    return last


def decided(options: CommonOptions, spec: Spec) -> CommonOptions:
    """Return how data was read with nothing left open; of other kinds nothing is asked."""
    from sparring.kinds.every import DataOptions

    kind = kind_of(spec)
    labels = options.labels
    if labels == "auto":
        labels = "yes" if spec.classes else "none"
    own = kind.reader.decided(options, spec)
    values = {name: getattr(own, name) for name in _defaults(kind.options)}
    return DataOptions(**values | {"kind": kind.name, "labels": labels})


def recorded_options(options: CommonOptions) -> dict[str, Any]:
    """Return how data is read as a run keeps it, by name.

    Without what only other kinds can be asked for, and were not; a run must not need a plug-in that
    it has nothing to do with. Until the kind is known, those are only the plug-ins.
    """
    from sparring.kinds.every import KINDS, PLUGGED_IN

    possible = PLUGGED_IN if options.kind == "auto" else KINDS
    others = [kind for kind in possible if kind.name != options.kind]
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
        elif _asks(value, _defaults(takers[0].requests)[name]):
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
    from sparring.kinds.every import KINDS

    if takers := [kind for kind in KINDS if name in _defaults(options(kind))]:
        return takers
    every = [field for kind in KINDS for field in _defaults(options(kind))]
    raise SparringError(
        f"'{name}' cannot be asked for{nearest(name, every)}; expected one of {', '.join(every)}"
    )


def _asks(value: Any, default: Any) -> bool:
    """Tell whether a request asks for anything; values may be of types that do not compare."""
    plain = isinstance(value, str | int | float | tuple | list | dict | None)
    return not plain or bool(value and value != default)


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
