"""When augmented samples determine the true distribution: the leak operator of an augmentation.

The discriminator sees augmented reals and augmented fakes only. On a finite space an augmentation
is a Markov operator T that takes the distribution of samples to that of augmented samples; equal
T p and T q imply p = q exactly if T is invertible. Otherwise the augmentation leaks: the generator
may make what the augmentation makes (Karras 2020, appendix C).

Not here: the augmentations themselves.

Notation: n points, K moves (rotations, flips) that permute them, a the probability of any move.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sparring.errors import SparringError
from sparring.theory.finite import as_distribution

Move = Callable[[Tensor], Tensor]  # one point to another

MIN_SINGULAR_VALUE = 1e-12  # below it the operator counts as singular


def operator(points: Tensor, moves: Sequence[Move], probability: float) -> Tensor:
    """Return T of shape (n, n), column to row: with some probability, a uniform one of the moves.

    T = (1 − a) I + (a/K) Σ Rₖ. That the identity is among the moves is up to the caller.

    Args:
        points: all points of the space, (n, …), closed under the moves.
        moves: functions of one point.
        probability: a, of drawing a move at all.

    Raises:
        SparringError: a probability outside [0, 1], no moves, or a move that leaves the space.
    """
    if not (0 <= probability <= 1 and moves):
        raise SparringError(
            f"{len(moves)} moves with probability {probability}; expected some, within [0, 1]"
        )
    n = len(points)
    moved = torch.zeros(n, n, dtype=torch.float64)
    for move in moves:
        for column in range(n):
            moved[_index(points, move(points[column])), column] += 1
    identity = torch.eye(n, dtype=torch.float64)
    return (1 - probability) * identity + probability * moved / len(moves)


def singular(operator: Tensor) -> bool:
    """Return whether T leaks: two distributions that differ may look the same through it."""
    return float(torch.linalg.svdvals(operator)[-1]) < MIN_SINGULAR_VALUE


def recover(operator: Tensor, observed: Tensor) -> Tensor:
    """Return the one q, (n,), with T q as observed.

    Raises:
        SparringError: T is singular, so that the observed determines no q.
    """
    observed = as_distribution("observed", observed, operator[0])
    if singular(operator):
        raise SparringError("the operator is singular: the augmentation leaks; apply it less often")
    distribution: Tensor = torch.linalg.solve(operator, observed)
    return distribution


def _index(points: Tensor, point: Tensor) -> int:
    same = (points == point).flatten(1).all(1).nonzero()
    if len(same) != 1:
        raise SparringError(
            f"a move leads to {len(same)} of the points; expected exactly one: list the whole orbit"
        )
    return int(same)
