"""One process of one checkout: do the cases, and leave what came of each in a folder of its own.

Only what users call is called: `sparring.train`, the methods of a run, and the command line. The
machine's speed is kept out: one thread, a budget in steps, a probe cut short.
"""

import dataclasses
import io
import json
import os
import re
import runpy
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from benchmarks.checkouts.cases import Action, Commands, Estimator, Training, all_cases
from benchmarks.checkouts.rules import Rules

FINISHED = ".finished"  # a file that tells that a case is done
REFUSED, CRASHED = "refused", "crashed"  # folders of what could not be done, and why
PROBE_SECONDS = 0.03  # instead of the checkout's own
STEPS = "4-steps"
COMMON: Mapping[str, Any] = {"budget": STEPS, "threads": 1, "seed": 3, "checkpoint.ticks": 100}
UNHEARD = ("advance", "tick")  # calls of an audience that tell speeds
ROWS = 2  # that exported networks are given
BLANK = (8, 64)  # pixels of a picture that is not drawn


class Audience:
    """Writes down whatever it is told, but for speeds; whatever its methods are called."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.last = ""

    def __getattr__(self, name: str) -> Callable[..., None]:
        def hear(*arguments: Any) -> None:
            plain = [one for one in arguments if isinstance(one, str | tuple)]
            line = f"{name}: {' '.join(map(str, plain))}"
            if name not in UNHEARD and line != self.last:
                self.last = line
                with self.file.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")

        return hear


@dataclass
class Place:
    """A case's folder, which is the working directory, and the data that all cases share."""

    folder: Path
    shared: Path
    cache: Path  # of features, for all cases of this checkout
    request: "Request"
    count: int = field(default=0)

    def train(self, source: Any, options: Mapping[str, Any], **named: Any) -> Any:
        """Train a few steps, and return the run."""
        import sparring

        root = Path(named.pop("root", "runs"))
        root.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (root / "cache").symlink_to(self.cache)
        asked = self.request.options({**COMMON, **options})
        audience = Audience(self.folder / root / "told.txt")
        return sparring.train(
            source, root=root, run_name="case", audience=audience, **asked, **named
        )

    def source(self, text: str) -> Any:
        """Return a path, a name, or a value read from a file."""
        how, _, name = text.rpartition(":") if text.split(":")[0] in READERS else ("", "", text)
        return READERS[how](self.shared / name) if how else self.located(text)

    def located(self, text: str) -> str:
        """Return a text with the place of the shared data in it."""
        return str(self.shared / text[2:]) if text.startswith("./") else text

    def keep(self, name: str, value: Any) -> None:
        """Write down a value that a call returned."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if type(value).__name__ == "DataFrame":
            types = "".join(f"{column}: {kind}\n" for column, kind in value.dtypes.items())
            path.with_suffix(".txt").write_text(types, encoding="utf-8")
            value.to_csv(path.with_suffix(".csv"))
        elif isinstance(value, str | list):
            lines = [value] if isinstance(value, str) else [repr(one) for one in value]
            path.with_suffix(".txt").write_text("\n".join(lines), encoding="utf-8")
        else:
            np.save(path.with_suffix(".npy"), np.asarray(value))

    def attempt(self, name: str, act: Callable[[], Any]) -> Any:
        """Do something; a failure is a result like any other."""
        try:
            return act()
        except Exception as error:
            known = any(kind.__name__ == "SparringError" for kind in type(error).__mro__)
            told = f"{type(error).__name__}: {error}"
            self.keep(f"{REFUSED if known else CRASHED}/{name}", told)
            if not known:
                traceback.print_exc()
            return None

    def command(self, arguments: Sequence[str], name: str = "") -> None:
        """Run a command line as `python -m sparring` would, and keep what it prints."""
        self.count += 1
        given = self.request.arguments([self.located(text) for text in arguments])
        out, err, before = io.StringIO(), io.StringIO(), sys.argv
        sys.argv, ended = ["sparring", *given], ""
        try:
            with redirect_stdout(out), redirect_stderr(err):
                runpy.run_module("sparring", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            ended = f"exit {end.code}\n"
        finally:
            sys.argv = before
        told = re.sub(r"[^\w=-]+", "-", name or f"{self.count:02d}-{'-'.join(arguments)[:60]}")
        base = self.folder / "commands" / told
        base.parent.mkdir(exist_ok=True)
        base.with_suffix(_suffix(out.getvalue())).write_text(out.getvalue(), encoding="utf-8")
        base.with_name(f"{base.name}-err.txt").write_text(ended + err.getvalue(), encoding="utf-8")


def _suffix(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return ".txt"
    return ".json"


def _frame(path: Path) -> Any:
    import pandas

    return pandas.read_csv(path)


READERS: Mapping[str, Callable[[Path], Any]] = {
    "array": np.load,
    "frame": _frame,
    "list": lambda path: path.read_text(encoding="utf-8").splitlines(),
}


@dataclass(frozen=True)
class Request:
    """Asks for the same thing in the words of this checkout, which its help knows."""

    rules: Rules
    help: str

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options of a recipe, renamed where this checkout does not know them."""
        asked = {}
        for key, value in options.items():
            name = self._renamed("option", key, _flag(key), _flag)
            asked[name] = self._renamed("value", value, value) if isinstance(value, str) else value
        return asked

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        """Return arguments of a command line, renamed likewise."""
        return [
            self._renamed("argument", self._renamed("value", one, one), one) for one in arguments
        ]

    def _renamed(
        self, table: str, name: str, sought: str, form: Callable[[str], str] = lambda name: name
    ) -> str:
        if sought in self.help:
            return name
        for _, entry in self.rules.of(table):
            if entry.fields["before"] == name and form(entry.fields["after"]) in self.help:
                return entry.fields["after"]
        return name


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _train(place: Place, action: Training) -> None:
    source = place.source(action.source)
    name = "train" if action.root == "runs" else f"train-{action.root}"
    run = place.attempt(name, lambda: place.train(source, action.options, root=action.root))
    if run is None:
        return
    for act in action.then:
        place.attempt(act, lambda act=act: ACTS[act](place, run, action))  # type: ignore[misc]


