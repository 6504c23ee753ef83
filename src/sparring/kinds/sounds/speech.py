"""Spoken digits, synthesised here: ten words by about a hundred voices in seven accents of English.

The voices are those of the speech synthesiser eSpeak NG, whose library and voices come inside the
package `espeakng-loader`; what it says may be used freely. Rate and pitch of a clip are a function
of its name. The synthesiser carries some state from word to word, so that the whole set is spoken
in one order by a process of its own: it is the same set each time.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sparring.data.pack import Progress
from sparring.errors import SparringError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = (
    "en-029",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-gb-x-rp",
    "en-us",
    "en-us-nyc",
)
WHISPERED = ("whisper", "whisperf")  # nothing of a voice is left in them
MIN_WORDS_PER_MINUTE, MAX_WORDS_PER_MINUTE = 110, 200  # words a minute
MIN_PITCH, MAX_PITCH = 20, 80  # on the synthesiser's scale of pitch from 0 to 100
VERSION = 1  # of the set; whatever changes a clip makes another one
CLIPS_PER_REPORT = 100  # clips between two lines about progress

RATE, PITCH = 1, 3  # the synthesiser's numbers of parameters
SYNCHRONOUS, UTF8 = 2, 1


def speak_all(folder: Path, progress: Progress) -> None:
    """Write all clips below a folder, as `word/accent+voice.wav`.

    Raises:
        SparringError: the synthesiser is not installed, or fails.
    """
    try:
        import espeakng_loader
    except ImportError:
        raise SparringError(
            "'spoken-digits' are made by the package espeakng-loader, which is not installed; "
            'run `pip install "sparring[datasets]"`'
        ) from None
    paths = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    command = [sys.executable, "-m", "sparring.kinds.sounds.speech", *paths, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stdout:
            done, total = line.split()
            progress("speaking", int(done), int(total))
        errors = process.stderr.read().strip().splitlines()
    if process.returncode:
        raise SparringError(f"the speech synthesiser failed: {(errors or ['no reason'])[-1]}")


def clip_names(data: Path) -> Iterator[str]:
    """Yield the names of all clips, given the folder of the synthesiser's data."""
    voices = sorted(p.name for p in (data / "voices" / "!v").iterdir() if " " not in p.name)
    for word in WORDS:
        for accent in ACCENTS:
            yield from (f"{word}/{accent}+{v}.wav" for v in voices if v not in WHISPERED)


class Synthesiser:
    """The one speech synthesiser that a process can have."""

    def __init__(self, library: str, data: str) -> None:
        self._blocks: list[NDArray[np.int16]] = []
        self._engine = ctypes.CDLL(library)
        uint, pointer = ctypes.c_uint, ctypes.c_void_p
        text = ctypes.c_char_p, ctypes.c_size_t
        self._engine.espeak_Synth.argtypes = (*text, *[uint] * 4, pointer, pointer)
        self.rate = int(self._engine.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), 0))
        if self.rate <= 0:
            raise SparringError(f"the synthesiser in '{library}' does not start")
        listener = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._listener = listener(self._receive)  # lives as long as it may be called
        self._engine.espeak_SetSynthCallback(self._listener)
        self._engine.espeak_ng_SetRandSeed(ctypes.c_long(VERSION))

    def say(self, name: str) -> NDArray[np.int16]:
        """Return the samples of the clip of this name."""
        word, voice = name.removesuffix(".wav").split("/")
        chance = blake2b(name.encode(), digest_size=2).digest()
        if self._engine.espeak_SetVoiceByName(voice.encode()):
            raise SparringError(f"the synthesiser has no voice {voice}")
        self._engine.espeak_SetParameter(
            RATE, _scaled(MIN_WORDS_PER_MINUTE, MAX_WORDS_PER_MINUTE, chance[0]), 0
        )
        self._engine.espeak_SetParameter(PITCH, _scaled(MIN_PITCH, MAX_PITCH, chance[1]), 0)
        self._blocks.clear()
        text = word.encode() + b"\0"
        self._engine.espeak_Synth(text, len(text), 0, 0, 0, UTF8, None, None)
        return np.concatenate([np.zeros(0, np.int16), *self._blocks])

    def _receive(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: object) -> int:
        if samples and count:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def _scaled(low: int, high: int, byte: int) -> int:
    return low + byte * (high - low) // 255


def main(library: str, data: str, folder: str) -> None:
    """Write all clips below `folder`, and now and then how many there are already."""
    synthesiser = Synthesiser(library, data)
    names = list(clip_names(Path(data)))
    for done, name in enumerate(names, 1):
        path = Path(folder, name)
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, synthesiser.say(name), synthesiser.rate)
        if done % CLIPS_PER_REPORT == 0:
            sys.stdout.write(f"{done} {len(names)}\n")
            sys.stdout.flush()
    sys.stdout.flush()
    os._exit(0)  # the synthesiser's own end is not always clean


if __name__ == "__main__":
    main(*sys.argv[1:])
