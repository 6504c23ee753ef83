"""Presets: every one resolves, builds and plays a step, on images of any shape."""

from itertools import product

import pytest
import torch
from torch import nn

from sparring.build import (
    build_discriminator,
    build_game,
    build_generator,
    build_state,
    with_depths,
)
from sparring.errors import SparringError
from sparring.kinds.images.presets import GAMMA, by_pixels
from sparring.kinds.images.spec import ImageSpec
from sparring.kinds.points.spec import VectorSpec
from sparring.recipes.named import data_options, preset
from sparring.recipes.recipe import Recipe, resolve
from sparring.recipes.sections import SIZES, Options, Size
from sparring.training.state import State
from sparring.training.step import Batch, train_step

PRESETS = ("default", "article", "article-mended")
SPECS = [
    ImageSpec(8, 8, 1),
    ImageSpec(28, 28, 1),
    ImageSpec(32, 48, 3),
    ImageSpec(17, 23, 4),
    ImageSpec(64, 64, 3),
]
CLASSES = ("cat", "dog", "eel")
ARTICLE_SPEC = ImageSpec(28, 28, 1, value_range="0..1")


def conditional(spec: ImageSpec) -> ImageSpec:
    return ImageSpec(spec.height, spec.width, spec.channels, CLASSES, spec.value_range)


def recipe_of(name: str, size: str, spec: ImageSpec, **options: object) -> Recipe:
    base: Options = {"preset": name, "size": size, "images": 1000}
    chosen = preset(name, size, spec)  # type: ignore[arg-type]
    return with_depths(resolve(base, chosen, options), spec)


def batch_of(spec: ImageSpec, n: int = 4) -> Batch:
    x = torch.rand(n, *spec.shape)
    label = torch.arange(n) % len(spec.classes) if spec.classes else None
    return Batch(x if spec.value_range == "0..1" else 2 * x - 1, label)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("spec", [*SPECS, *map(conditional, SPECS)], ids=str)
def test_a_preset_builds_and_plays_on_images_of_any_shape(name: str, spec: ImageSpec) -> None:
    recipe = recipe_of(name, "tiny", spec)
    state = build_state(recipe, spec)
    logs = train_step(state, build_game(recipe, spec), batch_of(spec))
    assert all(bool(value.isfinite()) for value in logs.values())
    assert (state.step, state.samples_seen) == (1, 4)
    label = torch.zeros(2, dtype=torch.int64) if spec.classes else None
    with torch.no_grad():
        sample = state.ema(torch.randn(2, recipe.generator.latent), label)
    assert sample.shape == (2, *spec.shape)
    low = 0.0 if spec.value_range == "0..1" else -1.0
    assert low <= float(sample.min()) <= float(sample.max()) <= 1.0


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize(("name", "size"), list(product(PRESETS, SIZES)))
def test_a_preset_resolves_in_every_size(name: str, size: str, spec: ImageSpec) -> None:
    recipe = recipe_of(name, size, spec)
    assert recipe.size == size
    assert recipe.generator.depth > 0
    assert recipe.discriminator.depth > 0


