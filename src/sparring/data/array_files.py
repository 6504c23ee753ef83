"""Array files: read without trusting them (nothing is unpickled), and written row by row."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sparring.errors import SparringError


def read_npy(path: Path) -> NDArray[Any]:
    """Map a `.npy` file."""
    try:
        return npy.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise unreadable(path, error, "a NumPy array file without Python objects") from error


def dimensions(path: Path) -> int:
    """Return the dimensions of the array in a `.npy` file; 0 when it is none, or damaged."""
    if path.suffix.lower() != ".npy":
        return 0
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).ndim)
    except (OSError, ValueError, EOFError):
        return 0


def unreadable(path: Path, error: Exception, expected: str) -> SparringError:
    """Return the error of an array file that cannot be read."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if "pickle" in reason or "Python objects" in reason:
        reason = "it holds Python objects or is not a NumPy file"
    return SparringError(f"'{path}' cannot be read: {reason}; expected {expected}")


class NpyWriter:
    """Streams rows (k, *shape) into a `.npy` file whose length is known only at the end.

    Not through a memory map, which a full disk would crash.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type = np.uint8) -> None:
        self._descr = np.dtype(dtype).newbyteorder("<").str
        self._file = path.open("wb")
        self._shape = shape
        self._count = 0
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows, of the file's type."""
        self._file.write(np.ascontiguousarray(rows).data)
        self._count += len(rows)

    def finish(self) -> None:
        """Write the number of rows and close the file."""
        # numpy pads its header so that the first axis can grow without moving the data.
        self._file.seek(0)
        self._write_header()
        self.close()

    def close(self) -> None:
        """Close the file, finished or not."""
        self._file.close()

    def _write_header(self) -> None:
        shape = (self._count, *self._shape)
        npy.write_array_header_1_0(
            self._file, {"descr": self._descr, "fortran_order": False, "shape": shape}
        )
