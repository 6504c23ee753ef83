"""The likelihood model: as large as asked, better with time, kept in a file, a warm start."""

from math import log
from pathlib import Path
from typing import Any

import pytest
import torch

from sparring.build import build_state, with_depths
from sparring.data.dataset import Dataset, no_progress
from sparring.kinds import DataOptions
from sparring.kinds.texts import likelihood
from sparring.kinds.texts.codec import texts_of
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.reader import open_data as open_texts
from sparring.kinds.texts.spec import TextSpec
from sparring.recipes.named import preset
from sparring.recipes.recipe import nested, resolve


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Texts of alternating letters: easy to learn."""
    texts = [
        f"{a}{b}{a}{b}{c}" for a in "abcd" for b in "efgh" for c in ("", "e", "ef", "efe", "a")
    ]
    return open_texts(texts, DataOptions(units="characters"))


def spec_of(data: Dataset) -> TextSpec:
    assert isinstance(data.spec, TextSpec)
    return data.spec


def bits(model: RecurrentGenerator, items: Any) -> float:
    """Return the mean bits of a symbol of texts (n, length), ends included."""
    with torch.inference_mode():
        total = -float(model.log_likelihood(torch.from_numpy(items)).sum()) / log(2)
    return total / (int((items != 0).sum()) + int((items == 0).any(1).sum()))


def ticking(seconds: float) -> Any:
    """Return a clock that advances by so much at each look."""
    now = iter(range(10**9))
    return lambda: seconds * next(now)


def test_it_has_about_as_many_numbers_as_asked(data: Dataset) -> None:
    for wanted in (5_000, 50_000, 250_000):
        model = likelihood.of_size(spec_of(data), wanted)
        assert 0.6 * wanted < sum(p.numel() for p in model.parameters()) <= wanted


def test_time_makes_it_better_and_its_texts_like_the_data(data: Dataset) -> None:
    before = bits(likelihood.of_size(spec_of(data), 20_000), data.items[data.held_out])
    model = likelihood.fit(
        likelihood.of_size(spec_of(data), 20_000), data, 1.0, no_progress, ticking(0.005)
    )
    assert bits(model, data.items[data.held_out]) < 0.6 * before
    drawn = texts_of(torch.cat([*likelihood.draw(model, 200, 0)]), spec_of(data))
    right = sum(len(t) >= 4 and t[0] == t[2] and t[1] == t[3] for t in drawn)
    assert right > 150
    again = texts_of(torch.cat([*likelihood.draw(model, 10, 0)]), spec_of(data))
    assert again == drawn[:10]


def test_it_is_trained_once_and_kept(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.safetensors"
    first = likelihood.load_or_fit(path, data, 5_000, 0.05, no_progress)
    stamp = path.stat().st_mtime_ns
    second = likelihood.load_or_fit(path, data, 5_000, 0.05, no_progress)
    assert path.stat().st_mtime_ns == stamp
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    path.write_bytes(b"damaged")
    likelihood.load_or_fit(path, data, 5_000, 0.05, no_progress)
    assert path.stat().st_size > 10_000


def test_a_recurrent_generator_starts_from_likelihood_and_its_average_too(data: Dataset) -> None:
    asked = nested({"generator.network": "recurrent", "generator.width": 24, "batch": 8})
    recipe = with_depths(resolve(preset("default", "tiny", data.spec), asked), data.spec)
    state = build_state(recipe, data.spec)
    items = torch.from_numpy(data.items)
    before = state.generator.log_likelihood(items).mean()  # type: ignore[operator]
    likelihood.warm_start(state, data, 3_000, no_progress)
    assert isinstance(state.generator, RecurrentGenerator)
    assert state.generator.log_likelihood(items).mean() > before + 1
    pairs = zip(state.generator.parameters(), state.ema.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_other_generators_are_left_alone(data: Dataset) -> None:
    recipe = with_depths(resolve(preset("default", "tiny", data.spec)), data.spec)
    state = build_state(recipe, data.spec)
    before = [p.clone() for p in state.generator.parameters()]
    likelihood.warm_start(state, data, 1_000, no_progress)
    assert all(torch.equal(a, b) for a, b in zip(before, state.generator.parameters(), strict=True))
