"""Rows 36–38: training is the longhand; where penalties act; what follows the samples seen.

The networks are small enough to differentiate by hand, and every derivative of the longhand is
written out: `SLOPES` for the objectives, a line for each penalty. What it shares with
`training.step` are the random numbers, by the names under which they are drawn.

Notation: generator G(z) = c + s z with θ = (c, s), discriminator D(x) = a x + b x²/2 with
ψ = (a, b), so that ∂D/∂ψ = (x, x²/2) and D′ = a + b x; x reals, y fakes, r and f their logits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import cos, pi
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from sparring import objectives, penalties
from sparring.draws import Draw
from sparring.penalties import Penalty, PenaltyFn, scored
from sparring.schedules import constant, cosine, linear, ramped
from sparring.theory.dirac import DiracGAN, Order, trajectory
from sparring.theory.statements.statement import Check, Statement
from sparring.training.augmentation import Adaptive, Augmentation, Change, RandomAmounts
from sparring.training.state import State, new_state
from sparring.training.step import Batch, Game, train_step, update_ema

Floats = NDArray[np.float64]
Slope = Callable[[Floats, Floats], Floats]

REALS = np.array([-1.5, -0.4, 0.3, 0.9, 1.1, 2.0])
START = np.array([0.2, 0.9, 0.5, -0.4])  # c, s, a, b
RATES = 0.3, 0.2  # of the generator and of the discriminator
ROUNDS, EVERY = 3, 2  # a lazy penalty is due, left out, due
HALFLIFE = 40.0  # in samples
EXACT = 1e-12
ORDERS: tuple[Order, ...] = ("simultaneous", "alternating")
DOUBLE = torch.empty(0, dtype=torch.float64)  # what draws are like

# ∂L_D/∂r, ∂L_D/∂f and ∂L_G/∂f as the papers' formulas have them, σ the logistic function.
SLOPES: Mapping[str, tuple[Slope, Slope, Slope]] = {
    "minimax": (lambda r, f: -expit(-r), lambda r, f: expit(f), lambda r, f: -expit(f)),
    "non_saturating": (lambda r, f: -expit(-r), lambda r, f: expit(f), lambda r, f: -expit(-f)),
    "mean_squared": (
        lambda r, f: -expit(-r),
        lambda r, f: expit(f),
        lambda r, f: -2 * expit(f) * (1 - expit(f)) ** 2,
    ),
    "least_squares": (lambda r, f: r - 1, lambda r, f: f, lambda r, f: f - 1),
    "hinge": (
        lambda r, f: np.where(r < 1, -1.0, 0.0),
        lambda r, f: np.where(f > -1, 1.0, 0.0),
        lambda r, f: 0 * f - 1,
    ),
    "wasserstein": (lambda r, f: 0 * r - 1, lambda r, f: 0 * f + 1, lambda r, f: 0 * f - 1),
    "relativistic": (
        lambda r, f: -expit(f - r),
        lambda r, f: expit(f - r),
        lambda r, f: -expit(r - f),
    ),
    "total_variation": (
        lambda r, f: (np.tanh(r) ** 2 - 1) / 2,
        lambda r, f: (1 - np.tanh(f) ** 2) / 2,
        lambda r, f: (np.tanh(f) ** 2 - 1) / 2,
    ),
    "kl": (lambda r, f: 0 * r - 1, lambda r, f: np.exp(f - 1), lambda r, f: -np.exp(f - 1)),
    "reverse_kl": (lambda r, f: -np.exp(-r), lambda r, f: 0 * f + 1, lambda r, f: 0 * f - 1),
    "pearson": (lambda r, f: 0 * r - 1, lambda r, f: f / 2 + 1, lambda r, f: -f / 2 - 1),
    "neyman": (
        lambda r, f: -np.exp(-r),
        lambda r, f: np.exp(-f / 2),
        lambda r, f: -np.exp(-f / 2),
    ),
    "squared_hellinger": (
        lambda r, f: -np.exp(-r),
        lambda r, f: np.exp(f),
        lambda r, f: -np.exp(f),
    ),
    "jensen_shannon": (lambda r, f: -expit(-r), lambda r, f: expit(f), lambda r, f: -expit(f)),
    "gan": (lambda r, f: -expit(-r), lambda r, f: expit(f), lambda r, f: -expit(f)),
}


class LineGenerator(nn.Module):
    """G(z) = c + s z, or the point c where it has no s."""

    latent = 1

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Return samples (n, 1) of latents (n, 1)."""
        offset, *slope = self.weights
        samples: Tensor = offset + (z * slope[0] if slope else 0 * z)
        return samples


