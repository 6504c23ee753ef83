"""What the game on rows is made of."""

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from sparring.data.dataset import Dataset
from sparring.kinds.tables.autoregressive.network import AutoregressiveGenerator
from sparring.kinds.tables.condition_sampler import ConditionSampler
from sparring.kinds.tables.networks import TabularDiscriminator, TabularGenerator
from sparring.kinds.tables.spec import TableSpec
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive

MEMBERS, LAWS = 5, 4  # of an ensemble, each with a fold of its own; beside a number's softmax
DROPOUT = 0.3  # of these

GENERATORS: dict[str, Callable[[GeneratorRecipe, TableSpec], nn.Module]] = {
    "tabular": lambda r, spec: TabularGenerator(spec, r.latent, r.width, r.depth),
    "autoregressive": lambda r, spec: AutoregressiveGenerator(spec, r.width * 3 // 8, r.depth),
    "ensemble": lambda r, spec: AutoregressiveGenerator(
        spec, r.width // 8, r.depth, members=MEMBERS, laws=LAWS, dropout=DROPOUT
    ),
}
CELL_MAKERS = ("autoregressive", "ensemble")  # generators that make rows of cells themselves
DISCRIMINATORS: dict[str, Callable[[DiscriminatorRecipe, TableSpec], nn.Module]] = {
    "tabular": lambda r, spec: TabularDiscriminator(spec, r.width, r.depth),
}


def with_representation(
    spec: TableSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> TableSpec:
    """Return the spec, and whether its generator makes cells or encoded rows."""
    return replace(spec, makes="cells" if generator.network in CELL_MAKERS else "encoded")


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
