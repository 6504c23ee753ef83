"""Samples as files of the data's own kind: a folder, one array file, or one picture."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.image_codec import grid, png_bytes, write_images
from sparring.data.kinds import is_frame
from sparring.data.sounds import Bits, joined, wav_bytes
from sparring.data.table_columns import Frame
from sparring.data.table_files import write as write_rows
from sparring.data.tables import frame_of
from sparring.data.texts import texts_of
from sparring.data.vectors import write_points
from sparring.errors import SparringError
from sparring.runs import write_bytes
from sparring.spec import AudioSpec, ImageSpec, Spec, TableSpec, TextSpec, VectorSpec

IN_GRID = 100


def save_samples(
    samples: Tensor | NDArray[Any] | Frame | list[str],
    spec: Spec,
    path: Path,
    labels: Tensor | None = None,
    bits: Bits = "16",
) -> None:
    """Write samples where the suffix of the path says; without one, a folder with a picture.

    Images become a folder of PNG files, one `.npz` (the only one that keeps labels) or one `.png`
    grid; points a `.csv`, `.npy` or `.npz` file or a `.png` picture; rows a `.csv`, `.tsv` or
    `.parquet` file, or a picture; sounds a folder of WAV files, one `.wav` of all with pauses, a
    `.npz` or a `.png` sheet; texts a `.txt` or `.jsonl` file. `bits` are of a WAV file's samples.

    Raises:
        SparringError: the suffix is none of these.
    """
    items: Any = samples if is_frame(samples) or isinstance(samples, list) else np.asarray(samples)
    match spec:
        case ImageSpec():
            _save_images(items, path, labels)
        case VectorSpec():
            _save_points(items, spec, path)
        case TableSpec():
            _save_rows(items if is_frame(items) else frame_of(items, spec), spec, path)
        case AudioSpec():
            _save_sounds(items, spec, path, labels, bits)
        case TextSpec():
            _save_texts(_spelled(samples, spec), spec, path, labels)


def picture_of(items: NDArray[Any], spec: Spec, path: Path, columns: int | None = None) -> None:
    """Write one picture of items: a grid of images or sounds, points in the plane, columns.

    Of texts it is a list, in a `.txt` file.
    """
    match spec:
        case ImageSpec():
            _write(path, png_bytes(grid(items, columns)))
        case VectorSpec():
            from sparring.landscapes import draw_points

            _write(path, draw_points(items, spec, "samples"))
        case TableSpec():
            from sparring.marginals import draw_columns

            _write(path, draw_columns(spec, None, frame_of(items, spec)))
        case AudioSpec():
            from sparring.sonograms import cells

            _write(path, png_bytes(grid(cells(items, spec), columns)))
        case TextSpec():
            lines = "".join(f"{text}\n" for text in texts_of(items, spec))
            _write(path.with_suffix(".txt"), lines.encode())


def _save_images(pixels: NDArray[np.uint8], path: Path, labels: Tensor | None) -> None:
    match path.suffix.lower():
        case ".npz":
            _write(path, _npz(labels, images=pixels))
        case ".png":
            _write(path, png_bytes(grid(pixels)))
        case "":
            write_images(pixels, path)
            _write(path / "grid.png", png_bytes(grid(pixels[:IN_GRID])))
        case other:
            raise SparringError(f"cannot write '{other}' files; use .npz, .png or a folder")


def _save_points(points: NDArray[np.float32], spec: VectorSpec, path: Path) -> None:
    match path.suffix.lower():
        case ".png":
            picture_of(points, spec, path)
        case "":
            write_points(points, path / "samples.csv")
            picture_of(points, spec, path / "picture.png")
        case _:
            write_points(points, path)


def _save_rows(rows: Frame, spec: TableSpec, path: Path) -> None:
    from sparring.marginals import draw_columns

    match path.suffix.lower():
        case ".png":
            _write(path, draw_columns(spec, None, rows))
        case "":
            write_rows(rows, path / "samples.csv")
            _write(path / "picture.png", draw_columns(spec, None, rows))
        case _:
            write_rows(rows, path)


def _save_sounds(
    waves: NDArray[np.float32], spec: AudioSpec, path: Path, labels: Tensor | None, bits: Bits
) -> None:
    rate = spec.framing.rate
    match path.suffix.lower():
        case ".wav":
            _write(path, wav_bytes(joined(waves, rate), rate, bits))
        case ".npz":
            _write(path, _npz(labels, sounds=waves, rate=np.array(rate)))
        case ".png":
            picture_of(waves, spec, path)
        case "":
            for i, wave in enumerate(waves):
                _write(path / f"{i:06d}.wav", wav_bytes(wave, rate, bits))
            picture_of(waves[:IN_GRID], spec, path / "sheet.png")
        case other:
            raise SparringError(f"cannot write '{other}' files; use .wav, .npz, .png or a folder")


def _spelled(samples: Any, spec: TextSpec) -> list[str]:
    return samples if isinstance(samples, list) else texts_of(samples, spec)


def _save_texts(texts: list[str], spec: TextSpec, path: Path, labels: Tensor | None) -> None:
    match path.suffix.lower():
        case ".jsonl":
            rows: list[dict[str, str]] = [{"text": text} for text in texts]
            if labels is not None:
                for row, label in zip(rows, labels.tolist(), strict=True):
                    row["label"] = spec.classes[label]
            lines = [json.dumps(row, ensure_ascii=False) for row in rows]
            _write(path, "".join(f"{line}\n" for line in lines).encode())
        case ".txt" | "":
            target = path if path.suffix else path / "samples.txt"
            _write(target, "".join(f"{text}\n" for text in texts).encode())
        case other:
            raise SparringError(f"cannot write '{other}' files; use .txt, .jsonl or a folder")


def _npz(labels: Tensor | None, **arrays: NDArray[Any]) -> bytes:
    buffer = BytesIO()
    if labels is not None:
        arrays["labels"] = labels.numpy()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
