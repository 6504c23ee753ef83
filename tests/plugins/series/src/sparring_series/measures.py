"""What series are measured by: statistics of windows, and three lines of the card."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.features.extractor import Extractor, alone, digest_of_arrays, in_batches, spread
from sparring.features.reference import ReferenceSet
from sparring.kinds.kind import EvaluatedRun
from sparring.metrics.line import CardLine
from sparring_series import statistics
from sparring_series.codec import encode
from sparring_series.spec import SeriesSpec

STATISTICS = "window-statistics"
EXTRACTORS = {STATISTICS: "level, spread, autocorrelations, spectrum and cross-correlations"}
GRID = 32  # values at which distributions are compared
MAX_WINDOWS = 5_000  # of each side
MAX_VALUES = 1_000_000  # of each channel, to place the grid by
with_companions = alone


def default_extractor(data: Dataset) -> str:
    """Return the one that there is."""
    return STATISTICS


def build_extractor(name: str, data: Dataset, cache: Path, progress: Progress) -> Extractor:
    """Return the statistics of windows, each of standard deviation 1 over training windows."""
    spec, train = _spec(data), data.items[spread(data.train)]
    rows = _statistics(_standardised(train, spec))
    centre, scale = rows.mean(0), rows.std(0).clamp_min(1e-6)

    def compute(items: Tensor) -> Tensor:
        return ((_statistics(encode(items, spec).double()) - centre) / scale).float()

    def run(items: NDArray[np.float32]) -> NDArray[np.float32]:
        return in_batches(compute, items, rows.shape[1])

    return Extractor(STATISTICS, digest_of_arrays("series 1", {"train": train}), len(centre), run)


def card_lines(run: EvaluatedRun) -> Iterator[CardLine]:
    """Yield how far values and dynamics of samples lie from real ones; draw both."""
    from sparring_series.figures import draw_dynamics

    run.begin("dynamics of series")
    spec: SeriesSpec = run.spec
    real, fake = (
        _standardised(items[:MAX_WINDOWS], spec) for items in (_in_order(run.reference), run.fake)
    )
    train = _standardised(_in_order(run.train)[:MAX_WINDOWS], spec) if run.train else None
    run.picture("evaluation-dynamics.png", lambda: draw_dynamics(real, fake, spec))
    ranks = torch.linspace(0, 1, GRID + 2, dtype=torch.float64)[1:-1]
    values = real.transpose(0, 1).flatten(1)[:, :MAX_VALUES]
    grid = torch.quantile(values, ranks, dim=1).T
    compared: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
        "values": ("values, KS distance", lambda x: statistics.shares_below(x, grid)),
        "autocorrelation": ("autocorrelation gap", statistics.autocorrelations),
        "cross_correlation": ("cross-correlation gap", statistics.cross_correlations),
    }
    block = 2 * spec.steps
    for key, (name, of) in compared.items():
        real_rows, fake_rows = (of(x).flatten(1).numpy() for x in (real, fake))
        if real_rows.shape[1]:
            estimate = statistics.largest_gap(real_rows, fake_rows, (block, 1))
            of_real = None
            if train is not None:
                train_rows = of(train).flatten(1).numpy()
                of_real = statistics.largest_gap(real_rows, train_rows, (block, block))
            yield CardLine(key, name, estimate, of_real, "lower")


def _in_order(of: ReferenceSet) -> NDArray[np.float32]:
    """Return windows in the order of time."""
    return np.asarray(of.data.items[of.index()])


def _standardised(items: NDArray[np.float32], spec: SeriesSpec) -> Tensor:
    return encode(torch.from_numpy(items), spec).double()


def _statistics(x: Tensor) -> Tensor:
    """Return all statistics of standardised windows (n, c, t), (n, k)."""
    parts = (
        statistics.levels(x),
        statistics.autocorrelations(x),
        statistics.spectrum(x),
        statistics.cross_correlations(x),
    )
    return torch.cat([part.flatten(1) for part in parts], 1)


def _spec(data: Dataset) -> SeriesSpec:
    assert isinstance(data.spec, SeriesSpec)
    return data.spec
