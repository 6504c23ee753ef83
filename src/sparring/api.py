"""The library: train, load and use runs from Python; the command line calls the same functions."""

import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from pydantic import TypeAdapter, ValidationError
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sparring import session
from sparring.build import build_game, build_generator, build_state, formed, place
from sparring.conditional import Wanted, sample_texts, sample_where
from sparring.data import kinds
from sparring.data.dataset import Dataset
from sparring.data.kinds import Source, decode, is_frame, open_data
from sparring.data.sounds import Bits
from sparring.errors import SparringError, nearest
from sparring.export import to_onnx, to_safetensors
from sparring.networks.recurrent import RecurrentGenerator
from sparring.plan import Audience, Plan, Rows, batches, data_rows, make_plan
from sparring.recipe import Options, Recipe, merge, nested, read_recipe, resolve
from sparring.runs import Json, RunFolder, find, read_json, write_bytes
from sparring.sampling import sample
from sparring.saving import save_samples
from sparring.scribe import write_report
from sparring.spec import Spec, TableSpec
from sparring.training import checkpoint as checkpoints
from sparring.training.loop import Progress
from sparring.training.loop import train as play
from sparring.training.state import copy_exactly

if TYPE_CHECKING:
    from sparring.compare import Comparisons
    from sparring.evaluation import Evaluation

RUNS = Path("runs")
MAX_SAMPLES = 10_000_000


class Silent:
    """An audience that hears nothing."""

    def say(self, message: str) -> None: ...
    def reading(self, what: str, done: int, total: int) -> None: ...
    def plan(self, rows: Sequence[tuple[str, str]]) -> None: ...
    def advance(self, images: int, total: int) -> None: ...
    def tick(self, progress: Progress, total: int) -> None: ...


def plan(
    data: Source,
    options: Options,
    *,
    recipe: str | Path | None = None,
    root: Path = RUNS,
    start_from: str | Path | None = None,
    audience: Audience | None = None,
) -> Plan:
    """Return what `train` would do; nothing is written but a pack of data beyond memory."""
    base = read_recipe(Path(recipe)) if recipe else {}
    if start_from:
        base = merge(_without_length(read_recipe(find(start_from, root).recipe)), base)
    if "budget" in options and "images" not in options:
        base = {**base, "images": 0}  # a recipe's resolved images must not outlive its budget
    return make_plan(data, merge(base, options), root, audience or Silent())


def train(
    data: Source,
    *,
    recipe: str | Path | None = None,
    root: str | Path = RUNS,
    run_name: str = "",
    start_from: str | Path | None = None,
    profile: bool = False,
    audience: Audience | None = None,
    **options: Any,
) -> "Run":
    """Train on a folder, file, named set or array, in a new run folder.

    Args:
        data: a folder, zip, .npy, .npz or idx file, a named set, an array of images, (n, height,
            width) or (n, height, width, channels), or of vectors, (n, d).
        recipe: a TOML recipe that the options are laid over.
        root: the folder of runs.
        run_name: of the folder, after its number; from the data's name unless given.
        start_from: a run whose networks are the starting point.
        profile: first measure where the time of a step goes, into `profile.txt` of the folder.
        audience: told how it goes; silent unless given.
        options: of the recipe: `size="tiny"`, `budget="2m"`, `optimizer={"lr": 1e-3}`.

    Raises:
        SparringError: the data, the recipe or an option cannot be used; the line says why.
    """
    audience, root = audience or Silent(), Path(root)
    made = plan(
        data, nested(options), recipe=recipe, root=root, start_from=start_from, audience=audience
    )
    audience.plan(made.rows)
    return start(
        made,
        root=root,
        run_name=run_name,
        start_from=start_from,
        profile=profile,
        audience=audience,
    )


def start(
    made: Plan,
    *,
    root: Path = RUNS,
    run_name: str = "",
    start_from: str | Path | None = None,
    profile: bool = False,
    audience: Audience | None = None,
) -> "Run":
    """Carry out a plan in a new run folder."""
    name, audience = run_name or made.name, audience or Silent()
    weights = find(start_from, root) if start_from else None
    return Run(session.start(made, root, name, sys.argv, audience, weights, profile=profile))


@dataclass(frozen=True)
class Description:
    """What is in a source of data: lines for people, and everything for programs."""

    rows: Rows
    full: Json


def describe(
    source: Source, options: Options, root: Path = RUNS, audience: Audience | None = None
) -> Description:
    """Return what is in a source of data, what is skipped, and why; see `sparring data`."""
    asked = resolve({"data": options}).data
    found = open_data(source, asked, cache=root, progress=(audience or Silent()).reading)
    return Description(data_rows(found), session.data_json(found))


