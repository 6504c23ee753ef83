"""Build: every name becomes the right object, by the recipe's seed and nothing else."""

import math
from dataclasses import fields, replace
from typing import Any, get_args

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from sparring import objectives, penalties
from sparring.build import (
    autocast_type,
    build_augmentation,
    build_discriminator,
    build_game,
    build_generator,
    build_objective,
    build_penalties,
    build_state,
    with_depths,
)
from sparring.errors import SparringError
from sparring.kinds import KINDS
from sparring.kinds.images.augmentation import AMOUNTS
from sparring.kinds.images.networks.convolutional import (
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
    ResizeConvolution,
)
from sparring.kinds.images.networks.excitation import ExcitationDiscriminator, ExcitationGenerator
from sparring.kinds.images.networks.residual import ResidualDiscriminator, ResidualGenerator
from sparring.kinds.images.spec import ImageSpec
from sparring.kinds.kind import MLP, Kind
from sparring.kinds.points.spec import VectorSpec
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.recipes.recipe import Recipe, nested, resolve
from sparring.recipes.sections import ObjectiveName, PenaltiesRecipe
from sparring.training.augmentation import Adaptive
from sparring.training.step import Batch, train_step

SPEC = ImageSpec(8, 8, 1)
SMALL = {"generator.width": 4, "discriminator.width": 4, "generator.latent": 5, "images": 1000}


def asked(spec: ImageSpec = SPEC, /, **options: Any) -> Recipe:
    dotted = {key.replace("__", "."): value for key, value in options.items()}
    return with_depths(resolve(nested(SMALL | dotted)), spec)


def test_the_same_seed_gives_the_same_start_and_another_seed_another(
    everything: Any, differing: Any
) -> None:
    states = []
    for noise, seed in ((1, 7), (2, 7), (3, 8)):
        torch.manual_seed(noise)
        states.append(everything(build_state(asked(seed=seed), SPEC)))
    assert differing(states[0], states[1]) == []
    assert "generator.head.weight" in differing(states[0], states[2])


def test_building_leaves_torchs_own_random_numbers_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    build_state(asked(), SPEC)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("network", "generator", "discriminator"),
    [
        ("mlp", MLPGenerator, MLPDiscriminator),
        ("convolutional", ConvolutionalGenerator, ConvolutionalDiscriminator),
        ("residual", ResidualGenerator, ResidualDiscriminator),
        ("excitation", ExcitationGenerator, ExcitationDiscriminator),
    ],
)
def test_a_network_is_what_its_name_says(
    network: str, generator: type, discriminator: type
) -> None:
    state = build_state(asked(generator__network=network, discriminator__network=network), SPEC)
    assert isinstance(state.generator, generator)
    assert isinstance(state.discriminator, discriminator)
    assert state.generator.latent == 5


def test_the_two_networks_need_not_be_of_one_kind() -> None:
    state = build_state(asked(generator__network="mlp"), SPEC)
    train_step(
        state, build_game(asked(generator__network="mlp"), SPEC), Batch(torch.rand(4, 1, 8, 8))
    )
    assert isinstance(state.discriminator, ConvolutionalDiscriminator)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "silu"])
@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_hidden_layers_have_the_activation_asked_for(network: str, name: str) -> None:
    kinds = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "silu": nn.SiLU}
    options = {
        f"{player}__{key}": value
        for player in ("generator", "discriminator")
        for key, value in (("network", network), ("activation", name))
    }
    state = build_state(asked(**options), SPEC)
    for player in (state.generator, state.discriminator):
        present = {
            kind for kind in kinds.values() if any(type(m) is kind for m in player.modules())
        }
        assert present == {kinds[name]}


@pytest.mark.parametrize("network", ["mlp", "convolutional", "excitation"])
@pytest.mark.parametrize(("norm", "expected"), [("batch", True), ("none", False)])
def test_the_generator_is_normalised_if_asked_and_the_discriminator_never(
    network: str, norm: str, expected: bool
) -> None:
    state = build_state(asked(generator__network=network, generator__norm=norm), SPEC)
    batch_norm = nn.modules.batchnorm._BatchNorm
    assert any(isinstance(m, batch_norm) for m in state.generator.modules()) == expected
    assert not any(isinstance(m, batch_norm) for m in state.discriminator.modules())


@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_maps_are_doubled_as_asked(upsampling: str) -> None:
    state = build_state(asked(generator__upsampling=upsampling), SPEC)
    kind = nn.ConvTranspose2d if upsampling == "transposed" else ResizeConvolution
    assert any(isinstance(m, kind) for m in state.generator.modules())


