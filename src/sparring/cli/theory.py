"""`sparring theory`: the statements of the theory checked, and the Dirac-GAN's phase portrait.

torch, scipy and matplotlib are imported by the commands, never for `--help`.
"""

import sys
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from sparring.cli.options import AsJson, examples, whole_number
from sparring.cli.output import print_json
from sparring.errors import SparringError
from sparring.recipes.sections import ObjectiveName

if TYPE_CHECKING:
    from rich.text import Text

    from sparring.theory.dirac import DiracGAN
    from sparring.theory.statements import Check, Statement

PenaltyName = Literal[
    "none",
    "r1",
    "r2",
    "r1+r2",
    "gradient",
    "finite-difference-r1",
    "finite-difference-r2",
    "instance-noise",
    "consensus",
]
OrderName = Literal["simultaneous", "alternating"]

START = (1.0, 1.0)  # (θ, ψ) from where the path is drawn
MAX_ROUNDS = 100_000
PIPE_COLUMNS = 150
PENALTY_TITLES = {  # with the weight, in the picture's title
    "none": "no penalty",
    "r1": "R1, γ = {:g}",
    "r2": "R2, γ = {:g}",
    "r1+r2": "R1 and R2, γ = {:g}",
    "gradient": "gradient penalty, λ = {:g}",
    "finite-difference-r1": "finite-difference R1, γ = {:g}",
    "finite-difference-r2": "finite-difference R2, γ = {:g}",
    "instance-noise": "instance noise, σ = {:g}",
    "consensus": "consensus, γ = {:g}",
}

app = App(
    name="theory",
    help="Check the statements of the theory on the code that trains; or look at the Dirac-GAN.",
    help_epilogue=examples(
        "sparring theory",
        "sparring theory --only 5,6 --json",
        "sparring theory dirac --objective relativistic --penalty r1 --lr 0.1",
    ),
    default_parameter=Parameter(negative=()),
)


@app.default
def check(
    *,
    only: Annotated[str, Parameter(help="numbers of statements, separated by commas")] = "",
    as_json: AsJson = False,
) -> None:
    """Compute every statement again and print what was expected, what came, and the error.

    The functions are those that training and metrics use. Exits with 1 if a statement fails.
    """
    from sparring.theory.statements import ALL

    statements = _select(ALL, only)
    rows = [_row(statement) for statement in _with_bar(statements, quiet=as_json)]
    failed = [row["number"] for row in rows if not row["passed"]]
    if as_json:
        print_json(rows)
    else:
        _print_table(rows)
        names = ", ".join(map(str, failed))
        print(f"statements {names} fail" if failed else f"all {len(rows)} hold")  # noqa: T201
    if failed:
        raise SystemExit(1)


@app.command(
    help_epilogue=examples(
        "sparring theory dirac --objective minimax --lr 0.2",
        "sparring theory dirac --objective wasserstein --penalty gradient --out cycle.png",
        "sparring theory dirac --objective relativistic --penalty r1+r2 --gamma 0.3 --json",
    )
)
def dirac(
    *,
    objective: Annotated[ObjectiveName, Parameter(help="objective that the players minimise")] = (
        "non-saturating"
    ),
    penalty: Annotated[
        PenaltyName, Parameter(help="penalty that damps the discriminator")
    ] = "none",
    gamma: Annotated[float, Parameter(help="weight of the penalty; σ of instance noise")] = 0.6,
    order: Annotated[OrderName, Parameter(help="order of play")] = "simultaneous",
    lr: Annotated[float, Parameter(help="step size of both players")] = 0.1,
    rounds: Annotated[
        int,
        Parameter(
            name=["--rounds", "--steps"],
            help="rounds of the path that is drawn",
            converter=whole_number,
        ),
    ] = 500,
    out: Annotated[Path, Parameter(help="picture to write, .svg or .png")] = Path("dirac.svg"),
    as_json: Annotated[bool, Parameter(name="--json", help="print the numbers as JSON")] = False,
) -> None:
    """Tell whether the smallest game converges, and draw its phase portrait.

    The data are the point 0, the generator makes the point θ, the discriminator is ψx: near the
    equilibrium training is a 2 × 2 matrix, and its eigenvalues decide (Mescheder 2018).
    """
    image_format = out.suffix.lower()[1:]
    if image_format not in ("svg", "png"):
        raise SparringError(f"cannot write '{out}'; use .svg or .png")
    if not 0 < lr < 1e3 or not 0 <= gamma < 1e6 or not 0 < rounds <= MAX_ROUNDS:
        raise SparringError(
            f"lr {lr:g}, gamma {gamma:g}, rounds {rounds}; expected lr above 0, gamma of at least "
            f"0 and 1 to {MAX_ROUNDS:,} rounds"
        )
    from sparring.runs.folder import write_bytes
    from sparring.theory.dirac import trajectory, verdict_of_path
    from sparring.theory.figures import phase_portrait

    game = _game(objective, penalty, gamma)
    path = trajectory(game, START, order, lr, rounds)
    facts = _facts(game, order, lr) or {"eigenvalues": [], "verdict": verdict_of_path(path)}
    penalty_title = PENALTY_TITLES[penalty].format(gamma)
    title = f"{objective}, {penalty_title}\n{order}, learning rate {lr:g}: {facts['verdict']}"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, phase_portrait(game, path, title, image_format))
    if as_json:
        print_json(facts | {"picture": str(out)})
        return
    for name, value in (facts | {"picture": str(out)}).items():
        print(f"{name.replace('_', ' '):>24}  {_format(name, value)}")  # noqa: T201


