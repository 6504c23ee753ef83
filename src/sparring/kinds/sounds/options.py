"""How sounds are read, and which files are sounds."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from sparring.data.options import CommonOptions, Short

NAMED_SETS = ("drums", "spoken-digits")

SUFFIXES = frozenset(
    {".aac", ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3", ".oga", ".ogg"}
    | {".opus", ".rf64", ".wav", ".wave", ".wma"}
)


@dataclass(frozen=True)
class SoundOptions(CommonOptions):
    """What a user may ask of sounds."""

    rate: Annotated[
        int,
        Ge(0),
        Le(768_000),
        Short,
        "sampling rate of sounds, in Hz (0: the files' own, at most 16,000)",
    ] = 0
    seconds: Annotated[float, Ge(0), Le(600), Short, "length of every sound (0: from the data)"] = (
        0.0
    )
    level: Annotated[
        Literal["peak", "kept"],
        Short,
        "level of sounds: each brought to one peak, or kept as it is",
    ] = "peak"


@dataclass(frozen=True)
class SoundRequests:
    """What may be asked of sounds that are written."""

    bits: Annotated[Literal["16", "24", "float"], "format of the samples of a WAV file"] = "16"
