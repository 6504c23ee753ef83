"""Recipes by kind, size and resolution, and the named ones; plain nested options, no objects.

What is not named here keeps the default of `recipe`. The figures behind the choices are printed
by `benchmarks/quality.py` and `benchmarks/densities.py`; base and large follow a publication.
"""

from math import exp, log, sqrt

from sparring.errors import SparringError, nearest
from sparring.recipe import Options, Size, merge
from sparring.spec import AudioSpec, ImageSpec, Spec, TableSpec, TextSpec, VectorSpec

FULLY_CONNECTED_SIDE = 16  # below it an image has too few pixels for convolutions to pay
THINNEST = 4  # and so has one with a side below this
WIDEST_LATENT = 64  # for points of more coordinates

FEW, MANY = 500, 3_000  # training items: with fewer, the discriminator learns them by heart

_CONVOLUTIONAL_WIDTHS: dict[Size, tuple[int, int]] = {  # of generator, discriminator
    "tiny": (16, 8),
    "small": (32, 16),
}
_RESIDUAL_WIDTHS: dict[Size, int] = {"base": 384, "large": 768}  # at the top, up to 32×32

# Huang 2024 at 32×32 (CIFAR-10), 64×64 and 256×256 (FFHQ): pixels, and what was used there
GAMMA = ((32**2, 0.05), (64**2, 2.0), (256**2, 150.0))
HALFLIFE_IMAGES = ((32**2, 5e6), (64**2, 5e5))
AUGMENTED = ((32**2, 0.55), (64**2, 0.3))  # probability at the end
_SEQUENCE_WIDTHS: dict[Size, int] = {"tiny": 32, "small": 64, "base": 256, "large": 512}
_FRAMES_WIDTHS: dict[Size, int] = {"tiny": 32, "small": 64, "base": 192, "large": 384}
_TABULAR_WIDTHS: dict[Size, int] = {"tiny": 128, "small": 256, "base": 512, "large": 1024}
_FULLY_CONNECTED_WIDTHS: dict[Size, int] = {"tiny": 64, "small": 128, "base": 512, "large": 1024}


def preset(name: str, size: Size, spec: Spec, items: int = MANY) -> Options:
    """Return the options of a named recipe for so many training items of this spec."""
    match name:
        case "default":
            match spec:
                case VectorSpec():
                    return _points(size, spec)
                case TableSpec():
                    return _tables(size)
                case TextSpec():
                    return _texts(size)
                case AudioSpec():
                    return merge(_sounds(size), _few(items, "gain shift speed pitch"))
            sides = spec.height, spec.width
            few_pixels = max(sides) < FULLY_CONNECTED_SIDE or min(sides) < THINNEST
            if few_pixels:
                return _fully_connected(size)
            if size in _RESIDUAL_WIDTHS:
                return _residual(size, spec)
            return merge(_convolutional(size, spec), _few(items, "translate scale rotate"))
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
    return {
        "generator": {"width": generator, "latent": 64, "upsampling": "nearest"},
        "discriminator": {"width": discriminator},
        "optimizer": {"lr": "2e-3 to 0 linear 50%..100%"},
        "penalties": {"r1": {"weight": f"{gamma:g}", "every": 8}},
    }


def _residual(size: Size, spec: ImageSpec) -> Options:
    """The recipe of R3GAN (Huang 2024, appendix), for a GPU; large has its published widths.

    There the schedules span 20 M images. Here they span the budget: the same for a budget of 20 M,
    while in a shorter one the rates and penalties of the first images would simply stay. For the
    same reason the average's half-life, published as a schedule that ends at 5 M or 0.5 M images,
    is that share of the images seen. Base has half as many channels at the top.
    Images are augmented as there, but neither mirrored nor turned by 90°: right for clothes and
    landscapes, both would teach letters and faces wrong; `augment.kinds` adds them.
    """
    pixels = spec.height * spec.width
    width = max(8 * round(_RESIDUAL_WIDTHS[size] * min(32 / sqrt(pixels), 1) / 8), 8)
    gamma, halflife = by_pixels(pixels, GAMMA), by_pixels(pixels, HALFLIFE_IMAGES)
    augmented = by_pixels(pixels, AUGMENTED)
    falling = {"weight": f"{gamma:.3g} to {gamma / 10:.3g} cosine"}
    return {
        "objective": "relativistic",
        "order": "alternating",
        "batch": 512 if pixels <= 32**2 else 256,
        "generator": {
            "network": "residual",
            "latent": 64,
            "width": width,
            "activation": "leaky_relu",
            "norm": "none",
        },
        "discriminator": {"network": "residual", "width": width},
        "optimizer": {"lr": "2e-4 to 5e-5 cosine", "beta2": "0.9 to 0.99 cosine"},
        "penalties": {"r1": falling, "r2": falling},
        "augment": {
            "kinds": "translate scale rotate colour cutout",
            "probability": f"0 to {augmented:.3g} cosine",
        },
        "ema": {"halflife_images": round(halflife), "ramp": round(halflife / 20e6, 4)},
    }