def _samples(place: Place, run: Any, action: Training, folder: str = "samples") -> None:
    """Draw samples as people may."""
    asked: dict[str, dict[str, Any]] = {
        "seed-0": {},
        "seed-5-typical": {"seed": 5, "truncation": 0.7},
        "between": {"between": True},
        "latest": {"checkpoint": "latest"},
    }
    if action.label:
        asked |= {"label": {"label": action.label}, "label-1": {"label": 1, "truncation": 0.5}}
    if action.where:
        asked["where"] = {"where": list(action.where[:1])}
        asked["where-all"] = {"where": list(action.where), "seed": 2}
    for name, options in asked.items():
        place.attempt(
            f"{folder}-{name}",
            lambda n=name, o=options: place.keep(f"{folder}/{n}", run.sample(8, **o)),  # type: ignore[misc]
        )


def _saves(place: Place, run: Any, action: Training) -> None:
    """Write samples in every format; those that do not fit are refused."""
    samples = run.sample(6, seed=1)
    labels = run.labels(6)
    run.save(samples, labels=labels)
    suffixes = (".npz", ".png", ".npy", ".csv", ".tsv", ".parquet", ".wav", ".txt", ".jsonl")
    for suffix in suffixes:
        out = place.folder / "saved" / f"samples{suffix}"
        place.attempt(f"save{suffix[1:]}", lambda o=out: run.save(samples, o, labels=labels))  # type: ignore[misc]
    if (place.folder / "saved" / "samples.wav").exists():
        for bits in ("24", "float"):
            run.save(samples, place.folder / "saved" / f"bits-{bits}.wav", bits=bits)


def _evaluate(place: Place, run: Any, action: Training) -> None:
    options = ["-n", "200", "--seconds", "0", "--no-baseline"]
    place.command(["evaluate", str(run.path), *options], "evaluate")


