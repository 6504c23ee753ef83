"""Sounds: waves of one rate and length."""

from typing import TYPE_CHECKING

from sparring.kinds.kind import MLP, Architecture, Kind, QuickFeatures
from sparring.kinds.sounds.options import NAMED_SETS, SUFFIXES, SoundOptions, SoundRequests
from sparring.kinds.sounds.spec import AudioSpec

SOUNDS = Kind(
    name="audio",
    noun="sound",
    home="sparring.kinds.sounds",
    spec=AudioSpec,
    options=SoundOptions,
    architectures=(
        MLP,
        Architecture("frames", depth=2),
        Architecture("istft", depth=2, players=("generator",)),
        Architecture("wave", depth=5),
    ),
    sources="a folder or zip of WAV, FLAC, OGG, MP3 or AIFF; subfolders are classes. Or a .npy of "
    "waves, with --rate",
    augmentations=("gain", "noise", "polarity", "shift", "speed", "pitch"),
    named=NAMED_SETS,
    formats=(".wav", ".npz", ".png"),
    examples=(
        "sparring train recordings/ --seconds 1 --rate 22050 --budget 20m",
        "sparring sample 7 -n 8 --between --out from-one-to-another.wav --bits 24",
        "sparring measure unheard/ made-elsewhere/ --rate 16000",
    ),
    telling=("rate",),
    suffixes=SUFFIXES,
    quick_features=QuickFeatures(
        "log-mel", "log-mel components", lambda spec: spec.framing.samples
    ),
    requests=SoundRequests,
    reads_together=True,
)

if TYPE_CHECKING:  # the parts, held to the protocol
    from sparring.kinds.kind import Codec, Measures, Output, Play, Presets, Reader, Together
    from sparring.kinds.sounds import codec, measures, output, play, presets, reader, together

    _reader: Reader[AudioSpec] = reader
    _codec: Codec[AudioSpec] = codec
    _presets: Presets[AudioSpec] = presets
    _play: Play[AudioSpec] = play
    _measures: Measures = measures
    _output: Output[AudioSpec] = output
    _together: Together = together
