"""The library: train, load and use runs from Python; the command line calls the same functions."""

import json
import secrets
import sys
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sparring import kinds
from sparring.build import build_discriminator, build_generator, place
from sparring.data.dataset import Dataset
from sparring.data.output import write_file
from sparring.data.sources import with_absolute_paths, with_target
from sparring.errors import SparringError
from sparring.export import from_safetensors, to_onnx, to_safetensors
from sparring.kinds import Source, open_data
from sparring.recipes.recipe import Recipe, nested, read_recipe, resolve, to_toml
from sparring.recipes.sections import Options, merge
from sparring.runs import runner
from sparring.runs.folder import Json, RunFolder, find, read_json
from sparring.runs.logger import write_report
from sparring.runs.plan import Plan, data_rows, make_plan
from sparring.sampling import SampleRequest, class_labels, on_threads
from sparring.spec import Spec
from sparring.training import checkpoint as checkpoints
from sparring.training.loop import Progress
from sparring.training.reporter import PlanRows, ProgressReporter
from sparring.training.state import Tensors, copy_exactly

if TYPE_CHECKING:
    from sparring.evaluation.card import Evaluation
    from sparring.evaluation.compare import Comparisons

RUNS = Path("runs")
DEFAULT_SAMPLES = 64  # that are drawn
LENGTH = ("budget", "images")  # of training, as a recipe says it


class NullReporter:
    """A reporter that tells nobody; what methods an `audience` must have."""

    def say(self, message: str) -> None: ...
    def reading(self, what: str, done: int, total: int) -> None: ...
    def plan(self, rows: Sequence[tuple[str, str]]) -> None: ...
    def advance(self, images: int, total: int) -> None: ...
    def tick(self, progress: Progress, total: int) -> None: ...


Silent = NullReporter  # its name up to version 0.1


@on_threads()
def plan(
    data: Source,
    options: Options,
    *,
    recipe: str | Path | None = None,
    root: Path = RUNS,
    start_from: str | Path | None = None,
    audience: ProgressReporter | None = None,
) -> Plan:
    """Return what `train` would do; nothing is written but a pack of data beyond memory."""
    base = read_recipe(Path(recipe)) if recipe else {}
    if start_from:
        base = merge(_without_length(read_recipe(load(start_from, root).folder.recipe)), base)
    asked = _with_one_length(base, options)
    weights_from = find(start_from, root).name if start_from else ""
    return make_plan(data, asked, root, audience or NullReporter(), weights_from)


