"""Recipes by kind, size and resolution, and the named ones; plain nested options, no objects.

What is not named here keeps the default of `recipe`. The figures behind the choices are printed
by `benchmarks/quality.py` and `benchmarks/densities.py`.
"""

from sparring.errors import SparringError, nearest
from sparring.recipe import Options, Size, merge
from sparring.spec import ImageSpec, Spec, VectorSpec

FULLY_CONNECTED_SIDE = 16  # below it an image has too few pixels for convolutions to pay
THINNEST = 4  # and so has one with a side below this
WIDEST_LATENT = 64  # for points of more coordinates

_CONVOLUTIONAL_WIDTHS: dict[Size, tuple[int, int]] = {  # of generator, discriminator
    "tiny": (16, 8),
    "small": (32, 16),
    "base": (64, 64),
    "large": (128, 96),
}
_FULLY_CONNECTED_WIDTHS: dict[Size, int] = {"tiny": 64, "small": 128, "base": 512, "large": 1024}


def preset(name: str, size: Size, spec: Spec) -> Options:
    """Return the options of a named recipe for data of this spec."""
    match name:
        case "default":
            if isinstance(spec, VectorSpec):
                return _points(size, spec)
            sides = spec.height, spec.width
            few_pixels = max(sides) < FULLY_CONNECTED_SIDE or min(sides) < THINNEST
            return _fully_connected(size) if few_pixels else _convolutional(size, spec)
        case "article":
            return ARTICLE
        case "article-mended":
            return ARTICLE_MENDED
    known = ("default", "article", "article-mended")
    raise SparringError(f"unknown preset '{name}'; known: {', '.join(known)}{nearest(name, known)}")


def data_options(name: str) -> Options:
    """Return what a named recipe asks of the data, before any of it has been read."""
    return {"data": ARTICLE["data"]} if name.startswith("article") else {}


def _convolutional(size: Size, spec: ImageSpec) -> Options:
    """Non-saturating with lazy R1, both players through one forward pass.

    R1 sums over pixels: beyond 32×32 its weight grows with their number.
    """
    generator, discriminator = _CONVOLUTIONAL_WIDTHS[size]
    gamma = max(1.0, spec.height * spec.width / 1024)
    rate = "2e-3" if size in ("tiny", "small") else "1e-3"
    return {
        "generator": {"width": generator, "latent": 64, "upsampling": "nearest"},
        "discriminator": {"width": discriminator},
        "optimizer": {"lr": f"{rate} to 0 linear 50%..100%"},
        "penalties": {"r1": {"weight": f"{gamma:g}", "every": 8}},
    }


def _points(size: Size, spec: VectorSpec) -> Options:
    """Alternating play; R1 and R2 fade out, for modes far narrower than the data are wide."""
    width = _FULLY_CONNECTED_WIDTHS[size] // 2
    fading = {"weight": "0.1 to 0.0003 cosine", "every": 8}
    return {
        "objective": "non-saturating",
        "order": "alternating",
        "batch": 64,
        "generator": {
            "network": "mlp",
            "latent": min(spec.size, WIDEST_LATENT),
            "width": width,
            "depth": 3,
            "norm": "none",
        },
        "discriminator": {"network": "mlp", "width": width, "depth": 3},
        "optimizer": {"lr": "2e-3 to 0 linear"},
        "penalties": {"r1": fading, "r2": fading},
    }


def _fully_connected(size: Size) -> Options:
    """Relativistic pairing with lazy R1 and R2."""
    width = _FULLY_CONNECTED_WIDTHS[size]
    return {
        "objective": "relativistic",
        "batch": 64,
        "generator": {"network": "mlp", "latent": 32, "width": width, "depth": 2},
        "discriminator": {"network": "mlp", "width": width, "depth": 2},
        "optimizer": {"lr": "2e-3 to 0 linear"},
        "penalties": {
            "r1": {"weight": "0.3", "every": 4},
            "r2": {"weight": "0.3", "every": 4},
        },
    }


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
