"""What stood in version 0.1 is still found: modules under old paths, names that were changed."""

import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch

import sparring
from sparring import moved

EXAMPLES = Path(__file__).parent / "compatibility" / "examples-0.1"
SOURCE = Path(sparring.__file__).parent


def is_there(name: str) -> bool:
    path = SOURCE.joinpath(*name.split("."))
    return path.with_name(f"{path.name}.py").exists() or path.is_dir()


GONE = sorted(name for name in moved.MODULES if not is_there(name))
STILL_THERE = sorted(filter(is_there, moved.MODULES))


def forget(name: str) -> None:
    """Have an old module imported again."""
    sys.modules.pop(f"sparring.{name}", None)


@pytest.mark.parametrize("name", GONE)
def test_an_old_module_is_imported_with_a_warning_that_says_the_new_ones(name: str) -> None:
    forget(name)
    with pytest.warns(DeprecationWarning, match="is now") as caught:
        old = import_module(f"sparring.{name}")
    told = str(caught[-1].message)  # of a package that has moved too there is one before it
    for home in moved.MODULES[name]:
        assert f"sparring.{home}" in told
        new = import_module(f"sparring.{home}")
        for public in public_names(new)[:3]:
            getattr(old, public)


def public_names(module: ModuleType) -> list[str]:
    own = (n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__)
    return [name for name in own if not name.startswith("_")]


@pytest.mark.parametrize("name", STILL_THERE)
def test_what_a_module_has_given_away_is_found_through_it(name: str) -> None:
    module = import_module(f"sparring.{name}")
    for home in moved.MODULES[name]:
        new = import_module(f"sparring.{home}")
        public = next(n for n in public_names(new) if n not in vars(module))
        with pytest.warns(DeprecationWarning, match=rf"sparring\.{home}\.{public}"):
            assert getattr(module, public) is getattr(new, public)


@pytest.mark.parametrize(("old", "new"), moved.NAMES.items())
def test_a_renamed_name_is_the_new_one(old: str, new: str) -> None:
    module, _, name = old.rpartition(".")
    home, _, renamed = new.rpartition(".")
    found = getattr(imported(module), name)
    assert found is getattr(import_module(f"sparring.{home}"), renamed)


@pytest.mark.parametrize("name", ["recipe", "spec", "evaluation", "data.tables"])
def test_what_never_was_is_still_refused(name: str) -> None:
    module = import_module(f"sparring.{name}") if is_there(name) else imported(name)
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchThing'"):
        module.NoSuchThing  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        import_module("sparring.no_such_module")


def imported(name: str) -> ModuleType:
    """Import an old module again."""
    forget(name)
    with pytest.warns(DeprecationWarning, match="is now"):
        return import_module(f"sparring.{name}")


def test_every_public_name_is_there_without_a_warning() -> None:
    code = "import sparring; [getattr(sparring, name) for name in sparring.__all__]"
    everything = f"{code}\nfrom sparring import *"
    subprocess.run([sys.executable, "-W", "error", "-c", everything], check=True)


def test_old_paths_load_no_torch_and_are_told_where_they_are_written(tmp_path: Path) -> None:
    script = tmp_path / "old.py"
    script.write_text(
        "import sys\n"
        "from sparring.recipe import Recipe\n"
        "from sparring.spec import ImageSpec\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    command = [sys.executable, "-W", "always", str(script)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{script}:2: DeprecationWarning: sparring.recipe is now" in ended.stderr
    assert f"{script}:3: DeprecationWarning: sparring.spec.ImageSpec is now" in ended.stderr


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_examples_of_0_1_run_as_they_were(
    example: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(example), "1"])
    with torch.random.fork_rng():
        runpy.run_path(str(example), run_name="__main__")
    assert "discriminator loss" in capsys.readouterr().out
