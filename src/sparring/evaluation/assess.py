"""Draw, extract, measure, write down: the evaluation of one run, and several runs compared.

Inside: which samples and data are used, within which time, and the file. Not inside: the metrics
(`card`), what a kind of data adds to them (`measures` of the kinds), the report that shows them.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sparring.data.dataset import Dataset
from sparring.data.labels import labels_in_proportion
from sparring.errors import SparringError
from sparring.evaluation.card import (
    MAX_SAMPLES,
    Evaluation,
    measure,
    measure_classes,
    measure_copying,
    missing_classes,
)
from sparring.evaluation.compare import Comparisons, compare_recipes, compare_samples
from sparring.evaluation.extractors import choose
from sparring.evaluation.figures import FeaturedItems, write_figures
from sparring.features.extractor import Extractor, Extractors
from sparring.features.reference import ReferenceSet
from sparring.kinds import decided, decode, kind_of
from sparring.kinds.kind import EvaluatedRun
from sparring.metrics.arrays import Features
from sparring.metrics.kernels import kid
from sparring.metrics.line import CardLine, Note
from sparring.recipes.identity import identity
from sparring.recipes.recipe import Recipe
from sparring.runs.folder import RunFolder, write_json
from sparring.sampling import on_threads, sample
from sparring.training.reporter import ProgressReporter

MIN_ITEMS = 100  # and samples
SEED = 2  # other latents than those of pictures and of looks while training
MAX_KEPT = 2_000  # samples that pictures are chosen from
MAX_SECONDS = 300.0


@dataclass(frozen=True)
class EvaluationOptions:
    """What a person may ask of an evaluation."""

    n: int = MAX_SAMPLES
    seconds: float = MAX_SECONDS  # for drawing samples and their features; 0 for no limit
    judging: Any = None  # an instance of `Kind.judging`; None for what it is by default


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples' features, and the first samples themselves.

    All features lie in a file that is mapped into memory; the rest is of the first `MAX_SAMPLES`.
    """

    features: NDArray[np.float32]  # for quality, (n, d)
    memorization_features: Features  # (at most MAX_SAMPLES, e)
    items: NDArray[Any]  # the first ones, about MAX_KEPT
    labels: NDArray[np.int64] | None  # the classes they were drawn for, where there are any
    predicted: NDArray[np.int64] | None  # the classes that the classifier sees


@dataclass(frozen=True, eq=False)
class ReferenceFeatures:
    """Features of real data, mapped from files: of the reference set and of what was trained on."""

    real: NDArray[np.float32]  # for quality
    train: NDArray[np.float32]
    memorization_real: NDArray[np.float32]
    memorization_train: NDArray[np.float32]


def assess(
    folder: RunFolder,
    generator: nn.Module,
    checkpoint: str,
    data: Dataset,
    other: Dataset | None,
    extractor: Extractor,
    options: EvaluationOptions,
    audience: ProgressReporter,
) -> Evaluation:
    """Evaluate a run's generator, write `evaluation.json` and its pictures, and return it.

    Args:
        folder: of the run.
        generator: averaged, in evaluation mode.
        checkpoint: its name, which is the samples it has seen.
        data: with its split, as the run saw it.
        other: data to judge by; the held-out part of `data` otherwise.
        extractor: of features.
        options: how many samples, in which time.
        audience: told how far it is.
    """
    cache, kind = folder.path.parent / "cache", kind_of(data.spec)
    limit = max(options.n, MAX_SAMPLES)
    reference = _given_reference(other, limit) if other else reference_of(data)
    train = ReferenceSet(data, "train")
    extractors = kind.measures.with_companions(extractor, data, cache)
    features = extract_reference(reference, train, extractors, cache, audience)
    samples = draw_samples(generator, data, extractors, options, audience)
    run = EvaluatedRun(
        folder=folder,
        generator=generator,
        data=data,
        train=train,
        reference=reference,
        real_features=features.real,
        fake_features=samples.features,
        fake=samples.items,
        options=options.judging or kind.judging(),
        progress=audience.reading,
        notes=[*filter(None, (folder.changed(data.fingerprint), *reference.notes))],
    )
    if (n := len(samples.features)) < options.n:
        run.note(f"{options.seconds:g} seconds were enough for {n:,} samples")
    of_features = [*_feature_lines(features, samples, extractors, run)]
    of_classes = _class_lines(samples, data, reference, run.note)
    lines = (*kind.measures.card_lines(run), *of_features, *of_classes)
    if kind.shows_items:
        _write_figures(folder, samples, features, reference, train)
    evaluation = _evaluation(run, checkpoint, extractor, lines)
    write_json(folder.path / "evaluation.json", evaluation.as_json())
    return evaluation


