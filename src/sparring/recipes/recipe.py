"""Recipes: everything that decides a run, as frozen dataclasses, TOML files and dotted options.

A recipe is resolved in layers: the preset of the kind and size (`presets`), a recipe file, the
options given. All three use the same keys; an unknown key is an error that names the nearest.
Inside: the dataclasses, the layering, what contradicts itself. Not inside: the small languages of
budgets and schedules (`notation`), or any object with state (`build` makes those).
"""

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import tomli_w
from annotated_types import Ge, Gt, Le, Lt

from sparring.errors import SparringError, nearest
from sparring.kinds import LISTED, DataOptions, kind_named, recorded_options
from sparring.recipes.notation import MAX_BUDGET, parse_budgets, parse_horizon, parse_schedule
from sparring.recipes.sections import (
    FINITE_DIFFERENCES,
    AugmentRecipe,
    CheckpointRecipe,
    DiscriminatorRecipe,
    EmaRecipe,
    GeneratorRecipe,
    ObjectiveName,
    OptimizerRecipe,
    Options,
    PenaltiesRecipe,
    PenaltyRecipe,
    Size,
    merge,
)

if TYPE_CHECKING:
    from pydantic import ValidationError

AUGMENTATIONS = tuple(dict.fromkeys(name for kind in LISTED for name in kind.augmentations))
NETWORKS = tuple(dict.fromkeys(a.name for kind in LISTED for a in kind.architectures))
# What some options may be, as far as the kinds decide it: one of these, or several.
ONE_OF = {"generator.network": NETWORKS, "discriminator.network": NETWORKS}
ANY_OF = {"augment.kinds": AUGMENTATIONS}


