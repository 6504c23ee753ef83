"""How texts are read."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from sparring.data.options import CommonOptions, Short
from sparring.kinds.texts.spec import UnicodeForm

NAMED_SETS = ("names", "first-names", "idioms", "verses")


@dataclass(frozen=True)
class TextOptions(CommonOptions):
    """What a user may ask of texts."""

    units: Annotated[
        Literal["auto", "characters", "words", "pieces"], Short, "units that texts are made of"
    ] = "auto"
    length: Annotated[
        int,
        Ge(0),
        Le(1024),
        Short,
        "length of the longest text, in units (0: nine in ten and more fit)",
    ] = 0
    vocabulary: Annotated[int, Ge(0), Le(30_000), "size of the vocabulary of texts (0: auto)"] = 0
    normalise: Annotated[UnicodeForm, Short, "Unicode form that texts are brought to"] = "NFC"


@dataclass(frozen=True)
class TextRequests:
    """What may be asked of texts that are drawn."""

    unique: Annotated[bool, "draw no text twice"] = False
    novel: Annotated[bool, "draw no text of the training data"] = False
    like: Annotated[str, "beginning of every text"] = ""
    temperature: Annotated[
        float, Ge(0.01), Le(10), "temperature of a recurrent generator of texts; below 1: likelier"
    ] = 1.0


@dataclass(frozen=True)
class TextJudging:
    """What may be asked of an evaluation of texts."""

    baseline: Annotated[
        bool, "of texts: evaluate a likelihood model too, trained for as long as the run"
    ] = True
