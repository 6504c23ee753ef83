"""What the game on images is made of."""

from collections.abc import Callable

from torch import nn

from sparring.data.dataset import Dataset
from sparring.kinds.images.augmentation import ImageAugmentation
from sparring.kinds.images.networks.convolutional import (
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
)
from sparring.kinds.images.networks.excitation import ExcitationDiscriminator, ExcitationGenerator
from sparring.kinds.images.networks.residual import ResidualDiscriminator, ResidualGenerator
from sparring.kinds.images.spec import ImageSpec
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive

GENERATORS: dict[str, Callable[[GeneratorRecipe, ImageSpec], nn.Module]] = {
    "convolutional": lambda r, spec: ConvolutionalGenerator(
        spec, r.latent, r.width, r.depth, r.activation, r.norm, r.upsampling
    ),
    "residual": lambda r, spec: ResidualGenerator(spec, r.latent, r.width, r.depth),
    "excitation": lambda r, spec: ExcitationGenerator(spec, r.latent, r.width, r.depth, r.norm),
}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorRecipe, ImageSpec], nn.Module]] = {
    "convolutional": lambda r, spec: ConvolutionalDiscriminator(
        spec, r.width, r.depth, r.activation
    ),
    "residual": lambda r, spec: ResidualDiscriminator(spec, r.width, r.depth),
    "excitation": lambda r, spec: ExcitationDiscriminator(spec, r.width, r.depth),
}


def with_representation(
    spec: ImageSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> ImageSpec:
    """Return the spec: every pair of networks makes and sees pixels."""
    return spec


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: ImageSpec
) -> ImageAugmentation:
    """Return changes of images."""
    return ImageAugmentation(kinds, probability, limit, spec.value_range)


def condition_sampler(data: Dataset) -> None:
    """Return None: images are asked for by their labels alone."""
