"""The commands; each calls the library's function of its name.

Not inside: options (`options`), what is printed (`output`, `terminal`), mistakes (`app`).
torch is imported by the commands that need it, never for `--help`.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from sparring.cli.options import (
    AsJson,
    Checkpoint,
    DataOptions,
    Extractor,
    Judging,
    Number,
    RecipeOptions,
    Requests,
    RunName,
    RunsFolder,
    SampleNumber,
    examples,
    examples_of,
    explicit_values,
    whole_number,
)
from sparring.cli.output import print_end, print_json, print_lines, print_result
from sparring.cli.theory import app as theory
from sparring.errors import SparringError
from sparring.kinds import LISTED, kind_of
from sparring.kinds.kind import Kind

FORMATS = tuple(dict.fromkeys(suffix for kind in LISTED for suffix in kind.formats))


def _listed(kinds: Iterable[Kind[Any]]) -> str:
    """Return what kinds of items are called: `images, sounds and texts`."""
    *names, last = (kind.plural for kind in kinds)
    return f"{', '.join(names)} and {last}" if names else last


def _sources(kind: Kind[Any]) -> str:
    """Return what of a kind can be trained on, as an item of a list."""
    data_sets = f" Data sets: {', '.join(kind.named)}." if kind.named else ""
    return f"- {kind.plural}: {kind.sources}.{data_sets}"


SOURCES = "\n".join(map(_sources, LISTED))

app = App(
    name="sparring",
    help=f"Train generative adversarial networks on your own {_listed(LISTED)}.",
    help_epilogue="Add --debug to any command for a traceback where there would be one line.",
    version_flags=["--version"],
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
app.command(theory)


@app.command(
    help=f"""Train on DATA: a path, or the name of a data set.

{SOURCES}

The plan is printed first. Ctrl-C once saves and stops, twice stops at once; `sparring resume` goes
on bit for bit.
""",
    help_epilogue=examples_of("train"),
)
def train(
    data: str,
    /,
    *,
    options: Annotated[RecipeOptions, Parameter(name="*")] = RecipeOptions(),
    recipe: Annotated[
        Path | None, Parameter(help="TOML recipe that the options are laid over")
    ] = None,
    run_name: Annotated[str, Parameter(help="name of the run's folder, after its number")] = "",
    start_from: Annotated[
        str, Parameter(name="--from", help="run whose networks are the starting point")
    ] = "",
    dry_run: Annotated[bool, Parameter(help="print the plan and stop")] = False,
    profile: Annotated[
        bool, Parameter(help="first print where the time of a step goes; kept as profile.txt")
    ] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Train on DATA."""
    from sparring import api
    from sparring.cli.terminal import Terminal

    with Terminal() as terminal:
        plan = api.plan(
            data,
            explicit_values(options),
            recipe=recipe,
            root=runs,
            start_from=start_from or None,
            audience=terminal,
        )
        terminal.plan(plan.rows)
        if dry_run:
            return
        run = api.start(
            plan,
            run_name=run_name,
            root=runs,
            start_from=start_from,
            profile=profile,
            audience=terminal,
        )
    print_end(run, runs)


@app.command(
    help_epilogue=examples(
        "sparring resume latest",
        "sparring resume 7 --budget +10m",
        "sparring resume 7 --device cpu",
    )
)
def resume(
    run: RunName = "latest",
    /,
    *,
    budget: Annotated[str, Parameter(help="how much longer than planned: +5m, +20k-samples")] = "",
    changed_data: Annotated[bool, Parameter(help="go on although the data has changed")] = False,
    device: Annotated[
        str, Parameter(help="another device than before: cpu, cuda, mps, or auto for the fastest")
    ] = "",
    runs: RunsFolder = Path("runs"),
) -> None:
    """Go on with a run from its last checkpoint, bit for bit; or extend a finished one."""
    from sparring import api
    from sparring.cli.terminal import Terminal

    with Terminal() as terminal:
        resumed = api.load(run, runs)
        resumed.resume(budget=budget, changed_data=changed_data, device=device, audience=terminal)
    print_end(resumed, runs)


