"""How series are read, and what may be asked of their windows."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from sparring.data.options import CommonOptions, Short

NAMED_SETS = ("us-macro", "fertility")  # from statsmodels


@dataclass(frozen=True)
class SeriesOptions(CommonOptions):
    """What a user may ask of series."""

    window: Annotated[int, Ge(2), Le(100_000), Short, "steps of a window of a series"] = 16
    stride: Annotated[
        int, Ge(1), Le(100_000), "steps from the start of a window to that of the next"
    ] = 1


@dataclass(frozen=True)
class SeriesRequests:
    """What may be asked of windows that are drawn."""

    start: Annotated[
        tuple[str, ...], "first value of a window's channel, channel=value; may be repeated"
    ] = ()
