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
from typing import Annotated, Any, Literal, get_type_hints

import tomli_w
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from sparring.data.options import DataOptions
from sparring.errors import SparringError, nearest
from sparring.notation import LONGEST, parse_budget, parse_horizon, parse_schedule

ScheduleText = Annotated[str, BeforeValidator(str)]  # a bare number is a constant schedule
Options = Mapping[str, Any]  # nested: {"optimizer": {"lr": "1e-3"}}

Network = Literal[
    "mlp",
    "convolutional",
    "residual",
    "excitation",
    "tabular",
    "frames",
    "istft",
    "wave",
    "sequence",
    "recurrent",
]

FINITE_DIFFERENCES = ("finite_difference_r1", "finite_difference_r2")
SIZES = ("tiny", "small", "base", "large")
Size = Literal["tiny", "small", "base", "large"]
ObjectiveName = Literal[
    "minimax",
    "non-saturating",
    "mean-squared",
    "least-squares",
    "hinge",
    "wasserstein",
    "relativistic",
    "total-variation",
    "kl",
    "reverse-kl",
    "pearson",
    "neyman",
    "squared-hellinger",
    "jensen-shannon",
    "gan",
]


@dataclass(frozen=True)
class GeneratorRecipe:
    """The generator's architecture and size."""

    network: Annotated[Network, "architecture"] = "convolutional"
    latent: Annotated[int, Gt(0), Le(65536), "width of the latent"] = 100
    width: Annotated[int, Gt(0), Le(65536), "of a hidden layer, or channels at the top"] = 32
    depth: Annotated[int, Ge(0), Le(64), "hidden layers, or doublings (0: by resolution)"] = 0
    activation: Annotated[
        Literal["relu", "leaky_relu", "silu"], "of the hidden layers (mlp, convolutional)"
    ] = "relu"
    norm: Annotated[Literal["batch", "none"], "of the hidden layers (residual has none)"] = "batch"
    init: Annotated[Literal["own", "glorot"], "first weights: the architecture's, or Glorot's"] = (
        "own"
    )
    upsampling: Annotated[
        Literal["transposed", "nearest"], "how maps are doubled (convolutional)"
    ] = "transposed"
    warm_start: Annotated[int, Ge(0), "texts first learned by likelihood (recurrent)"] = 100_000


@dataclass(frozen=True)
class DiscriminatorRecipe:
    """The discriminator's architecture and size; it never uses batch statistics."""

    network: Annotated[Network, "architecture"] = "convolutional"
    width: Annotated[int, Gt(0), Le(65536), "of a hidden layer, or channels at the top"] = 16
    depth: Annotated[int, Ge(0), Le(64), "hidden layers, or halvings (0: by resolution)"] = 0
    activation: Annotated[
        Literal["relu", "leaky_relu", "silu"], "of the hidden layers (mlp, convolutional)"
    ] = "leaky_relu"
    init: Annotated[Literal["own", "glorot"], "first weights: the architecture's, or Glorot's"] = (
        "own"
    )


@dataclass(frozen=True)
class OptimizerRecipe:
    """How both players descend."""

    name: Annotated[Literal["adam", "sgd"], "optimiser of both players"] = "adam"
    lr: Annotated[ScheduleText, "learning rate, a schedule"] = "1e-3 to 0 linear 50%..100%"
    discriminator_lr_factor: Annotated[
        float, Gt(0), Lt(1e6), "its learning rate over the generator's"
    ] = 1.0
    beta1: Annotated[float, Ge(0), Lt(1), "Adam's first decay"] = 0.0
    beta2: Annotated[ScheduleText, "Adam's second decay, a schedule"] = "0.99"
    momentum: Annotated[float, Ge(0), Lt(1), "SGD's momentum"] = 0.0


@dataclass(frozen=True)
class PenaltyRecipe:
    """One penalty of the discriminator; weight 0 leaves it out."""

    weight: Annotated[ScheduleText, "gamma (or lambda), a schedule; 0 is off"] = "0"
    every: Annotated[int, Gt(0), "apply at each n-th update, scaled up to match"] = 1


@dataclass(frozen=True)
class PenaltiesRecipe:
    """All penalties of the discriminator."""

    r1: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    r2: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    gradient: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    finite_difference_r1: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    finite_difference_r2: PenaltyRecipe = field(default_factory=PenaltyRecipe)


AUGMENTATIONS = (
    *("flip", "rot90", "translate", "scale", "rotate", "colour", "cutout"),  # of images
    *("gain", "noise", "polarity", "shift", "speed", "pitch"),  # of sounds
)


