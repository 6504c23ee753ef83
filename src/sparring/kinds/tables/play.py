"""What the game on rows is made of."""

from collections.abc import Callable

from torch import nn

from sparring.data.dataset import Dataset
from sparring.kinds.tables.condition_sampler import ConditionSampler
from sparring.kinds.tables.networks import TabularDiscriminator, TabularGenerator
from sparring.kinds.tables.spec import TableSpec
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive

GENERATORS: dict[str, Callable[[GeneratorRecipe, TableSpec], nn.Module]] = {
    "tabular": lambda r, spec: TabularGenerator(spec, r.latent, r.width, r.depth),
}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorRecipe, TableSpec], nn.Module]] = {
    "tabular": lambda r, spec: TabularDiscriminator(spec, r.width, r.depth),
}


def with_representation(
    spec: TableSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> TableSpec:
    """Return the spec: networks make and see encoded rows."""
    return spec


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: TableSpec
) -> None:
    """Return None: a changed row is another row."""


def condition_sampler(data: Dataset) -> ConditionSampler | None:
    """Return what the game reveals of rows, so that conditions are learned.

    A generator of cells has learned them before the game.
    """
    assert isinstance(data.spec, TableSpec)
    return ConditionSampler(data) if data.spec.makes == "encoded" else None
