"""What the card of sounds says beside features: brightness, loudness, length, and artefacts.

Inside: the properties, how far their distributions lie apart, and the words. Not inside: the
measures themselves (`spectrum`), the tests (`metrics.marginals`).
"""

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from sparring.kinds.sounds.codec import to_wave
from sparring.kinds.sounds.features.mel import picture_framing
from sparring.kinds.sounds.spec import AudioSpec
from sparring.kinds.sounds.spectrum import (
    centroid_hz,
    click_ratio,
    clipped_share,
    direct_level,
    loudness_db,
    seconds_heard,
    tonal_excess_db,
)
from sparring.metrics.estimate import Estimate, Null
from sparring.metrics.line import CardLine, Note
from sparring.metrics.marginals import MIN_ROWS, CodedTable, marginal_distances
from sparring.metrics.proportions import agresti_coull_share

MAX_SOUNDS = 2_000  # of each side
MIN_CLICK = 30.0  # times the jumps around it; of noise the largest is about 4
MIN_OFFSET = 0.01  # of the peak
MIN_CLIPPED = 0.001  # share of samples in flat tops
COMPARED_BAND = 0.95  # of half the rate; above, resamplers leave an edge
MIN_TONE_DB = 6.0  # above the same frequency of real sounds, on average over many
DISTRIBUTIONS = ("brightness, Hz", "loudness, dB", "length, s")
FAULTS = {"clicks": "with a click", "offset": "with an offset", "clipped": "with flat tops"}
PERMUTATIONS = 999
BATCH = 100
Properties = dict[str, NDArray[np.float64]]


def properties(sounds: NDArray[Any], spec: AudioSpec) -> Properties:
    """Return every property of each sound, and the mean excess of each frequency, in dB."""
    framing = picture_framing(spec.framing)
    batches: dict[str, list[torch.Tensor]] = {}
    tones = []
    for start in range(0, len(sounds), BATCH):
        wave = to_wave(torch.from_numpy(np.asarray(sounds[start : start + BATCH])))
        measured = {
            "brightness, Hz": centroid_hz(wave, framing),
            "loudness, dB": loudness_db(wave, framing.rate),
            "length, s": seconds_heard(wave, framing.rate),
            "clicks": click_ratio(wave) > MIN_CLICK,
            "offset": direct_level(wave).abs() > MIN_OFFSET,
            "clipped": clipped_share(wave) > MIN_CLIPPED,
        }
        for name, values in measured.items():
            batches.setdefault(name, []).append(values)
        tones.append(tonal_excess_db(wave, framing))
    of_sounds = {name: torch.cat(parts).double().numpy() for name, parts in batches.items()}
    return of_sounds | {"tones": torch.cat(tones).double().mean(0).numpy()}


def measure_sounds(
    of: tuple[Properties | None, Properties, Properties], spec: AudioSpec, note: Note
) -> Iterator[CardLine]:
    """Yield the lines of the card.

    Args:
        of: properties of training sounds if they are known, of held-out ones, and of samples.
        spec: of all of them.
        note: called with what people should know beside the lines.
    """
    train, held_out, fake = of
    if min(len(side["clicks"]) for side in of if side) < MIN_ROWS:
        note(f"properties are left out: fewer than {MIN_ROWS} sounds of a side")
        return
    distances, *real_vs_real = (
        marginal_distances(_table(held_out), _table(other), permutations=PERMUTATIONS)
        for other in (fake, train)
        if other
    )
    for name in DISTRIBUTIONS:
        key, real = name.split(",")[0], [d[name].estimate for d in real_vs_real]
        untested = replace(real[0], p_value=None) if real else None
        yield CardLine(key, f"{key}, KS distance", distances[name].estimate, untested, "lower")
    for key, words in FAULTS.items():
        yield CardLine(key, words, *_shares(fake[key], held_out[key]), "as real")
    medians = ", ".join(
        f"{name} {np.median(fake[name]):.3g} (real {np.median(held_out[name]):.3g})"
        for name in DISTRIBUTIONS
    )
    note(f"medians: {medians}")
    note(_tone_words(fake["tones"], held_out["tones"], spec))


def _table(sounds: Properties) -> CodedTable:
    """Return the properties of sounds as a table of numbers."""
    values = np.stack([sounds[name] for name in DISTRIBUTIONS], 1)
    return CodedTable(DISTRIBUTIONS, (True,) * len(DISTRIBUTIONS), values)


def _shares(fake: NDArray[np.float64], real: NDArray[np.float64]) -> tuple[Estimate, Estimate]:
    """Return shares of faulty sounds, with a test whether samples have more (Fisher 1935)."""
    counts = [(int(faulty.sum()), len(faulty)) for faulty in (fake, real)]
    table = [[faulty, n - faulty] for faulty, n in counts]
    p_value = float(fisher_exact(table, alternative="greater").pvalue)
    of_fakes, of_reals = (agresti_coull_share(faulty, n) for faulty, n in counts)
    share = (counts[1][0] + 1) / (counts[1][1] + 2)
    spread = sqrt(share * (1 - share) * sum(1 / n for _, n in counts))
    null = Null(of_reals.value, spread, 1.0)
    return replace(of_fakes, p_value=p_value, under_null=null), of_reals


def _tone_words(fake: NDArray[np.float64], real: NDArray[np.float64], spec: AudioSpec) -> str:
    """Say whether some frequency stays above its neighbours in samples, as upsampling makes it."""
    excess = (fake - real)[: round(COMPARED_BAND * len(fake))]
    worst = int(np.argmax(excess))
    hertz = worst * spec.framing.rate / (2 * (len(fake) - 1))
    if excess[worst] < MIN_TONE_DB:
        return "no steady tone stands out of the samples that real sounds have not"
    return (
        f"a steady tone at {hertz:,.0f} Hz stands {excess[worst]:.0f} dB higher above its "
        "neighbours than in real sounds: the mark of upsampling"
    )