class ParabolaDiscriminator(nn.Module):
    """D(x) = a x + b x²/2, or a x where it has no b."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits (n,) of samples (n, 1)."""
        basis = torch.cat([x, x.square() / 2], 1)[:, : len(self.weights)]
        logits: Tensor = basis @ self.weights
        return logits


def state_of(generator: nn.Module, discriminator: nn.Module) -> State:
    """Return the state before the first step of plain gradient descent."""
    for_generator, for_discriminator = (
        torch.optim.SGD(n.parameters()) for n in (generator, discriminator)
    )
    return new_state(generator, discriminator, for_generator, for_discriminator)


@dataclass(frozen=True)
class Play:
    """One way of playing an objective, each penalty with its weight, due at every second move."""

    objective: str
    order: Order
    moves: int = 1
    r1: float = 0.0
    r2: float = 0.0
    gradient: float = 0.0
    joint: bool = False
    zoom: float = 1.0  # k, by which the discriminator sees samples enlarged

    def game(self) -> Game:
        """Return it as training takes it."""
        weights = {
            penalties.r1: self.r1,
            penalties.r2: self.r2,
            penalties.gradient_penalty: self.gradient,
        }
        return Game(
            getattr(objectives, self.objective),
            tuple(Penalty(fn, constant(w), EVERY) for fn, w in weights.items() if w),
            self.order,
            self.moves,
            None if self.zoom == 1 else Zoom(("zoom",), constant(1), 1.0, self.zoom),
            joint_scoring=self.joint,
            generator_lr=constant(RATES[0]),
            discriminator_lr=constant(RATES[1]),
            ema_halflife=constant(HALFLIFE),
        )


@dataclass(frozen=True)
class Zoom(Augmentation):
    """Multiplies samples (n, 1) by a factor."""

    factor: float = 1.0

    amounts_per_kind = MappingProxyType({"zoom": 1})
    batch_ndim = 2
    sample_name = "numbers"

    def changes(self, amounts: Mapping[str, RandomAmounts], like: Tensor) -> Iterator[Change]:
        """Yield the multiplication, of samples whose coin says so."""
        factor = torch.where(amounts["zoom"].on, self.factor, 1.0)[:, None]
        yield lambda x: factor * x


@dataclass(frozen=True)
class Players:
    """Both players' weights, θ = (c, s) and ψ = (a, b)."""

    theta: Floats
    psi: Floats

    def logit(self, x: Floats) -> Floats:
        """Return D(x)."""
        logits: Floats = self.psi[0] * x + self.psi[1] * x**2 / 2
        return logits

    def rise(self, x: Floats) -> Floats:
        """Return D′(x)."""
        rises: Floats = self.psi[0] + self.psi[1] * x
        return rises

    def fakes(self, draw: Draw, player: str, n: int) -> tuple[Floats, Floats]:
        """Return a player's latents z and G(z)."""
        z = draw.normal(f"{player}/latent", (n, 1), DOUBLE).numpy()[:, 0]
        return z, self.theta[0] + self.theta[1] * z


def discriminator_gradient(
    play: Play, now: Players, x: Floats, y: Floats, draw: Draw, due: bool
) -> Floats:
    """Return ∂L_D/∂ψ, by hand; x and y as the generator and the data make them."""
    k = play.zoom
    on_real, on_fake, _ = SLOPES[play.objective]
    r, f = now.logit(k * x), now.logit(k * y)
    gradient = _of_logits(k * x, on_real(r, f)) + _of_logits(k * y, on_fake(r, f))
    if not due:
        return gradient
    mix = draw.uniform("gradient-penalty", (len(x), 1), DOUBLE).numpy()[:, 0]
    between = x + mix * (y - x)
    slope = k * now.rise(k * between)  # of D(kx) by x
    return gradient + EVERY * (
        play.r1 * _of_rises(k * x, k**2 * now.rise(k * x))
        + play.r2 * _of_rises(k * y, k**2 * now.rise(k * y))
        + play.gradient * _of_rises(k * between, 2 * k * (abs(slope) - 1) * np.sign(slope))
    )


def generator_gradient(play: Play, now: Players, x: Floats, draw: Draw) -> Floats:
    """Return ∂L_G/∂θ, by hand."""
    k = play.zoom
    z, y = now.fakes(draw, "generator", len(x))
    pulled = SLOPES[play.objective][2](now.logit(k * x), now.logit(k * y)) * k * now.rise(k * y)
    return _mean(pulled, pulled * z)


