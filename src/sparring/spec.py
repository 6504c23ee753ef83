"""What one sample is. Networks are built from a spec, data describes itself by one.

A spec holds sizes and meanings only: no tensors, no files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal, get_args

from sparring.errors import SparringError

ValueRange = Literal["-1..1", "0..1"]


@dataclass(frozen=True)
class ImageSpec:
    """An image of any height and width with 1 to 4 channels, and the names of its classes."""

    height: int
    width: int
    channels: int
    classes: tuple[str, ...] = ()  # label i is called classes[i]; empty when unconditional
    value_range: ValueRange = "-1..1"  # of the encoded pixels that the networks see

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one encoded sample: channels, height, width."""
        return self.channels, self.height, self.width

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)


@dataclass(frozen=True)
class VectorSpec:
    """A point of ℝᵈ; encoded, each coordinate has mean 0 and standard deviation 1."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]  # standard deviation of each coordinate; 1 where it is constant
    density: str = ""  # the known density that the points were drawn from
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int]:
        """Shape of one encoded sample."""
        return (self.size,)

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return len(self.mean)


ColumnKind = Literal[
    "integer",
    "real",
    "boolean",
    "category",
    "datetime",
    "identifier",
    "text",
    "constant",
    "empty",
    "duplicate-of",
]
COLUMN_KINDS: tuple[str, ...] = get_args(ColumnKind)
BlockKind = Literal["number", "category", "missing"]


@dataclass(frozen=True)
class Column:
    """One column: what it is, and what it takes to encode and decode it; plain values only."""

    name: str
    kind: ColumnKind
    dtype: str  # pandas' name of it
    note: str = ""  # what was decided, in a line
    missing: bool = False  # whether cells may be missing
    ranks: tuple[float, ...] = ()  # of the knots, from 0 to 1
    knots: tuple[float, ...] = ()  # values at these ranks, ascending
    decimals: int | None = None  # numbers are multiples of 10^-decimals; None: of nothing
    origin: int = 0  # microseconds since 1970 of the first date
    step: int = 1  # microseconds; dates are whole steps after the first
    date_format: str = ""  # of dates kept as text; "date" for objects without a time of day
    labels: tuple[str, ...] = ()  # the categories with a place of their own
    counts: tuple[int, ...] = ()  # rows of each of these
    rest: tuple[str, ...] = ()  # categories that share one place
    rest_counts: tuple[int, ...] = ()  # rows of each of these
    label_dtype: str = "text"  # of the labels' own values
    levels: tuple[str, ...] = ()  # of a pandas categorical, in its order
    ordered: bool = False
    prefix: str = ""  # of a regenerated identifier
    first: int = 1
    digits: int = 1
    source: str = ""  # the column that this one repeats

    @property
    def is_number(self) -> bool:
        """Tell whether the column is encoded through its quantiles."""
        return self.kind in ("integer", "real", "datetime")

    @property
    def resolution(self) -> float:
        """Distance of two neighbouring values; 0 where there is none."""
        return 0.0 if self.decimals is None else 10.0**-self.decimals


@dataclass(frozen=True)
class Block:
    """Columns `start` to `start + width - 1` of the array: one number, or one one-hot group.

    The group `missing` is (present, missing); in `category` the last place is missing cells', and
    the one before the remaining categories', where there are such.
    """

    column: str
    kind: BlockKind
    start: int
    width: int

    @property
    def stop(self) -> int:
        """The first column of the array after it."""
        return self.start + self.width


@dataclass(frozen=True)
class TableSpec:
    """A row of a table; encoded, numbers and one-hot groups beside each other."""

    columns: tuple[Column, ...]
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int]:
        """Shape of one encoded sample."""
        return (self.size,)

    @cached_property
    def size(self) -> int:
        """Numbers in one sample."""
        return width(self.columns)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Numbers and one-hot groups in their order."""
        return blocks(self.columns)

    @property
    def learned(self) -> tuple[Column, ...]:
        """The columns that networks see."""
        return tuple(column for column in self.columns if _parts(column))

    @property
    def owners(self) -> tuple[int, ...]:
        """For each number of a sample, the place of its column among the learned ones."""
        place = {column.name: index for index, column in enumerate(self.learned)}
        return tuple(place[block.column] for block in self.blocks for _ in range(block.width))


def blocks(columns: Sequence[Column]) -> tuple[Block, ...]:
    """Say which columns of the array are numbers and which are one-hot groups."""
    found: list[Block] = []
    start = 0
    for column in columns:
        for kind, size in _parts(column):
            found.append(Block(column.name, kind, start, size))
            start += size
    return tuple(found)


def width(columns: Sequence[Column]) -> int:
    """Return the number of columns of the array."""
    return sum(size for column in columns for _, size in _parts(column))


def _parts(column: Column) -> list[tuple[BlockKind, int]]:
    match column.kind:
        case "integer" | "real" | "datetime":
            return [("number", 1), ("missing", 2)] if column.missing else [("number", 1)]
        case "boolean" | "category":
            return [("category", len(column.labels) + bool(column.rest) + column.missing)]
        case "constant" if column.missing:
            return [("missing", 2)]
        case _:
            return []


Form = Literal["frames", "sound", "wave"]


@dataclass(frozen=True)
class Framing:
    """How a wave of `samples` at `rate` is cut into frames: a periodic Hann window every hop."""

    rate: int
    samples: int
    window: int = 256
    hop: int = 128

    def __post_init__(self) -> None:
        """Refuse what has no inverse."""
        if self.rate < 1 or self.samples < 1 or self.window < 4 or self.hop < 1:
            raise SparringError(f"{self}: rate, samples, window and hop must be larger")
        if self.window % 2 or self.window % self.hop or self.window < 2 * self.hop:
            raise SparringError(
                f"window {self.window} and hop {self.hop}: expected an even window of 2, 3, 4, … "
                "times the hop"
            )

    @property
    def bins(self) -> int:
        """Frequencies that networks see: all but the highest."""
        return self.window // 2

    @property
    def frames(self) -> int:
        """Frames that networks see: all but the last, which lies half beyond the end."""
        return -(-self.samples // self.hop)

    @property
    def seconds(self) -> float:
        """Length of the wave."""
        return self.samples / self.rate


@dataclass(frozen=True)
class AudioSpec:
    """A sound of one length; networks see its spectrum as standardised log-amplitudes.

    The form says what generators make and discriminators see: of `frames`, spectra and spectra; of
    `sound`, waves and their spectra with phase; of `wave`, waves and waves.
    """

    framing: Framing
    mean: tuple[float, ...]  # of log-amplitude, one per bin
    scale: tuple[float, ...]  # what becomes 1, one per bin
    floor_db: float = -80.0  # added to every amplitude before the logarithm
    form: Form = "frames"
    peak: float = 0.0  # that nearly all sounds have; 0 where they differ, and it means something
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample of a generator: (bins, frames) or (samples,)."""
        if self.form == "frames":
            return self.framing.bins, self.framing.frames
        return (self.framing.samples,)

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)

    @property
    def floor(self) -> float:
        """The floor as an amplitude."""
        return float(10 ** (self.floor_db / 20))


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


Spec = ImageSpec | VectorSpec | TableSpec | AudioSpec | TextSpec
