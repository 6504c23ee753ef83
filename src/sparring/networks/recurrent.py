"""Texts symbol by symbol: one recurrent network that is a generator, and a likelihood model.

As a likelihood model it gives each symbol's probability after those before it. As a generator it
draws each symbol by the Gumbel-max trick (Jang 2017), whose noise comes with the latent, and feeds
it back; the gradient passes straight through.

Notation: n texts of `length` places, V symbols; the text begins after a start, which is symbol 0.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sparring.networks.blocks import Conditioning
from sparring.networks.tabular import gumbel
from sparring.spec import TextSpec

EMBEDDED = 64  # numbers of a symbol, at most as many as the state has


class RecurrentGenerator(nn.Module):
    """latent, label → one-hot columns (n, V, length), by a gated recurrent unit of `width`.

    The first `driving` numbers of the latent start the state; the others are the symbols' noise.
    """

    temperature = 1.0  # of the symbols' probabilities, unless another is asked for

    def __init__(self, spec: TextSpec, latent: int, width: int) -> None:
        super().__init__()
        self.symbols, self.length = spec.shape
        self.driving, self.width = latent, width
        self.latent = latent + self.symbols * self.length
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.start = nn.Linear(self.conditioning.width, width)
        self.embed = nn.Linear(self.symbols, min(EMBEDDED, width), bias=False)
        self.unit = nn.GRU(self.embed.out_features, width, batch_first=True)
        self.head = nn.Linear(width, self.symbols)

    def forward(
        self, latent: Tensor, label: Tensor | None = None, temperature: float | None = None
    ) -> Tensor:
        drive, noise = latent[:, : self.driving], latent[:, self.driving :]
        noise = gumbel(noise).view(-1, self.length, self.symbols)
        state = self.first_state(drive, label)
        symbol = latent.new_zeros(len(latent), self.symbols)
        symbol[:, 0] = 1
        ended = torch.zeros(len(latent), 1, dtype=torch.bool, device=latent.device)
        made = []
        for place in range(self.length):
            out, state = self.unit(self.embed(symbol)[:, None], state)
            logits = self.head(out[:, 0]) / (temperature or self.temperature)
            perturbed = logits + noise[:, place]
            chosen = perturbed.argmax(1, keepdim=True).masked_fill(ended, 0)
            ended = chosen == 0
            hard = one_hot(chosen[:, 0], self.symbols).to(logits)
            soft = perturbed.softmax(1)
            symbol = hard + (soft - soft.detach())
            made.append(symbol)
        return torch.stack(made, 2)

    def log_likelihood(self, items: Tensor, label: Tensor | None = None) -> Tensor:
        """Return ln p (n,) of texts given as numbers of symbols (n, length), ends included.

        The state starts from a latent of zeros.
        """
        drive = self.head.weight.new_zeros(len(items), self.driving)
        known = one_hot(items.long(), self.symbols).to(drive)
        first = torch.zeros_like(known[:, :1])
        first[..., 0] = 1
        seen = self.embed(torch.cat([first, known[:, :-1]], 1))
        out, _ = self.unit(seen, self.first_state(drive, label))
        each = self.head(out).log_softmax(2).gather(2, items.long()[..., None])[..., 0]
        before = (items == 0).cumsum(1) - (items == 0).long()
        whole: Tensor = (each * (before == 0)).sum(1)  # the first end counts, no more of them
        return whole

    def first_state(self, drive: Tensor, label: Tensor | None) -> Tensor:
        """Return the state (1, n, width) before the first symbol."""
        state: Tensor = torch.tanh(self.start(self.conditioning(drive, label)))[None]
        return state
