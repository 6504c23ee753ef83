"""What the game on series is made of."""

from collections.abc import Callable

from torch import nn

from sparring.data.dataset import Dataset
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive
from sparring_series.augmentation import SeriesAugmentation
from sparring_series.networks import TemporalDiscriminator, TemporalGenerator
from sparring_series.spec import SeriesSpec

GENERATORS: dict[str, Callable[[GeneratorRecipe, SeriesSpec], nn.Module]] = {
    "temporal": lambda r, spec: TemporalGenerator(spec, r.latent, r.width, r.depth),
}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorRecipe, SeriesSpec], nn.Module]] = {
    "temporal": lambda r, spec: TemporalDiscriminator(spec, r.width, r.depth),
}


def with_representation(
    spec: SeriesSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> SeriesSpec:
    """Return the spec: all networks make and see standardised channels."""
    return spec


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: SeriesSpec
) -> SeriesAugmentation:
    """Return random changes of windows."""
    return SeriesAugmentation(kinds=kinds, probability=probability, limit=limit)


def condition_sampler(data: Dataset) -> None:
    """Return None: windows are asked for by nothing."""
