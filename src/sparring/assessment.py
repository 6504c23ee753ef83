"""Draw, extract, measure, write down: the evaluation of one run.

Inside: which samples and data are used, within which time, and the file. Not inside: the metrics
(`evaluation`), the pictures (`exhibits`), the report that shows them.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sparring import likelihood, sound_card, text_card
from sparring.compare import Comparisons, compare_recipes, compare_runs
from sparring.data.dataset import Dataset, silent
from sparring.data.kinds import decode
from sparring.data.pack import Progress
from sparring.data.tables import frame_of
from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.evaluation import (
    MOST,
    Evaluation,
    Line,
    measure,
    measure_classes,
    measure_copying,
    missing_classes,
)
from sparring.exhibits import (
    Seen,
    write_exhibits,
    write_sound_exhibit,
    write_table_exhibits,
)
from sparring.features.choose import choose
from sparring.features.classifier import NAME as CLASSIFIER
from sparring.features.classifier import judge as judge_of
from sparring.features.extractor import Extractor
from sparring.features.mel import mel_pictures, picture_framing, pictured
from sparring.metrics.arrays import Features
from sparring.metrics.frontiers import mauve
from sparring.metrics.kernels import kid
from sparring.metrics.tables import LEAST
from sparring.networks.recurrent import RecurrentGenerator
from sparring.observe import labels_as_in
from sparring.plan import Audience
from sparring.recipe import Recipe
from sparring.reference import part_of, reference
from sparring.rivals import everybody
from sparring.runs import RunFolder, write_bytes, write_json
from sparring.sampling import sample
from sparring.scribe import seconds_so_far
from sparring.spec import AudioSpec, Spec, TableSpec, TextSpec
from sparring.table_card import Rows, measure_rows
from sparring.text_card import Authors

FEWEST = 100
SEED = 2  # other latents than those of pictures and of looks while training
SCORED = 5_000  # of each side, for the score of texts
KEPT = 2_000  # samples that pictures are chosen from
SECONDS = 300.0


@dataclass(frozen=True)
class Ask:
    """What a person may ask of an evaluation."""

    n: int = MOST
    seconds: float = SECONDS  # for drawing samples and their features; 0 is no limit
    baseline: bool = True  # of texts: a likelihood model trained for as long as the run


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples' features, and the first samples themselves.

    All features lie in a file that is mapped into memory; the rest is of the first `MOST` samples.
    """

    features: NDArray[np.float32]  # (n, d)
    witnessed: Features  # through the witness, (at most MOST, e)
    items: NDArray[Any]  # the first ones, about KEPT
    asked: NDArray[np.int64] | None  # their classes, where there are any
    told: NDArray[np.int64] | None  # the classes that the classifier sees


@dataclass(frozen=True, eq=False)
class Judges:
    """Data to judge by, and which part of it."""

    data: Dataset
    part: str
    most: int = MOST  # items
    notes: tuple[str, ...] = ()

    def index(self) -> NDArray[np.int64]:
        """Return which items these are."""
        return part_of(self.data, self.part, self.most)

    def features(
        self, extractor: Extractor, cache: Path, progress: Progress = silent
    ) -> NDArray[np.float32]:
        """Return their features, from the cache if it has them."""
        return reference(extractor, self.data, self.part, cache / "features", progress, self.most)

    def seen(self, features: NDArray[np.float32]) -> Seen:
        """Return at most `MOST` of them, from all over, with their features."""
        some = np.linspace(0, len(features) - 1, min(len(features), MOST)).astype(np.int64)
        return Seen(self.data.items, self.index()[some], features[some].astype(np.float64))


@dataclass(frozen=True)
class Eyes:
    """What samples are looked at through."""

    main: Extractor
    witness: Extractor  # for memorisation: never one that has learned the training data
    probabilities: Callable[[NDArray[Any]], NDArray[np.float32]] | None  # of the classes


def open_eyes(extractor: Extractor, data: Dataset, cache: Path) -> Eyes:
    """Return the extractor, and beside a classifier of the data what it cannot judge itself."""
    if isinstance(data.spec, AudioSpec):
        return Eyes(extractor, extractor, _told_of_sounds(data, cache))
    if extractor.name != CLASSIFIER:
        return Eyes(extractor, extractor, None)
    witness = choose("random-convolutions", data, cache=cache)
    seen = judge_of(data, cache).probabilities if data.labels is not None else None
    return Eyes(extractor, witness, seen)


