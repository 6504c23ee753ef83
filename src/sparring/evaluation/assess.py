"""Draw, extract, measure, write down: the evaluation of one run, and several runs compared.

Inside: which samples and data are used, within which time, and the file. Not inside: the metrics
(`card`), what a kind of data adds to them (`measures` of the kinds), the report that shows them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sparring.data.dataset import Dataset, same_items
from sparring.data.labels import labels_in_proportion
from sparring.errors import SparringError
from sparring.evaluation.card import (
    MAX_SAMPLES,
    Evaluation,
    Groups,
    Told,
    measure,
    measure_classes,
    measure_copying,
    measure_repeats,
    missing_classes,
)
from sparring.evaluation.compare import (
    Comparison,
    Comparisons,
    compare_recipes,
    compare_samples,
    samples_looked_at,
)
from sparring.evaluation.extractors import choose
from sparring.evaluation.figures import FeaturedItems, write_figures
from sparring.evaluation.verdict import judged
from sparring.features.extractor import Extractor, Extractors, spread
from sparring.features.reference import CHUNK, HALVED, ReferenceSet, halved, part_indices
from sparring.kinds import decided, decode, kind_of
from sparring.kinds.kind import EvaluatedRun, TrainedRun
from sparring.metrics.arrays import Features
from sparring.metrics.exchangeable import MIN_SAMPLES
from sparring.metrics.groups import independent
from sparring.metrics.kernels import kid
from sparring.metrics.line import CardLine, Note, Untested
from sparring.recipes.identity import identity
from sparring.recipes.recipe import Recipe
from sparring.runs.folder import RunFolder, too_early, write_json
from sparring.sampling import on_threads, sample
from sparring.training.reporter import ProgressReporter

MIN_ITEMS = 100  # held out, below which training data judge; and samples
MIN_JUDGING = 20  # items of data by which anything can be told
SEED = 2  # other latents than those of pictures and of looks while training
MAX_KEPT, MAX_KEPT_BYTES = 2_000, 2**28  # samples that are kept: so many, and if small, more
MAX_SECONDS = 300.0
FEW_GROUPS = "too few groups of items judge"
UNKNOWN_TRAIN = "it needs the data that the generator was trained on: --train TRAIN"


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
    items: NDArray[Any]  # the first ones, see `kept`
    labels: NDArray[np.int64] | None  # the classes they were drawn for, where there are any
    predicted: NDArray[np.int64] | None  # the classes that the classifier sees


@dataclass(frozen=True, eq=False)
class ReferenceFeatures:
    """Features of real data, mapped from files: of the reference set and of what was trained on.

    Those of the training data are None where nobody says what these are.
    """

    real: NDArray[np.float32]  # for quality
    train: NDArray[np.float32] | None
    memorization_real: NDArray[np.float32]
    memorization_train: NDArray[np.float32] | None
    groups: tuple[Groups | None, Groups | None] = (None, None)  # of these last two
    independent: NDArray[np.int64] | None = None  # of the training data; None: all


def assess(
    folder: RunFolder,
    generator: nn.Module,
    checkpoint: str,
    data: Dataset,
    other: Dataset | None,
    extractor_name: str,
    options: EvaluationOptions,
    audience: ProgressReporter,
    discriminator: Callable[[], nn.Module] | None = None,
) -> Evaluation:
    """Evaluate a run's generator, write `evaluation.json` and its pictures, and return it.

    Args:
        folder: of the run.
        generator: averaged, in evaluation mode.
        checkpoint: its name, which is the samples it has seen.
        data: with its split, as the run saw it.
        other: data to judge by; the held-out part of `data` otherwise.
        extractor_name: of features; see `extractors.choose`.
        options: how many samples, in which time.
        audience: told how far it is.
        discriminator: opens that of the run, in evaluation mode, if it has played.
    """
    cache, kind = folder.path.parent / "cache", kind_of(data.spec)
    limit = max(options.n, MAX_SAMPLES)
    reference = _given_reference(other, limit) if other else reference_of(data)
    trained_on = data
    data = data if other else reference.data  # of which other parts may train and judge
    train, trained = ReferenceSet(data, "train"), ReferenceSet(trained_on, "train")
    unseen = replace(reference if other else ReferenceSet(trained_on, "held_out"), whole=True)
    extractor = choose(extractor_name, data, cache=cache, progress=audience.reading)
    extractors = kind.measures.with_companions(extractor, data, cache)
    features = extract_reference((reference, train), (unseen, trained), extractors, cache, audience)
    samples = draw_samples(generator, data, extractors, options, audience)
    run = EvaluatedRun(
        spec=data.spec,
        train=train,
        reference=reference,
        extractor=extractor.name,
        real_features=features.real,
        fake_features=samples.features,
        fake=samples.items,
        trained=TrainedRun(folder, generator, trained_on, discriminator),
        given=None,
        pictures=folder.samples,
        options=options.judging or kind.judging(),
        progress=audience.reading,
        notes=[*filter(None, (folder.changed(trained_on.fingerprint), *reference.notes))],
    )
    if early := too_early(folder.read_events()):
        run.note(f"the run is {early}")
    if (n := len(samples.features)) < options.n:
        run.note(f"{options.seconds:g} seconds were enough for {n:,} samples")
    evaluation = judge(run, features, samples, extractors, folder.name, checkpoint)
    write_json(folder.path / "evaluation.json", evaluation.as_json())
    return evaluation


def judge(
    run: EvaluatedRun,
    features: ReferenceFeatures,
    samples: Samples,
    extractors: Extractors,
    name: str,
    checkpoint: str = "",
) -> Evaluation:
    """Return the card of samples, and draw its pictures where any are wanted.

    Args:
        run: the samples, what judges them, and what made them if that is at hand.
        features: of the data.
        samples: the same samples, with all that was extracted from them.
        extractors: that features are from.
        name: of the run, or of the samples.
        checkpoint: of the run, if there is one.
    """
    reference, extractor = run.reference, extractors.quality
    of_features = [*_feature_lines(features, samples, extractors, run)]
    of_copying = [*_copying_lines(features, samples, extractors, run)]
    of_classes = _class_lines(samples, extractors, run.train, reference, run.note)
    own = _own_lines(run)
    if reference.groups is not None:
        own, of_features, of_classes = (
            [_untested(line, FEW_GROUPS) for line in part]
            for part in (own, of_features, of_classes)
        )
    lines = [*own, *of_features, *of_copying, *of_classes]
    if kind_of(run.spec).shows_items and run.pictures is not None:
        trained_on = ReferenceSet(run.trained.data, "train") if run.trained else run.train
        _write_figures(run.pictures, samples, features, reference, trained_on)
    return Evaluation(
        run=name,
        checkpoint=checkpoint,
        images=int(checkpoint.rstrip("~") or 0),
        data=reference.data.name,
        part="train" if reference.data.fingerprint.endswith(HALVED) else reference.part,
        fingerprint=reference.data.fingerprint.removesuffix(HALVED),
        extractor=extractor.name,
        digest=extractor.digest,
        width=extractor.width,
        real=len(run.real_features),
        fake=len(run.fake_features),
        lines=judged([line for line in lines if isinstance(line, CardLine)]),
        notes=tuple(run.notes),
        untested=tuple(line for line in lines if isinstance(line, Untested)),
    )


def _own_lines(run: EvaluatedRun) -> list[CardLine]:
    """Return the lines of this kind of data; with too few items for them, a note says so."""
    kind = kind_of(run.spec)
    lines = []
    try:
        for line in kind.measures.card_lines(run):
            lines.append(line)  # what was measured stays, whatever comes
    except SparringError as error:
        run.note(f"the {'rest of ' * bool(lines)}what only {kind.plural} have is left out: {error}")
    return lines


def reference_of(data: Dataset) -> ReferenceSet:
    """Return the real data to judge by, with a note when it is not what it should be.

    Where too few are held out, half of the training data judge; what is fitted, and what stands for
    real data beside the samples, is the other half.
    """
    count = len(part_indices(data, "held_out"))
    if count >= MIN_ITEMS:
        return by_group(ReferenceSet(data, "held_out"))
    _refuse_few(data, len(data.train))
    what = "items" if data.groups is None else "groups"
    few = f"only {count} {what} are held out: judged by half of the training data"
    notes = (f"{few}, which flatters a generator that copies",)
    return by_group(ReferenceSet(halved(data), "held_out", notes=notes))


def by_group(reference: ReferenceSet) -> ReferenceSet:
    """Return what judges with a note on groups; all items where hardly any stand for all."""
    groups = replace(reference, whole=True).groups
    if groups is None:
        return reference
    judging, count = len(reference.index()), len(np.unique(groups))
    if judging < MIN_JUDGING:
        few = f"only {count} groups judge: nothing is tested, and intervals are too narrow"
        return replace(reference, whole=True, notes=(*reference.notes, few))
    if judging == len(groups):
        return reference
    alone = f"{judging:,} of {len(groups):,} items judge, at most one of each of {count:,} groups"
    return replace(reference, notes=(*reference.notes, alone))


def _given_reference(data: Dataset, limit: int) -> ReferenceSet:
    """Return other data to judge by, with notes on how they were read."""
    _refuse_few(data, len(data.items))
    notes = tuple(note.partition("; --")[0] for note in data.notes)  # a run's options stay
    return by_group(ReferenceSet(data, "all", limit, notes))


def _refuse_few(data: Dataset, count: int) -> None:
    if count < MIN_JUDGING:
        raise SparringError(
            f"'{data.name}' has {count} items; an evaluation needs at least {MIN_JUDGING}"
        )


def extract_reference(
    quality: tuple[ReferenceSet, ReferenceSet],
    memorization: tuple[ReferenceSet, ReferenceSet],
    extractors: Extractors,
    cache: Path,
    audience: ProgressReporter,
) -> ReferenceFeatures:
    """Return the features of the data that judge and of what was trained on, for both purposes."""

    def of(extractor: Extractor, side: ReferenceSet) -> NDArray[np.float32]:
        return side.features(extractor, cache, audience.reading)

    (judging, train), (unseen, trained) = quality, memorization
    groups = train.groups
    return ReferenceFeatures(
        of(extractors.quality, judging),
        of(extractors.quality, train),
        of(extractors.memorization, unseen),
        of(extractors.memorization, trained),
        groups=(unseen.groups, trained.groups),
        independent=None if groups is None else independent(groups),
    )


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
            items += [fake] if done < kept(fake) else []
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


def kept(items: NDArray[Any]) -> int:
    """Return how many samples like these are kept as items: at most `MAX_SAMPLES`."""
    return max(MAX_KEPT, min(MAX_KEPT_BYTES // items[:1].nbytes, MAX_SAMPLES))


def _feature_lines(
    features: ReferenceFeatures, samples: Samples, extractors: Extractors, run: EvaluatedRun
) -> Iterator[CardLine]:
    """Yield the lines of all kinds; what has learned the training data knows them for its own."""
    other = None if extractors.learned else features.train
    if other is not None and features.independent is not None:
        other = other[features.independent]
    yield from measure(
        features.real,
        samples.features,
        other,
        train=features.train,
        is_fid=extractors.quality.is_fid,
        begin=run.begin,
        note=run.note,
    )


def _copying_lines(
    features: ReferenceFeatures, samples: Samples, extractors: Extractors, run: EvaluatedRun
) -> Iterator[CardLine | Untested]:
    """Yield whether it copies, told by features that no training data taught."""
    if why := _why_untested(features):
        yield Untested("memorization", "prefers training data", why)
        if features.memorization_train is None:
            yield Untested("copying", "copies training data", why)
        else:
            yield measure_repeats(samples.memorization_features, features.memorization_train)
        return
    assert features.memorization_train is not None
    if extractors.memorization is not extractors.quality:
        name = extractors.memorization.name
        run.note(f"copying is judged by {name}: the features above are fitted to training data")
    known = run.train if run.trained is None else ReferenceSet(run.trained.data, "train")
    assert known is not None
    trained = len(part_indices(known.data, known.part, len(known.data.items), whole=True))
    if part := _looked_at(min(len(features.memorization_train), MAX_SAMPLES), trained):
        run.note(part)
    run.begin("memorisation")
    copying = measure_copying(
        features.memorization_real,
        samples.memorization_features,
        features.memorization_train,
        features.groups,
    )
    if run.reference.part == "all" and _is_far(features):
        stands = "their distance stands under 'real against real', and " * (not extractors.learned)
        run.note(
            f"the training data can themselves be told from '{run.reference.data.name}': "
            f"{stands}copying is not judged by it"
        )
        copying = (
            replace(_untested(line, "the data that judge differ"), real_vs_real=None)
            for line in copying
        )
    yield from copying


def _looked_at(looked: int, trained: int) -> str:
    """Say among how many training items copies are looked for; nothing where it is all."""
    if looked == trained:
        return ""
    return (
        f"copies are looked for among {looked:,} of {trained:,} training items, at random: of all "
        f"of them there are about {trained / looked:.2g} times as many copies as the lines say"
    )


def _why_untested(features: ReferenceFeatures) -> str:
    """Return why copying cannot be tested; empty where it can."""
    if features.memorization_train is None:
        return UNKNOWN_TRAIN
    few = len(features.memorization_real)
    return f"{few} items were never trained on; it takes {MIN_SAMPLES}" * (few < MIN_SAMPLES)


def _untested(line: CardLine, reason: str) -> CardLine:
    """Return a line of which only the value stands, and why it is not tested."""
    if line.estimate.p_value is None:
        return line
    estimate = replace(line.estimate, p_value=None, under_null=None)
    return replace(line, estimate=estimate, reason=reason)


def _is_far(features: ReferenceFeatures) -> bool:
    """Tell whether the data that judge are others than those of the training by distribution."""
    assert features.memorization_train is not None
    sides = features.memorization_real, features.memorization_train
    alone = (
        side[spread(np.arange(len(side)) if groups is None else independent(groups), MAX_SAMPLES)]
        for side, groups in zip(sides, features.groups, strict=True)
    )
    return kid(*alone).low > 0


def _class_lines(
    samples: Samples,
    extractors: Extractors,
    train: ReferenceSet | None,
    reference: ReferenceSet,
    note: Note,
) -> list[CardLine]:
    """Return what a classifier tells; the classes' shares are those of the data that judge."""
    if train is None or train.data.labels is None:
        return []
    if samples.predicted is None or samples.labels is None:
        return []
    data, other = train.data, reference.data
    same = other.labels is not None and other.spec.classes == data.spec.classes
    owner = reference if same else train
    assert owner.data.labels is not None
    names, real = data.spec.classes, owner.data.labels[owner.index()]
    told = _told(extractors, reference if same else ReferenceSet(data, "held_out"))
    if told and told.blind:
        note(
            f"the classifier tells the class of {told.accuracy.value:.0%} of real data that it has "
            f"not seen, where the commonest class is {told.chance:.0%} of them: are the labels "
            "right? What it says of classes means nothing"
        )
    elif missing := missing_classes(samples.predicted, real, len(names)):
        note(f"hardly ever made: {', '.join(names[i] for i in missing)}")
    return list(measure_classes(samples.labels, samples.predicted, real, len(names), told))


