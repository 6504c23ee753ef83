"""What the report and the model card say of the size and meaning of items."""

import pytest

from sparring.kinds import kind_of
from sparring.kinds.images.spec import ImageSpec
from sparring.kinds.points.spec import VectorSpec
from sparring.kinds.sounds.spec import AudioSpec, Framing
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.texts.spec import TextSpec
from sparring.spec import Spec

SYMBOLS = ("", *(chr(code) for code in range(0x4E00, 0x4E00 + 1500)))
FACTS: tuple[tuple[Spec, list[tuple[str, str]]], ...] = (
    (ImageSpec(28, 32, 1), [("Shape", "28 × 32 pixels, grey")]),
    (ImageSpec(8, 8, 4), [("Shape", "8 × 8 pixels, colour + alpha")]),
    (AudioSpec(Framing(16_000, 8_000), (), ()), [("Shape", "0.5 s at 16,000 Hz")]),
    (
        TextSpec(SYMBOLS, 13, "words"),
        [("Shape", "12 words at most"), ("Vocabulary", "1,500 different words")],
    ),
    (TableSpec(()), []),
    (VectorSpec((0.0,), (1.0,)), [("Shape", "1 coordinate")]),
    (
        VectorSpec((0.0, 0.0), (1.0, 1.0), "ring"),
        [("Shape", "2 coordinates"), ("Known density", "ring")],
    ),
)


@pytest.mark.parametrize(("spec", "expected"), FACTS)
def test_size_and_meaning_are_named(spec: Spec, expected: list[tuple[str, str]]) -> None:
    assert list(kind_of(spec).codec.facts(spec)) == expected
