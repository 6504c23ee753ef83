"""The samples folder of a run: real items, fakes of fixed latents over time, a progress strip.

Not inside: what a preview of one kind shows (`kinds/*/output.py`).
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from sparring.data.dataset import Dataset
from sparring.kinds import kind_of
from sparring.plotting import GUTTER, png_bytes
from sparring.runs.folder import write_bytes
from sparring.training.state import State

STRIP_ROWS = 12


def write_real(folder: Path, data: Dataset, seed: int) -> None:
    """Write a picture of some real items as `real.png`; of texts, a list."""
    kind_of(data.spec).output.write_real(folder, data, data.spec, seed)


def write_fake(folder: Path, state: State, data: Dataset, seed: int) -> Path:
    """Write what the same latents have become as `<images>.png`, and the strip of all so far."""
    output = kind_of(data.spec).output
    path = output.write_fake(folder / f"{state.samples_seen:09d}", state, data, data.spec, seed)
    if path.suffix == ".png":
        write_strip(folder, state.samples_seen, output.PREVIEW_ROWS)
    return path


def write_strip(folder: Path, images: int, rows: int) -> None:
    """Stack the tops of the pictures up to `images`, evenly thinned, as `progress.png`.

    Args:
        folder: of the pictures.
        images: samples seen; later pictures are left out.
        rows: of samples in each picture, of which the first is its top.
    """
    pictures = [p for p in sorted(folder.glob("[0-9]*.png")) if int(p.stem) <= images]
    tops = [_top(path, rows) for path in _thinned(pictures)]
    strip = Image.new(tops[0].mode, (tops[0].width, sum(top.height for top in tops)))
    y = 0
    for top in tops:
        strip.paste(top, (0, y))
        y += top.height
    write_bytes(folder / "progress.png", png_bytes(strip))


def _thinned(paths: Sequence[Path]) -> list[Path]:
    if len(paths) <= STRIP_ROWS:
        return list(paths)
    last = len(paths) - 1
    return [paths[round(i * last / (STRIP_ROWS - 1))] for i in range(STRIP_ROWS)]


def _top(path: Path, rows: int) -> Image.Image:
    with Image.open(path) as picture:
        height = (picture.height - GUTTER) // rows
        return picture.crop((0, 0, picture.width, height))
