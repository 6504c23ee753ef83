"""Draw, extract, measure, write down: the evaluation of one run.

Inside: which samples and data are used, within which time, the pictures and the file. Not inside:
the metrics (`evaluation`), the report that shows them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sparring.compare import Comparisons, compare_recipes, compare_runs
from sparring.data.dataset import Dataset
from sparring.data.kinds import decode
from sparring.errors import SparringError
from sparring.evaluation import Evaluation, Line, measure, measure_classes, measure_copying
from sparring.features.choose import choose
from sparring.features.classifier import NAME as CLASSIFIER
from sparring.features.classifier import judge as judge_of
from sparring.features.extractor import Extractor
from sparring.landscapes import draw_most_different
from sparring.metrics.arrays import Features
from sparring.metrics.kernels import kid
from sparring.metrics.neighbours import nearest
from sparring.observe import labels_as_in
from sparring.plan import Audience
from sparring.recipe import Recipe
from sparring.reference import part_of, reference
from sparring.runs import RunFolder, write_bytes, write_json
from sparring.sampling import sample
from sparring.saving import picture_of

FEWEST, MOST = 100, 10_000
SEED = 2  # other latents than those of pictures and of looks while training
KEPT = 2_000  # samples that pictures are chosen from
SHOWN = 8


@dataclass(frozen=True)
class Ask:
    """What a person may ask of an evaluation."""

    n: int = MOST
    seconds: float = 0.0  # for drawing samples and their features; 0 is no limit


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples' features, and the first samples themselves."""

    features: Features  # (n, d)
    witnessed: Features  # through the witness, (n, e)
    items: NDArray[Any]  # the first ones, about KEPT
    asked: NDArray[np.int64] | None  # their classes, where there are any
    told: NDArray[np.int64] | None  # the classes that the classifier sees


@dataclass(frozen=True)
class Eyes:
    """What samples are looked at through."""

    main: Extractor
    witness: Extractor  # for memorisation: never one that has learned the training data
    probabilities: Callable[[NDArray[Any]], NDArray[np.float32]] | None  # of the classes


def open_eyes(extractor: Extractor, data: Dataset, cache: Path) -> Eyes:
    """Return the extractor, and beside a classifier of the data what it cannot judge itself."""
    if extractor.name != CLASSIFIER:
        return Eyes(extractor, extractor, None)
    witness = choose("random-convolutions", data, cache=cache)
    seen = judge_of(data, cache).probabilities if data.labels is not None else None
    return Eyes(extractor, witness, seen)


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
    owner = judge or data
    part, notes = ("all", []) if judge else _judging_part(data)
    eyes = open_eyes(extractor, data, cache)
    real, train = (
        reference(extractor, of, which, cache / "features", audience.reading).astype(np.float64)
        for of, which in ((owner, part), (data, "train"))
    )
    drawn = draw(generator, data, eyes, ask, audience)
    if len(drawn.features) < min(ask.n, MOST):
        notes.append(f"{ask.seconds:g} seconds were enough for {len(drawn.features):,} samples")

    def tell(what: str) -> None:
        audience.reading(what, 0, 1)

    fakes, is_fid = drawn.features, extractor.is_fid
    lines = list(measure(real, fakes, train, is_fid=is_fid, tell=tell, skip=notes.append))
    if part != "train":
        trained, unseen = train, real
        if eyes.witness is not extractor:
            notes.append(f"memorisation is judged by {eyes.witness.name}: a classifier has learned")
            trained, unseen = (
                reference(eyes.witness, of, which, cache / "features").astype(np.float64)
                for of, which in ((data, "train"), (owner, part))
            )
        lines += measure_copying(unseen, drawn.witnessed, trained, tell)
    lines += _classes(drawn, data, owner, part)
    write_pictures(folder.samples, drawn, data, train, real)
    found = Evaluation(
        run=folder.name,
        checkpoint=checkpoint,
        images=int(checkpoint.rstrip("~")),
        data=owner.name,
        part=part,
        fingerprint=owner.fingerprint,
        extractor=extractor.name,
        digest=extractor.digest,
        width=extractor.width,
        real=len(real),
        fake=len(fakes),
        lines=tuple(lines),
        notes=tuple(notes),
    )
    write_json(folder.path / "evaluation.json", found.as_json())
    return found


def _classes(drawn: Drawn, data: Dataset, owner: Dataset, part: str) -> list[Line]:
    """Return what a classifier tells; the classes' shares are those of the data that judge."""
    if drawn.told is None or drawn.asked is None or data.labels is None:
        return []
    same = owner.labels is not None and owner.spec.classes == data.spec.classes
    judges, which = (owner, part) if same else (data, "train")
    assert judges.labels is not None
    known = judges.labels[part_of(judges, which)]
    return list(measure_classes(drawn.asked, drawn.told, known, len(data.spec.classes)))


