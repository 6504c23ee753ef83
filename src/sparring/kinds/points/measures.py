"""What points are measured by: their coordinates. What is known of densities is in `known`."""

from pathlib import Path

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.features.components import COORDINATES, OF_COORDINATES, coordinates
from sparring.features.extractor import Extractor, alone, spread
from sparring.kinds.kind import EvaluatedRun
from sparring.metrics.line import CardLine

EXTRACTORS = {COORDINATES: OF_COORDINATES}
with_companions = alone


def default_extractor(data: Dataset) -> str:
    """Return the one that there is."""
    return COORDINATES


def build_extractor(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return the standardised coordinates."""
    return coordinates(data.items[spread(data.train)])


def card_lines(run: EvaluatedRun) -> tuple[CardLine, ...]:
    """Return none: features of points are the points."""
    return ()
