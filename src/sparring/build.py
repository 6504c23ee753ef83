"""Recipe and spec to objects: the one place where a name becomes a network, loss or optimiser."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial

import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from sparring import objectives, penalties
from sparring.augment import (
    NUMBERS,
    SOUND_NUMBERS,
    Adaptive,
    Augmentation,
    ImageAugmentation,
    SoundAugmentation,
)
from sparring.data.dataset import Dataset
from sparring.data.kinds import view
from sparring.errors import SparringError
from sparring.networks.blocks import default_depth, glorot
from sparring.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from sparring.networks.excitation import ExcitationDiscriminator, ExcitationGenerator
from sparring.networks.frames import (
    FramesDiscriminator,
    FramesGenerator,
    InverseSTFTGenerator,
)
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.networks.recurrent import RecurrentGenerator
from sparring.networks.residual import ResidualDiscriminator, ResidualGenerator
from sparring.networks.sequence import SequenceDiscriminator, SequenceGenerator
from sparring.networks.tabular import TabularDiscriminator, TabularGenerator
from sparring.networks.wave import WaveDiscriminator, WaveGenerator
from sparring.notation import parse_horizon, parse_schedule
from sparring.objectives import Objective
from sparring.penalties import Penalty
from sparring.recipe import (
    FINITE_DIFFERENCES,
    ObjectiveName,
    OptimizerRecipe,
    PenaltyRecipe,
    Recipe,
    parse_augmentations,
    penalties_in_use,
)
from sparring.schedules import ramped
from sparring.spec import AudioSpec, Form, ImageSpec, Spec, TableSpec, TextSpec
from sparring.training.state import State, new_state
from sparring.training.step import Game

DEPTHS = {
    "mlp": 2,
    "tabular": 3,
    "frames": 2,
    "istft": 2,
    "wave": 5,
    "sequence": 4,
    "recurrent": 1,
}  # of networks whose depth is no matter of resolution


def with_depths(recipe: Recipe, spec: Spec) -> Recipe:
    """Return the recipe with both depths filled in for this resolution."""

    def depth(network: str, given: int) -> int:
        return given or DEPTHS.get(network) or default_depth(_image(spec))

    generator, discriminator = recipe.generator, recipe.discriminator
    return replace(
        recipe,
        generator=replace(generator, depth=depth(generator.network, generator.depth)),
        discriminator=replace(
            discriminator, depth=depth(discriminator.network, discriminator.depth)
        ),
    )


def build_state(recipe: Recipe, spec: Spec) -> State:
    """Return the state before the first step: a function of the recipe, its seed and the spec."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        networks = build_generator(recipe, spec), build_discriminator(recipe, spec)
        for network, init in zip(
            networks, (recipe.generator.init, recipe.discriminator.init), strict=True
        ):
            if init == "glorot":
                glorot(network)
    generator, discriminator = (place(network, recipe.device) for network in networks)
    if recipe.compile == "on":
        generator.compile()
        discriminator.compile()
    return new_state(
        generator,
        discriminator,
        build_optimizer(recipe.optimizer, generator),
        build_optimizer(recipe.optimizer, discriminator),
        recipe.seed,
    )


def place(network: nn.Module, device: str) -> nn.Module:
    """Move a network to a device, in the memory layout that convolutions are fastest in."""
    moved: nn.Module = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def build_generator(recipe: Recipe, spec: Spec) -> nn.Module:
    """Return a generator with fresh weights from torch's global random numbers."""
    r = recipe.generator
    match r.network:
        case "mlp":
            return MLPGenerator(spec, r.latent, r.width, r.depth, r.activation, r.norm)
        case "convolutional":
            return ConvolutionalGenerator(
                _image(spec), r.latent, r.width, r.depth, r.activation, r.norm, r.upsampling
            )
        case "residual":
            return ResidualGenerator(_image(spec), r.latent, r.width, r.depth)
        case "excitation":
            return ExcitationGenerator(_image(spec), r.latent, r.width, r.depth, r.norm)
        case "tabular":
            return TabularGenerator(_table(spec), r.latent, r.width, r.depth)
        case "frames":
            return FramesGenerator(_audio(spec), r.latent, r.width, r.depth)
        case "istft":
            return InverseSTFTGenerator(_audio(spec), r.latent, r.width, r.depth)
        case "wave":
            return WaveGenerator(_audio(spec), r.latent, r.width)
        case "sequence":
            return SequenceGenerator(_text(spec), r.latent, r.width, r.depth)
        case "recurrent":
            return RecurrentGenerator(_text(spec), r.latent, r.width)


