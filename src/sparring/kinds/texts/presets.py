"""The default recipe of texts."""

from sparring.kinds.texts.spec import TextSpec
from sparring.recipes.common import learning_rate
from sparring.recipes.sections import Options, Size

WIDTHS: dict[Size, int] = {"tiny": 32, "small": 64, "base": 256, "large": 512}


def preset(size: Size, spec: TextSpec, items: int) -> Options:
    """Relativistic pairing with lazy R1 and R2, on one-hot columns.

    Names, 90 CPU-seconds of a busy machine, one seed: JS of 4-grams .471 bits. At 2e-3 it is .483,
    and in two minutes of an idle machine three seeds of three collapse; 4e-3 does at once.
    Simultaneous play forgets what it knew (.63 and rising); 60 seconds at 2e-3 give .484, with
    batch 128 .506, with half the discriminator's rate .520.
    """
    width = WIDTHS[size]
    lazy = {"weight": "0.2", "every": 4}
    return {
        "objective": "relativistic",
        "order": "alternating",
        "batch": 64,
        "generator": {"network": "sequence", "latent": 64, "width": width, "norm": "none"},
        "discriminator": {"network": "sequence", "width": width},
        "optimizer": {"lr": learning_rate(width)},
        "penalties": {"r1": lazy, "r2": lazy},
        "ema": {"halflife_images": 20_000},
    }
