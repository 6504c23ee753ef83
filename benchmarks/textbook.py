"""What sparring is measured against: GAN loops as PyTorch tutorials write them.

Batch norm in both convolutional networks, contiguous tensors, binary cross-entropy on
probabilities, two backward passes through the discriminator for its own step and one through it,
unfrozen, for the generator's; Adam as it comes. Sizes are those of sparring's networks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

LATENT = 100
LR, BETAS = 2e-4, (0.5, 0.999)


class Generator(nn.Module):
    """Layers that know their latent, so that `sparring.sampling` can draw from them."""

    def __init__(self, layers: nn.Sequential, latent: int = LATENT) -> None:
        super().__init__()
        self.layers = layers
        self.latent = latent

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        image: Tensor = self.layers(latent)
        return image


@dataclass
class Loop:
    """A pair of networks, its optimisers, and the textbook step."""

    generator: Generator
    discriminator: nn.Module
    optimizers: tuple[Optimizer, Optimizer] = field(init=False)
    criterion: nn.Module = field(default_factory=nn.BCELoss)
    lr: float = LR
    betas: tuple[float, float] = BETAS

    def __post_init__(self) -> None:
        networks = self.generator, self.discriminator
        g, d = (Adam(network.parameters(), lr=self.lr, betas=self.betas) for network in networks)
        self.optimizers = g, d

    def step(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Train the discriminator, then the generator, on one batch; return both losses."""
        g, d = self.optimizers
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)

        d.zero_grad()
        loss_real = self.criterion(self.discriminator(real), ones)
        loss_real.backward()
        fake = self.generator(torch.randn(len(real), self.generator.latent))
        loss_fake = self.criterion(self.discriminator(fake.detach()), zeros)
        loss_fake.backward()
        d.step()

        g.zero_grad()
        loss = self.criterion(self.discriminator(fake), ones)
        loss.backward()
        g.step()
        return (loss_real + loss_fake).detach(), loss.detach()


@dataclass
class HingeLoop(Loop):
    """The hinge losses (Miyato 2018): one move each, from the same noise."""

    def step(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Train the discriminator, then the generator, on one batch; return both losses."""
        g, d = self.optimizers
        fake = self.generator(torch.randn(len(real), self.generator.latent))
        loss_d = relu(1 - self.discriminator(real)).mean()
        loss_d = loss_d + relu(1 + self.discriminator(fake.detach())).mean()
        d.zero_grad()
        loss_d.backward()
        d.step()

        loss = -self.discriminator(fake).mean()
        g.zero_grad()
        loss.backward()
        g.step()
        return loss_d.detach(), loss.detach()


@dataclass
class WassersteinLoop(Loop):
    """WGAN-GP (Gulrajani 2017, algorithm 1): five moves of the critic for one of the generator."""

    CRITIC_MOVES = 5
    WEIGHT = 10.0

    def step(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Train the critic on five equal parts of a batch, then the generator."""
        g, d = self.optimizers
        for part in real.chunk(self.CRITIC_MOVES):
            fake = self.generator(torch.randn(len(part), self.generator.latent)).detach()
            loss_d = self.discriminator(fake).mean() - self.discriminator(part).mean()
            mixed = torch.lerp(part, fake, torch.rand(len(part), 1, 1, 1)).requires_grad_()
            score = self.discriminator(mixed).sum()
            (slope,) = torch.autograd.grad(score, mixed, create_graph=True)
            loss_d = loss_d + self.WEIGHT * (slope.flatten(1).norm(dim=1) - 1).square().mean()
            d.zero_grad()
            loss_d.backward()
            d.step()

        loss = -self.discriminator(self.generator(torch.randn(len(part), self.generator.latent)))
        g.zero_grad()
        loss.mean().backward()
        g.step()
        return loss_d.detach(), loss.mean().detach()


def convolutional(
    side: int = 28, width: int = 32, discriminator_width: int = 16, channels: int = 1
) -> Loop:
    """Return a DCGAN (Radford 2016) with the layers of sparring's pair of these widths."""
    generator = _generator(side, width, channels)
    w, base = discriminator_width, side // 4
    discriminator = nn.Sequential(
        nn.Conv2d(channels, w, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * w),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 3, 1, 1, bias=False),
        nn.BatchNorm2d(4 * w),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(4 * w * base * base, 1),
        nn.Sigmoid(),
    )
    generator.apply(_radford)
    discriminator.apply(_radford)
    return Loop(Generator(generator), discriminator)


def hinge(side: int = 28, channels: int = 1) -> Loop:
    """Return the same layers with spectral norm instead of batch norm (SNGAN, Miyato 2018)."""
    generator, critic = _generator(side, 32, channels), _critic(side, 16, channels, spectral_norm)
    return HingeLoop(Generator(generator), critic, betas=(0.0, 0.9))


def wasserstein(side: int = 28, channels: int = 1) -> Loop:
    """Return the same layers, the critic's without any norm (WGAN-GP, Gulrajani 2017)."""
    generator = _generator(side, 32, channels)
    critic = _critic(side, 16, channels, lambda layer: layer)
    return WassersteinLoop(Generator(generator), critic, lr=1e-4, betas=(0.0, 0.9))


def _generator(side: int, width: int, channels: int) -> nn.Sequential:
    w = width
    return nn.Sequential(
        nn.Unflatten(1, (LATENT, 1, 1)),
        nn.ConvTranspose2d(LATENT, 2 * w, side // 4, bias=False),
        nn.BatchNorm2d(2 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w),
        nn.ReLU(),
        nn.ConvTranspose2d(w, channels, 4, 2, 1),
        nn.Tanh(),
    )


def _critic(
    side: int, width: int, channels: int, norm: Callable[[nn.Module], nn.Module]
) -> nn.Sequential:
    w, base = width, side // 4
    return nn.Sequential(
        norm(nn.Conv2d(channels, w, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        norm(nn.Conv2d(w, 2 * w, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        norm(nn.Conv2d(2 * w, 4 * w, 3, 1, 1)),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        norm(nn.Linear(4 * w * base * base, 1)),
    )


def fully_connected(side: int = 28, width: int = 784, latent: int = LATENT) -> Loop:
    """Return the pair of Goodfellow 2014 at the article's sizes: two hidden layers each."""
    size = side * side
    generator = nn.Sequential(
        nn.Linear(latent, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, size),
        nn.Tanh(),
        nn.Unflatten(1, (1, side, side)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(size, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, 1),
        nn.Sigmoid(),
    )
    return Loop(Generator(generator, latent), discriminator)


def endless(images: Tensor, batch: int) -> Iterator[Tensor]:
    """Yield shuffled batches of float images as tutorials load them: Dataset and DataLoader."""
    loader = DataLoader(TensorDataset(images), batch, shuffle=True, drop_last=True, num_workers=0)
    while True:
        for (real,) in loader:
            yield real


def _radford(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