def build_discriminator(recipe: Recipe, spec: Spec) -> nn.Module:
    """Return a discriminator with fresh weights from torch's global random numbers."""
    r = recipe.discriminator
    match r.network:
        case "mlp":
            return MLPDiscriminator(spec, r.width, r.depth, r.activation)
        case "convolutional":
            return ConvolutionalDiscriminator(_image(spec), r.width, r.depth, r.activation)
        case "residual":
            return ResidualDiscriminator(_image(spec), r.width, r.depth)
        case "excitation":
            return ExcitationDiscriminator(_image(spec), r.width, r.depth)
        case "tabular":
            return TabularDiscriminator(_table(spec), r.width, r.depth)
        case "frames":
            return FramesDiscriminator(_audio(spec), r.width, r.depth)
        case "wave":
            return WaveDiscriminator(_audio(spec), r.width)
        case "sequence":
            return SequenceDiscriminator(_text(spec), r.width, r.depth)
        case "istft" | "recurrent":
            raise SparringError(
                f"{r.network} is a generator; discriminators are frames for sounds and sequence "
                "for texts"
            )


def _image(spec: Spec) -> ImageSpec:
    if not isinstance(spec, ImageSpec):
        raise SparringError(
            "convolutional networks are for images; use --generator.network mlp and "
            "--discriminator.network mlp"
        )
    return spec


def _table(spec: Spec) -> TableSpec:
    if not isinstance(spec, TableSpec):
        raise SparringError("the network tabular is for tables; leave --generator.network out")
    return spec


def _audio(spec: Spec) -> AudioSpec:
    if not isinstance(spec, AudioSpec):
        raise SparringError(
            "the networks frames, istft and wave are for sounds; leave --generator.network out"
        )
    return spec


def _text(spec: Spec) -> TextSpec:
    if not isinstance(spec, TextSpec):
        raise SparringError(
            "the networks sequence and recurrent are for texts; leave --generator.network out"
        )
    return spec


def formed(data: Dataset, recipe: Recipe) -> Dataset:
    """Return data in the form that the recipe's networks make and see; see `AudioSpec`."""
    if not isinstance(data.spec, AudioSpec):
        return data
    match recipe.generator.network, recipe.discriminator.network:
        case "wave", "wave":
            form: Form = "wave"
        case "frames", "frames":
            form = "frames"
        case "istft" | "wave", "frames":
            form = "sound"
        case generator, discriminator:
            raise SparringError(
                f"the generator {generator} does not go with the discriminator {discriminator}; "
                "use frames with frames, istft with frames, wave with wave or frames"
            )
    return replace(data, spec=replace(data.spec, form=form))


def build_optimizer(recipe: OptimizerRecipe, network: nn.Module) -> Optimizer:
    """Return an optimiser of the network's parameters; the step follows its schedules."""
    match recipe.name:
        case "adam":
            betas = (recipe.beta1, parse_schedule(recipe.beta2)(0)(0))
            return Adam(network.parameters(), lr=0.0, betas=betas, fused=True)
        case "sgd":
            return SGD(network.parameters(), lr=0.0, momentum=recipe.momentum, fused=True)


def build_game(recipe: Recipe, spec: Spec) -> Game:
    """Return the game; its schedules span the recipe's budget in images.

    Raises:
        SparringError: augmentation is asked for that does not fit the spec.
    """
    rate = parse_schedule(recipe.optimizer.lr)(recipe.images)
    factor = recipe.optimizer.discriminator_lr_factor
    adam = recipe.optimizer.name == "adam"
    return Game(
        objective=build_objective(recipe),
        penalties=build_penalties(recipe),
        order=recipe.order,
        discriminator_moves=recipe.discriminator_moves,
        augment=build_augmentation(recipe, spec),
        view=partial(view, spec=spec),
        joint_scoring=recipe.discriminator.network in ("mlp", "tabular"),
        generator_lr=rate,
        discriminator_lr=lambda images: factor * rate(images),
        beta2=parse_schedule(recipe.optimizer.beta2)(recipe.images) if adam else None,
        autocast=autocast_type(recipe),
        ema_halflife=ramped(recipe.ema.halflife_images, recipe.ema.ramp),
    )


