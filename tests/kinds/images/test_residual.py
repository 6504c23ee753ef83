"""The residual pair: magnitudes by the first weights, resampling without aliasing."""

from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from sparring.kinds.images.networks.residual import (
    Doubling,
    Halving,
    ResidualBlock,
    ResidualDiscriminator,
    ResidualGenerator,
    init_weights,
)
from sparring.kinds.images.spec import ImageSpec
from sparring.networks.blocks import LEAK

DOUBLE = torch.float64
COLOUR = ImageSpec(32, 32, 3)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def blocks(network: nn.Module) -> list[ResidualBlock]:
    return [m for m in network.modules() if isinstance(m, ResidualBlock)]


# ---- resampling


def kernel() -> Tensor:
    line = torch.tensor([1, 3, 3, 1], dtype=DOUBLE) / 8
    return torch.outer(line, line)


def test_doubling_is_zeros_in_between_and_the_kernel_with_gain_four() -> None:
    x = torch.randn(2, 3, 5, 4, dtype=DOUBLE)
    spread = torch.zeros(2, 3, 10, 8, dtype=DOUBLE)
    spread[:, :, ::2, ::2] = x
    expected = conv2d(
        pad(spread, (2, 1, 2, 1)).flatten(0, 1)[:, None], 4 * kernel()[None, None]
    ).view(2, 3, 10, 8)
    torch.testing.assert_close(Doubling().double()(x), expected, rtol=1e-12, atol=1e-12)


