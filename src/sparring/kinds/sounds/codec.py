"""Waves and what they become: tensors for networks, WAV files for people."""

from io import BytesIO
from typing import Any, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray
from torch import Tensor

from sparring.kinds.sounds.recording import Samples
from sparring.kinds.sounds.spec import AudioSpec, Framing
from sparring.kinds.sounds.spectrum import analyse, analyse_with_phase, synthesise

FULL_SCALE = 32767
MIN_PEAK = 1e-3  # below it a wave is taken as that loud, so that silence stays quiet
PAUSE_SECONDS = 0.15
MAX_WINDOW_SECONDS = 0.024  # at most, of the frames: longer ones blur the start of a drum

Bits = Literal["16", "24", "float"]


def encode(items: Tensor, spec: AudioSpec) -> Tensor:
    """Turn samples (n, samples) into what discriminators see; see `AudioSpec.form`."""
    wave = to_wave(items)
    return wave if spec.form == "wave" else to_spectra(wave, spec)


def to_spectra(wave: Tensor, spec: AudioSpec) -> Tensor:
    """Return the spectra of waves (n, samples) that a discriminator sees."""
    return analyse(wave, spec) if spec.form == "frames" else analyse_with_phase(wave, spec)


def decode(samples: Tensor, spec: AudioSpec) -> Tensor:
    """Turn what a generator makes into waves (n, samples), float32 within ±1.

    Each is brought to the peak that all sounds of the data have, if they have one; else only a wave
    that goes beyond ±1 is turned down. The phase of spectra is found by fast Griffin-Lim, from the
    same start for each.
    """
    wave = synthesise(samples, spec) if spec.form == "frames" else samples
    loudest = wave.abs().amax(-1, keepdim=True)
    if spec.peak:
        return wave * (spec.peak / loudest.clamp_min(MIN_PEAK))
    return wave / loudest.clamp_min(1.0)


def to_wave(items: Tensor) -> Tensor:
    """Return samples as float32 within ±1, be they int16 or that already."""
    return items if items.is_floating_point() else items.float() / FULL_SCALE


def to_int16(wave: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
    """Return waves as samples, ±32767 at full scale, clipped beyond."""
    scaled = np.rint(wave * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE)
    samples: NDArray[np.int16] = scaled.astype(np.int16)
    return samples


def wav_bytes(wave: NDArray[np.float32], rate: int, bits: Bits = "16") -> bytes:
    """Return one wave (samples,) as a WAV file."""
    subtype = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}[bits]
    file = BytesIO()
    soundfile.write(file, wave, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def joined(waves: NDArray[np.float32], rate: int, pause: float = PAUSE_SECONDS) -> Samples:
    """Return waves (n, samples) one after another, with pauses of so many seconds."""
    gap = np.zeros((len(waves), round(pause * rate)), np.float32)
    whole: Samples = np.concatenate([waves, gap], 1).ravel()
    return whole


def view(samples: Tensor, spec: AudioSpec) -> Tensor:
    """Return what a discriminator sees of generated samples: of waves, mostly their spectra."""
    return to_spectra(samples, spec) if spec.form == "sound" else samples


def to_user_type(waves: Tensor, spec: AudioSpec) -> Tensor:
    """Return the waves."""
    return waves


def describe(spec: AudioSpec) -> str:
    """Say in a few words what one sound is."""
    framing = spec.framing
    classes = f", {len(spec.classes)} classes" if spec.classes else ""
    return f"{framing.seconds:.3g} s at {framing.rate:,} Hz{classes}"


def facts(spec: AudioSpec) -> list[tuple[str, str]]:
    """Return length and rate, named."""
    return [("Shape", f"{spec.framing.seconds:.3g} s at {spec.framing.rate:,} Hz")]


def framing_of(rate: int, samples: int) -> Framing:
    """Choose the frames: windows of 12 to 24 ms, a power of two, every half window."""
    window = 4
    while 2 * window <= MAX_WINDOW_SECONDS * rate:
        window *= 2
    return Framing(rate, samples, window, window // 2)