def by_pixels(pixels: int, table: tuple[tuple[int, float], ...]) -> float:
    """Return a table's value for so many pixels: a power law between entries, flat outside."""
    (least, first), *above = table
    for most, last in above:
        if pixels < most:
            share = max(log(pixels / least) / log(most / least), 0.0)
            return exp(log(first) + share * log(last / first))
        least, first = most, last
    return first


def _few(items: int, kinds: str) -> Options:
    """Augment few items: half of the time, or of some thousand more and more of it.

    Chosen on clothes by what the test for copying says; docs/images.md has the figures.
    """
    if items >= MANY:
        return {}
    probability = "0.5" if items < FEW else "0 to 0.5 linear"
    return {"augment": {"kinds": kinds, "probability": probability}}


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


def _tables(size: Size) -> Options:
    """Relativistic pairing with lazy R1 and R2, on rows of numbers and categories.

    On diamonds, 60 CPU-seconds of a busy machine, seed 0: trees trained on samples explain .940 of
    the price of held-out rows and another half is told from real with an area of .862. Batch 500:
    .936 and .866; simultaneous .928 and .880; R1 and R2 of .05 and simultaneous .932 and .868.
    """
    width = _TABULAR_WIDTHS[size]
    lazy = {"weight": "0.02", "every": 8}
    return {
        "objective": "relativistic",
        "order": "alternating",
        "batch": 250,
        "generator": {"network": "tabular", "latent": 64, "width": width, "norm": "none"},
        "discriminator": {"network": "tabular", "width": width},
        "optimizer": {"lr": "5e-4 to 0 linear 50%..100%"},
        "penalties": {"r1": lazy, "r2": lazy},
        "ema": {"halflife_images": 50_000},
    }


def _rate(width: int) -> str:
    """Return the learning rate that networks of this width bear: wider ones collapse sooner."""
    return f"{1e-3 * min(1.0, 64 / width):.2g} to 0 linear 50%..100%"


def _sounds(size: Size) -> Options:
    """Relativistic pairing with lazy R1 and R2, waves through the inverse STFT, judged on spectra.

    Spoken digits by class, 200 CPU-seconds, one seed: Fréchet distance 2.4, and a classifier knows
    .947 of the samples. Penalties at each eighth step 2.8, .959; twice the width, frames alone and
    150 s 5.9, .880; a rate of 2e-3 diverges. docs/sounds.md has the networks beside each other.
    """
    width = _FRAMES_WIDTHS[size]
    lazy = {"weight": "1", "every": 4}
    return {
        "objective": "relativistic",
        "order": "simultaneous",
        "batch": 16,
        "generator": {"network": "istft", "latent": 64, "width": width, "norm": "none"},
        "discriminator": {"network": "frames", "width": width},
        "optimizer": {"lr": _rate(width)},
        "penalties": {"r1": lazy, "r2": lazy},
        "ema": {"halflife_images": 5_000},
    }


def _texts(size: Size) -> Options:
    """Relativistic pairing with lazy R1 and R2, on one-hot columns.

    Names, 90 CPU-seconds of a busy machine, one seed: JS of 4-grams .471 bits. At 2e-3 it is .483,
    and in two minutes of an idle machine three seeds of three collapse; 4e-3 does at once.
    Simultaneous play forgets what it knew (.63 and rising); 60 seconds at 2e-3 give .484, with
    batch 128 .506, with half the discriminator's rate .520.
    """
    width = _SEQUENCE_WIDTHS[size]
    lazy = {"weight": "0.2", "every": 4}
    return {
        "objective": "relativistic",
        "order": "alternating",
        "batch": 64,
        "generator": {"network": "sequence", "latent": 64, "width": width, "norm": "none"},
        "discriminator": {"network": "sequence", "width": width},
        "optimizer": {"lr": _rate(width)},
        "penalties": {"r1": lazy, "r2": lazy},
        "ema": {"halflife_images": 20_000},
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
