"""Options: those that several commands share, and those formed from the recipe and the kinds.

Every field of a formed option may be left out (None), so that only what was given is handed on.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import MISSING, Field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

from cyclopts import Group, Parameter, Token

from sparring.data.options import Short
from sparring.kinds import LISTED
from sparring.kinds import DataOptions as AllDataOptions
from sparring.recipes.recipe import ANY_OF, ONE_OF, Recipe


def whole_number(hint: Any, tokens: Sequence[Token]) -> int:
    """Read an integer as it stands; cyclopts would round 1.5."""
    return int(tokens[0].value)


def examples(*commands: str) -> str:
    """Return the examples below a command's help."""
    return "\n\n".join(["Examples:", *(f"  {command}" for command in commands)])


def examples_of(command: str, *commands: str) -> str:
    """Return the examples of a command, those of each kind of data after the general ones."""
    every = (example for kind in LISTED for example in kind.examples)
    return examples(*commands, *(e for e in every if e.startswith(f"sparring {command} ")))


AsJson = Annotated[bool, Parameter(name="--json", help="print everything as JSON")]
Checkpoint = Annotated[str, Parameter(help="checkpoint: best, latest, or samples seen")]
Extractor = Annotated[
    str, Parameter(help="feature extractor: auto, a name, or an .onnx or .safetensors file")
]
Number = Annotated[
    int, Parameter(name=["-n", "--number"], help="samples to draw", converter=whole_number)
]
SampleNumber = Annotated[
    int | None,
    Parameter(
        name=["-n", "--number"], help="samples to draw; 64 unless given", converter=whole_number
    ),
]
RunName = Annotated[str, Parameter(help="a run's folder, number, name, or latest")]
RunsFolder = Annotated[Path, Parameter(name="--runs", help="folder of runs")]


def explicit_values(options: Any) -> dict[str, Any]:
    """Return the values that were given of formed options, nested."""
    chosen = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            value = explicit_values(value)
        if value is not None and value != {}:
            chosen[field.name] = value
    return chosen


OptionalField = tuple[str, Any, Any]  # as of make_dataclass: name, type, default


def _formed(name: str, fields: Sequence[OptionalField]) -> Any:
    return dataclasses.make_dataclass(
        name,
        fields,
        frozen=True,
        kw_only=True,
        namespace={"__module__": __name__},  # or cyclopts takes it for a class of Python's own
    )


def _of_recipe(table: type, prefix: str = "") -> Any:
    """Return a dataclass like a recipe, or a table of it."""
    hints = get_type_hints(table, include_extras=True)
    fields = [_recipe_field(f.name, hints[f.name], prefix) for f in dataclasses.fields(table)]
    return _formed(f"Optional{table.__name__}", fields)


def _recipe_field(field: str, hint: Any, prefix: str) -> OptionalField:
    """Return a field in the group of its table; inner tables are groups of their own."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        inner = _of_recipe(hint, f"{prefix}{field}.")
        return field, inner, dataclasses.field(default_factory=inner)
    base, *extras = get_args(hint)
    key = f"{prefix}{field}"
    if key in ONE_OF:
        base = Literal[ONE_OF[key]]
    names = [f"--{name}".replace("_", "-") for name in (key, *[field] * (Short in extras))]
    words = _words(extras) + (f" [any of: {' '.join(ANY_OF[key])}]" if key in ANY_OF else "")
    group = _group(prefix.split(".")[0])
    return field, _optional(base, name=names, help=words, group=group, show_default=False), None


def _group(table: str) -> Group:
    tables = ["", *(field.name for field in dataclasses.fields(Recipe))]
    return Group(f"{table} options".strip().capitalize(), sort_key=tables.index(table))


def _of_kinds(name: str, *tables: type) -> Any:
    """Return a dataclass of the fields of all these tables; a default is shown, not filled in."""
    fields: dict[str, OptionalField] = {}
    for table in tables:
        hints = get_type_hints(table, include_extras=True)
        fields |= {f.name: _kind_field(f, hints[f.name]) for f in dataclasses.fields(table)}
    return _formed(name, list(fields.values()))


def _kind_field(field: "Field[Any]", hint: Any) -> OptionalField:
    base, *extras = get_args(hint)
    name = f"--{field.name}".replace("_", "-")
    default = "" if field.default in (MISSING, ()) else str(field.default) or '""'
    parameter = _optional(
        base,
        name=name,
        help=_words(extras),
        negative=name.replace("--", "--no-", 1) if field.default is True else (),
        show_default=default or False,
    )
    return field.name, parameter, None


def _optional(base: Any, **parameter: Any) -> Any:
    converter = whole_number if base is int else None
    return Annotated[base | None, Parameter(converter=converter, **parameter)]


def _words(extras: Sequence[Any]) -> str:
    return next(extra for extra in reversed(extras) if isinstance(extra, str))


if TYPE_CHECKING:
    RecipeOptions = Recipe
    DataOptions = AllDataOptions

    @dataclasses.dataclass(frozen=True)
    class Requests:
        """What kinds let people ask of samples."""

    @dataclasses.dataclass(frozen=True)
    class Judging:
        """What kinds let people ask of an evaluation."""
else:
    RecipeOptions = _of_recipe(Recipe)
    DataOptions = get_type_hints(RecipeOptions)["data"]
    Requests = _of_kinds("Requests", *(kind.requests for kind in LISTED))
    Judging = _of_kinds("Judging", *(kind.judging for kind in LISTED))
