"""Texts of a run, as its page shows them: real ones, samples of several times, those of its card.

Inside: reading `samples/*.txt`. Not inside: which texts are written there.
"""

import re
from pathlib import Path
from typing import NamedTuple

SHOWN, IN_PROGRESS, TIMES = 60, 8, 10
CAPTIONS = {
    "typical": "The most typical samples: nearest to held-out texts, as these lie to each other.",
    "untypical": "The least typical samples: farthest from all held-out texts.",
    "nearest": "First the samples nearest to any training text, then those training texts.",
    "missed": "Real texts that no sample comes near: what the generator makes too seldom.",
}


class Writing(NamedTuple):
    """Some texts of one sort."""

    caption: str
    lines: tuple[str, ...]


class Writings(NamedTuple):
    """All texts of a run; empty where its data are none."""

    real: tuple[str, ...]
    samples: tuple[tuple[int, tuple[str, ...]], ...]  # by items seen, thinned, the earliest first
    judged: tuple[Writing, ...]

    @property
    def newest(self) -> tuple[int, tuple[str, ...]] | None:
        """The newest samples, and the items seen then."""
        return self.samples[-1] if self.samples else None


def read_writings(folder: Path) -> Writings:
    """Read the texts that lie in a run's folder of samples."""
    paths = folder.iterdir() if folder.is_dir() else ()
    numbered = sorted((int(m[1]), p) for p in paths if (m := re.fullmatch(r"(\d+)\.txt", p.name)))
    last = len(numbered) - 1
    chosen = {round(i * last / (TIMES - 1)) for i in range(TIMES)} if numbered else set()
    return Writings(
        _lines(folder / "real.txt"),
        tuple((numbered[i][0], _lines(numbered[i][1])) for i in sorted(chosen)),
        tuple(
            Writing(caption, lines)
            for name, caption in CAPTIONS.items()
            if (lines := _lines(folder / f"evaluation-{name}.txt"))
        ),
    )


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8", errors="replace").splitlines()[:SHOWN])
    except OSError:
        return ()
