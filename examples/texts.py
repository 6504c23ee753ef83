"""The game on texts assembled by hand: surnames, two networks, new surnames on the terminal.

python examples/texts.py [seconds]
"""

import sys
import time
from pathlib import Path

import torch
from torch.optim import Adam

from sparring.kinds.texts.codec import decode, encode, texts_of
from sparring.kinds.texts.networks.sequence import SequenceDiscriminator, SequenceGenerator
from sparring.kinds.texts.options import TextOptions
from sparring.kinds.texts.reader import open_data
from sparring.kinds.texts.spec import TextSpec
from sparring.objectives import relativistic
from sparring.penalties import Penalty, r1, r2
from sparring.sampling import sample
from sparring.schedules import constant
from sparring.training.state import new_state
from sparring.training.step import Batch, Game, train_step


def main(seconds: float = 60.0) -> None:
    """Train for a while, then print forty names that nobody may have."""
    torch.set_num_threads(1)  # networks this small run fastest so
    torch.manual_seed(0)
    data = open_data("names", TextOptions(), cache=Path())
    assert isinstance(data.spec, TextSpec)
    names = torch.from_numpy(data.items[data.train])  # numbers of letters, 0 is the end
    generator = SequenceGenerator(data.spec, latent=64, width=64, depth=4)
    discriminator = SequenceDiscriminator(data.spec, width=64, depth=4)
    adam = (Adam(network.parameters(), betas=(0.0, 0.99)) for network in (generator, discriminator))
    state = new_state(generator, discriminator, next(adam), next(adam))
    smooth = (Penalty(r1, constant(0.2), every=4), Penalty(r2, constant(0.2), every=4))
    game = Game(relativistic, smooth, generator_lr=constant(1e-3), discriminator_lr=constant(1e-3))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        chosen = state.draw().integers("data", 64, below=len(names))
        logs = train_step(state, game, Batch(encode(names[chosen], data.spec)))
    print(f"{state.samples_seen:,} names, discriminator loss {logs['discriminator/loss']:.3f}")
    texts = torch.cat([decode(part, data.spec) for part in sample(state.ema, 40)])
    print("\n".join(texts_of(texts, data.spec)))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
