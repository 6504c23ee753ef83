"""The card of samples from anywhere, by data that their generator never saw; no run is needed.

What looks at them is fitted to the training data where these are given, else to a random part of
real data and samples together, which knows no sides: the tests stay valid. Not inside: reading
(`kinds.open_together`), the lines (`assess.judge`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data.dataset import Dataset, no_progress
from sparring.data.split import BY_GROUP, digests
from sparring.draws import permutation
from sparring.errors import SparringError
from sparring.evaluation.assess import (
    MIN_JUDGING,
    ReferenceFeatures,
    Samples,
    by_group,
    judge,
    kept,
)
from sparring.evaluation.card import MAX_SAMPLES, Evaluation
from sparring.evaluation.extractors import choose
from sparring.features.extractor import MAX_FITTED, Extractor, Extractors
from sparring.features.reference import ReferenceSet, extract, shuffled
from sparring.kinds import kind_of
from sparring.kinds.kind import EvaluatedRun
from sparring.metrics.groups import independent
from sparring.runs.folder import write_json
from sparring.training.reporter import ProgressReporter

REAL, FAKE, TRAIN = "REAL", "FAKE", "TRAIN"  # what each source is called
UNSEEN = "REAL is taken to be data that the generator never saw"
SEED = 0


def measure_samples(
    opened: Mapping[str, Dataset],
    extractor_name: str,
    n: int,
    out: Path | None,
    cache: Path,
    audience: ProgressReporter,
) -> Evaluation:
    """Return the card of samples; write it and its pictures into a folder, if one is given.

    Args:
        opened: by `REAL` and `FAKE`, and `TRAIN` where that is known, all under one spec.
        extractor_name: of features; see `extractors.choose`.
        n: items of each that are looked at, at most, and training items besides.
        out: a folder.
        cache: a folder, for a classifier of training data.
        audience: told how far it is.

    Raises:
        SparringError: there are fewer than 20 items of one, or two are the same data.
    """
    _refuse(opened)
    opened = with_common_labels(opened)
    real = by_group(ReferenceSet(opened[REAL], "all", n))
    train = ReferenceSet(opened[TRAIN], "all", n, whole=True) if TRAIN in opened else None
    fake = ReferenceSet(opened[FAKE], "all", n, whole=True)
    fitted = _fitted_to(opened)
    extractor = choose(extractor_name, fitted, cache=cache, progress=audience.reading)
    measures = kind_of(fitted.spec).measures
    extractors = measures.with_companions(extractor, fitted, cache)
    samples = _samples(fake, extractors, audience)
    features = _reference_features(real, train, extractors, audience)
    run = EvaluatedRun(
        spec=fitted.spec,
        train=train,
        reference=real,
        extractor=extractor.name,
        real_features=features.real,
        fake_features=samples.features,
        fake=samples.items,
        trained=None,
        given=fake,
        pictures=out,
        options=kind_of(fitted.spec).judging(),
        progress=audience.reading,
        notes=[UNSEEN, *real.notes, *_shared(opened), *_as_read(opened)],
    )
    card = judge(run, features, samples, extractors, opened[FAKE].name)
    if out is not None:
        write_json(out / "evaluation.json", card.as_json())
    return card


def with_common_labels(opened: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """Return data with labels where training and real data have the same classes, else without.

    Samples keep theirs where all are of these classes.
    """
    known = opened.get(TRAIN)
    alike = known is not None and set(known.spec.classes) == set(opened[REAL].spec.classes)
    classes = known.spec.classes if known is not None and alike else ()

    def labelled(data: Dataset) -> Dataset:
        labels = None
        if data.labels is not None and classes and set(data.spec.classes) <= set(classes):
            labels = np.array([classes.index(name) for name in data.spec.classes])[data.labels]
        spec: Any = data.spec
        return replace(data, spec=replace(spec, classes=classes), labels=labels)

    return {name: labelled(data) for name, data in opened.items()}


def _refuse(opened: Mapping[str, Dataset]) -> None:
    for name, data in opened.items():
        if (count := len(data.items)) < MIN_JUDGING:
            raise SparringError(
                f"{name} '{data.name}' has {count} items; measuring needs at least {MIN_JUDGING}"
            )
    for first, second, advice in (
        (REAL, FAKE, "FAKE is what a generator made"),
        (REAL, TRAIN, "REAL is data that the generator never saw"),
    ):
        if {first, second} <= opened.keys() and (
            opened[first].fingerprint == opened[second].fingerprint
        ):
            raise SparringError(f"{first} and {second} hold the same items; {advice}")


def _as_read(opened: Mapping[str, Dataset]) -> Iterator[str]:
    """Yield what was decided or left out in reading, and of which data."""
    for name, data in opened.items():
        # samples are taken one by one: the generator made each, also those that repeat each other
        told = (note.removesuffix(BY_GROUP) if name == FAKE else note for note in data.notes)
        yield from (f"{name}: {note}" for note in told)


def _shared(opened: Mapping[str, Dataset]) -> Iterator[str]:
    """Say how many samples and training items equal real ones, which the generator never saw."""
    hashes = {
        name: [row.tobytes() for row in digests(of.items, no_progress)]
        for name, of in opened.items()
    }
    real = {*hashes.pop(REAL)}
    for name, own in hashes.items():
        if count := sum(row in real for row in own):
            yield f"{count:,} of {len(own):,} items of {name} equal one of {REAL}"


def _fitted_to(opened: Mapping[str, Dataset]) -> Dataset:
    """Return the data that an extractor may learn from, all of it as training data.

    Beside training data, the real data are what it has held out.
    """
    if TRAIN in opened:
        return _joined(opened[TRAIN], opened[REAL])
    pool = _joined(opened[REAL], opened[FAKE])
    count = len(pool.items)
    chosen = permutation(SEED, "measure/fitted", count)[:MAX_FITTED]
    every = np.arange(len(chosen))
    return replace(pool, items=pool.items[chosen], train=every, held_out=every[:0])


def _joined(train: Dataset, held_out: Dataset) -> Dataset:
    """Return two sets as the training and the held-out part of one."""
    sides = train, held_out
    labels = None
    if train.labels is not None and held_out.labels is not None:
        labels = np.concatenate([train.labels, held_out.labels])
    every = np.arange(len(train.items) + len(held_out.items))
    identity = blake2b("".join(side.fingerprint for side in sides).encode(), digest_size=16)
    return replace(
        train,
        items=np.concatenate([side.items for side in sides]),
        labels=labels,
        train=every[: len(train.items)],
        held_out=every[len(train.items) :],
        groups=None,
        originals=None,
        fingerprint=identity.hexdigest(),
    )


def _samples(of: ReferenceSet, extractors: Extractors, audience: ProgressReporter) -> Samples:
    """Return samples in random order, which files may not have, with their features."""
    fake, index = of.data, shuffled(of.index())
    first = index[:MAX_SAMPLES]
    features = _features(extractors.quality, fake, index, audience)
    memorization = features[:MAX_SAMPLES]
    if extractors.memorization is not extractors.quality:
        memorization = _features(extractors.memorization, fake, first, audience)
    predicted = None
    if extractors.class_probabilities:
        predicted = extractors.class_probabilities(np.asarray(fake.items[first])).argmax(1)
    return Samples(
        features,
        memorization.astype(np.float64),
        np.asarray(fake.items[index[: kept(fake.items)]]),
        None if fake.labels is None else fake.labels[first],
        predicted,
    )


def _reference_features(
    real: ReferenceSet,
    train: ReferenceSet | None,
    extractors: Extractors,
    audience: ProgressReporter,
) -> ReferenceFeatures:
    """Return features of real data; both purposes share them where they share an extractor."""

    def of(extractor: Extractor, side: ReferenceSet) -> NDArray[np.float32]:
        return _features(extractor, side.data, side.index(), audience)

    def both(
        extractor: Extractor, judges: ReferenceSet
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        return of(extractor, judges), of(extractor, train) if train else None

    quality = both(extractors.quality, real)
    unseen = replace(real, whole=True)  # groups change sides whole, so they must be whole on both
    same = extractors.memorization is extractors.quality and unseen.groups is None
    groups = train.groups if train else None
    return ReferenceFeatures(
        *quality,
        *(quality if same else both(extractors.memorization, unseen)),
        groups=(unseen.groups, groups),
        independent=None if groups is None else independent(groups),
    )


def _features(
    extractor: Extractor, data: Dataset, index: NDArray[np.int64], audience: ProgressReporter
) -> NDArray[np.float32]:
    return np.concatenate(list(extract(extractor, data.items, index, audience.reading)))