def _told_of_sounds(
    data: Dataset, cache: Path
) -> Callable[[NDArray[Any]], NDArray[np.float32]] | None:
    """Return what a classifier of the labelled sounds' pictures says; None without labels."""
    spec = data.spec
    assert isinstance(spec, AudioSpec)
    if data.labels is None:
        return None
    told, framing = judge_of(pictured(data), cache).probabilities, picture_framing(spec.framing)
    return lambda items: told(mel_pictures(items, framing))


def assess(
    folder: RunFolder,
    generator: nn.Module,
    checkpoint: str,
    data: Dataset,
    judge: Dataset | None,
    extractor: Extractor,
    ask: Ask,
    audience: Audience,
) -> Evaluation:
    """Evaluate a run's generator, write `evaluation.json` and its pictures, and return it.

    Args:
        folder: of the run.
        generator: averaged, in evaluation mode.
        checkpoint: its name, which is the images it has seen.
        data: with its split, as the run saw it.
        judge: other data to judge by; the held-out part of `data` otherwise.
        extractor: of features.
        ask: how many samples, in which time.
        audience: told how far it is.
    """
    cache = folder.path.parent / "cache"
    judges = Judges(judge, "all", max(ask.n, MOST)) if judge else _judging_part(data)
    trained, eyes = Judges(data, "train"), open_eyes(extractor, data, cache)
    looked = look_at_data(judges, trained, eyes, cache, audience)
    drawn = draw(generator, data, eyes, ask, audience)
    notes = [*judges.notes]
    if len(drawn.features) < ask.n:
        notes.append(f"{ask.seconds:g} seconds were enough for {len(drawn.features):,} samples")
    lines = (
        *_measured(looked, drawn, judges, eyes, audience, notes),
        *_classes(drawn, data, judges, notes),
    )
    if isinstance(data.spec, TableSpec):
        rows = _rows(generator, data.spec, judges, trained)
        write_table_exhibits(folder.samples, rows, data.spec)
        lines = (*measure_rows(rows, data.spec, partial(_tell, audience), notes.append), *lines)
    else:
        if isinstance(data.spec, TextSpec):
            rival = _rival(folder, generator, data, ask, audience)
            some = data.items[_mixed(data.train)], judges.data.items[_mixed(judges.index())]
            labels = labels_as_in(data, len(some[1]))
            written = everybody(generator, data.spec, *some, labels, rival)
            heard = _texts(folder, written, audience, notes)
            lines = (*heard, *_mauve(looked, drawn, notes), *lines)
        if isinstance(data.spec, AudioSpec):
            lines = (*_sounds(folder, data.spec, drawn, judges, trained, audience, notes), *lines)
        seen = judges.seen(looked.real), trained.seen(looked.learned)
        _exhibit(folder, drawn, *seen, data.spec)
    found = Evaluation(
        run=folder.name,
        checkpoint=checkpoint,
        images=int(checkpoint.rstrip("~")),
        data=judges.data.name,
        part=judges.part,
        fingerprint=judges.data.fingerprint,
        extractor=extractor.name,
        digest=extractor.digest,
        width=extractor.width,
        real=len(looked.real),
        fake=len(drawn.features),
        lines=lines,
        notes=tuple(notes),
    )
    write_json(folder.path / "evaluation.json", found.as_json())
    return found


def _tell(audience: Audience, what: str) -> None:
    audience.reading(what, 0, 1)


def _rows(generator: nn.Module, spec: TableSpec, judges: Judges, trained: Judges) -> Rows:
    """Return the learned columns of rows of each sort, at most `MOST`, as data frames.

    A few held-out rows judge better than the training rows themselves.
    """
    names = [column.name for column in spec.learned]
    if judges.part == "train" and len(judges.data.held_out) >= LEAST:
        judges = Judges(judges.data, "held_out")
    of_data = (of.data.items[_mixed(of.index())] for of in (trained, judges))
    made = torch.cat([*sample(generator, min(len(trained.index()), MOST), seed=SEED)]).numpy()
    return Rows(*(frame_of(items, spec)[names] for items in (*of_data, made)))


def _sounds(
    folder: RunFolder,
    spec: AudioSpec,
    drawn: Drawn,
    judges: Judges,
    trained: Judges,
    audience: Audience,
    notes: list[str],
) -> list[Line]:
    """Return what is heard of sounds, and write its picture."""
    _tell(audience, "brightness, loudness, artefacts")
    real = (of.data.items[_mixed(of.index())[: sound_card.MOST]] for of in (trained, judges))
    heard = [sound_card.properties(sounds, spec) for sounds in (*real, drawn.items)]
    write_sound_exhibit(folder.samples, heard[1], heard[2])
    return list(sound_card.measure_sounds((heard[0], heard[1], heard[2]), spec, notes.append))