def _extractors(place: Place, run: Any, action: Training) -> None:
    for name in ("random-convolutions", "pixel-pca", "coordinates", "no-such-eye"):
        found = place.attempt(f"extractor-{name}", lambda n=name: run.evaluate(n=150, extractor=n))  # type: ignore[misc]
        if found is not None:
            card = (run.path / "evaluation.json").read_text(encoding="utf-8")
            (place.folder / f"card-{name}.json").write_text(card, encoding="utf-8")


def _resume(place: Place, run: Any, action: Training) -> None:
    place.attempt("resume-finished", run.resume)
    run.resume(budget="+2-steps", audience=Audience(place.folder / "told-resume.txt"))
    _samples(place, run, action, "resumed")


def _onnx(place: Place, run: Any, action: Training) -> None:
    """Keep what the exported network makes: its bytes tell where the exporter's source lies."""
    import onnxruntime

    path = run.export("onnx")
    network = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {one.name: one for one in network.get_inputs()}
    draw = np.random.default_rng(0)
    given = {}
    for name, one in inputs.items():
        floats = one.type == "tensor(float)"
        given[name] = (
            draw.normal(size=(ROWS, *one.shape[1:])).astype(np.float32)
            if floats
            else np.arange(ROWS, dtype=np.int64)
        )
    for one, made in zip(network.get_outputs(), network.run(None, given), strict=True):
        place.keep(f"onnx/{one.name}", made)
    place.keep("onnx/inputs", [f"{one.name} {one.type} {one.shape}" for one in inputs.values()])
    about = dict(network.get_modelmeta().custom_metadata_map)
    (place.folder / "onnx" / "about.json").write_text(about.get("sparring", "{}"), encoding="utf-8")
    path.unlink()


def _commands(place: Place, run: Any, action: Training) -> None:
    place.command(["runs"], "runs")
    place.command(["sample", str(run.path), "-n", "5", "--grid", "--out", "grid"], "sample")
    place.command(["sample", "latest", "-n", "3", "--seed", "4"], "sample-latest")
    place.command(["sample", "latest", "--label", "no such class"], "sample-label")
    place.command(["sample", "latest", "--where", "nothing=1"], "sample-where")


def _wanted(place: Place, run: Any, action: Training) -> None:
    place.command(["sample", "latest", "-n", "20", "--unique", "--novel"], "unique")
    place.command(["sample", "latest", "-n", "3", "--like", "a"], "like")
    place.command(["sample", "latest", "-n", "3", "--like", "qqqq"], "unlike")


def _temperature(place: Place, run: Any, action: Training) -> None:
    place.command(["sample", "latest", "-n", "12", "--temperature", "0.5"], "temperature")


def _compare(place: Place, run: Any, action: Training) -> None:
    """Compare with a run of another seed, and with one of another recipe."""
    source = place.source(action.source)
    place.train(source, {**action.options, "seed": 4})
    place.train(source, {**action.options, "optimizer.lr": "1e-5"})
    place.command(["compare", "1", "2", "3", "-n", "150"], "compare")
    place.command(["compare", "1", "2", "-n", "150", "--json"], "compare-json")
    place.command(["compare", "1", "1"], "compare-same")


def _from(place: Place, run: Any, action: Training) -> None:
    """Start from another run's networks, and by its recipe."""
    source = place.source(action.source)
    place.train(source, {"seed": 8}, start_from=run.path)
    place.train(source, {"seed": 8, "objective": "hinge"}, recipe=run.path / "recipe.toml")


ACTS: Mapping[str, Callable[[Place, Any, Training], None]] = {
    "samples": _samples,
    "saves": _saves,
    "evaluate": _evaluate,
    "extractors": _extractors,
    "resume": _resume,
    "onnx": _onnx,
    "safetensors": lambda place, run, action: run.export("safetensors"),
    "commands": _commands,
    "wanted": _wanted,
    "temperature": _temperature,
    "compare": _compare,
    "from": _from,
}


