"""Every command that prints JSON prints such as any reader takes, whatever the kind of data."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import pytest
from commands import CommandLine, strictly
from cyclopts import App

from sparring.cli import theory
from sparring.cli.commands import app
from sparring.cli.output import print_json
from sparring.cli.theory import OrderName, PenaltyName
from sparring.recipes.sections import ObjectiveName
from sparring.theory import figures

# Beside these tests: `evaluate` of each kind in the tests of its runs, `compare` in test_evaluate,
# every row of `theory` in tests/theory/statements/test_all.
COMMANDS = {"data", "evaluate", "measure", "compare", "theory", "theory dirac"}


def options(of: App, above: Sequence[str] = ()) -> Iterator[tuple[str, set[str]]]:
    """Yield each command's name and its options."""
    for name in of:
        if not name.startswith("-"):
            path = (*above, name)
            arguments = of[name].assemble_argument_collection()
            yield " ".join(path), {n for argument in arguments for n in argument.names}
            yield from options(of[name], path)


def test_the_commands_that_print_json_are_those_that_are_tested() -> None:
    assert {name for name, names in options(app) if "--json" in names} == COMMANDS


def test_what_json_cannot_say_is_null_at_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), (1, float("-inf"))], "b": {"c": float("inf"), "é": True}})
    said = capsys.readouterr().out
    assert strictly(said) == {"a": [None, [1, None]], "b": {"c": None, "é": True}}
    assert "é" in said


@pytest.mark.parametrize("source", ["digits", "first-names", "penguins", "ring"])
def test_data_of_each_kind_are_described(source: str, cli: CommandLine) -> None:
    ended = cli("data", source, "--json")
    assert strictly(ended.out)["count"] > 0, ended.err


@pytest.mark.parametrize("order", get_args(OrderName))
def test_dirac_tells_of_every_game(
    order: OrderName,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the command's function itself, without the picture."""
    monkeypatch.setattr(figures, "phase_portrait", lambda *arguments: b"")
    for objective in get_args(ObjectiveName):
        for penalty in get_args(PenaltyName):
            theory.dirac(
                objective=objective,
                penalty=penalty,
                order=order,
                out=tmp_path / "p.svg",
                rounds=1,
                as_json=True,
            )
            assert strictly(capsys.readouterr().out)["verdict"]


@pytest.mark.slow
def test_theory_tells_of_all_rows_at_once(cli: CommandLine) -> None:
    ended = cli("theory", "--json")
    assert len(strictly(ended.out)) == 35, ended.err