def _rival(
    folder: RunFolder, generator: nn.Module, data: Dataset, ask: Ask, audience: Audience
) -> RecurrentGenerator | None:
    """Return the likelihood model of as many numbers, trained for as long as the run was."""
    if not ask.baseline:
        return None
    numbers = sum(p.numel() for p in generator.parameters())
    seconds = max(seconds_so_far(folder), 1.0)
    path = folder.path / "baseline.safetensors"
    return likelihood.load_or_fit(path, data, numbers, seconds, audience.reading)


def _texts(folder: RunFolder, authors: Authors, audience: Audience, notes: list[str]) -> list[Line]:
    """Return what the texts themselves tell, and draw quality against diversity."""
    models = text_card.Models(authors)
    picture = text_card.draw_curve(authors, models)
    write_bytes(folder.samples / "evaluation-curve.png", picture)
    tell = partial(_tell, audience)
    return list(text_card.measure_texts(authors, models, tell, notes.append))


def _mixed(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same items in random order: files often come sorted."""
    return index[permutation(SEED, "assessment/rows", len(index))]


@dataclass(frozen=True, eq=False)
class Looked:
    """Features of real data, mapped from files: to judge by and of training, by both eyes."""

    real: NDArray[np.float32]  # through the main eye
    train: NDArray[np.float32]
    unseen: NDArray[np.float32]  # the same data through the witness
    learned: NDArray[np.float32]


def _mauve(looked: Looked, drawn: Drawn, notes: list[str]) -> Iterator[Line]:
    """Yield the score of texts by which they are mostly judged elsewhere, on these features."""
    some = [np.asarray(side[:SCORED], np.float64) for side in (looked.real, drawn.features)]
    try:
        found = mauve(*some)
    except SparringError as error:
        notes.append(f"MAUVE is left out: {error}")
        return
    yield Line("mauve", "MAUVE, split quantiser", found["mauve"], found["baseline"], "higher")


def look_at_data(
    judges: Judges, trained: Judges, eyes: Eyes, cache: Path, audience: Audience
) -> Looked:
    """Return the features of the data that judge and of what was trained on."""
    real, train = (of.features(eyes.main, cache, audience.reading) for of in (judges, trained))
    if eyes.witness is eyes.main:
        return Looked(real, train, real, train)
    unseen, learned = (
        of.features(eyes.witness, cache, audience.reading) for of in (judges, trained)
    )
    return Looked(real, train, unseen, learned)


def _measured(
    looked: Looked,
    drawn: Drawn,
    judges: Judges,
    eyes: Eyes,
    audience: Audience,
    notes: list[str],
) -> Iterator[Line]:
    """Yield the card's lines; copying is told by features that no training data taught."""

    tell = partial(_tell, audience)
    is_fid, skip = eyes.main.is_fid, notes.append
    yield from measure(
        looked.real, drawn.features, looked.train, is_fid=is_fid, tell=tell, skip=skip
    )
    if judges.part == "train":
        return
    if eyes.witness is not eyes.main:
        notes.append(f"memorisation is judged by {eyes.witness.name}: a classifier has learned")
    tell("memorisation")
    yield from measure_copying(looked.unseen, drawn.witnessed, looked.learned)


def _classes(drawn: Drawn, data: Dataset, judges: Judges, notes: list[str]) -> list[Line]:
    """Return what a classifier tells; the classes' shares are those of the data that judge."""
    if drawn.told is None or drawn.asked is None or data.labels is None:
        return []
    same = judges.data.labels is not None and judges.data.spec.classes == data.spec.classes
    owner = judges if same else Judges(data, "train")
    assert owner.data.labels is not None
    names = data.spec.classes
    known = owner.data.labels[owner.index()]
    missing = missing_classes(drawn.told, known, len(names))
    if missing:
        notes.append(f"hardly ever made: {', '.join(names[i] for i in missing)}")
    return list(measure_classes(drawn.asked, drawn.told, known, len(names)))


def _exhibit(folder: RunFolder, drawn: Drawn, real: Seen, train: Seen, spec: Spec) -> None:
    first = np.arange(len(drawn.items))
    fake, witnessed = (
        Seen(drawn.items, first, features[: len(first)].astype(np.float64))
        for features in (drawn.features, drawn.witnessed)
    )
    write_exhibits(folder.samples, fake, real, (witnessed, train), spec)


def draw(generator: nn.Module, data: Dataset, eyes: Eyes, ask: Ask, audience: Audience) -> Drawn:
    """Draw samples and extract their features until there are enough, or the time is up."""
    n = max(ask.n, FEWEST)
    labels = labels_as_in(data, n)
    witnessed: list[NDArray[np.float32]] = []
    told: list[NDArray[np.int64]] = []
    items: list[NDArray[Any]] = []
    done, began = 0, time.monotonic()
    with TemporaryFile() as file:  # which lives as long as it is mapped
        for fakes in sample(generator, n, seed=SEED, labels=labels):
            made = decode(fakes, data.spec).numpy()
            file.write(eyes.main.run(made).astype(np.float32).tobytes())
            if done < MOST and eyes.witness is not eyes.main:
                witnessed.append(eyes.witness.run(made))
            if done < MOST and eyes.probabilities:
                told.append(eyes.probabilities(made).argmax(1))
            items += [made] if done < KEPT else []
            done += len(made)
            audience.reading("samples", done, n)
            if ask.seconds and done >= FEWEST and time.monotonic() - began > ask.seconds:
                break
        file.flush()
        features = np.memmap(file, np.float32, mode="r", shape=(done, eyes.main.width))
    kept = min(done, MOST)
    return Drawn(
        features,
        (np.concatenate(witnessed) if witnessed else features[:kept])[:kept].astype(np.float64),
        np.concatenate(items),
        None if labels is None else labels[:kept].numpy(),
        np.concatenate(told)[:kept] if told else None,
    )


def _judging_part(data: Dataset) -> Judges:
    """Return the real data to judge by, with a note when it is not what it should be."""
    if len(data.held_out) >= FEWEST:
        return Judges(data, "held_out")
    if len(data.train) < FEWEST:
        raise SparringError(
            f"'{data.name}' has {len(data.train)} items; an evaluation needs at least {FEWEST}"
        )
    told = f"only {len(data.held_out)} items are held out: judged by the training data itself"
    return Judges(data, "train", notes=(f"{told}, which flatters a generator that copies",))


class Contender(Protocol):
    """A run that can be compared."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def recipe(self) -> Recipe:
        """Its recipe."""

    def generator(self) -> nn.Module:
        """Return its generator."""

    def dataset(self, audience: Audience) -> Dataset:
        """Return the data it was trained on."""


def contend(runs: Sequence[Contender], extractor: str, ask: Ask, audience: Audience) -> Comparisons:
    """Compare runs pairwise on the first one's held-out data, and their recipes over seeds."""
    data = runs[0].dataset(audience)
    for run in runs[1:]:
        if not _same_items(other := run.dataset(audience), data):
            raise SparringError(
                f"'{run.path.name}' was trained on other data ({other.name}) than "
                f"'{runs[0].path.name}' ({data.name}); runs are compared on the same data"
            )
    cache = runs[0].path.parent / "cache"
    eye = choose(extractor, data, cache=cache, progress=audience.reading)
    judges = _judging_part(data)
    real = judges.features(eye, cache, audience.reading).astype(np.float64)
    fakes = {run.path.name: _drawn_features(run, eye, ask, audience) for run in runs}
    seeds = _by_recipe(runs, {name: kid(real, fake).value for name, fake in fakes.items()})
    several = {name: values for name, values in seeds.items() if len(values) > 1}
    return Comparisons(
        tuple(compare_runs(real, fakes)),
        tuple(compare_recipes(several)) if len(several) > 1 else (),
        min(map(len, fakes.values())),
        f"{eye.name} {eye.digest}",
        judges.notes,
    )


def _drawn_features(run: Contender, eye: Extractor, ask: Ask, audience: Audience) -> Features:
    """Return features of a run's samples; a conditional one makes the classes as they come."""
    some = replace(ask, n=min(ask.n, MOST))
    drawn = draw(run.generator(), run.dataset(audience), Eyes(eye, eye, None), some, audience)
    return drawn.features.astype(np.float64)


def _same_items(a: Dataset, b: Dataset) -> bool:
    """Tell whether two data sets hold out the same items; their labels may differ."""
    if a.fingerprint == b.fingerprint:
        return True
    same = a.items.shape == b.items.shape and np.array_equal(a.held_out, b.held_out)
    return same and np.array_equal(a.items[a.held_out], b.items[b.held_out])


def _by_recipe(runs: Sequence[Contender], values: Mapping[str, float]) -> dict[str, list[float]]:
    """Gather the values of runs whose recipes differ in nothing but the seed."""
    gathered: dict[Recipe, list[str]] = {}
    for run in runs:
        alike = replace(run.recipe, seed=0, threads=0, images=0)
        gathered.setdefault(alike, []).append(run.path.name)
    return {"+".join(names): [values[name] for name in names] for names in gathered.values()}
