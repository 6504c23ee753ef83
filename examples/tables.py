"""The game on a table assembled by hand: penguins, two networks, new penguins as a CSV file.

python examples/tables.py [seconds] [out.csv]
"""

import sys
import time
from pathlib import Path

import torch
from torch.optim import Adam

from sparring.kinds.tables.codec import encode, frame_of, reveal
from sparring.kinds.tables.condition_sampler import ConditionSampler
from sparring.kinds.tables.conditional import sample_where
from sparring.kinds.tables.files import write
from sparring.kinds.tables.networks import TabularDiscriminator, TabularGenerator
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import open_data
from sparring.kinds.tables.spec import TableSpec
from sparring.objectives import relativistic
from sparring.penalties import Penalty, r1, r2
from sparring.schedules import constant
from sparring.training.state import new_state
from sparring.training.step import Batch, Game, train_step


def main(seconds: float = 20.0, out: str = "penguins.csv") -> None:
    """Train for a while, then draw 100 heavy penguins of one species."""
    torch.set_num_threads(1)  # networks this small run fastest so
    torch.manual_seed(0)
    data = open_data("penguins", TableOptions(held_out=0.0), cache=Path())
    assert isinstance(data.spec, TableSpec)
    rows, choose = encode(torch.from_numpy(data.items), data.spec), ConditionSampler(data)
    generator = TabularGenerator(data.spec, latent=32, width=128, depth=2)
    discriminator = TabularDiscriminator(data.spec, width=128, depth=2)
    adam = (Adam(network.parameters(), betas=(0.0, 0.99)) for network in (generator, discriminator))
    state = new_state(generator, discriminator, next(adam), next(adam))
    smooth = (Penalty(r1, constant(0.02), every=8), Penalty(r2, constant(0.02), every=8))
    game = Game(relativistic, smooth, generator_lr=constant(5e-4), discriminator_lr=constant(5e-4))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        draw = state.draw()
        chosen, mask = choose(draw.integers("data", 128, below=len(rows)).numpy(), draw)
        condition = reveal(rows[chosen], mask, data.spec)  # some columns, for both networks
        logs = train_step(state, game, Batch(rows[chosen], condition))
    print(f"{state.samples_seen:,} rows, discriminator loss {logs['discriminator/loss']:.3f}")
    where = ["species=Gentoo", "body_mass_g>5000"]
    penguins = sample_where(state.ema, data.spec, where, n=100)
    write(frame_of(penguins.numpy(), data.spec), Path(out))


if __name__ == "__main__":
    main(*(read(text) for read, text in zip((float, str), sys.argv[1:], strict=False)))
