"""Named recipes: the default of each kind of data, and the article's; plain nested options.

What is not named here keeps the default of `recipe`.
"""

from sparring.errors import SparringError, nearest
from sparring.kinds import kind_of
from sparring.recipes.common import MANY_ITEMS
from sparring.recipes.sections import Options, Size, merge
from sparring.spec import Spec

NAMES = ("default", "article", "article-mended")


def preset(name: str, size: Size, spec: Spec, items: int = MANY_ITEMS) -> Options:
    """Return the options of a named recipe for so many training items of this spec."""
    match name:
        case "default":
            return kind_of(spec).presets.preset(size, spec, items)
        case "article":
            return ARTICLE
        case "article-mended":
            return ARTICLE_MENDED
    raise SparringError(f"unknown preset '{name}'; known: {', '.join(NAMES)}{nearest(name, NAMES)}")


def data_options(name: str) -> Options:
    """Return what a named recipe asks of the data, before any of it has been read."""
    return {"data": ARTICLE["data"]} if name.startswith("article") else {}


# 100→784→784→784 against 784→784→784→1, as printed: saturates by design of its losses.
ARTICLE: Options = {
    "objective": "mean-squared",
    "order": "alternating",
    "batch": 100,
    "data": {"resolution": "28x28", "channels": "1", "value_range": "0..1"},
    "generator": {
        "network": "mlp",
        "latent": 100,
        "width": 784,
        "depth": 2,
        "activation": "relu",
        "norm": "none",
        "init": "glorot",  # the article's library starts a dense layer so
    },
    "discriminator": {
        "network": "mlp",
        "width": 784,
        "depth": 2,
        "activation": "relu",
        "init": "glorot",
    },
    "optimizer": {"lr": "2e-4", "beta1": 0.5, "beta2": 0.999},
    "ema": {"halflife_images": 0},
}


# The same networks; only what the players minimise, and how, is changed.
ARTICLE_MENDED: Options = merge(
    ARTICLE,
    {
        "objective": "relativistic",
        "order": "simultaneous",
        "batch": 64,
        "optimizer": {"lr": "5e-4 to 0 linear 50%..100%", "beta1": 0.0, "beta2": 0.99},
        "penalties": {
            "r1": {"weight": "0.3", "every": 4},
            "r2": {"weight": "0.3", "every": 4},
        },
        "ema": {"halflife_images": 10_000},
    },
)