def _told(extractors: Extractors, unseen: ReferenceSet) -> Told | None:
    """Return what the classifier says of labelled data that it was not trained on."""
    index, tells = unseen.index(), extractors.class_probabilities
    if tells is None or unseen.data.labels is None or not len(index):
        return None
    predicted = [tells(np.asarray(unseen.data.items[part])).argmax(1) for part in _parts(index)]
    return Told(unseen.data.labels[index], np.concatenate(predicted))


def _parts(index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(index, len(index) // CHUNK + 1)


def _write_figures(
    folder: Path,
    samples: Samples,
    features: ReferenceFeatures,
    reference: ReferenceSet,
    train: ReferenceSet | None,
) -> None:
    first = np.arange(len(samples.items))
    fake, copied = (
        FeaturedItems(samples.items, first, of[: len(first)].astype(np.float64))
        for of in (samples.features, samples.memorization_features)
    )
    real = _featured(reference, features.real)
    pairs = None
    if train is not None and features.memorization_train is not None:
        pairs = copied, _featured(train, features.memorization_train)
    write_figures(folder, fake, real, pairs, reference.data.spec)


def _featured(of: ReferenceSet, features: NDArray[np.float32]) -> FeaturedItems:
    """Return at most `MAX_SAMPLES` items, from all over, with their features."""
    chosen = spread(np.arange(len(features)), MAX_SAMPLES)
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
    reference = reference_of(datasets[0])
    cache = runs[0].path.parent / "cache"
    extractor = choose(extractor_name, reference.data, cache=cache, progress=audience.reading)
    real = reference.features(extractor, cache, audience.reading)
    draw = partial(_sample_features, extractor=extractor, options=options, audience=audience)
    pairs = [*zip(runs, datasets, strict=True)]
    fakes = {run.path.name: draw(run, own) for run, own in pairs}
    changed = [RunFolder(run.path).changed(own.fingerprint) for run, own in pairs]
    early = [
        f"{run.path.name} is {words}"
        for run in runs
        if (words := too_early(RunFolder(run.path).read_events()))
    ]
    recipes = {run.path.name: _asked(run.recipe, own) for run, own in pairs}
    kids = {name: kid(real, fake[:MAX_SAMPLES]).value for name, fake in fakes.items()}
    seeds = _by_recipe(recipes, kids)
    several = {name: values for name, values in seeds.items() if len(values) > 1}
    limit, fewest = samples_looked_at(real, fakes), min(map(len, fakes.values()))
    return Comparisons(
        tuple(_by_items(compare_samples(real, fakes), reference)),
        tuple(compare_recipes(several)) if len(several) > 1 else (),
        min(fewest, limit),
        len(real),
        f"{extractor.name} {extractor.digest}",
        (
            *filter(None, changed),
            *early,
            *reference.notes,
            *_notes_on_comparisons(fewest, limit, options, single=len(several) < 2 <= len(seeds)),
        ),
    )


def _by_items(found: Iterable[Comparison], reference: ReferenceSet) -> Iterator[Comparison]:
    """Yield comparisons, without their tests where too few groups judge for any."""
    for one in found:
        untested = Comparison(
            one.a, one.b, replace(one.difference, p_value=None), reason=FEW_GROUPS
        )
        yield one if reference.groups is None else untested


def _notes_on_comparisons(
    fewest: int, limit: int, options: EvaluationOptions, *, single: bool
) -> Iterator[str]:
    """Yield what people should know of samples that are left out, and of single runs."""
    if fewest < options.n:
        yield f"{options.seconds:g} seconds were enough for {fewest:,} samples; --seconds 0 for all"
    if fewest > limit:
        yield (
            f"the kernel distance looks at {limit:,} samples of each; a Fréchet distance, which "
            "looks at all, needs more real items for features so wide"
        )
    if single:
        yield "single runs are compared; whether a recipe is better needs several seeds of each"


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
) -> NDArray[np.float32]:
    """Return features of a run's samples; a conditional one makes the classes as they come."""
    extractors = Extractors(extractor, extractor, None)
    with on_threads(run.recipe.threads):
        return draw_samples(run.generator(), data, extractors, options, audience).features


def _same_items(a: Dataset, b: Dataset) -> bool:
    """Tell whether two data sets hold out the same items; their labels may differ."""
    if a.fingerprint == b.fingerprint:
        return True
    same = a.items.shape == b.items.shape and np.array_equal(a.held_out, b.held_out)
    return same and same_items(a.items[a.held_out], b.items[b.held_out])


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
