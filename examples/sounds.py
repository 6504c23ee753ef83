"""The game on sounds assembled by hand: drums made here, two networks, new drums as a WAV file.

python examples/sounds.py [seconds] [out.wav]
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.optim import Adam

from sparring.kinds.sounds.codec import decode, encode, joined, view, wav_bytes
from sparring.kinds.sounds.networks.frames import FramesDiscriminator, InverseSTFTGenerator
from sparring.kinds.sounds.options import SoundOptions
from sparring.kinds.sounds.reader import open_data
from sparring.kinds.sounds.spec import AudioSpec
from sparring.objectives import relativistic
from sparring.penalties import Penalty, r1, r2
from sparring.sampling import sample
from sparring.schedules import constant
from sparring.training.state import new_state
from sparring.training.step import Batch, Game, train_step

RATE = 8000


def drums(n: int = 500) -> np.ndarray:
    """Return falling tones with a burst of noise, (n, samples)."""
    rng, t = np.random.default_rng(0), np.arange(RATE // 4) / RATE
    low, high, decay = (rng.uniform(*ends, (n, 1)) for ends in ((60, 120), (0, 9), (10, 40)))
    tone = np.sin(2 * np.pi * (low * t + high * (1 - np.exp(-30 * t))))
    burst = 0.2 * rng.normal(size=(n, len(t))) * np.exp(-90 * t)
    waves: np.ndarray = 0.6 * (tone * np.exp(-decay * t) + burst)
    return waves.clip(-1, 1)


def main(seconds: float = 60.0, out: str = "drums.wav") -> None:
    """Train for a while, then write sixteen new drums one after another."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = open_data(drums(), SoundOptions(rate=RATE), cache=Path())
    assert isinstance(data.spec, AudioSpec)
    spec = AudioSpec(data.spec.framing, data.spec.mean, data.spec.scale, form="sound")
    real = encode(torch.from_numpy(data.items[data.train]), spec)  # spectra, with phase
    generator = InverseSTFTGenerator(spec, latent=32, width=48, depth=1)
    discriminator = FramesDiscriminator(spec, width=48, depth=1)
    adam = (Adam(network.parameters(), betas=(0.0, 0.99)) for network in (generator, discriminator))
    state = new_state(generator, discriminator, next(adam), next(adam))
    smooth = (Penalty(r1, constant(1.0), every=4), Penalty(r2, constant(1.0), every=4))
    game = Game(
        relativistic,
        smooth,
        view=lambda waves: view(waves, spec),  # the generator makes waves
        generator_lr=constant(1e-3),
        discriminator_lr=constant(1e-3),
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        chosen = state.draw().integers("data", 16, below=len(real))
        logs = train_step(state, game, Batch(real[chosen]))
    print(f"{state.samples_seen:,} drums, discriminator loss {logs['discriminator/loss']:.3f}")
    waves = torch.cat([decode(part, spec) for part in sample(state.ema, 16)]).numpy()
    Path(out).write_bytes(wav_bytes(joined(waves, RATE), RATE))


if __name__ == "__main__":
    main(*(read(text) for read, text in zip((float, str), sys.argv[1:], strict=False)))
