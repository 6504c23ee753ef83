"""Runs that are made to fail say so in words, healthy ones say nothing; thresholds are exact."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import sparring
from sparring.api import Silent
from sparring.build import build_game, build_state
from sparring.errors import SparringError
from sparring.metrics.estimate import Estimate
from sparring.recipes.recipe import nested
from sparring.report import write_card, write_report
from sparring.runs.diagnosis import History, Measurements, RefusedStep, Setting, diagnose, history
from sparring.runs.folder import RunFolder, too_early
from sparring.runs.logger import setting
from sparring.runs.monitor import Monitor
from sparring.runs.plan import batches, make_plan
from sparring.training.loop import Callback, Progress, train
from sparring.training.state import State

SETTING = Setting(advised=("translate", "cutout"))
BARE = replace(SETTING, penalised=False)
UNPENALISED = {"penalties.r1.weight": 0, "penalties.r2.weight": 0}
TEN_LOOKS = {"threads": 1, "checkpoint.ticks": 40, "checkpoint.samples_every_ticks": 4}


# ---- pure functions


def look(images: int = 0, **values: Any) -> Measurements:
    """Return a look; a value may be given as (value, low, high)."""
    intervals = {key: value[1:] for key, value in values.items() if isinstance(value, tuple)}
    plain = {key: value[0] if key in intervals else value for key, value in values.items()}
    return Measurements(images, plain, intervals)


def looks(*many: dict[str, Any], setting: Setting = SETTING) -> History:
    return History(setting, looks=tuple(look(k, **values) for k, values in enumerate(many)))


def ticks(name: str, values: list[float]) -> tuple[Measurements, ...]:
    return tuple(Measurements(k, {name: value}, {}) for k, value in enumerate(values))


def sure(low: float, high: float = 1.0) -> tuple[float, float, float]:
    return (low + high) / 2, low, high


def names(run: History) -> list[str]:
    return [finding.name for finding in diagnose(run)]


def test_a_run_that_has_just_begun_shows_nothing() -> None:
    assert diagnose(History(SETTING)) == ()
    assert names(looks({"twins": 1.0, "separation": sure(1.0), "memory": sure(1.0)})) == []


def test_six_steps_are_too_few_to_tell_anything_of_the_players() -> None:
    def repeating(last: int) -> History:
        setting = replace(SETTING, batch=64)
        return History(setting, looks=tuple(look(k, twins=1.0) for k in (64, 128, last)))

    assert names(repeating(49 * 64)) == []
    assert names(repeating(50 * 64)) == ["mode collapse"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [([], "not trained yet"), ([1], "trained for 1 step"), ([20, 49], "trained for 49 steps")],
)
def test_a_run_of_few_steps_is_too_early_to_tell(steps: list[int], words: str) -> None:
    said = too_early([{"event": "started"}, *({"event": "tick", "step": n} for n in steps)])
    assert said == f"{words}: too early to tell what will become of it"
    assert too_early([{"event": "tick", "step": 50}]) == ""
    assert too_early([{"event": "tick"}]) == ""  # as another program wrote it


def test_a_generator_that_does_not_play_is_no_work_of_few_steps() -> None:
    metrics = {"discriminator/loss": 0.7}
    assert too_early([{"event": "tick", "step": 3, "metrics": metrics}]) == ""
    assert too_early([{"event": "tick", "step": 3, "metrics": metrics | {"generator/loss": 1.0}}])


def test_a_learning_rate_far_from_the_usual_one_is_blamed_before_all_else() -> None:
    collapsed = [{"twins": 1.0, "separation": sure(0.0, 0.1)}] * 3
    fast = replace(SETTING, learning_rate=0.1, usual=(0.002, "2e-3 to 0 linear"))
    (found,) = diagnose(looks(*collapsed, setting=fast))
    usual = "the usual learning rate, 50 times lower: --optimizer.lr '2e-3 to 0 linear'"
    assert found.advice == f"first try {usual}"
    (found,) = diagnose(looks(*collapsed, setting=replace(fast, learning_rate=0.02)))
    assert "--optimizer.discriminator-lr-factor 4" in found.advice
    (memory,) = diagnose(looks(*[{"memory": sure(0.9)}] * 3, setting=fast))
    assert "--augment.kinds" in memory.advice


def test_few_items_shown_often_are_told_of_where_nobody_can_see_them_memorised() -> None:
    def shown(last: int, **values: Any) -> History:
        setting = replace(SETTING, items=27)
        return History(setting, looks=tuple(look(k, **values) for k in (100, 200, last)))

    (found,) = diagnose(shown(27_000, twins=0.1))
    assert found.name == "too few data"
    assert found.words.startswith("each of the 27 training items has been shown 1,000 times")
    assert found.advice == (
        "expect copies of them; try --augment.kinds 'translate cutout', which needs no further data"
    )
    assert names(shown(26_999)) == []
    assert names(shown(27_000, memory=sure(0.5))) == []  # it has been looked for


def test_samples_must_repeat_each_other_at_three_looks_in_a_row() -> None:
    assert names(looks({"twins": 0.8}, {"twins": 0.9}, {"twins": 0.8})) == ["mode collapse"]
    assert names(looks({"twins": 0.79}, {"twins": 0.9}, {"twins": 0.9})) == []
    assert names(looks({"twins": 0.9}, {"twins": 0.9}, {})) == []


def test_missing_modes_are_counted_unless_they_are_being_found() -> None:
    def ring(*modes: int, good: float = 0.5) -> History:
        seen = ({"modes": n, "high_quality": good} for n in modes)
        return looks(*seen, setting=replace(SETTING, modes=8))

    (found,) = diagnose(ring(5, 7, 5))
    assert found.words == "3 of the 8 modes of the known density get no samples"
    assert names(ring(5, 5, 6)) == []
    assert names(ring(5, 8, 5)) == []
    assert names(ring(5, 7, 5, good=0.49)) == []  # samples are in no mode yet


@pytest.mark.parametrize(
    ("setting", "separation", "advice"),
    [
        (BARE, 0.0, "--optimizer.discriminator-lr-factor 4"),  # a fooled discriminator
        (BARE, 0.7, "--penalties.r1.weight 1"),
        (SETTING, 0.7, "--optimizer.lr"),
    ],
)
def test_the_advice_against_collapse_depends_on_who_wins(
    setting: Setting, separation: float, advice: str
) -> None:
    collapsed = {"twins": 1.0, "separation": (separation, separation, separation)}
    (found,) = diagnose(looks(collapsed, collapsed, collapsed, setting=setting))
    assert advice in found.advice


def overpowered(*distances: tuple[float, float, float], low: float = 0.98) -> History:
    return looks(*({"separation": sure(low), "kid": one} for one in distances))


def test_a_discriminator_overpowers_when_it_is_long_right_and_nothing_improves() -> None:
    still = (1.0, 0.9, 1.1)
    assert names(overpowered(*[still] * 5)) == ["overpowering discriminator"]
    assert names(overpowered(*[still] * 4)) == []
    assert names(overpowered(*[still] * 4, (0.7, 0.6, 0.89))) == []
    assert names(overpowered(*[still] * 4, (0.8, 0.7, 0.9))) == ["overpowering discriminator"]
    assert names(overpowered(*[still] * 5, low=0.979)) == []


def vanishing(last: float, low: float = 0.98, objective: str = "minimax") -> History:
    norms = [1.0] * 3 + [5.0] + [1.0] * 5 + [last] * 3
    return replace(
        looks(*[{"separation": sure(low)}] * 3, setting=Setting(objective, penalised=False)),
        ticks=ticks("generator/gradient_norm", norms),
    )


def test_a_gradient_has_vanished_at_a_hundredth_of_its_peak_if_fakes_are_told_apart() -> None:
    (found,) = diagnose(vanishing(0.0499))
    assert found.name == "vanishing gradient"
    assert "sunk to 0.05, from 5 " in found.words
    assert names(vanishing(0.05)) == []
    assert names(vanishing(0.0499, low=0.97)) == []  # at equilibrium it vanishes as it should


def test_the_cure_for_a_vanished_gradient_is_another_loss_only_where_the_loss_saturates() -> None:
    (minimax,), (hinge,) = diagnose(vanishing(0.01)), diagnose(vanishing(0.01, objective="hinge"))
    assert "--objective non-saturating" in minimax.advice
    assert "row 4" in minimax.theory
    assert "--penalties.r1.weight 1" in hinge.advice


def areas(*values: float) -> History:
    return looks(*({"separation": (v, v - 0.01, v + 0.01)} for v in values), setting=BARE)


def test_oscillation_is_crossing_a_half_three_times_beyond_doubt() -> None:
    (found,) = diagnose(areas(0.9, 0.1, 0.5, 0.9, 0.1))
    assert found.name == "oscillation"
    assert "between 10% and 90%: 3 times across a half in 5 looks" in found.words
    assert "row" in found.theory
    assert names(areas(0.9, 0.1, 0.9)) == []
    assert names(areas(0.7, 0.4, 0.7, 0.4, 0.7, 0.4)) == []  # never surely wrong
    assert names(areas(0.9, 0.1, 0.9, 0.1, *[0.5] * 10)) == []  # long ago


def test_memory_must_be_certain_at_three_looks() -> None:
    high, low = {"memory": sure(0.85)}, {"memory": sure(0.84)}
    assert names(looks(high, high, high)) == ["memorising discriminator"]
    assert names(looks(high, high, low)) == []
    assert names(looks(high, high, {})) == []


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        (SETTING, "--augment.kinds"),
        (replace(BARE, augmented=True), "--penalties.r1.weight 1"),
        (replace(SETTING, advised=()), "--discriminator.width"),
    ],
)
def test_the_advice_against_memory_is_what_has_not_been_done(setting: Setting, advice: str) -> None:
    (found,) = diagnose(looks(*[{"memory": sure(0.95)}] * 3, setting=setting))
    assert advice in found.advice


def test_augmentation_is_pinned_after_ten_ticks_at_an_adaptive_limit() -> None:
    adaptive = replace(SETTING, augmented=True, augment_limit=0.8)

    def run(setting: Setting, *values: float) -> list[str]:
        return names(History(setting, ticks("augment/probability", list(values))))

    assert run(adaptive, 0.5, *[0.8] * 10) == ["augmentation pinned"]
    assert run(adaptive, *[0.8] * 9) == []
    assert run(adaptive, *[0.8] * 9, 0.79) == []
    assert run(SETTING, *[0.8] * 10) == []  # a schedule is what was asked for


@pytest.mark.parametrize(("rate", "advice"), [(0.02, "--optimizer.lr 0.002"), (0.01, "--penalt")])
def test_an_overflow_names_its_origin_and_blames_a_high_learning_rate(
    rate: float, advice: str
) -> None:
    refused = RefusedStep(320, "the generator's loss is not finite", "first here", rate)
    (found,) = diagnose(History(BARE, refused=(refused, refused)))
    assert found.words.startswith("2 steps refused, the last at 320 samples: the generator's loss")
    assert "(first here)" in found.words
    assert advice in found.advice


def test_a_history_is_what_stands_of_the_events() -> None:
    events = [
        {"event": "started", "images": 0},
        {"event": "tick", "images": 10, "metrics": {"a": 1.0, "b": None}, "learning_rate": 0.1},
        {"event": "observed", "images": 20, "metrics": {"c": 2.0}, "intervals": {"c": [1, 3]}},
        {"event": "tick", "images": 30, "metrics": {"a": float("nan")}},
        {"event": "observed", "images": 30, "metrics": {"c": 3.0}},
        {"event": "rollback", "images": 20, "failed_at": 40, "reason": "r", "learning_rate": 0.1},
        {"event": "observed", "images": 30, "metrics": {"c": 4.0}, "intervals": {"c": [None, 3]}},
    ]
    run = history(events, SETTING)
    assert run.ticks == (Measurements(10, {"a": 1.0, "learning_rate": 0.1}, {}),)
    assert [look.estimate("c") is not None for look in run.looks] == [True, False]
    assert [look.images for look in run.looks] == [20, 30]
    assert run.refused == (RefusedStep(40, "r", "", 0.1),)


# ---- runs that are made to fail, by the real loop


class Ear:
    """An audience that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def reading(self, what: str, done: int, total: int) -> None: ...
    def plan(self, rows: Any) -> None: ...
    def advance(self, images: int, total: int) -> None: ...
    def tick(self, progress: Any, total: int) -> None: ...