def train(
    data: Source,
    *,
    recipe: str | Path | None = None,
    root: str | Path = RUNS,
    run_name: str = "",
    start_from: str | Path | None = None,
    profile: bool = False,
    audience: ProgressReporter | None = None,
    **options: Any,
) -> "Run":
    """Train on a folder, file, named set or array, in a new run folder.

    Args:
        data: a folder or file, a named set, an array or tensor of images, (n, height, width[,
            channels]), or vectors, (n, d), a data frame, or a list of texts, of images of one
            shape, or of waves with `data.rate`, their samples a second.
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
    audience, root = audience or NullReporter(), Path(root)
    resolved = plan(
        data, nested(options), recipe=recipe, root=root, start_from=start_from, audience=audience
    )
    audience.plan(resolved.rows)
    return start(
        resolved,
        root=root,
        run_name=run_name,
        start_from=start_from,
        profile=profile,
        audience=audience,
    )


@on_threads()
def start(
    resolved: Plan,
    *,
    root: Path = RUNS,
    run_name: str = "",
    start_from: str | Path | None = None,
    profile: bool = False,
    audience: ProgressReporter | None = None,
) -> "Run":
    """Carry out a plan in a new run folder."""
    torch.set_num_threads(resolved.recipe.threads)
    name, audience = run_name or resolved.name, audience or NullReporter()
    weights = find(start_from, root) if start_from else None
    return Run(runner.start(resolved, root, name, sys.argv, audience, weights, profile=profile))


@dataclass(frozen=True)
class Description:
    """What is in a source of data: lines for people, and everything for programs."""

    rows: PlanRows
    full: Json


def describe(
    source: Source, options: Options, root: Path = RUNS, audience: ProgressReporter | None = None
) -> Description:
    """Return what is in a source of data, what is skipped, and why; see `sparring data`."""
    progress = (audience or NullReporter()).reading
    reading = with_absolute_paths(resolve({"data": options}).data)
    data = open_data(source, reading, cache=root, progress=progress)
    return Description(data_rows(data), runner.data_json(data))


@on_threads()
def measure(
    real: Source,
    fake: Source,
    train: Source | None = None,
    *,
    n: int = 10_000,
    extractor: str = "auto",
    out: str | Path | None = None,
    root: str | Path = RUNS,
    audience: ProgressReporter | None = None,
    **options: Any,
) -> "Evaluation":
    """Measure any samples against data that their generator never saw; no run is needed.

    All are read as one kind of item, by what all of them hold together. Copying is tested where
    it is known what the generator was trained on.

    Args:
        real: data that the generator never saw: a path, a named set, or what `train` takes.
        fake: its samples, likewise.
        train: what it was trained on, likewise, if that is known.
        n: items of each that are looked at; beyond 10,000 only the Fréchet distance has more.
        extractor: of features, as for `Run.evaluate`.
        out: a folder for the card as `evaluation.json` and its pictures; nothing unless given.
        root: the folder of runs, below which named sets and larger data are kept.
        audience: told how far it is.
        options: how data are read, as `rate=16000`, `labels="none"`, `column=("age=category",)`.

    Raises:
        SparringError: they are of different kinds, are the same data, or fewer than 20 items.
    """
    from sparring.evaluation.samples import FAKE, REAL, TRAIN, measure_samples

    audience, root = audience or NullReporter(), Path(root)
    if n < 1:
        raise SparringError(f"{n} items asked for; expected 1 or more")
    named = {REAL: real, FAKE: fake} | ({} if train is None else {TRAIN: train})
    for source in named.values():
        _refuse_run(source, root)
    reading = with_absolute_paths(resolve({"data": options}).data)
    opened = kinds.open_together(named, reading, cache=root, progress=audience.reading)
    folder = None if out is None else Path(out)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return measure_samples(opened, extractor, n, folder, root / "cache", audience)


def compare(
    *runs: str | Path,
    n: int = 10_000,
    extractor: str = "auto",
    seconds: float = 300,
    root: str | Path = RUNS,
    audience: ProgressReporter | None = None,
) -> "Comparisons":
    """Tell which of several runs on the same data is better, and whether that is sure.

    Args:
        runs: two or more folders, numbers or names.
        n: samples drawn from each.
        extractor: of features, as for `Run.evaluate`.
        seconds: for drawing the samples of a run; 0 for no limit.
        root: the folder of runs.
        audience: told how far it is.

    Raises:
        SparringError: fewer than two runs, or runs on different data.
    """
    from sparring.evaluation.assess import EvaluationOptions, compare_runs

    loaded = [load(run, root) for run in dict.fromkeys(runs)]
    if len({run.path.resolve() for run in loaded}) < 2:
        raise SparringError(f"{len(runs)} runs to compare; expected at least two different ones")
    options = EvaluationOptions(n, seconds)
    return compare_runs(loaded, extractor, options, audience or NullReporter())


def load(run: str | Path = "latest", root: str | Path = RUNS) -> "Run":
    """Return the run that a folder, a number or `latest` names.

    Raises:
        SparringError: there is none, a newer version has made it, or its kind of data is that of a
            plug-in that is not here.
    """
    folder = find(run, Path(root))
    folder.refuse_newer()
    _refuse_missing_kind(folder)
    return Run(folder)


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
        return runner.recorded_spec(self.folder)

    @property
    def status(self) -> str:
        """`running`, `finished`, `interrupted` or `failed`."""
        return str(self.folder.read_run()["status"])

    def generator(
        self, checkpoint: str = "best", warn: Callable[[str], None] = NullReporter().say
    ) -> nn.Module:
        """Return the averaged generator of a checkpoint, in evaluation mode.

        Args:
            checkpoint: `best` by the quick evaluations while training, `latest`, or samples seen.
            warn: told when a damaged one gives way to another.
        """
        path = checkpoints.named(self.folder.checkpoints, checkpoint, warn)
        return _generator(self.recipe, self.spec, checkpoints.load_model(path))

    def sample(
        self,
        n: int | None = None,
        *,
        seed: int | None = 0,
        label: str | int | None = None,
        truncation: float = 1.0,
        between: bool = False,
        checkpoint: str = "best",
        audience: ProgressReporter | None = None,
        **requests: Any,
    ) -> Any:
        """Return n new items: images, uint8 (n, height, width, channels), points, waves or rows.

        Args:
            n: how many; 64 unless given.
            seed: image i is a function of the seed, i, the label and the truncation; `None` draws
                another seed each time.
            label: of a conditional run, a class's name or number; all in turn unless given.
            truncation: 1 for the whole variety, below it more typical images, 0 for the mean.
            between: n steps from one sample to another instead, in one class.
            checkpoint: `best`, `latest`, or samples seen.
            audience: told how far it is.
            requests: what this kind of data can be asked for: of rows `where={"cut": "Fair",
                "price": ">5000"}` or `where="cut=Fair"`, conditions that all satisfy,
                `balance="cut"`, and `complete=frame`, rows whose empty cells are drawn; of texts
                `unique`, `novel`, `like` and `temperature`; see `Kind.requests`.
        """
        audience, spec = audience or NullReporter(), self.spec
        kind = kinds.kind_of(spec)
        own = kinds.own_requests(kind, requests)
        request = SampleRequest(
            DEFAULT_SAMPLES if n is None else n,
            _seed(seed),
            label,
            truncation,
            between,
            own,
            n_given=n is not None,
        )
        with on_threads(self.recipe.threads):
            drawn = kind.output.sample(
                self.generator(checkpoint, audience.say),
                spec,
                request,
                data=lambda: self.dataset(audience),
                progress=audience.reading,
            )
        return _for_people(drawn, spec)

    def labels(
        self, n: int, label: str | int | None = None, *, between: bool = False
    ) -> Tensor | None:
        """Return the labels of n samples: all classes in turn, or the one named; None if none.

        Of steps `between` two samples: the first class, unless one is named.
        """
        return class_labels(self.spec, n, label, between=between)

    def save(
        self,
        samples: Any,
        out: str | Path | None = None,
        *,
        labels: Tensor | None = None,
        **requests: Any,
    ) -> Path:
        """Write samples where the suffix says; return the path.

        Without a suffix it is a folder with a picture; which suffixes there are, each kind of data
        says itself (`kinds/*/output.py`), and when it refuses one.

        Args:
            samples: as `sample` returns them, or as an array.
            out: where; the run's own `samples/generated`, with a picture, unless given.
            labels: of the samples, (n,); kept where the format has a place for them.
            requests: what this kind of data can be asked for: of sounds `bits`, "16", "24" or
                "float".

        Raises:
            SparringError: the suffix is none of these.
        """
        path, spec = Path(out) if out else self.folder.samples / "generated", self.spec
        kind = kinds.kind_of(spec)
        kind.output.save(samples, spec, path, labels, kinds.own_requests(kind, requests))
        return path

    def evaluate(
        self,
        data: Source | None = None,
        *,
        n: int = 10_000,
        extractor: str = "auto",
        seconds: float = 300.0,
        checkpoint: str = "best",
        audience: ProgressReporter | None = None,
        **judging: Any,
    ) -> "Evaluation":
        """Measure samples against data that was never trained on; write it into the run.

        Args:
            data: other data to judge by, read as the run reads its own: brought to the same size,
                columns and classes found by name; the run's held-out part otherwise.
            n: samples to draw; beyond 10,000 only the Fréchet distance has more of them.
            extractor: of features: a name of `features.NAMES`, or an .onnx or .safetensors file.
            seconds: for drawing samples and their features; 0 for no limit.
            checkpoint: `best`, `latest`, or samples seen.
            audience: told how far it is.
            judging: what only some kinds of data heed: of texts `baseline`, whether to judge a
                likelihood model too, trained for as long as the run; see `Kind.judging`.

        Returns:
            The card: `card["kid"]` is an `Estimate`, `card.lines` has all, with p = q beside each.
        """
        from sparring.evaluation.assess import EvaluationOptions, assess

        audience = audience or NullReporter()
        own_judging = kinds.own_judging(kinds.kind_of(self.spec), judging)
        path = checkpoints.named(self.folder.checkpoints, checkpoint, audience.say)
        own = self.dataset(audience)
        with on_threads(self.recipe.threads):
            evaluation = assess(
                self.folder,
                self.generator(path.name),
                path.name,
                own,
                None if data is None else self._open(data, audience),
                extractor,
                EvaluationOptions(n, seconds, own_judging),
                audience,
                partial(self._discriminator, path) if path.name.strip("0~") else None,
            )
        write_report(self.folder)
        return evaluation

    def _discriminator(self, path: Path) -> nn.Module:
        """Return the discriminator of a checkpoint, in evaluation mode."""
        with torch.random.fork_rng(devices=[]):
            discriminator = build_discriminator(self.recipe, self.spec)
        copy_exactly(discriminator.state_dict(), checkpoints.load_discriminator(path), "model")
        return place(discriminator, "cpu").eval()

    def dataset(self, audience: ProgressReporter | None = None) -> Dataset:
        """Open the data that the run was trained on, with its split; say if they have changed."""
        audience = audience or NullReporter()
        data = runner.reopen_data(self.folder, self.recipe, audience)
        if changed := self.folder.changed(data.fingerprint):
            audience.say(changed)
        return data

    def _open(self, source: Source, audience: ProgressReporter) -> Dataset:
        """Open other data as the run reads its own; labels are used if there are any."""
        spec, cache = self.spec, self.path.parent
        options = replace(self.recipe.data, labels="auto" if spec.classes else "none")
        return open_data(
            source,
            options,
            spec=spec,
            cache=cache,
            progress=audience.reading,
            rules=self.folder.rules,
        )

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
        write_file(path, content)
        return path

    @on_threads()
    def resume(
        self,
        *,
        budget: str = "",
        changed_data: bool = False,
        device: str = "",
        audience: ProgressReporter | None = None,
    ) -> Self:
        """Go on from the last checkpoint; `budget="+5m"` extends a finished run.

        On the device it was trained on, unless another is given.
        """
        runner.resume(
            self.folder,
            audience or NullReporter(),
            budget=budget,
            changed_data=changed_data,
            device=device,
        )
        return self


class GAN(BaseEstimator):  # type: ignore[misc]
    """A GAN on an array of images, vectors or waves, a data frame or texts, as scikit-learn would.

    It leaves no files but what `save` writes: items beyond memory lie in a temporary folder while
    it learns.

    Args:
        size, budget, objective, preset: as in `sparring train`; `None` leaves it to the preset.
        options: further options of the recipe, as `{"optimizer.lr": 1e-3}`.
        random_state: the seed; `None` draws a new one for each fit.

    After `fit`: `recipe_`, `spec_`, `generator_` (averaged), `seed_`, `n_samples_seen_` (also
    as `n_images_`, whatever the data).
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

    @on_threads()
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:  # noqa: N803
        """Train on vectors (n, d), images (n, height, width[, channels]), a data frame or texts.

        Waves, (n, samples) or a list of them, are sounds with the option `data.rate`. Whatever
        else `train` takes is taken too. The target y of a data frame becomes a column of it, called
        as y is or "y"; of anything else it is not used, with a warning.
        """
        X = with_target(X, y)  # noqa: N806
        self.seed_ = secrets.randbits(32) if self.random_state is None else self.random_state
        with TemporaryDirectory(prefix="sparring-", ignore_cleanup_errors=True) as folder:
            resolved = make_plan(X, self._options(), Path(folder), NullReporter())
            state = runner.trained_state(resolved)
        self.recipe_, self.spec_ = resolved.recipe, resolved.data.spec
        self.generator_ = place(state.ema, "cpu")
        self.n_images_ = self.n_samples_seen_ = state.samples_seen
        return self

    def sample(self, n_samples: int | None = None, *, seed: int | None = 0, **requests: Any) -> Any:
        """Return new items: images, uint8, vectors or waves, float32, rows of a frame, or texts.

        Args:
            n_samples: how many; 1 unless given.
            seed: the same one gives the same items; `None` others each time.
            requests: what this kind of data can be asked for, as of `Run.sample`: of rows
                `where=["cut=Fair", "price>5000"]`.
        """
        check_is_fitted(self)
        kind = kinds.kind_of(self.spec_)
        request = SampleRequest(
            1 if n_samples is None else n_samples,
            _seed(seed),
            own=kinds.own_requests(kind, requests),
            n_given=n_samples is not None,
        )
        with on_threads(self.recipe_.threads):
            drawn = kind.output.sample(
                self.generator_, self.spec_, request, data=None, progress=NullReporter().reading
            )
        items = _for_people(drawn, self.spec_)
        return items.numpy() if isinstance(items, Tensor) else items

    def save(self, path: str | Path) -> Path:
        """Write what `fit` has learned as one file, which `load` reads; return its path.

        It holds the generator, and what decodes its output: values that the data have, too.
        """
        check_is_fitted(self)
        about = {
            "kind": kinds.kind_of(self.spec_).name,
            "recipe": to_toml(self.recipe_),
            "samples_seen": str(self.n_samples_seen_),
        }
        write_file(Path(path), to_safetensors(self.generator_, self.spec_, about))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return an estimator as `save` wrote it.

        Raises:
            SparringError: the file is not one of these.
        """
        tensors, about = from_safetensors(Path(path))
        try:
            spec = kinds.read_spec({"kind": about["kind"], "spec": json.loads(about["sparring"])})
            recipe, seen = resolve(tomllib.loads(about["recipe"])), int(about["samples_seen"])
        except (KeyError, ValueError) as error:
            raise SparringError(f"'{path}' was not written by GAN.save: {error}") from None
        fitted = cls(
            size=recipe.size, budget=recipe.budget, preset=recipe.preset, random_state=recipe.seed
        )
        fitted.recipe_, fitted.spec_, fitted.seed_ = recipe, spec, recipe.seed
        fitted.generator_ = _generator(recipe, spec, tensors)
        fitted.n_images_ = fitted.n_samples_seen_ = seen
        return fitted

    def _options(self) -> Options:
        options = {
            "size": self.size,
            "budget": self.budget,
            "preset": self.preset,
            "seed": self.seed_,
            "data.held_out": 0.0,
            **({"objective": self.objective} if self.objective else {}),
        }
        return nested({**options, **(self.options or {})})


def _generator(recipe: Recipe, spec: Spec, tensors: Tensors) -> nn.Module:
    """Return a generator of these tensors, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        generator = build_generator(recipe, spec)
    copy_exactly(generator.state_dict(), tensors, "model")
    return place(generator, "cpu").eval()