def _estimate(place: Place, action: Estimator) -> None:
    """Fit the estimator, and keep its generator, its recipe and its samples."""
    import sparring

    options = place.request.options({**COMMON, **action.options})
    budget = options.pop("budget")
    options.pop("seed")
    source = place.source(action.source)
    fitted = sparring.GAN(size="tiny", budget=budget, options=options, random_state=3).fit(source)
    for name, tensor in fitted.generator_.state_dict().items():
        place.keep(f"generator/{name.replace('.', '-')}", tensor.numpy())
    for name in ("recipe", "spec"):
        about = dataclasses.asdict(getattr(fitted, f"{name}_"))
        (place.folder / f"{name}.json").write_text(json.dumps(about), encoding="utf-8")
    place.keep("images", [fitted.n_images_, fitted.seed_])
    place.keep("samples", fitted.sample(6, seed=1))


def do(place: Place, action: Action) -> None:
    """Do one thing of a case."""
    match action:
        case Training():
            _train(place, action)
        case Estimator():
            place.attempt("estimator", lambda: _estimate(place, action))
        case Commands(lines):
            for line in lines:
                place.command(line)


def work(names: Sequence[str], folder: Path, shared: Path, checkout: Path, rules: Rules) -> None:
    """Do the cases of these names, each in a folder of its own below `folder`."""
    import sparring

    if not Path(sparring.__file__).resolve().is_relative_to(checkout.resolve()):
        raise SystemExit(f"sparring comes from {sparring.__file__}, not from {checkout}")
    Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    sys.argv = ["sparring"]
    cases, request = all_cases(), Request(rules, _help())
    cache = folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    _shorten_probes()
    for name in names:
        own = case_folder(folder, name)
        own.mkdir(parents=True)
        os.chdir(own)
        place = Place(own, shared, cache, request)
        with _pictures_without_words(own, draw=not name.startswith("points/game-")):
            for action in cases[name]:
                do(place, action)
        os.chdir(folder)
        (own / FINISHED).touch()


def _end_with(parent: int) -> None:
    """End this process when the one that started it has ended, however that came."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def case_folder(folder: Path, name: str) -> Path:
    """Return the folder of a case below that of a checkout."""
    return folder / name.replace("/", "-")


def _help() -> str:
    """Return all that the help says of training, which has every option."""
    out = io.StringIO()
    before, sys.argv = sys.argv, ["sparring", "train", "--help"]
    with suppress(SystemExit), redirect_stdout(out):
        runpy.run_module("sparring", run_name="__main__", alter_sys=True)
    sys.argv = before
    return out.getvalue()


def _shorten_probes() -> None:
    """Measure the speed of a step for less long: what it is decides nothing here."""
    import sparring.api  # noqa: F401  # with all that trains

    for name, module in list(sys.modules.items()):
        if name.startswith("sparring") and hasattr(module, "PROBE_SECONDS"):
            module.PROBE_SECONDS = PROBE_SECONDS  # type: ignore[attr-defined]


@contextmanager
def _pictures_without_words(folder: Path, *, draw: bool) -> Iterator[None]:
    """Have figures drawn without words, which are kept beside them; or hardly drawn at all."""
    from matplotlib.figure import Figure
    from PIL import Image

    original = Figure.savefig

    def savefig(figure: Figure, target: Any, *arguments: Any, **named: Any) -> None:
        with (folder / "drawn.txt").open("a", encoding="utf-8") as file:
            file.writelines(f"{word}\n" for word in _without_words(figure))
        if draw:
            original(figure, target, *arguments, **named)
        else:
            Image.new("RGBA", BLANK).save(target, "png")

    Figure.savefig = savefig  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Figure.savefig = original  # type: ignore[method-assign]


def _without_words(figure: Any) -> Iterator[str]:
    """Replace each title, label and key of a figure by the same word; yield what they were."""
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        if (legend := axes.get_legend()) is not None:
            texts += [*legend.get_texts(), legend.get_title()]
    for text in texts:
        if words := text.get_text():
            yield words
            text.set_text("word")