@pytest.fixture(autouse=True)
def short_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.runs.device.PROBE_SECONDS", 0.001)


def fail(data: Any, root: Path, images: int, **options: Any) -> tuple[RunFolder, list[str]]:
    """Train with ten looks; return the run and what was told."""
    ear = Ear()
    try:
        sparring.train(
            data, root=root, audience=ear, budget=f"{images}-images", **TEN_LOOKS, **options
        )
    except SparringError as error:
        ear.lines.append(str(error))
    (run,) = root.glob("0*")
    return RunFolder(run), ear.lines


def ended_with(run: RunFolder) -> list[str]:
    """Return the names of the findings of the last diagnosis."""
    *_, last = (event for event in run.read_events() if event["event"] == "diagnosis")
    return [finding["name"] for finding in last["findings"]]


def first_seen(run: RunFolder, name: str) -> int:
    """Return the images after which a finding was first told."""
    told = (event for event in run.read_events() if event["event"] == "diagnosis")
    return min(e["images"] for e in told if name in [one["name"] for one in e["findings"]])


def some_digits(count: int) -> NDArray[np.uint8]:
    return np.rint(load_digits().images[:count] * (255 / 16)).astype(np.uint8)


FAILING: dict[str, tuple[str, Any, int, dict[str, Any]]] = {
    "a discriminator that hardly learns is fooled by one image": (
        "mode collapse",
        "digits",
        6_000,
        {"optimizer.discriminator_lr_factor": 1e-3},
    ),
    "a generator that hardly learns against a quick discriminator": (
        "overpowering discriminator",
        "digits",
        12_000,
        {
            "objective": "non-saturating",
            "optimizer.lr": "1e-7",
            "optimizer.discriminator_lr_factor": 1e4,
            **UNPENALISED,
        },
    ),
    "a saturating loss against a quick discriminator": (
        "vanishing gradient",
        "digits",
        12_000,
        {
            "objective": "minimax",
            "order": "alternating",
            "optimizer.lr": "2e-5",
            "optimizer.discriminator_lr_factor": 200,
            **UNPENALISED,
        },
    ),
    "forty images and a discriminator far too wide": (
        "memorising discriminator",
        some_digits(80),
        20_000,
        {
            "objective": "non-saturating",
            "data.held_out": 0.5,
            "optimizer.lr": "5e-4",
            "discriminator.width": 512,
            **UNPENALISED,
        },
    ),
    "an absurd learning rate": (
        "numbers overflowed",
        "digits",
        12_000,
        {"optimizer.name": "sgd", "optimizer.lr": "1e3"},
    ),
}


