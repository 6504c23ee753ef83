"""What training reveals of rows and hides of networks, as functions of a draw.

Not inside: what networks make of it (`network`).
"""

import numpy as np
import torch
from numpy.random import Generator, Philox
from torch import Tensor

from sparring.draws import Draw

SHARE_OF_ANY = 0.1  # of revealing rows reveal any number of cells; the others few
LEVELS = 256  # of a random byte
SEEDS = 2**52


def revealed(draw: Draw, rows: int, columns: int) -> Tensor:
    """Return which cells rows reveal, (rows, columns): 1, 2, 3, … with probability ½, ¼, ⅛, …"""
    u = draw.uniform("table/revealed", (rows, 2)).double()
    order = draw.uniform("table/columns", (rows, columns)).argsort(1).argsort(1)
    few = 1 - u[:, 0].log2().ceil()
    count = torch.where(u[:, 1] < SHARE_OF_ANY, (u[:, 0] * columns).floor(), few)
    return order < count[:, None]


def kept_units(draw: Draw, shape: tuple[int, ...], dropout: float) -> Tensor:
    """Return factors of hidden units: 0 of the share that is dropped, else 1 over the other.

    A byte decides for each, so that the share is a multiple of 1/256.
    """
    dropped = round(dropout * LEVELS)
    key = int(draw.integers("table/dropout", 1, SEEDS))
    drawn = Generator(Philox(key=key)).integers(0, LEVELS, shape, np.uint8)
    kept = torch.from_numpy(drawn) >= dropped
    return kept.float().mul_(LEVELS / (LEVELS - dropped))
