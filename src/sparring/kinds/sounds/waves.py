"""Waves in memory as recordings: a list of arrays (samples,) is listed and kept as WAV files.

So they are read as a folder of recordings is: trimmed, levelled and cut to one length. An array
(n, samples) is taken as it is instead (`reader`).
"""

import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray
from scipy.io import wavfile

from sparring.data.listing import Entry, Listing
from sparring.errors import SparringError
from sparring.kinds.sounds.options import SUFFIXES

STORED_AS = {"float16": "float32", "float32": "float32", "float64": "float64"}
STORED_AS |= {"int16": "int16", "int32": "int32"}


def list_waves(waves: Sequence[NDArray[Any]], rate: int) -> Listing:
    """Return a listing of waves as WAV files of a rate in Hz, named by their numbers.

    Raises:
        SparringError: the rate is missing, or they are not waves.
    """
    if not rate:
        raise SparringError(
            f"{len(waves)} waves come without their rate; give it as data.rate, such as 16000"
        )
    listing = Listing(SUFFIXES)
    for name, wave in _named(waves):
        content = _wav(wave, rate)  # made again when it is read, so that one is in memory at a time
        listing.add(Entry(name, len(content), zlib.crc32(content), partial(_opened, wave, rate)))
    return listing


def write_archive(waves: Sequence[NDArray[Any]], rate: int, path: Path) -> None:
    """Write waves as a zip archive of WAV files, which gives the listing back."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, wave in _named(waves):
            archive.writestr(name, _wav(wave, rate))


def _named(waves: Sequence[NDArray[Any]]) -> list[tuple[str, NDArray[Any]]]:
    digits = max(6, len(str(len(waves))))  # so that the order of names is theirs
    return [(f"{number:0{digits}d}.wav", wave) for number, wave in enumerate(waves)]


def _opened(wave: NDArray[Any], rate: int) -> IO[bytes]:
    return BytesIO(_wav(wave, rate))


def _wav(wave: NDArray[Any], rate: int) -> bytes:
    """Return a WAV file of exactly these samples; always the same bytes."""
    stored_as = STORED_AS.get(wave.dtype.name)
    if stored_as is None:
        raise SparringError(
            f"a wave is an array of {wave.dtype}; expected float32, float64, int16 or int32"
        )
    file = BytesIO()
    wavfile.write(file, rate, wave.astype(stored_as, copy=False))
    return file.getvalue()
