"""The pair for texts: every place at once, by 1-D convolutions over the places.

The generator's symbols are discrete: the largest logit is taken, and the gradient passes as if the
softmax had been (straight-through; Bengio 2013, section 4). So the discriminator sees nothing but
one-hot columns, of reals and fakes alike, and has to learn to spell.

Notation: n texts of `length` places, V symbols; c channels.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot

from sparring.kinds.texts.spec import TextSpec
from sparring.networks.blocks import LEAK, Conditioning, Projection
from sparring.networks.conv1d import ResidualBlock

KERNEL = 5  # places


class SequenceGenerator(nn.Module):
    """latent, label → one-hot columns (n, V, length), through `depth` blocks of `width` channels.

    Each block is scaled and shifted by the latent (Karras 2019, section 2).
    """

    def __init__(self, spec: TextSpec, latent: int, width: int, depth: int) -> None:
        super().__init__()
        symbols, length = spec.shape
        self.latent, self.width, self.length = latent, width, length
        self.conditioning = Conditioning(latent, len(spec.classes))
        condition_width = self.conditioning.width
        self.start = nn.Linear(condition_width, width * length)
        self.styles = nn.ModuleList(nn.Linear(condition_width, 2 * width) for _ in range(depth))
        self.blocks = nn.ModuleList(ResidualBlock(width, KERNEL) for _ in range(depth))
        self.head = nn.Conv1d(width, symbols, 1)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        condition = self.conditioning(latent, label)
        maps: Tensor = self.start(condition).view(-1, self.width, self.length)
        for style, block in zip(self.styles, self.blocks, strict=True):
            scale, shift = style(condition)[..., None].chunk(2, 1)
            maps = block(maps * (1 + scale) + shift)
        return straight_through(self.head(leaky_relu(maps, LEAK)))


class SequenceDiscriminator(nn.Module):
    """One-hot columns (n, V, length) → `depth` blocks of `width` channels → a logit."""

    def __init__(self, spec: TextSpec, width: int, depth: int) -> None:
        super().__init__()
        symbols, length = spec.shape
        self.embed = nn.Conv1d(symbols, width, 1)
        nn.init.normal_(self.embed.weight)  # of one-hot columns: numbers of size 1
        self.place = nn.Parameter(torch.zeros(width, length))
        self.blocks = nn.Sequential(*(ResidualBlock(width, KERNEL) for _ in range(depth)))
        self.head = Projection(width * length, len(spec.classes))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        maps = self.blocks(self.embed(x) + self.place)
        logits: Tensor = self.head(leaky_relu(maps, LEAK).flatten(1), label)
        return logits


def straight_through(logits: Tensor) -> Tensor:
    """Return the largest of logits (n, V, length) as one-hot, with the softmax's gradient.

    Of two equal ones the first is the largest. What follows an end is learned to be ends.
    """
    hard = one_hot(logits.argmax(1), logits.shape[1]).transpose(1, 2).to(logits)
    soft = logits.softmax(1)
    return hard + (soft - soft.detach())
