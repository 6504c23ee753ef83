"""What a user may ask of the data; plain values, so that recipes need not load any reader."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from sparring.spec import UnicodeForm, ValueRange


@dataclass(frozen=True)
class DataOptions:
    """How data is read. `"auto"` is decided from the files and said in the plan."""

    kind: Annotated[
        Literal["auto", "image", "vector", "table", "audio", "text"],
        "of data; auto: by what the files are",
    ] = "auto"
    resolution: Annotated[str, "auto, a side (64) or height x width (48x64)"] = "auto"
    crop: Annotated[
        Literal["centre", "pad", "stretch"], "how another aspect ratio is made to fit"
    ] = "centre"
    channels: Annotated[Literal["auto", "1", "2", "3", "4"], "1 grey, 3 colour, +1 alpha"] = "auto"
    labels: Annotated[str, "auto (subfolders, npz), yes, none, or a CSV of file,label"] = "auto"
    column: Annotated[
        tuple[str, ...], "name=type, of a table; again for each column: age=category"
    ] = ()
    rate: Annotated[
        int, Ge(0), Le(768_000), "samples a second of sounds (0: the files' own, at most 16,000)"
    ] = 0
    seconds: Annotated[float, Ge(0), Le(600), "length of every sound (0: from the data)"] = 0.0
    level: Annotated[
        Literal["peak", "kept"], "of sounds: each brought to one peak, or as they are"
    ] = "peak"
    units: Annotated[Literal["auto", "characters", "words", "pieces"], "that texts are made of"] = (
        "auto"
    )
    length: Annotated[int, Ge(0), Le(1024), "of texts at most (0: nine in ten and more fit)"] = 0
    vocabulary: Annotated[int, Ge(0), Le(30_000), "symbols of texts at most (0: auto)"] = 0
    normalise: Annotated[UnicodeForm, "the form of Unicode that texts are brought to"] = "NFC"
    held_out: Annotated[float, Ge(0), Le(0.5), "share never trained on, by content"] = 0.1
    memory_share: Annotated[
        float, Gt(0), Le(1), "of free memory; larger data is packed and memory-mapped"
    ] = 0.4
    max_megapixels: Annotated[float, Gt(0), "larger files are skipped before decoding"] = 50.0
    value_range: Annotated[ValueRange, "of the pixels that the networks see"] = "-1..1"
    workers: Annotated[int, Ge(0), "threads that prepare batches ahead"] = 0
