"""Row 33: when the discriminator, which sees augmented samples only, still determines p = q.

Notation: a the probability that an augmentation is applied at all, T its leak operator.
"""

import torch
from torch import Tensor

from sparring.theory import leak
from sparring.theory.statements.statement import Check, Statement

PICTURE = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
ORBIT = torch.stack([PICTURE.rot90(turns) for turns in range(4)])  # all four turns of one picture
DISTRIBUTION = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)


def quarter_turns(probability: float) -> Tensor:
    """Return T of rotating by k quarter turns, k uniform on {0, 1, 2, 3}, with a probability."""
    moves = [lambda image, turns=turns: image.rot90(turns) for turns in range(4)]
    return leak.operator(ORBIT, moves, probability)


def eigenvalue_gap(probability: float) -> float:
    """Return how far T's eigenvalues lie from {1 − a, 1 − a, 1 − a, 1}."""
    eigenvalues = torch.linalg.eigvalsh(quarter_turns(probability))
    expected = torch.tensor([1 - probability] * 3 + [1.0], dtype=torch.float64)
    return float((eigenvalues - expected).abs().max())


def _quarter_turns() -> tuple[Check, ...]:
    often, always = quarter_turns(0.7), quarter_turns(1.0)
    restored = leak.recover(often, often @ DISTRIBUTION)
    difference = float((always @ (DISTRIBUTION - DISTRIBUTION.flip(0))).abs().max())
    gaps = [eigenvalue_gap(a) for a in (0.0, 0.3, 0.7, 0.99, 1.0)]
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
