"""Pictures of points and of a game on them: data, samples, what the discriminator thinks.

Points of one or two coordinates are drawn as they are; wider ones by their first two principal
axes, without the discriminator. matplotlib is slow to import: import this module where it is used.
"""

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import gaussian_kde
from torch import nn

from sparring.kinds.points.densities import Density, density
from sparring.kinds.points.quick import discriminator_logits
from sparring.kinds.points.spec import VectorSpec
from sparring.plotting import BLUE, DPI, ORANGE, PALE, SLATE, figure_png, margins, style

Points = NDArray[np.float32]  # (n, d)
Logits = Callable[[Points], NDArray[np.float64]]

PANEL = 3.4  # inches of a panel's side
FONT_SIZE = 8
MARGIN = 0.25  # of the data's range, around it
SURFACE, ARROWS = 160, 22  # points along a side


def draw_points(points: Points, spec: VectorSpec, title: str) -> bytes:
    """Return a PNG of points (n, d)."""
    with mpl.rc_context(style(FONT_SIZE)):
        figure = Figure(figsize=(PANEL, PANEL), dpi=DPI)
        axes = figure.subplots(gridspec_kw=margins(1))
        if spec.size == 1:
            _histograms(axes, points, None, spec)
        else:
            plane = _plane(points, spec)
            _frame(axes, plane(points), title)
            _scatter(axes, plane(points), SLATE)
        return figure_png(figure)


def draw_game(real: Points, fake: Points, discriminator: nn.Module, spec: VectorSpec) -> bytes:
    """Return a PNG of a game: data, samples, the discriminator's logit and its gradient.

    Args:
        real: points of the data, (n, d).
        fake: the generator's, (n, d).
        discriminator: maps encoded points to logits.
        spec: of the points.
    """

    def logits(points: Points) -> NDArray[np.float64]:
        return discriminator_logits(discriminator, points, spec)

    with mpl.rc_context(style(FONT_SIZE)):
        if spec.size == 1:
            return figure_png(_line(real, fake, logits, spec))
        panels = 4 if spec.size == 2 else 2
        figure = Figure(figsize=(panels * PANEL, PANEL), dpi=DPI)
        axes = list(figure.subplots(1, panels, gridspec_kw=margins(panels)))
        plane = _plane(real, spec)
        for panel, title in zip(axes, ("data", "samples"), strict=False):
            _frame(panel, plane(real), title)
        _scatter(axes[0], plane(real), SLATE)
        _samples(axes[1], fake, plane, spec)
        if spec.size == 2:
            _surface(axes[2], real, fake, logits)
            _field(axes[3], real, fake, logits)
        return figure_png(figure)


def _plane(real: Points, spec: VectorSpec) -> Callable[[Points], NDArray[np.float64]]:
    """Return the map from points to the two coordinates in which they are drawn."""
    if spec.size == 2:
        return lambda points: points.astype(np.float64)
    centre = real.mean(0, dtype=np.float64)
    axes = np.linalg.svd(real.astype(np.float64) - centre, full_matrices=False)[2][:2]
    return lambda points: (points - centre) @ axes.T


def _frame(axes: Axes, points: NDArray[Any], title: str) -> None:
    low, high = _limits(points)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), title=title, aspect="equal")


def _limits(points: NDArray[Any]) -> tuple[Any, Any]:
    """Return the corners of a square around the points."""
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    centre, side = (low + high) / 2, max(float((high - low).max()), 1e-6)
    return centre - side * (0.5 + MARGIN / 2), centre + side * (0.5 + MARGIN / 2)


def _scatter(axes: Axes, points: NDArray[np.float64], colour: str) -> None:
    axes.scatter(points[:, 0], points[:, 1], s=3, color=colour, alpha=0.35, linewidths=0)


def _samples(
    axes: Axes, fake: Points, plane: Callable[[Points], NDArray[np.float64]], spec: VectorSpec
) -> None:
    """Draw the samples; those far from a known density's centres in another colour."""
    if not spec.density:
        _scatter(axes, plane(fake), BLUE)
        return
    good = density(spec.density).nearest(fake.astype(np.float64))[1]
    _scatter(axes, plane(fake[~good]), ORANGE)
    _scatter(axes, plane(fake[good]), BLUE)
    axes.set_title(f"samples, {good.mean():.1%} within 4σ")


