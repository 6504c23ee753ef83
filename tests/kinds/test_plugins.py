"""Kinds that installed packages bring: used where they are whole, left out in a line where not."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pytest

from sparring.cli import main
from sparring.data.options import CommonOptions, Short
from sparring.errors import PluginWarning, SparringError
from sparring.kinds import BUILT_IN, kind_named, plugins
from sparring.kinds.kind import Kind
from sparring.kinds.plugins import PARTS, plugged_in
from sparring.recipes.recipe import resolve


@dataclass(frozen=True)
class SpectrumSpec:
    bands: int
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FakeEntryPoint:
    """What an installed package declares."""

    name: str
    load: Callable[[], Any]
    value: str = "somewhere:KIND"


@pytest.fixture
def spectra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kind[Any]:
    """A kind whose parts are there, in a package of its own."""
    home = tmp_path / "spectra_of_stars"
    home.mkdir()
    for name in ("__init__", "quick", *PARTS):
        (home / f"{name}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, home.name, raising=False)
    names: dict[str, Any] = {"name": "spectrum", "noun": "star", "home": home.name, "named": ()}
    return replace(kind_named("vector"), **names, spec=SpectrumSpec, options=CommonOptions)


def points(*kinds: Any) -> list[Any]:
    return [FakeEntryPoint(f"plug-{i}", lambda kind=kind: kind) for i, kind in enumerate(kinds)]


def options(name: str, hint: Any, default: Any) -> type:
    field: Any = (name, hint, default)
    return make_dataclass("Own", [field], bases=(CommonOptions,), frozen=True)


def test_whole_kinds_are_taken_in_the_order_of_their_entry_points(spectra: Kind[Any]) -> None:
    first = FakeEntryPoint("a", lambda: spectra)
    assert plugged_in([first], BUILT_IN) == (spectra,)
    assert plugged_in([], BUILT_IN) == ()
    words = Annotated[int, "sampling rate"]
    sharing = replace(spectra, options=options("memory_share", Annotated[float, "w"], 0.4))
    with pytest.warns(PluginWarning, match="'memory_share' is there already"):  # without its bounds
        plugged_in(points(sharing), BUILT_IN)
    own = replace(spectra, options=options("bands", words, 8))
    assert plugged_in(points(own), BUILT_IN) == (own,)


def broken_import() -> Any:
    raise ImportError("No module named\n'astronomy'")


def leaves() -> Any:
    raise SystemExit(3)


CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "image"}, "its name, image, is that of the images"),
    "auto": ({"name": "auto"}, "its name is 'auto'"),
    "plural": ({"noun": "sound"}, "its plural, sounds, is that of the sounds"),
    "home": ({"home": kind_named("vector").home}, "its home, sparring.kinds.points, is that of"),
    "spec": ({"spec": kind_named("text").spec}, "its spec, .*TextSpec.*, is that of the texts"),
    "no spec": ({"spec": str}, "expected a dataclass"),
    "named": ({"named": ("stars", "digits")}, "its data set 'digits' is one of the images"),
    "part": ({"home": "json"}, "the module json.reader is missing"),
    "preparation": ({"prepares": True}, "the module spectra_of_stars.preparation is missing"),
    "nowhere": ({"home": "nowhere.at.all"}, "cannot be loaded .ModuleNotFoundError"),
    "type": (
        {"options": options("rate", Annotated[float, "rate"], 0)},
        "its option 'rate' is there already, with another type or default",
    ),
    "default": (
        {"options": options("workers", Annotated[int, "w"], 4)},
        "its option 'workers' is there already",
    ),
    "words": ({"options": options("bands", int, 8)}, "'bands' is not Annotated with words"),
    "short": (
        {"options": options("seed", Annotated[int, Short, "seed"], 8)},
        "'seed' has the name of one that is there for every kind",
    ),
    "requests": (
        {"requests": make_dataclass("R", [("bits", Annotated[int, "bits"], 8)])},
        "its option 'bits' is there already",
    ),
    "judging": (
        {"judging": make_dataclass("J", [("seconds", Annotated[float, "s"], 8.0)])},
        "'seconds' has the name of one that is there for every kind",
    ),
    "default is missing": (
        {"requests": make_dataclass("R", [("pitch", Annotated[int, "pitch"])])},
        "its option 'pitch' has no default",
    ),
    "no dataclass": ({"judging": int}, "its judging are not a dataclass"),
    "no options": (
        {"options": SpectrumSpec},
        "its options are not a dataclass that extends Common",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_kind_that_gets_in_the_way_of_others_is_named_and_left_out(
    spectra: Kind[Any], case: str
) -> None:
    changes, complaint = CHANGED[case]
    with pytest.warns(PluginWarning, match=f"^the plug-in 'plug-0' is left out: .*{complaint}"):
        assert plugged_in(points(replace(spectra, **changes)), BUILT_IN) == ()


@pytest.mark.parametrize(
    ("load", "complaint"),
    [
        (broken_import, r"cannot be loaded \(ImportError: No module named 'astronomy'\)$"),
        (leaves, r"cannot be loaded \(SystemExit: 3\)$"),
        (lambda: "spectrum", "it leads to a str, not to a sparring.kinds.kind.Kind$"),
        (lambda: Kind, "it leads to a type, not to"),
    ],
    ids=["import", "exit", "text", "class"],
)
def test_what_cannot_be_loaded_is_named_and_left_out(
    spectra: Kind[Any], load: Callable[[], Any], complaint: str
) -> None:
    found: Any = [FakeEntryPoint("broken", load), FakeEntryPoint("whole", lambda: spectra)]
    with pytest.warns(PluginWarning, match=f"^the plug-in 'broken' is left out: .*{complaint}"):
        assert plugged_in(found, BUILT_IN) == (spectra,)


def test_of_two_that_are_alike_the_first_is_taken(spectra: Kind[Any]) -> None:
    with pytest.warns(PluginWarning, match="'plug-1' is left out: its name, spectrum, is that of"):
        assert plugged_in(points(spectra, replace(spectra)), BUILT_IN) == (spectra,)


def test_packages_that_cannot_be_listed_cost_only_the_plug_ins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(group: str) -> Any:
        raise ValueError("bad metadata")

    monkeypatch.setattr(plugins, "entry_points", damaged)
    with pytest.warns(PluginWarning, match=r"cannot be listed \(ValueError: bad metadata\)"):
        assert plugins.found() == ()


def test_a_plug_in_that_fails_to_look_at_a_source_is_named_once_and_not_asked(
    spectra: Kind[Any],
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        assert [plugins.recognises(spectra, name, frozenset()) for name in "ab"] == [False, False]
    (only,) = told
    assert "'spectrum' is not asked for this source: AttributeError" in str(only.message)


def test_a_part_that_needs_what_is_not_installed_is_refused_in_a_line(
    spectra: Kind[Any], tmp_path: Path
) -> None:
    (tmp_path / "spectra_of_stars" / "codec.py").write_text("import astronomy\n")
    line = "'spectra_of_stars.codec' cannot be loaded: No module named 'astronomy'"
    with pytest.raises(SparringError, match=f"^{line}$"):
        _ = spectra.codec


# --- a run whose plug-in is gone


@pytest.fixture
def orphan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a kind that is not known here, in `runs` of the folder to work in."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "0001-stars"
    folder.mkdir(parents=True)
    folder.joinpath("run.json").write_text('{"status": "finished"}')
    folder.joinpath("data.json").write_text('{"kind": "spectrum", "spec": {"bands": 8}}')
    folder.joinpath("recipe.toml").write_text("[data]\nbands = 8\n")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "sample latest",
        "evaluate 1",
        "compare 1 1",
        "export latest",
        "resume latest",
        "train ring --from 1",
    ],
)
def test_every_command_says_which_kind_of_a_run_is_missing(
    orphan: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "sparring: run '0001-stars' is of the kind 'spectrum', which is not known here; is its "
        "plug-in installed?\n"
    )


def test_a_recipe_of_a_missing_kind_is_refused_for_that_and_not_for_its_options() -> None:
    recipe = {"data": {"bands": 8, "kind": "spectrum"}, "generator": {"network": "stellar"}}
    complaint = "no kind of data is called 'spectrum'.*that of a plug-in: is it installed"
    with pytest.raises(SparringError, match=complaint):
        resolve(recipe)


def test_runs_of_missing_kinds_are_listed(orphan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["runs"])
    assert not ended.value.code
    assert "0001-stars" in capsys.readouterr().out