def _evaluation(
    run: EvaluatedRun, checkpoint: str, extractor: Extractor, lines: tuple[CardLine, ...]
) -> Evaluation:
    reference = run.reference
    return Evaluation(
        run=run.folder.name,
        checkpoint=checkpoint,
        images=int(checkpoint.rstrip("~")),
        data=reference.data.name,
        part=reference.part,
        fingerprint=reference.data.fingerprint,
        extractor=extractor.name,
        digest=extractor.digest,
        width=extractor.width,
        real=len(run.real_features),
        fake=len(run.fake_features),
        lines=lines,
        notes=tuple(run.notes),
    )


def reference_of(data: Dataset) -> ReferenceSet:
    """Return the real data to judge by, with a note when it is not what it should be."""
    if len(data.held_out) >= MIN_ITEMS:
        return ReferenceSet(data, "held_out")
    _refuse_few(data, len(data.train))
    few = f"only {len(data.held_out)} items are held out: judged by the training data itself"
    return ReferenceSet(data, "train", notes=(f"{few}, which flatters a generator that copies",))


def _given_reference(data: Dataset, limit: int) -> ReferenceSet:
    """Return other data to judge by, with notes on how they were read."""
    _refuse_few(data, len(data.items))
    notes = tuple(note.partition("; --")[0] for note in data.notes)  # a run's options stay
    return ReferenceSet(data, "all", limit, notes)


def _refuse_few(data: Dataset, count: int) -> None:
    if count < MIN_ITEMS:
        raise SparringError(
            f"'{data.name}' has {count} items; an evaluation needs at least {MIN_ITEMS}"
        )


def extract_reference(
    reference: ReferenceSet,
    train: ReferenceSet,
    extractors: Extractors,
    cache: Path,
    audience: ProgressReporter,
) -> ReferenceFeatures:
    """Return the features of the data that judge and of what was trained on."""

    def both(extractor: Extractor) -> list[NDArray[np.float32]]:
        return [of.features(extractor, cache, audience.reading) for of in (reference, train)]

    quality = both(extractors.quality)
    if extractors.memorization is extractors.quality:
        return ReferenceFeatures(*quality, *quality)
    return ReferenceFeatures(*quality, *both(extractors.memorization))


def draw_samples(
    generator: nn.Module,
    data: Dataset,
    extractors: Extractors,
    options: EvaluationOptions,
    audience: ProgressReporter,
) -> Samples:
    """Draw samples and extract their features until there are enough, or the time is up."""
    n = max(options.n, MIN_ITEMS)
    labels = labels_in_proportion(data, n)
    memorization: list[NDArray[np.float32]] = []
    predicted: list[NDArray[np.int64]] = []
    items: list[NDArray[Any]] = []
    done, began = 0, time.monotonic()
    with TemporaryFile() as file:  # which lives as long as it is mapped
        for part in sample(generator, n, seed=SEED, labels=labels):
            fake = decode(part, data.spec).numpy()
            file.write(extractors.quality.run(fake).astype(np.float32).tobytes())
            if done < MAX_SAMPLES and extractors.memorization is not extractors.quality:
                memorization.append(extractors.memorization.run(fake))
            if done < MAX_SAMPLES and extractors.class_probabilities:
                predicted.append(extractors.class_probabilities(fake).argmax(1))
            items += [fake] if done < MAX_KEPT else []
            done += len(fake)
            audience.reading("samples", done, n)
            late = options.seconds and time.monotonic() - began > options.seconds
            if late and done >= MIN_ITEMS:
                break
        file.flush()
        features = np.memmap(file, np.float32, mode="r", shape=(done, extractors.quality.width))
    m = min(done, MAX_SAMPLES)
    return Samples(
        features,
        (np.concatenate(memorization) if memorization else features[:m])[:m].astype(np.float64),
        np.concatenate(items),
        None if labels is None else labels[:m].numpy(),
        np.concatenate(predicted)[:m] if predicted else None,
    )


