"""`sparring train`: every kind of source, every choice of the game, and what is left on disk."""

import gzip
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from commands import QUICK, TINY, CommandLine, events, files_below, final
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.datasets import load_digits

import sparring
from sparring.api import _with_one_length
from sparring.recipes.recipe import read_recipe
from sparring.recipes.sections import ObjectiveName
from sparring.runs.folder import RULES
from sparring.runs.plan import TRAINING_SHARE

RUN_FILES = {
    "recipe.toml",
    "run.json",
    "events.jsonl",
    "data.json",
    "report.html",
    "README.md",
    "samples/real.png",
    "samples/000000640.png",
    "checkpoints/latest",
    "checkpoints/000000640/model.safetensors",
    "checkpoints/000000640/train.safetensors",
    "checkpoints/000000640/state.json",
    "checkpoints/000000640/manifest.json",
}
PENALTIES = ("none", "r1", "r2", "gradient", "finite_difference_r1", "finite_difference_r2")


def digits(count: int = 60) -> NDArray[np.uint8]:
    """Return real digits, uint8 of shape (count, 8, 8)."""
    return np.rint(load_digits().images[:count] * (255 / 16)).astype(np.uint8)


def about(run: Path) -> dict[str, Any]:
    """Return what a run wrote down about its data."""
    content: dict[str, Any] = json.loads((run / "data.json").read_text(encoding="utf-8"))
    return content


def model(run: Path) -> dict[str, torch.Tensor]:
    """Return the averaged generator of a run's last checkpoint."""
    last = (run / "checkpoints" / "latest").read_text().strip()
    return load_file(run / "checkpoints" / last / "model.safetensors")


def test_a_run_leaves_the_whole_run_folder(trained: Path) -> None:
    assert trained.name == "0001-digits-tiny"
    assert files_below(trained) >= RUN_FILES


def test_a_run_leaves_nothing_unfinished(trained: Path) -> None:
    hidden = {path for path in files_below(trained) if Path(path).name.startswith(".")}
    assert hidden <= {".lock"}
    beside = {path for path in files_below(trained.parent) if not path.startswith("cache")}
    assert beside == {f"0001-digits-tiny/{p}" for p in files_below(trained)} | {"0001-digits-tiny"}


def test_run_json_tells_how_it_came_about_and_ended(trained: Path) -> None:
    told = json.loads((trained / "run.json").read_text())
    assert told["status"] == "finished"
    assert (told["format"], told["rules"]) == (1, RULES)
    assert told["command"][1:3] == ["train", "digits"]
    assert told["versions"]["torch"] == torch.__version__
    assert (told["device"], told["seed"], told["threads"]) == ("cpu", 0, 1)
    assert told["data"]["fingerprint"] == about(trained)["fingerprint"]


def test_the_log_has_a_tick_for_each_look_and_ends_with_the_end(trained: Path) -> None:
    assert [tick["images"] for tick in events(trained, "tick")] == [128, 256, 384, 512, 640]
    assert [end["images"] for end in events(trained, "finished")] == [640]


def test_the_plan_goes_to_stderr_and_the_run_folder_to_stdout(cli: CommandLine) -> None:
    ended = cli("train", "digits", *QUICK)
    assert ended.out == "runs/0001-digits-tiny\n"
    for word in ("digits: 1,617 images", "generator", "discriminator", "640 images", "1 thread"):
        assert word in ended.err


def test_the_recipe_of_a_run_reproduces_it_bit_for_bit(trained: Path, cli: CommandLine) -> None:
    again = cli.train("digits", "--recipe", trained / "recipe.toml")
    assert final(again) == final(trained)
    assert read_recipe(again / "recipe.toml") == read_recipe(trained / "recipe.toml")


def test_nothing_is_left_open_in_the_recipe_that_is_written(
    trained: Path, trained_on_pets: Path
) -> None:
    digits, pets = (read_recipe(run / "recipe.toml")["data"] for run in (trained, trained_on_pets))
    open_keys = ("kind", "resolution", "channels", "labels")
    assert [digits[key] for key in open_keys] == ["image", "8x8", "1", "none"]
    assert [pets[key] for key in open_keys] == ["image", "12x8", "3", "yes"]
    assert "rate" not in digits


def test_another_seed_gives_another_run(trained: Path, cli: CommandLine) -> None:
    assert final(cli.train("digits", *QUICK, "--seed", "1")) != final(trained)


def test_options_are_laid_over_a_recipe(trained: Path, cli: CommandLine) -> None:
    run = cli.train("digits", "--recipe", trained / "recipe.toml", "--budget", "3-steps")
    assert read_recipe(run / "recipe.toml")["images"] == 3 * 64


@pytest.mark.parametrize(
    ("base", "options", "length"),
    [
        ({}, {"images": 640}, {"budget": "640-samples", "images": 640}),
        ({"budget": "5m", "images": 99}, {}, {"budget": "5m", "images": 99}),
        ({"budget": "5m", "images": 99}, {"budget": "2m"}, {"budget": "2m"}),
        (
            {"budget": "5m", "images": 99},
            {"images": 640},
            {"budget": "640-samples", "images": 640},
        ),
        ({"budget": "5m", "images": 99}, {"images": 0}, {"budget": "5m", "images": 0}),
    ],
)
def test_a_length_that_is_given_replaces_all_of_the_recipe_s(
    base: Any, options: Any, length: Any
) -> None:
    assert _with_one_length(base | {"batch": 8}, options) == length | {"batch": 8}


