"""Layers of several members side by side, and sums over the steps before each.

Notation: G members, n rows, T steps.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding


def uniform(*shape: int, fan_in: int) -> nn.Parameter:
    """Return a parameter from U(±1/√fan_in)."""
    bound = 1 / math.sqrt(max(fan_in, 1))
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class Linears(nn.Module):
    """A linear map of each member: (G, n, fan_in) → (G, n, fan_out)."""

    def __init__(self, members: int, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = uniform(members, fan_in, fan_out, fan_in=fan_in)
        self.bias = uniform(members, 1, fan_out, fan_in=fan_in)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class StepLinears(nn.Module):
    """A linear map of each member and step: (G, T, n, fan_in) → (G, T, n, fan_out).

    Weights lie flat, for a tensor of four dimensions counts as pictures where memory is laid out.
    """

    def __init__(self, members: int, steps: int, fan_in: int, fan_out: int, scale: int = 0) -> None:
        super().__init__()
        self.shape = members, steps, fan_in, fan_out
        self.weight = uniform(members * steps, fan_in, fan_out, fan_in=scale or fan_in)
        self.bias = uniform(members * steps, 1, fan_out, fan_in=scale or fan_in)

    def forward(self, x: Tensor) -> Tensor:
        members, steps, _, fan_out = self.shape
        out = torch.baddbmm(self.bias, x.flatten(0, 1), self.weight)
        return out.view(members, steps, -1, fan_out)

    def at(self, step: int, x: Tensor) -> Tensor:
        """Return the map of one step alone, (G, n, fan_in) → (G, n, fan_out)."""
        members, steps, fan_in, fan_out = self.shape
        weight = self.weight.view(members, steps, fan_in, fan_out)[:, step]
        return torch.baddbmm(self.bias.view(members, steps, 1, fan_out)[:, step], x, weight)


class Embeddings(nn.Module):
    """A vector of each token for each member: (…) → (G, …, width)."""

    def __init__(self, members: int, tokens: int, width: int) -> None:
        super().__init__()
        self.members, self.count = members, tokens
        self.weight = nn.Parameter(torch.randn(members * tokens, width))

    def forward(self, tokens: Tensor) -> Tensor:
        of_members = torch.stack([tokens + g * self.count for g in range(self.members)])
        return embedding(of_members, self.weight)


def sums_before(terms: Tensor) -> Tensor:
    """Return for each step of terms (G, T, n, d) the sum of those before it."""
    sums: Tensor = _Before.apply(terms)  # type: ignore[no-untyped-call]
    return sums


def sums_after(terms: Tensor) -> Tensor:
    """Return for each step of terms (G, T, n, d) the sum of those after it."""
    sums: Tensor = _After.apply(terms)  # type: ignore[no-untyped-call]
    return sums


class _Before(torch.autograd.Function):
    """Step by step: `cumsum` over any but the last dimension is many times slower."""

    @staticmethod
    def forward(ctx: Any, terms: Tensor) -> Tensor:
        return _before(terms)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _after(gradients[0])


class _After(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, terms: Tensor) -> Tensor:
        return _after(terms)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _before(gradients[0])


def _before(terms: Tensor) -> Tensor:
    sums = torch.empty_like(terms)
    sums[:, 0] = 0
    for step in range(1, terms.shape[1]):
        torch.add(sums[:, step - 1], terms[:, step - 1], out=sums[:, step])
    return sums


def _after(terms: Tensor) -> Tensor:
    sums = torch.empty_like(terms)
    sums[:, -1] = 0
    for step in range(terms.shape[1] - 1, 0, -1):
        torch.add(sums[:, step], terms[:, step], out=sums[:, step - 1])
    return sums
