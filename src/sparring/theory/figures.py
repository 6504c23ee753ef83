"""Phase portraits: the gradient field of a game on two parameters, and a path of training in it.

matplotlib is slow to import: import this module where it is used.
"""

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sparring.plotting import BLUE, ORANGE, figure_png, figure_svg, style
from sparring.theory.dirac import DiracGAN

SIDE, DPI = 5.0, 130  # inches, dots per inch
GRID = 26  # points along a side; even, so that none is where a penalty has no derivative
MAX_DISTANCE = 1e3  # half sides of the picture, up to which a path is drawn


def phase_portrait(
    game: DiracGAN,
    path: NDArray[np.float64],
    title: str,
    image_format: str = "svg",
) -> bytes:
    """Return a picture of a Dirac-GAN's field and of a path in it.

    Args:
        game: whose field is drawn.
        path: the states of training, (rounds + 1, 2); drawn until it runs away.
        title: one or two lines above the picture.
        image_format: `svg` or `png`.
    """
    with mpl.rc_context(style(10)):
        figure = Figure(figsize=(SIDE, SIDE * 1.08), dpi=DPI, layout="constrained")
        axes = figure.add_subplot()
        reach = _reach(path)
        line = np.linspace(-reach, reach, GRID)
        field = _field(game, line)
        speed = np.hypot(*field)
        fast = float(np.quantile(speed, 0.9)) or 1.0
        shade = Normalize(-fast, fast)  # none is too pale to see
        u, v = field
        axes.streamplot(
            line, line, u, v, color=speed, norm=shade, cmap="Greys", density=1.1, linewidth=0.8
        )
        axes.plot(*_drawable(path, reach).T, color=BLUE, linewidth=1.6, label="training")
        axes.plot(*path[0], "o", color=BLUE, markersize=6, label="start")
        axes.plot(0, 0, "*", color=ORANGE, markersize=13, label="equilibrium")
        axes.set(
            xlim=(-reach, reach),
            ylim=(-reach, reach),
            xlabel="θ, where the generator puts its point (the data are at 0)",
            ylabel="ψ, the discriminator's slope",
            aspect="equal",
        )
        axes.set_title(title, fontsize=10)
        figure.legend(frameon=False, loc="outside lower center", ncols=3, fontsize=9)
        return figure_svg(figure) if image_format == "svg" else figure_png(figure)


def _reach(path: NDArray[np.float64]) -> float:
    """Return half the side of the picture: the path's extent, unless it runs away."""
    start = max(float(np.abs(path[0]).max()), 1e-6)
    return 1.15 * min(max(float(np.abs(path[np.isfinite(path).all(1)]).max()), start), 4 * start)


def _drawable(path: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Return a path up to where it has left the picture by far; the axes clip the rest."""
    outside = np.flatnonzero(~(np.abs(path).max(1) < MAX_DISTANCE * reach))
    return path[: outside[0]] if outside.size else path


def _field(game: DiracGAN, line: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    states = torch.from_numpy(np.stack(np.meshgrid(line, line), -1).reshape(-1, 2))
    vectors = np.stack([game.field(state).detach().numpy() for state in states])
    return tuple(np.nan_to_num(vectors).T.reshape(2, len(line), len(line)))
