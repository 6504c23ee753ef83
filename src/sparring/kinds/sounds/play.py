"""What the game on sounds is made of."""

from collections.abc import Callable
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

GENERATORS: dict[str, Callable[[GeneratorRecipe, AudioSpec], nn.Module]] = {
    "frames": lambda r, spec: FramesGenerator(spec, r.latent, r.width, r.depth),
    "istft": lambda r, spec: InverseSTFTGenerator(spec, r.latent, r.width, r.depth),
    "wave": lambda r, spec: WaveGenerator(spec, r.latent, r.width),
}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorRecipe, AudioSpec], nn.Module]] = {
    "frames": lambda r, spec: FramesDiscriminator(spec, r.width, r.depth),
    "wave": lambda r, spec: WaveDiscriminator(spec, r.width),
}


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
        case _:
            raise SparringError(
                f"the generator {generator.network} does not go with the discriminator "
                f"{discriminator.network}; "
                "use frames with frames, istft with frames, wave with wave or frames"
            )
    return replace(spec, form=form)


def build_augmentation(
    kinds: tuple[str, ...], probability: Schedule | Adaptive, limit: float, spec: AudioSpec
) -> SoundAugmentation | None:
    """Return changes of spectra; None where the discriminator sees waves."""
    if spec.form == "wave":
        return None
    return SoundAugmentation(kinds=kinds, probability=probability, limit=limit, spec=spec)


def condition_sampler(data: Dataset) -> None:
    """Return None: sounds are asked for by their labels alone."""