@pytest.mark.parametrize("spec", [ImageSpec(8, 8, 1), ImageSpec(16, 16, 3, CLASSES)], ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_every_size_builds_and_has_no_batch_statistics_in_its_discriminator(
    size: str, spec: ImageSpec
) -> None:
    with torch.device("meta"):
        discriminator = build_discriminator(recipe_of("default", size, spec), spec)
    norms = nn.modules.batchnorm._NormBase
    assert not any(isinstance(m, norms) for m in discriminator.modules())


SHAPES = [
    ImageSpec(8, 8, 1),
    ImageSpec(16, 16, 1, CLASSES),
    ImageSpec(28, 28, 1),
    ImageSpec(30, 45, 3),
    ImageSpec(4, 40, 2),
    ImageSpec(100, 64, 3, CLASSES),
    ImageSpec(256, 256, 1),
    ImageSpec(256, 256, 3),
]


@pytest.mark.parametrize("spec", SHAPES, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_every_size_plays_a_step_from_8_by_8_to_256_by_256(size: str, spec: ImageSpec) -> None:
    """In thin networks: the shapes are what could fail."""
    thin = {"generator": {"width": 2}, "discriminator": {"width": 2}}
    recipe = recipe_of("default", size, spec, **thin)
    state = build_state(recipe, spec)
    logs = train_step(state, build_game(recipe, spec), batch_of(spec, 2))
    assert all(bool(value.isfinite()) for value in logs.values())
    label = torch.zeros(1, dtype=torch.int64) if spec.classes else None
    with torch.no_grad():
        assert state.ema(torch.randn(1, recipe.generator.latent), label).shape == (1, *spec.shape)


@pytest.mark.parametrize("spec", [SPECS[0], ImageSpec(16, 16, 3), SPECS[1], SPECS[4]], ids=str)
def test_a_larger_size_has_more_parameters(spec: ImageSpec) -> None:
    def parameters(size: str) -> int:
        with torch.device("meta"):
            recipe = recipe_of("default", size, spec)
            networks = build_generator(recipe, spec), build_discriminator(recipe, spec)
        return sum(p.numel() for network in networks for p in network.parameters())

    counts = [parameters(size) for size in SIZES]
    assert counts == sorted(set(counts))


def test_small_images_get_fully_connected_networks_and_larger_ones_convolutions() -> None:
    kinds = {
        side: recipe_of("default", "small", ImageSpec(side, side, 1)).generator.network
        for side in (4, 8, 15, 16, 28, 64)
    }
    assert list(kinds.values()) == ["mlp"] * 3 + ["convolutional"] * 3


def test_the_weight_of_r1_grows_with_the_pixels_beyond_32_by_32() -> None:
    weights = {
        side: float(recipe_of("default", "small", ImageSpec(side, side, 3)).penalties.r1.weight)
        for side in (16, 32, 64, 128)
    }
    assert weights == {16: 1.0, 32: 1.0, 64: 4.0, 128: 16.0}


@pytest.mark.parametrize(
    ("side", "width", "gamma", "halflife", "ramp", "augmented", "batch"),
    [
        (16, 768, 0.05, 5e6, 0.25, "0.55", 512),
        (32, 768, 0.05, 5e6, 0.25, "0.55", 512),
        (64, 384, 2, 5e5, 0.025, "0.3", 256),
        (256, 96, 150, 5e5, 0.025, "0.3", 256),
    ],
)
def test_large_is_the_published_recipe_at_the_published_resolutions(
    side: int,
    width: int,
    gamma: float,
    halflife: float,
    ramp: float,
    augmented: str,
    batch: int,
) -> None:
    recipe = recipe_of("default", "large", ImageSpec(side, side, 3), images=1000)
    assert recipe.generator.network == recipe.discriminator.network == "residual"
    assert recipe.generator.width == recipe.discriminator.width == width
    assert (recipe.objective, recipe.order, recipe.batch) == ("relativistic", "alternating", batch)
    assert (recipe.ema.halflife_images, recipe.ema.ramp) == (halflife, ramp)
    assert recipe.augment.probability == f"0 to {augmented} cosine"
    game = build_game(recipe, ImageSpec(side, side, 3))
    for penalty in game.penalties:
        assert penalty.every == 1
        assert penalty.weight(0) == pytest.approx(gamma)
        assert penalty.weight(1000) == pytest.approx(gamma / 10)
    assert len(game.penalties) == 2
    assert game.beta2 is not None
    assert [game.beta2(images) for images in (0, 500, 1000)] == pytest.approx([0.9, 0.945, 0.99])
    assert [game.generator_lr(images) for images in (0, 1000)] == pytest.approx([2e-4, 5e-5])


def test_base_is_half_as_wide() -> None:
    for spec in (ImageSpec(16, 16, 1), ImageSpec(32, 32, 3), ImageSpec(128, 128, 3)):
        base, large = (recipe_of("default", size, spec) for size in ("base", "large"))
        assert base.generator.width * 2 == large.generator.width
        assert base.discriminator.width * 2 == large.discriminator.width
        assert base.optimizer == large.optimizer


def test_text_and_faces_are_not_mirrored_by_default() -> None:
    kinds = recipe_of("default", "base", SPECS[1]).augment.kinds.split()
    assert kinds == ["translate", "scale", "rotate", "colour", "cutout"]


def test_a_value_by_pixels_is_a_power_law_between_the_published_ones_and_flat_outside() -> None:
    for pixels, gamma in GAMMA:
        assert by_pixels(pixels, GAMMA) == pytest.approx(gamma)
    assert by_pixels(2048, GAMMA) == pytest.approx((0.05 * 2) ** 0.5)
    assert by_pixels(128**2, GAMMA) == pytest.approx((2 * 150) ** 0.5)
    assert by_pixels(1, GAMMA) == pytest.approx(0.05)
    assert by_pixels(10**9, GAMMA) == pytest.approx(150)


def linears(network: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]


@pytest.mark.parametrize("name", ["article", "article-mended"])
def test_the_article_has_its_printed_networks(name: str) -> None:
    state: State = build_state(recipe_of(name, "small", ARTICLE_SPEC), ARTICLE_SPEC)
    assert linears(state.generator) == [(100, 784), (784, 784), (784, 784)]
    assert linears(state.discriminator) == [(784, 784), (784, 784), (784, 1)]
    with torch.no_grad():
        sample = state.generator(50 * torch.randn(64, 100))
    assert sample.shape == (64, 1, 28, 28)
    assert 0 <= float(sample.min()) < 0.4
    assert 0.6 < float(sample.max()) <= 1
    kinds = {type(m) for m in state.generator.modules()}
    assert kinds >= {nn.Sigmoid, nn.ReLU}
    assert not kinds & {nn.Tanh, nn.BatchNorm1d, nn.LeakyReLU}


def test_the_article_asks_for_its_images_before_the_data_is_read() -> None:
    for name in ("article", "article-mended"):
        data = resolve(data_options(name)).data
        assert (data.resolution, data.channels, data.value_range) == ("28x28", "1", "0..1")
    assert data_options("default") == {}


def test_the_mended_article_changes_the_game_and_not_the_networks() -> None:
    printed, mended = (
        recipe_of(name, "small", ARTICLE_SPEC) for name in ("article", "article-mended")
    )
    assert printed.generator == mended.generator
    assert printed.discriminator == mended.discriminator
    assert printed.data == mended.data
    assert printed.objective == "mean-squared"
    assert mended.objective == "relativistic"
    assert mended.penalties.r1.weight == mended.penalties.r2.weight == "0.3"
    assert printed.penalties.r1.weight == printed.penalties.r2.weight == "0"


@pytest.mark.parametrize("name", ["articel", "", "Default", "article\nmended"])
def test_an_unknown_preset_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(SparringError, match="article-mended") as caught:
        preset(name, "small", SPECS[0])
    assert "\n" not in str(caught.value)
    if name == "articel":
        assert "did you mean 'article'" in str(caught.value)


def test_a_preset_is_laid_under_what_the_user_says() -> None:
    recipe = recipe_of("default", "tiny", SPECS[1], penalties={"r1": {"weight": "0.3"}})
    assert (recipe.penalties.r1.weight, recipe.penalties.r1.every) == ("0.3", 8)


@pytest.mark.parametrize("width", [1, 2, 300])
@pytest.mark.parametrize("size", SIZES)
def test_points_get_a_fully_connected_pair_with_a_latent_of_their_own_width(
    size: str, width: int
) -> None:
    spec = VectorSpec((0.0,) * width, (1.0,) * width)
    chosen = preset("default", size, spec)  # type: ignore[arg-type]
    recipe = with_depths(resolve({"images": 1000}, chosen), spec)
    state = build_state(recipe, spec)
    train_step(state, build_game(recipe, spec), Batch(torch.randn(4, width)))
    assert recipe.generator.latent == min(width, 64)
    with torch.no_grad():
        assert state.ema(torch.randn(3, recipe.generator.latent)).shape == (3, width)


def test_the_penalties_on_points_fade_out() -> None:
    spec = VectorSpec((0.0, 0.0), (1.0, 1.0))
    game = build_game(resolve({"images": 1000}, preset("default", "small", spec)), spec)
    for penalty in game.penalties:
        assert penalty.weight(0) == pytest.approx(0.1)
        assert penalty.weight(1000) == pytest.approx(0.0003)


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_few_images_are_augmented_by_moves_alone_and_many_are_not(size: Size) -> None:
    spec = ImageSpec(32, 32, 3)
    few, many = preset("default", size, spec, 300), preset("default", size, spec, 3_000)
    assert few["augment"]["kinds"] == "translate scale rotate"
    assert "augment" not in many
    assert {key: few[key] for key in many} == many
    some = preset("default", size, spec, 1_000)["augment"]
    assert some == few["augment"] | {"probability": "0 to 0.5 linear"}
    assert preset("default", size, spec) == many
    assert "augment" not in preset("default", size, ImageSpec(8, 8, 1), 300)