def test_depths_are_filled_in_by_resolution_and_left_where_given() -> None:
    spec = ImageSpec(32, 32, 1)
    auto = asked(spec)
    assert (auto.generator.depth, auto.discriminator.depth) == (3, 3)
    given = asked(spec, generator__depth=2)
    assert (given.generator.depth, given.discriminator.depth) == (2, 3)
    fully = asked(spec, generator__network="mlp")
    assert (fully.generator.depth, fully.discriminator.depth) == (2, 3)
    for network in ("residual", "excitation"):
        other = asked(spec, generator__network=network, discriminator__network=network)
        assert (other.generator.depth, other.discriminator.depth) == (3, 3)


@pytest.mark.parametrize("network", ["convolutional", "residual", "excitation"])
def test_networks_for_images_refuse_points_in_one_line(network: str) -> None:
    points = VectorSpec((0.0, 0.0), (1.0, 1.0))
    with pytest.raises(SparringError, match="for images") as caught:
        with_depths(resolve(nested({"generator.network": network})), points)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("player", "depth"), [("discriminator", 4), ("discriminator", 60), ("generator", 60)]
)
def test_a_depth_that_the_resolution_does_not_bear_is_refused_in_one_line(
    player: str, depth: int
) -> None:
    def build() -> None:
        recipe = asked(**{f"{player}__depth": depth})
        build_generator(recipe, SPEC)
        build_discriminator(recipe, SPEC)

    with torch.device("meta"), pytest.raises(SparringError, match="depth") as caught:
        build()
    assert "\n" not in str(caught.value)


def test_adam_and_sgd_take_their_settings() -> None:
    state = build_state(asked(optimizer__beta1=0.3, optimizer__beta2=0.8), SPEC)
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        assert isinstance(optimizer, Adam)
        assert optimizer.defaults["betas"] == (0.3, 0.8)
    state = build_state(asked(optimizer__name="sgd", optimizer__momentum=0.7), SPEC)
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        assert isinstance(optimizer, SGD)
        assert optimizer.defaults["momentum"] == 0.7


def test_the_second_decay_follows_its_schedule_and_starts_where_it_starts() -> None:
    recipe = asked(optimizer__beta1=0.3, optimizer__beta2="0.9 to 0.99 linear")
    state, game = build_state(recipe, SPEC), build_game(recipe, SPEC)
    assert state.generator_optimizer.defaults["betas"] == (0.3, 0.9)
    state.samples_seen = 500
    train_step(state, game, Batch(torch.rand(4, 1, 8, 8)))
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        assert optimizer.param_groups[0]["betas"] == (0.3, pytest.approx(0.945))


def test_without_adam_there_is_no_second_decay() -> None:
    recipe = asked(optimizer__name="sgd", optimizer__beta2="0.9 to 0.99 linear")
    state, game = build_state(recipe, SPEC), build_game(recipe, SPEC)
    train_step(state, game, Batch(torch.rand(4, 1, 8, 8)))
    assert "betas" not in state.generator_optimizer.param_groups[0]


@pytest.mark.parametrize(
    ("precision", "size", "device", "expected"),
    [
        ("auto", "small", "cuda", None),
        ("auto", "base", "cuda", torch.bfloat16),
        ("auto", "large", "cuda:1", torch.bfloat16),
        ("auto", "large", "cpu", None),
        ("float32", "large", "cuda", None),
        ("bfloat16", "tiny", "cpu", torch.bfloat16),
    ],
)
def test_the_precision_is_bfloat16_where_asked_and_on_a_gpu_for_the_large_sizes(
    precision: str, size: str, device: str, expected: torch.dtype | None
) -> None:
    recipe = asked(precision=precision, size=size, device=device)
    assert autocast_type(recipe) is expected
    assert build_game(recipe, SPEC).autocast is expected


def test_finite_differences_keep_float32_on_a_gpu_too() -> None:
    options = {"size": "base", "device": "cuda", "penalties__finite_difference_r2__weight": 1}
    assert autocast_type(asked(**options)) is None


