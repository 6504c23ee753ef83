"""Sounds as pictures that extractors of images can look at: power in mel bands over time.

A picture is uint8 (bands, frames, 1): −80 dB of full scale is black, 0 dB white. The principal
components of these pictures are the log-mel statistics that sounds are compared by; a classifier
is trained on them where there are labels.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.features.components import pixel_pca
from sparring.features.extractor import Extractor, Items, in_batches, spread
from sparring.kinds.sounds.codec import to_wave
from sparring.kinds.sounds.spec import AudioSpec, Framing
from sparring.kinds.sounds.spectrum import log_mel

NAME = "log-mel"
BANDS = 40
QUIETEST_DB = -80.0
WINDOW_SECONDS = 0.04  # at most
BATCH = 64


class MelPictures:
    """An array of sounds that reads as one of pictures; made when asked for, never all at once."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, sounds: Items, framing: Framing) -> None:
        self._sounds = sounds
        self._framing = picture_framing(framing)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Pictures, bands, frames, 1."""
        return len(self._sounds), BANDS, self._framing.frames + 1, 1

    def __len__(self) -> int:
        return len(self._sounds)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        return mel_pictures(self._sounds[index], self._framing)


def picture_framing(framing: Framing) -> Framing:
    """Return the frames of pictures: longer ones than networks see, for narrower bands."""
    window = 8
    while 2 * window <= WINDOW_SECONDS * framing.rate:
        window *= 2
    return Framing(framing.rate, framing.samples, window, window // 2)


def mel_pictures(items: Items, framing: Framing) -> NDArray[np.uint8]:
    """Return pictures (n, bands, frames, 1) of sounds (n, samples), int16 or float32."""
    frames = framing.frames + 1

    def compute(sounds: torch.Tensor) -> torch.Tensor:
        level = log_mel(to_wave(sounds), framing, BANDS, QUIETEST_DB)
        shade = (1 - level / QUIETEST_DB).clamp(0, 1) * 255
        return shade.round().flatten(1)

    shades = in_batches(compute, np.ascontiguousarray(items), BANDS * frames, BATCH)
    return shades.astype(np.uint8).reshape(-1, BANDS, frames, 1)


def pictured(data: Dataset) -> Dataset:
    """Return data of sounds with their pictures as items."""
    spec = data.spec
    assert isinstance(spec, AudioSpec)
    pictures: Any = MelPictures(data.items, spec.framing)
    return replace(data, items=pictures)


def of_sounds(extractor: Extractor, framing: Framing, name: str = "") -> Extractor:
    """Return an extractor of pictures as one of sounds."""
    longer = picture_framing(framing)

    def run(items: Items) -> NDArray[np.float32]:
        if items.ndim != 2 or items.shape[1] != framing.samples:
            raise SparringError(
                f"items are of shape {items.shape}; this extractor was fitted to sounds of "
                f"{framing.samples} samples"
            )
        return extractor.run(mel_pictures(items, longer))

    return replace(extractor, name=name or extractor.name, run=run)


def log_mel_components(data: Dataset) -> Extractor:
    """Return up to 64 principal components of the training sounds' pictures."""
    spec = data.spec
    assert isinstance(spec, AudioSpec)
    return of_sounds(pixel_pca(pictured(data).items[spread(data.train)]), spec.framing, NAME)