@dataclass(frozen=True)
class AugmentRecipe:
    """Random changes of what the discriminator sees, of reals and fakes alike."""

    kinds: Annotated[str, f"any of {' '.join(AUGMENTATIONS)}; empty is off"] = ""
    probability: Annotated[ScheduleText, "of each change: adaptive, or a schedule"] = "adaptive"
    target: Annotated[
        float, Gt(-1), Lt(1), "mean sign of the reals' logits, which adaptive holds"
    ] = 0.6
    horizon: Annotated[
        str, "in which adaptive can go from 0 to 1: 500k images, or a share of the budget"
    ] = "25%"
    limit: Annotated[float, Gt(0), Lt(1), "of the probability; at 1 the changes leak"] = 0.8


@dataclass(frozen=True)
class EmaRecipe:
    """The average of the generator that samples are drawn from."""

    halflife_images: Annotated[float, Ge(0), "half-life in images; 0 is no average"] = 10_000.0
    ramp: Annotated[float, Gt(0), "half-life at most this share of the images seen"] = 0.1


@dataclass(frozen=True)
class CheckpointRecipe:
    """What is written while training, and how often."""

    ticks: Annotated[
        int, Ge(0), "looks at the metrics in the whole budget (0: 100, or each half minute)"
    ] = 0
    every_ticks: Annotated[int, Gt(0), "ticks between checkpoints"] = 10
    samples_every_ticks: Annotated[int, Gt(0), "ticks between sample grids"] = 10
    keep: Annotated[int, Gt(0), "checkpoints kept"] = 3


@dataclass(frozen=True)
class Recipe:
    """A whole run. `images` is the budget in images once the plan has been made."""

    preset: Annotated[str, "named recipe to start from"] = "default"
    size: Annotated[Size, "of the networks"] = "small"
    budget: Annotated[str, "90s, 10m, 2h, 20k-images or 5k-steps"] = "5m"
    images: Annotated[int, Ge(0), "the budget in images (0: from the budget)"] = 0
    seed: Annotated[int, Ge(0), Lt(2**63), "of all random numbers"] = 0
    batch: Annotated[int, Gt(0), Le(65536), "reals and fakes in one update"] = 32
    objective: Annotated[ObjectiveName, "what the players minimise"] = "non-saturating"
    order: Annotated[Literal["alternating", "simultaneous"], "order of play"] = "simultaneous"
    discriminator_moves: Annotated[int, Gt(0), Le(1000), "for each move of the generator"] = 1
    label_smoothing: Annotated[float, Ge(0), Lt(1), "one-sided, of the real label"] = 0.0
    threads: Annotated[int, Ge(0), Le(1024), "0: chosen by a probe"] = 0
    device: Annotated[str, "cpu, cuda, mps"] = "cpu"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        "of forward passes (auto: bfloat16 for base and large on cuda)",
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
    merged: dict[str, Any] = {}
    for layer in layers:
        _refuse_unknown_keys(layer, Recipe)
        merged = merge(merged, layer)
    try:
        recipe = TypeAdapter(Recipe).validate_python(merged)
    except ValidationError as error:
        raise SparringError(_first_fault(error)) from None
    _refuse_contradictions(recipe)
    return recipe


def merge(below: Options, above: Options) -> dict[str, Any]:
    """Return `below` with what `above` says laid over it, table by table."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both and old is not None else value
    return merged


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
    return tomli_w.dumps(dataclasses.asdict(recipe))


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
            known = ", ".join(AUGMENTATIONS)
            near = nearest(name, AUGMENTATIONS)
            raise SparringError(f"unknown '{name}' in augment.kinds; known: {known}{near}")
    return names


def _refuse_unknown_keys(options: Options, table: type, prefix: str = "") -> None:
    hints = get_type_hints(table)
    for key, value in options.items():
        if key not in hints:
            near = _nearest_key(prefix, key)
            raise SparringError(f"unknown option '{prefix}{key}'{near}")
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if not isinstance(value, Mapping):
                inner = next(iter(get_type_hints(hint)))
                raise SparringError(
                    f"'{prefix}{key}' is a table, not a value; write {prefix}{key}.{inner}=…"
                )
            _refuse_unknown_keys(value, hint, f"{prefix}{key}.")


def _nearest_key(prefix: str, key: str) -> str:
    leaves = [known for known in keys() if known.split(".")[-1] == key]
    return f"; did you mean '{leaves[0]}'?" if leaves else nearest(prefix + key, keys())


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    expected = fault["msg"][0].lower() + fault["msg"][1:]
    return f"option '{key}' is {fault['input']!r}: {expected}"


def _refuse_contradictions(recipe: Recipe) -> None:
    parse_budget(recipe.budget)
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
    """Return the penalties whose weight is not plainly zero, by name."""
    return {k: p for k, p in _penalties(recipe).items() if p.weight not in ("0", "0.0")}


def _refuse_decay_of_one(beta2: str) -> None:
    schedule = parse_schedule(beta2)(1)
    if max(schedule(0), schedule(int(LONGEST))) >= 1:
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
    if (most := max(schedule(0), schedule(int(LONGEST)))) > augment.limit:
        raise SparringError(
            f"augment.probability reaches {most:g}, beyond augment.limit {augment.limit:g}: "
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
