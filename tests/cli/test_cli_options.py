"""Options of the command line: those of every kind are there, and only what was given is told."""

import dataclasses
from typing import Any, get_args, get_type_hints

import pytest
from cyclopts import CycloptsError

from sparring.cli.commands import app
from sparring.cli.options import explicit_values
from sparring.data.options import Short
from sparring.kinds import KINDS
from sparring.kinds.plugins import TAKEN
from sparring.recipes.recipe import ANY_OF, NETWORKS

SHORT = sorted(
    {
        name
        for kind in KINDS
        for name, hint in get_type_hints(kind.options, include_extras=True).items()
        if Short in get_args(hint)
    }
)
VALUES = {  # of options that not every text fits
    "breaking": "drop",
    "channels": "3",
    "crop": "pad",
    "decimal": ",",
    "length": "12",
    "level": "kept",
    "normalise": "NFKC",
    "rate": "8000",
    "seconds": "0.5",
    "thousands": " ",
    "units": "words",
}


def parsed(option: str, *words: str) -> dict[str, Any]:
    """Return what was given of the options that a command takes under this name."""
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    return explicit_values(bound.arguments[option]) if option in bound.arguments else {}


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    app([command, "--help"], exit_on_error=False, print_error=False, result_action="return_value")
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_the_short_names_are_those_of_0_1_and_groups() -> None:
    images, sounds, texts = "channels crop labels resolution", "level rate seconds", "length units"
    tables = "breaking column date_format decimal encoding missing rule thousands types"
    every = f"{images} {sounds} {texts} {tables} groups normalise"
    assert sorted(SHORT) == sorted(every.split())


@pytest.mark.parametrize("name", SHORT)
def test_a_short_name_is_the_long_one(name: str) -> None:
    value = VALUES.get(name, "name=category")
    long = parsed("options", "train", "x", f"--data.{name}", value)
    assert long == parsed("options", "train", "x", f"--{name}", value)
    assert list(long["data"]) == [name]
    assert parsed("options", "data", "x", f"--{name}", value) == long["data"]


def test_no_plug_in_can_take_the_name_of_an_option_that_is_there_for_every_kind() -> None:
    tables = [table for k in KINDS for table in (k.options, k.requests, k.judging)]
    own = {field.name for table in tables for field in dataclasses.fields(table)}
    arguments = [
        argument
        for command in app
        if command.isalpha() and command != "theory"
        for argument in app[command].assemble_argument_collection()
    ]
    plain = {name for argument in arguments for name in argument.names if "." not in name}
    names = {name[2:].replace("-", "_") for name in plain if name.startswith("--")}
    assert {name for name in names if not name.startswith(("no_", "empty_"))} - own <= TAKEN


def test_nothing_that_was_not_given_is_handed_on() -> None:
    assert parsed("options", "train", "x") == {}
    assert parsed("requests", "sample") == {}
    assert parsed("judging", "evaluate") == {}


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_every_kinds_own_options_are_told_with_their_defaults(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = help_of(command, capsys)
    for kind in KINDS:
        for field in dataclasses.fields(kind.requests if command == "sample" else kind.judging):
            assert f"--{field.name} " in told
            assert field.default in (0, "", ()) or f"[default: {field.default}]" in told


def test_what_is_asked_of_samples_is_read() -> None:
    words = "sample 7 --where a=b --where c>1 --unique --like mc --temperature 0.5 --bits 24"
    assert parsed("requests", *words.split()) == {
        "where": ("a=b", "c>1"),
        "unique": True,
        "like": "mc",
        "temperature": 0.5,
        "bits": "24",
    }
    with pytest.raises(CycloptsError):
        parsed("requests", "sample", "--bits", "17")


def test_what_is_judged_unless_told_otherwise_can_be_left_out() -> None:
    assert parsed("judging", "evaluate", "--no-baseline") == {"baseline": False}
    assert parsed("judging", "evaluate", "--baseline") == {"baseline": True}
    with pytest.raises(CycloptsError):
        parsed("requests", "sample", "--no-unique")


def test_the_help_of_training_lists_what_the_kinds_bring(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = help_of("train", capsys)
    assert f"[choices: {', '.join(NETWORKS)}]" in told
    assert f"[any of: {' '.join(ANY_OF['augment.kinds'])}]" in told
    for kind in KINDS:
        assert f"{kind.plural}: {kind.sources}." in told
        assert f"Data sets: {', '.join(kind.named)}." in told
    with pytest.raises(CycloptsError):
        parsed("options", "train", "x", "--generator.network", "residaul")


def test_every_help_text_is_a_noun_or_an_order_and_no_genitive(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in ("train", "sample", "evaluate", "data", "compare", "export", "resume"):
        told = help_of(command, capsys)
        assert not [w for w in (" INT of ", " STR of ", " FLOAT of ", " CHOICE of ") if w in told]
