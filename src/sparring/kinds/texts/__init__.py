"""Texts: short ones, of characters, words or pieces."""

from typing import TYPE_CHECKING

from sparring.kinds.kind import MLP, Architecture, Kind, QuickFeatures
from sparring.kinds.texts.options import NAMED_SETS, TextJudging, TextOptions, TextRequests
from sparring.kinds.texts.spec import TextSpec

TEXTS = Kind(
    name="text",
    noun="text",
    home="sparring.kinds.texts",
    spec=TextSpec,
    options=TextOptions,
    architectures=(
        MLP,
        Architecture("sequence", depth=4),
        Architecture("recurrent", depth=1, players=("generator",)),
    ),
    sources="FILE.txt, one a line, FILE.csv:COLUMN or FILE.jsonl:KEY, with :LABEL if there is one",
    named=NAMED_SETS,
    formats=(".txt", ".jsonl"),
    examples=(
        "sparring train words.txt --units characters --budget 5m",
        "sparring sample 7 -n 100 --unique --novel --like mc --out names.txt",
        "sparring measure tests.csv:name made-elsewhere.txt --units characters",
    ),
    quick_features=QuickFeatures("n-grams", "n-grams"),
    requests=TextRequests,
    judging=TextJudging,
    printed=True,
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
    from sparring.kinds.texts import (
        codec,
        measures,
        output,
        play,
        preparation,
        presets,
        reader,
        together,
    )

    _reader: Reader[TextSpec] = reader
    _codec: Codec[TextSpec] = codec
    _presets: Presets[TextSpec] = presets
    _play: Play[TextSpec] = play
    _preparation: Preparation = preparation
    _measures: Measures = measures
    _output: Output[TextSpec] = output
    _together: Together = together
