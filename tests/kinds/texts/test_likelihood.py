"""The likelihood model: as large as asked, better with time, kept in a file, a warm start."""

from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from sparring.build import begin_phase, build_state, with_depths
from sparring.data.dataset import Dataset, no_progress
from sparring.draws import Draw
from sparring.kinds import DataOptions
from sparring.kinds.kind import TrainedRun
from sparring.kinds.texts import likelihood, measures
from sparring.kinds.texts.codec import texts_of
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.reader import open_data as open_texts
from sparring.kinds.texts.spec import TextSpec
from sparring.recipes.named import preset
from sparring.recipes.recipe import Recipe, nested, resolve
from sparring.runs.folder import EventLog, RunFolder
from sparring.training.phase import prepare
from sparring.training.state import State
from sparring.training.step import NonFinite


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Texts of alternating letters: easy to learn."""
    return open_texts(texts(), DataOptions(units="characters"))


def texts() -> list[str]:
    ends = ("", "e", "ef", "efe", "a")
    return [f"{a}{b}{a}{b}{c}" for a in "abcd" for b in "efgh" for c in ends]


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


def test_what_it_is_judged_on_does_not_stop_it(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.1 kept the state that held-out texts liked best, and scored it by them."""
    learned, looked_at = set[int](), set[int]()

    def step(model: Any, optimizer: Any, data: Dataset, *_: Any) -> None:
        learned.update(data.train.tolist())

    def look(model: Any, data: Dataset, index: Any) -> float:
        looked_at.update(index.tolist())
        return 0.0

    monkeypatch.setattr(likelihood, "likelihood_step", step)
    monkeypatch.setattr(likelihood, "_mean_likelihood", look)
    model = RecurrentGenerator(spec_of(data), 1, 8)
    likelihood.fit(model, data, 1.0, no_progress, ticking(0.1))
    assert learned | looked_at == {*data.train.tolist()}
    assert len(looked_at) == len(data.train) // 10
    assert not learned & looked_at


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


def fresh(data: Dataset, **options: Any) -> tuple[Recipe, State]:
    """Return a tiny recipe for the data and its state before the first step."""
    asked = nested({"batch": 8, **options})
    recipe = with_depths(resolve(preset("default", "tiny", data.spec), asked), data.spec)
    return recipe, build_state(recipe, data.spec)


def test_a_recurrent_generator_starts_from_likelihood_and_its_average_too(data: Dataset) -> None:
    asked = {"generator.network": "recurrent", "generator.width": 24, "generator.warm_start": 3_000}
    recipe, state = fresh(data, **asked)
    items = torch.from_numpy(data.items)
    before = state.generator.log_likelihood(items).mean()  # type: ignore[operator]
    phase = begin_phase(recipe, data, state)
    assert phase is not None
    assert (phase.samples, phase.batch) == (24 * 128, 128)
    assert prepare(state, phase, tick_samples=1_000)
    assert isinstance(state.generator, RecurrentGenerator)
    assert state.generator.log_likelihood(items).mean() > before + 1
    pairs = zip(state.generator.parameters(), state.ema.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(("network", "texts"), [("sequence", 1_000), ("recurrent", 0)])
def test_other_generators_and_no_texts_are_no_phase(
    data: Dataset, network: str, texts: int
) -> None:
    asked = {"generator.network": network, "generator.warm_start": texts}
    recipe, state = fresh(data, **asked)
    assert begin_phase(recipe, data, state) is None
    assert state.preparing is None


def test_a_step_that_is_not_finite_is_refused_before_it_is_applied(data: Dataset) -> None:
    model = likelihood.of_size(spec_of(data), 5_000)
    with torch.no_grad():
        model.head.bias[0] = torch.nan
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(NonFinite, match="generator's loss"):
        likelihood.likelihood_step(model, likelihood.ascent(model), data, Draw(0), 1e-3)
    for a, b in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(b, a, rtol=0, atol=0, equal_nan=True)
    assert likelihood.fit(model, data, 0.01, no_progress) is model


def test_it_is_trained_again_for_another_time_and_on_other_data(
    data: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "baseline.safetensors"

    def weights(data: Dataset, seconds: float) -> Tensor:
        model = likelihood.load_or_fit(path, data, 5_000, seconds, no_progress)
        return model.head.weight.detach().clone()

    short = weights(data, 0.02)
    assert not torch.equal(weights(data, 0.1), short)
    with safe_open(path, "pt") as kept:
        assert kept.metadata()["seconds"] == "0.100"
        assert kept.metadata()["data"] == data.fingerprint
    long = weights(data, 0.1)
    assert torch.equal(weights(data, 0.1), long)
    turned = open_texts([text[::-1] for text in texts()], DataOptions(units="characters"))
    assert turned.spec == data.spec
    assert not torch.equal(weights(turned, 0.1), long)


def test_it_is_given_the_time_of_the_run_as_it_is_now_with_the_phase_before_the_game(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    monkeypatch.setattr(likelihood, "fit", lambda model, data, seconds, _: given.append(seconds))
    folder = RunFolder(tmp_path)
    trained = TrainedRun(folder, likelihood.of_size(spec_of(data), 5_000), data)
    run = SimpleNamespace(progress=no_progress)
    log = EventLog(folder.events)
    for event, seconds in (("preparation", 12.0), ("tick", 12.4), ("tick", 12.4), ("tick", 80.0)):
        log(event, images=0, seconds=seconds)
        measures._likelihood_model(run, trained)  # type: ignore[arg-type]
    assert given == [12.0, 12.4, 80.0]