@app.command(
    help=f"""Draw new samples from a run's best checkpoint; the path of what was written is printed.

Without --out, {_listed(kind for kind in LISTED if kind.printed)} are printed themselves.
""",
    help_epilogue=examples_of(
        "sample",
        "sparring sample latest -n 64",
        "sparring sample 7 -n 10000 --out fakes.npz",
    ),
)
def sample(
    run: RunName = "latest",
    /,
    *,
    n: SampleNumber = None,
    seed: Annotated[
        int,
        Parameter(
            help="random seed; the same one, the same samples, whatever -n", converter=whole_number
        ),
    ] = 0,
    label: Annotated[str | None, Parameter(help="name or number of a class")] = None,
    truncation: Annotated[
        float, Parameter(help="truncation of the latents; below 1: more typical, less various")
    ] = 1.0,
    between: Annotated[
        bool, Parameter(help="draw n steps from one sample to another, in one class")
    ] = False,
    requests: Annotated[Requests, Parameter(name="*")] = Requests(),
    checkpoint: Checkpoint = "best",
    grid: Annotated[
        bool, Parameter(help="write one picture of all instead of a file each")
    ] = False,
    out: Annotated[
        Path | None,
        Parameter(help=f"folder, or one file: {', '.join(FORMATS)}"),
    ] = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Draw new samples."""
    from sparring import api
    from sparring.cli.terminal import Terminal

    requested = explicit_values(requests)
    trained = api.load(run, runs)
    if grid:
        _refuse_grid(kind_of(trained.spec), out)
    with Terminal() as terminal:
        samples = trained.sample(
            n,
            seed=seed,
            label=label,
            truncation=truncation,
            between=between,
            checkpoint=checkpoint,
            audience=terminal,
            **requested,
        )
    if out is None and kind_of(trained.spec).printed:
        print_lines(samples)
        return
    target = out or trained.folder.samples / (_folder_name(seed, label) + "-between" * between)
    if grid and target.suffix.lower() != ".png":
        target = target / "grid.png"
    labels = trained.labels(len(samples), label, between=between)
    print_lines([trained.save(samples, target, labels=labels, **requested)])


@app.command(
    help_epilogue=examples_of(
        "evaluate",
        "sparring evaluate latest",
        "sparring evaluate 7 --extractor my-network.onnx --json",
    )
)
def evaluate(
    run: RunName = "latest",
    data: Annotated[str | None, Parameter(help="other data to evaluate against")] = None,
    /,
    *,
    n: Number = 10_000,
    extractor: Extractor = "auto",
    seconds: Annotated[
        float, Parameter(help="time limit for drawing samples; 0: no limit")
    ] = 300.0,
    judging: Annotated[Judging, Parameter(name="*")] = Judging(),
    checkpoint: Checkpoint = "best",
    as_json: AsJson = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Measure a run's samples against data it never saw, every number with its 95 % interval.

    Beside each stands what real data would get against real data at the same sizes. The card is
    printed, kept as evaluation.json, and put into the report.
    """
    from sparring import api
    from sparring.cli.terminal import Terminal

    with Terminal() as terminal:
        card = api.load(run, runs).evaluate(
            data,
            n=n,
            extractor=extractor,
            seconds=seconds,
            checkpoint=checkpoint,
            audience=terminal,
            **explicit_values(judging),
        )
    print_result(card, as_json=as_json)


@app.command(
    help_epilogue=examples_of(
        "measure",
        "sparring measure unseen/ fakes.npz",
    )
)
def measure(
    real: Annotated[str, Parameter(help="data that the generator never saw")] = "",
    fake: Annotated[str, Parameter(help="samples of the generator")] = "",
    /,
    *,
    train: Annotated[
        str | None, Parameter(help="data that the generator was trained on, to test copying")
    ] = None,
    n: Annotated[
        int,
        Parameter(name=["-n", "--number"], help="items of each, at most", converter=whole_number),
    ] = 10_000,
    extractor: Extractor = "auto",
    options: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    out: Annotated[
        Path | None, Parameter(help="folder for evaluation.json and the card's pictures")
    ] = None,
    as_json: AsJson = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Measure samples from anywhere, FAKE, against data that their generator never saw, REAL.

    No run is needed: both are read as one kind of data, and the card is that of `evaluate`, with
    intervals, tests and one verdict. Data that the generator was trained on, as REAL, flatters one
    that copies; give it as --train, and copying is tested.
    """
    from sparring import api
    from sparring.cli.terminal import Terminal

    if not real or not fake:
        raise SparringError(
            "two are measured, REAL and FAKE: sparring measure unseen/ fakes/; the card of a run "
            "is: sparring evaluate RUN"
        )
    with Terminal() as terminal:
        card = api.measure(
            real,
            fake,
            train,
            n=n,
            extractor=extractor,
            out=out,
            root=runs,
            audience=terminal,
            **explicit_values(options),
        )
    print_result(card, as_json=as_json)


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
    seconds: Annotated[
        float, Parameter(help="time limit for drawing samples; 0: no limit")
    ] = 300.0,
    as_json: AsJson = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Tell which of several runs is better, or that the data cannot tell.

    Every two runs are compared on the same real data, with an interval and a p-value corrected
    for the number of comparisons. Where recipes have several seeds each, the recipes are compared
    too, by the spread of their seeds.
    """
    from sparring import api
    from sparring.cli.terminal import Terminal

    with Terminal() as terminal:
        result = api.compare(
            *names, n=n, extractor=extractor, seconds=seconds, root=runs, audience=terminal
        )
    print_result(result, as_json=as_json)


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
    to: Annotated[Literal["onnx", "safetensors"], Parameter(help="format of the file")] = "onnx",
    out: Annotated[
        Path | None, Parameter(help="file to write; default: in the run's folder")
    ] = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Write a run's generator as one file for use elsewhere; its path is printed."""
    from sparring import api

    print_lines([api.load(run, runs).export(to, out)])


@app.command(
    help_epilogue=examples_of(
        "data",
        "sparring data photos/",
    )
)
def data(
    source: str,
    /,
    *,
    options: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    as_json: AsJson = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Tell what is in SOURCE, what is skipped, and why; train nothing."""
    from sparring import api
    from sparring.cli.terminal import Terminal

    with Terminal() as terminal:
        description = api.describe(source, explicit_values(options), runs, terminal)
    if as_json:
        print_json(description.full)
    else:
        print_lines(f"{name:>13}  {value}" for name, value in description.rows)


@app.command(
    name="runs",
    help_epilogue=examples("sparring runs"),
)
def list_runs(*, runs: RunsFolder = Path("runs")) -> None:
    """List the runs, newest last: name, how they ended, how far they came."""
    from sparring.runs.folder import listed

    print_lines(listed(runs))


def _refuse_grid(kind: Kind[Any], out: Path | None) -> None:
    """Refuse a picture of what has none, or into a file of another format."""
    if ".png" not in kind.formats:
        raise SparringError(f"--grid writes a picture, and {kind.plural} have none; leave it out")
    if out and out.suffix.lower() not in ("", ".png"):
        raise SparringError(f"--grid writes a .png file, or into a folder; '{out}' is neither")


def _folder_name(seed: int, label: str | None) -> str:
    plain = re.sub(r"[^\w-]+", "-", label or "").strip("-")
    return f"seed-{seed}-{plain}" if plain else f"seed-{seed}"