def compare(
    *runs: str | Path,
    n: int = 10_000,
    extractor: str = "auto",
    root: str | Path = RUNS,
    audience: Audience | None = None,
) -> "Comparisons":
    """Tell which of several runs on the same data is better, and whether that is sure.

    Args:
        runs: two or more folders, numbers or names.
        n: samples drawn from each.
        extractor: of features, as for `Run.evaluate`.
        root: the folder of runs.
        audience: told how far it is.

    Raises:
        SparringError: fewer than two runs, or runs on different data.
    """
    from sparring.assessment import Ask, contend

    found = [load(run, root) for run in dict.fromkeys(runs)]
    if len({run.path.resolve() for run in found}) < 2:
        raise SparringError(f"{len(runs)} runs to compare; expected at least two different ones")
    return contend(found, extractor, Ask(n), audience or Silent())


def load(run: str | Path = "latest", root: str | Path = RUNS) -> "Run":
    """Return the run that a folder, a number or `latest` names."""
    return Run(find(run, Path(root)))


class Run:
    """A run folder and its trained generator."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def recipe(self) -> Recipe:
        """The recipe, fully resolved."""
        return resolve(read_recipe(self.folder.recipe))

    @property
    def spec(self) -> Spec:
        """What one sample is."""
        try:
            fields = read_json(self.folder.data).get("spec")
            return TypeAdapter(Spec).validate_python(fields)
        except ValidationError:
            raise SparringError(f"'{self.folder.data}' is damaged: it has no proper spec") from None

    @property
    def status(self) -> str:
        """`running`, `finished`, `interrupted` or `failed`."""
        return str(self.folder.read_run()["status"])

    def generator(
        self, checkpoint: str = "best", warn: Callable[[str], None] = Silent().say
    ) -> nn.Module:
        """Return the averaged generator of a checkpoint, in evaluation mode.

        Args:
            checkpoint: `best` by the looks taken while training, `latest`, or images seen.
            warn: told when a damaged one gives way to another.
        """
        recipe, spec = self.recipe, self.spec
        torch.set_num_threads(recipe.threads)  # other numbers of threads, other last bits
        with torch.random.fork_rng(devices=[]):
            generator = build_generator(recipe, spec)
        path = checkpoints.named(self.folder.checkpoints, checkpoint, warn)
        tensors = checkpoints.load_model(path)
        copy_exactly(generator.state_dict(), tensors, "model")
        return place(generator, "cpu").eval()

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        label: str | int | None = None,
        truncation: float = 1.0,
        where: Sequence[str] = (),
        between: bool = False,
        texts: Wanted = Wanted(),
        temperature: float = 1.0,
        checkpoint: str = "best",
        audience: Audience | None = None,
    ) -> Any:
        """Return n new items: images, uint8 (n, height, width, channels), points, waves or rows.

        Args:
            n: how many.
            seed: image i is a function of the seed, i, the label and the truncation.
            label: of a conditional run, a class's name or number; all in turn unless given.
            truncation: 1 for the whole variety, below it more typical images, 0 for the mean.
            where: conditions that all rows of a table satisfy: `["cut=Fair", "price>5000"]`.
            between: n steps from one sample to another instead, in one class.
            texts: what is asked of texts: different ones, none of the data, beginning so.
            temperature: of a recurrent generator; below 1, likelier texts.
            checkpoint: `best`, `latest`, or images seen.
            audience: told how far it is.
        """
        _check_request(n, seed, truncation)
        parts: list[Tensor] = []
        audience = audience or Silent()
        labels = self.labels(n, label, between=between)
        spec, generator = self.spec, self.generator(checkpoint, audience.say)
        _set_temperature(generator, temperature)
        if where:
            return _rows_where(generator, spec, where, n, seed, truncation, audience)
        if texts != Wanted():
            return sample_texts(
                generator,
                spec,
                texts,
                n,
                known=self.dataset(audience) if texts.novel else None,
                seed=seed,
                label=lambda many: class_labels(spec, many, label),
                truncation=truncation,
                told=lambda done: audience.reading("texts", done, n),
            )
        for fakes in sample(
            generator, n, seed=seed, labels=labels, truncation=truncation, between=between
        ):
            parts.append(decode(fakes, spec))
            audience.reading("samples", sum(map(len, parts)), n)
        return kinds.presented(torch.cat(parts), spec)

    def labels(
        self, n: int, label: str | int | None = None, *, between: bool = False
    ) -> Tensor | None:
        """Return the labels of n samples: all classes in turn, or the one named; None if none.

        Of steps `between` two samples: the first class, unless one is named.
        """
        spec = self.spec
        return class_labels(spec, n, 0 if between and spec.classes and label is None else label)

    def save(
        self,
        samples: Any,
        out: str | Path | None = None,
        *,
        labels: Tensor | None = None,
        bits: Bits = "16",
    ) -> Path:
        """Write samples where the suffix says; see `saving.save_samples`.

        Without `out` they go to the run's own `samples/generated`, beside a picture.
        """
        path = Path(out) if out else self.folder.samples / "generated"
        save_samples(samples, self.spec, path, labels, bits)
        return path

    def evaluate(
        self,
        data: Source | None = None,
        *,
        n: int = 10_000,
        extractor: str = "auto",
        seconds: float = 300.0,
        baseline: bool = True,
        checkpoint: str = "best",
        audience: Audience | None = None,
    ) -> "Evaluation":
        """Measure samples against data that was never trained on; write it into the run.

        Args:
            data: other data of the same shape to judge by; the run's own held-out part otherwise.
            n: samples to draw; beyond 10,000 only the Fréchet distance has more of them.
            extractor: of features: a name of `features.NAMES`, or an .onnx or .safetensors file.
            seconds: for drawing samples and their features; 0 is no limit.
            baseline: of texts, judge a likelihood model too, trained for as long as the run.
            checkpoint: `best`, `latest`, or images seen.
            audience: told how far it is.

        Returns:
            The card: `card["kid"]` is an `Estimate`, `card.lines` has all, with p = q beside each.
        """
        from sparring.assessment import Ask, assess  # a second to import: only when asked for
        from sparring.features.choose import choose

        audience = audience or Silent()
        path = checkpoints.named(self.folder.checkpoints, checkpoint, audience.say)
        own = self.dataset(audience)
        found = assess(
            self.folder,
            self.generator(path.name),
            path.name,
            own,
            None if data is None else self._data(data, audience),
            choose(extractor, own, cache=self.path.parent / "cache", progress=audience.reading),
            Ask(n, seconds, baseline),
            audience,
        )
        write_report(self.folder)
        return found

    def dataset(self, audience: Audience | None = None) -> Dataset:
        """Open the data that the run was trained on, with its split."""
        source = self.folder.read_run()["data"]["source"]
        return self._data(source, audience or Silent())

    def _data(self, source: Source, audience: Audience) -> Dataset:
        """Open data and refuse it unless it has the shape of what this run makes."""
        cache = self.path.parent
        opened = open_data(source, self.recipe.data, cache=cache, progress=audience.reading)
        data = formed(opened, self.recipe)
        if data.spec.shape != self.spec.shape:
            raise SparringError(
                f"'{data.name}' is {kinds.describe(data.spec)}, '{self.folder.name}' makes "
                f"{kinds.describe(self.spec)}; expected the same shape"
            )
        return data

    def export(self, to: str = "onnx", out: str | Path | None = None) -> Path:
        """Write the averaged generator as one file, `onnx` or `safetensors`; return its path."""
        match to:
            case "onnx":
                content = to_onnx(self.generator(), self.spec)
            case "safetensors":
                content = to_safetensors(self.generator(), self.spec)
            case _:
                raise SparringError(f"cannot export to '{to}'; use onnx or safetensors")
        path = Path(out) if out else self.path / f"generator.{to}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
        return path

    def resume(
        self, *, budget: str = "", changed_data: bool = False, audience: Audience | None = None
    ) -> Self:
        """Go on from the last checkpoint; `budget="+5m"` extends a finished run."""
        session.resume(self.folder, audience or Silent(), budget=budget, changed_data=changed_data)
        return self


def _rows_where(
    generator: nn.Module,
    spec: Spec,
    where: Sequence[str],
    n: int,
    seed: int,
    truncation: float,
    audience: Audience,
) -> Any:
    if not isinstance(spec, TableSpec):
        raise SparringError(f"'{where[0]}' is a condition on rows of a table; this run has none")
    made = sample_where(
        generator,
        spec,
        where,
        n,
        seed=seed,
        truncation=truncation,
        told=lambda done: audience.reading("rows", done, n),
    )
    return kinds.presented(made, spec)


def _set_temperature(generator: nn.Module, temperature: float) -> None:
    if temperature == 1:
        return
    if not isinstance(generator, RecurrentGenerator):
        raise SparringError("only recurrent generators have a temperature; use --truncation")
    if not 0.01 <= temperature <= 10:
        raise SparringError(f"temperature {temperature}; expected 0.01 to 10")
    generator.temperature = temperature


def _check_request(n: int, seed: int, truncation: float = 1.0) -> None:
    if not 0 < n <= MAX_SAMPLES:
        raise SparringError(f"{n} samples asked for; expected 1 to {MAX_SAMPLES:,}")
    if not 0 <= seed < 2**63:
        raise SparringError(f"seed {seed}; expected 0 to 2^63 - 1")
    if not 0 <= truncation <= 2:
        raise SparringError(f"truncation {truncation}; expected 0 (the mean) to 2")


def class_labels(spec: Spec, n: int, label: str | int | None) -> Tensor | None:
    """Return the labels of n samples: all classes in turn, or the one that is named."""
    if not spec.classes:
        if label is not None:
            raise SparringError(f"label '{label}' asked for, but this run has no classes")
        return None
    if label is None:
        return torch.arange(n) % len(spec.classes)
    if str(label) in spec.classes:
        return torch.full((n,), spec.classes.index(str(label)))
    if str(label) in map(str, range(len(spec.classes))):
        return torch.full((n,), int(label))
    hint = nearest(str(label), spec.classes)
    raise SparringError(
        f"no class '{str(label)[:80]}'; classes: {', '.join(spec.classes[:20])}{hint}"
    )


class GAN(BaseEstimator):  # type: ignore[misc]
    """A GAN on an array of images, vectors or waves, a data frame or texts, as scikit-learn would.

    It writes no files.

    Args:
        size, budget, objective, preset: as in `sparring train`; `None` leaves it to the preset.
        options: further options of the recipe, as `{"optimizer.lr": 1e-3}`.
        random_state: the seed; `None` draws a new one for each fit.

    After `fit`: `recipe_`, `spec_`, `generator_` (averaged), `seed_`, `n_images_`.
    """

    def __init__(
        self,
        *,
        size: str = "small",
        budget: str = "1m",
        objective: str | None = None,
        preset: str = "default",
        options: Options | None = None,
        random_state: int | None = None,
    ) -> None:
        self.size = size
        self.budget = budget
        self.objective = objective
        self.preset = preset
        self.options = options
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:  # noqa: N803
        """Train on vectors (n, d), images (n, height, width[, channels]), a data frame or texts.

        Waves (n, samples) are sounds with the options `data.kind` audio and `data.rate`.
        """
        texts = isinstance(X, list) and all(isinstance(text, str) for text in X)
        items: Any = X if is_frame(X) or texts else np.asarray(X)
        if not texts and items.ndim not in (2, 3, 4):
            raise SparringError(
                f"X has shape {items.shape}; expected vectors, (n, d), or images, (n, height, "
                "width[, channels])"
            )
        self.seed_ = secrets.randbits(32) if self.random_state is None else self.random_state
        made = make_plan(items, self._asked(), RUNS, Silent())
        state = build_state(made.recipe, made.data.spec)
        play(
            state,
            build_game(made.recipe, made.data.spec),
            batches(made.data, made.recipe),
            batch=made.recipe.batch,
            until_images=made.recipe.images,
            tick_images=session.tick_images(made.recipe),
        )
        self.recipe_, self.spec_, self.generator_ = made.recipe, made.data.spec, state.ema
        self.n_images_ = state.images
        return self

    def sample(self, n_samples: int = 1, *, seed: int = 0, where: Sequence[str] = ()) -> Any:
        """Return new items: images, uint8, vectors or waves, float32, rows of a frame, or texts.

        Args:
            n_samples: how many.
            seed: the same one gives the same items.
            where: conditions that all rows satisfy: `["cut=Fair", "price>5000"]`.
        """
        check_is_fitted(self)
        _check_request(n_samples, seed)
        if where:
            chosen = self.generator_, self.spec_, where, n_samples
            return _rows_where(*chosen, seed, 1.0, Silent())
        fakes = torch.cat(list(sample(self.generator_, n_samples, seed=seed)))
        items = kinds.presented(decode(fakes, self.spec_), self.spec_)
        return items.numpy() if isinstance(items, Tensor) else items

    def _asked(self) -> Options:
        chosen = {
            "size": self.size,
            "budget": self.budget,
            "preset": self.preset,
            "seed": self.seed_,
            "data.held_out": 0.0,
            **({"objective": self.objective} if self.objective else {}),
        }
        return nested({**chosen, **(self.options or {})})


def _without_length(recipe: Options) -> Options:
    return {key: value for key, value in recipe.items() if key not in ("images", "data")}
