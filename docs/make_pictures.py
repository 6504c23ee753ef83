"""Draw every picture of `theory.md` from the project's own functions.

Every picture is deterministic and takes seconds: `game` trains for 20, `optimal` for about 10.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.optim import Adam

import sparring
from sparring import divergences, objectives, penalties
from sparring.build import build_discriminator
from sparring.divergences import Divergence
from sparring.errors import SparringError
from sparring.kinds.points.spec import VectorSpec
from sparring.metrics import gaussians, kernels
from sparring.objectives import Objective
from sparring.plotting import BLUE, GREEN, ORANGE, PALE, STYLE, figure_png
from sparring.recipes.recipe import resolve
from sparring.schedules import linear
from sparring.theory import dirac, finite, gaussian, kernel, quadrature, transport
from sparring.theory.dirac import DiracGAN, Order
from sparring.theory.figures import phase_portrait
from sparring.theory.optimal import OPTIMA, loss_at_best
from sparring.theory.quadrature import Line
from sparring.theory.shift import pull, shifted
from sparring.theory.statements.distances import parallel_lines
from sparring.theory.statements.games import twice_jsd
from sparring.training.state import new_state
from sparring.training.step import Batch, Game, discriminator_step, set_learning_rates

FOLDER = Path(__file__).parent / "pictures"
INK = "#3a424a"
PINK, SKY, GOLD = "#cc79a7", "#56b4e9", "#c98a00"
PAGE_STYLE = STYLE | {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.8,
}


def game() -> None:
    """Section 1: three looks at one game, as a run's `samples` folder keeps them."""
    with TemporaryDirectory() as root:
        run = sparring.train(
            "ring", objective="minimax", budget="5k-steps", threads=1, seed=0, root=root
        )
        looks = [run.folder.samples / f"{images:09d}.png" for images in (0, 32_000, 320_000)]
        _tile([Image.open(look) for look in looks], 1).save(FOLDER / "theory-game.png")


class Shift(nn.Module):
    """A generator that only shifts: x = μ + z."""

    latent = 1

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.mean + latent


def optimal() -> None:
    """Section 2: discriminators trained against a fixed generator, and where theory puts them."""
    shown = (
        ("minimax", "minimax: ln(p/q)"),
        ("kl", "KL: 1 + ln(p/q)"),
        ("least_squares", "least squares: p/(p+q)"),
        ("hinge", "hinge: sign(p − q)"),
    )
    figure, panels = _figure(1, 4, height=2.7)
    x = torch.linspace(-3, 4, 400)
    rho = 0.5 - x.double()  # ln(p/q) of N(0, 1) and N(1, 1)
    for axes, (name, title) in zip(panels, shown, strict=True):
        trained = _trained_logits(OPTIMA[name].objective, x)
        axes.axhline(0, color=PALE, linewidth=0.8)
        axes.plot(x, OPTIMA[name].logit(rho), "--", color=ORANGE, label="theory")
        axes.plot(x, trained, color=BLUE, label="trained", linewidth=1.4)
        axes.set(title=title, xlabel="x")
    panels[0].set_ylabel("logit")
    panels[0].legend()
    _save(figure, "optimal")


def _trained_logits(objective: Objective, at: Tensor, steps: int = 1500, batch: int = 1024) -> Any:
    """Let a discriminator play alone against x = 1 + z on data from N(0, 1); return its logits."""
    torch.manual_seed(0)
    spec = VectorSpec(mean=(0.0,), scale=(1.0,))
    discriminator = build_discriminator(resolve({"discriminator": {"network": "mlp"}}), spec)
    generator = Shift(1.0)
    optimizer = partial(Adam, betas=(0.0, 0.99))
    state = new_state(
        generator,
        discriminator,
        optimizer(generator.parameters()),
        optimizer(discriminator.parameters()),
    )
    play = Game(objective, discriminator_lr=linear(2e-3, 0.0, 0, steps * batch))
    for _ in range(steps):
        set_learning_rates(state, play)
        real = state.draw().normal("data", (batch, 1)).float()
        discriminator_step(state, play, Batch(real))
        state.samples_seen += batch
    with torch.no_grad():
        return discriminator(at[:, None])


