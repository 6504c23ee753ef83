"""What the game on sounds is made of."""

from dataclasses import replace

from torch import nn

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds.sounds.augmentation import SoundAugmentation
from sparring.kinds.sounds.networks.frames import (
    FramesDiscriminator,
    FramesGenerator,
    InverseSTFTGenerator,
)
from sparring.kinds.sounds.networks.wave import WaveDiscriminator, WaveGenerator
from sparring.kinds.sounds.spec import AudioSpec, Form
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe
from sparring.schedules import Schedule
from sparring.training.augmentation import Adaptive


def with_representation(
    spec: AudioSpec, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
) -> AudioSpec:
    """Return the spec in the form that the two networks make and see; see `AudioSpec`."""
    match generator.network, discriminator.network:
        case "wave", "wave":
            form: Form = "wave"
        case "frames", "frames":
            form = "frames"
        case "istft" | "wave", "frames":
            form = "sound"
        case maker, judge:
            raise SparringError(
                f"the generator {maker} does not go with the discriminator {judge}; "
                "use frames with frames, istft with frames, wave with wave or frames"
            )
    return replace(spec, form=form)


def build_generator(recipe: GeneratorRecipe, spec: AudioSpec) -> nn.Module:
    """Return a generator of sounds with fresh weights."""
    match recipe.network:
        case "frames":
            return FramesGenerator(spec, recipe.latent, recipe.width, recipe.depth)
        case "istft":
            return InverseSTFTGenerator(spec, recipe.latent, recipe.width, recipe.depth)
        case "wave":
            return WaveGenerator(spec, recipe.latent, recipe.width)
    raise NotImplementedError(recipe.network)


def build_discriminator(recipe: DiscriminatorRecipe, spec: AudioSpec) -> nn.Module:
    """Return a discriminator of sounds with fresh weights."""
    match recipe.network:
        case "frames":
            return FramesDiscriminator(spec, recipe.width, recipe.depth)
        case "wave":
            return WaveDiscriminator(spec, recipe.width)
    raise NotImplementedError(recipe.network)


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: AudioSpec
) -> SoundAugmentation | None:
    """Return changes of spectra; None where the discriminator sees waves."""
    if spec.form == "wave":
        return None
    return SoundAugmentation(kinds=kinds, probability=probability, limit=limit, spec=spec)


def condition_sampler(data: Dataset) -> None:
    """Return None: sounds are asked for by their labels alone."""
