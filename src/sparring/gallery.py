"""The samples folder of a run: real items, fakes of fixed latents over time, a progress strip."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sparring.data import sounds, table_files, tables, vectors
from sparring.data.dataset import Dataset
from sparring.data.image_codec import GUTTER, grid, png_bytes
from sparring.data.kinds import decode
from sparring.data.stream import positions
from sparring.data.texts import texts_of
from sparring.runs import write_bytes
from sparring.sampling import sample
from sparring.spec import AudioSpec, ImageSpec, Spec, TableSpec, TextSpec, VectorSpec
from sparring.training.state import State

ROWS = 8
MAX_COLUMNS = 10
STRIP_ROWS = 12
POINTS = 2000
SHOWN = 60  # texts
PLAYED = 8  # sounds that the report plays


def write_real(folder: Path, data: Dataset, seed: int) -> None:
    """Write a picture of some real items as `real.png`."""
    match data.spec:
        case ImageSpec():
            columns = _columns(data.spec)
            sheet = grid(some_real(data, seed, ROWS * columns), columns)
            write_bytes(folder / "real.png", png_bytes(sheet))
        case VectorSpec():
            from sparring.landscapes import draw_points

            real = some_real(data, seed, POINTS)
            write_bytes(folder / "real.png", draw_points(real, data.spec, "data"))
        case TableSpec():
            from sparring.marginals import draw_columns

            real = some_real(data, seed, min(POINTS, len(data.train)))
            picture = draw_columns(data.spec, tables.frame_of(real, data.spec), None)
            write_bytes(folder / "real.png", picture)
        case AudioSpec():
            real = some_real(data, seed, ROWS * _columns(data.spec))
            _write_sounds(folder, "real", real, data.spec)
        case TextSpec():
            real = some_real(data, seed, min(SHOWN, len(data.train)))
            _write_texts(folder / "real.txt", real, data.spec)


def write_fake(folder: Path, state: State, data: Dataset, seed: int) -> Path:
    """Write what the same latents have become as `<images>.png`, and the strip of all so far."""
    path = folder / f"{state.images:09d}.png"
    match data.spec:
        case ImageSpec():
            columns = _columns(data.spec)
            sheet = grid(_fakes(state, data.spec, ROWS * columns), columns)
            write_bytes(path, png_bytes(sheet))
        case VectorSpec():
            from sparring.landscapes import draw_game

            fake = _fakes(state, data.spec, POINTS).numpy()
            real = some_real(data, seed, POINTS)
            write_bytes(path, draw_game(real, fake, state.discriminator, data.spec))
            vectors.write_points(fake, path.with_suffix(".csv"))
        case TableSpec():
            from sparring.marginals import draw_columns

            fake = tables.frame_of(_fakes(state, data.spec, POINTS).numpy(), data.spec)
            rows = some_real(data, seed, min(POINTS, len(data.train)))
            picture = draw_columns(data.spec, tables.frame_of(rows, data.spec), fake)
            write_bytes(path, picture)
            table_files.write(fake, path.with_suffix(".csv"))
        case AudioSpec():
            made = _fakes(state, data.spec, ROWS * _columns(data.spec)).numpy()
            _write_sounds(folder, path.stem, made, data.spec)
        case TextSpec():
            made = _fakes(state, data.spec, SHOWN).numpy()
            _write_texts(path.with_suffix(".txt"), made, data.spec)
            return path.with_suffix(".txt")
    write_strip(folder, state.images, data.spec)
    return path


def _write_sounds(folder: Path, name: str, items: NDArray[Any], spec: AudioSpec) -> None:
    """Write a sheet of sounds as a picture, and the first of them to listen to.

    `fake-0.wav` and so on are always of the newest sheet.
    """
    from sparring.sonograms import cells

    sheet = grid(cells(items, spec), _columns(spec))
    write_bytes(folder / f"{name}.png", png_bytes(sheet))
    prefix = "real" if name == "real" else "fake"
    for i, wave in enumerate(sounds.to_wave(torch.from_numpy(items[:PLAYED])).numpy()):
        write_bytes(folder / f"{prefix}-{i}.wav", sounds.wav_bytes(wave, spec.framing.rate))


def _write_texts(path: Path, items: NDArray[Any], spec: TextSpec) -> None:
    write_bytes(path, "".join(f"{text}\n" for text in texts_of(items, spec)).encode())


def some_real(data: Dataset, seed: int, n: int) -> NDArray[Any]:
    """Return n training items, the same ones each time."""
    return data.items[data.train[positions(len(data.train), seed, 0, n)]]


def grid_labels(spec: Spec, n: int) -> Tensor | None:
    """Return labels that repeat across each row of a grid, None when unconditional."""
    return torch.arange(n) % _columns(spec) if spec.classes else None


def write_strip(folder: Path, images: int, spec: Spec) -> None:
    """Stack the tops of the pictures up to `images`, evenly thinned, as `progress.png`."""
    pictures = [p for p in sorted(folder.glob("[0-9]*.png")) if int(p.stem) <= images]
    rows = [_top(path, spec) for path in _thinned(pictures)]
    strip = Image.new(rows[0].mode, (rows[0].width, sum(row.height for row in rows)))
    top = 0
    for row in rows:
        strip.paste(row, (0, top))
        top += row.height
    write_bytes(folder / "progress.png", png_bytes(strip))


def _fakes(state: State, spec: Spec, n: int) -> Tensor:
    labels = grid_labels(spec, n)
    return decode(torch.cat(list(sample(state.ema, n, labels=labels))), spec)


def _columns(spec: Spec) -> int:
    return min(len(spec.classes), MAX_COLUMNS) or ROWS


def _thinned(paths: Sequence[Path]) -> list[Path]:
    if len(paths) <= STRIP_ROWS:
        return list(paths)
    last = len(paths) - 1
    return [paths[round(i * last / (STRIP_ROWS - 1))] for i in range(STRIP_ROWS)]


def _top(path: Path, spec: Spec) -> Image.Image:
    """Return the first row of a grid of images or sounds, or a whole picture of points."""
    with Image.open(path) as picture:
        rows = ROWS if isinstance(spec, ImageSpec | AudioSpec) else 1
        height = (picture.height - GUTTER) // rows
        return picture.crop((0, 0, picture.width, height))