def divergence() -> None:
    """Section 3: the value of the game against the formula, and other measures beside it."""
    figure, (left, right) = _figure(1, 2)
    means = np.linspace(-5, 5, 101)
    jsd = [float(twice_jsd(*shifted(m)[1:])) / 2 for m in means]
    left.plot(means, 2 * np.array(jsd) - log(4), color=BLUE, label="−ln 4 + 2 JSD(p, q)")
    dots = np.arange(-5.0, 5.1, 1.0)
    values = [-float(loss_at_best(OPTIMA["minimax"], *shifted(m)[1:])) for m in dots]
    left.plot(dots, values, "o", color=ORANGE, markersize=5, label="the objective at its best D")
    left.axhline(0, color=PALE, linewidth=0.8)
    left.text(0, -0.03, "0: told apart for sure", va="top", ha="center", color=INK, fontsize=8)
    left.axhline(-log(4), color=PALE, linewidth=0.8)
    left.text(-5.3, -log(4) + 0.03, "−ln 4: p = q", color=INK, fontsize=8)
    left.set(title="value of the game, p = N(0, 1), q = N(μ, 1)", xlabel="μ", ylabel="V(D*, G)")
    left.legend(loc="center", bbox_to_anchor=(0.5, 0.62))
    for label, colour, kind in (
        ("KL", ORANGE, divergences.kl),
        ("squared Hellinger", GREEN, divergences.squared_hellinger),
        ("2 JSD", BLUE, divergences.jensen_shannon),
        ("total variation", PINK, divergences.total_variation),
    ):
        values = [gaussian.f_divergence(kind, *_pair(m)) for m in means]
        right.plot(means, values, color=colour, label=label)
    w1 = [gaussian.w1(*_pair(m)) for m in means]
    right.plot(means, w1, "--", color=INK, label="Wasserstein (section 6)")
    right.set(title="how far apart these two densities are", xlabel="μ", ylim=(0, 4))
    right.legend(loc="upper center")
    _save(figure, "divergence")


def _pair(mean: float) -> tuple[gaussian.Gaussian, gaussian.Gaussian]:
    return gaussian.normal(0.0, 1.0), gaussian.normal(float(mean), 1.0)


GENERATORS = (
    ("minimax", "minimax", BLUE, "-"),
    ("mean_squared", "mean-squared (the article)", ORANGE, "-"),
    ("non_saturating", "non-saturating", GREEN, "-"),
)


def saturation() -> None:
    """Section 4: what reaches the generator through the logit, and what moves its mean."""
    figure, (left, right) = _figure(1, 2)
    f = torch.linspace(-8, 8, 321, dtype=torch.float64)
    for name, label, colour, line in GENERATORS:
        loss = OPTIMA[name].objective.generator
        slope = torch.func.grad(lambda v, loss=loss: loss(v, v).sum())(f)
        left.plot(f, -slope, line, color=colour, label=label)
    left.set(
        title="lesson of one fake: −dL_G/df", xlabel="logit f of the fake (left: plainly fake)"
    )
    left.legend(loc="center right")
    means = np.linspace(0, 8, 81)
    for name, label, colour, line in GENERATORS:
        right.plot(means, [pull(OPTIMA[name], m) for m in means], line, color=colour, label=label)
    for name, text, at in (
        ("minimax", "0.398", (2.6, 0.75)),
        ("non_saturating", "0.602", (0.25, 1.05)),
    ):
        value = pull(OPTIMA[name])
        right.plot([1], [value], "o", color=INK, markersize=4)
        arrow = {"arrowstyle": "-", "color": PALE, "shrinkB": 3}
        right.annotate(text, (1, value), at, fontsize=8, color=INK, arrowprops=arrow)
    right.set(
        title="pull on the mean, D at its best",
        xlabel="μ: how far q = N(μ, 1) is from p = N(0, 1)",
        ylabel="d/dμ of E L_G",
        ylim=(-0.02, 2.5),
    )
    right.text(2.95, 2.3, "grows like μ", color=GREEN, fontsize=8)
    _save(figure, "saturation")


