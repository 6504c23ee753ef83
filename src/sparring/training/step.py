"""One training step. Read this file, `objectives.py` and `penalties.py`: there is no more to it.

(`training/augmentation.py` too, where the discriminator is to see samples augmented.)

The only place where the game's gradients are taken and its optimisers step. Two orders of play:

* alternating: the discriminator moves, then the generator answers the new discriminator;
* simultaneous: both move from the same point, through one shared forward pass.

A gradient that is not finite is refused before it reaches an optimiser (`NonFinite`).
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from sparring.draws import Draw
from sparring.objectives import Objective
from sparring.penalties import Penalty, scored
from sparring.schedules import Schedule, constant, ramped
from sparring.training.augmentation import WINDOW, Adaptive, Augmentation, Change, unchanged
from sparring.training.state import State, latent_width

Order = Literal["alternating", "simultaneous"]
Logs = dict[str, Tensor]

MAX_RATIO = 1e12  # beyond it dL_D/df comes close to the smallest float32


@dataclass(frozen=True)
class Game:
    """What does not change while training: the game being played."""

    objective: Objective
    penalties: tuple[Penalty, ...] = ()
    order: Order = "alternating"
    discriminator_moves: int = 1  # for each move of the generator
    augment: Augmentation | None = None  # of all that the discriminator sees
    view: Change = unchanged  # of the generator's output; reals come as discriminators see them
    joint_scoring: bool = False  # reals and fakes as one batch: faster for dense layers
    generator_plays: bool = True  # else it is finished, and the discriminator learns what it lacks
    generator_lr: Schedule = field(default_factory=lambda: constant(1e-3))
    discriminator_lr: Schedule = field(default_factory=lambda: constant(1e-3))
    beta2: Schedule | None = None  # Adam's second decay; None leaves it as it was built
    ema_halflife: Schedule = field(default_factory=lambda: ramped(10_000, 0.1))  # in images
    autocast: torch.dtype | None = None  # of forward passes; weights and losses keep their own


class Batch(NamedTuple):
    """Encoded samples, and their labels of shape (n,) when the game is conditional."""

    x: Tensor
    label: Tensor | None = None


class NonFinite(ArithmeticError):
    """A loss or a gradient is NaN or infinite, and has not been applied."""


def train_step(state: State, game: Game, batch: Batch) -> Logs:
    """Play one round on `discriminator_moves` equal parts of a batch; return detached scalars.

    Raises:
        NonFinite: a loss or gradient is NaN or infinite; the caller goes back to a good state.
    """
    set_learning_rates(state, game)
    parts = _parts(batch, game.discriminator_moves)
    if game.order == "simultaneous" and game.generator_plays:
        logs = simultaneous_step(state, game, parts[0])
    else:
        for move, part in enumerate(parts):
            logs = discriminator_step(state, game, part, move)
        if game.generator_plays:
            logs |= generator_step(state, game, parts[-1])
    state.step += 1
    state.samples_seen += len(batch.x)
    if game.generator_plays:
        update_ema(state, len(batch.x), game.ema_halflife(state.samples_seen))
    return logs


def discriminator_step(state: State, game: Game, real: Batch, move: int = 0) -> Logs:
    """Let the discriminator descend its loss and penalties once."""
    draw = state.draw(offset=move * len(real.x))
    with torch.no_grad():
        fake = generate(state, game, draw, "discriminator/latent", real)
    d_loss = discriminator_loss(state, game, real, fake, draw, move)
    norm = differentiate(d_loss.value + d_loss.penalty, state.discriminator, "discriminator")
    state.discriminator_optimizer.step()
    return d_loss.logs(norm) | adapt_augmentation(state, game, d_loss, move)


def generator_step(state: State, game: Game, real: Batch) -> Logs:
    """Let the generator answer the discriminator as it now is."""
    draw = state.draw()
    fake = generate(state, game, draw, "generator/latent", real)
    augment_fake = augmentation(state, game, draw, "generator/augment/fake", real)
    real_logits = fake_logits = score(state, game, augment_fake(fake), real.label)
    if game.objective.generator_sees_real:
        augment_real = augmentation(state, game, draw, "generator/augment/real", real)
        with torch.no_grad():
            real_logits = score(state, game, augment_real(real.x), real.label)
    loss = game.objective.generator(real_logits, fake_logits).mean()
    norm = differentiate(loss, state.generator, "generator")
    state.generator_optimizer.step()
    return {"generator/loss": loss.detach(), "generator/gradient_norm": norm}


def simultaneous_step(state: State, game: Game, real: Batch) -> Logs:
    """Let both players move from the same point, through one forward pass of each network.

    The generator needs dL_G/d fake. In general that is a second backward, to the fakes only.
    Where the objective declares its `ratio`, the one backward of L_D gives dL_D/d fake, and each
    sample's ratio turns it into dL_G/d fake: a logit depends on nothing but its own sample.
    """
    draw = state.draw()
    generated = generate(state, game, draw, "generator/latent", real)
    fake = generated.detach().requires_grad_()
    d_loss = discriminator_loss(state, game, real, fake, draw)
    g_loss = game.objective.generator(d_loss.real_logits.detach(), d_loss.fake_logits).mean()
    ratio = _usable_ratio(game.objective, d_loss)

    if ratio is None:
        (fake_gradient,) = torch.autograd.grad(g_loss, fake, retain_graph=True)
        d_norm = differentiate(d_loss.value + d_loss.penalty, state.discriminator, "discriminator")
    else:
        d_norm = differentiate(d_loss.value, state.discriminator, "discriminator", also=fake)
        assert fake.grad is not None
        fake_gradient = ratio.view(-1, *[1] * (fake.ndim - 1)) * fake.grad
    surrogate = (generated * fake_gradient).sum()  # its gradient in the generator is that of L_G
    g_norm = differentiate(surrogate, state.generator, "generator")
    refuse_non_finite("generator", g_loss, g_norm)

    state.discriminator_optimizer.step()
    state.generator_optimizer.step()
    g_logs = {"generator/loss": g_loss.detach(), "generator/gradient_norm": g_norm}
    return d_loss.logs(d_norm) | g_logs | adapt_augmentation(state, game, d_loss)


class DiscriminatorLoss(NamedTuple):
    """The discriminator's loss on one batch and its logits (n,), not yet differentiated."""

    real_logits: Tensor
    fake_logits: Tensor
    value: Tensor
    penalty: Tensor  # has no graph when none is due

    def logs(self, gradient_norm: Tensor) -> Logs:
        """Return the discriminator's scalars."""
        return {
            "discriminator/loss": self.value.detach(),
            "discriminator/penalty": self.penalty.detach(),
            "discriminator/real": self.real_logits.detach().mean(),
            "discriminator/fake": self.fake_logits.detach().mean(),
            "discriminator/gradient_norm": gradient_norm,
        }


