"""Small real data of one kind, and what the clauses of the contract must know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparring.kinds.kind import Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


Changed = Callable[[Any, "NDArray[np.int64]"], Any]


@dataclass(frozen=True)
class Asked:
    """A value of something that samples can be asked for, and what must hold of what comes."""

    value: Any
    holds: Callable[[Any], bool] | None = None  # of samples; None: they differ from those without


@dataclass(frozen=True, eq=False)
class Example:
    """Data of one kind that come in some hundreds of items, all real.

    Args:
        kind: of data.
        paths: by what it is ("csv", "folder"), what makes it in an empty folder and returns its
            path or name; the first is trained on.
        values: by what it is ("array", "frame"), what a Python user has in hand.
        changed: gives the first of the values with other values, of the same type and format, in
            the items of these numbers, which are held out; a kind that holds out by place rather
            than by `data/split` changes what it holds out. No training item may see it.
        options: of a tiny run, by dotted names; and what reading needs to be told.
        other: makes other data of the same meaning, to judge by; the first path unless given.
        requests: a value for each field of the kind's `requests`.
        read: for each suffix that samples are written with, what returns them as `Run.sample` does;
            pictures need none.
        tolerance: by how much numbers may differ that went through a file or another runtime.
        loss: by how much items may differ that were encoded and decoded, None where a codec
            promises no more than their shape.
        preparation: further options, with which a phase before the game takes place.
        judged: samples of a card that tell shuffled ones from real, a third of the items at most.
        judging: what makes an evaluation quick, of the fields of the kind's `judging`.
        repeated: a source some of whose items repeat and must not be parted; of rows there is none.
        generated: turns items into what a generator makes; `encode` of the kind unless given.
    """

    kind: Kind[Any]
    paths: Mapping[str, Callable[[Path], str | Path]]
    values: Mapping[str, Any] = field(default_factory=dict)
    changed: Changed | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    other: Callable[[Path], str | Path] | None = None
    requests: Mapping[str, Asked] = field(default_factory=dict)
    read: Mapping[str, Callable[[Path], Any]] = field(default_factory=dict)
    tolerance: float = 0.0
    loss: float | None = 0.0
    preparation: Mapping[str, Any] | None = None
    judged: int = 100  # no card takes fewer
    judging: Mapping[str, Any] = field(default_factory=dict)
    generated: "Callable[[Tensor, Any], Tensor] | None" = None
    repeated: Any = None

    def __str__(self) -> str:
        return self.kind.name

    def source(self, name: str, folder: Path) -> Any:
        """Return a path, made in a folder that may be new, or a value."""
        folder.mkdir(parents=True, exist_ok=True)
        return self.paths[name](folder) if name in self.paths else self.values[name]

    def first(self, folder: Path) -> str | Path:
        """Make what is trained on."""
        folder.mkdir(parents=True, exist_ok=True)
        return next(iter(self.paths.values()))(folder)

    def as_generated(self, items: "Tensor", spec: Any) -> "Tensor":
        """Turn items into what a generator makes."""
        return (self.generated or self.kind.codec.encode)(items, spec)

    def judge(self, folder: Path) -> str | Path:
        """Make the data that others are judged by."""
        folder.mkdir(parents=True, exist_ok=True)
        return self.other(folder) if self.other else self.first(folder)
