"""What the game on texts is made of."""

from torch import nn

from sparring.data.dataset import Dataset
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.networks.sequence import SequenceDiscriminator, SequenceGenerator
from sparring.kinds.texts.spec import TextSpec
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive


def with_representation(
    spec: TextSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> TextSpec:
    """Return the spec: networks make and see one-hot columns."""
    return spec


def build_generator(recipe: GeneratorRecipe, spec: TextSpec) -> nn.Module:
    """Return a generator of texts with fresh weights."""
    match recipe.network:
        case "sequence":
            return SequenceGenerator(spec, recipe.latent, recipe.width, recipe.depth)
        case "recurrent":
            return RecurrentGenerator(spec, recipe.latent, recipe.width)
    raise NotImplementedError(recipe.network)


def build_discriminator(recipe: DiscriminatorRecipe, spec: TextSpec) -> nn.Module:
    """Return a discriminator of texts with fresh weights."""
    return SequenceDiscriminator(spec, recipe.width, recipe.depth)


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: TextSpec
) -> None:
    """Return None: a changed text is another text."""


def condition_sampler(data: Dataset) -> None:
    """Return None: texts are asked for by their labels alone."""
