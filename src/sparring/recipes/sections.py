"""The sections of a recipe, as far as they do not depend on the kind of data; plain values.

Names of networks and of changes are those of `Kind.architectures` and `Kind.augmentations`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt


class NumberAsText:
    """Has pydantic take a number for its text; loads it then, which `--help` need not wait for."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core.core_schema import no_info_before_validator_function

        return no_info_before_validator_function(str, handler(source))


ScheduleText = Annotated[str, NumberAsText()]  # a bare number is a constant schedule
Options = Mapping[str, Any]  # nested: {"optimizer": {"lr": "1e-3"}}

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

    network: Annotated[str, "architecture"] = "convolutional"
    latent: Annotated[int, Gt(0), Le(65536), "width of the latent"] = 100
    width: Annotated[int, Gt(0), Le(65536), "width of a hidden layer, or channels at the top"] = 32
    depth: Annotated[int, Ge(0), Le(64), "hidden layers, or doublings (0: by the kind of data)"] = 0
    activation: Annotated[
        Literal["relu", "leaky_relu", "silu"], "activation of the hidden layers"
    ] = "relu"
    norm: Annotated[Literal["batch", "none"], "normalisation of the hidden layers"] = "batch"
    init: Annotated[Literal["own", "glorot"], "first weights: the architecture's, or Glorot's"] = (
        "own"
    )
    upsampling: Annotated[
        Literal["transposed", "nearest"], "how maps are doubled, where they are"
    ] = "transposed"
    warm_start: Annotated[
        int, Ge(0), "samples of the phase before the game, where there is one"
    ] = 100_000


@dataclass(frozen=True)
class DiscriminatorRecipe:
    """The discriminator's architecture and size; it never uses batch statistics."""

    network: Annotated[str, "architecture"] = "convolutional"
    width: Annotated[int, Gt(0), Le(65536), "width of a hidden layer, or channels at the top"] = 16
    depth: Annotated[int, Ge(0), Le(64), "hidden layers, or halvings (0: by the kind of data)"] = 0
    activation: Annotated[
        Literal["relu", "leaky_relu", "silu"], "activation of the hidden layers"
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
        float, Gt(0), Lt(1e6), "discriminator's learning rate over the generator's"
    ] = 1.0
    beta1: Annotated[float, Ge(0), Lt(1), "Adam's first decay"] = 0.0
    beta2: Annotated[ScheduleText, "Adam's second decay, a schedule"] = "0.99"
    momentum: Annotated[float, Ge(0), Lt(1), "SGD's momentum"] = 0.0


@dataclass(frozen=True)
class PenaltyRecipe:
    """One penalty of the discriminator; weight 0 leaves it out."""

    weight: Annotated[ScheduleText, "weight, gamma or lambda, a schedule; 0: off"] = "0"
    every: Annotated[int, Gt(0), "apply at each n-th update, scaled up to match"] = 1


@dataclass(frozen=True)
class PenaltiesRecipe:
    """All penalties of the discriminator."""

    r1: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    r2: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    gradient: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    finite_difference_r1: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    finite_difference_r2: PenaltyRecipe = field(default_factory=PenaltyRecipe)


@dataclass(frozen=True)
class AugmentRecipe:
    """Random changes of what the discriminator sees, of reals and fakes alike."""

    kinds: Annotated[str, "random changes by name; empty: none"] = ""
    probability: Annotated[ScheduleText, "probability of each change: adaptive, or a schedule"] = (
        "adaptive"
    )
    target: Annotated[
        float, Gt(-1), Lt(1), "mean sign of the reals' logits, which adaptive holds"
    ] = 0.6
    horizon: Annotated[
        str, "samples in which adaptive can go from 0 to 1: 500k, or a share of the budget"
    ] = "25%"
    limit: Annotated[float, Gt(0), Lt(1), "limit of the probability; at 1 the changes leak"] = 0.8


@dataclass(frozen=True)
class EmaRecipe:
    """The average of the generator that samples are drawn from."""

    halflife_images: Annotated[float, Ge(0), "half-life in samples; 0: no average"] = 10_000.0
    ramp: Annotated[float, Gt(0), "half-life at most this share of the samples seen"] = 0.1


@dataclass(frozen=True)
class CheckpointRecipe:
    """What is written while training, and how often."""

    ticks: Annotated[
        int, Ge(0), "evaluations in the whole budget (0: 100, or one each half minute)"
    ] = 0
    every_ticks: Annotated[int, Gt(0), "ticks between checkpoints"] = 10
    samples_every_ticks: Annotated[int, Gt(0), "ticks between sample grids"] = 10
    keep: Annotated[int, Gt(0), "checkpoints kept"] = 3


def merge(below: Options, above: Options) -> dict[str, Any]:
    """Return `below` with what `above` says laid over it, table by table."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both and old is not None else value
    return merged
