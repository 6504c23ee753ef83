"""Blocks: conditioning and projection against their formulas, ranges, activations."""

import pytest
import torch
from torch import nn

from sparring.kinds.images.spec import ImageSpec
from sparring.networks.blocks import LEAK, Conditioning, Projection, activation, output_range


def test_projection_is_a_linear_logit_plus_the_features_on_the_label() -> None:
    projection = Projection(6, 3)
    features, label = torch.randn(5, 6), torch.tensor([0, 2, 1, 2, 0])
    w, b = projection.linear.weight[0], projection.linear.bias
    assert projection.embed is not None
    v = projection.embed.weight
    expected = torch.stack([features[i] @ w + b[0] + features[i] @ v[label[i]] for i in range(5)])
    torch.testing.assert_close(projection(features, label), expected)


def test_projection_without_classes_is_linear_and_ignores_labels() -> None:
    projection = Projection(6, 0)
    features = torch.randn(5, 6)
    expected = projection.linear(features)[:, 0]
    assert torch.equal(projection(features, None), expected)
    assert torch.equal(projection(features, torch.zeros(5, dtype=torch.int64)), expected)


def test_a_fresh_projection_says_nothing_about_the_label() -> None:
    torch.manual_seed(0)
    projection, features = Projection(9, 5), torch.randn(4, 9)
    unconditional = projection.linear(features).squeeze(1)
    assert torch.equal(projection(features, torch.tensor([0, 1, 2, 4])), unconditional)


def test_conditioning_joins_an_embedding_of_the_label() -> None:
    conditioning = Conditioning(4, 3)
    latent, label = torch.randn(2, 4), torch.tensor([2, 0])
    joined = conditioning(latent, label)
    assert joined.shape == (2, conditioning.width) == (2, 8)
    assert torch.equal(joined[:, :4], latent)
    assert conditioning.embed is not None
    assert torch.equal(joined[:, 4:], conditioning.embed.weight[label])


def test_conditioning_without_classes_is_the_latent_itself() -> None:
    conditioning = Conditioning(4, 0)
    latent = torch.randn(2, 4)
    assert conditioning(latent, None) is latent
    assert conditioning.width == 4
    assert list(conditioning.parameters()) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("relu", nn.ReLU), ("leaky_relu", nn.LeakyReLU), ("silu", nn.SiLU)]
)
def test_an_activation_is_what_its_name_says(name: str, kind: type[nn.Module]) -> None:
    module = activation(name)  # type: ignore[arg-type]
    assert isinstance(module, kind)
    if name == "leaky_relu":
        assert float(module(torch.tensor(-1.0))) == pytest.approx(-LEAK)


def test_the_output_stays_in_the_range_of_the_spec() -> None:
    extremes = torch.tensor([-50.0, 0.0, 50.0])
    assert output_range(ImageSpec(4, 4, 1))(extremes).tolist() == [-1.0, 0.0, 1.0]
    unit = output_range(ImageSpec(4, 4, 1, value_range="0..1"))
    assert unit(extremes).tolist() == pytest.approx([0.0, 0.5, 1.0])
