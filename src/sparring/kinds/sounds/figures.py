"""Pictures of sounds: for each its wave and, below, power in mel bands over time."""

from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from sparring.kinds.sounds.codec import to_wave
from sparring.kinds.sounds.features.mel import picture_framing
from sparring.kinds.sounds.spec import AudioSpec
from sparring.kinds.sounds.spectrum import log_mel
from sparring.plotting import DPI, FAKE, REAL, figure_png, style

Pixels = NDArray[np.uint8]

PANEL_WIDTH, PANEL_HEIGHT = 2.5, 1.9  # inches of a histogram
FONT_SIZE = 7
WIDTH, WAVE_HEIGHT, MEL_HEIGHT = 128, 32, 64  # pixels of a sound
BANDS = 64
MIN_DB = -70.0
BACKGROUND, WAVE = (16, 16, 24), (235, 190, 120)
BATCH = 64  # sounds


def cells(items: Any, spec: AudioSpec) -> Pixels:
    """Return a picture (n, 96, 128, 3) of each sound: time to the right, pitch upwards.

    Args:
        items: waves (n, samples), float32 or int16.
        spec: of the sounds.
    """
    wave = to_wave(torch.as_tensor(np.asarray(items)))
    parts = [_cells(part, spec) for part in torch.split(wave, BATCH)]
    return np.concatenate(parts)


def draw_properties(
    real: dict[str, NDArray[np.float64]], fake: dict[str, NDArray[np.float64]]
) -> bytes:
    """Return a PNG with a histogram of each property of sounds, real and generated."""
    with mpl.rc_context(style(FONT_SIZE)):
        figure = Figure(
            (PANEL_WIDTH * len(real), PANEL_HEIGHT + 0.3), dpi=DPI, layout="constrained"
        )
        panels = np.atleast_1d(figure.subplots(1, len(real)))
        for axes, (name, values) in zip(panels, real.items(), strict=True):
            both = np.concatenate([values, fake[name]])
            low, high = np.quantile(both, (0.005, 0.995)).tolist()
            bins = np.linspace(low, high, 40)
            axes.hist(values, bins.tolist(), density=True, color=REAL, label="real", alpha=0.7)
            axes.hist(
                fake[name],
                bins.tolist(),
                density=True,
                color=FAKE,
                label="generated",
                histtype="step",
            )
            axes.set_title(name)
            axes.set_yticks([])
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        return figure_png(figure)


def _cells(wave: torch.Tensor, spec: AudioSpec) -> Pixels:
    level = log_mel(wave, picture_framing(spec.framing), BANDS, MIN_DB)
    shade = (1 - level / MIN_DB).clamp(0, 1)[:, None]
    size = MEL_HEIGHT, WIDTH
    shade = interpolate(shade, size, mode="bilinear", align_corners=False)[:, 0].flip(1)
    colours = (mpl.colormaps["magma"](shade.numpy())[..., :3] * 255).astype(np.uint8)
    return np.concatenate([_waves(wave.numpy()), colours], 1)


def _waves(wave: NDArray[np.float32]) -> Pixels:
    """Draw each wave's extent in every column (n, 32, 128, 3)."""
    edges = np.linspace(0, wave.shape[1], WIDTH + 1).astype(int)
    starts = np.minimum(edges[:-1], wave.shape[1] - 1)
    high, low = (f.reduceat(wave, starts, axis=1) for f in (np.maximum, np.minimum))
    middle = (WAVE_HEIGHT - 1) / 2
    rows = np.arange(WAVE_HEIGHT)[None, :, None]
    top, bottom = (middle * (1 - side.clip(-1, 1)) for side in (high, low))
    inked = (rows >= np.floor(top)[:, None]) & (rows <= np.ceil(bottom)[:, None])
    return np.where(inked[..., None], WAVE, BACKGROUND).astype(np.uint8)
