"""The command line: arguments in, the library's functions called, one line for each mistake.

torch is imported by the commands that need it, never for `--help`.
"""

import dataclasses
import json
import os
import re
import shlex
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, get_args, get_type_hints

from cyclopts import App, CycloptsError, Group, Parameter

from sparring.data.options import DataOptions
from sparring.errors import SparringError
from sparring.recipe import Recipe
from sparring.shell import (
    AsJson,
    Checkpoint,
    Extractor,
    Number,
    RunName,
    RunsFolder,
    examples,
    whole_number,
)
from sparring.theory_commands import app as theory

if TYPE_CHECKING:
    from sparring.compare import Comparisons
    from sparring.evaluation import Evaluation

SHORT = (
    "resolution",
    "crop",
    "channels",
    "labels",
    "column",
    "rate",
    "seconds",
    "level",
    "units",
    "length",
    "normalise",
)  # data options with a name of their own
TABLES = (
    "",
    "data",
    "generator",
    "discriminator",
    "optimizer",
    "penalties",
    "augment",
    "ema",
    "checkpoint",
)

app = App(
    name="sparring",
    help="Train generative adversarial networks on your own images, sounds, texts and tables.",
    help_epilogue="Add --debug to any command for a traceback where there would be one line.",
    version_flags=["--version"],
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
app.command(theory)


def _sparse(table: type, prefix: str = "") -> Any:
    """Return a dataclass like `table` in which every field may be left out (None)."""
    hints = get_type_hints(table, include_extras=True)
    fields = [_sparse_field(f.name, hints[f.name], prefix) for f in dataclasses.fields(table)]
    return dataclasses.make_dataclass(
        f"Some{table.__name__}",
        fields,
        frozen=True,
        kw_only=True,
        namespace={"__module__": __name__},  # or cyclopts takes it for a class of Python's own
    )


def _sparse_field(field: str, hint: Any, prefix: str) -> tuple[str, Any, Any]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        inner = _sparse(hint, f"{prefix}{field}.")
        return field, inner, dataclasses.field(default_factory=inner)
    base, *extras = get_args(hint)
    converter = whole_number if base is int else None
    words = next(extra for extra in reversed(extras) if isinstance(extra, str))
    names = [f"--{prefix}{field}".replace("_", "-")]
    if prefix == "data." and field in SHORT:
        names.append(f"--{field}")
    table = prefix.split(".")[0]
    group = Group(f"{table} options".strip().capitalize(), sort_key=TABLES.index(table))
    parameter = Parameter(
        name=names, help=words, group=group, show_default=False, converter=converter
    )
    return field, Annotated[base | None, parameter], None


def _given(some: Any) -> dict[str, Any]:
    """Return what was given, as nested options."""
    chosen = {}
    for field in dataclasses.fields(some):
        value = getattr(some, field.name)
        if dataclasses.is_dataclass(value):
            value = _given(value)
        if value is not None and value != {}:
            chosen[field.name] = value
    return chosen


if TYPE_CHECKING:
    SomeRecipe = Recipe
    SomeDataOptions = DataOptions
else:
    SomeRecipe = _sparse(Recipe)
    SomeDataOptions = _sparse(DataOptions, "data.")


@app.command(
    help_epilogue=examples(
        "sparring train mnist --budget 2m",
        "sparring train photos/ --size small --resolution 48x64 --budget 30m",
        "sparring train ring --objective reverse-kl --budget 1m",
        "sparring train people.csv --column age=category --budget 1m",
        "sparring train words.txt --units characters --budget 5m",
        "sparring train recordings/ --seconds 1 --rate 22050 --budget 20m",
        "sparring train photos/ --objective hinge --penalties.r1.weight 0.5 --dry-run",
        "sparring train digits --optimizer.name sgd --optimizer.lr 0.05 --optimizer.momentum 0.9",
    )
)
def train(
    data: str,
    /,
    *,
    options: Annotated[SomeRecipe, Parameter(name="*")] = SomeRecipe(),
    recipe: Annotated[
        Path | None, Parameter(help="a TOML recipe the options are laid over")
    ] = None,
    run_name: Annotated[str, Parameter(help="of the run's folder, after its number")] = "",
    start_from: Annotated[str, Parameter(name="--from", help="a run to take the networks of")] = "",
    dry_run: Annotated[bool, Parameter(help="print the plan and stop")] = False,
    profile: Annotated[
        bool, Parameter(help="first print where the time of a step goes; kept as profile.txt")
    ] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Train on DATA: a folder, zip, .npy/.npz, idx, .csv or .parquet file, or a data set's name.

    The files of a folder are images, or sounds: WAV, FLAC, OGG, MP3, AIFF; subfolders are classes.
    Texts are FILE.txt, one a line, FILE.csv:COLUMN or FILE.jsonl:KEY, with :LABEL if there is one.
    Named are mnist, digits, fashion-mnist, emoji; the sounds drums and spoken-digits; the texts
    names, first-names, idioms and verses; the tables penguins and diamonds; and the known densities
    ring, grid, spiral, swissroll, gaussian1d. The plan is printed first. Ctrl-C once saves and
    stops, twice stops at once; `sparring resume` goes on bit for bit.
    """
    from sparring import api
    from sparring.terminal import Terminal

    asked: dict[str, Any] = {"recipe": recipe, "root": runs, "start_from": start_from or None}
    with Terminal() as terminal:
        made = api.plan(data, _given(options), audience=terminal, **asked)
        terminal.plan(made.rows)
        if dry_run:
            return
        run = api.start(
            made,
            run_name=run_name,
            root=runs,
            start_from=start_from,
            profile=profile,
            audience=terminal,
        )
    _tell_end(run, runs)


@app.command(
    help_epilogue=examples(
        "sparring resume latest",
        "sparring resume 7 --budget +10m",
    )
)
def resume(
    run: RunName = "latest",
    /,
    *,
    budget: Annotated[str, Parameter(help="how much further than planned: +5m, +20k-images")] = "",
    changed_data: Annotated[bool, Parameter(help="go on although the data has changed")] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Go on with a run from its last checkpoint, bit for bit; or extend a finished one."""
    from sparring import api
    from sparring.terminal import Terminal

    with Terminal() as terminal:
        going = api.load(run, runs)
        going.resume(budget=budget, changed_data=changed_data, audience=terminal)
    _tell_end(going, runs)


@app.command(
    help_epilogue=examples(
        "sparring sample latest -n 64",
        "sparring sample 7 -n 10000 --out fakes.npz",
        "sparring sample 7 --label cat --truncation 0.7 --grid --out cats.png",
        "sparring sample 7 -n 8 --between --out from-one-to-another.wav --bits 24",
        "sparring sample 7 -n 100 --unique --novel --like mc --out names.txt",
        "sparring sample 7 -n 1000 --where cut=Fair --where 'price>5000' --out rows.csv",
    )
)
def sample(
    run: RunName = "latest",
    /,
    *,
    n: Number = 64,
    seed: Annotated[
        int, Parameter(help="same seed, same samples, whatever -n", converter=whole_number)
    ] = 0,
    label: Annotated[str | None, Parameter(help="a class's name or number")] = None,
    truncation: Annotated[float, Parameter(help="below 1: more typical, less various")] = 1.0,
    where: Annotated[
        tuple[str, ...],
        Parameter(help="of all rows: cut=Fair, 'price>5000'; may be repeated", show_default=False),
    ] = (),
    between: Annotated[
        bool, Parameter(help="n steps from one sample to another, in one class")
    ] = False,
    bits: Annotated[
        Literal["16", "24", "float"], Parameter(help="of a sample of a WAV file")
    ] = "16",
    unique: Annotated[bool, Parameter(help="no text twice")] = False,
    novel: Annotated[bool, Parameter(help="no text of the training data")] = False,
    like: Annotated[str, Parameter(help="what texts begin with")] = "",
    temperature: Annotated[
        float, Parameter(help="of a recurrent generator of texts; below 1: likelier")
    ] = 1.0,
    checkpoint: Checkpoint = "best",
    grid: Annotated[bool, Parameter(help="one picture of all instead of a file each")] = False,
    out: Annotated[
        Path | None,
        Parameter(help="a folder, or one .npz, .png, .wav, .csv, .txt, .jsonl …"),
    ] = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Draw new samples from a run's best checkpoint; the path of what was written is printed.

    Of texts, without --out, the texts themselves are printed.
    """
    from sparring import api
    from sparring.conditional import Wanted
    from sparring.terminal import Terminal

    trained = api.load(run, runs)
    with Terminal() as terminal:
        samples = trained.sample(
            n,
            seed=seed,
            label=label,
            truncation=truncation,
            where=where,
            between=between,
            texts=Wanted(unique, novel, like),
            temperature=temperature,
            checkpoint=checkpoint,
            audience=terminal,
        )
    if out is None and isinstance(samples, list):
        print("\n".join(samples))  # noqa: T201
        return
    target = out or trained.folder.samples / (_folder_name(seed, label) + "-between" * between)
    if grid and target.suffix.lower() != ".png":
        target = target / "grid.png"
    labels = trained.labels(n, label, between=between)
    print(trained.save(samples, target, labels=labels, bits=bits))  # noqa: T201


@app.command(
    help_epilogue=examples(
        "sparring evaluate latest",
        "sparring evaluate 7 test-photos/ -n 5000 --extractor pixel-pca",
        "sparring evaluate 7 --extractor my-network.onnx --json",
    )
)
def evaluate(
    run: RunName = "latest",
    data: Annotated[str | None, Parameter(help="other data to judge by")] = None,
    /,
    *,
    n: Number = 10_000,
    extractor: Extractor = "auto",
    seconds: Annotated[
        float, Parameter(help="at most, for drawing samples; 0 is no limit")
    ] = 300.0,
    baseline: Annotated[
        bool,
        Parameter(
            help="of texts: judge a likelihood model too, trained for as long as the run",
            negative="--no-baseline",
        ),
    ] = True,
    checkpoint: Checkpoint = "best",
    as_json: AsJson = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Measure a run's samples against data it never saw, every number with its 95 % interval.

    Beside each stands what real data would get against real data at the same sizes. The card is
    printed, kept as evaluation.json, and put into the report.
    """
    from sparring import api
    from sparring.terminal import Terminal

    with Terminal() as terminal:
        card = api.load(run, runs).evaluate(
            data,
            n=n,
            extractor=extractor,
            seconds=seconds,
            baseline=baseline,
            checkpoint=checkpoint,
            audience=terminal,
        )
    _print(card, as_json=as_json)


@app.command(
    help_epilogue=examples(
        "sparring compare 7 8",
        "sparring compare 7 8 9 10 --extractor pixel-pca --json",
    )
)
def compare(
    *names: Annotated[str, Parameter(help="two or more runs on the same data")],
    n: Number = 10_000,
    extractor: Extractor = "auto",
    as_json: AsJson = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Tell which of several runs is better, or that the data cannot tell.

    Every two runs are compared on the same real data, with an interval and a p-value corrected
    for the number of comparisons. Where recipes have several seeds each, the recipes are compared
    too, by the spread of their seeds.
    """
    from sparring import api
    from sparring.terminal import Terminal

    with Terminal() as terminal:
        found = api.compare(*names, n=n, extractor=extractor, root=runs, audience=terminal)
    _print(found, as_json=as_json)


@app.command(
    help_epilogue=examples(
        "sparring export latest --to onnx",
        "sparring export 7 --to safetensors --out digits.safetensors",
    )
)
def export(
    run: RunName = "latest",
    /,
    *,
    to: Annotated[Literal["onnx", "safetensors"], Parameter(help="the format")] = "onnx",
    out: Annotated[Path | None, Parameter(help="the file; default: in the run's folder")] = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Write a run's generator as one file for use elsewhere; its path is printed."""
    from sparring import api

    print(api.load(run, runs).export(to, out))  # noqa: T201


@app.command(
    help_epilogue=examples(
        "sparring data photos/",
        "sparring data photos.zip --resolution 64 --json",
    )
)
def data(
    source: str,
    /,
    *,
    options: Annotated[SomeDataOptions, Parameter(name="*")] = SomeDataOptions(),
    as_json: AsJson = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Tell what is in SOURCE, what is skipped, and why; train nothing."""
    from sparring import api
    from sparring.terminal import Terminal

    with Terminal() as terminal:
        about = api.describe(source, _given(options), runs, terminal)
    if as_json:
        print(json.dumps(about.full, indent=2, ensure_ascii=False))  # noqa: T201
        return
    for name, value in about.rows:
        print(f"{name:>13}  {value}")  # noqa: T201


@app.command(
    name="runs",
    help_epilogue=examples(
        "sparring runs",
    ),
)
def list_runs(*, runs: RunsFolder = Path("runs")) -> None:
    """List the runs, newest last: name, how they ended, how far they came."""
    from sparring.runs import listed

    for line in listed(runs):
        print(line)  # noqa: T201


def _folder_name(seed: int, label: str | None) -> str:
    plain = re.sub(r"[^\w-]+", "-", label or "").strip("-")
    return f"seed-{seed}-{plain}" if plain else f"seed-{seed}"


def _tell_end(run: Any, root: Path) -> None:
    """Print the run folder, or how to go on if training was stopped early."""
    print(run.path)  # noqa: T201
    if run.status == "finished":
        _say(f"report: {run.folder.report}")
        return
    below = run.path.resolve().parent == root.resolve()
    command = ["sparring", "resume", run.path.name if below else str(run.path)]
    if below and root != Path("runs"):
        command += ["--runs", str(root)]
    _say(f"saved; go on with: {shlex.join(command)}")
    raise SystemExit(143 if "SIGTERM" in run.folder.read_run()["reason"] else 130)


def _print(found: "Evaluation | Comparisons", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))  # noqa: T201
        return
    for line in found.table():
        print(line)  # noqa: T201


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


def _fail(message: str, code: int) -> NoReturn:
    _say("sparring: " + " ".join(message.split()))
    raise SystemExit(code)


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error) or type(error).__name__


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; mistakes exit with 1 or 2 and one line on standard error."""
    # Threads that spin while waiting cost a busy machine more than they gain (set before torch).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a path may hold what the locale cannot write
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        try:
            app([a for a in given if a != "--debug"], exit_on_error=False, print_error=False)
        finally:
            sys.stdout.flush()
    except CycloptsError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (SparringError, OSError, MemoryError) as error:
        if debug:
            raise
        _fail(_told(error), 1)


if __name__ == "__main__":
    main()
