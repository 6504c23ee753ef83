"""Texts symbol by symbol: one recurrent network that is a generator, and a likelihood model.

As a likelihood model it gives each symbol's probability after those before it. As a generator it
draws each symbol by the Gumbel-max trick (Jang 2017), whose noise comes with the latent, and feeds
it back; the gradient passes straight through.

Notation: n texts of `length` places, V symbols; the text begins after a start, which is symbol 0.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sparring.kinds.texts.spec import TextSpec
from sparring.networks.blocks import Conditioning
from sparring.networks.gumbel import gumbel

MAX_EMBEDDING = 64  # numbers of a symbol; never more than the state has


class RecurrentGenerator(nn.Module):
    """latent, label → one-hot columns (n, V, length), by a gated recurrent unit of `width`.

    The first `latent_size` numbers of the latent start the state; the others are noise of symbols.
    """

    temperature = 1.0  # of the symbols' probabilities, unless another is asked for

    def __init__(self, spec: TextSpec, latent: int, width: int) -> None:
        super().__init__()
        self.symbols, self.length = spec.shape
        self.latent_size, self.width = latent, width
        self.latent = latent + self.symbols * self.length
        self.conditioning = Conditioning(latent, len(spec.classes))
        self.start = nn.Linear(self.conditioning.width, width)
        self.embed = nn.Linear(self.symbols, min(MAX_EMBEDDING, width), bias=False)
        self.unit = nn.GRU(self.embed.out_features, width, batch_first=True)
        self.head = nn.Linear(width, self.symbols)

    def forward(
        self, latent: Tensor, label: Tensor | None = None, temperature: float | None = None
    ) -> Tensor:
        driving, noise = latent[:, : self.latent_size], latent[:, self.latent_size :]
        noise = gumbel(noise).view(-1, self.length, self.symbols)
        state = self.first_state(driving, label)
        symbol = latent.new_zeros(latent.shape[0], self.symbols)
        symbol[:, 0] = 1
        ended = torch.zeros(latent.shape[0], 1, dtype=torch.bool, device=latent.device)
        symbols = []
        for place in range(self.length):
            out, state = self.unit(self.embed(symbol)[:, None], state)
            logits = self.head(out[:, 0]) / (temperature or self.temperature)
            perturbed = logits + noise[:, place]
            chosen = perturbed.argmax(1, keepdim=True).masked_fill(ended, 0)
            ended = chosen == 0
            hard = one_hot(chosen[:, 0], self.symbols).to(logits)
            soft = perturbed.softmax(1)
            symbol = hard + (soft - soft.detach())
            symbols.append(symbol)
        return torch.stack(symbols, 2)

    def log_likelihood(self, items: Tensor, label: Tensor | None = None) -> Tensor:
        """Return ln p (n,) of texts given as numbers of symbols (n, length), ends included.

        The state starts from a latent of zeros.
        """
        driving = self.head.weight.new_zeros(len(items), self.latent_size)
        text = one_hot(items.long(), self.symbols).to(driving)
        first = torch.zeros_like(text[:, :1])
        first[..., 0] = 1
        embedded = self.embed(torch.cat([first, text[:, :-1]], 1))
        out, _ = self.unit(embedded, self.first_state(driving, label))
        log_p = self.head(out).log_softmax(2).gather(2, items.long()[..., None])[..., 0]
        earlier_ends = (items == 0).cumsum(1) - (items == 0).long()
        total: Tensor = (log_p * (earlier_ends == 0)).sum(1)  # the first end counts, no more
        return total

    def first_state(self, driving: Tensor, label: Tensor | None) -> Tensor:
        """Return the state (1, n, width) before the first symbol."""
        state: Tensor = torch.tanh(self.start(self.conditioning(driving, label)))[None]
        return state
