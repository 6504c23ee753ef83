"""What the game on points is made of: the fully connected pair."""

from collections.abc import Callable

from torch import nn

from sparring.data.dataset import Dataset
from sparring.kinds.points.spec import VectorSpec
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive

GENERATORS: dict[str, Callable[[GeneratorRecipe, VectorSpec], nn.Module]] = {}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorRecipe, VectorSpec], nn.Module]] = {}


def with_representation(
    spec: VectorSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> VectorSpec:
    """Return the spec: networks make and see coordinates."""
    return spec


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: VectorSpec
) -> None:
    """Return None: nothing that is known of points leaves their density as it is."""


def condition_sampler(data: Dataset) -> None:
    """Return None: points are asked for by nothing."""
