"""Recipe and spec to objects: the one place where a name becomes a network, loss or optimiser."""

from dataclasses import replace
from functools import partial

import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from sparring import objectives, penalties
from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import KINDS, kind_of, view
from sparring.kinds.kind import MLP, Architecture, Player
from sparring.networks.blocks import glorot
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.objectives import Objective
from sparring.penalties import Penalty
from sparring.recipes.notation import parse_horizon, parse_schedule
from sparring.recipes.recipe import Recipe, parse_augmentations, penalties_in_use
from sparring.recipes.sections import (
    FINITE_DIFFERENCES,
    ObjectiveName,
    OptimizerRecipe,
    PenaltyRecipe,
)
from sparring.schedules import ramped
from sparring.spec import Spec
from sparring.training.augmentation import Adaptive, Augmentation
from sparring.training.phase import Phase
from sparring.training.state import State, new_state
from sparring.training.step import Game


def with_depths(recipe: Recipe, spec: Spec) -> Recipe:
    """Return the recipe with both depths filled in for this spec."""
    generator = architecture(recipe.generator.network, "generator", spec)
    discriminator = architecture(recipe.discriminator.network, "discriminator", spec)
    return replace(
        recipe,
        generator=replace(
            recipe.generator, depth=recipe.generator.depth or _depth(generator, spec)
        ),
        discriminator=replace(
            recipe.discriminator, depth=recipe.discriminator.depth or _depth(discriminator, spec)
        ),
    )


def _depth(architecture: Architecture, spec: Spec) -> int:
    depth = architecture.depth
    return depth(spec) if callable(depth) else depth


def architecture(network: str, player: Player, spec: Spec) -> Architecture:
    """Return the architecture of this name; refuse one that the player cannot have here."""
    kind = kind_of(spec)
    fitting = {a.name: a for a in kind.architectures if player in a.players}
    if network in fitting:
        return fitting[network]
    owners = [k.plural for k in KINDS if network in (a.name for a in k.architectures)]
    why = f"is not a {player}" if kind.plural in owners else f"is for {' and '.join(owners)}"
    raise SparringError(
        f"the network {network} {why}; use {' or '.join(fitting)}, or leave --{player}.network out"
    )


def generator_plays(recipe: Recipe, spec: Spec) -> bool:
    """Tell whether the generator descends in the game; else it has learned all before it."""
    return architecture(recipe.generator.network, "generator", spec).plays


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
    generator, discriminator = (place(network, device_of(recipe)) for network in networks)
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


def where_it_can_run(recipe: Recipe, spec: Spec) -> Recipe:
    """Return the recipe, on the CPU where its generator needs float64."""
    if architecture(recipe.generator.network, "generator", spec).on_cpu:
        return replace(recipe, device="cpu")
    return recipe


def begin_phase(recipe: Recipe, data: Dataset, state: State) -> Phase | None:
    """Begin the phase before the game on a fresh state; None where there is nothing to learn."""
    preparation = kind_of(data.spec).preparation
    phase = preparation.phase(state, data, recipe.generator) if preparation else None
    if phase:
        phase.begin(state)
    return phase


def device_of(recipe: Recipe) -> str:
    """Return the device to train on: the one named, or of those here the fastest."""
    if recipe.device != "auto":
        return recipe.device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def place(network: nn.Module, device: str) -> nn.Module:
    """Move a network to a device, in the memory layout that convolutions are fastest in."""
    moved: nn.Module = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def build_generator(recipe: Recipe, spec: Spec) -> nn.Module:
    """Return a generator with fresh weights from torch's global random numbers."""
    r = recipe.generator
    architecture(r.network, "generator", spec)
    if r.network == MLP.name:
        return MLPGenerator(spec, r.latent, r.width, r.depth, r.activation, r.norm)
    return kind_of(spec).play.GENERATORS[r.network](r, spec)


