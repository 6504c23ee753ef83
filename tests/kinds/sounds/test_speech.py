"""How words are said: what the synthesiser is asked for, seen by one that keeps a record."""

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sparring.errors import SparringError
from sparring.kinds.sounds.speech import ACCENTS, PITCH, RATE, VERSION, WORDS, Synthesiser

NAMES = [f"{word}/{accent}+voice{k}.wav" for word in WORDS for accent in ACCENTS for k in range(4)]


class Engine:
    """A library that says nothing and writes down what it is asked."""

    def __init__(self, rate: int = 22_050, unknown: bytes = b"") -> None:
        self.parameters: list[tuple[int, int]] = []
        self.said: list[tuple[bytes, bytes]] = []
        self.seeds: list[int] = []
        self.voice = b""

        def choose(voice: bytes) -> int:
            self.voice = voice
            return int(voice == unknown)

        def say(text: bytes, *_: Any) -> None:
            self.said.append((self.voice, text))

        self.library = SimpleNamespace(
            espeak_Initialize=lambda *_: rate,
            espeak_SetSynthCallback=lambda _: None,
            espeak_ng_SetRandSeed=lambda seed: self.seeds.append(seed.value),
            espeak_SetVoiceByName=choose,
            espeak_SetParameter=lambda which, value, _: self.parameters.append((which, value)),
            espeak_Synth=say,
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: made.library)
    return made


def test_the_word_is_said_by_the_voice_of_its_name(engine: Engine) -> None:
    wave = Synthesiser("library", "data").say("seven/en-us+f3.wav")
    assert engine.said == [(b"en-us+f3", b"seven\0")]
    assert engine.seeds == [VERSION]
    assert (wave.dtype, len(wave)) == (np.int16, 0)


def test_rates_and_pitches_follow_from_names_each_on_its_own(engine: Engine) -> None:
    synthesiser = Synthesiser("library", "data")
    for name in NAMES:
        synthesiser.say(name)
    first = list(engine.parameters)
    chosen = {which: np.array([v for k, v in first if k == which]) for which in (RATE, PITCH)}
    for which, low, high in ((RATE, 110, 200), (PITCH, 20, 80)):
        values = chosen[which]
        assert len(values) == len(NAMES)
        assert low <= values.min() < low + 5
        assert high - 5 < values.max() <= high
    assert abs(np.corrcoef(chosen[RATE], chosen[PITCH])[0, 1]) < 0.2
    engine.parameters.clear()
    for name in reversed(NAMES):
        synthesiser.say(name)
    again = [engine.parameters[i : i + 2] for i in range(0, len(first), 2)]
    assert [pair for two in reversed(again) for pair in two] == first


def test_a_voice_or_a_library_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = Engine(unknown=b"en-us+ghost")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: lacking.library)
    with pytest.raises(SparringError, match=r"no voice .*en-us\+ghost"):
        Synthesiser("library", "data").say("one/en-us+ghost.wav")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Engine(rate=-1).library)
    with pytest.raises(SparringError, match="in 'library' does not start"):
        Synthesiser("library", "data")