@pytest.mark.parametrize("how", FAILING)
def test_a_run_made_to_fail_says_how(how: str, tmp_path: Path) -> None:
    name, data, images, options = FAILING[how]
    run, told = fail(data, tmp_path, images, **options)
    assert name in ended_with(run), told
    if name == "numbers overflowed":
        assert any("refused" in line and "the step before had" in line for line in told), told
    else:
        assert first_seen(run, name) < images  # it is told when it appears, not only at the end
    assert any(line.startswith(f"{name}: ") for line in told)
    assert f"<h3>{name.capitalize()} <" in write_report(run).read_text()
    assert f"Training ended with {name}" in write_card(run).read_text()


def observed(data: Any, root: Path, images: int, every: int, **options: Any) -> tuple[History, ...]:
    """Play without writing anything; return the history up to each of the looks."""
    made = make_plan(data, nested({**options, "images": images, "threads": 1}), root, Silent())
    state = build_state(made.recipe, made.data.spec)
    game = build_game(made.recipe, made.data.spec)
    monitor = Monitor(made.data, game.objective, root / "cache")
    seen: list[Measurements] = []

    def watch(state: State, progress: Progress) -> None:
        found = monitor(state)
        sure = {k: (v.low, v.high) for k, v in found.items() if isinstance(v, Estimate)}
        plain = {k: v.value if isinstance(v, Estimate) else v for k, v in found.items()}
        seen.append(Measurements(state.samples_seen, plain, sure))

    fetch, size = batches(made.data, made.recipe), made.recipe.batch
    play = {"batch": size, "until_images": images, "tick_images": every}
    train(state, game, fetch, callbacks=[Callback(1, watch)], **play)  # type: ignore[arg-type]
    about = setting(made.recipe, made.data)
    return tuple(History(about, looks=tuple(seen[: n + 1])) for n in range(len(seen)))