@pytest.mark.parametrize("network", ["mlp", "convolutional", "residual", "excitation"])
def test_a_few_steps_in_bfloat16_are_finite_and_leave_float32_weights(network: str) -> None:
    options = {f"{p}__network": network for p in ("generator", "discriminator")}
    penalised = {"penalties__r1__weight": 1, "penalties__r2__weight": 1}
    recipe = asked(**options, **penalised, precision="bfloat16", objective="relativistic")
    state, game = build_state(recipe, SPEC), build_game(recipe, SPEC)
    before = [p.clone() for p in state.generator.parameters()]
    for _ in range(3):
        logs = train_step(state, game, Batch(torch.rand(4, 1, 8, 8)))
        assert all(bool(v.isfinite()) and v.dtype == torch.float32 for v in logs.values())
    after = list(state.generator.parameters())
    assert {p.dtype for p in (*after, *state.discriminator.parameters())} == {torch.float32}
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler's own
def test_both_players_are_compiled_if_asked_and_the_average_is_not() -> None:
    for asked_for, expected in (("on", True), ("off", False)):
        state = build_state(asked(compile=asked_for), SPEC)
        for network in (state.generator, state.discriminator):
            assert (network._compiled_call_impl is not None) == expected
        assert state.ema._compiled_call_impl is None
        assert list(state.generator.state_dict()) == list(state.ema.state_dict())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_step_is_the_same_step() -> None:
    states = []
    for compiled in ("off", "on"):
        recipe = asked(
            generator__network="mlp",
            discriminator__network="mlp",
            penalties__finite_difference_r1__weight=1,
            compile=compiled,
        )
        state, game = build_state(recipe, SPEC), build_game(recipe, SPEC)
        torch.manual_seed(1)
        for _ in range(2):
            train_step(state, game, Batch(torch.rand(4, 1, 8, 8)))
        states.append(state)
    eager, fast = (list(s.generator.parameters()) for s in states)
    for one, other in zip(eager, fast, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_each_optimiser_holds_the_parameters_of_its_own_player() -> None:
    state = build_state(asked(), SPEC)
    for network, optimizer in (
        (state.generator, state.generator_optimizer),
        (state.discriminator, state.discriminator_optimizer),
    ):
        (group,) = optimizer.param_groups
        assert [id(p) for p in group["params"]] == [id(p) for p in network.parameters()]


NAMED = {
    "minimax": objectives.minimax,
    "non-saturating": objectives.non_saturating,
    "mean-squared": objectives.mean_squared,
    "least-squares": objectives.least_squares,
    "hinge": objectives.hinge,
    "wasserstein": objectives.wasserstein,
    "relativistic": objectives.relativistic,
    "total-variation": objectives.total_variation,
    "kl": objectives.kl,
    "reverse-kl": objectives.reverse_kl,
    "pearson": objectives.pearson,
    "neyman": objectives.neyman,
    "squared-hellinger": objectives.squared_hellinger,
    "jensen-shannon": objectives.jensen_shannon,
    "gan": objectives.gan,
}


def test_every_objective_has_its_name() -> None:
    assert set(get_args(ObjectiveName)) == set(NAMED)
    for name, objective in NAMED.items():
        assert build_objective(asked(objective=name)) is objective


@pytest.mark.parametrize("name", [field.name for field in fields(PenaltiesRecipe)])
def test_every_penalty_of_the_recipe_can_be_built(name: str) -> None:
    (penalty,) = build_penalties(asked(**{f"penalties__{name}__weight": 2}))
    assert callable(penalty.fn)
    assert penalty.at(0, 0) == 2


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "mean-squared"])
def test_smoothing_changes_the_discriminators_loss_alone(name: str) -> None:
    smoothed = build_objective(asked(objective=name, label_smoothing=0.1))
    r, f = torch.randn(5), torch.randn(5)
    expected = objectives.cross_entropy(0.9)(r, f)
    torch.testing.assert_close(smoothed.discriminator(r, f), expected)
    assert smoothed.generator is NAMED[name].generator
    assert smoothed.ratio is NAMED[name].ratio


@pytest.mark.parametrize(
    ("key", "fn"),
    [
        ("r1", penalties.r1),
        ("r2", penalties.r2),
        ("gradient", penalties.gradient_penalty),
        ("finite_difference_r1", penalties.finite_difference_r1),
        ("finite_difference_r2", penalties.finite_difference_r2),
    ],
)
def test_a_penalty_is_what_its_name_says(key: str, fn: penalties.PenaltyFn) -> None:
    game = build_game(
        asked(**{f"penalties__{key}__weight": "4 to 0 linear", f"penalties__{key}__every": 3}),
        SPEC,
    )
    (penalty,) = game.penalties
    assert penalty.fn is fn
    assert penalty.every == 3
    assert [penalty.weight(images) for images in (0, 500, 1000)] == [4.0, 2.0, 0.0]


@pytest.mark.parametrize("zero", ["0", "0.0", 0, 0.0, "0e0", "00"])
def test_a_penalty_of_no_weight_is_left_out_or_never_acts(zero: Any) -> None:
    game = build_game(asked(penalties__r1__weight=zero), SPEC)
    assert all(p.at(update, 0) == 0 for p in game.penalties for update in range(4))


