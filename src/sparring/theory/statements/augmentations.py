"""Row 33: when the discriminator, which sees augmented samples only, still determines p = q.

Quarter turns are written out, and then drawn by the augmentation that training uses, with a grid
of equally likely numbers in the place of random ones.

Notation: a the probability that an augmentation is applied at all, T its leak operator.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sparring.draws import Draw
from sparring.kinds import BUILT_IN
from sparring.schedules import constant
from sparring.theory import leak
from sparring.theory.leak import Move
from sparring.theory.statements.statement import Check, Statement

PICTURE = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
ORBIT = torch.stack([PICTURE.rot90(turns) for turns in range(4)])  # all four turns of one picture
MIRRORED = torch.stack([PICTURE, PICTURE.flip(1)])
DISTRIBUTION = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
PROBABILITIES = (0.0, 0.3, 0.7, 0.95, 1.0)
COINS, AMOUNTS = 20, 4  # equally likely values of either

TURNS: tuple[Move, ...] = tuple(
    lambda image, turns=turns: image.rot90(turns)  # type: ignore[misc]
    for turns in range(4)
)
FLIPS: tuple[Move, ...] = (lambda image: image, lambda image: image.flip(1))


@dataclass(frozen=True)
class Grid(Draw):
    """Every pair of a coin and an amount, in turn, for uniform numbers."""

    kinds: int = 0  # of changes, each with a coin

    def uniform(self, purpose: str, shape: tuple[int, ...], like: Tensor | None = None) -> Tensor:
        """Return the coins of all kinds of change, and then all their amounts."""
        row = torch.arange(shape[0])[:, None]
        coins = ((row % COINS + 0.5) / COINS).expand(-1, self.kinds)
        amounts = (row // COINS % AMOUNTS + 0.5) / AMOUNTS
        return torch.cat([coins, amounts.expand(-1, shape[1] - self.kinds)], 1)


def drawn(change: str, points: Tensor, probability: float) -> Tensor:
    """Return T as the augmentation of training draws it, of points (n, 2, 2)."""
    kind = next(kind for kind in BUILT_IN if change in kind.augmentations)
    spec = kind.spec(height=2, width=2, channels=1)
    augmentation = kind.play.build_augmentation((change,), constant(1), 1.0, spec)
    assert augmentation is not None
    x = points.repeat_interleave(COINS * AMOUNTS, 0)[:, None]
    draw = Grid(0, kinds=len(augmentation.amounts_per_kind))
    changed = augmentation.bind(draw, "leak", probability, x)(x)
    became = (changed == points).flatten(2).all(2).double()
    return became.view(len(points), COINS * AMOUNTS, len(points)).mean(1).T


def drawn_gap(change: str, points: Tensor, moves: Sequence[Move]) -> float:
    """Return how far that is from T of moves written out, at any probability."""
    gaps = [drawn(change, points, a) - leak.operator(points, moves, a) for a in PROBABILITIES]
    return _largest(torch.stack(gaps))


def quarter_turns(probability: float) -> Tensor:
    """Return T of rotating by k quarter turns, k uniform on {0, 1, 2, 3}, with a probability."""
    return leak.operator(ORBIT, TURNS, probability)


def eigenvalue_gap(probability: float) -> float:
    """Return how far T's eigenvalues lie from {1 − a, 1 − a, 1 − a, 1}."""
    eigenvalues = torch.linalg.eigvalsh(quarter_turns(probability))
    expected = torch.tensor([1 - probability] * 3 + [1.0], dtype=torch.float64)
    return float((eigenvalues - expected).abs().max())


def _quarter_turns() -> tuple[Check, ...]:
    often, always = quarter_turns(0.7), quarter_turns(1.0)
    restored = leak.recover(often, often @ DISTRIBUTION)
    difference = float((always @ (DISTRIBUTION - DISTRIBUTION.flip(0))).abs().max())
    gaps = [eigenvalue_gap(a) for a in PROBABILITIES]
    return (
        Check("largest |eigenvalue − {1, (1−a)×3}|", 0, _largest(torch.tensor(gaps)), 1e-12),
        Check("determinant, a = .7", 0.027, float(torch.linalg.det(often)), 1e-12),
        Check(
            "largest |p told from augmented p − p|, a = .7",
            0,
            _largest(restored - DISTRIBUTION),
            1e-12,
        ),
        Check("a = 1: what tells p from another law", 0, difference, 1e-12),
        Check(
            "turns as training draws them: largest gap", 0, drawn_gap("rot90", ORBIT, TURNS), 1e-12
        ),
        Check("mirrorings, likewise", 0, drawn_gap("flip", MIRRORED, FLIPS), 1e-12),
    )


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        33,
        "Quarter turns with probability a (k uniform on {0,1,2,3}): the leak operator has "
        "eigenvalues {1, (1−a)×3}, singular only at a = 1",
        "Karras 2020, appendix C",
        _quarter_turns,
    ),
)
