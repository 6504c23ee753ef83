"""What a user may ask of data of every kind; plain values, so that recipes need not load a reader.

Each kind adds its own fields (`Kind.options`); `kinds.DataOptions` has all of them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le

from sparring.moved import contents


class Short:
    """Marks an option that has a name of its own on the command line: --rate for --data.rate."""


@dataclass(frozen=True)
class NamesFile:
    """Marks an option whose value names a file if it ends so: recipes keep its absolute path."""

    suffix: str

    def named_by(self, value: str) -> bool:
        """Tell whether the value names a file."""
        return value.lower().endswith(self.suffix)


LABELS_FILE = NamesFile(".csv")


@dataclass(frozen=True)
class CommonOptions:
    """How data is read, whatever its kind. `"auto"` is decided from the files, said in the plan."""

    kind: Annotated[str, "kind of data; auto: by what the files are"] = "auto"
    labels: Annotated[
        str, Short, LABELS_FILE, "labels: auto (subfolders, npz), yes, none, or a CSV of file,label"
    ] = "auto"
    groups: Annotated[
        str,
        Short,
        LABELS_FILE,
        "items that belong together (a person's, a recording's) and stay on one side of the split: "
        "a column of a table or text file, folder (of files), or a CSV of file,group",
    ] = ""
    held_out: Annotated[
        float, Ge(0), Le(0.5), "share of the data never trained on, chosen by content or by group"
    ] = 0.1
    memory_share: Annotated[
        float, Gt(0), Le(1), "share of free memory to use; larger data is packed and memory-mapped"
    ] = 0.4
    workers: Annotated[int, Ge(0), "threads that prepare batches ahead"] = 0


@dataclass(frozen=True)
class NoOptions:
    """The options of kinds that offer none of their own."""


if not TYPE_CHECKING:
    __getattr__ = contents(__name__)