def _seed(seed: int | None) -> int:
    """Return the seed that is asked for, or a new one."""
    return secrets.randbits(62) if seed is None else seed


def _for_people(drawn: Any, spec: Spec) -> Any:
    """Return what a kind has drawn as people want it."""
    return kinds.to_user_type(drawn, spec) if isinstance(drawn, Tensor) else drawn


def _refuse_run(source: Source, root: Path) -> None:
    """Refuse a run where data is expected, with what judges it."""
    if not isinstance(source, str | Path) or source in kinds.NAMED:
        return
    path = Path(source)
    is_run = (path / "run.json").is_file()
    if not is_run and not path.exists():
        with suppress(SparringError):
            is_run = find(source, root).path.is_dir()
    if is_run:
        raise SparringError(
            f"'{source}' is a run; its own card is: sparring evaluate {source}. To measure samples "
            "of it: sparring sample --out"
        )


def _refuse_missing_kind(folder: RunFolder) -> None:
    """Refuse a run of a kind that is not known here; a damaged file is told where it is needed."""
    try:
        name = read_json(folder.data).get("kind")
    except SparringError:
        return
    if isinstance(name, str) and name not in (kind.name for kind in kinds.KINDS):
        raise SparringError(
            f"run '{folder.name}' is of the kind '{name}', which is not known here; is its plug-in "
            "installed?"
        )


def _with_one_length(base: Options, options: Options) -> Options:
    """Lay options over a recipe; its budget and its samples go together, those given replace both.

    Samples that are given by themselves are the budget.
    """
    length = [key for key in LENGTH if options.get(key)]
    kept = {key: value for key, value in base.items() if not length or key not in LENGTH}
    asked = merge(kept, options)
    if asked.get("images") and "budget" not in asked:
        asked["budget"] = f"{asked['images']}-samples"
    return asked


def _without_length(recipe: Options) -> Options:
    kept = {key: value for key, value in recipe.items() if key not in ("images", "data", "device")}
    generator = {k: v for k, v in recipe.get("generator", {}).items() if k != "warm_start"}
    return kept | {"generator": generator}
