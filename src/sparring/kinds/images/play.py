"""What the game on images is made of."""

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


def with_representation(
    spec: ImageSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> ImageSpec:
    """Return the spec: every pair of networks makes and sees pixels."""
    return spec


def build_generator(recipe: GeneratorRecipe, spec: ImageSpec) -> nn.Module:
    """Return a generator of images with fresh weights."""
    r = recipe
    match r.network:
        case "convolutional":
            return ConvolutionalGenerator(
                spec, r.latent, r.width, r.depth, r.activation, r.norm, r.upsampling
            )
        case "residual":
            return ResidualGenerator(spec, r.latent, r.width, r.depth)
        case "excitation":
            return ExcitationGenerator(spec, r.latent, r.width, r.depth, r.norm)
    raise NotImplementedError(r.network)


def build_discriminator(recipe: DiscriminatorRecipe, spec: ImageSpec) -> nn.Module:
    """Return a discriminator of images with fresh weights."""
    match recipe.network:
        case "convolutional":
            return ConvolutionalDiscriminator(spec, recipe.width, recipe.depth, recipe.activation)
        case "residual":
            return ResidualDiscriminator(spec, recipe.width, recipe.depth)
        case "excitation":
            return ExcitationDiscriminator(spec, recipe.width, recipe.depth)
    raise NotImplementedError(recipe.network)


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: ImageSpec
) -> ImageAugmentation:
    """Return changes of images."""
    return ImageAugmentation(kinds, probability, limit, spec.value_range)


def condition_sampler(data: Dataset) -> None:
    """Return None: images are asked for by their labels alone."""