def test_the_games_schedules_span_the_budget() -> None:
    game = build_game(
        asked(
            optimizer__lr="1 to 0 linear 50%..100%",
            optimizer__discriminator_lr_factor=0.25,
            ema__halflife_images=50,
            ema__ramp=0.1,
        ),
        SPEC,
    )
    assert [game.generator_lr(images) for images in (0, 500, 750, 1000)] == [1, 1, 0.5, 0]
    assert [game.discriminator_lr(images) for images in (0, 750, 1000)] == [0.25, 0.125, 0]
    assert [game.ema_halflife(images) for images in (0, 100, 500, 900)] == [0, 10, 50, 50]


def test_the_order_and_the_moves_are_the_recipes() -> None:
    game = build_game(asked(order="alternating", discriminator_moves=4), SPEC)
    assert (game.order, game.discriminator_moves) == ("alternating", 4)


def test_without_kinds_nothing_is_augmented() -> None:
    assert build_game(asked(), SPEC).augment is None


@pytest.mark.parametrize("kind", tuple(AMOUNTS))
def test_an_augmentation_is_what_its_name_says(kind: str) -> None:
    augment = build_augmentation(asked(augment__kinds=kind, augment__limit=0.5), SPEC)
    assert augment is not None
    assert (augment.kinds, augment.limit, augment.value_range) == ((kind,), 0.5, "-1..1")
    unit = build_augmentation(asked(augment__kinds=kind), replace(SPEC, value_range="0..1"))
    assert unit is not None
    assert unit.value_range == "0..1"


def test_the_probability_adapts_over_a_share_of_the_budget_or_follows_a_schedule() -> None:
    options = {"augment__kinds": "flip cutout", "augment__target": 0.5, "augment__horizon": "40%"}
    augment = build_augmentation(asked(**options), SPEC)
    assert augment is not None
    assert augment.probability == Adaptive(target=0.5, horizon_images=400)
    scheduled = asked(augment__kinds="flip", augment__probability="0 to 0.3 linear")
    augment = build_game(scheduled, SPEC).augment
    assert augment is not None
    assert [augment.at(n, 0.7) for n in (0, 500, 1000)] == pytest.approx([0, 0.15, 0.3])


def test_an_augmented_step_is_played_on_the_shapes_of_the_spec() -> None:
    kinds = " ".join(tuple(AMOUNTS))
    for spec in (ImageSpec(8, 12, 3), ImageSpec(9, 8, 4, value_range="0..1")):
        recipe = asked(spec, augment__kinds=kinds, augment__probability=0.6)
        logs = train_step(
            build_state(recipe, spec), build_game(recipe, spec), Batch(torch.rand(4, *spec.shape))
        )
        assert float(logs["augment/probability"]) == 0.6


def test_points_are_not_augmented() -> None:
    points = VectorSpec((0.0, 0.0), (1.0, 1.0))
    mlp = {"generator.network": "mlp", "discriminator.network": "mlp"}
    recipe = resolve(nested(SMALL | mlp | {"augment.kinds": "flip"}))
    with pytest.raises(SparringError, match="'flip' is for images") as caught:
        build_game(recipe, points)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_glorot_weights_are_uniform_within_their_limit(network: str) -> None:
    options = {
        f"{player}__{key}": value
        for player in ("generator", "discriminator")
        for key, value in (("network", network), ("init", "glorot"), ("width", 32))
    }
    state = build_state(asked(**options), SPEC)
    for player in (state.generator, state.discriminator):
        for module in player.modules():
            if not isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                continue
            outputs, inputs, *kernel = module.weight.shape
            limit = (6 / ((inputs + outputs) * math.prod(kernel))) ** 0.5
            assert float(module.weight.detach().abs().max()) <= limit
            assert float(module.weight.detach().std()) == pytest.approx(limit / 3**0.5, rel=0.25)
            assert module.bias is None or not module.bias.any()


def test_convolutions_are_laid_out_for_a_cpu() -> None:
    state = build_state(asked(), SPEC)
    for network in (state.generator, state.discriminator, state.ema):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.in_channels > 1:
                assert module.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_architecture_of_a_kind_can_be_built_by_the_players_it_names(kind: Kind[Any]) -> None:
    for player, builders in (
        ("generator", kind.play.GENERATORS),
        ("discriminator", kind.play.DISCRIMINATORS),
    ):
        named = {one.name for one in kind.architectures if player in one.players}
        assert named == {MLP.name, *builders}
