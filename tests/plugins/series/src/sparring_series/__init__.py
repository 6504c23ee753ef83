"""Time series for sparring: windows of so many steps of several channels."""

from typing import TYPE_CHECKING

from sparring.kinds.kind import MLP, Architecture, Kind, QuickFeatures
from sparring_series.options import NAMED_SETS, SeriesOptions, SeriesRequests
from sparring_series.spec import SeriesSpec, halvings

SERIES = Kind(
    name="series",
    noun="window",
    home="sparring_series",
    spec=SeriesSpec,
    options=SeriesOptions,
    architectures=(MLP, Architecture("temporal", depth=lambda spec: halvings(spec.steps))),
    sources="with --data.kind series a .csv or .npy of steps by channels; frames indexed by time",
    augmentations=("amplitude",),
    named=NAMED_SETS,
    formats=(".csv", ".npy", ".png"),
    examples=(
        "sparring train prices.csv --data.kind series --window 32 --budget 5m",
        "sparring sample 7 -n 100 --start gdp=-2 --out recessions.csv",
    ),
    requests=SeriesRequests,
    quick_features=QuickFeatures("window-statistics", "statistics of windows"),
)

if TYPE_CHECKING:  # the parts, held to the protocol
    from sparring.kinds.kind import Codec, Measures, Output, Play, Presets, Reader
    from sparring_series import codec, measures, output, play, presets, reader

    _reader: Reader[SeriesSpec] = reader
    _codec: Codec[SeriesSpec] = codec
    _presets: Presets[SeriesSpec] = presets
    _play: Play[SeriesSpec] = play
    _measures: Measures = measures
    _output: Output[SeriesSpec] = output
