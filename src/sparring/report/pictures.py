"""PNG pictures and sounds of a run: which are whole, how large they are, and as text inside a page.

Inside: reading a picture's frame. Not inside: decoding, drawing or rewriting pixels.
"""

import re
import struct
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"  # the first and the last bytes of any PNG
MOST_SOUND = 2**21  # bytes of the sounds of one sort in a page
COARSE = 800  # pixels; a smaller picture is enlarged, and its pixels should stay visible


@dataclass(frozen=True)
class Picture:
    """A whole PNG file."""

    path: Path
    width: int
    height: int
    content: bytes

    @property
    def source(self) -> str:
        """The picture as a `data:` address."""
        return "data:image/png;base64," + b64encode(self.content).decode("ascii")

    @property
    def coarse(self) -> bool:
        """Will a page enlarge it?"""
        return self.width <= COARSE

    @property
    def wide(self) -> bool:
        """Does it need the whole width of the page?"""
        return self.width > 2 * self.height

    @property
    def tall(self) -> bool:
        """Is it higher than wide?"""
        return self.height > 1.2 * self.width


def read_picture(path: Path) -> Picture | None:
    """Return a picture, or None when it is missing, cut short or no PNG."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if not content.startswith(BEGIN) or not content.endswith(END) or len(content) < 33:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return Picture(path, width, height, content)


def read_sounds(folder: Path, prefix: str) -> tuple[str, ...]:
    """Return `prefix-0.wav` and so on as `data:` addresses, those that are whole and fit a page."""
    sources, size = [], 0
    for path in sorted(folder.glob(f"{prefix}-[0-9].wav")):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        size += len(content)
        if content.startswith(b"RIFF") and size <= MOST_SOUND:
            sources.append("data:audio/wav;base64," + b64encode(content).decode("ascii"))
    return tuple(sources)


def numbered_pictures(folder: Path) -> list[tuple[int, Path]]:
    """Return the pictures named by images seen, the earliest first."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted((int(m[1]), p) for p in paths if (m := re.fullmatch(r"(\d+)\.png", p.name)))