def test_halving_is_the_kernel_at_every_other_pixel() -> None:
    x = torch.randn(2, 3, 8, 10, dtype=DOUBLE)
    smooth = conv2d(pad(x, (1, 1, 1, 1)).flatten(0, 1)[:, None], kernel()[None, None])
    expected = smooth.view(2, 3, 7, 9)[:, :, ::2, ::2]
    torch.testing.assert_close(Halving().double()(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("resample", [Doubling(), Halving()], ids=["doubling", "halving"])
def test_a_constant_map_stays_constant_inside_so_there_is_no_checkerboard(
    resample: nn.Module,
) -> None:
    inside = resample(torch.full((1, 2, 12, 12), 3.0))[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(inside, torch.full_like(inside, 3.0))


def test_halving_removes_what_a_smaller_map_cannot_hold() -> None:
    """The finest pattern is silenced; merely dropping pixels would fold it onto a constant."""
    checkerboard = (-1.0) ** (torch.arange(16)[:, None] + torch.arange(16))
    halved = Halving()(checkerboard.view(1, 1, 16, 16))
    torch.testing.assert_close(halved[:, :, 1:-1, 1:-1], torch.zeros(1, 1, 6, 6))


def test_doubling_is_bilinear_inside() -> None:
    x = torch.randn(1, 2, 6, 7, dtype=DOUBLE)
    expected = interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(Doubling().double()(x)[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1])


def test_the_kernel_is_neither_learned_nor_stored() -> None:
    assert list(Doubling().parameters()) == []
    assert list(ResidualGenerator(COLOUR, 5, 4, 2).state_dict()) == [
        name for name, _ in ResidualGenerator(COLOUR, 5, 4, 2).named_parameters()
    ]


# ---- blocks


def test_a_block_is_the_formula() -> None:
    block = ResidualBlock(6, 3).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 6, 5, 5, dtype=DOUBLE)

    def leaky(y: Tensor) -> Tensor:
        return torch.where(y > 0, y, LEAK * y)

    w, b = block.expand.weight[:, :, 0, 0], block.expand.bias
    assert b is not None
    y = leaky(torch.einsum("oi,nihw->nohw", w, x) + b[:, None, None])
    assert y.shape[1] == 16  # 12 rounded up to a whole group
    y = leaky(conv2d(y, block.mix.weight, block.mix.bias, padding=1))
    expected = x + torch.einsum("oi,nihw->nohw", block.reduce.weight[:, :, 0, 0], y)
    torch.testing.assert_close(block(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("width", [1, 4, 8, 20, 768])
def test_the_inner_width_is_at_least_twice_the_outer_in_groups_of_sixteen(width: int) -> None:
    with torch.device("meta"):
        block = ResidualBlock(width, 1)
    inner = block.mix.out_channels
    assert 2 * width <= inner < 2 * width + 16
    assert block.mix.weight.shape == (inner, 16, 3, 3)


def test_a_block_is_the_identity_until_its_first_step() -> None:
    block, x = ResidualBlock(8, 4), torch.randn(2, 8, 6, 6)
    assert torch.equal(block(x), x)
    (grad,) = torch.autograd.grad(block(x).square().sum(), block.reduce.weight)
    assert float(grad.abs().min()) > 0


@pytest.mark.parametrize("count", [1, 4, 16, 64])
def test_branches_of_unit_gain_together_leave_a_variance_below_e(count: int) -> None:
    """Each adds 1/L of what comes in, so that L of them give (1 + 1/L)^L; borders take a little."""
    x = torch.randn(4, 32, 16, 16)
    with torch.no_grad():
        for _ in range(count):
            block = ResidualBlock(32, count)
            init_weights(block.reduce)
            x = block(x)
    expected = (1 + 1 / count) ** count
    assert 0.75 * expected < float(x.square().mean()) < 1.2 * expected


# ---- the pair


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_fresh_generator_is_as_loud_at_any_depth(depth: int) -> None:
    """Blocks are identities, 1×1 convolutions keep the variance, doubling smooths it a little."""
    generator = ResidualGenerator(ImageSpec(64, 64, 3), 32, 16, depth)
    generator.range = nn.Identity()
    with torch.no_grad():
        loudness = float(generator(torch.randn(32, 32)).square().mean().sqrt())
    assert 0.25 < loudness < 1.25


def test_the_first_map_is_the_basis_weighted_by_the_latent() -> None:
    generator = ResidualGenerator(ImageSpec(8, 12, 1), 5, 4, 1)
    latent = torch.randn(3, 5)
    (shown,) = seen_by(generator.stages[0], generator, latent)
    weights = latent @ generator.weights.weight.T
    torch.testing.assert_close(shown, generator.basis * weights[:, :, None, None])
    assert generator.basis.shape == (1, 8, 4, 6)
    assert generator.weights.bias is None


def seen_by(part: nn.Module, network: nn.Module, *inputs: Tensor) -> tuple[Tensor, ...]:
    caught: list[Any] = []
    hook = part.register_forward_pre_hook(lambda _, inputs: caught.append(inputs))
    network(*inputs)
    hook.remove()
    (found,) = caught
    return tuple(found)


def test_the_discriminator_ends_in_one_number_for_each_channel_of_its_last_map() -> None:
    discriminator = ResidualDiscriminator(ImageSpec(8, 12, 1), 4, 1)
    x = torch.randn(3, 1, 8, 12)
    maps = discriminator.stages(x)
    assert maps.shape == (3, 8, 4, 6)
    (features,) = seen_by(discriminator.head.linear, discriminator, x)
    expected = conv2d(maps, discriminator.basis.transpose(0, 1), groups=8).flatten(1)
    torch.testing.assert_close(features, expected)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_widths_double_from_the_top_down_to_the_widest(depth: int) -> None:
    generator = ResidualGenerator(COLOUR, 5, 6, depth, max_width=24)
    discriminator = ResidualDiscriminator(COLOUR, 6, depth, max_width=24)
    widths = [w for w in (6, 12, 24, 24)[: depth + 1] for _ in range(2)]
    assert [b.reduce.out_channels for b in blocks(generator)] == widths[::-1]
    assert [b.reduce.out_channels for b in blocks(discriminator)] == widths
    assert sum(isinstance(m, Doubling) for m in generator.modules()) == depth
    assert sum(isinstance(m, Halving) for m in discriminator.modules()) == depth


def test_convolutions_start_with_the_published_deviations() -> None:
    """Eight blocks of each network at 32×32: gain √(2/1.04)·8^(−1/4), by the root of the fan-in."""
    gain = sqrt(2 / 1.04) * 8 ** (-1 / 4)
    for network in (
        ResidualGenerator(COLOUR, 64, 64, 3),
        ResidualDiscriminator(COLOUR, 64, 3),
    ):
        assert len(blocks(network)) == 8
        for block in blocks(network):
            width, inner = block.expand.in_channels, block.mix.in_channels
            assert deviation(block.expand) == pytest.approx(gain / sqrt(width), rel=0.05)
            assert deviation(block.mix) == pytest.approx(gain / sqrt(16 * 9), rel=0.05)
            assert inner == 2 * width
            assert not block.reduce.weight.any()
        biases = {n: p for n, p in network.named_parameters() if n.endswith("bias")}
        assert not any(bool(b.any()) for b in biases.values())


def test_bases_and_heads_start_with_the_root_of_their_fan_in() -> None:
    generator = ResidualGenerator(COLOUR, 64, 128, 3)
    discriminator = ResidualDiscriminator(COLOUR, 128, 3)
    assert float(generator.basis.detach().std()) == pytest.approx(1, rel=0.05)
    assert float(discriminator.basis.detach().std()) == pytest.approx(1 / sqrt(4 * 4), rel=0.05)
    assert deviation(generator.weights) == pytest.approx(1 / sqrt(64), rel=0.05)
    assert deviation(generator.head) == pytest.approx(1 / sqrt(128), rel=0.2)
    assert deviation(discriminator.head.linear) == pytest.approx(1 / sqrt(768), rel=0.15)


def deviation(layer: nn.Conv2d | nn.Linear) -> float:
    return float(layer.weight.detach().std())


def test_neither_network_has_any_normalisation() -> None:
    for network in (ResidualGenerator(COLOUR, 5, 4, 2), ResidualDiscriminator(COLOUR, 4, 2)):
        assert not any("norm" in type(m).__name__.lower() for m in network.modules())


def test_at_256_by_256_the_widest_pair_has_the_published_size() -> None:
    """96 channels at the top and 768 from 32×32 down: some 23 M parameters each."""
    spec = ImageSpec(256, 256, 3)
    with torch.device("meta"):
        pair = ResidualGenerator(spec, 64, 96, 6), ResidualDiscriminator(spec, 96, 6)
    widths = [b.reduce.out_channels for b in blocks(pair[1])][::2]
    assert widths == [96, 192, 384, 768, 768, 768, 768]
    for network in pair:
        assert sum(p.numel() for p in network.parameters()) == pytest.approx(23.5e6, rel=0.1)
