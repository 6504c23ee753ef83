"""The pair with skip-layer excitation: gates from small maps, two paths down, no batch norm."""

from math import sqrt

import pytest
import torch
from torch import nn

from sparring.kinds.images.networks.excitation import (
    Excitation,
    ExcitationDiscriminator,
    ExcitationGenerator,
    TwoPathHalving,
)
from sparring.kinds.images.spec import ImageSpec


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("size", [(4, 4), (7, 7), (3, 5), (16, 9)], ids=str)
def test_gates_are_one_number_between_0_and_1_for_each_channel_of_the_large_map(
    size: tuple[int, int],
) -> None:
    gates = Excitation(6, 3)(50 * torch.randn(2, 6, *size)).detach()
    assert gates.shape == (2, 3, 1, 1)
    assert 0 <= float(gates.min()) < float(gates.max()) <= 1


@pytest.mark.parametrize(
    ("side", "depth", "pairs"),
    [
        (8, 1, [(8, 4)]),
        (16, 2, [(16, 4)]),
        (32, 3, [(32, 4)]),
        (64, 4, [(64, 8), (32, 4)]),
        (64, 5, [(64, 16), (64, 8), (32, 4)]),
    ],
)
def test_maps_eight_times_as_large_are_excited_or_the_farthest_where_there_are_none(
    side: int, depth: int, pairs: list[tuple[int, int]]
) -> None:
    generator = ExcitationGenerator(ImageSpec(side, side, 3), 5, 4, depth, max_width=64)
    found = []
    for module in generator.excitations:
        assert isinstance(module, Excitation)
        first, last = module.gates[1], module.gates[3]
        assert isinstance(first, nn.Conv2d)
        assert isinstance(last, nn.Conv2d)
        found.append((first.in_channels, last.out_channels))
    assert found == pairs


def test_a_gate_opens_and_shuts_the_maps_it_is_for() -> None:
    """With its gates shut, only the head's bias is left of an image."""
    generator = ExcitationGenerator(ImageSpec(32, 32, 1), 5, 4, 3)
    latent = torch.randn(4, 5)
    gate = generator.excitations[0].get_submodule("gates.3")
    assert isinstance(gate, nn.Conv2d)
    with torch.no_grad():
        gate.weight.zero_()
        assert gate.bias is not None
        gate.bias.fill_(30.0)
        opened = generator(latent)
        gate.bias.fill_(-200.0)
        shut = generator(latent)
    assert float(opened.std()) > 1e-3
    assert not shut.any()


def test_the_excited_map_listens_to_the_small_map_and_not_only_through_the_doublings() -> None:
    generator = ExcitationGenerator(ImageSpec(32, 32, 1), 5, 4, 3)
    first, *_ = generator.excitations
    caught: list[torch.Tensor] = []
    first.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    latent = torch.randn(4, 5)
    generator(latent)
    torch.testing.assert_close(caught[0], generator.start(latent))
    assert caught[0].shape == (4, 32, 4, 4)


def test_halving_is_two_paths_that_together_keep_the_variance() -> None:
    halving = TwoPathHalving(3, 5)
    x = torch.randn(2, 3, 9, 12)
    expected = (halving.strided(x) + halving.averaged(x)) / sqrt(2)
    torch.testing.assert_close(halving(x), expected)
    assert halving(x).shape == (2, 5, 4, 6)
    with torch.no_grad():
        for path in (halving.strided, halving.averaged):
            for parameter in path.parameters():
                parameter.zero_()
            assert halving(x).any() == (path is halving.strided)


def test_the_discriminator_halves_as_often_as_asked_without_batch_statistics() -> None:
    discriminator = ExcitationDiscriminator(ImageSpec(32, 32, 3), 4, 3, max_width=8)
    halvings = [m for m in discriminator.modules() if isinstance(m, TwoPathHalving)]
    assert [h.averaged[1].out_channels for h in halvings] == [4, 8, 8]
    norms = nn.modules.batchnorm._NormBase
    assert not any(isinstance(m, norms) for m in discriminator.modules())


@pytest.mark.parametrize(("norm", "layers"), [("batch", 4), ("none", 0)])
def test_the_generator_is_normalised_if_asked(norm: str, layers: int) -> None:
    generator = ExcitationGenerator(ImageSpec(32, 32, 3), 5, 4, 3, norm)  # type: ignore[arg-type]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in generator.modules()) == layers
