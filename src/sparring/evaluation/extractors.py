"""Which extractor a metric looks through: by name, or the best there is without a download.

The kinds of data say what suits them; here they are found by name, and files are opened.
"""

from collections.abc import Iterator
from pathlib import Path

from sparring.data.dataset import Dataset, no_progress
from sparring.data.pack import Progress
from sparring.errors import SparringError, nearest
from sparring.features.extractor import Extractor
from sparring.features.files import SUFFIXES, from_file
from sparring.kinds import KINDS, kind_of

AUTO, FILE = "auto", "FILE"


def choose(name: str, data: Dataset, *, cache: Path, progress: Progress = no_progress) -> Extractor:
    """Return the extractor of this name for the data, fitted to its training part if need be.

    Args:
        name: one of `descriptions`, or the path of a file.
        data: whose real items and samples are to be compared.
        cache: a folder; a classifier is kept below it.
        progress: told of training.

    Raises:
        SparringError: the name is not known, it does not fit the data, or a package or a file
            is missing.
    """
    if Path(name).suffix.lower() in SUFFIXES:
        return from_file(Path(name))
    kind = kind_of(data.spec)
    chosen = kind.measures.default_extractor(data) if name == AUTO else name
    if chosen in kind.measures.EXTRACTORS:
        return kind.measures.build_extractor(chosen, data, cache, progress)
    owners = [other.plural for other in KINDS if chosen in other.measures.EXTRACTORS]
    if owners:
        *others, last = owners
        takers = f"{', '.join(others)} and {last}" if others else last
        raise SparringError(f"the extractor {name} is for {takers}; these are {kind.plural}")
    names = dict(descriptions())
    raise SparringError(
        f"no extractor is called '{name}'{nearest(name, names)}; expected one of {', '.join(names)}"
    )


def descriptions() -> Iterator[tuple[str, str]]:
    """Yield every name that `choose` takes, with a description in one line."""
    yield AUTO, "what suits the data: a classifier where there are labels, or what needs none"
    yield from {n: d for kind in KINDS for n, d in kind.measures.EXTRACTORS.items()}.items()
    yield FILE, "a network of your own: .onnx, or .safetensors of an architecture known here"
