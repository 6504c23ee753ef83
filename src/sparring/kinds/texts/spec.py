"""What one text is: symbols in places."""

from dataclasses import dataclass
from math import prod
from typing import Literal

Units = Literal["characters", "words", "pieces"]
UnicodeForm = Literal["NFC", "NFKC", "as it is"]


@dataclass(frozen=True)
class TextSpec:
    """A short text: symbols in places, the first symbol everywhere after its end."""

    symbols: tuple[str, ...]  # symbols[0] is empty: the end, and nothing after it
    length: int  # places, one of them for the end
    units: Units = "characters"
    form: UnicodeForm = "NFC"
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of one encoded sample: symbols, places."""
        return len(self.symbols), self.length

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)
