"""What networks and the game need to know of a sample; each kind of data has a spec of its own.

A spec holds sizes and meanings only: no tensors, no files.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sparring.moved import contents


class Spec(Protocol):
    """What one sample is: a frozen dataclass of plain values, in the folder of its kind."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Label i is called `classes[i]`; empty when unconditional."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded sample."""

    @property
    def size(self) -> int:
        """Numbers in one sample."""


if not TYPE_CHECKING:
    __getattr__ = contents(__name__)