def test_simultaneous_critics_without_a_penalty_swing_on_a_line(tmp_path: Path) -> None:
    line = np.random.default_rng(0).normal(size=(2000, 1)).astype(np.float32)
    small = {"generator": {"width": 16, "depth": 1}, "discriminator": {"width": 16, "depth": 1}}
    swinging = {"objective": "wasserstein", "order": "simultaneous", "optimizer.lr": "5e-3"}
    until = observed(line, tmp_path, 40_000, 2_000, **small, **swinging, **UNPENALISED)
    assert any("oscillation" in names(run) for run in until)
    calm = observed(line, tmp_path, 40_000, 2_000, **small)
    assert not any(names(run) for run in calm)


@pytest.mark.parametrize(
    ("data", "images"), [("digits", 6_000), pytest.param("ring", 20_000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_healthy_run_shows_nothing(data: str, images: int, seed: int, tmp_path: Path) -> None:
    run, told = fail(data, tmp_path, images, seed=seed)
    assert ended_with(run) == []
    assert not [line for line in told if "; try " in line]
    assert "Nothing that a healthy run would not show." in write_report(run).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_healthy_run_on_mnist_shows_nothing(seed: int, tmp_path: Path) -> None:
    run, _ = fail("mnist", tmp_path, 12_000, seed=seed)
    assert ended_with(run) == []