def discriminator_loss(
    state: State, game: Game, real: Batch, fake: Tensor, draw: Draw, move: int = 0
) -> DiscriminatorLoss:
    """Score reals and fakes and return what the discriminator minimises.

    Penalties differentiate by the samples themselves, through their augmentation.
    """
    augment_real = augmentation(state, game, draw, "discriminator/augment/real", real)
    augment_fake = augmentation(state, game, draw, "discriminator/augment/fake", real)

    def score_real(x: Tensor) -> Tensor:
        return score(state, game, augment_real(x), real.label)

    def score_fake(x: Tensor) -> Tensor:
        return score(state, game, augment_fake(x), real.label)

    update = _update(state, game, move)
    due = [(p.fn, w) for p in game.penalties if (w := p.at(update, state.samples_seen))]
    x = real.x.detach()
    if due:
        x, fake = x.requires_grad_(), fake.requires_grad_()
    if game.joint_scoring and not due:
        label = None if real.label is None else torch.cat([real.label, real.label])
        both = torch.cat([augment_real(x), augment_fake(fake)])
        real_logits, fake_logits = score(state, game, both, label).chunk(2)
        loss = game.objective.discriminator(real_logits, fake_logits).mean()
        return DiscriminatorLoss(real_logits, fake_logits, loss, loss.new_zeros(()))
    scored_real, scored_fake = scored(x, score_real), scored(fake, score_fake)
    loss = game.objective.discriminator(scored_real.logits, scored_fake.logits).mean()
    penalty = loss.new_zeros(())
    for fn, weight in due:
        penalty = penalty + weight * fn(scored_real, scored_fake, draw).mean()
    return DiscriminatorLoss(scored_real.logits, scored_fake.logits, loss, penalty)


def generate(state: State, game: Game, draw: Draw, purpose: str, real: Batch) -> Tensor:
    """Return as many fakes as there are reals, of the same labels, as the discriminator sees them.

    Penalties and the gradient of fakes are taken by what is seen: the gradient of a logarithmic
    spectrum by its wave has no bound in silence.
    """
    latent = draw.normal(purpose, (len(real.x), latent_width(state.generator)), like=real.x)
    generator = state.generator if game.generator_plays else state.ema
    with _arithmetic(game, latent):
        fake: Tensor = generator(latent, real.label)
    return game.view(fake.to(torch.promote_types(fake.dtype, latent.dtype)))


