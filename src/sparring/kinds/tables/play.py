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

MANY_COLUMNS = 100  # beyond them softmaxes are narrower, as there are more
LEAST_SHARE = 4  # of a softmax's width, at least the fourth part is left


def _autoregressive(recipe: GeneratorRecipe, spec: TableSpec) -> AutoregressiveGenerator:
    return AutoregressiveGenerator(spec, _narrowed(recipe.width * 3 // 8, spec), recipe.depth)


def _ensemble(recipe: GeneratorRecipe, spec: TableSpec) -> AutoregressiveGenerator:
    """Return five small networks side by side, each with a fold of the rows that it never sees."""
    width = _narrowed(recipe.width // 8, spec)
    return AutoregressiveGenerator(
        spec, width, recipe.depth, members=5, laws=4, sums=2 * width, dropout=0.3
    )


def _narrowed(width: int, spec: TableSpec) -> int:
    """Return the width of each softmax: a part of the recipe's, for they are many."""
    share = max(len(spec.learned) / MANY_COLUMNS, 1.0)
    return max(round(width / min(share, LEAST_SHARE)), 1)


GENERATORS: dict[str, Callable[[GeneratorRecipe, TableSpec], nn.Module]] = {
    "tabular": lambda r, spec: TabularGenerator(spec, r.latent, r.width, r.depth),
    "autoregressive": _autoregressive,
    "ensemble": _ensemble,
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
