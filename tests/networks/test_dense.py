"""The fast product is the plain one, in value, gradient and gradient of the gradient."""

import pytest
import torch
from torch import Tensor, nn

from sparring.networks import dense
from sparring.networks.dense import WORTH_IT, Dense

pytestmark = pytest.mark.skipif(not dense.AVAILABLE, reason="torch was built without oneDNN")

ROWS, SIDE = 64, 300  # large enough to take the fast way


def all_gradients(layer: Dense, x: Tensor) -> list[Tensor]:
    """Value, gradients by input, weight and bias, with a gradient penalty in the loss."""
    x = x.clone().requires_grad_()
    y = layer(x).tanh().sum(1)
    (by_input,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    loss = y.square().sum() + by_input.square().sum()
    return [loss.detach(), by_input.detach(), *torch.autograd.grad(loss, [*layer.parameters(), x])]


def products(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Record which products take the fast way."""
    taken: list[tuple[int, ...]] = []
    plain = dense._Product.apply

    def recording(a: Tensor, b: Tensor) -> Tensor:
        taken.append((*a.shape, len(b)))
        return plain(a, b)

    monkeypatch.setattr(dense._Product, "apply", recording)
    return taken


@pytest.mark.parametrize("bias", [True, False])
def test_both_ways_agree_twice_backward(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, x = Dense(SIDE, SIDE, bias=bias), torch.randn(ROWS, SIDE)
    taken = products(monkeypatch)
    fast = all_gradients(layer, x)
    assert taken
    slow = all_gradients(layer.eval(), x)
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-5 * float(other.abs().max()))


def test_only_large_float32_products_of_training_take_the_fast_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = products(monkeypatch)
    assert ROWS * SIDE * SIDE >= WORTH_IT > 8 * SIDE * SIDE
    Dense(SIDE, SIDE)(torch.randn(8, SIDE))
    Dense(SIDE, SIDE).double()(torch.randn(ROWS, SIDE).double())
    Dense(SIDE, SIDE).eval()(torch.randn(ROWS, SIDE))
    assert taken == []
    Dense(SIDE, SIDE)(torch.randn(ROWS, SIDE))
    assert taken == [(ROWS, SIDE, SIDE)]


def test_a_dense_layer_is_a_linear_layer_to_everybody_else() -> None:
    layer = Dense(3, 2)
    assert isinstance(layer, nn.Linear)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
