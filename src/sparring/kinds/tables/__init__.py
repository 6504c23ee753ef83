"""Tables: rows of numbers, categories and dates."""

from typing import TYPE_CHECKING

from sparring.kinds.kind import MLP, Architecture, Kind, QuickFeatures
from sparring.kinds.tables.options import NAMED_SETS, TableOptions, TableRequests
from sparring.kinds.tables.spec import TableSpec

TABLES = Kind(
    name="table",
    noun="row",
    home="sparring.kinds.tables",
    spec=TableSpec,
    options=TableOptions,
    architectures=(
        MLP,
        Architecture("tabular", depth=3, joint_scoring=True),
        Architecture("autoregressive", depth=1, players=("generator",), plays=False, on_cpu=True),
        Architecture("ensemble", depth=1, players=("generator",), plays=False, on_cpu=True),
    ),
    sources="a .csv, .tsv, .parquet, .feather or .xlsx file with a header, FILE.db:table",
    named=NAMED_SETS,
    formats=(".csv", ".tsv", ".xlsx", ".parquet", ".png"),
    examples=(
        "sparring train people.csv --column age=category --budget 1m",
        "sparring sample 7 -n 1000 --where cut=Fair --where 'price>5000' --out rows.csv",
        "sparring sample 7 --complete partly.csv --out full.csv",
        "sparring measure unseen.csv synthetic.csv --train people.csv --json",
    ),
    quick_features=QuickFeatures("coordinates", "encoded columns"),
    shows_items=False,
    requests=TableRequests,
    prepares=True,
    reads_together=True,
)

if TYPE_CHECKING:  # the parts, held to the protocol
    from sparring.kinds.kind import (
        Codec,
        Measures,
        Output,
        Play,
        Preparation,
        Presets,
        Reader,
        Together,
    )
    from sparring.kinds.tables import (
        codec,
        measures,
        output,
        play,
        preparation,
        presets,
        reader,
        together,
    )

    _reader: Reader[TableSpec] = reader
    _codec: Codec[TableSpec] = codec
    _presets: Presets[TableSpec] = presets
    _play: Play[TableSpec] = play
    _preparation: Preparation = preparation
    _measures: Measures = measures
    _output: Output[TableSpec] = output
    _together: Together = together
