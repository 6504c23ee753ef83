"""Points of ℝᵈ: arrays (n, d), and draws from densities that are known."""

from typing import TYPE_CHECKING

from sparring.data.options import CommonOptions
from sparring.kinds.kind import MLP, Kind
from sparring.kinds.points.spec import DENSITIES, VectorSpec

POINTS = Kind(
    name="vector",
    noun="point",
    home="sparring.kinds.points",
    spec=VectorSpec,
    options=CommonOptions,
    architectures=(MLP,),
    sources="a .npy file of shape (n, d), or draws from a density that is known",
    named=DENSITIES,
    formats=(".csv", ".npy", ".npz", ".png"),
    examples=("sparring train ring --objective reverse-kl --budget 1m",),
)

if TYPE_CHECKING:  # the parts, held to the protocol
    from sparring.kinds.kind import Codec, Measures, Output, Play, Presets, QuickMetrics, Reader
    from sparring.kinds.points import codec, measures, output, play, presets, quick, reader

    _reader: Reader[VectorSpec] = reader
    _codec: Codec[VectorSpec] = codec
    _presets: Presets[VectorSpec] = presets
    _play: Play[VectorSpec] = play
    _measures: Measures = measures
    _quick: QuickMetrics[VectorSpec] = quick
    _output: Output[VectorSpec] = output
