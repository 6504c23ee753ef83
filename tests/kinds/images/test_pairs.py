"""Every pair of networks through one table: any size, any batch, conditional or not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparring.errors import SparringError
from sparring.kinds.images.networks.convolutional import (
    ChannelsFirst,
    ChannelsLast,
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
    ResizeConvolution,
)
from sparring.kinds.images.networks.excitation import ExcitationDiscriminator, ExcitationGenerator
from sparring.kinds.images.networks.residual import ResidualDiscriminator, ResidualGenerator
from sparring.kinds.images.spec import ImageSpec, halvings
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator

Pair = tuple[nn.Module, nn.Module]
LATENT = 6


def mlp(spec: ImageSpec, norm: Any = "batch") -> Pair:
    return MLPGenerator(spec, LATENT, 9, 2, norm=norm), MLPDiscriminator(spec, 9, 2)


def transposed(spec: ImageSpec, norm: Any = "batch") -> Pair:
    depth = halvings(spec)
    generator = ConvolutionalGenerator(spec, LATENT, 4, depth, norm=norm)
    return generator, ConvolutionalDiscriminator(spec, 4, depth)


def nearest(spec: ImageSpec, norm: Any = "batch") -> Pair:
    depth = halvings(spec)
    generator = ConvolutionalGenerator(spec, LATENT, 4, depth, "silu", norm, "nearest")
    return generator, ConvolutionalDiscriminator(spec, 4, depth, "silu")


def residual(spec: ImageSpec, norm: Any = "none") -> Pair:
    depth = halvings(spec)
    return ResidualGenerator(spec, LATENT, 4, depth), ResidualDiscriminator(spec, 4, depth)


def excitation(spec: ImageSpec, norm: Any = "batch") -> Pair:
    depth = halvings(spec)
    generator = ExcitationGenerator(spec, LATENT, 4, depth, norm)
    return generator, ExcitationDiscriminator(spec, 4, depth)


PAIRS: dict[str, Callable[..., Pair]] = {
    "mlp": mlp,
    "transposed": transposed,
    "nearest": nearest,
    "residual": residual,
    "excitation": excitation,
}
pairs = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
SIZES = [(8, 8), (28, 28), (5, 7), (7, 5), (4, 4), (17, 23), (9, 33), (64, 16), (4, 100)]
DEGENERATE = [(1, 1), (1, 7), (7, 1), (2, 2), (3, 3), (2, 9)]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def given(spec: ImageSpec, n: int = 4) -> tuple[Tensor, Tensor | None]:
    label = torch.arange(n) % len(spec.classes) if spec.classes else None
    return torch.randn(n, LATENT), label


@pairs
@pytest.mark.parametrize("classes", [(), ("a", "b", "c")], ids=["plain", "conditional"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_samples_have_the_shape_of_the_spec_and_logits_one_number_each(
    pair: Callable[..., Pair], size: tuple[int, int], classes: tuple[str, ...]
) -> None:
    for channels in (1, 3, 4):
        spec = ImageSpec(*size, channels, classes)
        generator, discriminator = pair(spec)
        latent, label = given(spec)
        sample = generator(latent, label)
        assert sample.shape == (4, *spec.shape)
        logits = discriminator(sample, label)
        assert logits.shape == (4,)
        logits.sum().backward()
        assert all(p.grad is not None for p in generator.parameters())
        assert all(bool(p.grad.isfinite().all()) for p in generator.parameters())  # type: ignore[union-attr]


@pairs
@pytest.mark.parametrize("size", DEGENERATE, ids=str)
def test_an_image_of_hardly_any_pixels_works_or_is_refused_in_one_line(
    pair: Callable[..., Pair], size: tuple[int, int]
) -> None:
    spec = ImageSpec(*size, 3)
    try:
        generator, discriminator = pair(spec, norm="none")
    except SparringError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    sample = generator(given(spec)[0])
    assert sample.shape == (4, *spec.shape)
    assert discriminator(sample).shape == (4,)


@pairs
@pytest.mark.parametrize("value_range", ["-1..1", "0..1"])
def test_samples_stay_in_the_range_and_use_both_sides_of_its_middle(
    pair: Callable[..., Pair], value_range: Any
) -> None:
    spec = ImageSpec(8, 8, 1, value_range=value_range)
    generator, _ = pair(spec)
    sample = generator(1000 * torch.randn(32, LATENT)).detach()
    low, high, middle = (-1, 1, 0) if value_range == "-1..1" else (0, 1, 0.5)
    assert low <= float(sample.min()) < middle < float(sample.max()) <= high


@pairs
def test_in_evaluation_a_sample_does_not_depend_on_its_neighbours(
    pair: Callable[..., Pair],
) -> None:
    spec = ImageSpec(12, 12, 3, ("a", "b"))
    generator, discriminator = pair(spec)
    generator(*given(spec, 16))  # moves the running statistics
    generator.eval()
    latent, label = given(spec, 8)
    assert label is not None
    together = generator(latent, label)
    alone = torch.cat([generator(latent[i : i + 1], label[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        discriminator(together, label),
        torch.cat([discriminator(together[i : i + 1], label[i : i + 1]) for i in range(8)]),
        rtol=1e-5,
        atol=1e-5,
    )
    assert torch.equal(together, generator(latent, label))


@pairs
def test_a_discriminator_is_independent_of_its_batch_while_training_too(
    pair: Callable[..., Pair],
) -> None:
    spec = ImageSpec(8, 8, 1)
    _, discriminator = pair(spec)
    x = torch.randn(6, *spec.shape, requires_grad=True)
    (grad,) = torch.autograd.grad(discriminator(x)[2], x)
    others = grad.flatten(1).abs().sum(1)
    assert float(others[2]) > 0
    assert float(others.sum() - others[2]) == 0


@pairs
def test_labels_change_samples_and_logits(pair: Callable[..., Pair]) -> None:
    spec = ImageSpec(8, 8, 1, ("a", "b"))
    generator, discriminator = pair(spec)
    generator.eval()
    latent, _ = given(spec)
    a, b = torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)
    assert not torch.allclose(generator(latent, a), generator(latent, b))
    x = generator(latent, a)
    assert torch.equal(discriminator(x, a), discriminator(x, b))  # it starts unconditional
    (by_embedding,) = torch.autograd.grad(
        discriminator(x, b).sum(), discriminator.get_parameter("head.embed.weight")
    )
    assert float(by_embedding[1].abs().sum()) > 0  # and learns the label at its first step
    assert float(by_embedding[0].abs().sum()) == 0


@pairs
def test_the_pair_has_no_other_randomness_than_its_inputs(pair: Callable[..., Pair]) -> None:
    spec = ImageSpec(8, 8, 1)
    generator, discriminator = pair(spec)
    latent, _ = given(spec)
    before = torch.random.get_rng_state()
    assert torch.equal(discriminator(generator(latent)), discriminator(generator(latent)))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("size", "depth"),
    [
        ((4, 4), 1),
        ((7, 7), 1),
        ((8, 8), 1),
        ((15, 15), 1),
        ((16, 16), 2),
        ((28, 28), 2),
        ((32, 48), 3),
        ((64, 64), 4),
        ((64, 8), 1),
        ((1, 1), 1),
        ((256, 256), 6),
    ],
)
def test_the_default_depth_halves_down_to_at_least_four_pixels(
    size: tuple[int, int], depth: int
) -> None:
    assert halvings(ImageSpec(*size, 1)) == depth


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_convolutional_generator_doubles_as_often_as_asked(depth: int) -> None:
    generator = ConvolutionalGenerator(ImageSpec(16, 16, 1), LATENT, 4, depth)
    doublings = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert len(doublings) == depth
    assert [m.in_channels for m in doublings] == [4 * 2**k for k in reversed(range(depth))]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_convolutional_discriminator_halves_as_often_as_asked(depth: int) -> None:
    discriminator = ConvolutionalDiscriminator(ImageSpec(16, 16, 1), 4, depth)
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert [m.stride[0] for m in convolutions] == [2] * depth + [1]
    assert [m.out_channels for m in convolutions] == [4 * 2**k for k in range(depth + 1)]


def test_what_overhangs_is_cropped_from_all_sides() -> None:
    """A 5×7 image is the middle of the 6×8 that one doubling makes, here of noise."""
    spec, padded = ImageSpec(5, 7, 1), ImageSpec(6, 8, 1)
    torch.manual_seed(3)
    cropped = ConvolutionalGenerator(spec, LATENT, 4, 1)
    torch.manual_seed(3)
    whole = ConvolutionalGenerator(padded, LATENT, 4, 1)
    latent, _ = given(spec)
    assert torch.equal(cropped(latent), whole(latent)[:, :, 0:5, 0:7])


def test_channels_move_without_moving_a_number() -> None:
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert torch.equal(ChannelsFirst()(ChannelsLast()(x)), x)
    assert ChannelsLast()(x).shape == (1, 3, 4, 2)
    assert ChannelsLast()(x).data_ptr() == x.data_ptr()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_fully_connected_pair_has_the_hidden_layers_asked_for(depth: int) -> None:
    spec = ImageSpec(4, 4, 1)
    generator = MLPGenerator(spec, LATENT, 9, depth)
    discriminator = MLPDiscriminator(spec, 9, depth)

    def shapes(network: nn.Module) -> list[tuple[int, int]]:
        return [
            (m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)
        ]

    assert shapes(generator) == [(LATENT, 9)] + [(9, 9)] * (depth - 1) + [(9, 16)]
    assert shapes(discriminator) == [(16, 9)] + [(9, 9)] * (depth - 1) + [(9, 1)]


def test_doubling_and_convolving_in_one_is_the_same_as_one_after_the_other() -> None:
    torch.manual_seed(0)
    both = ResizeConvolution(3, 5, 3).double()
    x = torch.randn(2, 3, 4, 7, dtype=torch.float64)
    doubled = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    expected = nn.functional.conv2d(doubled, both.weight, both.bias, padding=1)
    torch.testing.assert_close(both(x), expected, rtol=1e-12, atol=1e-12)