def draw(generator: nn.Module, data: Dataset, eyes: Eyes, ask: Ask, audience: Audience) -> Drawn:
    """Draw samples and extract their features until there are enough, or the time is up."""
    n = min(max(ask.n, FEWEST), MOST)
    labels = labels_as_in(data, n)
    seen: list[tuple[NDArray[Any], ...]] = []
    items: list[NDArray[Any]] = []
    done, began = 0, time.monotonic()
    for fakes in sample(generator, n, seed=SEED, labels=labels):
        made = decode(fakes, data.spec).numpy()
        seen.append(_looked_at(made, eyes))
        items += [made] if done < KEPT else []
        done += len(made)
        audience.reading("samples", done, n)
        if ask.seconds and done >= FEWEST and time.monotonic() - began > ask.seconds:
            break
    main, witnessed, told = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    return Drawn(
        main.astype(np.float64),
        witnessed.astype(np.float64),
        np.concatenate(items),
        None if labels is None else labels[:done].numpy(),
        told if eyes.probabilities else None,
    )


def _looked_at(made: NDArray[Any], eyes: Eyes) -> tuple[NDArray[Any], ...]:
    """Return features, features for memorisation, and classes, of one batch of samples."""
    main = eyes.main.run(made)
    witnessed = main if eyes.witness is eyes.main else eyes.witness.run(made)
    told = eyes.probabilities(made).argmax(1) if eyes.probabilities else np.zeros(len(made), int)
    return main, witnessed, told


def write_pictures(
    folder: Path,
    drawn: Drawn,
    data: Dataset,
    train: Features,
    real: Features,
) -> None:
    """Write the most and the least typical samples, and those nearest to training data."""
    some = drawn.features[: len(drawn.items)]
    to_train = nearest(some, train)
    to_real = nearest(some, real, 5).distances.mean(1)
    order = np.argsort(to_real)
    for name, chosen in (("typical", order[:32]), ("untypical", order[::-1][:32])):
        picture_of(drawn.items[chosen], data.spec, folder / f"evaluation-{name}.png", SHOWN)
    write_bytes(folder / "evaluation-feature.png", draw_most_different(real, drawn.features))
    closest = np.argsort(to_train.distances[:, 0])[:SHOWN]
    twins = part_of(data, "train")[to_train.indices[closest, 0]]
    pairs = np.stack([drawn.items[closest], np.asarray(data.items[twins])])
    flat = pairs.reshape(2 * SHOWN, *pairs.shape[2:])
    picture_of(flat, data.spec, folder / "evaluation-nearest.png", columns=SHOWN)


def _judging_part(data: Dataset) -> tuple[str, list[str]]:
    """Return which real data to judge by, and a note when it is not what it should be."""
    if len(data.held_out) >= FEWEST:
        return "held_out", []
    if len(data.train) < FEWEST:
        raise SparringError(
            f"'{data.name}' has {len(data.train)} items; an evaluation needs at least {FEWEST}"
        )
    told = f"only {len(data.held_out)} items are held out: judged by the training data itself"
    return "train", [f"{told}, which flatters a generator that copies"]


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
        if (other := run.dataset(audience)).fingerprint != data.fingerprint:
            raise SparringError(
                f"'{run.path.name}' was trained on other data ({other.name}) than "
                f"'{runs[0].path.name}' ({data.name}); runs are compared on the same data"
            )
    cache = runs[0].path.parent / "cache"
    eye = choose(extractor, data, cache=cache, progress=audience.reading)
    part, notes = _judging_part(data)
    real = reference(eye, data, part, cache / "features", audience.reading).astype(np.float64)
    eyes = Eyes(eye, eye, None)
    fakes = {
        run.path.name: draw(run.generator(), data, eyes, ask, audience).features for run in runs
    }
    seeds = _by_recipe(runs, {name: kid(real, fake).value for name, fake in fakes.items()})
    several = {name: values for name, values in seeds.items() if len(values) > 1}
    return Comparisons(
        tuple(compare_runs(real, fakes)),
        tuple(compare_recipes(several)) if len(several) > 1 else (),
        min(map(len, fakes.values())),
        f"{eye.name} {eye.digest}",
        tuple(notes),
    )


def _by_recipe(runs: Sequence[Contender], values: Mapping[str, float]) -> dict[str, list[float]]:
    """Gather the values of runs whose recipes differ in nothing but the seed."""
    gathered: dict[Recipe, list[str]] = {}
    for run in runs:
        alike = replace(run.recipe, seed=0, threads=0, images=0)
        gathered.setdefault(alike, []).append(run.path.name)
    return {"+".join(names): [values[name] for name in names] for names in gathered.values()}
