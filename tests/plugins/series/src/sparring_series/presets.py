"""The default recipe of series."""

from sparring.recipes.common import augment_few, learning_rate
from sparring.recipes.sections import Options, Size, merge
from sparring_series.spec import SeriesSpec

WIDTHS: dict[Size, int] = {"tiny": 16, "small": 32, "base": 64, "large": 128}


def preset(size: Size, spec: SeriesSpec, items: int) -> Options:
    """Relativistic pairing of 1-D convolutions, with lazy R1 and R2.

    Births per woman, 40 s, one seed: Fréchet distance 14; non-saturating 21. The fully connected
    pair 26, and non-saturating 15.
    """
    width = WIDTHS[size]
    lazy = {"weight": "1", "every": 4}
    chosen = {
        "objective": "relativistic",
        "order": "simultaneous",
        "batch": 64,
        "generator": {"network": "temporal", "latent": 32, "width": width, "norm": "none"},
        "discriminator": {"network": "temporal", "width": width},
        "optimizer": {"lr": learning_rate(width)},
        "penalties": {"r1": lazy, "r2": lazy},
        "ema": {"halflife_images": 5_000},
    }
    return merge(chosen, augment_few(items, "amplitude"))