def build_discriminator(recipe: Recipe, spec: Spec) -> nn.Module:
    """Return a discriminator with fresh weights from torch's global random numbers."""
    r = recipe.discriminator
    architecture(r.network, "discriminator", spec)
    if r.network == MLP.name:
        return MLPDiscriminator(spec, r.width, r.depth, r.activation)
    return kind_of(spec).play.DISCRIMINATORS[r.network](r, spec)


def with_representation(data: Dataset, recipe: Recipe) -> Dataset:
    """Return data as the recipe's two networks make and see it."""
    play = kind_of(data.spec).play
    spec = play.with_representation(data.spec, recipe.generator, recipe.discriminator)
    return replace(data, spec=spec)


def build_optimizer(recipe: OptimizerRecipe, network: nn.Module) -> Optimizer:
    """Return an optimiser of the network's parameters; the step follows its schedules."""
    match recipe.name:
        case "adam":
            betas = (recipe.beta1, parse_schedule(recipe.beta2)(0)(0))
            return Adam(network.parameters(), lr=0.0, betas=betas, fused=True)
        case "sgd":
            return SGD(network.parameters(), lr=0.0, momentum=recipe.momentum, fused=True)


def build_game(recipe: Recipe, spec: Spec) -> Game:
    """Return the game; its schedules span the recipe's budget in samples.

    Raises:
        SparringError: augmentation is asked for that does not fit the spec.
    """
    rate = parse_schedule(recipe.optimizer.lr)(recipe.images)
    factor = recipe.optimizer.discriminator_lr_factor
    adam = recipe.optimizer.name == "adam"
    discriminator = architecture(recipe.discriminator.network, "discriminator", spec)
    return Game(
        objective=build_objective(recipe),
        penalties=build_penalties(recipe),
        order=recipe.order,
        discriminator_moves=recipe.discriminator_moves,
        augment=build_augmentation(recipe, spec),
        view=partial(view, spec=spec),
        joint_scoring=discriminator.joint_scoring,
        generator_plays=generator_plays(recipe, spec),
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
            large_on_gpu = recipe.size in ("base", "large") and device_of(recipe).startswith("cuda")
            tolerant = not set(FINITE_DIFFERENCES) & set(penalties_in_use(recipe))
            return torch.bfloat16 if large_on_gpu and tolerant else None
        case "bfloat16":
            return torch.bfloat16
        case "float32":
            return None


def build_objective(recipe: Recipe) -> Objective:
    """Return the objective, with the real label smoothed if asked."""
    sharp = objective(recipe.objective)
    if recipe.label_smoothing:
        target = 1 - recipe.label_smoothing
        return replace(sharp, discriminator=objectives.cross_entropy(target), log_ratio=None)
    return sharp


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
    """Return the penalties in use."""
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
    if not (changes := parse_augmentations(r.kinds)):
        return None
    probability = (
        Adaptive(r.target, parse_horizon(r.horizon)(recipe.images))
        if r.probability == "adaptive"
        else parse_schedule(r.probability)(recipe.images)
    )
    kind = kind_of(spec)
    for change in changes:
        if change not in kind.augmentations:
            owners = [k.plural for k in KINDS if change in k.augmentations]
            fitting = f"use some of '{' '.join(kind.augmentations)}'"
            raise SparringError(
                f"augmentation '{change}' is for {' and '.join(owners)}; "
                f"{fitting if kind.augmentations else 'leave --augment.kinds out'}"
            )
    if augmentation := kind.play.build_augmentation(changes, probability, r.limit, spec):
        return augmentation
    raise SparringError(
        f"augmentation '{r.kinds}' is not for {kind.plural} as this discriminator sees them; use "
        "--augment.kinds ''"
    )


def _penalty(fn: penalties.PenaltyFn, recipe: PenaltyRecipe, images: int) -> Penalty:
    return Penalty(fn, parse_schedule(recipe.weight)(images), recipe.every)