def _feature_lines(
    features: ReferenceFeatures, samples: Samples, extractors: Extractors, run: EvaluatedRun
) -> Iterator[CardLine]:
    """Yield the lines of all kinds; copying is told by features that no training data taught."""
    lines = [
        *measure(
            features.real,
            samples.features,
            features.train,
            is_fid=extractors.quality.is_fid,
            begin=run.begin,
            note=run.note,
        )
    ]
    yield from lines
    if run.reference.part == "train":
        return
    if extractors.memorization is not extractors.quality:
        name = extractors.memorization.name
        run.note(f"memorisation is judged by {name}: a classifier has learned")
    run.begin("memorisation")
    copying = measure_copying(
        features.memorization_real, samples.memorization_features, features.memorization_train
    )
    if run.reference.part == "all" and _is_far(lines):
        run.note(
            f"the training data can themselves be told from '{run.reference.data.name}': its "
            "distance from them stands under 'real against real', and copying is not judged by it"
        )
        copying = map(_without_verdict, copying)
    yield from copying


def _without_verdict(line: CardLine) -> CardLine:
    """Return a line of which only the value stands."""
    return replace(line, estimate=replace(line.estimate, p_value=None), real_vs_real=None)


def _is_far(lines: Sequence[CardLine]) -> bool:
    """Tell whether the data that judge are others than those of the training by distribution."""
    far = (line.real_vs_real for line in lines if line.key == "kid")
    return any(estimate is not None and estimate.low > 0 for estimate in far)


def _class_lines(
    samples: Samples, data: Dataset, reference: ReferenceSet, note: Note
) -> list[CardLine]:
    """Return what a classifier tells; the classes' shares are those of the data that judge."""
    if samples.predicted is None or samples.labels is None or data.labels is None:
        return []
    other = reference.data
    same = other.labels is not None and other.spec.classes == data.spec.classes
    owner = reference if same else ReferenceSet(data, "train")
    assert owner.data.labels is not None
    names, real = data.spec.classes, owner.data.labels[owner.index()]
    missing = missing_classes(samples.predicted, real, len(names))
    if missing:
        note(f"hardly ever made: {', '.join(names[i] for i in missing)}")
    return list(measure_classes(samples.labels, samples.predicted, real, len(names)))


def _write_figures(
    folder: RunFolder,
    samples: Samples,
    features: ReferenceFeatures,
    reference: ReferenceSet,
    train: ReferenceSet,
) -> None:
    first = np.arange(len(samples.items))
    fake, copied = (
        FeaturedItems(samples.items, first, of[: len(first)].astype(np.float64))
        for of in (samples.features, samples.memorization_features)
    )
    real = _featured(reference, features.real)
    trained = _featured(train, features.memorization_train)
    write_figures(folder.samples, fake, real, (copied, trained), train.data.spec)


def _featured(of: ReferenceSet, features: NDArray[np.float32]) -> FeaturedItems:
    """Return at most `MAX_SAMPLES` items, from all over, with their features."""
    n = len(features)
    chosen = np.linspace(0, n - 1, min(n, MAX_SAMPLES)).astype(np.int64)
    return FeaturedItems(of.data.items, of.index()[chosen], features[chosen].astype(np.float64))


