"""The noise of networks that draw categories by the Gumbel-max trick (Jang 2017; Maddison 2017)."""

import torch
from torch import Tensor

MAX_DEVIATIONS = 5.0  # standard deviations of the normal numbers; beyond, Φ rounds to 0 or 1


def gumbel(normal: Tensor) -> Tensor:
    """Map N(0, 1) to the standard Gumbel law, −ln(−ln Φ), within five standard deviations."""
    z = normal.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
    upper_tail = torch.erfc(z * 0.5**0.5) / 2  # 1 − Φ(z)
    return -torch.log(-torch.log1p(-upper_tail))