@dataclass(frozen=True)
class Recipe:
    """A whole run. `images` is the budget in samples, of any kind, once the plan has been made."""

    preset: Annotated[str, "named recipe to start from"] = "default"
    size: Annotated[Size, "size of the networks"] = "small"
    budget: Annotated[str, "length of training: 90s, 10m, 2h, 20k-samples or 5k-steps"] = "5m"
    images: Annotated[int, Ge(0), "the budget in samples (0: from the budget)"] = 0
    seed: Annotated[int, Ge(0), Lt(2**63), "random seed"] = 0
    batch: Annotated[int, Gt(0), Le(65536), "reals and fakes in one update"] = 32
    objective: Annotated[ObjectiveName, "what the players minimise"] = "non-saturating"
    order: Annotated[Literal["alternating", "simultaneous"], "order of play"] = "simultaneous"
    discriminator_moves: Annotated[
        int, Gt(0), Le(1000), "moves of the discriminator for each of the generator"
    ] = 1
    label_smoothing: Annotated[float, Ge(0), Lt(1), "one-sided smoothing of the real label"] = 0.0
    threads: Annotated[int, Ge(0), Le(1024), "threads of the CPU (0: chosen by a probe)"] = 0
    device: Annotated[str, "device: cpu, cuda, mps (auto: cuda, else mps, else cpu)"] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        "precision of the forward passes (auto: bfloat16 for base and large on cuda)",
    ] = "auto"
    compile: Annotated[
        Literal["off", "on"], "compile the networks; without penalties that differentiate twice"
    ] = "off"
    data: DataOptions = field(default_factory=DataOptions)
    generator: GeneratorRecipe = field(default_factory=GeneratorRecipe)
    discriminator: DiscriminatorRecipe = field(default_factory=DiscriminatorRecipe)
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    penalties: PenaltiesRecipe = field(default_factory=PenaltiesRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    ema: EmaRecipe = field(default_factory=EmaRecipe)
    checkpoint: CheckpointRecipe = field(default_factory=CheckpointRecipe)


def resolve(*layers: Options) -> Recipe:
    """Return the recipe that the layers give, later ones first; each is a nested mapping.

    Raises:
        SparringError: an unknown key (the nearest valid one is named) or a value out of range.
    """
    from pydantic import TypeAdapter, ValidationError  # slow to load, and not for `--help`

    merged: dict[str, Any] = {}
    for layer in layers:
        _refuse_unknown_kind(layer)
        _refuse_unknown_keys(layer, Recipe)
        merged = merge(merged, layer)
    try:
        recipe = TypeAdapter(Recipe).validate_python(merged)
    except ValidationError as error:
        raise SparringError(_first_fault(error)) from None
    _refuse_unknown_networks(recipe)
    _refuse_contradictions(recipe)
    return recipe


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into tables: {"optimizer.lr": 1} becomes {"optimizer": {"lr": 1}}."""
    tree: dict[str, Any] = {}
    for dotted, value in options.items():
        *tables, key = dotted.split(".")
        entry: Any = value
        for name in reversed([*tables, key]):
            entry = {name: entry}
        tree = merge(tree, entry)
    return tree


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML recipe file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SparringError(f"recipe '{path}' does not exist") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SparringError(f"recipe '{path}' is not TOML: {error}") from None


def to_toml(recipe: Recipe) -> str:
    """Write a recipe as TOML; `read_recipe` and `resolve` give the same recipe back."""
    tables = dataclasses.asdict(recipe)
    return tomli_w.dumps(tables | {"data": recorded_options(recipe.data)})


def keys(table: type = Recipe) -> Iterator[str]:
    """Yield every dotted key of a recipe."""
    for name, hint in get_type_hints(table).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from (f"{name}.{key}" for key in keys(hint))
        else:
            yield name


def parse_augmentations(text: str) -> tuple[str, ...]:
    """Read names of `AUGMENTATIONS` with spaces or commas between them.

    Raises:
        SparringError: one of them is unknown; the nearest is named.
    """
    names = tuple(text.replace(",", " ").split())
    for name in names:
        if name not in AUGMENTATIONS:
            raise SparringError(
                f"unknown '{name}' in augment.kinds; known: {', '.join(AUGMENTATIONS)}"
                f"{nearest(name, AUGMENTATIONS)}"
            )
    return names


def _refuse_unknown_kind(options: Options) -> None:
    """Refuse a kind of data that nobody brings, before its options, which are unknown too."""
    data = options.get("data")
    kind = data.get("kind", "auto") if isinstance(data, Mapping) else "auto"
    if isinstance(kind, str) and kind != "auto":
        kind_named(kind)


def _refuse_unknown_keys(options: Options, table: type, prefix: str = "") -> None:
    hints = get_type_hints(table)
    for key, value in options.items():
        if key not in hints:
            near = _nearest_key(prefix, key, value)
            raise SparringError(f"unknown option '{prefix}{key}'{near}")
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if not isinstance(value, Mapping):
                inner = next(iter(get_type_hints(hint)))
                raise SparringError(
                    f"'{prefix}{key}' is a table, not a value; write {prefix}{key}.{inner}=…"
                )
            _refuse_unknown_keys(value, hint, f"{prefix}{key}.")


def _nearest_key(prefix: str, key: str, value: Any) -> str:
    """Say which key was perhaps meant; of a table, the one most like the first key in it."""
    same_leaf = [dotted for dotted in keys() if dotted.split(".")[-1] == key]
    if same_leaf:
        return f"; did you mean '{same_leaf[0]}'?"
    inner = f".{next(iter(value))}" if isinstance(value, Mapping) and value else ""
    return nearest(f"{prefix}{key}{inner}", keys())


def _refuse_unknown_networks(recipe: Recipe) -> None:
    for player in ("generator", "discriminator"):
        if (name := getattr(recipe, player).network) not in NETWORKS:
            raise SparringError(
                f"option '{player}.network' is '{name}'{nearest(name, NETWORKS)}; expected one of "
                f"{', '.join(NETWORKS)}"
            )


def _first_fault(error: "ValidationError") -> str:
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    expected = fault["msg"][0].lower() + fault["msg"][1:]
    return f"option '{key}' is {fault['input']!r}: {expected}"


def _refuse_contradictions(recipe: Recipe) -> None:
    parse_budgets(recipe.budget)
    for text in (recipe.optimizer.lr, *(p.weight for p in _penalties(recipe).values())):
        parse_schedule(text)
    _refuse_decay_of_one(recipe.optimizer.beta2)
    _refuse_to_compile_second_derivatives(recipe)
    _refuse_to_round_finite_differences(recipe)
    _refuse_leaks(recipe.augment)
    if recipe.order == "simultaneous" and recipe.discriminator_moves > 1:
        raise SparringError(
            "order 'simultaneous' allows one discriminator move for each generator move; "
            "use --order alternating, or --discriminator-moves 1"
        )
    if recipe.batch == 1 and recipe.generator.norm == "batch":
        raise SparringError(
            "batch 1 has no batch statistics; use a larger --batch, or --generator.norm none"
        )
    if recipe.label_smoothing and recipe.objective not in (
        "minimax",
        "non-saturating",
        "mean-squared",
    ):
        raise SparringError(
            f"label smoothing is for the cross-entropy discriminator, not '{recipe.objective}'; "
            "use --objective non-saturating, or --label-smoothing 0"
        )


def penalties_in_use(recipe: Recipe) -> dict[str, PenaltyRecipe]:
    """Return the penalties whose weight is not zero from beginning to end, by name."""
    return {name: p for name, p in _penalties(recipe).items() if not _is_zero(p.weight)}


def _is_zero(weight: str) -> bool:
    schedule = parse_schedule(weight)(1)
    return schedule(0) == schedule(int(MAX_BUDGET)) == 0


def _refuse_decay_of_one(beta2: str) -> None:
    schedule = parse_schedule(beta2)(1)
    if max(schedule(0), schedule(int(MAX_BUDGET))) >= 1:
        raise SparringError(
            f"optimizer.beta2 '{beta2}' reaches 1, where nothing is ever forgotten; "
            "use values below 1, such as 0.99"
        )


def _refuse_to_compile_second_derivatives(recipe: Recipe) -> None:
    twice = [name for name in penalties_in_use(recipe) if name not in FINITE_DIFFERENCES]
    if recipe.compile == "on" and twice:
        raise SparringError(
            f"a compiled discriminator cannot be differentiated twice, as penalties.{twice[0]} "
            f"asks; use --compile off, or --penalties.{twice[0]}.weight 0 and finite differences"
        )


def _refuse_leaks(augment: AugmentRecipe) -> None:
    parse_augmentations(augment.kinds)
    parse_horizon(augment.horizon)
    if augment.probability == "adaptive":
        return
    schedule = parse_schedule(augment.probability)(1)
    if (highest := max(schedule(0), schedule(int(MAX_BUDGET)))) > augment.limit:
        raise SparringError(
            f"augment.probability reaches {highest:g}, beyond augment.limit {augment.limit:g}: "
            "close to 1 the generator would learn the changes; use a smaller one"
        )


def _refuse_to_round_finite_differences(recipe: Recipe) -> None:
    finite = [name for name in penalties_in_use(recipe) if name in FINITE_DIFFERENCES]
    if recipe.precision == "bfloat16" and finite:
        raise SparringError(
            f"bfloat16 rounds away the small differences of penalties.{finite[0]}; "
            "use --precision float32, or --penalties.r1.weight and r2"
        )


def _penalties(recipe: Recipe) -> dict[str, PenaltyRecipe]:
    return {f.name: getattr(recipe.penalties, f.name) for f in dataclasses.fields(PenaltiesRecipe)}
