"""The shades of sounds' pictures: 80 dB from black to white, rounded to the nearest."""

import numpy as np
import torch

from sparring.kinds.sounds.features.mel import BANDS, mel_pictures, picture_framing
from sparring.kinds.sounds.spec import Framing
from sparring.kinds.sounds.spectrum import log_mel

WANTED = picture_framing(Framing(8000, 1600, 128, 64))
TIME = np.arange(1600) / 8000


def tone(decibels: float) -> np.ndarray:
    wave = 10 ** (decibels / 20) * np.sin(2 * np.pi * 1000 * TIME)
    return wave[None].astype(np.float32)


def test_each_decibel_of_a_tone_is_as_many_shades_down_to_80() -> None:
    shades = [int(mel_pictures(tone(level), WANTED)[0, :, 4].max()) for level in (-10, -30, -50)]
    assert abs(shades[0] - shades[1] - 20 / 80 * 255) <= 1
    assert abs(shades[1] - shades[2] - 20 / 80 * 255) <= 1
    assert mel_pictures(tone(-110), WANTED).max() == 0


def test_shades_are_rounded_to_the_nearest() -> None:
    wave = np.random.default_rng(0).normal(scale=0.05, size=(3, 1600)).astype(np.float32)
    level = log_mel(torch.from_numpy(wave), WANTED, BANDS, -80.0).numpy()
    wanted = np.rint((level / 80 + 1).clip(0, 1) * 255)
    assert np.array_equal(mel_pictures(wave, WANTED)[..., 0], wanted)