KINDS: tuple[tuple[str, Divergence, str, str], ...] = (
    ("KL", divergences.kl, ORANGE, "-"),
    ("Pearson χ²", divergences.pearson, GOLD, "--"),
    ("Jensen–Shannon", divergences.jensen_shannon, BLUE, "-"),
    ("squared Hellinger", divergences.squared_hellinger, SKY, "--"),
    ("reverse KL", divergences.reverse_kl, GREEN, "-"),
    ("Neyman χ²", divergences.neyman, PINK, "--"),
    ("total variation", divergences.total_variation, INK, ":"),
)
FITTED = ("KL", "Jensen–Shannon", "reverse KL", "Neyman χ²", "total variation")


def f_gan() -> None:
    """Section 5: the family's functions, and what each prefers when q cannot be p."""
    figure, (left, middle, right) = _figure(1, 3, height=3.3)
    u = torch.linspace(0.02, 3, 300, dtype=torch.float64)
    v = torch.linspace(-3, 3, 300, dtype=torch.float64)
    for label, kind, colour, line in KINDS:
        left.plot(u, kind.f(u), line, color=colour, label=label)
        middle.plot(v, kind.activation(v), line, color=colour, label=label)
    left.set(title="f(u): the price of a ratio u = p/q", xlabel="u", ylim=(-0.5, 2.5))
    middle.axhline(0, color=PALE, linewidth=0.8)
    middle.set(title="activation T(v): ends where dom f* ends", xlabel="logit v", ylim=(-3, 3))
    middle.legend(loc="upper left", bbox_to_anchor=(-0.02, 1.02))
    p = _mixture((0.6, 0.4), (-2.0, 2.0), 0.6)
    x = torch.linspace(-6, 6, 500, dtype=torch.float64)
    right.fill_between(x, p.log_density(x).exp(), color=PALE, alpha=0.55, linewidth=0, label="p")
    for label, kind, colour, line in KINDS:
        if label in FITTED:
            fitted = _best_normal(kind, p)
            width = 4.0 if label == "KL" else 1.8  # it lies under another
            right.plot(x, fitted.log_density(x).exp(), line, color=colour, label=label, lw=width)
    right.set(title="the best single Gaussian q", xlabel="x", ylim=(0, 0.72))
    right.legend(loc="upper right")
    _save(figure, "f-gan")


def _mixture(weights: Sequence[float], means: Sequence[float], sigma: float) -> Line:
    parts = [quadrature.normal(mean, sigma) for mean in means]
    weight = torch.tensor(weights, dtype=torch.float64)

    def log_density(x: Tensor) -> Tensor:
        return (
            torch.stack([part.log_density(x) for part in parts], -1).add(weight.log()).logsumexp(-1)
        )

    def cdf(x: Tensor) -> Tensor:
        return torch.stack([part.cdf(x) for part in parts], -1) @ weight

    return Line(log_density, cdf, (-14.0, 14.0), panels=56)


def _best_normal(kind: Divergence, p: Line) -> Line:
    """Return the normal density with the least D_f(p‖q); starts wide and at each mode."""

    def cost(parameters: NDArray[np.float64]) -> float:
        mean, log_sigma = parameters
        try:
            return quadrature.divergence(kind, p, quadrature.normal(mean, float(np.exp(log_sigma))))
        except SparringError:  # infinite
            return 1e9

    starts = ([-0.4, 0.75], [-2.0, -0.5], [2.0, -0.5])
    best = min((minimize(cost, s, method="Nelder-Mead") for s in starts), key=lambda r: r.fun)
    return quadrature.normal(float(best.x[0]), float(np.exp(best.x[1])))