def _select(statements: "tuple[Statement, ...]", only: str) -> "list[Statement]":
    if not only:
        return list(statements)
    by_number = {str(statement.number): statement for statement in statements}
    numbers = [number.strip() for number in only.split(",")]
    for number in numbers:
        if number not in by_number:
            raise SparringError(
                f"no statement '{number}'; they are numbered {', '.join(by_number)}"
            )
    return [by_number[number] for number in numbers]


def _with_bar(statements: "list[Statement]", *, quiet: bool) -> "Iterable[Statement]":
    """Return the statements, with a bar on a terminal."""
    if quiet or not sys.stderr.isatty():
        return statements
    from rich.console import Console
    from rich.progress import track

    return track(statements, "checking", console=Console(stderr=True), transient=True)


def _row(statement: "Statement") -> dict[str, Any]:
    checks = statement.check()
    return {
        "number": statement.number,
        "claim": statement.claim,
        "source": statement.source,
        "passed": all(check.passed for check in checks),
        "checks": [_numbers(check) for check in checks],
    }


def _numbers(check: "Check") -> dict[str, Any]:
    return {
        "what": check.what,
        "expected": check.expected,
        "computed": check.computed,
        "error": check.error,
        "tolerance": check.tolerance,
        "passed": check.passed,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("", justify="right")
    table.add_column("statement", ratio=1, overflow="fold")
    for name in ("expected", "computed", "error", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        claim = Text(f"{row['claim']} ", style="bold").append(row["source"], style="dim not bold")
        table.add_row(str(row["number"]), claim, "", "", "", _mark(row["passed"]))
        for check in row["checks"]:
            expected, computed = (_digits(check[key], ".10g") for key in ("expected", "computed"))
            what, error = Text(f"  {check['what']}"), _digits(check["error"], ".1e")
            table.add_row("", what, expected, computed, error, _mark(check["passed"]))
    console.print(table)


def _digits(value: float, format_spec: str) -> str:
    return format(value, format_spec) if isfinite(value) else "not finite"


def _mark(passed: bool) -> "Text":
    from rich.text import Text

    return Text("✓", style="green") if passed else Text("✗", style="bold red")


def _game(objective: ObjectiveName, penalty: PenaltyName, gamma: float) -> "DiracGAN":
    from sparring import build, penalties
    from sparring.theory.dirac import DiracGAN

    losses = build.objective(objective)
    match penalty:
        case "none":
            return DiracGAN(losses)
        case "instance-noise":
            return DiracGAN(losses, noise=gamma)
        case "consensus":
            return DiracGAN(losses, consensus=gamma)
    named = {
        "r1": (penalties.r1,),
        "r2": (penalties.r2,),
        "r1+r2": (penalties.r1, penalties.r2),
        "gradient": (penalties.gradient_penalty,),
        "finite-difference-r1": (penalties.finite_difference_r1,),
        "finite-difference-r2": (penalties.finite_difference_r2,),
    }
    return DiracGAN(losses, tuple((function, gamma) for function in named[penalty]))


def _facts(game: "DiracGAN", order: OrderName, lr: float) -> dict[str, Any]:
    """Return what the eigenvalues say, or nothing where there are none."""
    from sparring.theory import dirac

    try:
        jacobian = game.jacobian()
    except SparringError:
        return {}
    update = dirac.round_matrix(jacobian, order, lr)
    return {
        "eigenvalues": _pairs(dirac.eigenvalues(jacobian)),
        "eigenvalues_of_a_round": _pairs(dirac.eigenvalues(update)),
        "spectral_radius": dirac.spectral_radius(update),
        "verdict": dirac.verdict(update),
        "converges_for_lr_below": dirac.largest_step(jacobian, order),
        "circles_for_lr_below": dirac.largest_circling_step(jacobian, order),
    }


def _pairs(values: Iterable[complex]) -> list[tuple[float, float]]:
    return [(float(value.real), float(value.imag)) for value in values]


def _format(name: str, value: Any) -> str:
    if name == "eigenvalues" and not value:
        return "none: the penalty has no derivative at (0, 0); the verdict is that of the path"
    if name.endswith("_for_lr_below") and value == 0:
        return "never"
    if isinstance(value, list):
        signed = ((real, "-" if imag < 0 else "+", abs(imag)) for real, imag in value)
        return ", ".join(f"{real:.6g} {sign} {imag:.6g}i" for real, sign, imag in signed)
    return f"{value:.8g}" if isinstance(value, float) else str(value)
