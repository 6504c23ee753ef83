"""Weights and pixels that are the same on every machine, for networks whose own are not here."""

from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.draws import Draw

UPDATES = 150  # of the classifier that tests train


def seeded_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return weights of variance 2 / fan-in, and norms that change every map."""
    weights = {}
    for name, like in network.state_dict().items():
        if "num_batches_tracked" in name:
            continue
        u = 2 * Draw(7).uniform(name, tuple(like.shape)) - 1
        if name.endswith("running_var"):
            weights[name] = 1.25 + 0.25 * u
        elif like.ndim == 1 and name.endswith("weight"):
            weights[name] = 1 + 0.25 * u
        elif like.ndim == 1:
            weights[name] = 0.1 * u
        else:
            weights[name] = sqrt(6 / like[0].numel()) * u
    return weights


def seeded_pixels(n: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Return random images (n, height, width, channels); the first ones are the same for any n."""
    uniform = Draw(3).uniform("pixels", (n, height, width, channels))
    return (256 * uniform).to(torch.uint8).numpy()
