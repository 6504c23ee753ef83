"""What the card of sounds says beside features: brightness, loudness, length, and artefacts.

Inside: the properties, how far their distributions lie apart, and the words. Not inside: the
measures themselves (`spectrum`), the tests (`metrics.tables`).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from sparring.data.sounds import to_wave
from sparring.evaluation import Line, Tell
from sparring.features.mel import picture_framing
from sparring.metrics.estimate import Estimate
from sparring.metrics.normal import normal_estimate
from sparring.metrics.tables import LEAST, coded, marginal_distances
from sparring.spec import AudioSpec
from sparring.spectrum import (
    centroid_hz,
    click_ratio,
    clipped_share,
    direct_level,
    loudness_db,
    seconds_heard,
    tonal_excess_db,
)

MOST = 2_000  # sounds of each side
CLICK = 30.0  # times the jumps around it; of noise the largest is about 4
OFFSET = 0.01  # of the peak
CLIPPED = 0.001  # share of samples in flat tops
HEARD = 0.95  # of half the rate; above, resamplers leave an edge
TONE_DB = 6.0  # above the same frequency of real sounds, on average over many
DISTRIBUTIONS = ("brightness, Hz", "loudness, dB", "length, s")
FAULTS = {"clicks": "with a click", "offset": "with an offset", "clipped": "with flat tops"}
PERMUTATIONS = 999
AT_ONCE = 100
Properties = dict[str, NDArray[np.float64]]


class Sounds(NamedTuple):
    """Waves (n, samples) that were trained on, that were not, and samples."""

    train: NDArray[Any]
    held_out: NDArray[Any]
    fake: NDArray[Any]


def properties(sounds: NDArray[Any], spec: AudioSpec) -> Properties:
    """Return every property of each sound, and the mean excess of each frequency, in dB."""
    framing = picture_framing(spec.framing)
    found: dict[str, list[torch.Tensor]] = {}
    tones = []
    for start in range(0, len(sounds), AT_ONCE):
        wave = to_wave(torch.from_numpy(np.asarray(sounds[start : start + AT_ONCE])))
        measured = {
            "brightness, Hz": centroid_hz(wave, framing),
            "loudness, dB": loudness_db(wave, framing.rate),
            "length, s": seconds_heard(wave, framing.rate),
            "clicks": click_ratio(wave) > CLICK,
            "offset": direct_level(wave).abs() > OFFSET,
            "clipped": clipped_share(wave) > CLIPPED,
        }
        for name, values in measured.items():
            found.setdefault(name, []).append(values)
        tones.append(tonal_excess_db(wave, framing))
    told = {name: torch.cat(parts).double().numpy() for name, parts in found.items()}
    return told | {"tones": torch.cat(tones).double().mean(0).numpy()}


def measure_sounds(
    of: tuple[Properties, Properties, Properties], spec: AudioSpec, skip: Tell
) -> Iterator[Line]:
    """Yield the lines of the card.

    Args:
        of: properties of training sounds, of held-out ones, and of samples.
        spec: of all of them.
        skip: told what people should know beside the lines.
    """
    _, held_out, fake = of
    if min(len(one["clicks"]) for one in of) < LEAST:
        skip(f"properties are left out: fewer than {LEAST} sounds of a side")
        return
    frames = [pd.DataFrame({n: one[n] for n in DISTRIBUTIONS}) for one in of]
    apart, truth = (
        marginal_distances(*coded(frames[1], other), permutations=PERMUTATIONS)
        for other in (frames[2], frames[0])
    )
    for name in DISTRIBUTIONS:
        key, plain = name.split(",")[0], truth[name].found
        at_truth = Estimate(plain.value, plain.low, plain.high, plain.n, plain.method)
        yield Line(key, f"{key}, KS distance", apart[name].found, at_truth, "lower")
    for key, words in FAULTS.items():
        yield Line(key, words, _share(fake[key]), _share(held_out[key]), "as real")
    told = ", ".join(
        f"{name} {np.median(fake[name]):.3g} (real {np.median(held_out[name]):.3g})"
        for name in DISTRIBUTIONS
    )
    skip(f"medians: {told}")
    skip(_tones(fake["tones"], held_out["tones"], spec))


def _share(told: NDArray[np.float64]) -> Estimate:
    """Return a share with Agresti and Coull's interval, which holds for small ones."""
    n = len(told)
    p = (float(told.sum()) + 2) / (n + 4)
    found = normal_estimate(float(told.mean()), p * (1 - p) / (n + 4), n, "Agresti & Coull")
    reach = found.high - found.value
    return Estimate(found.value, max(p - reach, 0), min(p + reach, 1), n, found.method)


def _tones(fake: NDArray[np.float64], real: NDArray[np.float64], spec: AudioSpec) -> str:
    """Say whether some frequency stays above its neighbours in samples, as upsampling makes it."""
    excess = (fake - real)[: round(HEARD * len(fake))]
    worst = int(np.argmax(excess))
    hertz = worst * spec.framing.rate / (2 * (len(fake) - 1))
    if excess[worst] < TONE_DB:
        return "no steady tone stands out of the samples that real sounds have not"
    return (
        f"a steady tone at {hertz:,.0f} Hz stands {excess[worst]:.0f} dB higher above its "
        "neighbours than in real sounds: the mark of upsampling"
    )