def _on_grid(real: Points, logits: Logits, side: int) -> tuple[Any, Any, Any]:
    low, high = _limits(real)
    x, y = np.linspace(low[0], high[0], side), np.linspace(low[1], high[1], side)
    points = np.stack(np.meshgrid(x, y), 2).reshape(-1, 2).astype(np.float32)
    return x, y, logits(points).reshape(side, side)


def _surface(axes: Axes, real: Points, fake: Points, logits: Logits) -> None:
    x, y, values = _on_grid(real, logits, SURFACE)
    # Far away the logits mean nothing, and in a relativistic game their level means nothing.
    near = logits(np.concatenate([real, fake]))
    centre = (near[: len(real)].mean() + near[len(real) :].mean()) / 2
    size = float(np.abs(near - centre).max()) or 1.0
    _frame(axes, real, "discriminator's logit")
    image = axes.imshow(
        values,
        cmap="RdBu",
        vmin=centre - size,
        vmax=centre + size,
        extent=(x[0], x[-1], y[0], y[-1]),
        origin="lower",
    )
    if values.min() < 0 < values.max():
        axes.contour(x, y, values, levels=[0.0], colors="#1d2126", linewidths=0.7)
    bar = axes.inset_axes((1.02, 0.1, 0.035, 0.8))
    assert axes.figure
    axes.figure.colorbar(image, cax=bar)


def _field(axes: Axes, real: Points, fake: Points, logits: Logits) -> None:
    """Draw where the generator is pushed: uphill on the discriminator."""
    x, y, values = _on_grid(real, logits, SURFACE)
    gradient: Any = np.gradient(values, y, x)
    up, across = gradient
    every = slice(SURFACE // ARROWS // 2, None, SURFACE // ARROWS)
    u, v = across[every, every], up[every, every]
    length = np.hypot(u, v)
    factor = 1 / np.maximum(length, 1e-12) * np.sqrt(length / max(float(length.max()), 1e-12))
    _frame(axes, real, "pull on the samples")
    _scatter(axes, fake.astype(np.float64), BLUE)
    axes.quiver(
        x[every], y[every], u * factor, v * factor, length, cmap="viridis_r", pivot="mid", scale=28
    )


def _line(real: Points, fake: Points, logits: Logits, spec: VectorSpec) -> Figure:
    """Draw points on a line: both histograms, and the logit beside ln(p/q)."""
    figure = Figure(figsize=(2.2 * PANEL, PANEL), dpi=DPI)
    left, right = figure.subplots(1, 2, gridspec_kw=margins(2))
    _histograms(left, real, fake, spec)
    low, high = _limits(real)
    x = np.linspace(low[0], high[0], 400)
    right.plot(x, logits(x[:, None].astype(np.float32)), color=BLUE, label="discriminator")
    if spec.density and float(np.ptp(fake)) > 0:
        q = gaussian_kde(fake[:, 0])
        inside = x[(x > fake.min()) & (x < fake.max())]
        truth = density(spec.density).log_density(inside[:, None]) - q.logpdf(inside)
        right.plot(inside, truth, color=ORANGE, linewidth=1, label="ln(p/q), q by a kernel")
    right.axhline(0, color=PALE, linewidth=0.8)
    right.set(title="logit: what the discriminator thinks", xlim=(low[0], high[0]))
    right.legend(frameon=False)
    return figure


def _histograms(axes: Axes, real: Points, fake: Points | None, spec: VectorSpec) -> None:
    low, high = _limits(real)
    edges = np.linspace(low[0], high[0], 60).tolist()
    axes.hist(real[:, 0], edges, density=True, color=SLATE, alpha=0.35, label="data")
    if fake is not None:
        axes.hist(
            fake[:, 0], edges, density=True, histtype="step", color=BLUE, label="samples", lw=1.4
        )
    if spec.density:
        x = np.linspace(low[0], high[0], 400)
        truth: Density = density(spec.density)
        axes.plot(x, np.exp(truth.log_density(x[:, None])), color=ORANGE, label="true density")
    axes.set(xlim=(low[0], high[0]), title="density")
    axes.legend(frameon=False)
