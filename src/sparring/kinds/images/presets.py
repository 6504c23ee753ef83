"""The default recipes of images, by size and resolution.

The figures behind the choices are printed by `benchmarks/quality.py`; base and large follow a
publication.
"""

from math import exp, log, sqrt

from sparring.kinds.images.spec import ImageSpec
from sparring.recipes.common import FULLY_CONNECTED_WIDTHS, augment_few
from sparring.recipes.sections import Options, Size, merge

MIN_CONVOLUTION_SIDE = 16  # below it an image has too few pixels for convolutions to pay
MIN_SHORT_SIDE = 4  # and so has one with a side below this
_CONVOLUTIONAL_WIDTHS: dict[Size, tuple[int, int]] = {  # of generator, discriminator
    "tiny": (16, 8),
    "small": (32, 16),
}
_RESIDUAL_WIDTHS: dict[Size, int] = {"base": 384, "large": 768}  # at the top, up to 32×32


# Huang 2024 at 32×32 (CIFAR-10), 64×64 and 256×256 (FFHQ): pixels, and what was used there
GAMMA = ((32**2, 0.05), (64**2, 2.0), (256**2, 150.0))
HALFLIFE_IMAGES = ((32**2, 5e6), (64**2, 5e5))
AUGMENTED = ((32**2, 0.55), (64**2, 0.3))  # probability at the end


def preset(size: Size, spec: ImageSpec, items: int) -> Options:
    """Choose convolutions where an image has pixels enough, residual ones from base on."""
    sides = spec.height, spec.width
    if max(sides) < MIN_CONVOLUTION_SIDE or min(sides) < MIN_SHORT_SIDE:
        return _fully_connected(size)
    if size in _RESIDUAL_WIDTHS:
        return _residual(size, spec)
    return merge(_convolutional(size, spec), augment_few(items, "translate scale rotate"))


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


def _fully_connected(size: Size) -> Options:
    """Relativistic pairing with lazy R1 and R2."""
    width = FULLY_CONNECTED_WIDTHS[size]
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
