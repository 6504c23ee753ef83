"""The pair for tables: rows of numbers and one-hot groups, on the condition of revealed columns.

The generator's output in revealed columns is the condition itself, so that the discriminator has
only to learn whether the rest fits it; both are told which columns are revealed. A condition is
what `data.tables` makes: the encoded values, 0 where hidden, then 1 for each revealed column.

A category is the Gumbel-max of logits (Jang 2017; Maddison 2017): relaxed while training, exact in
evaluation. Its noise comes with the latent, so that a row is a function of its latent.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sparring.networks.blocks import LEAK
from sparring.networks.dense import Dense
from sparring.spec import TableSpec

TEMPERATURE = 0.5  # of the relaxed categories
FARTHEST = 5.0  # standard deviations of the noise's normal numbers


class TabularGenerator(nn.Module):
    """latent, condition → `depth` residual blocks of `width` → a row.

    `latent` numbers drive the blocks; as many more as there are categories are their noise.
    """

    def __init__(self, spec: TableSpec, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.groups = _groups(spec)
        self.driving = latent
        self.latent = latent + sum(stop - start for start, stop in self.groups)
        self.size, self.columns = spec.size, len(spec.learned)
        self.owners = list(spec.owners)
        self.start = Dense(latent + spec.size + self.columns, width)
        told = spec.size + self.columns
        self.blocks = nn.ModuleList(ResidualBlock(width, told) for _ in range(depth))
        self.head = Dense(width, spec.size)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        known = latent.new_zeros(len(latent), self.size + self.columns) if label is None else label
        drive, noise = latent[:, : self.driving], latent[:, self.driving :]
        hidden = self.start(torch.cat([drive, known], 1))
        for block in self.blocks:
            hidden = block(hidden, known)
        made = self.head(hidden)
        row = self._categories(made, gumbel(noise))
        values, revealed = known[:, : self.size], known[:, self.size :][:, self.owners]
        joined: Tensor = torch.where(revealed > 0, values, row)
        return joined

    def _categories(self, made: Tensor, noise: Tensor) -> Tensor:
        parts, at, taken = [], 0, 0
        for start, stop in self.groups:
            size = stop - start
            chosen = made[:, start:stop] + noise[:, taken : taken + size]
            soft = torch.softmax(chosen / TEMPERATURE, 1)
            hard = one_hot(chosen.argmax(1), size).to(soft)
            parts += [made[:, at:start], soft if self.training else hard]
            at, taken = stop, taken + size
        return torch.cat([*parts, made[:, at:]], 1)


class TabularDiscriminator(nn.Module):
    """A row, and which of its columns were revealed → `depth` layers of `width` → a logit."""

    def __init__(self, spec: TableSpec, width: int, depth: int) -> None:
        super().__init__()
        self.columns = len(spec.learned)
        layers: list[nn.Module] = []
        for fan_in in [spec.size + self.columns] + [width] * (depth - 1):
            layers += [Dense(fan_in, width), nn.LeakyReLU(LEAK)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        mask = x.new_zeros(len(x), self.columns) if label is None else label[:, -self.columns :]
        logits: Tensor = self.head(self.layers(torch.cat([x, mask], 1)))
        return logits.squeeze(1)


class ResidualBlock(nn.Module):
    """x and what is told, plus a normalised layer of both."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.tell = Dense(told, width)
        self.layer = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), Dense(width, width))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        x = x + self.tell(told)
        added: Tensor = self.layer(x)
        return x + added


def gumbel(normal: Tensor) -> Tensor:
    """Map N(0, 1) to the standard Gumbel law, −ln(−ln Φ), within five standard deviations."""
    z = normal.clamp(-FARTHEST, FARTHEST)
    above = torch.erfc(z * 0.5**0.5) / 2  # 1 − Φ(z)
    return -torch.log(-torch.log1p(-above))


def _groups(spec: TableSpec) -> tuple[tuple[int, int], ...]:
    """Return where each one-hot group starts and stops."""
    one_hot_groups = (block for block in spec.blocks if block.kind != "number")
    return tuple((block.start, block.start + block.width) for block in one_hot_groups)
