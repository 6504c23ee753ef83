"""Augmentation: random changes of what the discriminator sees, of reals and fakes alike.

Inside: `Augmentation`, which draws the amounts and decides how often changes are applied, and
bilinear sampling that can be differentiated again and again. Not inside: the changes themselves,
which each kind of data has of its own, and where in a step they act.

Each sample undergoes each kind of change with probability p, on its own. When it does, the amount
follows a law that is uniform on a whole circle of changes (flips, turns: the identity is one of
them), Gaussian, or the difference of two uniforms. Such laws have no negative Fourier coefficient,
so that what they do in the mean never undoes the share 1 − p of unchanged samples: the leak
operator is invertible for every p < 1 (Karras 2020, appendix C; `theory.leak`). It is singular at
p = 1, and nearly so close to it, whence a `limit`.

Notation: n samples; p the probability of a change.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.schedules import Schedule

Change = Callable[[Tensor], Tensor]  # a batch to one of the same shape

WINDOW = 4  # discriminator moves between two corrections of an adaptive probability


class RandomAmounts(NamedTuple):
    """The random numbers of one kind of change."""

    on: Tensor  # (n,), whether to change a sample at all
    u: Tensor  # (k, n), uniform on (0, 1)


@dataclass(frozen=True)
class Adaptive:
    """A probability that holds the mean sign of the reals' logits at a target (Karras 2020).

    A discriminator that remembers its reals is sure of them: the sign nears 1.
    """

    target: float = 0.6
    horizon_images: float = 500_000.0  # in which the probability can go from 0 to 1


@dataclass(frozen=True)
class Augmentation(ABC):
    """Which changes are applied, and how often; each kind of data has a subclass.

    A subclass declares in `amounts_per_kind` how many random numbers each kind of change takes
    beside its coin, in the order in which changes are applied. All are always drawn, so that those
    of one kind do not depend on which others are chosen.
    """

    kinds: tuple[str, ...]
    probability: Schedule | Adaptive
    limit: float = 0.8  # no probability goes beyond it

    amounts_per_kind: ClassVar[Mapping[str, int]]
    batch_ndim: ClassVar[int]
    sample_name: ClassVar[str]  # in the plural: what it can be applied to

    @abstractmethod
    def changes(self, amounts: Mapping[str, RandomAmounts], like: Tensor) -> Iterator[Change]:
        """Yield the chosen changes in their order, of a batch shaped like this one."""

    def bind(self, draw: Draw, purpose: str, p: float, like: Tensor) -> Change:
        """Return one random change of batches shaped like this one: at each call the same one.

        Row i of the batch is changed as sample `draw.start + i`, however many rows there are.

        Raises:
            SparringError: `like` is not a batch of this kind of data.
        """
        if like.ndim != self.batch_ndim:
            raise SparringError(
                f"this augmentation is for {self.sample_name}, and a sample has shape "
                f"{tuple(like.shape[1:])}; leave it out"
            )
        if p <= 0:
            return unchanged
        changes = tuple(self.changes(self._amounts(draw, purpose, p, like), like))
        return lambda x: reduce(lambda changed, change: change(changed), changes, x)

    def _amounts(
        self, draw: Draw, purpose: str, p: float, like: Tensor
    ) -> dict[str, RandomAmounts]:
        """Draw a coin and the amounts of every kind of change, for each sample."""
        kinds, sizes = list(self.amounts_per_kind), list(self.amounts_per_kind.values())
        width = len(kinds) + sum(sizes)
        numbers = draw.uniform(purpose, (len(like), width), like=like.detach()).T
        coins, uniform = numbers[: len(kinds)] < p, numbers[len(kinds) :]
        parts = zip(coins, uniform.split_with_sizes(sizes), strict=True)
        return {kind: RandomAmounts(*part) for kind, part in zip(kinds, parts, strict=True)}

    def at(self, images: int, adaptive: float) -> float:
        """Return the probability when so many samples have been seen, given the adaptive one."""
        match self.probability:
            case Adaptive():
                return self._limited(adaptive)
            case schedule:
                return self._limited(schedule(images))

    def adapted(self, p: float, sign: float, images: int) -> float:
        """Return what p becomes after samples of this mean sign (Karras 2020, section 3)."""
        match self.probability:
            case Adaptive(target, horizon):
                direction = (sign > target) - (sign < target)
                return self._limited(p + direction * images / horizon)
            case _:
                return p

    def _limited(self, p: float) -> float:
        return min(max(p, 0.0), self.limit)


def unchanged(x: Tensor) -> Tensor:
    """Return x itself."""
    return x


class BilinearSampling(torch.autograd.Function):
    """Maps (n, c, h, w) at the points of a grid (n, h, w, 2), 0 outside; linear in the maps.

    Torch's own sampling could not be differentiated twice for long, as R1 and R2 ask. But the
    gradient of a linear map is its adjoint, whose gradient is the map again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        return torch.grid_sampler_2d(x, grid, 0, 0, False)  # bilinear, zeros

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return BilinearSpreading.apply(grad, *ctx.saved_tensors), None  # type: ignore[no-untyped-call]


class BilinearSpreading(torch.autograd.Function):
    """The adjoint of `BilinearSampling`: adds each value to the cells it would be read from."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        input_only = [True, False]  # no gradient of the grid
        adjoint = torch.ops.aten.grid_sampler_2d_backward
        return adjoint(y.contiguous(), y, grid, 0, 0, False, input_only)[0]  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return BilinearSampling.apply(grad, *ctx.saved_tensors), None  # type: ignore[no-untyped-call]
