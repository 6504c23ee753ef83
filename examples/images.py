"""The whole game assembled by hand: real digits, two small networks, a grid of new digits.

python examples/images.py [seconds] [out.png]
"""

import sys
import time
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim import Adam

from sparring.kinds.images.codec import decode, encode
from sparring.kinds.images.spec import ImageSpec
from sparring.objectives import relativistic
from sparring.penalties import Penalty, r1, r2
from sparring.plotting import grid
from sparring.sampling import sample
from sparring.schedules import constant
from sparring.training.state import new_state
from sparring.training.step import Batch, Game, train_step

SPEC = ImageSpec(height=8, width=8, channels=1)


class Generator(nn.Module):
    """Latents (n, 32) to digits (n, 1, 8, 8)."""

    latent = 32

    def __init__(self) -> None:
        super().__init__()
        hidden = nn.Sequential(nn.Linear(32, 128), nn.ReLU())
        self.layers = nn.Sequential(
            hidden, nn.Linear(128, 64), nn.Tanh(), nn.Unflatten(1, SPEC.shape)
        )

    def forward(self, latent: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        return self.layers(latent)


class Discriminator(nn.Module):
    """Digits (n, 1, 8, 8) to logits (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1), nn.Flatten(0)
        )

    def forward(self, x: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        return self.layers(x)


def main(seconds: float = 20.0, out: str = "digits.png") -> None:
    """Train for a while, then draw 64 new digits."""
    torch.set_num_threads(1)  # networks this small run fastest so
    torch.manual_seed(0)
    pixels = torch.from_numpy(load_digits().images * 255 / 16).byte().unsqueeze(-1)
    digits = encode(pixels, SPEC)
    generator, discriminator = Generator(), Discriminator()
    adam = (Adam(network.parameters(), betas=(0.5, 0.99)) for network in (generator, discriminator))
    state = new_state(generator, discriminator, next(adam), next(adam))
    game = Game(
        relativistic,
        penalties=(Penalty(r1, constant(0.1), every=4), Penalty(r2, constant(0.1), every=4)),
        order="simultaneous",
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        real = digits[state.draw().integers("data", 64, below=len(digits))]
        logs = train_step(state, game, Batch(real))
    print(f"{state.samples_seen:,} images, discriminator loss {logs['discriminator/loss']:.3f}")
    grid(decode(torch.cat(list(sample(state.ema, 64))), SPEC), 8).save(Path(out))


if __name__ == "__main__":
    main(*(read(text) for read, text in zip((float, str), sys.argv[1:], strict=False)))
