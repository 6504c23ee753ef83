"""How tables are read."""

from dataclasses import dataclass
from typing import Annotated, Literal

from sparring.data.options import CommonOptions, Short

NAMED_SETS = ("penguins", "diamonds")

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".feather", ".arrow")


@dataclass(frozen=True)
class TableOptions(CommonOptions):
    """What a user may ask of a table."""

    column: Annotated[
        tuple[str, ...], Short, "type of a table's column, name=type; again for each: age=category"
    ] = ()
    rule: Annotated[
        tuple[str, ...],
        Short,
        "what all rows of a table keep: 'start<=end', 'total=net+tax', 'city,country' (only pairs "
        "that occur), '0<=share<=1', 'unique(id)'; again for each",
    ] = ()
    breaking: Annotated[
        Literal["refuse", "drop"],
        Short,
        "what to do where a few rows of the data break a rule: refuse the data, or drop the rows",
    ] = "refuse"


@dataclass(frozen=True)
class TableRequests:
    """What may be asked of rows that are drawn.

    From Python, `where` may also be a text or a dictionary, see `where.read_where`, and `complete`
    a data frame.
    """

    where: Annotated[
        tuple[str, ...],
        "condition on all rows: cut=Fair, 'price>5000', 'cut in (Fair, Good)'; may be repeated",
    ] = ()
    balance: Annotated[str, "column of whose categories as many rows each are drawn"] = ""
    complete: Annotated[str, "table of partly filled rows, whose empty cells are drawn"] = ""