def score(state: State, game: Game, x: Tensor, label: Tensor | None) -> Tensor:
    """Return the discriminator's logits (n,) on samples and their labels."""
    with _arithmetic(game, x):
        logits: Tensor = state.discriminator(x, label)
    return logits.to(x.dtype)


def augmentation(state: State, game: Game, draw: Draw, purpose: str, real: Batch) -> Change:
    """Return how samples shaped like the reals are changed before the discriminator sees them."""
    if game.augment is None:
        return unchanged
    p = game.augment.at(state.samples_seen, state.augment_probability)
    return game.augment.bind(draw, purpose, p, real.x)


def adapt_augmentation(state: State, game: Game, d_loss: DiscriminatorLoss, move: int = 0) -> Logs:
    """Log how often samples are augmented; every few moves, let the signs of the reals correct it.

    Only what `Adaptive` has found out is kept in the state: a schedule knows its probability.
    """
    if game.augment is None:
        return {}
    p = game.augment.at(state.samples_seen, state.augment_probability)
    logs = {"augment/probability": torch.tensor(p, dtype=torch.float64)}
    if not isinstance(game.augment.probability, Adaptive):
        return logs
    sign = d_loss.real_logits.detach().sign().mean()
    state.augment_sign += float(sign) / WINDOW
    if (_update(state, game, move) + 1) % WINDOW == 0:
        images = WINDOW * len(d_loss.real_logits)
        state.augment_probability = game.augment.adapted(p, state.augment_sign, images)
        state.augment_sign = 0.0
    return logs | {"augment/sign": sign}


def _update(state: State, game: Game, move: int) -> int:
    """Number a discriminator move among all that were made."""
    return state.step * game.discriminator_moves + move


def _arithmetic(game: Game, x: Tensor) -> AbstractContextManager[object]:
    """Return the context of a forward pass; backward passes follow it without one."""
    return torch.autocast(x.device.type, game.autocast) if game.autocast else nullcontext()


def differentiate(
    loss: Tensor, network: nn.Module, player: str, also: Tensor | None = None
) -> Tensor:
    """Leave the gradient of a loss in one network's parameters (and in `also`); return its norm.

    Gradients of everything else are neither stored nor computed.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.grad = None
    loss.backward(inputs=parameters if also is None else [*parameters, also])  # type: ignore[no-untyped-call]
    norm = get_total_norm(p.grad for p in parameters if p.grad is not None)
    refuse_non_finite(player, loss, norm)
    return norm


def refuse_non_finite(player: str, loss: Tensor, gradient_norm: Tensor) -> None:
    """Raise `NonFinite` unless both are finite."""
    if not (loss.isfinite() & gradient_norm.isfinite()):
        cause = "gradient" if loss.isfinite() else "loss"
        raise NonFinite(f"the {player}'s {cause} is not finite")


def set_learning_rates(state: State, game: Game) -> None:
    """Follow the schedules, of Adam's memory too; each recovery has halved both rates."""
    for optimizer, schedule in (
        (state.generator_optimizer, game.generator_lr),
        (state.discriminator_optimizer, game.discriminator_lr),
    ):
        for group in optimizer.param_groups:
            group["lr"] = state.rate_factor * schedule(state.samples_seen)
            if game.beta2 is not None:
                group["betas"] = group["betas"][0], game.beta2(state.samples_seen)


@torch.no_grad()
def update_ema(state: State, images: int, halflife: float) -> None:
    """Let the average forget half of itself in `halflife` images (Yazıcı 2019)."""
    weight = 1 - 0.5 ** (images / halflife) if halflife > 0 else 1.0
    live = list(state.generator.state_dict().values())
    averaged = list(state.ema.state_dict().values())
    floats = [i for i, tensor in enumerate(live) if tensor.is_floating_point()]
    torch._foreach_lerp_([averaged[i] for i in floats], [live[i] for i in floats], weight)
    for i in set(range(len(live))) - set(floats):
        averaged[i].copy_(live[i])


def _parts(batch: Batch, n: int) -> list[Batch]:
    labels = [None] * n if batch.label is None else batch.label.chunk(n)
    return [Batch(x, label) for x, label in zip(batch.x.chunk(n), labels, strict=True)]


def _usable_ratio(objective: Objective, d_loss: DiscriminatorLoss) -> Tensor | None:
    if objective.ratio is None or d_loss.penalty.requires_grad:
        return None
    ratio = objective.ratio(d_loss.real_logits.detach(), d_loss.fake_logits.detach())
    return ratio if bool((ratio.abs() < MAX_RATIO).all()) else None
