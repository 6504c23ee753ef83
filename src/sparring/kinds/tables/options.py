"""How tables are read."""

from dataclasses import dataclass
from typing import Annotated

from sparring.data.options import CommonOptions, Short

NAMED_SETS = ("penguins", "diamonds")

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".feather", ".arrow")


@dataclass(frozen=True)
class TableOptions(CommonOptions):
    """What a user may ask of a table."""

    column: Annotated[
        tuple[str, ...], Short, "type of a table's column, name=type; again for each: age=category"
    ] = ()


@dataclass(frozen=True)
class TableRequests:
    """What may be asked of rows that are drawn."""

    where: Annotated[
        tuple[str, ...], "condition on all rows: cut=Fair, 'price>5000'; may be repeated"
    ] = ()