def test_runs_are_numbered_and_never_overwritten(
    trained: Path, run: Path, cli: CommandLine
) -> None:
    second = cli.train("digits", *TINY, "--budget", "1-steps", "--run-name", "My Cats!")
    assert second.name == "0002-my-cats"
    assert final(run) == final(trained)


def test_a_dry_run_prints_the_plan_and_writes_nothing(cli: CommandLine) -> None:
    ended = cli("train", "digits", *QUICK, "--dry-run")
    assert (ended.code, ended.out) == (0, "")
    assert "640 images" in ended.err
    assert files_below(cli.folder) == set()


def test_a_profile_is_printed_and_kept_and_changes_nothing(trained: Path, cli: CommandLine) -> None:
    ended = cli("train", "digits", *QUICK, "--profile")
    assert ended.code == 0, ended.err
    run = cli.folder / ended.out.strip()
    table = (run / "profile.txt").read_text()
    assert table in ended.err
    assert "profiler" not in ended.err  # the tracer's own words
    for told in ("ms", "GFLOP/s", "by operator", "matrix products", "by phase", "backward"):
        assert told in table
    assert 0 < json.loads((run / "profile.json").read_text())["utilisation"] < 1.5
    assert final(run) == final(trained)


def test_label_folders_make_a_conditional_run(trained_on_pets: Path) -> None:
    data = about(trained_on_pets)
    assert data["spec"]["classes"] == ["cat", "dog"]
    assert data["classes"] == {"cat": 60, "dog": 60}
    assert (data["spec"]["height"], data["spec"]["width"], data["spec"]["channels"]) == (12, 8, 3)


def test_a_label_can_be_sampled_by_name(pets_run: Path, cli: CommandLine) -> None:
    samples = {}
    for label in ("cat", "dog", "0"):
        target = cli.folder / f"{label}.npz"
        ended = cli("sample", pets_run, "-n", "4", "--label", label, "--out", target)
        assert ended.code == 0, ended.err
        samples[label] = np.load(target)["images"]
    assert np.array_equal(samples["cat"], samples["0"])
    assert not np.array_equal(samples["cat"], samples["dog"])


def test_an_unknown_label_names_the_nearest(pets_run: Path, cli: CommandLine) -> None:
    told = cli("sample", pets_run, "--label", "cst").complaint
    assert "no class 'cst'" in told
    assert "did you mean 'cat'?" in told


def test_labels_none_makes_label_folders_unconditional(pets: Path, cli: CommandLine) -> None:
    run = cli.train(pets, *QUICK, "--labels", "none")
    assert about(run)["spec"]["classes"] == []


def test_labels_yes_makes_a_named_set_conditional(cli: CommandLine) -> None:
    run = cli.train("digits", *QUICK, "--labels", "yes")
    assert about(run)["spec"]["classes"] == list("0123456789")


def as_zip(path: Path, pets: Path) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        for file in sorted(pets.rglob("*.png")):
            archive.write(file, file.relative_to(pets.parent))
    return path.with_suffix(".zip")


def as_npy(path: Path, pets: Path) -> Path:
    np.save(path.with_suffix(".npy"), digits())
    return path.with_suffix(".npy")


def as_npz(path: Path, pets: Path) -> Path:
    np.savez_compressed(path.with_suffix(".npz"), images=digits(), labels=np.arange(60) % 3)
    return path.with_suffix(".npz")


def as_idx(path: Path, pets: Path) -> Path:
    path.mkdir()
    header = struct.pack(">BBBBIII", 0, 0, 8, 3, 60, 8, 8)
    with gzip.open(path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(header + digits().tobytes())
    return path / "train-images-idx3-ubyte.gz"


@pytest.mark.parametrize(
    ("make", "shape", "classes"),
    [
        (as_zip, (12, 8, 3), ["cat", "dog"]),
        (as_npy, (8, 8, 1), []),
        (as_npz, (8, 8, 1), ["0", "1", "2"]),
        (as_idx, (8, 8, 1), []),
    ],
)
def test_it_trains_on(
    make: Callable[[Path, Path], Path],
    shape: tuple[int, ...],
    classes: list[str],
    pets: Path,
    cli: CommandLine,
) -> None:
    run = cli.train(make(cli.folder / "data", pets), *QUICK)
    spec = about(run)["spec"]
    assert (spec["height"], spec["width"], spec["channels"]) == shape
    assert spec["classes"] == classes
    assert events(run, "finished")


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(6, 10, 4), (20, 12, 2), (17, 31, 3), (33, 5, 1)]
)
def test_it_trains_on_images_of_any_shape(
    height: int, width: int, channels: int, cli: CommandLine
) -> None:
    source = np.resize(digits(), (40, height, width, channels))
    np.save(cli.folder / "odd.npy", source)
    few = ("--budget", "2-steps", "--batch", "8", "--discriminator.width", "4")
    run = cli.train("odd.npy", *TINY, *few, "--channels", channels, "--generator.width", "8")
    cli("sample", run, "-n", "3", "--out", "odd.npz")
    images = np.load(cli.folder / "odd.npz")["images"]
    assert (images.shape, images.dtype) == ((3, height, width, channels), np.uint8)


