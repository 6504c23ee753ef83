"""No step is seen by both parts, sources are read, distances hold, windows start as asked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from sparring import kinds
from sparring.data.dataset import no_progress
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.recipes.recipe import nested, resolve
from sparring.sampling import SampleRequest
from sparring.schedules import constant
from sparring_series import SERIES, statistics
from sparring_series.augmentation import SeriesAugmentation
from sparring_series.named import named_frame
from sparring_series.options import SeriesRequests
from sparring_series.output import parse_starts, sample
from sparring_series.spec import SeriesSpec
from sparring_series.windows import cut, held_out_steps


def opened(source: Any, spec: SeriesSpec | None = None, **options: Any) -> Any:
    asked = {f"data.{name}": value for name, value in options.items()}
    data = resolve(nested({"data.kind": "series", **asked})).data
    return SERIES.reader.open_data(source, data, cache=Path(), spec=spec)


def walk(steps: int, channels: int = 1, seed: int = 0) -> Any:
    draws = np.random.default_rng(seed).normal(size=(steps, channels))
    return draws.cumsum(0).astype(np.float32)


def test_it_is_found_by_its_entry_point_and_asked_first() -> None:
    assert kinds.kind_named("series") is kinds.KINDS[0] is SERIES


@pytest.mark.parametrize(("length", "steps", "parts"), [(203, 8, 1), (2284, 16, 3), (9000, 16, 8)])
def test_no_step_is_in_windows_of_both_parts(length: int, steps: int, parts: int) -> None:
    clock = np.arange(length, dtype=np.float32)[:, None]
    windows = cut([clock], steps, 1, 0.1)
    held_out, train = (
        set(windows.items[which].ravel()) for which in (windows.held_out, ~windows.held_out)
    )
    assert held_out.isdisjoint(train)
    assert len(held_out) == held_out_steps(length, steps, 0.1).sum()
    assert abs(len(held_out) - 0.1 * length) <= parts
    assert (np.diff(sorted(held_out)) > 1).sum() == parts - 1
    assert (np.diff(windows.items[..., 0], axis=1) == 1).all()


def test_of_many_series_whole_ones_are_held_out() -> None:
    series = [np.full((20 + i, 1), i, np.float32) for i in range(60)]
    windows = cut(series, 8, 4, 0.2)
    held_out, train = (
        set(windows.items[which].ravel()) for which in (windows.held_out, ~windows.held_out)
    )
    assert held_out.isdisjoint(train)
    assert held_out | train == set(range(60))
    assert 3 < len(held_out) < 25


def test_windows_start_a_stride_apart_and_series_that_are_too_short_are_left_out() -> None:
    windows = cut([walk(10), walk(3)], 4, 3, 0.0)
    assert windows.items.shape == (3, 4, 1)
    assert np.array_equal(windows.items[1], walk(10)[3:7])


def test_a_series_is_read_alike_from_all_that_holds_it(tmp_path: Path) -> None:
    frame = pd.DataFrame(walk(90, 2), columns=["a", "b"])
    frame.to_csv(tmp_path / "ab.csv", index=False)
    np.save(tmp_path / "ab.npy", frame.to_numpy())
    frame.to_parquet(tmp_path / "ab.parquet")
    files = (tmp_path / f"ab.{suffix}" for suffix in ("csv", "parquet", "npy"))
    sources = (frame, *files, frame.to_numpy())
    first, *others = [opened(source, window=8) for source in sources]
    assert first.spec.channels == ("a", "b")
    assert all(np.array_equal(first.items, other.items) for other in others)
    assert others[-1].spec.channels == ("channel 0", "channel 1")
    dated = frame.assign(day=pd.date_range("2026-01-01", periods=90).astype(str))
    assert "columns that hold no numbers are left out: day" in opened(dated, window=8).notes
    assert SERIES.reader.recognises(dated.set_index(pd.to_datetime(dated.day))[["a"]])
    assert not SERIES.reader.recognises(frame)
    assert not SERIES.reader.recognises(str(tmp_path / "ab.csv"))


def test_a_frame_that_holds_several_series_keeps_them_apart() -> None:
    births = named_frame("fertility")
    data = opened("fertility", window=12)
    countries = births.groupby("series", sort=False)["births"]
    assert len(data.items) == sum(len(values) - 11 for _, values in countries)
    assert data.spec.channels == ("births",)
    _, first = next(iter(countries))
    assert np.array_equal(data.items[0, :, 0], first.to_numpy(np.float32)[:12])


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (np.array([[1.0], [np.nan], [2.0]]), "1 steps of 'array' hold missing values"),
        (np.ones(30), r"'array' is float64 \(30,\); expected a .csv"),
        (walk(6), "'array' has 6 steps, too few for several windows of 16"),
        (pd.DataFrame({"a": ["x"] * 30}), "'frame' has no column of numbers"),
        (pd.DataFrame({"a": walk(30)[:, 0]}, index=range(30, 0, -1)), "do not increase"),
        ("nowhere.csv", "'nowhere.csv' is neither a file nor a named data set"),
    ],
    ids=["gap", "shape", "short", "words", "order", "path"],
)
def test_what_is_no_series_is_refused_in_a_line(source: Any, complaint: str) -> None:
    with pytest.raises(SparringError, match=complaint):
        opened(source)


def test_data_to_judge_by_are_matched_by_the_names_of_channels() -> None:
    own = opened(pd.DataFrame(walk(80, 2), columns=["a", "b"]), window=8)
    other = pd.DataFrame(walk(80, 3, seed=1), columns=["b", "c", "a"])
    data = opened(other, own.spec)
    assert data.spec == own.spec
    assert np.array_equal(data.items[0], other[["a", "b"]].to_numpy(np.float32)[:8])
    assert "channels that are not used: c" in data.notes
    with pytest.raises(SparringError, match="has no channel 'b'"):
        opened(other[["a", "c"]], own.spec)


def test_statistics_are_those_of_known_waves() -> None:
    time = torch.arange(24, dtype=torch.float64)
    wave = torch.stack([torch.sin(time * torch.pi / 2), torch.cos(time * torch.pi / 2)])[None]
    lags = statistics.autocorrelations(wave)
    assert lags.shape == (1, 2, 8)
    assert lags[0, 0, 1].item() == pytest.approx(-22 / 24)  # half a period later, its opposite
    assert lags[0, 0, 3].item() == pytest.approx(20 / 24)
    assert statistics.cross_correlations(wave).item() == pytest.approx(0)
    constant_wave = torch.ones(1, 1, 24, dtype=torch.float64)
    assert (statistics.autocorrelations(constant_wave) == 0).all()


def test_the_interval_of_the_largest_gap_holds_of_windows_that_overlap() -> None:
    """Windows of a moving average: 40 times, and what is true lies in it at least 36 times."""
    truth, held = 0.5, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        steps = np.convolve(rng.normal(size=406), np.ones(5) / 5, "valid")
        real = np.lib.stride_tricks.sliding_window_view(steps, 8).mean(1)[:, None]
        fake = truth + rng.normal(size=(300, 1)) * 0.4
        estimate = statistics.largest_gap(real, fake, (16, 1))
        held += estimate.low <= truth <= estimate.high
    assert held >= 36


def test_amplitudes_change_by_the_law_and_not_at_0() -> None:
    x = torch.ones(64, 2, 8)
    augmentation = SeriesAugmentation(kinds=("amplitude",), probability=constant(0.5))
    changed = augmentation.bind(Draw(0), "augment", 0.5, x)(x)
    factors = changed[:, :1, :1]
    assert (changed == factors).all()
    assert 16 < (factors == 1).sum() < 48
    assert augmentation.bind(Draw(0), "augment", 0.0, x)(x) is x


class Levels(torch.nn.Module):
    """Makes windows that stay where they start: at their first latent."""

    latent = 2

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, latent: torch.Tensor, label: None = None) -> torch.Tensor:
        return latent[:, :1, None] + torch.zeros(1, 1, 8)


def test_windows_that_are_asked_to_start_somewhere_do() -> None:
    spec = replace(opened(walk(80), window=8).spec, mean=(10.0,), scale=(2.0,), channels=("a",))

    def starting(n: int, *start: str) -> torch.Tensor:
        request = SampleRequest(n, own=SeriesRequests(start=start))
        return sample(Levels(), spec, request, data=None, progress=no_progress)

    windows = starting(20, "a=12")
    assert windows.shape == (20, 8, 1)
    assert ((windows[:, 0, 0] - 12).abs() <= 0.2).all()
    with pytest.raises(SparringError, match="none of 102,400 windows starts with a=99"):
        starting(1, "a=99")
    with pytest.raises(SparringError, match="names no channel"):
        parse_starts(("b=1",), spec)
    with pytest.raises(SparringError, match=r"is not a number; write a=1\.5"):
        parse_starts(("a=high",), spec)
