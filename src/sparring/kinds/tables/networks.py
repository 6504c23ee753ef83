"""The pair for tables: rows of numbers and one-hot groups, on the condition of revealed columns.

The generator's output in revealed columns is the condition itself, so that the discriminator has
only to learn whether the rest fits it; both are given which columns are revealed. A condition is
what `condition_sampler` draws: the encoded values, 0 where hidden, then 1 for each revealed column.

A category is the Gumbel-max of logits (Jang 2017; Maddison 2017): relaxed while training, exact in
evaluation. Its noise comes with the latent, so that a row is a function of its latent.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sparring.kinds.tables.spec import TableSpec
from sparring.networks.blocks import LEAK
from sparring.networks.dense import Dense
from sparring.networks.gumbel import gumbel

TEMPERATURE = 0.5  # of the relaxed categories


class TabularGenerator(nn.Module):
    """latent, condition → `depth` residual blocks of `width` → a row.

    The first `latent_size` numbers of the latent drive the blocks; as many more as there are
    categories are their noise.
    """

    def __init__(self, spec: TableSpec, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.groups = _groups(spec)
        self.latent_size = latent
        self.latent = latent + sum(stop - start for start, stop in self.groups)
        self.size, self.columns = spec.size, len(spec.learned)
        self.owners = list(spec.owners)
        condition_width = spec.size + self.columns
        self.start = Dense(latent + condition_width, width)
        self.blocks = nn.ModuleList(ResidualBlock(width, condition_width) for _ in range(depth))
        self.head = Dense(width, spec.size)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if label is None:
            condition = latent.new_zeros(latent.shape[0], self.size + self.columns)
        else:
            condition = label
        driving, noise = latent[:, : self.latent_size], latent[:, self.latent_size :]
        hidden = self.start(torch.cat([driving, condition], 1))
        for block in self.blocks:
            hidden = block(hidden, condition)
        row = self._sample_categories(self.head(hidden), gumbel(noise))
        values, revealed = condition[:, : self.size], condition[:, self.size :][:, self.owners]
        joined: Tensor = torch.where(revealed > 0, values, row)
        return joined

    def _sample_categories(self, output: Tensor, noise: Tensor) -> Tensor:
        """Replace the logits of each one-hot group by a category; numbers stay as they are."""
        parts, end, noise_start = [], 0, 0
        for start, stop in self.groups:
            size = stop - start
            perturbed = output[:, start:stop] + noise[:, noise_start : noise_start + size]
            soft = torch.softmax(perturbed / TEMPERATURE, 1)
            hard = one_hot(perturbed.argmax(1), size).to(soft)
            parts += [output[:, end:start], soft if self.training else hard]
            end, noise_start = stop, noise_start + size
        return torch.cat([*parts, output[:, end:]], 1)


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
    """x and a layer of the condition, plus a normalised layer of both."""

    def __init__(self, width: int, condition_width: int) -> None:
        super().__init__()
        self.tell = Dense(condition_width, width)
        self.layer = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), Dense(width, width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = x + self.tell(condition)
        residual: Tensor = self.layer(x)
        return x + residual


def _groups(spec: TableSpec) -> tuple[tuple[int, int], ...]:
    """Return where each one-hot group starts and stops."""
    one_hot_groups = (block for block in spec.blocks if block.kind != "number")
    return tuple((block.start, block.start + block.width) for block in one_hot_groups)
