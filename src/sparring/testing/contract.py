"""What must hold of every kind of data at every entry point: one test for each clause.

Not inside: which data (`EXAMPLES` of the module that imports this, see `Example`).
"""

import contextlib
import json
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from sparring import api, kinds
from sparring.api import NullReporter, Run
from sparring.build import (
    build_game,
    build_state,
    generator_plays,
    with_depths,
    with_representation,
)
from sparring.cli import main
from sparring.data import split
from sparring.data.dataset import Dataset, same_items
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.evaluation.assess import EvaluationOptions, assess
from sparring.evaluation.card import Evaluation
from sparring.evaluation.extractors import choose
from sparring.evaluation.samples import measure_samples
from sparring.recipes.named import preset
from sparring.recipes.recipe import nested, resolve
from sparring.recipes.sections import SIZES, Size
from sparring.runs.folder import RunFolder
from sparring.runs.plan import batches
from sparring.sampling import MICRO_BATCH
from sparring.sampling import sample as draw_samples
from sparring.testing.alike import alike
from sparring.testing.example import Asked, Changed, Example
from sparring.training import checkpoint
from sparring.training.state import latent_width
from sparring.training.step import train_step

QUICK = {
    "size": "tiny",
    "threads": 1,
    "device": "cpu",
    "batch": 16,
    "budget": "8-steps",
    "checkpoint.ticks": 4,
    "checkpoint.every_ticks": 1,
    "checkpoint.samples_every_ticks": 4,
}
BATCHES = (1, 2, 7)  # at which an exported generator must give what the run gives
DRAWN = 12  # samples of a clause
MEASURED = 150  # samples that are measured, so many that shuffled ones are told from real
PICTURE = ".png"
COMMON = {"seed": Asked(1), "truncation": Asked(0.3), "between": Asked(True)}
VARIANTS: Mapping[str, Callable[[Example], Sequence[Any]]] = {
    "source": lambda example: [*example.paths, *example.values],
    "value": lambda example: [*example.values],
    "suffix": lambda example: ["folder", *example.kind.formats],
    "size": lambda example: SIZES,
    "changed": lambda example: [example.changed] if example.changed else [],
    "repeated": lambda example: [] if example.repeated is None else [example.repeated],
    "phase": lambda example: [example.preparation] if example.preparation else [],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a clause for each example, and where it asks so for each of its sources and so on."""
    examples: Sequence[Example] = metafunc.module.EXAMPLES
    for name in VARIANTS.keys() & metafunc.fixturenames:
        pairs = [(example, value) for example in examples for value in VARIANTS[name](example)]
        ids = [f"{example}-{value if isinstance(value, str) else name}" for example, value in pairs]
        metafunc.parametrize(("example", name), pairs, ids=ids, scope="module")
        return
    if "example" in metafunc.fixturenames:
        metafunc.parametrize("example", examples, ids=str, scope="module")


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; only the estimate of speed is the worse for a short probe."""
    monkeypatch.setattr("sparring.runs.device.PROBE_SECONDS", 0.02)
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUNS: dict[Example, Run] = {}  # trained once, never changed


@pytest.fixture
def run(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on the first source of an example; not to be changed."""
    if example not in RUNS:
        RUNS[example] = trained(example, tmp_path_factory.mktemp(str(example)))
    return RUNS[example]


def trained(example: Example, folder: Path, **options: Any) -> Run:
    """Train on the first source, made below a folder."""
    audience = options.pop("audience", None)
    asked = {**QUICK, **example.options, **options}
    source = example.first(folder / "data")
    return api.train(source, root=folder / "runs", audience=audience, **asked)


def opened(example: Example, source: Any, folder: Path, **told: Any) -> Dataset:
    """Open a source as `train` would."""
    options = resolve(nested({**example.options})).data
    return kinds.open_data(source, options, cache=folder, **told)


# --- items and networks


def test_items_survive_encoding_and_decoding(example: Example, run: Run) -> None:
    """Items are the same after encode and decode."""
    data = run.dataset()
    items = torch.from_numpy(np.array(data.items[:DRAWN]))
    samples, generated = kinds.encode(items, run.spec), example.as_generated(items, run.spec)
    made = torch.cat([*draw_samples(run.generator(), len(items), labels=run.labels(len(items)))])
    assert samples.dtype == torch.float32
    assert (generated.dtype, generated.shape) == (made.dtype, made.shape)
    assert kinds.view(generated, run.spec).shape == samples.shape
    back = kinds.decode(generated, run.spec)
    assert back.shape == items.shape
    if example.loss is not None:
        assert alike(back, items, example.loss)


def test_each_size_plays_a_step(example: Example, size: Size, run: Run) -> None:
    """The networks of each size play a step."""
    data = run.dataset()
    options = {**QUICK, **example.options, "size": size, "batch": 2, "images": 2}
    defaults = preset("default", size, data.spec, len(data.train))
    recipe = with_depths(resolve(defaults, nested(options)), data.spec)
    data = with_representation(data, recipe)
    state = build_state(recipe, data.spec)
    scalars = train_step(state, build_game(recipe, data.spec), batches(data, recipe)(0, 2))
    assert state.samples_seen == 2
    assert all(value.isfinite() for value in scalars.values())


# --- sources


def test_a_source_is_taken_for_this_kind(example: Example, source: str, apart: Path) -> None:
    """What a person can give is taken for this kind."""
    data = opened(example, example.source(source, apart), apart)
    assert kinds.kind_of(data.spec) is example.kind
    assert len(data.items) == len(data.train) + len(data.held_out)


def test_a_source_is_found_again_elsewhere(
    example: Example, source: str, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another folder to work in, a source that was kept gives the same data."""
    (apart / "run").mkdir()
    (apart / "elsewhere").mkdir()
    given = example.source(source, apart)
    before = opened(example, given, apart)
    options = replace(resolve(nested({**example.options})).data, kind=example.kind.name)
    kept = kinds.keep(given, options, apart / "run")
    monkeypatch.chdir(apart / "elsewhere")
    after = kinds.open_data(kept, options, cache=apart)
    assert after.fingerprint == before.fingerprint
    assert after.spec == before.spec
    assert same_items(after.items, before.items)
    assert np.array_equal(after.held_out, before.held_out)


def test_data_open_under_the_run_s_own_spec(example: Example, run: Run, apart: Path) -> None:
    """Opened under a run's spec, its own data are the same, and others come in its terms."""
    source = example.first(apart / "same")
    own = opened(example, source, apart)
    again = opened(example, source, apart, spec=run.spec)
    assert again.spec == run.spec
    assert again.fingerprint == own.fingerprint
    assert same_items(again.items, own.items)
    assert np.array_equal(again.held_out, own.held_out)
    other = opened(example, example.judge(apart / "other"), apart, spec=run.spec)
    assert other.spec == run.spec
    assert other.items.shape[1:] == own.items.shape[1:]
    assert other.items.dtype == own.items.dtype


def test_held_out_values_change_nothing_that_is_trained_on(
    example: Example, changed: Changed, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held-out items of other values leave spec and training samples as they are."""
    for rule in ("divide", "hold_out"):
        monkeypatch.setattr(split, rule, _every_fifth, raising=False)
    value = next(iter(example.values.values()))
    before = opened(example, value, apart)
    after = opened(example, changed(value, _every_fifth(value).held_out), apart)
    assert len(before.train)
    assert not same_items(before.items[before.held_out], after.items[after.held_out])
    assert before.spec == after.spec
    samples = [
        kinds.encode(torch.from_numpy(np.array(data.items[data.train])), data.spec)
        for data in (before, after)
    ]
    assert torch.equal(*samples)
    if before.labels is not None and after.labels is not None:
        assert np.array_equal(before.labels[before.train], after.labels[after.train])


def _every_fifth(items: Sequence[Any], *_: Any, **__: Any) -> split.Split:
    """Hold out each fifth item, whatever it is."""
    held_out = np.arange(len(items)) % 5 == 4
    return split.Split(np.flatnonzero(~held_out), np.flatnonzero(held_out), ())


def test_what_belongs_together_lies_on_one_side(
    example: Example, repeated: Any, apart: Path
) -> None:
    """No group, and no repeat of what is not a row, lies on both sides of the split."""
    data = opened(example, repeated, apart)
    contents = np.array([hash(np.asarray(item).tobytes()) for item in data.items])
    groups = contents if data.groups is None else data.groups
    assert len(data.held_out)
    for told in (contents, groups):
        assert not {*told[data.train]} & {*told[data.held_out]}


# --- samples


def test_saved_samples_are_read_back(example: Example, suffix: str, run: Run, apart: Path) -> None:
    """Samples that are saved, by each suffix, come back; nothing else is left beside them."""
    samples = run.sample(DRAWN)
    target = apart / "out" / ("all" if suffix == "folder" else f"all{suffix}")
    run.save(samples, target, labels=run.labels(DRAWN))
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    if suffix == "folder":
        sizes = [path.stat().st_size for path in target.iterdir()]
        assert sizes
        assert all(sizes)
    elif suffix in example.read:
        assert alike(example.read[suffix](target), samples, example.tolerance)
    else:
        assert suffix == PICTURE, f"nothing reads {suffix}"
        with Image.open(target) as picture:
            assert min(picture.size) > 1


def test_another_suffix_is_refused_and_nothing_written(run: Run, apart: Path) -> None:
    """A suffix that no format has is refused in a line."""
    with pytest.raises(SparringError) as refusal:
        run.save(run.sample(2), apart / "all.unknown")
    assert "\n" not in str(refusal.value)
    assert not list(apart.iterdir())


def test_whatever_is_asked_of_samples_is_heeded_or_refused(
    example: Example, run: Run, apart: Path
) -> None:
    """Each option of `sample`, alone and beside any other, changes what comes, or is refused."""
    asked = {**COMMON, **example.requests}
    assert example.requests.keys() == {*kinds.own_requests(example.kind, {}).__dict__}
    if run.spec.classes:
        asked["label"] = Asked(run.spec.classes[-1])
    written: dict[frozenset[str], bytes | None] = {}
    for names in chain.from_iterable(combinations(sorted(asked), n) for n in (0, 1, 2)):
        written[frozenset(names)] = _written(run, {n: asked[n] for n in names}, apart)
    alone = (frozenset([name]) for name, of in asked.items() if of.holds)
    for together in (frozenset[str](), *alone):
        assert written[together] is not None, f"{[*together]} is refused by itself"
    for together, content in written.items():
        for name in together if content is not None else ():
            if asked[name].holds is None:
                others = together - {name}
                assert content != written[others], f"{name} is ignored beside {[*others]}"


def _written(run: Run, asked: Mapping[str, Asked], folder: Path) -> bytes | None:
    """Return a file of samples that satisfy what is asked; None where it is refused in a line."""
    values = {name: of.value for name, of in asked.items()}
    own = {n: v for n, v in values.items() if n not in COMMON and n != "label"}
    with contextlib.suppress(SparringError):
        samples = run.sample(DRAWN, **values)
        assert all(of.holds(samples) for of in asked.values() if of.holds)
        path = run.save(samples, folder / f"all{kinds.kind_of(run.spec).formats[0]}", **own)
        return path.read_bytes()
    return None


def test_the_exported_generator_gives_what_the_run_gives(
    example: Example, run: Run, apart: Path
) -> None:
    """The ONNX file gives the run's samples, at any batch."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(run.export("onnx", apart / "g.onnx")))
    shape = MICRO_BATCH, latent_width(run.generator())
    latents = Draw(0, 0).normal("sample/latent", shape).numpy()
    for n in BATCHES:
        labels = run.labels(n)
        feed = {"latent": latents[:n]} | ({} if labels is None else {"label": labels.numpy()})
        (encoded,) = session.run(None, feed)
        items = kinds.decode(torch.from_numpy(encoded), run.spec)
        assert alike(kinds.to_user_type(items, run.spec), run.sample(n), example.tolerance)


# --- the card


class Replay(nn.Module):
    """A generator that gives these samples in turn, whatever the latent."""

    def __init__(self, samples: Tensor, latent: int) -> None:
        super().__init__()
        self.samples = nn.Parameter(samples, requires_grad=False)
        self.latent = latent
        self.given = 0

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Return as many as there are latents."""
        index = (torch.arange(len(latent)) + self.given) % len(self.samples)
        self.given += len(latent)
        return self.samples[index]


def test_the_card_tells_shuffled_samples_from_perfect_ones(
    example: Example, run: Run, apart: Path
) -> None:
    """Real samples pass for real ones; the same with their numbers shuffled do not."""
    data = run.dataset()
    spec = replace(data.spec, classes=()) if data.spec.classes else data.spec
    parts = np.array_split(np.random.default_rng(0).permutation(len(data.items)), 3)
    trained_on, judges, perfect = parts
    data = replace(
        data, spec=spec, labels=None, train=np.sort(trained_on), held_out=np.sort(judges)
    )
    perfect_items = np.array(data.items[perfect])
    cards = {
        name: _card(example, run, data, items, apart)
        for name, items in (
            ("perfect", perfect_items),
            ("shuffled", _shuffled(example, perfect_items, spec)),
        )
    }
    accuracy = {name: card["c2st"] for name, card in cards.items()}
    assert cards["perfect"]["kid"].low <= 0 < cards["shuffled"]["kid"].low
    assert accuracy["perfect"].low <= 0.5 < accuracy["shuffled"].low


def test_copying_is_judged_alike_whichever_side_was_trained_on(
    example: Example, run: Run, apart: Path
) -> None:
    """Features for copying know no sides, and a copy of an item is nearest to it."""
    data = replace(run.dataset(), labels=None)
    swapped = replace(data, train=data.held_out, held_out=data.train)
    items = np.array(data.items[:DRAWN])
    first, second = (_features_for_copying(sides, items, apart) for sides in (data, swapped))
    assert np.array_equal(first, second)
    copies = kinds.decode(example.as_generated(torch.from_numpy(items), data.spec), data.spec)
    between = cdist(_features_for_copying(data, copies.numpy(), apart), first)
    assert (between.diagonal() <= between.min(1) + 1e-6).all()


def _features_for_copying(data: Dataset, items: Any, cache: Path) -> Any:
    measures = kinds.kind_of(data.spec).measures
    extractor = choose("auto", data, cache=cache)
    return measures.with_companions(extractor, data, cache).memorization.run(items)


def _shuffled(example: Example, items: Any, spec: Any) -> Any:
    """Return items of which each number, as a generator makes it, comes from another one."""
    made = example.as_generated(torch.from_numpy(items), spec)
    flat = made.reshape(len(items), -1).numpy().copy()
    np.random.default_rng(1).permuted(flat, axis=0, out=flat)
    return kinds.decode(torch.from_numpy(flat).reshape(made.shape), spec).numpy()


def _card(example: Example, run: Run, data: Dataset, items: Any, folder: Path) -> Evaluation:
    samples = example.as_generated(torch.from_numpy(items), data.spec)
    return assess(
        RunFolder(shutil.copytree(run.path, folder / "runs" / run.path.name, dirs_exist_ok=True)),
        Replay(samples, latent_width(run.generator())),
        "1",
        data,
        None,
        "auto",
        EvaluationOptions(example.judged, 0.0, example.kind.judging(**example.judging)),
        NullReporter(),
    )


def test_samples_are_measured_without_a_run(
    example: Example, apart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a run, one source is read twice alike, and shuffled samples are told from it."""
    source, options = example.first(apart / "data"), resolve(nested({**example.options})).data
    opened = kinds.open_together({"REAL": source, "FAKE": source}, options, cache=apart)
    real, fake = opened["REAL"], opened["FAKE"]
    assert real.spec == fake.spec
    assert same_items(real.items, fake.items)
    fake = replace(
        fake, items=_shuffled(example, np.array(fake.items), fake.spec), fingerprint="shuffled"
    )
    opened = {"REAL": real, "FAKE": fake}
    card = measure_samples(opened, "auto", MEASURED, None, apart, NullReporter())
    assert (card.fake, card.verdict) == (MEASURED, "differs")
    (line,) = [line for line in card.as_json()["lines"] if line["key"] == "memorization"]
    assert (line["verdict"], line["estimate"]) == ("not tested", None)
    told = [f"--{name}={value}" for name, value in example.options.items() if "data." in name]
    with pytest.raises(SystemExit):
        main(["measure", str(source), str(source), *told])
    assert "hold the same items" in capsys.readouterr().err


# --- runs


class StopAt(NullReporter):
    """Presses Ctrl-C once, when so many samples have been seen."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.is_pressed = False

    def advance(self, images: int, total: int) -> None:
        """Look how far it is."""
        if images >= self.images and not self.is_pressed:
            self.is_pressed = True
            signal.raise_signal(signal.SIGINT)


class StopInPhase(NullReporter):
    """Presses Ctrl-C once, when something but not all has been learned before the game."""

    def __init__(self) -> None:
        self.is_pressed = False

    def reading(self, what: str, done: int, total: int) -> None:
        """Look how far it is, if it is the phase that is told of."""
        if what.startswith("learning ") and 0 < done < total and not self.is_pressed:
            self.is_pressed = True
            signal.raise_signal(signal.SIGINT)


def test_a_stopped_run_goes_on_elsewhere_bit_for_bit(
    example: Example, run: Run, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that Ctrl-C stopped and that is resumed from another folder ends as if it had not."""
    stopped = trained(example, apart, audience=StopAt(run.recipe.images // 2))
    assert stopped.status == "interrupted"
    (apart / "elsewhere").mkdir()
    path = stopped.path.resolve()
    monkeypatch.chdir(apart / "elsewhere")
    resumed = api.load(path).resume()
    assert resumed.status == "finished"
    assert _end(resumed) == _end(run)
    assert alike(resumed.sample(DRAWN, checkpoint="latest"), run.sample(DRAWN, checkpoint="latest"))


def test_the_recipe_of_a_run_makes_it_again(example: Example, run: Run, apart: Path) -> None:
    """Trained again by the recipe that a run wrote, from the same source, it ends the same."""
    source = example.first(apart / "data")
    again = api.train(source, recipe=run.folder.recipe, root=apart / "runs")
    assert again.recipe == run.recipe
    assert _end(again) == _end(run)


def test_a_run_starts_from_another(example: Example, run: Run, apart: Path) -> None:
    """The networks of a run are the starting point of a fine-tune."""
    fine = trained(example, apart, start_from=run.path, budget="1-steps")
    assert fine.status == "finished"
    begun = checkpoint.load_model(fine.folder.checkpoints / f"{0:09d}")
    taken = checkpoint.load_model(checkpoint.latest_intact(run.folder.checkpoints))
    assert begun.keys() == taken.keys()
    moved = 0.0 if generator_plays(fine.recipe, fine.spec) else 1e-2  # it has learned on
    assert all(torch.allclose(begun[n], taken[n], rtol=0, atol=moved) for n in taken)
    assert type(fine.sample(DRAWN)) is type(run.sample(DRAWN))


def test_an_estimator_fits_values(example: Example, value: str, run: Run, apart: Path) -> None:
    """What Python users have in hand fits a `GAN`, which samples the same type."""
    own = {n: v for n, v in {**QUICK, **example.options}.items() if n not in ("size", "budget")}
    gan = api.GAN(size="tiny", budget="1-steps", options=own, random_state=0).fit(
        example.values[value]
    )
    items = gan.sample(DRAWN)
    assert len(items) == DRAWN
    assert type(items) in (type(run.sample(DRAWN)), np.ndarray)
    assert not list(apart.iterdir())


def _end(run: Run) -> Mapping[str, str]:
    """Return the digests of a run's last checkpoint."""
    path = checkpoint.latest_intact(run.folder.checkpoints)
    files = json.loads((path / checkpoint.MANIFEST).read_bytes())["files"]
    return {name: entry["sha256"] for name, entry in files.items()}


def test_a_phase_before_the_game_is_part_of_the_run(
    example: Example, phase: Mapping[str, Any], apart: Path
) -> None:
    """A phase before the game resumes bit for bit, counts in the run's time, is in the report."""
    whole = trained(example, apart / "whole", **phase)
    stopped = trained(example, apart / "stopped", **phase, audience=StopInPhase())
    assert stopped.status == "interrupted"
    saved = [e for e in stopped.folder.read_events() if e["event"] == "checkpoint"][-1]
    total = [e for e in whole.folder.read_events() if e["event"] == "preparation"][-1]["of"]
    assert 0 < saved["prepared"] < total
    assert _end(stopped.resume()) == _end(whole)
    events = [*whole.folder.read_events()]
    learned, played = ([e for e in events if e["event"] == n] for n in ("preparation", "tick"))
    assert 0 < learned[-1]["seconds"] < played[0]["seconds"] <= whole.folder.read_run()["seconds"]
    assert "before the game" in whole.folder.report.read_text(encoding="utf-8").lower()


# --- commands


def command(*words: object) -> None:
    """Run a command of the command line in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert not ended.value.code


def parsed(text: str) -> Any:
    """Return what strict JSON holds: NaN and infinity are none."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_json_of_every_command_parses(
    example: Example, run: Run, apart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`data`, `evaluate`, `compare` print strict JSON; `sample` and `export` name their files."""
    judge, n = example.judge(apart / "judge"), example.judged
    options = [f"--{name}={value}" for name, value in example.options.items() if "data." in name]
    command("data", judge, *options, "--json")
    assert parsed(capsys.readouterr().out)["kind"] == example.kind.name
    first = shutil.copytree(run.path, apart / "runs" / run.path.name)
    quick = [f"--{'' if value else 'no-'}{name}" for name, value in example.judging.items()]
    command("evaluate", first, judge, "-n", n, *quick, "--json")
    assert parsed(capsys.readouterr().out)["fake"] == n
    second = shutil.copytree(first, first.with_name("0002-other"))
    command("compare", first, second, "-n", n, "--json")
    assert parsed(capsys.readouterr().out)["runs"]
    command("sample", first, "-n", 2, "--out", apart / "two")
    command("export", first, "--to", "safetensors", "--out", apart / "one.safetensors")
    printed = capsys.readouterr().out.splitlines()
    assert [Path(line).exists() for line in printed] == [True, True]


def test_help_and_report_speak_of_the_kind(
    example: Example, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """`train --help` lists what may be trained on; the report names what was made."""
    command("train", "--help")
    printed = " ".join(capsys.readouterr().out.split())
    assert example.kind.plural in printed
    report = run.folder.report.read_text(encoding="utf-8")
    assert example.kind.plural in report
    assert kinds.describe(run.spec).split(",")[0] in report
