"""The voice encoder of Resemblyzer: 256 numbers of who speaks (Wan 2018, section 2).

Its weights come inside a package of their own, which is not imported. Sounds are brought to
16 kHz and to the level the network knows; power in 40 mel bands goes through three LSTM layers,
1.6 seconds at a time.
"""

from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, relu

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.features.extractor import Extractor, Features, Items, in_batches
from sparring.features.weights import Tensors, digest_of_tensors, fill, read_pickled, weights_folder
from sparring.kinds.sounds.codec import to_wave
from sparring.kinds.sounds.spec import AudioSpec, Framing
from sparring.kinds.sounds.spectrum import mel_filters

NAME = "resemblyzer"
PACKAGE = "resemblyzer"
FILE = "pretrained.pt"
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
RATE, WINDOW, HOP, BANDS = 16_000, 400, 160, 40
FRAMES = 160  # that the network hears at once
WIDTH = 256
LEVEL_DB = -30.0  # root mean square that quieter sounds are brought to
BATCH = 32


class VoiceEncoder(nn.Module):
    """Power in mel bands (n, frames, 40) to 256 numbers, none negative, of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, WIDTH, 3, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, mel: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mel)
        return normalize(relu(self.linear(hidden[-1])))


def voice_encoder(data: Dataset) -> Extractor:
    """Return the features of the weights in the installed package, for sounds of this length.

    Raises:
        SparringError: the package is not installed, its file is not the known one, or these are
            not sounds.
    """
    spec = data.spec
    if not isinstance(spec, AudioSpec):
        raise SparringError(f"the extractor {NAME} is for sounds; these data are not sounds")
    path = weights_folder(NAME, PACKAGE, dependencies=False) / FILE
    whole: dict[str, Any] = read_pickled(path, SHA256)
    tensors: Tensors = whole["model_state"]
    with torch.device("meta"):
        network = VoiceEncoder()
    used = {name: t for name, t in tensors.items() if not name.startswith("similarity")}
    filled = fill(network, used, str(path))
    rate = spec.framing.rate

    def run(items: Items) -> Features:
        return in_batches(lambda sounds: network_of(network, sounds, rate), items, WIDTH, BATCH)

    return Extractor(NAME, digest_of_tensors(NAME, filled), WIDTH, run, is_fixed=True)


def network_of(network: VoiceEncoder, sounds: Tensor, rate: int) -> Tensor:
    """Return the mean over 1.6-second parts (n, 256) of sounds (n, samples)."""
    mel = mel_power(to_wave(sounds), rate)
    parts = max(1, -(-mel.shape[1] // FRAMES))
    whole = pad(mel, (0, 0, 0, parts * FRAMES - mel.shape[1]))
    voices = network(whole.reshape(-1, FRAMES, BANDS)).view(len(mel), parts, WIDTH)
    return normalize(voices.mean(1))


def mel_power(wave: Tensor, rate: int) -> Tensor:
    """Return power in mel bands (n, frames, 40) as the network was trained on it."""
    if rate != RATE:
        resampled = [soxr.resample(row, rate, RATE) for row in wave.numpy()]
        wave = torch.from_numpy(np.stack(resampled))
    level = wave.square().mean(1, keepdim=True).clamp_min(1e-20).sqrt()
    wave = wave * (10 ** (LEVEL_DB / 20) / level).clamp_min(1)
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(
        wave, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True
    )
    filters = mel_filters(Framing(RATE, wave.shape[1], WINDOW, WINDOW // 2), BANDS, low_hz=0.0)
    return (filters @ spectrum.abs().square()).transpose(1, 2)
