"""Sounds as people get them: WAV files, arrays of waves, sheets of waves and spectrograms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.output import (
    FEATURE,
    MAX_ON_SHEET,
    SHEET_ROWS,
    SHEETS,
    Media,
    draw_items,
    npz_bytes,
    preview_samples,
    sheet_columns,
    training_items,
    unsupported,
    write_file,
)
from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.kinds.sounds.codec import decode, joined, to_wave, wav_bytes
from sparring.kinds.sounds.options import SoundRequests
from sparring.kinds.sounds.spec import AudioSpec
from sparring.plotting import grid, png_bytes
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest
from sparring.training.state import State

PROPERTIES = "How bright, loud and long: held-out sounds, and generated ones."
MEDIA = Media(
    figures={"evaluation-properties.png": PROPERTIES, **SHEETS, **FEATURE},
    players={"fake-[0-9].wav": "Generated", "real-[0-9].wav": "Real"},
)
PREVIEW_ROWS = SHEET_ROWS
PLAYED = 8  # sounds of a preview that a report plays


def sample(
    generator: nn.Module,
    spec: AudioSpec,
    request: SampleRequest,
    *,
    data: Callable[[], Dataset] | None,
    progress: Progress,
) -> Tensor:
    """Return n waves, float32 (n, samples)."""
    return draw_items(generator, spec, request, decode, progress)


def write_real(folder: Path, data: Dataset, spec: AudioSpec, seed: int) -> None:
    """Write a sheet of training sounds as `real.png`, the first as `real-0.wav` and so on."""
    waves = training_items(data, seed, SHEET_ROWS * sheet_columns(spec))
    write_bytes(folder / "real.png", _sheet(waves, spec, sheet_columns(spec)))
    _write_players(folder, "real", waves, spec)


def write_fake(path: Path, state: State, data: Dataset, spec: AudioSpec, seed: int) -> Path:
    """Write a sheet of samples as `.png`.

    The first are written as `fake-0.wav` and so on, which are always of the newest sheet.
    """
    columns = sheet_columns(spec)
    waves = decode(preview_samples(state, spec, SHEET_ROWS * columns), spec).numpy()
    picture = path.with_suffix(".png")
    write_bytes(picture, _sheet(waves, spec, columns))
    _write_players(path.parent, "fake", waves, spec)
    return picture


def write_picture(
    items: NDArray[Any], spec: AudioSpec, path: Path, columns: int | None = None
) -> None:
    """Write a sheet of waves (n, samples), float32 or int16, and their spectrograms."""
    write_file(path, _sheet(items, spec, columns))


def save(
    samples: Any, spec: AudioSpec, path: Path, labels: Tensor | None, own: SoundRequests
) -> None:
    """Write sounds as one `.wav` of all with pauses, `.npz`, a `.png` sheet, or a folder of WAV.

    Raises:
        SparringError: the suffix is none of these, or `bits` are asked of what is no WAV file.
    """
    waves, rate = np.asarray(samples), spec.framing.rate
    if own.bits != "16" and path.suffix.lower() in (".npz", ".png"):
        raise SparringError(f"'bits' is asked of WAV files; '{path.name}' is none")
    match path.suffix.lower():
        case ".wav":
            write_file(path, wav_bytes(joined(waves, rate), rate, own.bits))
        case ".npz":
            write_file(path, npz_bytes(labels, sounds=waves, rate=np.array(rate)))
        case ".png":
            write_picture(waves, spec, path)
        case "":
            for i, wave in enumerate(waves):
                write_file(path / f"{i:06d}.wav", wav_bytes(wave, rate, own.bits))
            write_picture(waves[:MAX_ON_SHEET], spec, path / "sheet.png")
        case other:
            raise unsupported(other, ".wav, .npz, .png or a folder")


def _sheet(items: NDArray[Any], spec: AudioSpec, columns: int | None) -> bytes:
    from sparring.kinds.sounds.figures import cells

    return png_bytes(grid(cells(items, spec), columns))


def _write_players(folder: Path, name: str, items: NDArray[Any], spec: AudioSpec) -> None:
    for i, wave in enumerate(to_wave(torch.from_numpy(items[:PLAYED])).numpy()):
        write_bytes(folder / f"{name}-{i}.wav", wav_bytes(wave, spec.framing.rate))
