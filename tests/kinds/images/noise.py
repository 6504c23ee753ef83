"""Pictures of random pixels."""

import numpy as np
from PIL import Image


def noise(size: tuple[int, int], mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return an image of random pixels; the same seed gives the same pixels."""
    random = np.random.default_rng([seed, *size])
    return Image.fromarray(random.integers(0, 256, (*size[::-1], 3), np.uint8)).convert(mode)