def autocast_type(recipe: Recipe) -> torch.dtype | None:
    """Return the type of the forward passes' arithmetic; None leaves it at the weights' own.

    A CPU without units for it computes several times slower in bfloat16, and the small sizes
    are as fast without it. Finite differences drown in its rounding.
    """
    match recipe.precision:
        case "auto":
            heavy = recipe.size in ("base", "large") and recipe.device.startswith("cuda")
            exact = not set(FINITE_DIFFERENCES) & set(penalties_in_use(recipe))
            return torch.bfloat16 if heavy and exact else None
        case "bfloat16":
            return torch.bfloat16
        case "float32":
            return None


def build_objective(recipe: Recipe) -> Objective:
    """Return the objective, with the real label smoothed if asked."""
    chosen = objective(recipe.objective)
    if recipe.label_smoothing:
        target = 1 - recipe.label_smoothing
        return replace(chosen, discriminator=objectives.cross_entropy(target), log_ratio=None)
    return chosen


def objective(name: ObjectiveName) -> Objective:
    """Return the objective of this name."""
    match name:
        case "minimax":
            return objectives.minimax
        case "non-saturating":
            return objectives.non_saturating
        case "mean-squared":
            return objectives.mean_squared
        case "least-squares":
            return objectives.least_squares
        case "hinge":
            return objectives.hinge
        case "wasserstein":
            return objectives.wasserstein
        case "relativistic":
            return objectives.relativistic
        case "total-variation":
            return objectives.total_variation
        case "kl":
            return objectives.kl
        case "reverse-kl":
            return objectives.reverse_kl
        case "pearson":
            return objectives.pearson
        case "neyman":
            return objectives.neyman
        case "squared-hellinger":
            return objectives.squared_hellinger
        case "jensen-shannon":
            return objectives.jensen_shannon
        case "gan":
            return objectives.gan


def build_penalties(recipe: Recipe) -> tuple[Penalty, ...]:
    """Return the penalties whose weight is not plainly zero."""
    functions = {
        "r1": penalties.r1,
        "r2": penalties.r2,
        "gradient": penalties.gradient_penalty,
        "finite_difference_r1": penalties.finite_difference_r1,
        "finite_difference_r2": penalties.finite_difference_r2,
    }
    in_use = penalties_in_use(recipe).items()
    return tuple(_penalty(functions[name], p, recipe.images) for name, p in in_use)


def build_augmentation(recipe: Recipe, spec: Spec) -> Augmentation | None:
    """Return the augmentation, None when no kind of change is named."""
    r = recipe.augment
    if not (kinds := parse_augmentations(r.kinds)):
        return None
    probability = (
        Adaptive(r.target, parse_horizon(r.horizon)(recipe.images))
        if r.probability == "adaptive"
        else parse_schedule(r.probability)(recipe.images)
    )
    match spec:
        case ImageSpec():
            _refuse_others(kinds, NUMBERS, "images")
            return ImageAugmentation(
                kinds=kinds, probability=probability, limit=r.limit, value_range=spec.value_range
            )
        case AudioSpec(form="frames" | "sound"):
            _refuse_others(kinds, SOUND_NUMBERS, "sounds")
            return SoundAugmentation(kinds=kinds, probability=probability, limit=r.limit, spec=spec)
    raise SparringError(
        f"augmentation '{r.kinds}' is for images and for spectra of sounds; use "
        "--augment.kinds '' for this data"
    )


def _refuse_others(kinds: tuple[str, ...], known: Collection[str], things: str) -> None:
    for kind in kinds:
        if kind not in known:
            raise SparringError(
                f"augmentation '{kind}' does not fit {things}; use some of {' '.join(known)}"
            )


def _penalty(fn: penalties.PenaltyFn, recipe: PenaltyRecipe, images: int) -> Penalty:
    return Penalty(fn, parse_schedule(recipe.weight)(images), recipe.every)