def longhand(play: Play) -> list[Floats]:
    """Return θ, ψ and the average of θ after rounds of training, by hand."""
    now, average = Players(START[:2], START[2:]), START[:2]
    for turn in range(ROUNDS):
        seen = turn * len(REALS)
        parts, before = np.split(REALS, play.moves), now
        for move, x in enumerate(parts):
            draw = Draw(0, seen + move * len(x))
            player = "discriminator" if play.order == "alternating" else "generator"
            due = (turn * play.moves + move) % EVERY == 0
            _, y = now.fakes(draw, player, len(x))
            descent = discriminator_gradient(play, now, x, y, draw, due)
            now = replace(now, psi=now.psi - RATES[1] * descent)
        answered = now if play.order == "alternating" else before
        descent = generator_gradient(play, answered, parts[-1], Draw(0, seen))
        now = replace(now, theta=now.theta - RATES[0] * descent)
        kept = 0.5 ** (len(REALS) / HALFLIFE)
        average = kept * average + (1 - kept) * now.theta
    return [now.theta, now.psi, average]


def trained(play: Play) -> list[Floats]:
    """Return what `longhand` does, by `train_step`."""
    state = state_of(LineGenerator(*START[:2]), ParabolaDiscriminator(*START[2:]))
    for _ in range(ROUNDS):
        train_step(state, play.game(), Batch(torch.from_numpy(REALS)[:, None]))
    return [numbers(network) for network in (state.generator, state.discriminator, state.ema)]


def gap(*plays: Play) -> float:
    """Return how far training and the longhand end apart, at most."""
    pairs = (pair for play in plays for pair in zip(trained(play), longhand(play), strict=True))
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def dirac_gap(game: DiracGAN, order: Order, h: float, rounds: int) -> float:
    """Return how far `train_step` leaves the path of the smallest game, the data being 0."""
    state = state_of(LineGenerator(1.0), ParabolaDiscriminator(1.0))
    fns = tuple(Penalty(fn, constant(weight)) for fn, weight in game.penalties)
    rate = constant(h)
    played = Game(game.objective, fns, order, generator_lr=rate, discriminator_lr=rate)
    path = trajectory(game, (1.0, 1.0), order, h, rounds)
    for _ in range(rounds):
        train_step(state, played, Batch(torch.zeros(2, 1, dtype=torch.float64)))
    reached = np.concatenate([numbers(n) for n in (state.generator, state.discriminator)])
    return float(np.abs(reached - path[-1]).max())


def numbers(network: nn.Module) -> Floats:
    """Return all of a network's weights."""
    weights: Floats = nn.utils.parameters_to_vector(network.parameters()).detach().numpy().copy()
    return weights


def _of_logits(x: Floats, slopes: Floats) -> Floats:
    """Return the mean over samples of a slope by D(x) times ∂D/∂ψ."""
    return _mean(slopes * x, slopes * x**2 / 2)


def _of_rises(x: Floats, slopes: Floats) -> Floats:
    """Return the mean over samples of a slope by D′(x) times ∂D′/∂ψ."""
    return _mean(slopes, slopes * x)


def _mean(*parts: Floats) -> Floats:
    means: Floats = np.stack(parts).mean(1)
    return means


def _training() -> tuple[Check, ...]:
    plain = {order: [Play(name, order) for name in SLOPES] for order in ORDERS}
    damped = [
        replace(play, r1=0.3, r2=0.2)
        for order in ORDERS
        for play in (Play("relativistic", order), Play("non_saturating", order, zoom=1.5))
    ]
    several = Play("least_squares", "alternating", moves=3)
    return (
        *(
            Check(f"{order}, {len(SLOPES)} objectives: largest gap", 0, gap(*plain[order]), EXACT)
            for order in ORDERS
        ),
        Check("with lazy R1 and R2, of samples seen enlarged", 0, gap(*damped), EXACT),
        Check("three moves of the discriminator, lazy R2", 0, gap(replace(several, r2=0.2)), EXACT),
        Check(
            "Wasserstein with a gradient penalty",
            0,
            gap(*(Play("wasserstein", order, gradient=0.5) for order in ORDERS)),
            EXACT,
        ),
        Check(
            "reals and fakes scored as one batch",
            0,
            gap(*(Play("relativistic", order, joint=True) for order in ORDERS)),
            EXACT,
        ),
    )


