"""How tables are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from sparring.data.options import CommonOptions, NamesFile, Short

NAMED_SETS = ("penguins", "diamonds")

DELIMITED = (".csv", ".tsv", ".dat", ".data")
WORKBOOKS = (".xlsx", ".xlsm")
DATABASES = (".db", ".sqlite", ".sqlite3")
PACKED = (".gz", ".bz2", ".xz")  # files of delimited text
AS_WRITTEN: Final = "as-written"  # of what each file or column shows itself

SUFFIXES = (
    *(*DELIMITED, ".parquet", ".pq", ".feather", ".arrow", *WORKBOOKS, *DATABASES),
    *(suffix + packed for suffix in DELIMITED for packed in PACKED),
)


class AsToml:
    """Has pydantic take tables for their text; loads it then, which `--help` need not wait for."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core.core_schema import no_info_before_validator_function

        return no_info_before_validator_function(_as_toml, handler(source))


def _as_toml(types: Any) -> Any:
    import tomli_w

    return tomli_w.dumps(types) if isinstance(types, Mapping) else types


@dataclass(frozen=True)
class TableOptions(CommonOptions):
    """What a user may ask of a table."""

    types: Annotated[
        str,
        Short,
        NamesFile(".toml"),
        AsToml(),
        "TOML file of what a table's columns are, and of rules; written where it does not exist",
    ] = ""
    column: Annotated[
        tuple[str, ...], Short, "type of a table's column, name=type; again for each: age=category"
    ] = ()
    date_format: Annotated[
        tuple[str, ...],
        Short,
        "form of the dates in a table's column: born=%d/%m/%y; again for each",
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
    missing: Annotated[
        str, Short, "cells of a table that are missing, beside empty ones: '?,-,-999'"
    ] = ""
    encoding: Annotated[
        str, Short, "encoding of a table's file: utf-8, cp1252, GB18030 and others"
    ] = AS_WRITTEN
    decimal: Annotated[
        Literal["as-written", ".", ","], Short, "decimal mark of a table's numbers"
    ] = AS_WRITTEN
    thousands: Annotated[
        Literal["as-written", "none", ",", ".", " ", "'"],
        Short,
        "mark between thousands of a table's numbers",
    ] = AS_WRITTEN


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
