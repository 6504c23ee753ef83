"""Pictures, sounds and texts of a run: which files are whole, and as a page can hold them.

Inside: reading PNG, WAV and text files. Not inside: which of them a kind of data has, their words.
"""

import re
import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

BEGIN, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"  # the first and the last bytes of any PNG
MIN_COARSE = 800  # pixels; a smaller picture is enlarged, and its pixels should stay visible
MAX_PLAYER_BYTES = 2**21  # of all sounds of one sort in a page
MAX_LINES = 60  # of a list of texts
MAX_TIMES = 10  # of which samples are shown as texts


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
        return self.width <= MIN_COARSE

    @property
    def wide(self) -> bool:
        """Does it need the whole width of the page?"""
        return self.width > 2 * self.height

    @property
    def tall(self) -> bool:
        """Is it higher than wide?"""
        return self.height > 1.2 * self.width


class Players(NamedTuple):
    """Some sounds of one sort, each as a `data:` address."""

    caption: str
    sources: tuple[str, ...]


class TextList(NamedTuple):
    """Some texts of one sort."""

    caption: str
    lines: tuple[str, ...]


class Texts(NamedTuple):
    """All texts of a run; empty where its data are not texts."""

    real: tuple[str, ...]
    samples: tuple[tuple[int, tuple[str, ...]], ...]  # by items seen, thinned, the earliest first
    evaluation: tuple[TextList, ...]

    @property
    def newest(self) -> tuple[int, tuple[str, ...]] | None:
        """The newest samples, and the items seen then."""
        return self.samples[-1] if self.samples else None


def read_picture(path: Path) -> Picture | None:
    """Return a picture, or None when it is missing, cut short or not a PNG."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if not content.startswith(BEGIN) or not content.endswith(END) or len(content) < 33:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return Picture(path, width, height, content)


def read_players(folder: Path, captions: Mapping[str, str]) -> tuple[Players, ...]:
    """Return the sounds that lie in a run's folder of samples, by pattern of their names."""
    sorts = (Players(captions[pattern], _sounds(folder, pattern)) for pattern in captions)
    return tuple(players for players in sorts if players.sources)


def _sounds(folder: Path, pattern: str) -> tuple[str, ...]:
    """Return WAV files as `data:` addresses, those that are whole and fit a page."""
    sources, size = [], 0
    for path in sorted(folder.glob(pattern)):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        size += len(content)
        if content.startswith(b"RIFF") and size <= MAX_PLAYER_BYTES:
            sources.append("data:audio/wav;base64," + b64encode(content).decode("ascii"))
    return tuple(sources)


def read_texts(folder: Path, captions: Mapping[str, str]) -> Texts:
    """Read the texts that lie in a run's folder of samples; captions by name of the file."""
    numbered = numbered_files(folder, "txt")
    last = len(numbered) - 1
    chosen = {round(i * last / (MAX_TIMES - 1)) for i in range(MAX_TIMES)} if numbered else set()
    return Texts(
        _lines(folder / "real.txt"),
        tuple((numbered[i][0], _lines(numbered[i][1])) for i in sorted(chosen)),
        tuple(
            TextList(caption, lines)
            for name, caption in captions.items()
            if (lines := _lines(folder / name))
        ),
    )


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8", errors="replace").splitlines()[:MAX_LINES])
    except OSError:
        return ()


def numbered_files(folder: Path, suffix: str) -> list[tuple[int, Path]]:
    """Return the files that are named by samples seen, the earliest first."""
    paths = folder.iterdir() if folder.is_dir() else ()
    name = re.compile(rf"(\d+)\.{suffix}")
    return sorted((int(m[1]), path) for path in paths if (m := name.fullmatch(path.name)))
