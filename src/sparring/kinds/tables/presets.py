"""The default recipe of tables."""

from sparring.kinds.tables.spec import TableSpec
from sparring.recipes.sections import Options, Size

SMALL = 3_000  # training rows; fewer are learned by several small networks
WIDTHS: dict[Size, int] = {"tiny": 128, "small": 256, "base": 512, "large": 1024}


def preset(size: Size, spec: TableSpec, items: int) -> Options:
    """A generator learned by likelihood as far as the budget goes, and a discriminator against it.

    The discriminator's game is relativistic, with lazy R1 and R2, as is the game of both
    (`--generator.network tabular`).
    """
    width, network = WIDTHS[size], "autoregressive" if items >= SMALL else "ensemble"
    lazy = {"weight": "0.02", "every": 8}
    return {
        "objective": "relativistic",
        "order": "alternating",
        "batch": 250,
        "generator": {
            "network": network,
            "latent": 64,
            "width": width,
            "norm": "none",
            "warm_start": 0,  # as many rows as the budget allows
        },
        "discriminator": {"network": "tabular", "width": width},
        "optimizer": {"lr": "5e-4 to 0 linear 50%..100%"},
        "penalties": {"r1": lazy, "r2": lazy},
        "ema": {"halflife_images": 50_000},
    }
