"""A run that was made on another machine's device: used here all the same, and resumed."""

import json
from pathlib import Path

import pytest
from commands import CommandLine, final

from sparring.recipes.recipe import read_recipe


@pytest.fixture
def run_on_cuda(run: Path) -> Path:
    """A copy of the finished run that says it was trained on a device which is not here."""
    recipe, about = run / "recipe.toml", run / "run.json"
    for file, here, there in (
        (recipe, 'device = "cpu"', 'device = "cuda"'),
        (about, '"device": "cpu"', '"device": "cuda"'),
    ):
        text = file.read_text(encoding="utf-8")
        assert here in text
        file.write_text(text.replace(here, there), encoding="utf-8")
    return run


def test_the_fastest_device_is_the_default_told_and_recorded(trained: Path) -> None:
    about = json.loads((trained / "run.json").read_text(encoding="utf-8"))
    assert read_recipe(trained / "recipe.toml")["device"] == about["device"] == "cpu"
    assert dict(about["plan"])["machine"].startswith("cpu, 1 thread, about ")


def test_it_samples_and_evaluates_as_if_made_here(
    trained: Path, run_on_cuda: Path, cli: CommandLine
) -> None:
    for name, run in (("here", trained), ("there", run_on_cuda)):
        ended = cli("sample", run, "-n", "4", "--out", cli.folder / f"{name}.npz")
        assert ended.code == 0, ended.err
    assert (cli.folder / "here.npz").read_bytes() == (cli.folder / "there.npz").read_bytes()
    assert cli("evaluate", run_on_cuda, "-n", "100", "--extractor", "pixel-pca").code == 0


def test_to_resume_it_here_the_cpu_is_offered_and_the_record_follows(
    run_on_cuda: Path, cli: CommandLine
) -> None:
    more = ("resume", run_on_cuda, "--budget", "+3-steps")
    complaint = cli(*more).complaint
    assert complaint.startswith("sparring: device 'cuda' cannot be used: ")
    assert complaint.endswith("; try --device cpu")
    before = final(run_on_cuda)
    ended = cli(*more, "--device", "auto")
    assert ended.code == 0, ended.err
    assert "device was cuda, is cpu: the last bits may differ" in ended.err
    assert final(run_on_cuda) != before
    assert read_recipe(run_on_cuda / "recipe.toml")["device"] == "cpu"
    assert json.loads((run_on_cuda / "run.json").read_text(encoding="utf-8"))["device"] == "cpu"


def test_what_starts_from_it_takes_the_device_that_is_here(
    run_on_cuda: Path, cli: CommandLine
) -> None:
    ended = cli("train", "digits", "--from", run_on_cuda, "--budget", "2-steps")
    assert ended.code == 0, ended.err
