"""The default recipe of sounds."""

from sparring.kinds.sounds.spec import AudioSpec
from sparring.recipes.common import augment_few, learning_rate
from sparring.recipes.sections import Options, Size, merge

WIDTHS: dict[Size, int] = {"tiny": 32, "small": 64, "base": 192, "large": 384}


def preset(size: Size, spec: AudioSpec, items: int) -> Options:
    """Relativistic pairing with lazy R1 and R2, waves through the inverse STFT, judged on spectra.

    Spoken digits by class, 200 CPU-seconds, one seed: Fréchet distance 2.4, and a classifier knows
    .947 of the samples. Penalties at each eighth step 2.8, .959; twice the width, frames alone and
    150 s 5.9, .880; a rate of 2e-3 diverges. docs/sounds.md has the networks beside each other.
    """
    width = WIDTHS[size]
    lazy = {"weight": "1", "every": 4}
    chosen = {
        "objective": "relativistic",
        "order": "simultaneous",
        "batch": 16,
        "generator": {"network": "istft", "latent": 64, "width": width, "norm": "none"},
        "discriminator": {"network": "frames", "width": width},
        "optimizer": {"lr": learning_rate(width)},
        "penalties": {"r1": lazy, "r2": lazy},
        "ema": {"halflife_images": 5_000},
    }
    return merge(chosen, augment_few(items, "gain shift speed pitch"))