class ComparableRun(Protocol):
    """A run that can be compared."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def recipe(self) -> Recipe:
        """Its recipe."""

    def generator(self) -> nn.Module:
        """Return its generator."""

    def dataset(self, audience: ProgressReporter) -> Dataset:
        """Return the data it was trained on."""


def compare_runs(
    runs: Sequence[ComparableRun],
    extractor_name: str,
    options: EvaluationOptions,
    audience: ProgressReporter,
) -> Comparisons:
    """Compare runs pairwise on the first one's held-out data, and their recipes over seeds."""
    datasets = _common_data(runs, audience)
    data = datasets[0]
    cache = runs[0].path.parent / "cache"
    extractor = choose(extractor_name, data, cache=cache, progress=audience.reading)
    reference = reference_of(data)
    real = reference.features(extractor, cache, audience.reading).astype(np.float64)
    draw = partial(_sample_features, extractor=extractor, options=options, audience=audience)
    pairs = [*zip(runs, datasets, strict=True)]
    fakes = {run.path.name: draw(run, own) for run, own in pairs}
    changed = [RunFolder(run.path).changed(own.fingerprint) for run, own in pairs]
    recipes = {run.path.name: _asked(run.recipe, own) for run, own in pairs}
    seeds = _by_recipe(recipes, {name: kid(real, fake).value for name, fake in fakes.items()})
    several = {name: values for name, values in seeds.items() if len(values) > 1}
    return Comparisons(
        tuple(compare_samples(real, fakes)),
        tuple(compare_recipes(several)) if len(several) > 1 else (),
        min(map(len, fakes.values())),
        f"{extractor.name} {extractor.digest}",
        (*filter(None, changed), *reference.notes),
    )


def _common_data(runs: Sequence[ComparableRun], audience: ProgressReporter) -> list[Dataset]:
    """Return the data of each run, once for all that have the same; refuse different data."""
    datasets = [data := runs[0].dataset(audience)]
    for run in runs[1:]:
        other = run.dataset(audience)
        same = other.fingerprint == data.fingerprint and other.spec == data.spec
        datasets.append(data if same else other)
        if not _same_items(other, data):
            raise SparringError(
                f"'{run.path.name}' was trained on other data ({other.name}) than "
                f"'{runs[0].path.name}' ({data.name}); runs are compared on the same data"
            )
    return datasets


def _sample_features(
    run: ComparableRun,
    data: Dataset,
    *,
    extractor: Extractor,
    options: EvaluationOptions,
    audience: ProgressReporter,
) -> Features:
    """Return features of a run's samples; a conditional one makes the classes as they come."""
    options = replace(options, n=min(options.n, MAX_SAMPLES))
    extractors = Extractors(extractor, extractor, None)
    with on_threads(run.recipe.threads):
        samples = draw_samples(run.generator(), data, extractors, options, audience)
    return samples.features.astype(np.float64)


def _same_items(a: Dataset, b: Dataset) -> bool:
    """Tell whether two data sets hold out the same items; their labels may differ."""
    if a.fingerprint == b.fingerprint:
        return True
    same = a.items.shape == b.items.shape and np.array_equal(a.held_out, b.held_out)
    return same and np.array_equal(a.items[a.held_out], b.items[b.held_out])


def _asked(recipe: Recipe, data: Dataset) -> Recipe:
    """Return what runs of one recipe share; those of 0.1 left open how their data are read."""
    return identity(replace(recipe, data=decided(recipe.data, data.spec)))


def _by_recipe(
    recipes: Mapping[str, Recipe], values: Mapping[str, float]
) -> dict[str, list[float]]:
    """Gather the values of runs of the same recipe, by their names."""
    runs_of: dict[Recipe, list[str]] = {}
    for name, recipe in recipes.items():
        runs_of.setdefault(recipe, []).append(name)
    return {"+".join(names): [values[name] for name in names] for names in runs_of.values()}