def test_the_convolutional_pair_trains_on_small_digits(cli: CommandLine) -> None:
    networks = ("--generator.network", "convolutional", "--discriminator.network", "convolutional")
    run = cli.train("digits", *TINY, "--budget", "4-steps", *networks)
    assert any("weight" in name and t.ndim == 4 for name, t in model(run).items())


@pytest.mark.parametrize(
    ("budget", "images"), [("3-steps", 192), ("640-images", 640), ("0.5k-images", 512)]
)
def test_a_budget_in_steps_or_images_is_exact(budget: str, images: int, cli: CommandLine) -> None:
    run = cli.train("digits", *TINY, "--budget", budget)
    assert read_recipe(run / "recipe.toml")["images"] == images
    assert [end["images"] for end in events(run, "finished")] == [images]


def test_a_budget_in_seconds_is_turned_into_images_at_the_speed_of_the_probe(
    cli: CommandLine,
) -> None:
    ended = cli("train", "digits", *TINY, "--budget", "1s", "--checkpoint.ticks", "4")
    assert ended.code == 0, ended.err
    plan = re.search(r"budget\s+([\d,]+) images, about .* at ([\d,.]+) images/s", ended.err)
    assert plan, ended.err
    images, speed = (float(number.replace(",", "")) for number in plan.groups())
    run = cli.folder / ended.out.strip()
    recipe = read_recipe(run / "recipe.toml")
    assert recipe["images"] == images
    assert images % recipe["batch"] == 0
    assert abs(images - TRAINING_SHARE * speed) <= recipe["batch"]
    assert [end["images"] for end in events(run, "finished")] == [recipe["images"]]


@pytest.mark.parametrize("preset", ["article", "article-mended"])
def test_the_article_s_networks_train_on_mnist(preset: str, cli: CommandLine) -> None:
    run = cli.train("mnist", "--preset", preset, "--budget", "2-steps", "--threads", "1")
    shapes = [tuple(t.shape) for name, t in model(run).items() if name.endswith("weight")]
    assert sorted(shapes) == [(784, 100), (784, 784), (784, 784)]
    objective = read_recipe(run / "recipe.toml")["objective"]
    assert objective == {"article": "mean-squared", "article-mended": "relativistic"}[preset]


def test_fine_tuning_starts_from_the_networks_of_a_run(run: Path, cli: CommandLine) -> None:
    few = ("--budget", "2-steps", "--checkpoint.keep", "9", "--seed", "5")
    tuned = cli.train("digits", "--from", "1", *few)
    before, start = model(run), load_file(tuned / "checkpoints/000000000/model.safetensors")
    assert all(torch.equal(before[name], start[name]) for name in before)
    assert read_recipe(tuned / "recipe.toml")["images"] == 128


@pytest.fixture
def short_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.runs.device.PROBE_SECONDS", 0.001)


@pytest.mark.usefixtures("short_probe")
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("objective", get_args(ObjectiveName))
def test_every_objective_trains_with_every_penalty(
    objective: str, penalty: str, tmp_path: Path
) -> None:
    penalties = {} if penalty == "none" else {f"penalties.{penalty}.weight": 0.1}
    off = {"penalties.r1.weight": 0, "penalties.r2.weight": 0}
    order = "alternating" if penalty == "none" else "simultaneous"
    chosen = {"objective": objective, "order": order, **off, **penalties}
    few = {"size": "tiny", "threads": 1, "batch": 16, "checkpoint.ticks": 1}
    run = sparring.train(digits(), root=tmp_path, budget="3-steps", **few, **chosen)
    assert run.status == "finished"
    assert all(bool(t.isfinite().all()) for t in model(run.path).values())
    (tick,) = events(run.path, "tick")
    assert all(np.isfinite(value) for value in tick["metrics"].values())


@pytest.mark.parametrize("momentum", ["0", "0.9"])
def test_sgd_trains_and_keeps_momentum_only_if_there_is_any(
    momentum: str, cli: CommandLine
) -> None:
    sgd = ("--optimizer.name", "sgd", "--optimizer.lr", "0.05", "--optimizer.momentum", momentum)
    run = cli.train("digits", *QUICK, *sgd)
    kept = load_file(run / "checkpoints/000000640/train.safetensors")
    assert any("momentum" in name for name in kept) == (momentum != "0")


def test_several_discriminator_moves_use_up_as_many_images(cli: CommandLine) -> None:
    moves = ("--order", "alternating", "--discriminator-moves", "3")
    run = cli.train("digits", *TINY, *moves, "--budget", "2-steps")
    assert [end["images"] for end in events(run, "finished")] == [2 * 3 * 64]
