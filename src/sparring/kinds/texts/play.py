"""What the game on texts is made of."""

from collections.abc import Callable

from torch import nn

from sparring.data.dataset import Dataset
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.networks.sequence import SequenceDiscriminator, SequenceGenerator
from sparring.kinds.texts.spec import TextSpec
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive

GENERATORS: dict[str, Callable[[GeneratorRecipe, TextSpec], nn.Module]] = {
    "sequence": lambda r, spec: SequenceGenerator(spec, r.latent, r.width, r.depth),
    "recurrent": lambda r, spec: RecurrentGenerator(spec, r.latent, r.width),
}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorRecipe, TextSpec], nn.Module]] = {
    "sequence": lambda r, spec: SequenceDiscriminator(spec, r.width, r.depth),
}


def with_representation(
    spec: TextSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> TextSpec:
    """Return the spec: networks make and see one-hot columns."""
    return spec


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: TextSpec
) -> None:
    """Return None: a changed text is another text."""


def condition_sampler(data: Dataset) -> None:
    """Return None: texts are asked for by their labels alone."""