def _curved_discriminator() -> tuple[Check, ...]:
    x = torch.linspace(-2, 1, 12, dtype=torch.float64).reshape(4, 3)
    y, draw = x.flip(0) ** 2 + 1, Draw(0)
    mix = draw.uniform("gradient-penalty", (4, 1), DOUBLE)
    between = x + mix * (y - x)
    slopes = [
        ((end * noise).sum(1) + penalties.STEP * noise.square().sum(1) / 2)
        for name, end in (("r1", x), ("r2", y))
        for noise in [draw.normal(f"finite-difference-{name}", (4, 3), DOUBLE)]
    ]
    expected = {
        "R1: ½‖x‖² at the reals": (penalties.r1, x.square().sum(1) / 2),
        "R2: ½‖y‖² at the fakes": (penalties.r2, y.square().sum(1) / 2),
        "gradient penalty: (‖x + t(y − x)‖ − 1)²": (
            penalties.gradient_penalty,
            (between.norm(dim=1) - 1) ** 2,
        ),
        "finite-difference R1: ½(x·ε + ½σ‖ε‖²)²": (
            penalties.finite_difference_r1,
            slopes[0] ** 2 / 2,
        ),
        "finite-difference R2: ½(y·ε + ½σ‖ε‖²)²": (
            penalties.finite_difference_r2,
            slopes[1] ** 2 / 2,
        ),
    }
    lazy = Penalty(penalties.r1, linear(0, 1, 0, 100), every=4)
    factors = np.array([lazy.at(update, 50) for update in range(12)])
    return (
        *(
            Check(f"{what}, largest gap", 0, _penalty_gap(fn, x, y, draw, each), 1e-10)
            for what, (fn, each) in expected.items()
        ),
        Check("every 4th update of weight ½: mean factor", 1 / 2, float(factors.mean()), EXACT),
        Check("updates of 12 at which it is due", 3, float((factors > 0).sum()), 0.0),
    )


def _penalty_gap(fn: PenaltyFn, x: Tensor, y: Tensor, draw: Draw, expected: Tensor) -> float:
    real, fake = (scored(side.clone().requires_grad_(), _half_square) for side in (x, y))
    return float((fn(real, fake, draw).detach() - expected).abs().max())


def _half_square(x: Tensor) -> Tensor:
    return x.square().sum(1) / 2


def _what_follows_samples() -> tuple[Check, ...]:
    schedules = linear(3, 1, 100, 300), cosine(3, 1, 100, 300)
    line, curve = schedules
    off = max(
        abs(s(at) - end)
        for s in schedules
        for at, end in ((0, 3), (100, 3), (300, 1), (900_000, 1))
    )
    adaptive = Zoom(("zoom",), Adaptive(0.6, 1_000))
    rises, falls = (adaptive.adapted(0.3, sign, 100) - 0.3 for sign in (0.7, 0.5))
    return (
        Check("average: share kept after a half-life in one batch", 1 / 2, _kept(1), EXACT),
        Check("the same in 16 batches", 1 / 2, _kept(16), EXACT),
        Check("half-life after 500 samples, a tenth of them", 50, ramped(90, 0.1)(500), EXACT),
        Check("half-life after 5,000, at most 90", 90, ramped(90, 0.1)(5_000), EXACT),
        Check("line from 3 to 1, a quarter of its way", 5 / 2, line(150), EXACT),
        Check("half a cosine there: 2 + cos(π/4)", 2 + cos(pi / 4), curve(150), EXACT),
        Check("both at their ends and beyond: largest gap", 0, off, EXACT),
        Check("adaptive probability, signs above their target: rise", 0.1, rises, EXACT),
        Check("signs below it: fall", -0.1, falls, EXACT),
    )


def _kept(batches: int) -> float:
    """Return the share of its start that the average keeps while 64 samples come in batches."""
    state = state_of(LineGenerator(1.0), ParabolaDiscriminator(1.0))
    with torch.no_grad():
        next(state.generator.parameters()).zero_()
    for _ in range(batches):
        update_ema(state, 64 // batches, 64.0)
    return float(numbers(state.ema)[0])


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        36,
        "A round of `train_step` descends both players' mean losses: D first and then G, or both "
        "from one point; a penalty due at every k-th move counts k-fold there",
        "Goodfellow 2014, algorithm 1; the derivatives written out",
        _training,
    ),
    Statement(
        37,
        "On D(x) = ½‖x‖²: R1 = ½‖x‖² at the reals, R2 = ½‖y‖² at the fakes, WGAN-GP = "
        "(‖x + t(y − x)‖ − 1)²; a lazy penalty keeps its mean weight",
        "Mescheder 2018, eq. 9 and 10; Gulrajani 2017, eq. 3; derived",
        _curved_discriminator,
    ),
    Statement(
        38,
        "Rates, weights and the average follow the samples seen, however they come in batches: the "
        "average keeps half of itself over a half-life",
        "Yazıcı 2019; Karras 2020, section 3",
        _what_follows_samples,
    ),
)