def wasserstein() -> None:
    """Section 6: parallel lines, and what two discriminators say between far densities."""
    figure, (left, right) = _figure(1, 2)
    thetas = np.linspace(-1, 1, 41)
    lines = [parallel_lines(float(theta)) for theta in thetas]
    w1 = [transport.primal(kernel.distances(x, x), p, q).cost for x, p, q in lines]
    distinct = thetas != 0
    jsd = np.array([float(finite.jensen_shannon(p, q)) for _, p, q in lines])
    left.plot(thetas, w1, color=GREEN, label="Wasserstein distance")
    for side in (thetas < 0, thetas > 0):
        left.plot(thetas[side], jsd[side], color=BLUE, label="JSD" if side[0] else None)
    left.plot([0], jsd[~distinct], "o", color=BLUE, markersize=5)
    left.plot([0], [log(2)], "o", color=BLUE, markersize=5, markerfacecolor="white")
    left.text(-1, log(2) + 0.03, "ln 2", color=BLUE, fontsize=8)
    left.set(title="two parallel lines θ apart", xlabel="θ", ylim=(-0.05, 1.1))
    left.legend(loc="upper center")
    x = torch.linspace(-7, 7, 71, dtype=torch.float64)
    p, q = (_on_points(quadrature.normal(mean, 0.7), x) for mean in (3.0, -3.0))
    critic = transport.lipschitz_dual(kernel.distances(x[:, None], x[:, None]), p, q)
    fine = torch.linspace(-7, 7, 500, dtype=torch.float64)
    ratio = quadrature.log_ratio(quadrature.normal(3.0, 0.7), quadrature.normal(-3.0, 0.7))
    for density, colour, label in ((p, PALE, "p"), (q, "#f0c8a8", "q")):
        right.fill_between(x, 4 * density / density.max() - 7, -7, color=colour, linewidth=0)
        right.text(float(x[density.argmax()]), -6.6, label, ha="center", color=INK)
    level = critic.logits[len(x) // 2]
    right.plot(x, critic.logits - level, color=GREEN, label="best 1-Lipschitz critic")
    right.plot(fine, 6 * ratio(fine).sigmoid() - 3, color=BLUE, label="D* = p/(p+q), from −3 to 3")
    right.set(title="what the samples of q are told", xlabel="x", ylim=(-7, 7))
    right.legend(loc="upper left")
    _save(figure, "wasserstein")


def _on_points(line: Line, x: Tensor) -> Tensor:
    weights = line.log_density(x).exp()
    return weights / weights.sum()


PORTRAITS: tuple[tuple[str, DiracGAN, Order], ...] = (
    ("simultaneous", DiracGAN(objectives.minimax), "simultaneous"),
    ("alternating", DiracGAN(objectives.minimax), "alternating"),
    (
        "simultaneous, R1, γ = 0.6",
        DiracGAN(objectives.minimax, ((penalties.r1, 0.6),)),
        "simultaneous",
    ),
    (
        "Wasserstein, gradient penalty, λ = 0.6",
        DiracGAN(objectives.wasserstein, ((penalties.gradient_penalty, 0.6),)),
        "simultaneous",
    ),
)


def convergence() -> None:
    """Section 7: four phase portraits, those of `sparring theory dirac`."""
    drawn = []
    for title, played, order in PORTRAITS:
        path = dirac.trajectory(played, (1.0, 1.0), order, 0.3, 100)
        drawn.append(Image.open(BytesIO(phase_portrait(played, path, title, "png"))))
    whole = _tile(drawn, 2).quantize(128, dither=Image.Dither.NONE)
    whole.save(FOLDER / "theory-convergence.png", optimize=True)


def _tile(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Return one picture of pictures of one size, row by row."""
    width, height = pictures[0].size
    whole = Image.new("RGB", (width * columns, height * (len(pictures) // columns)), "white")
    for i, picture in enumerate(pictures):
        whole.paste(picture.convert("RGB"), (width * (i % columns), height * (i // columns)))
    return whole


def statistics() -> None:
    """Section 8: plug-in and unbiased estimates at p = q, and intervals about a known distance."""
    figure, (left, middle, right) = _figure(1, 3, height=3.3)
    _bias(left)
    _unbiased(middle)
    _intervals(right)
    _save(figure, "statistics")


WIDTH, REPEATS = 8, 30


def _bias(axes: Axes) -> None:
    sizes = [32, 64, 128, 256, 512, 1024, 2048]
    estimates = [_both_frechet(n) for n in sizes]
    plug_in, corrected = (np.array([e[i] for e in estimates]).mean(1) for i in range(2))
    fine = np.geomspace(sizes[0], sizes[-1], 50)
    expected = [gaussians.expected_bias(WIDTH, n, n) for n in fine.tolist()]
    axes.plot(fine, expected, color=PALE, label="(2d + d(d+1)/2)/n")
    axes.plot(sizes, plug_in, "o", color=ORANGE, label="plug-in, as usually printed", markersize=5)
    axes.plot(sizes, corrected, "o", color=BLUE, label="bias removed", markersize=5)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(title="Fréchet distance at p = q, d = 8")
    _sizes(axes, sizes[::2])
    axes.legend()


def _both_frechet(n: int) -> NDArray[np.float64]:
    """Return plug-ins and corrected estimates of `REPEATS` pairs of equal samples, (2, repeats)."""
    pairs = [_samples(n, repeat) for repeat in range(REPEATS)]
    plug_in = [gaussians.frechet_plug_in(*pair) for pair in pairs]
    return np.array([plug_in, [gaussians.frechet(*pair).value for pair in pairs]])


def _unbiased(axes: Axes) -> None:
    sizes = [32, 64, 128, 256, 512]
    means = {
        "U-statistic (KID)": (BLUE, kernels.mmd_unbiased),
        "V-statistic": (ORANGE, kernels.mmd_biased),
    }
    for label, (colour, statistic) in means.items():
        estimates = np.array(
            [[statistic(*_samples(n, i), kernels.cubic) for i in range(REPEATS)] for n in sizes]
        )
        axes.plot(
            np.repeat(sizes, REPEATS), estimates.ravel(), ".", color=colour, alpha=0.25, mew=0
        )
        axes.plot(sizes, estimates.mean(1), "o-", color=colour, label=label, markersize=4)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(title="kernel distance at p = q, d = 8")
    _sizes(axes, sizes)
    axes.legend()


def _sizes(axes: Axes, sizes: Sequence[int]) -> None:
    axes.set(xlabel="n, on each side", xscale="log")
    axes.set_xticks(sizes, map(str, sizes))
    axes.minorticks_off()


def _intervals(axes: Axes, n: int = 200, runs: int = 40) -> None:
    truth = gaussian.w2_squared(
        gaussian.isotropic(torch.zeros(WIDTH), 1.0),
        gaussian.isotropic(torch.full((WIDTH,), SHIFT), 1.0),
    )
    axes.plot([truth, truth], [-1, runs], color=GREEN, linewidth=1.2, label="true distance")
    for run in range(runs):
        pair = _samples(n, 1000 + run, SHIFT)
        estimate = gaussians.frechet(*pair)
        missed = not estimate.low <= truth <= estimate.high
        colour = ORANGE if missed else BLUE
        axes.plot([estimate.low, estimate.high], [run, run], color=colour, linewidth=1.2)
        axes.plot(gaussians.frechet_plug_in(*pair), run, "x", color=INK, markersize=3.5, mew=0.9)
    axes.plot([], color=BLUE, linewidth=1.2, label="95 % interval, bias removed")
    axes.plot([], "x", color=INK, markersize=3.5, mew=0.9, label="plug-in")
    axes.set(title=f"{runs} times n = {n}", xlabel="Fréchet distance", yticks=[], ylim=(-1, 53))
    axes.spines["left"].set_visible(False)
    axes.legend(loc="upper right")


SHIFT = 0.5


def _samples(n: int, seed: int, shift: float = 0.0) -> tuple[Any, Any]:
    random = np.random.Generator(np.random.Philox(seed))
    return random.standard_normal((n, WIDTH)), shift + random.standard_normal((n, WIDTH))


def _figure(rows: int, columns: int, height: float = 3.5) -> tuple[Figure, Any]:
    figure = Figure(figsize=(9.6, height), dpi=130, layout="constrained")
    return figure, figure.subplots(rows, columns)


def _save(figure: Figure, name: str) -> None:
    (FOLDER / f"theory-{name}.png").write_bytes(figure_png(figure))


PICTURES: dict[str, Callable[[], None]] = {
    "game": game,
    "optimal": optimal,
    "divergence": divergence,
    "saturation": saturation,
    "f-gan": f_gan,
    "wasserstein": wasserstein,
    "convergence": convergence,
    "statistics": statistics,
}


STYLED_ELSEWHERE = ("game", "convergence")


def main(names: Sequence[str]) -> None:
    """Draw the pictures of these names, or all."""
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    for name in names or PICTURES:
        with mpl.rc_context({} if name in STYLED_ELSEWHERE else PAGE_STYLE):
            PICTURES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
